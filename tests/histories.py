"""Delta tables with a history, held against the rows: proofs change no verdict and no count.

What is expected is counted in Python over rows that Spark has read, by no code of the product's.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pyspark.sql import types as T

from spark_sig import (
    Array,
    ColSpec,
    Map,
    ModelSignature,
    Object,
    Policy,
    Property,
    Report,
    Schema,
    validate,
)
from spark_sig.types import ColumnType, DataType
from tests.differential import collected, exact

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A check: place in a row, code.
Key: TypeAlias = "tuple[str, str]"

LOSSLESS = Policy(casts="lossless", examples=3)
NAN = Policy(casts="lossless", nan="reject", examples=3)

# What a column of a type becomes where a test does not say: casts that some values fail.
TARGETS: Mapping[type[T.DataType], str] = {
    T.BooleanType: "boolean",
    T.ByteType: "integer",
    T.ShortType: "long",
    T.IntegerType: "float",
    T.LongType: "integer",
    T.FloatType: "float",
    T.DoubleType: "double",
    T.DecimalType: "long",
    T.StringType: "string",
    T.BinaryType: "binary",
    T.DateType: "datetime",
    T.TimestampType: "datetime",
    T.TimestampNTZType: "datetime",
}


@dataclass(frozen=True)
class Held:
    """A signature, and the policy under which a table is held to it."""

    signature: ModelSignature
    policy: Policy = LOSSLESS


def held(
    schema: T.StructType,
    *,
    optional: Sequence[str] = (),
    targets: Mapping[str, str] | None = None,
    policy: Policy = LOSSLESS,
) -> Held:
    """Return a signature of all columns, each required and cast to something narrow.

    Args:
        schema: the table's.
        optional: columns and members that are not required, as dotted names.
        targets: what columns become, where it is not what ``TARGETS`` says, by dotted name.
    """
    wanted = targets or {}
    columns = [
        ColSpec(_target(f.dataType, f.name, optional, wanted), f.name, f.name not in optional)
        for f in schema.fields
    ]
    return Held(ModelSignature(inputs=Schema(columns)), policy)


def _target(
    dtype: T.DataType, name: str, optional: Sequence[str], wanted: Mapping[str, str]
) -> ColumnType:
    if isinstance(dtype, T.ArrayType):
        return Array(_target(dtype.elementType, f"{name}[]", optional, wanted))
    if isinstance(dtype, T.MapType):
        return Map(_target(dtype.valueType, f"{name}[]", optional, wanted))
    if isinstance(dtype, T.StructType):
        return Object(
            Property(
                f.name,
                _target(f.dataType, f"{name}.{f.name}", optional, wanted),
                f"{name}.{f.name}" not in optional,
            )
            for f in dtype.fields
        )
    return DataType(wanted.get(name, TARGETS[type(dtype)]))


# --- what is done to tables ----------------------------------------------------------------------


@contextmanager
def setting(spark: SparkSession, name: str, value: str) -> Iterator[None]:
    spark.conf.set(name, value)
    try:
        yield
    finally:
        spark.conf.unset(name)


def checkpoint(spark: SparkSession, path: Path) -> None:
    entry: Any = spark._jvm.org.apache.spark.sql.delta.DeltaLog  # type: ignore[union-attr]
    pair = entry.forTableWithSnapshot(spark._jsparkSession, str(path))
    pair._1().checkpoint()


# --- what is wrong with rows ---------------------------------------------------------------------

_RANGES = {DataType.integer: 2**31, DataType.long: 2**63}
_MICROS = 86_400_000_000


@dataclass(frozen=True)
class Count:
    """What the rows of a table amount to under a signature."""

    rows: int
    violating: int
    checks: dict[Key, int]


def count_rows(spark: SparkSession, path: str, version: int | None, one: Held) -> Count:
    """Count in Python what Spark reads, every check of every row."""
    reader = spark.read.format("delta")
    frame = (reader if version is None else reader.option("versionAsOf", version)).load(path)
    types = {field.name: field.dataType for field in frame.schema.fields}
    table = collected(frame)
    found: Counter[Key] = Counter()
    values = {name: exact(table.column(name)) for name in table.column_names}
    violating = 0
    for at in range(table.num_rows):
        wrong: set[Key] = set()
        for spec in one.signature.side("inputs"):
            assert isinstance(spec, ColSpec)
            name = str(spec.name)
            value = values[name][at]
            path_to = f"$.{name}"
            wrong.update(_wrong(types[name], spec.type, bool(spec.required), value, path_to, one))
        found.update(wrong)
        violating += bool(wrong)
    return Count(table.num_rows, violating, dict(found))


def _wrong(
    dtype: T.DataType, target: ColumnType, required: bool, value: Any, path: str, one: Held
) -> Iterator[Key]:
    """Yield what is wrong with a value: a type and what it has to become go hand in hand."""
    if value is None:
        if required:
            yield path, "null"
    elif isinstance(dtype, T.ArrayType) and isinstance(target, Array):
        for item in value:
            yield from _wrong(dtype.elementType, target.dtype, required, item, f"{path}[*]", one)
    elif isinstance(dtype, T.MapType) and isinstance(target, Map):
        for _, item in value:
            yield from _wrong(dtype.valueType, target.value_type, required, item, f"{path}[*]", one)
    elif isinstance(dtype, T.StructType) and isinstance(target, Object):
        members = dict(value)
        for wanted in target.properties:
            inner = dtype[wanted.name].dataType
            at, flag = f"{path}.{wanted.name}", bool(wanted.required)
            yield from _wrong(inner, wanted.dtype, flag, members[wanted.name], at, one)
    else:
        assert isinstance(target, DataType)
        code = _misfit(dtype, target, value, one.policy)
        if code:
            yield path, code


def _misfit(dtype: T.DataType, target: DataType, value: Any, policy: Policy) -> str:
    """Return the code of what is wrong with a scalar that is not NULL; nothing where it fits."""
    if isinstance(dtype, (T.FloatType, T.DoubleType)):
        number = _float(dtype, value[1])
        if math.isnan(number):
            refused = policy.nan == "reject" or target in _RANGES
            return ("cast" if target in _RANGES else "null") if refused else ""
        if target in _RANGES:
            whole = math.isfinite(number) and number.is_integer()
            fits = whole and (number != 0 or math.copysign(1, number) > 0)
            return "" if fits and _in_range(Fraction(number), target) else "cast"
        return "" if target is DataType.double or _single(number) == number else "cast"
    if isinstance(dtype, T.DateType):
        return "" if -(2**63) <= value[1] * _MICROS < 2**63 else "cast"
    if isinstance(dtype, T.DecimalType) or (isinstance(value, int) and not isinstance(value, bool)):
        number = Fraction(value)
        if target in _RANGES:
            return "" if number.denominator == 1 and _in_range(number, target) else "cast"
        nearest = float(Decimal(value))
        nearest = nearest if target is DataType.double else _single(nearest)
        return "" if Fraction(nearest) == number else "cast"
    return ""


def _in_range(number: Fraction, target: DataType) -> bool:
    return -_RANGES[target] <= number < _RANGES[target]


def _float(dtype: T.DataType, bits: int) -> float:
    wide, narrow = ("<i", "<f") if isinstance(dtype, T.FloatType) else ("<q", "<d")
    return float(struct.unpack(narrow, struct.pack(wide, bits))[0])


def _single(number: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return math.inf


# --- the comparison ------------------------------------------------------------------------------


def violated(report: Report) -> dict[Key, int | None]:
    """Return the checks that are violated, and by how many rows."""
    return {(c.path, c.code.value): c.count for c in report.checks if c.violated}


def deciders(report: Report) -> dict[str, dict[str, int]]:
    """Return for each check, as its path and code, the rungs and how many files each decided."""
    return {
        f"{check.path} {check.code.value}": {
            part.rung.value: part.files or 0 for part in check.decided
        }
        for check in report.checks
    }


def compare(
    spark: SparkSession,
    path: str | Path,
    one: Held | None = None,
    *,
    version: int | None = None,
    row_key: Sequence[str] = ("id",),
    ledger: Path | None = None,
) -> Report:
    """Hold a table to a signature with and without proofs, and both to what the rows hold.

    Args:
        path: a Delta table.
        one: what it is held to; :func:`held` of its schema where None.
        version: the version; the newest where None.
        row_key: columns that name a row.
        ledger: one that a third run asks, and tells; none where None.

    Returns:
        The report that proofs had a part in, never one that ended before the rows were counted.
    """
    table = str(path)
    if one is None:
        reader = spark.read.format("delta")
        reader = reader if version is None else reader.option("versionAsOf", version)
        one = held(reader.load(table).schema)
    expected = count_rows(spark, table, version, one)
    report, plain, short = (
        validate(
            table,
            one.signature,
            policy=one.policy,
            version=version,
            row_key=row_key,
            stats=stats,
            fail_fast=fast,
        )
        for stats, fast in ((True, False), (False, False), (True, True))
    )
    for found in (report, plain):
        assert violated(found) == expected.checks
        assert (found.rows.total, found.rows.violating) == (expected.rows, expected.violating)
        assert found.complete
        assert found.conforms is not bool(expected.checks)
    _same(report, plain)
    if short.unread:
        refuted = {check for check, count in violated(short).items() if count is None}
        assert refuted <= expected.checks.keys()
        assert not short.conforms
        assert short.evidence.files_read == 0
    else:
        _same(short, report)
    _adds_up(report)
    if ledger is not None:
        asked = {"policy": one.policy, "version": version, "row_key": row_key, "ledger": ledger}
        remembered = validate(table, one.signature, **asked)
        _same(remembered, plain)
        _adds_up(remembered)
        return remembered
    return report


def _same(one: Report, other: Report) -> None:
    """Hold reports equal, part by part: the first that differs is told."""
    for field in fields(Report):
        if field.compare:
            assert getattr(one, field.name) == getattr(other, field.name), field.name
    assert one == other


def _adds_up(report: Report) -> None:
    """Every check is decided for every row and file, once."""
    for check in report.checks:
        assert sum(part.rows for part in check.decided) == report.rows.total, check
        assert sum(part.files or 0 for part in check.decided) == report.source.files, check
    everything = all(check.proven == 1.0 for check in report.checks)
    if not report.evidence.files_read:
        assert everything


def refuted(path: str | Path, one: Held, version: int | None = None) -> set[Key]:
    """Return the checks that the log alone refutes."""
    report = validate(str(path), one.signature, policy=one.policy, version=version, fail_fast=True)
    return {check for check, count in violated(report).items() if count is None}
