"""What is observed of values: a commutative monoid, and the counts that a naive reading gives."""

from __future__ import annotations

import datetime as dt
import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_sig.casts import Kind
from spark_sig.infer.pandas import observe_series
from spark_sig.infer.python import observe_values
from spark_sig.kernels.observe import MergeObserved, Observe, observe_arrow
from spark_sig.observed import Lengths, Lists, Maps, Observed, Records
from tests.value_strategies import (
    ARROW_SCALARS,
    arrow_arrays,
    arrow_tables,
    nested,
    scalars,
    typed_series,
)

# --- random observations --------------------------------------------------------------------------

counts = st.sampled_from([0, 1, 2, 2**40])
lengths = st.sampled_from([Lengths(), Lengths(1, 3, 3), Lengths(4, 0, 2), Lengths(2, 0, 0)])
others = st.sampled_from([frozenset(), frozenset({"tuple"}), frozenset({"tuple", "decimal(5,2)"})])
kinds = st.dictionaries(st.sampled_from(list(Kind)), counts, max_size=2)
NAMES = st.sampled_from(["a", "", "값"])


@st.composite
def observed(draw: st.DrawFn, depth: int = 2) -> Observed:
    """Draw what may be seen at a place and below it."""
    seen = Observed(draw(counts), draw(counts), draw(counts), draw(kinds), draw(counts))
    inner = observed(depth - 1)
    shapes = ["scalar", "lists", "records", "lists and records", "maps", "vectors"]
    shape = draw(st.sampled_from(shapes)) if depth else "scalar"
    if "lists" in shape:
        seen = seen._replace(lists=Lists(draw(lengths), draw(inner), draw(counts)))
    if "records" in shape:
        members = draw(st.dictionaries(NAMES, inner, max_size=2))
        seen = seen._replace(records=Records(draw(counts), members, draw(st.booleans())))
    if shape == "maps":
        seen = seen._replace(maps=Maps(draw(counts), draw(inner)))
    if shape == "vectors":
        seen = seen._replace(vectors=draw(lengths))
    return seen._replace(others=draw(others))


observations = observed()


@given(observations, observations, observations)
def test_parts_add_up_in_any_order_and_grouping(a: Observed, b: Observed, c: Observed) -> None:
    assert a.plus(b) == b.plus(a)
    assert a.plus(b).plus(c) == a.plus(b.plus(c))
    assert a.plus(Observed()) == a == Observed().plus(a)
    assert Observed.total([a, b, c]) == a.plus(b).plus(c)
    assert Observed.total([]) == Observed()


@given(observations)
def test_observations_travel_as_json(seen: Observed) -> None:
    text = seen.dumps()
    json.loads(text)
    assert Observed.loads(text) == seen


@given(observations, observations)
def test_adding_leaves_the_parts_as_they_were(a: Observed, b: Observed) -> None:
    before = a.dumps(), b.dumps()
    a.plus(b)
    assert (a.dumps(), b.dumps()) == before


def test_sums_by_hand() -> None:
    left = Observed(
        rows=3,
        nulls=1,
        kinds={Kind.INT64: 2},
        inexact=1,
        lists=Lists(Lengths(2, 1, 4), Observed(5)),
    )
    right = Observed(
        rows=2,
        nans=1,
        kinds={Kind.INT64: 1, Kind.BOOL: 0},
        lists=Lists(Lengths(1, 0, 0), Observed()),
    )
    assert left.plus(right) == Observed(
        rows=5,
        nulls=1,
        nans=1,
        kinds={Kind.INT64: 3, Kind.BOOL: 0},
        inexact=1,
        lists=Lists(Lengths(3, 0, 4), Observed(5)),
    )


def test_lengths_that_all_are_one_are_constant() -> None:
    assert Lengths().constant is None
    assert Lengths(3, 2, 2).constant == 2
    assert Lengths(3, 2, 4).constant is None
    assert Lengths().plus(Lengths(1, 5, 5)) == Lengths(1, 5, 5)


def test_members_that_one_part_lacks_are_kept_as_they_are() -> None:
    one = Records(2, {"a": Observed(2)}, typed=True)
    other = Records(1, {"b": Observed(1)})
    assert one.plus(other) == Records(3, {"a": Observed(2), "b": Observed(1)}, typed=False)


# --- Python values --------------------------------------------------------------------------------

values = st.lists(nested(scalars), max_size=5)


@given(values, values)
def test_python_values_are_observed_part_by_part(a: list[Any], b: list[Any]) -> None:
    assert observe_values(a + b) == observe_values(a).plus(observe_values(b))


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], Observed()),
        (
            [None, pd.NaT, pd.NA, np.datetime64("NaT")],
            Observed(4, 4, kinds={Kind.TIMESTAMP_NTZ: 0}),
        ),
        ([1, True, np.int8(3)], Observed(3, kinds={Kind.INT64: 1, Kind.BOOL: 1, Kind.INT8: 1})),
        ([1.5, math.nan], Observed(2, nans=1, kinds={Kind.FLOAT64: 1})),
        ([np.float32(1), math.nan], Observed(2, nans=1, kinds={Kind.FLOAT32: 1})),
        (["x", b"y", bytearray(b"z")], Observed(3, kinds={Kind.STRING: 1, Kind.BINARY: 2})),
        ([2**53, -(2**53)], Observed(2, kinds={Kind.INT64: 2})),
        ([2**53 + 1, 2**63 - 1, 0], Observed(3, kinds={Kind.INT64: 3}, inexact=2)),
        ([2**63], Observed(1, inexact=1, others=frozenset({"integer beyond long"}))),
        (
            [2**60, np.timedelta64("NaT")],
            Observed(2, kinds={Kind.INT64: 1}, inexact=1, others=frozenset({"timedelta64"})),
        ),
        ([dt.date(2020, 1, 1)], Observed(1, kinds={Kind.DATE: 1})),
        (
            [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc), None],
            Observed(3, 1, kinds={Kind.TIMESTAMP_NTZ: 1, Kind.TIMESTAMP: 1}),
        ),
        ([(1,), {2}], Observed(2, others=frozenset({"tuple", "set"}))),
        (
            [[1, None], [], None],
            Observed(3, 1, lists=Lists(Lengths(2, 0, 2), Observed(2, 1, kinds={Kind.INT64: 1}), 1)),
        ),
        (
            [{"a": 1}, {}, {"a": None, "b": "x"}],
            Observed(
                3,
                records=Records(
                    3,
                    {
                        "a": Observed(2, 1, kinds={Kind.INT64: 1}),
                        "b": Observed(1, kinds={Kind.STRING: 1}),
                    },
                ),
            ),
        ),
    ],
)
def test_python_values_by_hand(items: list[Any], expected: Observed) -> None:
    assert observe_values(items) == expected


def test_a_list_of_integers_alone_is_told_from_one_with_floats() -> None:
    seen = observe_values([[1], [1, 0.5], [0.5], [np.int8(1)], ["x"]])
    assert seen.lists is not None
    assert seen.lists.bare == 1


# --- Arrow ----------------------------------------------------------------------------------------


def naive(values: list[Any], dtype: pa.DataType) -> Observed:
    """Count what Python values that Arrow holds are; by plain recursion over values and type."""
    held = [value for value in values if value is not None]
    seen = Observed(rows=len(values), nulls=len(values) - len(held))
    if pa.types.is_struct(dtype):
        fields = [dtype.field(i) for i in range(dtype.num_fields)]
        members = {f.name: naive([value[f.name] for value in held], f.type) for f in fields}
        return seen._replace(records=Records(len(held), members, typed=True))
    if pa.types.is_map(dtype):
        inside = [item for value in held for _, item in value]
        return seen._replace(maps=Maps(len(held), naive(inside, dtype.item_type)))
    if pa.types.is_nested(dtype):
        flat = [item for value in held for item in value]
        sizes = [len(value) for value in held]
        counted = Lengths(len(sizes), min(sizes), max(sizes)) if sizes else Lengths()
        return seen._replace(lists=Lists(counted, naive(flat, dtype.value_type)))
    return seen._replace(**_scalars(dtype, len(held)))


# What each scalar type is, written down once more.
KINDS = {
    "int8": Kind.INT8, "int64": Kind.INT64, "uint32": Kind.UINT32, "float": Kind.FLOAT32,
    "double": Kind.FLOAT64, "bool": Kind.BOOL, "string": Kind.STRING, "large_string": Kind.STRING,
    "string_view": Kind.STRING, "binary": Kind.BINARY, "binary_view": Kind.BINARY,
    "fixed_size_binary[2]": Kind.BINARY, "date32[day]": Kind.DATE,
    "timestamp[s]": Kind.TIMESTAMP_NTZ, "timestamp[us, tz=UTC]": Kind.TIMESTAMP,
    "dictionary<values=string, indices=int8, ordered=0>": Kind.STRING, "uint64": Kind.UINT64,
}  # fmt: skip
NONE_SAYS = {
    "decimal128(5, 2)": "decimal(5,2)",
    "duration[s]": "duration[s]",
    "time32[s]": "time32[s]",
}


def _scalars(dtype: pa.DataType, count: int) -> dict[str, Any]:
    if str(dtype) == "null":
        return {}
    if str(dtype) in NONE_SAYS:
        return {"others": frozenset({NONE_SAYS[str(dtype)]})}
    return {"kinds": {KINDS[str(dtype)]: count}, "inexact": count if dtype == pa.int64() else 0}


@given(arrow_arrays(unsayable=True))
def test_arrow_is_observed_as_a_naive_count_does(array: pa.Array) -> None:
    assert observe_arrow(array) == naive(array.to_pylist(), array.type)


@given(arrow_arrays(unsayable=True), st.lists(st.integers(0, 8), max_size=3))
def test_arrow_is_observed_alike_however_it_is_cut(array: pa.Array, cuts: list[int]) -> None:
    whole = observe_arrow(array)
    places = [0, *sorted(min(cut, len(array)) for cut in cuts), len(array)]
    parts = [array[start:stop] for start, stop in pairwise(places)]
    assert Observed.total(map(observe_arrow, parts)) == whole
    assert observe_arrow(pa.chunked_array(parts, array.type)) == whole
    if len(array):
        assert observe_arrow(pa.array([], array.type)).plus(whole) == whole


@pytest.mark.parametrize("dtype", [dtype for dtype, _ in ARROW_SCALARS], ids=str)
def test_an_array_without_chunks_says_what_it_is(dtype: pa.DataType) -> None:
    assert observe_arrow(pa.chunked_array([], dtype)) == naive([], dtype)


def test_values_under_a_null_do_not_count() -> None:
    inner = pa.array([1, None, 3, 4], pa.int64())
    lists = pa.ListArray.from_arrays(
        pa.array([0, 2, 4], pa.int32()), inner, mask=pa.array([True, False])
    )
    fixed = pa.FixedSizeListArray.from_arrays(inner, 2, mask=pa.array([True, False]))
    for array in (lists, fixed):
        seen = observe_arrow(array)
        assert seen.lists is not None
        assert (seen.nulls, seen.lists.element.rows, seen.lists.element.nulls) == (1, 2, 0)
    struct = pa.StructArray.from_arrays(
        [pa.array([None, 2], pa.int64())], ["a"], mask=pa.array([True, False])
    )
    records = observe_arrow(struct).records
    assert records is not None
    assert records.members["a"] == Observed(1, 0, kinds={Kind.INT64: 1}, inexact=1)


def test_nulls_of_a_dictionary_s_own_count() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["x", None]))
    assert observe_arrow(array) == Observed(3, 2, kinds={Kind.STRING: 1})


def test_maps_with_other_keys_are_nothing_that_a_signature_says() -> None:
    array = pa.array([[(1, "x")]], pa.map_(pa.int64(), pa.string()))
    assert observe_arrow(array).others == frozenset({"map<long,string>"})


def test_list_views_are_lists() -> None:
    array = pa.array([[1, 2], None, [3]], pa.list_view(pa.int8()))
    assert observe_arrow(array) == naive([[1, 2], None, [3]], pa.list_(pa.int8()))


def test_an_extension_is_what_it_is_stored_as() -> None:
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((3, 2), "float32"))
    seen = observe_arrow(tensor)
    assert seen.lists is not None
    assert seen.lists.lengths == Lengths(3, 2, 2)
    assert seen.lists.element.kinds == {Kind.FLOAT32: 6}


@given(arrow_tables(unsayable=True), st.integers(1, 3))
def test_partitions_add_up_to_their_columns(table: pa.Table, size: int) -> None:
    batches = table.to_batches(max_chunksize=size)
    half = len(batches) // 2
    observe = Observe(table.schema)
    sent = [row for part in (batches[:half], batches[half:]) for row in observe(iter(part))]
    (merged,) = MergeObserved()(iter(sent))
    seen = Observed.loads(merged.column(0)[0].as_py())
    if not table.num_rows:
        assert seen == Observed()
        return
    columns = {name: observe_arrow(table[name]) for name in table.column_names}
    records = Records(table.num_rows, columns, typed=True)
    assert seen == Observed(table.num_rows, records=records)


# --- pandas ---------------------------------------------------------------------------------------


@given(st.integers(0, 5).flatmap(typed_series), st.integers(0, 5))
def test_typed_columns_are_observed_part_by_part(series: pd.Series[Any], cut: int) -> None:
    parts = observe_series(series.iloc[:cut]).plus(observe_series(series.iloc[cut:]))
    assert observe_series(series).rows == parts.rows == len(series)
    whole = observe_series(series)
    assert (whole.nulls, whole.nans, whole.others) == (parts.nulls, parts.nans, parts.others)
    assert {k for k, n in whole.kinds.items() if n} == {k for k, n in parts.kinds.items() if n}


def test_a_missing_value_is_null_and_nan_is_a_float_by_dtype() -> None:
    gaps = [1, None]
    assert observe_series(pd.Series(gaps, dtype="Int64")).nulls == 1
    assert observe_series(pd.Series(gaps, dtype="int64[pyarrow]")).nulls == 1
    assert observe_series(pd.Series(gaps, dtype="float64")) == Observed(2, 0, 1, {Kind.FLOAT64: 2})
    assert observe_series(pd.Series(["x", None], dtype="category")) == Observed(
        2, 1, kinds={Kind.STRING: 1}
    )
