"""CHECK constraints of a Delta table: what they prove of its columns, no data file opened.

A write fails where a constraint is false for a row, and with Spark where it is NULL (Delta's
``CheckDeltaInvariant``), so no part of a conjunction is false for any row of the table.  The text
is parsed by Spark; a part that is not understood proves nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from spark_sig.delta.columns import Column, table_columns, types_of
from spark_sig.delta.log import (
    Snapshot,
    first_line,
    is_classic,
    open_snapshot,
    spark_errors,
    table_metadata,
)
from spark_sig.delta.tables import table_properties
from spark_sig.delta.writers import constraints_were_checked
from spark_sig.errors import SourceError
from spark_sig.stats import Bounds, Place

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PREFIX = "delta.constraints."

# Parsing takes seconds where thousands of parentheses are nested.
_LONGEST, _MOST_PARENTHESES, _MOST_NODES = 10_000, 200, 500


def check_bounds(
    spark: SparkSession,
    configuration: Mapping[str, str],
    types: Mapping[Place, str],
) -> dict[Place, Bounds]:
    """Return what the CHECK constraints of a table prove, for the places of which they do.

    Floating columns get no bounds, and no upper bound proves that there is no NaN: where a
    constraint is added, Spark skips what Parquet's footers rule out, in which other writers leave
    NaN out.  That there is none is proven by ``NOT isnan(x)``, for which nothing is skipped.
    Only IS NOT NULL proves NOT NULL: to some writers (delta-rs 0.22) a constraint that is NULL
    for a row is no violation.  Of a member of a struct it is proven by ``s IS NULL OR s.x IS NOT
    NULL``, as long as Spark wrote all of the rows, which is for the caller to know: others count
    NULLs inside of structs wrongly.

    Args:
        spark: the session; where it has no JVM (Spark Connect) nothing is proven.
        configuration: that of the table's metadata, constraints among others.
        types: all columns and members of structs, structs themselves included, by their logical
            names, with their types as the schema's JSON has them (``"decimal(10,2)"``; any word
            for what is nested).

    Example:
        >>> constraints = {"delta.constraints.positive": "a > 0"}
        >>> check_bounds(spark, constraints, {("a",): "long"})  # doctest: +SKIP
        {('a',): Bounds(not_null=False, low=Decimal('0'), high=None, no_nan=False)}
    """
    texts = [text for key, text in configuration.items() if key.lower().startswith(_PREFIX)]
    if not texts or not is_classic(spark):
        return {}
    columns, found = _Columns(types), dict[Place, Bounds]()
    for text in texts:
        for fact in _facts(spark, text):
            for place, bounds in columns.apply(fact):
                found[place] = _tighter(found.get(place, Bounds()), bounds)
    return {place: bounds for place, bounds in found.items() if bounds != Bounds()}


def table_constraints(spark: SparkSession, snapshot: Snapshot) -> dict[str, str]:
    """Return the CHECK constraints of a table's version, by their names in lower case.

    Args:
        spark: the session; on Spark Connect those of the newest version are found.
        snapshot: the version.

    Raises:
        SourceError: where it cannot be read.
    """
    try:
        properties = table_properties(spark, snapshot)
    except spark_errors() as error:
        raise SourceError(f"{snapshot.path} cannot be read: {first_line(error)}") from error
    return {
        key[len(_PREFIX) :].lower(): text
        for key, text in properties.items()
        if key.lower().startswith(_PREFIX)
    }


def known_bounds(
    spark: SparkSession, snapshot: Snapshot, constraints: Mapping[str, str]
) -> dict[Place, Bounds]:
    """Return what constraints of a table's version prove of all rows that were held to them.

    Args:
        spark: the session.
        snapshot: the version.
        constraints: their texts, by name.
    """
    if not constraints:
        return {}
    columns = table_columns(table_metadata(open_snapshot(spark, snapshot)))
    texts = {_PREFIX + name: text for name, text in constraints.items()}
    return check_bounds(spark, texts, constrained_types(columns))


def constrained_types(columns: Mapping[str, Column]) -> dict[Place, str]:
    """Return the places of which constraints are believed, with their types.

    What may be emptied after rows were held to constraints is left out: the log has the values.

    Args:
        columns: the table's columns, by their logical names.
    """
    emptied = {name for name, column in columns.items() if column.emptied}
    return {place: kind for place, kind in types_of(columns) if place[0] not in emptied}


def prove_all(spark: SparkSession, snapshot: Snapshot) -> bool:
    """Say whether the constraints of a table's version prove anything of its rows.

    Args:
        spark: the session; with Spark Connect they prove nothing.
        snapshot: the version.
    """
    return is_classic(spark) and constraints_were_checked(spark, open_snapshot(spark, snapshot))


def _tighter(one: Bounds, other: Bounds) -> Bounds:
    lows = [bound for bound in (one.low, other.low) if bound is not None]
    highs = [bound for bound in (one.high, other.high) if bound is not None]
    return Bounds(
        one.not_null or other.not_null,
        max(lows, default=None),
        min(highs, default=None),
        one.no_nan or other.no_nan,
    )


# --- numbers -------------------------------------------------------------------------------------

# The digits before the point that Spark gives to integers where they meet decimals, and bits.
_INTEGERS = {"byte": (3, 8), "short": (5, 16), "integer": (10, 32), "long": (20, 64)}
_FLOATS = {"float", "double"}
# A date is the number of its days since 1970, and compared with dates alone.
_DATE = "date"
_DECIMAL = re.compile(r"decimal\((\d+),(-?\d+)\)")


@dataclass(frozen=True, slots=True)
class _Number:
    """A numeric literal, or a date.

    Args:
        value: its value, exact; of a date the days since 1970.
        type: its type, as a schema's JSON would have it.
    """

    value: Decimal
    type: str


def _digits(kind: str) -> tuple[int, int] | None:
    """Return the digits before and after the point that an exact type has."""
    if kind in _INTEGERS:
        return _INTEGERS[kind][0], 0
    if found := _DECIMAL.fullmatch(kind):
        precision, scale = int(found[1]), int(found[2])
        return precision - scale, scale
    return None


def _compares_exactly(column: str, numbers: Sequence[_Number]) -> bool:
    """Say whether Spark compares a column with numbers as arithmetic would.

    It casts both sides to one type, the column too: a long becomes a double or a float where it
    meets one, and a decimal loses digits where 38 do not hold both.
    """
    if _DATE in (column, *(number.type for number in numbers)):
        return {column, *(number.type for number in numbers)} == {_DATE}
    own = _digits(column)
    if own is None:
        return False
    theirs = [_digits(number.type) for number in numbers]
    if None in theirs:
        small = all(
            abs(number.value) < 2**24 and number.value == number.value.to_integral_value()
            for number in numbers
        )
        return small and column in _INTEGERS
    exact = [own, *(digits for digits in theirs if digits is not None)]
    return max(whole for whole, _ in exact) + max(scale for _, scale in exact) <= 38


# --- what a part of a constraint says ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fact:
    """That a column is not NULL, and how it compares with numbers.

    Args:
        names: the column, as the constraint names it.
        not_null: whether the constraint is false for NULL; else it is NULL, or true.
        numbers: what it is compared with.
        low: whether it is not below the least of them.
        high: whether it is not above the greatest of them.
        no_nan: whether the constraint is false for NaN.
    """

    names: Place
    not_null: bool = False
    numbers: tuple[_Number, ...] = ()
    low: bool = False
    high: bool = False
    no_nan: bool = False


class _Columns:
    """The places of a table, found by their names as Delta finds them: in any case."""

    def __init__(self, types: Mapping[Place, str]) -> None:
        self._types = types
        self._spelled: dict[Place, set[Place]] = {}
        for place in types:
            for top in _tops(place):
                self._spelled.setdefault(_folded(top), set()).add(top)

    def apply(self, fact: _Fact) -> Iterator[tuple[Place, Bounds]]:
        """Yield what a fact proves of its place."""
        place = self._find(fact.names)
        if place is None:
            return
        kind = self._types[place]
        if not _compares_exactly(kind, fact.numbers):
            yield place, Bounds(fact.not_null, no_nan=fact.no_nan and kind in _FLOATS)
            return
        values = [number.value for number in fact.numbers]
        low = min(values, default=None) if fact.low else None
        high = max(values, default=None) if fact.high else None
        yield place, Bounds(fact.not_null, low, high)

    def _find(self, names: Place) -> Place | None:
        if any(len(self._spelled.get(_folded(top), ())) != 1 for top in _tops(names)):
            return None
        (place,) = self._spelled[_folded(names)]
        return place if place in self._types else None


def _tops(place: Place) -> list[Place]:
    return [place[:length] for length in range(1, len(place) + 1)]


def _folded(place: Place) -> Place:
    return tuple(name.lower() for name in place)


# --- the constraint's text -----------------------------------------------------------------------

# Whether the left side is not below, and not above, the right one.
_COMPARISONS = {
    "EqualTo": (True, True),
    "GreaterThan": (True, False),
    "GreaterThanOrEqual": (True, False),
    "LessThan": (False, True),
    "LessThanOrEqual": (False, True),
}
_SIGNS = {"Cast", "UnaryMinus", "UnaryPositive"}
_KNOWN = {*_COMPARISONS, *_SIGNS, "And", "Or", "Between", "In", "IsNotNull", "IsNull", "Not"}
# Functions, by what they are called.
_FUNCTIONS = {
    "between": "Between",  # before Spark 4 it is parsed into two comparisons
    "isnan": "IsNaN",
}

# What was something else where rows were held to it: in double quotes stands text or a name, as the
# session has it, in ${} one of its settings, and DATE'today' is another date each day.  It may be
# spelt in escapes or in two literals, after a comment, too: a date is one that is written as such.
_VARYING = re.compile(
    r"""["]|\$\{|/\*|--|\bdate\s*r?'(?![+-]?\d{4,}-\d\d?-\d\d?'(?!\s*r?'))""", re.IGNORECASE
)
# So are numbers with an exponent, which this setting makes decimals.
_EXPONENT = re.compile(r"[\d.]e[+-]?\d", re.IGNORECASE)
_AS_DECIMAL = "spark.sql.legacy.exponentLiteralAsDecimal.enabled"

# No part that is understood is deeper: x IS NULL OR a comparison with - CAST(literal) AND another.
_DEPTH = 5


@dataclass(frozen=True, slots=True)
class _Node:
    """An expression, read as far as it may prove anything.

    Args:
        kind: its class in Spark; "Name" and "Number" for what the next two hold.
        children: those of a class that is known.
        names: the parts of a column's name.
        number: a numeric literal, its sign and exact casts applied.
    """

    kind: str
    children: tuple[_Node, ...] = ()
    names: Place = ()
    number: _Number | None = None


def _facts(spark: SparkSession, text: str) -> Iterator[_Fact]:
    if len(text) > _LONGEST or text.count("(") > _MOST_PARENTHESES or _VARYING.search(text):
        return
    if _EXPONENT.search(text) and _is_set(spark, _AS_DECIMAL):
        return
    try:
        parsed: Any = spark._jsparkSession.sessionState().sqlParser().parseExpression(text)
        if str(parsed.numberedTreeString()).count("\n") > _MOST_NODES:
            return
        nodes = [_read(part, _DEPTH) for part in _conjuncts(parsed)]
    except spark_errors():
        return
    for node in nodes:
        yield from _said(node)


def _is_set(spark: SparkSession, setting: str) -> bool:
    return str(spark.conf.get(setting, "false")).strip().lower() == "true"


def _conjuncts(parsed: Any) -> Iterator[Any]:
    todo = [parsed]
    while todo:
        part = todo.pop()
        if _class(part) == "And":
            todo += _items(part.children())
        else:
            yield part


def _said(node: _Node) -> Iterator[_Fact]:
    match node:
        case _Node("IsNotNull", (_Node("Name", names=names),)):
            yield _Fact(names, not_null=True)
        case _Node("Not", (_Node("IsNull", (_Node("Name", names=names),)),)):
            yield _Fact(names, not_null=True)
        case _Node("Not", (_Node("IsNaN", (_Node("Name", names=names),)),)):
            yield _Fact(names, no_nan=True)
        case _Node("Or", (_Node("IsNull", (_Node("Name", names=names),)), other)) | _Node(
            "Or", (other, _Node("IsNull", (_Node("Name", names=names),)))
        ):
            yield from _where_present(names, other)
        case _Node("In", (_Node("Name", names=names), *listed)):
            yield _Fact(names, numbers=_numbers(listed), low=True, high=True)
        case _Node("Between", (tested, low, high)):
            yield from _between(tested, low, high)
        case _Node(kind, (left, right)) if kind in _COMPARISONS:
            below, above = _COMPARISONS[kind]
            yield from _compared(left, right, low=below, high=above)
            yield from _compared(right, left, low=above, high=below)
        case _:
            return


def _where_present(names: Place, node: _Node) -> Iterator[_Fact]:
    """Yield what holds of a place where it is not NULL, and of its members."""
    if node.kind == "And":
        for part in node.children:
            yield from _where_present(names, part)
        return
    for fact in _said(node):
        if _folded(fact.names) == _folded(names):
            yield replace(fact, not_null=False)
        elif fact.not_null and _folded(fact.names[:-1]) == _folded(names):
            yield fact


def _compared(one: _Node, other: _Node, *, low: bool, high: bool) -> Iterator[_Fact]:
    if one.names:
        yield _Fact(one.names, numbers=_numbers([other]), low=low, high=high)


def _between(tested: _Node, low: _Node, high: _Node) -> Iterator[_Fact]:
    if tested.names:
        yield _Fact(tested.names, numbers=_numbers([low, high]), low=True, high=True)


def _numbers(nodes: Iterable[_Node]) -> tuple[_Number, ...]:
    """Return the numbers that nodes are, none where one is anything else."""
    found = [node.number for node in nodes]
    return () if None in found else tuple(number for number in found if number is not None)


# --- Spark's tree --------------------------------------------------------------------------------


def _read(expression: Any, depth: int) -> _Node:
    kind = _class(expression)
    if kind == "UnresolvedAttribute":
        return _Node("Name", names=tuple(map(str, _items(expression.nameParts()))))
    if kind == "Literal":
        return _Node("Number", number=_literal(expression))
    if kind == "UnresolvedFunction" and len(parts := _items(expression.nameParts())) == 1:
        kind = _FUNCTIONS.get(str(parts[0]).lower(), kind)
    if kind not in (*_KNOWN, *_FUNCTIONS.values()) or not depth:
        return _Node(kind)
    children = tuple(_read(child, depth - 1) for child in _items(expression.children()))
    if kind in _SIGNS and (number := children[0].number):
        return _Node("Number", number=_signed(kind, number, expression))
    return _Node(kind, children)


def _class(expression: Any) -> str:
    return str(expression.getClass().getSimpleName())


def _items(sequence: Any) -> list[Any]:
    return [sequence.apply(at) for at in range(sequence.size())]


def _literal(expression: Any) -> _Number | None:
    kind, value = str(expression.dataType().typeName()), expression.value()
    if value is None:
        return None
    if kind == _DATE:
        return _Number(Decimal(value), kind)
    if kind in _FLOATS:
        return _Number(Decimal(value), kind) if math.isfinite(value) else None
    return None if _digits(kind) is None else _Number(Decimal(str(value)), kind)


def _signed(kind: str, number: _Number, expression: Any) -> _Number | None:
    """Apply a sign or a cast that surely changes nothing else."""
    match kind:
        case "UnaryPositive":
            return number
        case "UnaryMinus":
            return None if number.value < 0 else _Number(number.value.copy_negate(), number.type)
        case _:
            target = str(expression.dataType().typeName())
            if number.type not in _INTEGERS or target not in _INTEGERS:
                return None
            half = 2 ** (_INTEGERS[target][1] - 1)
            return _Number(number.value, target) if -half <= number.value < half else None
