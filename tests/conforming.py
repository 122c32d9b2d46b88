"""Arrow tables of random data that conforms to a schema of columns."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from spark_sig.compile.arrow import SCALARS, column_name
from spark_sig.errors import assert_never
from spark_sig.schema import ColSpec, Schema
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector

# Values at the edges of each type.
EDGES: dict[DataType, list[Any]] = {
    DataType.boolean: [True, False],
    DataType.integer: [0, 1, -(2**31), 2**31 - 1, 2**24 + 1],
    DataType.long: [0, 1, -(2**63), 2**63 - 1, 2**53 + 1, 2**31],
    DataType.float: [0.0, -0.0, 1.5, math.inf, math.nan, 3.4028234663852886e38, 2.0**-149],
    DataType.double: [0.0, -0.0, 0.1, math.inf, math.nan, 1.7976931348623157e308, 2.0**31],
    DataType.string: ["", "1", "x", "列"],
    DataType.binary: [b"", b"\xff"],
    DataType.datetime: [dt.datetime(1970, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999)],
}
# What may be stored where a signature leaves the type open.
ANYTHING: list[tuple[pa.DataType, list[Any]]] = [
    (pa.int64(), [7]),
    (pa.string(), ["x"]),
    (pa.list_(pa.float64()), [[], [0.5]]),
    (pa.struct([("p", pa.int64())]), [{"p": 1}]),
]


def arrow_tables(schema: Schema, *, any_is_empty: bool = False) -> st.SearchStrategy[pa.Table]:
    """Return tables that conform to columns under the default policy.

    Args:
        schema: the columns.
        any_is_empty: whether AnyType stands for nulls alone, as inference means it, rather than
            for values of any type.
    """
    return _tables(schema, any_is_empty)


@st.composite
def _tables(draw: st.DrawFn, schema: Schema, empty: bool) -> pa.Table:
    rows = draw(st.integers(0, 3))
    columns: dict[str, pa.Array] = {}
    for index, spec in enumerate(schema):
        assert isinstance(spec, ColSpec)
        # By position only the last may be missing, and something has to say how many rows.
        last = 0 < index == len(schema) - 1
        if not spec.required and (spec.name is not None or last) and draw(st.booleans()):
            continue
        dtype, value = draw(_stored(spec.type, bool(spec.required), empty))
        values = draw(st.lists(value, min_size=rows, max_size=rows))
        columns[column_name(spec, index)] = pa.array(values, dtype)
    if not columns:
        return pa.table({"other": pa.array([0] * rows)})
    return pa.table(columns)


Stored = tuple[pa.DataType, st.SearchStrategy[Any]]


@st.composite
def _stored(draw: st.DrawFn, kind: ColumnType, required: bool, empty: bool) -> Stored:
    """Draw how values of a type are stored, and the values."""
    dtype, values = _filled(draw, kind, required, empty)
    return dtype, values if required else st.one_of(st.none(), values)


def _filled(draw: st.DrawFn, kind: ColumnType, required: bool, empty: bool) -> Stored:
    match kind:
        case DataType():
            return SCALARS[kind], st.sampled_from(EDGES[kind])
        case AnyType():
            if empty:
                return pa.null(), st.nothing() if required else st.none()
            stored, examples = draw(st.sampled_from(ANYTHING))
            return stored, st.sampled_from(examples)
        case SparkMLVector():
            return pa.list_(pa.float64()), st.lists(st.sampled_from(EDGES[DataType.double]))
        case Array(dtype=inner):
            dtype, values = draw(_stored(inner, required, empty))
            return pa.list_(dtype), _lists(values)
        case Map(value_type=inner):
            dtype, values = draw(_stored(inner, required, empty))
            pairs = _lists(values).map(lambda vs: [(f"k{i}", v) for i, v in enumerate(vs)])
            return pa.map_(pa.string(), dtype), pairs
        case Object(properties):
            kept = [p for p in properties if p.required or draw(st.booleans())] or [*properties]
            stored = {p.name: draw(_stored(p.dtype, bool(p.required), empty)) for p in kept}
            members = {name: values for name, (_, values) in stored.items()}
            fields = [pa.field(name, dtype) for name, (dtype, _) in stored.items()]
            return pa.struct(fields), st.fixed_dictionaries(members)
        case _:
            assert_never(kind)


def _lists(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.just([]) if values.is_empty else st.lists(values, max_size=2)
