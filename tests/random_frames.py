"""Random schemas, policies and sources that nearly fit, all from one seed.

Hypothesis draws the seed: a frame of hundreds of edge values costs one action on Spark, so that it
pays to put many cases into each, and shrinking one would take minutes.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_sig.errors import assert_never
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.types import (
    AnyType,
    Array,
    ColumnType,
    DataType,
    Map,
    Object,
    Property,
    SparkMLVector,
)


def _integers(bits: int) -> list[int]:
    top = 2 ** (bits - 1)
    edges = {0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32769, 2**24, 2**24 + 1, -(2**24) - 1}
    edges |= {2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53, 2**53 + 1, 2**62 + 2**9}
    edges |= {2**25 + 2, 2**54 + 2, top - 1, top - 2, -top, 1 - top, top - 512, top - 1024}
    return sorted(value for value in edges if -top <= value < top)


_FLOATS = [
    *(0.0, -0.0, 1.0, 1.5, -0.5, 3.0, 127.0, 2.0**24 + 2, 2.0**31, 2.0**31 - 128, -(2.0**31)),
    *(-(2.0**31) - 256, 2.0**53, 2.0**63, -(2.0**63), 2.0**63 - 2.0**39, 65504.0, 65520.0),
    *(2.0**-24, 2.0**-25, 2.0**-149, -(2.0**-149), 3.4028234663852886e38, math.inf, -math.inf),
    math.nan,
]
_DOUBLES = [
    *_FLOATS,
    *(0.1, 2.0**24 + 1, 2147483647.5, -2147483648.5, 2.0**31 - 1, 2.0**53 + 2, 2.0**63 - 1024),
    *(1e300, -1e300, 5e-324, 1.7976931348623157e308, 3.402823669209385e38, 2.0**-150, 1e-40),
]
_DIGITS = [
    *("0", "1", "-1", "0.5", "0.1", "2147483647", "2147483648", "9223372036854775807", "16777217"),
    *("9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1.25", "-0.5"),
    *("18446744073709551615", "18446744073709551616", "9007199254740993", "1e-18", "1e-38"),
]
STRINGS = [
    *("1", "+1", "-0", "0", "1.0", "1.5", "1e3", "1E-3", " 1", "1 ", "", "NaN", "inf", "0.1"),
    *("1e400", "1e-400", "9223372036854775807", "9223372036854775808", "2147483648", "١", "1."),
    *(".5", "0x1", "1_0", "\n1", "1\n", "1" * 400, "16777217", "9007199254740993", "-0.0", "1d"),
    *("true", "+", "e5", "１", "it's", "a\\b", "${x}", "\u0000", "列"),
]
_DAY = 86_400_000_000
_INSTANTS = [
    *(0, 1, -1, 999_999, -1_500_000, 59_999_999, _DAY - 1, -_DAY, 2**60, -(2**60)),
    *(-62_135_596_800_000_000, 253_402_300_799_999_999, 2**63 - 1, -(2**63)),
]


def _decimals(precision: int, scale: int) -> list[Decimal]:
    edge = Decimal(10) ** (precision - scale)
    fits = [Decimal(text) for text in _DIGITS]
    fits = [v for v in fits if abs(v) < edge and -v.as_tuple().exponent <= scale]  # type: ignore[operator]
    nines = Decimal("9" * (precision - scale) + "." + "9" * scale)
    return [*fits, nines, nines.copy_negate()]


# What Spark stores, with the edges of each: (type, values, a value that fits every number).
SOURCES: dict[str, tuple[pa.DataType, list[Any], Any]] = {
    "boolean": (pa.bool_(), [True, False], True),
    "tinyint": (pa.int8(), _integers(8), 1),
    "smallint": (pa.int16(), _integers(16), 1),
    "int": (pa.int32(), _integers(32), 1),
    "bigint": (pa.int64(), _integers(64), 1),
    "float": (pa.float32(), _FLOATS, 1.0),
    "double": (pa.float64(), _DOUBLES, 1.0),
    **{
        f"decimal_{p}_{s}": (pa.decimal128(p, s), _decimals(p, s), Decimal(int(p > s)))
        for p, s in [(9, 0), (10, 2), (18, 18), (19, 0), (20, 0), (38, 0), (38, 10), (38, 37)]
    },
    "decimal_38_38": (pa.decimal128(38, 38), _decimals(38, 38), Decimal(0)),
    "string": (pa.string(), STRINGS, "1"),
    "binary": (pa.binary(), [b"", b"\0", b"1", b"\xff"], b"1"),
    "date": (pa.date32(), [0, 1, -1, -719_162, 2_932_896, -141_428, -141_427], 0),
    "timestamp": (pa.timestamp("us", "UTC"), _INSTANTS, 0),
    "timestamp_ntz": (pa.timestamp("us"), _INSTANTS, 0),
}
_EDGES = {str(dtype): (values, good) for dtype, values, good in SOURCES.values()}

# Sources that a scalar type accepts, under the policy that accepts most.
_INTO: dict[DataType, tuple[str, ...]] = {
    DataType.boolean: ("boolean",),
    DataType.integer: ("tinyint", "smallint", "int"),
    DataType.long: ("tinyint", "smallint", "int", "bigint"),
    DataType.float: ("float",),
    DataType.double: ("tinyint", "smallint", "int", "float", "double"),
    DataType.string: ("string",),
    DataType.binary: ("binary",),
    DataType.datetime: ("date", "timestamp", "timestamp_ntz"),
}
_SAME = {
    DataType.integer: ("int",),
    DataType.long: ("bigint",),
    DataType.double: ("double",),
    DataType.datetime: ("timestamp", "timestamp_ntz"),
}
_NUMBERS = tuple(
    name
    for name in SOURCES
    if name not in ("boolean", "binary", "date", "timestamp", "timestamp_ntz")
)
_FUSED = tuple(name for name in _NUMBERS if name != "string")
_NAMES = ["a.b", "it's", "`q`", 'say "x"', "x y", "select", "Grün", "a\\b", "${c}", "0", "A"]

# What carries the elements of a tensor in Spark.
CARRIED: dict[str, tuple[pa.DataType, ...]] = {
    "bool": (pa.bool_(),),
    "int8": (pa.int8(),),
    "int32": (pa.int32(),),
    "int64": (pa.int64(),),
    "uint8": (pa.int16(), pa.int32(), pa.int64()),
    "uint16": (pa.int32(), pa.int64()),
    "uint32": (pa.int64(),),
    "uint64": (pa.decimal128(20, 0), pa.decimal128(38, 0), pa.decimal128(9, 0)),
    "float16": (pa.float32(),),
    "float32": (pa.float32(),),
    "float64": (pa.float64(),),
    "str": (pa.string(),),
    "bytes": (pa.binary(),),
    "datetime64[us]": (pa.timestamp("us"),),
}


@dataclass(frozen=True)
class Drawn:
    """A source and what it is held to."""

    seed: int
    table: pa.Table
    schema: Schema
    policy: Policy


class Draw(random.Random):
    """Choices of one seed.

    Args:
        seed: the seed.
        fused: whether to keep to what Catalyst decides.
        trouble: how likely a value is not to fit.
    """

    fused: bool
    trouble: float

    def chance(self, share: float) -> bool:
        return self.random() < share

    def policy(self) -> Policy:
        """Draw a policy; values are shown by the arrow rung alone, so seldom."""
        return Policy(
            casts=self.choice(["safe", "lossless", "lossless", "exact"]),
            nulls=self.choice(["reject", "allow"]),
            nan=self.choice(["allow", "reject"]),
            case=self.choice(["sensitive", "sensitive", "insensitive"]),
            extra=self.choice(["drop", "keep", "forbid"]),
            fill_missing=self.chance(0.7),
            datetime=self.choice(["source", "timestamp"]),
            examples=self.choice([0, 1, 5]),
            show_values=not self.fused and self.chance(0.2),
        )

    def flag(self) -> bool | None:
        return self.choice([True, True, False, None])

    # --- columns ----------------------------------------------------------------------------------

    def column_type(self, depth: int = 2) -> ColumnType:
        roll = self.random()
        if depth == 0 or roll < 0.45:
            return self.choice(list(DataType))
        if roll < 0.55:
            return AnyType()
        if roll < 0.8 or self.fused:
            names = self.sample(["p", "q", "r", *_NAMES[:8]], self.randint(1, 4))
            return Object(
                [Property(n, self.column_type(depth - 1), self.flag()) for n in sorted(names)]
            )
        if roll < 0.9:
            return Array(self.column_type(depth - 1))
        return self.choice([Map(self.column_type(depth - 1)), SparkMLVector()])

    def source_type(self, target: ColumnType, policy: Policy) -> pa.DataType:
        """Draw a type that the policy accepts for a target."""
        match target:
            case DataType():
                return SOURCES[self.choice(self._sources(target, policy))][0]
            case AnyType():
                return self.choice([*(s[0] for s in SOURCES.values()), pa.list_(pa.int32())])
            case Array():
                return pa.list_(self.field("element", target.dtype, policy))
            case Map():
                return pa.map_(pa.string(), self.field("value", target.value_type, policy))
            case SparkMLVector():
                return pa.list_(pa.field("element", pa.float64()))
            case Object():
                kept = [p for p in target.properties if p.required or self.chance(0.8)]
                self.shuffle(kept)
                members = [self.field(self.renamed(p.name, policy), p.dtype, policy) for p in kept]
                # No struct without members: Spark has none in Arrow.
                return pa.struct(members) if members else self.source_type(target, policy)
            case _:
                assert_never(target)

    def _sources(self, target: DataType, policy: Policy) -> tuple[str, ...]:
        if policy.casts == "exact":
            return _SAME.get(target, _INTO[target][-1:])
        if policy.casts == "safe" or target not in (
            DataType.integer,
            DataType.long,
            DataType.float,
            DataType.double,
        ):
            return _INTO[target]
        if not self.fused:
            return _NUMBERS
        whole = target in (DataType.integer, DataType.long)
        return tuple(name for name in _FUSED if whole or not name.startswith("decimal"))

    def field(self, name: str, target: ColumnType, policy: Policy) -> pa.Field:
        """Draw a field, now and then one that claims to hold no NULL."""
        return pa.field(name, self.source_type(target, policy), self.chance(0.85))

    def renamed(self, name: str, policy: Policy) -> str:
        if policy.case == "insensitive" and self.chance(0.4):
            return name.swapcase()
        return name

    def value(self, field: pa.Field, target: ColumnType, may_null: bool, good: bool) -> Any:
        """Draw a value of a field.

        Args:
            field: what stores it.
            target: what it has to be.
            may_null: whether a NULL is no violation.
            good: whether it has to fit.
        """
        bad = not good and self.chance(0.5)
        if field.nullable and ((may_null and self.chance(0.15)) or (bad and self.chance(0.4))):
            return None
        dtype = field.type
        good = good and not bad
        if pat.is_struct(dtype):
            return self._record(dtype, target, good)
        if pat.is_list(dtype) or pat.is_map(dtype):
            inner: ColumnType = AnyType()
            if isinstance(target, (Array, Map)):
                inner = target.dtype if isinstance(target, Array) else target.value_type
            if isinstance(target, SparkMLVector):
                inner, may_null = DataType.double, False
            item = dtype.item_field if pat.is_map(dtype) else dtype.value_field
            size = self.choice([0, 1, 2, 5])
            items = [self.value(item, inner, may_null, good) for _ in range(size)]
            return [(f"k{i}", v) for i, v in enumerate(items)] if pat.is_map(dtype) else items
        return self.scalar(dtype, target, good)

    def _record(self, dtype: pa.StructType, target: ColumnType, good: bool) -> Any:
        inside = [dtype.field(i) for i in range(dtype.num_fields)]
        record = {}
        for member in inside:
            wanted = None
            if isinstance(target, Object):
                wanted = next(
                    (p for p in target.properties if p.name == member.name),
                    next(
                        (p for p in target.properties if p.name.lower() == member.name.lower()),
                        None,
                    ),
                )
            kind = AnyType() if wanted is None else wanted.dtype
            optional = wanted is None or not wanted.required
            record[member.name] = self.value(member, kind, optional, good)
        return record

    def scalar(self, dtype: pa.DataType, target: ColumnType, good: bool) -> Any:
        """Draw a scalar: one that fits every number, or any edge."""
        edges, fits = _EDGES[str(dtype)]
        if good:
            native = isinstance(target, DataType) and str(dtype) == _PLAIN.get(target)
            if native:
                return self.choice([v for v in edges if v == v])
            return fits
        return self.choice(edges)

    # --- tensors ----------------------------------------------------------------------------------

    def tensor(self, name: str, policy: Policy) -> tuple[TensorSpec, pa.Field]:
        """Draw a tensor and the column that carries it."""
        dtype = self.choice(list(CARRIED))
        dims: tuple[int, ...] = ()
        if not self.fused:
            dims = self.choice([(), (2,), (-1,), (2, 3), (-1, 2), (2, -1), (-1, -1), (1, 2, 2)])
        stored = self.choice(CARRIED[dtype])
        may_be_flat = dims.count(-1) < 2
        depth = len(dims)
        if may_be_flat and self.chance(0.3):
            depth = min(1, len(dims))
        kind = stored
        for _ in range(depth):
            kind = pa.list_(pa.field("element", kind, self.chance(0.85)))
        spec = TensorSpec(np.dtype(dtype), (-1, *dims), name)
        return spec, pa.field(self.renamed(name, policy), kind, self.chance(0.85))

    def slice(self, field: pa.Field, dims: tuple[int, ...], good: bool) -> Any:
        """Draw a slice of a tensor."""
        bad = not good and self.chance(0.3)
        if field.nullable and bad and self.chance(0.4):
            return None
        if not pat.is_list(field.type):
            edges, fits = _EDGES[str(field.type)]
            return fits if good and not bad else self.choice(edges)
        item = field.type.value_field
        if not pat.is_list(item.type) and len(dims) > 1:  # flat
            size = math.prod(dim for dim in dims if dim >= 0)
            size *= self.choice([0, 1, 2]) if -1 in dims else 1
        else:
            size = dims[0] if dims and dims[0] >= 0 else self.choice([0, 1, 3])
        if bad and self.chance(0.5):
            size = self.choice([0, 1, size + 1])
        inner = dims[1:] if pat.is_list(item.type) else ()
        return [self.slice(item, inner, good and not bad) for _ in range(size)]


_PLAIN = {
    DataType.integer: "int32",
    DataType.long: "int64",
    DataType.float: "float",
    DataType.double: "double",
    DataType.string: "string",
    DataType.binary: "binary",
    DataType.boolean: "bool",
    DataType.datetime: "timestamp[us]",
}


def draw(seed: int, *, fused: bool, columns: int = 16, count: int = 40) -> Drawn:
    """Draw a source and what it is held to.

    Args:
        seed: decides all of it.
        fused: whether to keep to what Catalyst decides.
        columns: how many columns.
        count: how many rows.
    """
    chosen = Draw(seed)
    chosen.fused = fused
    policy = chosen.policy()
    if chosen.chance(0.25):
        schema, fields, specs = _tensors(chosen, policy, columns)
    else:
        schema, fields, specs = _columns(chosen, policy, columns)
    # About half of the rows are to fit.
    share = 2 / columns
    values: list[list[Any]] = [[] for _ in fields]
    for _ in range(count):
        for column, field, spec in zip(values, fields, specs, strict=True):
            good = not chosen.chance(share)
            if isinstance(spec, TensorSpec):
                column.append(chosen.slice(field, spec.shape[1:], good))
            elif spec is None:
                column.append(chosen.value(field, AnyType(), True, False))
            else:
                optional = not spec.required
                column.append(chosen.value(field, spec.type, optional, good))
    arrays = [pa.array(v, f.type) for v, f in zip(values, fields, strict=True)]
    arrays.append(pa.array(range(count), pa.int64()))
    table = pa.Table.from_arrays(arrays, schema=pa.schema([*fields, pa.field("id", pa.int64())]))
    return Drawn(seed, table, schema, policy)


Specs = list["ColSpec | TensorSpec | None"]


def _columns(chosen: Draw, policy: Policy, columns: int) -> tuple[Schema, list[pa.Field], Specs]:
    names = [*_NAMES, *(f"c{i}" for i in range(columns))]
    specs, pairs = [], []
    for name in chosen.sample(names, columns):
        spec = ColSpec(chosen.column_type(), name, chosen.flag())
        specs.append(spec)
        if spec.required or chosen.chance(0.85):
            field = chosen.field(chosen.renamed(name, policy), spec.type, policy)
            pairs.append((field, spec))
    extras: list[tuple[pa.Field, ColSpec | None]] = []
    if policy.extra != "forbid":
        extras = [(chosen.field(f"extra {i}", AnyType(), policy), None) for i in range(2)]
    every = [*pairs, *extras]
    chosen.shuffle(every)
    schema = Schema([*specs, ColSpec("long", "id", True)])
    return schema, [field for field, _ in every], [spec for _, spec in every]


def _tensors(chosen: Draw, policy: Policy, columns: int) -> tuple[Schema, list[pa.Field], Specs]:
    pairs = [chosen.tensor(f"t{i}", policy) for i in range(columns)]
    schema = Schema([*(spec for spec, _ in pairs), TensorSpec(np.dtype("int64"), (-1,), "id")])
    chosen.shuffle(pairs)
    return schema, [field for _, field in pairs], [spec for spec, _ in pairs]


def misfit(drawn: Drawn) -> pa.Schema:
    """Return the columns of a source that does not fit by its types."""
    chosen = Draw(drawn.seed + 1)
    fields = list(drawn.table.schema)
    for place in range(len(fields)):
        if chosen.chance(0.3):
            dtype = chosen.choice([source[0] for source in SOURCES.values()])
            if chosen.chance(0.3):
                dtype = pa.list_(dtype)
            if chosen.chance(0.2):
                dtype = pa.struct([("p", dtype)])
            fields[place] = fields[place].with_type(dtype)
    return pa.schema([field for field in fields if chosen.chance(0.9)])


def with_policy(drawn: Drawn, **changes: Any) -> Drawn:
    """Return the same source under another policy."""
    return replace(drawn, policy=replace(drawn.policy, **changes))
