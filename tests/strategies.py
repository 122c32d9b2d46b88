"""Hypothesis strategies for signatures, composable by type family."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from hypothesis import strategies as st

from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.signature import ModelSignature
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

TENSOR_DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128", "str", "bytes", "object"),
    *("datetime64[ns]", "datetime64[us]", "datetime64[D]", "timedelta64[ns]"),
]

# Names that break what is careless: quotes, dots, blanks, line ends, other scripts, emptiness.
names = st.one_of(
    st.sampled_from(
        ["a", "b", "a.b", "a b", "`a`", '"', "'", "列", "naïve", "", "A", "a\nb", "#:"]
    ),
    st.text(max_size=8),
)
flags = st.sampled_from([True, False, None])
scalars = st.sampled_from(list(DataType))
leaves: st.SearchStrategy[ColumnType] = st.one_of(scalars, st.builds(AnyType))
vectors = st.builds(SparkMLVector)


def arrays(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Array]:
    """Return arrays of such items."""
    return st.builds(Array, items)


def maps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Map]:
    """Return maps to such values."""
    return st.builds(Map, values)


def objects(
    members: st.SearchStrategy[Any], keys: st.SearchStrategy[str] = names, max_size: int = 4
) -> st.SearchStrategy[Object]:
    """Return objects with such members."""
    member = st.tuples(members, flags)
    drawn = st.dictionaries(keys, member, min_size=1, max_size=max_size)
    return drawn.map(lambda d: Object([Property(name, *rest) for name, rest in d.items()]))


def nested(
    base: st.SearchStrategy[Any], keys: st.SearchStrategy[str] = names, max_leaves: int = 6
) -> st.SearchStrategy[ColumnType]:
    """Return types made of arrays, maps and objects over a base."""
    return st.recursive(
        base, lambda inner: st.one_of(arrays(inner), maps(inner), objects(inner, keys)),
        max_leaves=max_leaves,
    )  # fmt: skip


column_types = nested(st.one_of(leaves, vectors))


@st.composite
def column_schemas(
    draw: st.DrawFn,
    types: st.SearchStrategy[Any] = column_types,
    keys: st.SearchStrategy[str] = names,
    max_size: int = 5,
) -> Schema:
    """Return schemas of columns, with names or without."""
    kinds = draw(st.lists(types, min_size=1, max_size=max_size))
    if draw(st.booleans()):
        size = len(kinds)
        drawn = draw(st.lists(keys, min_size=size, max_size=size, unique=True))
        return Schema(
            ColSpec(kind, name, draw(flags)) for kind, name in zip(kinds, drawn, strict=True)
        )
    return Schema(ColSpec(kind, None, draw(st.sampled_from([True, None]))) for kind in kinds)


shapes = st.lists(st.integers(-1, 2**40), max_size=4)
dtypes = st.sampled_from(TENSOR_DTYPES).map(np.dtype)


@st.composite
def tensor_schemas(draw: st.DrawFn, max_size: int = 3) -> Schema:
    """Return schemas of one unnamed tensor, or of named ones."""
    if draw(st.booleans()):
        return Schema([TensorSpec(draw(dtypes), draw(shapes))])
    drawn = draw(st.lists(names, min_size=1, max_size=max_size, unique=True))
    return Schema(TensorSpec(draw(dtypes), draw(shapes), name) for name in drawn)


schemas = st.one_of(column_schemas(), tensor_schemas())

# What a default of each type may be; NumPy reads years from 1 on.
MOMENTS = st.one_of(st.dates(), st.datetimes(min_value=dt.datetime(1, 1, 2)))
PARAM_VALUES: dict[DataType, st.SearchStrategy[Any]] = {
    DataType.boolean: st.booleans(),
    DataType.integer: st.integers(-(2**31), 2**31 - 1),
    DataType.long: st.integers(-(2**63), 2**63 - 1),
    DataType.float: st.one_of(st.floats(allow_nan=False, allow_infinity=False, width=32)),
    DataType.double: st.one_of(
        st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)
    ),
    DataType.string: st.text(max_size=8),
    DataType.datetime: MOMENTS,
}


@st.composite
def param_specs(draw: st.DrawFn, keys: st.SearchStrategy[str] = names) -> ParamSpec:
    """Return params of every scalar type, single or lists, with defaults or null."""
    name = draw(keys)
    kind = draw(st.sampled_from(list(PARAM_VALUES)))
    values = st.one_of(st.none(), PARAM_VALUES[kind])
    if draw(st.booleans()):
        return ParamSpec(name, kind, draw(st.lists(values, max_size=3)), (-1,))
    return ParamSpec(name, kind, draw(values))


def object_values(kind: ColumnType, required: bool | None = True) -> st.SearchStrategy[Any]:
    """Return JSON values of a type without moments and bytes."""
    base: st.SearchStrategy[Any]
    match kind:
        case DataType():
            base = PARAM_VALUES[kind]
        case Array(dtype):
            base = st.lists(object_values(dtype, required), max_size=2)
        case Map(value_type):
            base = st.dictionaries(names, object_values(value_type, required), max_size=2)
        case Object(properties):
            base = st.fixed_dictionaries(
                {p.name: object_values(p.dtype, p.required) for p in properties if p.required},
                optional={
                    p.name: object_values(p.dtype, p.required) for p in properties if not p.required
                },
            )
        case AnyType():
            base = st.one_of(st.none(), st.integers(-9, 9), st.lists(st.text(max_size=3)))
        case SparkMLVector():
            base = st.lists(PARAM_VALUES[DataType.double], max_size=2)
    return base if required else st.one_of(st.none(), base)


JSON_SCALARS = st.sampled_from(
    [k for k in DataType if k not in (DataType.binary, DataType.datetime)]
)


@st.composite
def object_params(draw: st.DrawFn) -> ParamSpec:
    """Return object params with a fitting default."""
    kind = draw(objects(nested(st.one_of(JSON_SCALARS, st.builds(AnyType)), max_leaves=4)))
    return ParamSpec(draw(names), kind, draw(object_values(kind)))


@st.composite
def param_schemas(draw: st.DrawFn, min_size: int = 0) -> ParamSchema:
    """Return param schemas with each name once."""
    specs = st.one_of(param_specs(), object_params())
    return ParamSchema(
        draw(st.lists(specs, min_size=min_size, max_size=4, unique_by=lambda s: s.name))
    )


signatures = st.builds(
    ModelSignature,
    inputs=schemas,
    outputs=st.one_of(st.none(), schemas),
    params=st.one_of(st.none(), param_schemas()),
)
