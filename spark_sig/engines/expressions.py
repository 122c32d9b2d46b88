"""Expressions: what Catalyst evaluates to check and cast the fields of a plan, as SQL text.

Everything is text, as thousands of columns built one by one over py4j take seconds.  The text
means the same under any conf of the session: literals hold no quote, backslash or ``${`` (other
characters stand in hexadecimal), casts are guarded or ``try_cast``, and no session time zone
takes part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.casts import DAYS, RANGES, SIGNIFICAND, Cast, Failure, Kind, kind_of
from spark_sig.errors import ROW_ERROR, Violation, assert_never
from spark_sig.naming import is_list
from spark_sig.plan import (
    Anything,
    Check,
    EnforcementPlan,
    FieldPlan,
    Leaf,
    ListOf,
    MapOf,
    Node,
    Nulls,
    Rung,
    StructOf,
    TensorOf,
    VectorOf,
    is_identity,
)
from spark_sig.sqltext import literal, quoted

# Characters of a condition beyond which Spark must not fuse it with the scan: the JVM does not
# compile methods of more than 8,000 bytes, whole-stage code is one method, and a character makes
# three or four bytes (with the messages, of row mode, up to ten).  Interpreted, 16 checked casts
# took 25 times the scan; in methods of their own, which Spark splits, as long as the scan.
FUSED = 600

TAGS_TYPE = "ARRAY<STRUCT<path: STRING, code: STRING, expected: STRING, observed: STRING>>"


@dataclass(frozen=True, slots=True)
class Expressions:
    """SQL text over the columns of a source.

    Args:
        values: for each field its output, NULL where a check failed.
        conforming: the same where the row conforms, and cheaper; elsewhere it may be anything,
            but never an error.
        violates: boolean, never NULL: whether the row violates any live check; None where it
            cannot.
        details: ``array<struct<check:int, observed:string>>`` in the order of the checks' ids;
            costly, so only to be evaluated where ``violates``.  None where that is.
        message: string: the text of the error for the first violation; NULL where there is none.
            None where ``violates`` is.
        tags: ``array<struct<path, code, expected, observed>>``, never NULL, empty where the row
            conforms.
    """

    values: tuple[str, ...]
    conforming: tuple[str, ...]
    violates: str | None
    details: str | None
    message: str | None
    tags: str

    @property
    def fused(self) -> bool:
        """Whether Spark may fuse the checks with the scan into one method."""
        return self.violates is None or len(self.violates) <= FUSED


def compile_expressions(
    plan: EnforcementPlan,
    fields: Sequence[FieldPlan] | None = None,
    *,
    columns: Sequence[str] | None = None,
) -> Expressions:
    """Write a plan as SQL text.

    Args:
        plan: what the rows are held to.
        fields: the fields to write, none of them of the arrow rung; all where None.
        columns: SQL that refers to each column of the source, in the plan's order; their quoted
            names where None.  Quoted names can be ambiguous (names that differ in case only,
            a DataFrame's alias that is a column's name too): a DataFrame renamed by
            ``toDF("c0", "c1", …)`` and ``columns=("c0", "c1", …)`` is not.

    Raises:
        ValueError: where a field needs the arrow rung.

    Example:
        >>> from spark_sig.planner import plan_enforcement
        >>> from spark_sig.schema import ColSpec, Schema
        >>> source = pa.schema([("a", pa.int32())])
        >>> found = compile_expressions(plan_enforcement(source, Schema([ColSpec("long", "a")])))
        >>> found.values, found.violates
        (('CAST(`a` AS BIGINT)',), 'coalesce((`a` IS NULL), false)')
    """
    fields = plan.fields if fields is None else fields
    columns = [quoted(name) for name in plan.source.names] if columns is None else columns
    inputs = ["NULL" if f.source is None else columns[f.source] for f in fields]
    for field in fields:
        if field.rung is Rung.ARROW:
            raise ValueError(f"Catalyst cannot decide {field.path}")
    tests = sorted(
        (t for f, x in zip(fields, inputs, strict=True) for t in _tests(f.node, x, plan.checks)),
        key=lambda test: test.check,
    )
    pairs = [(f.node, x) for f, x in zip(fields, inputs, strict=True)]
    values = tuple(_value(node, x, plan.checks) for node, x in pairs)
    conforming = tuple(_value(node, x, None) for node, x in pairs)
    if not tests:
        return Expressions(values, conforming, None, None, None, f"CAST(array() AS {TAGS_TYPE})")
    violates = f"coalesce({_any(test.fails for test in tests)}, false)"
    if len(violates) > FUSED:
        # Always true, and asked of violating rows only: whole-stage code has no place for lambdas.
        anchor = next(
            x for field, x in zip(fields, inputs, strict=True) if field.source is not None
        )
        violates = f"({violates} AND forall(array({anchor}), x -> true))"
    return Expressions(
        values,
        conforming,
        violates,
        _details(tests),
        _message(tests, plan.checks),
        f"CASE WHEN {violates} THEN {_tags(tests, plan.checks)} "
        f"ELSE CAST(array() AS {TAGS_TYPE}) END",
    )


# --- text ----------------------------------------------------------------------------------------


def member_sql(parent: str, name: str) -> str:
    """Write a member of a struct."""
    # Spark can be told to read a backquoted name as a regular expression, but never a literal.
    unsafe = "'" in name or "\\" in name or "${" in name
    return f"{parent}.{quoted(name)}" if unsafe else f"{parent}['{name}']"


def _any(conditions: Iterable[str]) -> str:
    return " OR ".join(f"({condition})" for condition in conditions)


_SQL_TYPES: dict[Kind, str] = {
    Kind.BOOL: "BOOLEAN",
    Kind.INT8: "TINYINT",
    Kind.INT16: "SMALLINT",
    Kind.INT32: "INT",
    Kind.INT64: "BIGINT",
    Kind.FLOAT32: "FLOAT",
    Kind.FLOAT64: "DOUBLE",
    Kind.STRING: "STRING",
    Kind.BINARY: "BINARY",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMP_NTZ: "TIMESTAMP_NTZ",
    Kind.NULL: "VOID",
}


def null_of(dtype: pa.DataType) -> str:
    """Write a NULL of an Arrow type that a signature compiles to, nullable throughout.

    Built of values, so that the members of a struct can have any name.

    Example:
        >>> null_of(pa.list_(pa.int64()))
        'CASE WHEN false THEN array(CAST(NULL AS BIGINT)) END'
    """
    kind = kind_of(dtype)
    if kind in _SQL_TYPES:
        return f"CAST(NULL AS {_SQL_TYPES[kind]})"
    if is_list(dtype):
        example = f"array({null_of(dtype.value_type)})"
    elif pat.is_map(dtype):
        example = f"map('', {null_of(dtype.item_type)})"
    elif pat.is_struct(dtype):
        inside = (dtype.field(i) for i in range(dtype.num_fields))
        members = ", ".join(f"{literal(m.name)}, {null_of(m.type)}" for m in inside)
        example = f"named_struct({members})"
    else:
        raise ValueError(f"no signature compiles to {dtype}")
    return f"CASE WHEN false THEN {example} END"


# --- checks --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Test:
    """One check as SQL.

    Args:
        check: its id.
        classes: conditions and what is observed where one holds, in the order in which they are
            tried; a condition counts only where those before it do not hold, and NULL is no.
        fails: one condition for all of them.
    """

    check: int
    classes: tuple[tuple[str, str], ...]
    fails: str


def _tests(
    node: Node, x: str, checks: Sequence[Check], parent: str | None = None
) -> Iterator[_Test]:
    """Yield the live checks of a node on the value ``x``, inside ``parent`` where that is set."""

    def live(check: int | None) -> bool:
        return check is not None and checks[check].live

    x = _read(node, x)
    missing = f"{x} IS NULL" if parent is None else f"{parent} IS NOT NULL AND {x} IS NULL"
    match node:
        case Leaf():
            classes: dict[int, list[tuple[str, str]]] = {}
            if node.null is not None and live(node.null):
                classes.setdefault(node.null, []).append((missing, "null"))
            if node.nan is not None and live(node.nan):
                classes.setdefault(node.nan, []).append((f"isnan({x})", "NaN"))
            for check, found in classes.items():
                yield _Test(check, tuple(found), " OR ".join(condition for condition, _ in found))
            # No class where every value fits, as those of decimal(9,0) do in an integer.
            failures = _failures(node, x) if live(node.failure) else ()
            if node.failure is not None and failures:
                yield _Test(node.failure, failures, _fails(node, x))
        case StructOf():
            if node.null is not None and live(node.null):
                yield _Test(node.null, ((missing, "null"),), missing)
            for member in node.members:
                if member.source is not None:
                    inside = member_sql(x, node.source.field(member.source).name)
                    yield from _tests(member.node, inside, checks, x)
        case Anything() | Nulls() | ListOf() | MapOf() | VectorOf() | TensorOf():
            # Elements: what is left to Catalyst here are checks that Spark folds away.
            if node.null is not None and live(node.null):
                yield _Test(node.null, ((missing, "null"),), missing)
        case _:
            assert_never(node)


def _read(node: Node, x: str) -> str:
    """Return the value that counts: NULL for a NaN that stands for it."""
    if isinstance(node, Leaf) and node.nan_to_null:
        return f"nanvl({x}, CAST(NULL AS {_SQL_TYPES[node.kind]}))"
    return x


def _failures(node: Leaf, x: str) -> tuple[tuple[str, str], ...]:
    """Return the classes of values that a checked cast turns away, as the kernels try them."""
    return tuple((condition, failure.of(node.kind)) for failure, condition in _classes(node, x))


def _classes(node: Leaf, x: str) -> Iterator[tuple[Failure, str]]:
    kind, target = node.kind, node.target
    if kind in SIGNIFICAND and target in RANGES:
        wide = _double(kind, x)
        yield Failure.NAN, f"isnan({x})"
        yield Failure.INFINITE, f"abs({wide}) = CAST('Infinity' AS DOUBLE)"
        yield Failure.NON_INTEGRAL, f"rint({wide}) <> {wide}"
        yield Failure.NEGATIVE_ZERO, _negative_zero(wide)
        yield Failure.OUT_OF_RANGE, _outside_double(wide, target)
    elif kind is Kind.DECIMAL and target in RANGES:
        if node.source.scale > 0:
            # As a double, as decimals that share no 38 digits are rounded to compare them.
            yield Failure.NON_INTEGRAL, f"CAST({x} % 1BD AS DOUBLE) <> 0D"
        # Beyond 38 digits a comparison would round or overflow; narrower ones are in range.
        low, high = RANGES[target]
        digits = node.source.precision - node.source.scale
        if digits >= len(str(high)):
            yield Failure.OUT_OF_RANGE, f"{x} < {low}BD OR {x} > {high}BD"
        elif low == 0:
            yield Failure.OUT_OF_RANGE, f"{x} < 0BD"
    elif kind in RANGES and target in RANGES:
        low, high = RANGES[target]
        yield Failure.OUT_OF_RANGE, f"{x} < {low}L OR {x} > {high}L"
    elif kind is Kind.DATE:
        yield Failure.OUT_OF_RANGE, f"unix_date({x}) NOT BETWEEN -{DAYS} AND {DAYS}"
    elif target in SIGNIFICAND:
        yield Failure.INEXACT, _inexact(kind, target, x)


def _fails(node: Leaf, x: str) -> str:
    """Return one condition for all classes of failures; NaN is greater than any number."""
    if node.kind in SIGNIFICAND and node.target in RANGES:
        wide = _double(node.kind, x)
        outside = _outside_double(wide, node.target)
        return f"rint({wide}) <> {wide} OR {outside} OR {_negative_zero(wide)}"
    return " OR ".join(condition for _, condition in _classes(node, x)) or "false"


def _double(kind: Kind, x: str) -> str:
    return x if kind is Kind.FLOAT64 else f"CAST({x} AS DOUBLE)"


def _negative_zero(wide: str) -> str:
    # Spark's -0.0 equals 0.0, in hashes too.  A range rather than `= 0`: that would let the
    # optimiser put the literal 0.0 in place of the column.
    return f"({wide} > -1D AND {wide} < 1D AND CAST({wide} AS STRING) = '-0.0')"


def _outside_double(wide: str, target: Kind) -> str:
    low, high = RANGES[target]
    # One above the range is a power of two, and so a double, where its end is not.
    return f"{wide} < {low}D OR {wide} >= {high + 1}D"


def _inexact(kind: Kind, target: Kind, x: str) -> str:
    if target is Kind.FLOAT16:
        # 11 bits of significand (Veltkamp's splitting of a double at bit 42 rounds to them),
        # in steps of 2**-24 (the least subnormal), up to 65504.
        wide = _double(kind, x)
        split = f"{wide} * 4398046511105D"
        return (
            f"abs({wide}) < CAST('Infinity' AS DOUBLE) AND (abs({wide}) > 65504D"
            f" OR rint({wide} * 16777216D) <> {wide} * 16777216D"
            f" OR {split} - ({split} - {wide}) <> {wide})"
        )
    narrow = f"CAST({x} AS {_SQL_TYPES[target]})"
    if kind in SIGNIFICAND:
        return f"CAST({narrow} AS DOUBLE) <> {x}"
    back = f"try_cast({narrow} AS BIGINT) <> {x}"
    # The way back stops at the greatest long, so that 2**63 looks like 2**63 - 1.
    top = f"{narrow} >= 9223372036854775808D"
    return f"{back} OR {top}" if kind is Kind.INT64 else back


# --- values --------------------------------------------------------------------------------------


def _value(node: Node, x: str, checks: Sequence[Check] | None) -> str:
    """Write what comes out for the value ``x``: NULL where a check fails, given the checks."""
    match node:
        case Leaf():
            x = _read(node, x)
            value = _converted(node, x)
            failing = []
            if checks is not None:
                if node.nan is not None and checks[node.nan].live:
                    failing.append(f"isnan({x})")
                # A date out of range becomes NULL anyway.
                guarded = node.kind is Kind.DATE
                if node.failure is not None and checks[node.failure].live and not guarded:
                    failing.append(_fails(node, x))
            return f"CASE WHEN NOT ({_any(failing)}) THEN {value} END" if failing else value
        case StructOf():
            if is_identity(node) and (checks is None or not _nulls_values(node, checks)):
                return x
            members = ", ".join(
                f"{literal(member.name)}, {_value(member.node, inside, checks)}"
                for member in node.members
                for inside in [
                    "NULL"
                    if member.source is None
                    else member_sql(x, node.source.field(member.source).name)
                ]
            )
            return f"CASE WHEN {x} IS NOT NULL THEN named_struct({members}) END"
        case Nulls():
            return x if is_identity(node) else null_of(node.output)
        case Anything() | ListOf() | MapOf() | VectorOf() | TensorOf():
            if not is_identity(node):
                raise ValueError(f"Catalyst cannot cast {node.source} to {node.output}")
            return x
        case _:
            assert_never(node)


def _nulls_values(node: Node, checks: Sequence[Check]) -> bool:
    """Say whether a failing check makes a NULL of a value somewhere in a node."""
    match node:
        case Leaf():
            return any(c is not None and checks[c].live for c in (node.nan, node.failure))
        case StructOf():
            return any(_nulls_values(member.node, checks) for member in node.members)
        case Anything() | Nulls() | ListOf() | MapOf() | VectorOf() | TensorOf():
            return False
        case _:
            assert_never(node)


def _converted(node: Leaf, x: str) -> str:
    """Write a leaf's value in its output type: never an error, whatever the value."""
    if is_identity(node):
        return x
    if node.kind is Kind.DATE:
        ntz = node.target is Kind.TIMESTAMP_NTZ
        midnight = f"CAST({x} AS TIMESTAMP_NTZ)" if ntz else _utc(node.kind, x)
        return f"CASE WHEN unix_date({x}) BETWEEN -{DAYS} AND {DAYS} THEN {midnight} END"
    if node.target is Kind.TIMESTAMP:
        return _utc(node.kind, x)
    if node.cast is Cast.WIDEN or node.target in SIGNIFICAND:
        return f"CAST({x} AS {_SQL_TYPES[node.target]})"
    return f"try_cast({x} AS {_SQL_TYPES[node.target]})"


def _utc(kind: Kind, x: str) -> str:
    """Read a date or a timestamp without a zone as UTC; a cast would use the session's zone."""
    if kind is Kind.DATE:
        return f"timestamp_micros(unix_date({x}) * 86400000000L)"
    # In decimal seconds: in integer microseconds the first day that a timestamp reaches overflows.
    return (
        f"timestamp_seconds(unix_date(CAST({x} AS DATE)) * 86400L + hour({x}) * 3600"
        f" + minute({x}) * 60 + extract(SECOND FROM {x}))"
    )


# --- what is said of a row -----------------------------------------------------------------------


def _cases(test: _Test, texts: Iterable[str]) -> str:
    return " ".join(
        f"WHEN {condition} THEN {literal(text)}"
        for (condition, _), text in zip(test.classes, texts, strict=True)
    )


def _details(tests: Sequence[_Test]) -> str:
    found = ", ".join(
        f"struct({test.check} AS `check`, CASE {_cases(test, (o for _, o in test.classes))} END"
        " AS observed)"
        for test in tests
    )
    return f"filter(array({found}), d -> d.observed IS NOT NULL)"


def _tags(tests: Sequence[_Test], checks: Sequence[Check]) -> str:
    found = []
    for test in tests:
        check = checks[test.check]
        found.append(
            f"struct({literal(check.path)} AS path, {literal(check.code.value)} AS code, "
            f"{literal(check.expected)} AS expected, "
            f"CASE {_cases(test, (o for _, o in test.classes))} END AS observed)"
        )
    return f"filter(array({', '.join(found)}), d -> d.observed IS NOT NULL)"


def _message(tests: Sequence[_Test], checks: Sequence[Check]) -> str:
    cases = []
    for test in tests:
        check = checks[test.check]
        texts = (
            ROW_ERROR + str(Violation(check.path, check.code, check.expected, observed))
            for _, observed in test.classes
        )
        cases.append(_cases(test, texts))
    return f"CASE {' '.join(cases)} END"
