"""Constraints: the CHECKs that refuse just those rows that violate a check of a plan."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.errors import Code
from spark_sig.plan import Check, EnforcementPlan, Rung
from spark_sig.planning.claims import check_claims
from spark_sig.sqltext import quoted
from spark_sig.stats import Claim, Place

# What the names of all constraints begin with that are made here.
PREFIX = "spark_sig_"

# Days of 400 years, after which the calendar repeats itself.
_CYCLE = 146_097

# The sides of what a CHECK is compared by: Delta writes its tokens apart.
_TOKENS = re.compile(r"(`(?:[^`]|``)*`)|\s+")

# What Spark puts values of its settings in for, in quoted names too.
_SUBSTITUTED = re.compile(r"\$\{")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A CHECK that a table is to have.

    Args:
        name: its name, the same for the same place and kind of check whatever the bounds; in
            lower case, as Delta keeps it.
        sql: its expression.
        path: the place in a row that it is about, as reports have it.
        code: what is wrong with a row that it refuses.
        claim: what it makes true of all rows.
    """

    name: str
    sql: str
    path: str
    code: Code
    claim: Claim

    def says(self, text: str) -> bool:
        """Say whether the text of a table's constraint is this one's.

        Example:
            >>> claim = Claim(("a",), within=(-5, 5))
            >>> one = Constraint("c", "`a` BETWEEN -5 AND 5", "$.a", Code.CAST, claim)
            >>> one.says("`a` BETWEEN - 5 AND 5")
            True
        """
        return _plain(self.sql) == _plain(text)

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "sql": self.sql,
            "path": self.path,
            "code": self.code.value,
        }


@dataclass(frozen=True, slots=True)
class Unenforced:
    """A check that no CHECK can make.

    Args:
        path: the place in a row.
        code: what is wrong with a row that violates it.
        why: why none can.
    """

    path: str
    code: Code
    why: str

    def __str__(self) -> str:
        return f"{self.path} {self.code}: {self.why}"

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {"path": self.path, "code": self.code.value, "why": self.why}


def plan_constraints(plan: EnforcementPlan) -> Iterator[Constraint | Unenforced]:
    """Yield what a table has to have so that no row of it violates the checks of a plan.

    Each constraint is one that :func:`~spark_sig.delta.constraints.check_bounds` understands: what
    it refuses need not be looked for again.  Checks that the table's columns decide already are
    left out.

    Args:
        plan: what is asked of the rows.
    """
    claims = check_claims(plan)
    for at, check in enumerate(plan.checks):
        if check.rung is Rung.ASSUMED:
            yield Unenforced(check.path, check.code, "Delta does not hold rows to what is declared")
        if not check.scanned:
            continue
        asked = claims.get(at, ())
        if not asked:
            yield Unenforced(check.path, check.code, _why(check))
        for claim in asked:
            yield _constraint(check, claim, _type_at(plan.source, claim.place))


def _type_at(source: pa.Schema, place: Place) -> pa.DataType:
    found = source.field(place[0]).type
    for name in place[1:]:
        found = found.field(name).type
    return found


def _constraint(check: Check, claim: Claim, dtype: pa.DataType) -> Constraint | Unenforced:
    if any(_SUBSTITUTED.search(name) for name in claim.place):
        why = "Spark takes a part of its name for a variable"
        return Unenforced(check.path, check.code, why)
    name = column_sql(claim.place)
    if claim.no_null:
        kind, sql = "not_null", f"{name} IS NOT NULL"
        if above := claim.place[:-1]:
            sql = f"{column_sql(above)} IS NULL OR {sql}"
    elif claim.no_nan:
        kind, sql = "not_nan", f"NOT isnan({name})"
    elif claim.within is None or not claim.strict:
        why = "some of the values beyond a range violate it, and others do not"
        return Unenforced(check.path, check.code, why)
    else:
        low, high = (_bound(number, dtype) for number in claim.within)
        kind, sql = "range", f"{name} IS NULL OR {name} BETWEEN {low} AND {high}"
    return Constraint(_name(claim.place, kind), sql, check.path, check.code, claim)


def column_sql(place: Place) -> str:
    """Return a column, or a member of a struct, as SQL names it.

    Example:
        >>> column_sql(("order", "unit.price"))
        '`order`.`unit.price`'
    """
    return ".".join(map(quoted, place))


def _bound(number: int, dtype: pa.DataType) -> str:
    """Write a bound as a literal of the narrowest type that has it; of dates it counts days."""
    if pat.is_date(dtype):
        return f"DATE'{_date(number)}'"
    if -(2**31) <= number < 2**31:
        return str(number)
    return f"{number}L" if abs(number) < 2**63 else f"{number}BD"


def _date(days: int) -> str:
    """Write a date as Spark reads it, of whatever year: Python's own end with 9999."""
    cycles, rest = divmod(days, _CYCLE)
    found = dt.date(1970, 1, 1) + dt.timedelta(rest)
    year = found.year + 400 * cycles
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04}-{found.month:02}-{found.day:02}"


def _name(place: Place, kind: str) -> str:
    """Name a constraint so that people see what it is about, and no two are called the same."""
    shown = re.sub(r"[^a-z0-9]+", "_", "_".join(place).lower()).strip("_")[:40]
    digest = hashlib.sha256(json.dumps([place, kind]).encode()).hexdigest()[:8]
    return f"{PREFIX}{shown}_{kind}_{digest}"


def _why(check: Check) -> str:
    if "[*]" in check.path:
        return "no CHECK reaches into arrays and maps"
    match check.code:
        case Code.SHAPE:
            return "the lengths of arrays are in no statistics"
        case Code.CAST:
            return "no range of values tells which of them have an equal in the target"
        case _:
            return "no statistics prove it"


def _plain(sql: str) -> str:
    return _TOKENS.sub(lambda found: found[1] or "", sql)
