"""What the footers of Parquet files prove, held against the values in them."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_sig.kernels.footers import (
    ReadFooters,
    Wanted,
    footer_statistics,
    local_path,
    statistics_text,
)

D = decimal.Decimal
EXACT = decimal.Context(prec=60)
PYARROW = f"parquet-cpp-arrow version {pa.__version__}"


def written(table: pa.Table, by: str | None = None, **options: Any) -> pq.FileMetaData:
    """Write a file and return its footer, signed by another writer on demand."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    data = sink.getvalue()
    if by is not None:
        assert len(by) <= len(PYARROW)
        assert data.count(PYARROW.encode()) == 1
        data = data.replace(PYARROW.encode(), by.ljust(len(PYARROW)).encode())
    return pq.read_metadata(io.BytesIO(data))


def prove(metadata: pq.FileMetaData, **wanted: pa.DataType) -> dict[str, Any]:
    return footer_statistics(metadata, [Wanted((name,), dtype) for name, dtype in wanted.items()])


def prove_column(array: pa.Array, wanted: pa.DataType | None = None, **options: Any) -> Any:
    """Return the count, the least and the greatest value told of one column."""
    found = prove(written(pa.table({"c": array}), **options), c=wanted or array.type)
    assert found["numRecords"] == len(array)
    return tuple(found[key].get("c") for key in ("nullCount", "minValues", "maxValues"))


class Altered:
    """Anything, with some of its attributes changed."""

    def __init__(self, real: Any, **changed: Any) -> None:
        self.real, self.changed = real, changed

    def __getattr__(self, name: str) -> Any:
        return self.changed[name] if name in self.changed else getattr(self.real, name)

    def __len__(self) -> int:
        return len(self.real)


def with_group(metadata: Any, at: int, change: Callable[[Any], Any]) -> Any:
    """Change one row group of a footer."""

    def row_group(i: int) -> Any:
        return change(metadata.row_group(i)) if i == at else metadata.row_group(i)

    return Altered(metadata, row_group=row_group)


def with_statistics(metadata: Any, at: int, leaf: int, **changed: Any) -> Any:
    """Change the statistics of one column of one row group."""

    def column(group: Any) -> Callable[[int], Any]:
        def read(i: int) -> Any:
            chunk = group.column(i)
            if i != leaf:
                return chunk
            return Altered(chunk, statistics=Altered(chunk.statistics, **changed))

        return read

    return with_group(metadata, at, lambda group: Altered(group, column=column(group)))


# --- counts and bounds ---------------------------------------------------------------------------

INTEGERS = {
    pa.int8(): (-(2**7), 2**7 - 1),
    pa.int16(): (-(2**15), 2**15 - 1),
    pa.int32(): (-(2**31), 2**31 - 1),
    pa.int64(): (-(2**63), 2**63 - 1),
    pa.uint8(): (0, 2**8 - 1),
    pa.uint16(): (0, 2**16 - 1),
    pa.uint32(): (0, 2**32 - 1),
    pa.uint64(): (0, 2**64 - 1),
}


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_bounds_of_integers_are_exact(dtype: pa.DataType, size: int) -> None:
    low, high = INTEGERS[dtype]
    array = pa.array([5, low, None, high, 7, None, 6], dtype)
    assert prove_column(array, row_group_size=size) == (2, low, high)


@pytest.mark.parametrize(("precision", "scale"), [(9, 2), (18, 0), (18, 18), (38, 3), (38, 38)])
@pytest.mark.parametrize("integers", [False, True])
def test_bounds_of_decimals_keep_all_digits(precision: int, scale: int, integers: bool) -> None:
    high = D("9" * precision).scaleb(-scale, EXACT)
    low = high.copy_negate()
    dtype = pa.decimal128(precision, scale)
    array = pa.array([D(0), low, None, high], dtype)
    found = prove_column(array, row_group_size=2, store_decimal_as_integer=integers)
    assert found == (1, low, high)
    text = statistics_text({"high": found[2], "low": found[1]})
    digits = "9" * (precision - scale) or "0"
    number = f"{digits}.{'9' * scale}" if scale else digits
    assert text == f'{{"high":{number},"low":-{number}}}'


def test_small_decimals_are_written_without_an_exponent() -> None:
    array = pa.array([D("1E-38"), D(0)], pa.decimal128(38, 38))
    zeros = "0" * 37
    found = prove_column(array)
    assert statistics_text({"v": list(found)[2]}) == f'{{"v":0.{zeros}1}}'
    assert statistics_text({"v": list(found)[1]}) == f'{{"v":0.{zeros}0}}'


def test_dates_are_text_where_their_year_has_four_digits() -> None:
    days = [dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]
    assert prove_column(pa.array(days)) == (1, "0001-01-01", "9999-12-31")
    first, last = -719162, 2932896  # as days since 1970-01-01
    assert prove_column(pa.array([first, last], pa.date32())) == (0, "0001-01-01", "9999-12-31")
    for far in (first - 1, last + 1, 2**31 - 1, -(2**31)):
        assert prove_column(pa.array([far, 0, None], pa.date32())) == (1, None, None)


UNBOUNDED = {
    "double": pa.array([1.0, None, 2.0]),
    "NaN": pa.array([1.0, None, float("nan")]),
    "float": pa.array([1.0, None, float("inf")], pa.float32()),
    "string": pa.array(["a", None, "b"]),
    "long string": pa.array(["a" * 10_000, None, "b" * 10_000]),
    "binary": pa.array([b"a", None, b""]),
    "boolean": pa.array([True, None, False]),
    "timestamp": pa.array([0, None, 1], pa.timestamp("us", "UTC")),
    "timestamp_ntz": pa.array([0, None, 1], pa.timestamp("us")),
    "dictionary": pa.array(["a", None, "b"]).dictionary_encode(),
}


@pytest.mark.parametrize("case", UNBOUNDED)
def test_other_types_have_counts_only(case: str) -> None:
    array = UNBOUNDED[case]
    wanted = pa.string() if case == "dictionary" else array.type
    assert prove_column(array, wanted, row_group_size=2) == (1, None, None)


def test_columns_of_nulls_have_no_bounds() -> None:
    for dtype in (pa.int64(), pa.decimal128(20, 2), pa.date32()):
        assert prove_column(pa.nulls(3, dtype)) == (3, None, None)
    # a row group of nothing but NULLs takes no bound from the others
    mixed = pa.array([None, None, 3, None, None, None, 1, 2])
    assert prove_column(mixed, row_group_size=2) == (5, 1, 3)


def test_many_row_groups_add_up() -> None:
    values = [None if i % 7 == 0 else (i * 37) % 1009 - 500 for i in range(1500)]
    known = [value for value in values if value is not None]
    found = prove_column(pa.array(values), row_group_size=1)
    assert found == (values.count(None), min(known), max(known))


@pytest.mark.parametrize("empty", ["no row groups", "a row group of no rows"])
def test_no_rows_have_no_nulls(empty: str) -> None:
    table = pa.table(
        {"a": pa.array([], pa.int64()), "l": pa.array([], pa.list_(pa.struct([("x", pa.int8())])))}
    )
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, write_statistics=False) as writer:
        if empty == "a row group of no rows":
            writer.write_table(table)
    metadata = pq.read_metadata(io.BytesIO(sink.getvalue()))
    found = prove(metadata, a=pa.int64(), b=pa.int64())
    assert found == {"numRecords": 0, "nullCount": {"a": 0}, "minValues": {}, "maxValues": {}}


def test_without_statistics_only_rows_are_known() -> None:
    table = pa.table({"a": [1, 2], "b": [1, 2]})
    types = {"a": pa.int64(), "b": pa.int64()}
    nothing: dict[str, Any] = {"nullCount": {}, "minValues": {}, "maxValues": {}}
    assert prove(written(table, write_statistics=False), **types) == {"numRecords": 2, **nothing}
    assert prove(written(table, write_statistics=["b"]), **types) == {
        "numRecords": 2,
        "nullCount": {"b": 0},
        "minValues": {"b": 1},
        "maxValues": {"b": 2},
    }


# --- row groups that tell too little, or lies ----------------------------------------------------

TWO_GROUPS = written(pa.table({"a": [1, 2, 3, None], "b": [1.0, 2.0, 3.0, None]}), row_group_size=2)
TYPES = {"a": pa.int64(), "b": pa.float64()}


def test_two_groups_as_they_are() -> None:
    assert prove(TWO_GROUPS, **TYPES) == {
        "numRecords": 4,
        "nullCount": {"a": 1, "b": 1},
        "minValues": {"a": 1},
        "maxValues": {"a": 3},
    }


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "changed", [{"has_null_count": False}, {"null_count": -1}, {"null_count": 3}], ids=str
)
def test_one_row_group_without_a_count_is_enough_to_know_nothing(
    at: int, changed: dict[str, Any]
) -> None:
    found = prove(with_statistics(TWO_GROUPS, at, 0, **changed), **TYPES)
    assert found["nullCount"] == {"b": 1}
    assert found["minValues"] == found["maxValues"] == {}


@pytest.mark.parametrize("at", [0, 1])
def test_one_row_group_without_statistics_is_enough_to_know_nothing(at: int) -> None:
    bare = with_group(
        TWO_GROUPS,
        at,
        lambda group: Altered(group, column=lambda i: Altered(group.column(i), statistics=None)),
    )
    assert prove(bare, **TYPES)["nullCount"] == {}


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "changed", [{"has_min_max": False}, {"min_raw": 9}, {"max_raw": -9}], ids=str
)
def test_one_row_group_without_good_bounds_is_enough_for_none(
    at: int, changed: dict[str, Any]
) -> None:
    found = prove(with_statistics(TWO_GROUPS, at, 0, **changed), **TYPES)
    assert found["nullCount"] == {"a": 1, "b": 1}
    assert found["minValues"] == found["maxValues"] == {}


@pytest.mark.parametrize("values", [1, 3, 0])
def test_a_column_of_more_or_fewer_values_than_rows_is_left_out(values: int) -> None:
    other = with_group(
        TWO_GROUPS,
        0,
        lambda group: Altered(
            group, column=lambda i: Altered(group.column(i), num_values=values if i == 0 else 2)
        ),
    )
    assert prove(other, **TYPES)["nullCount"] == {"b": 1}


def test_rows_that_do_not_add_up_prove_nothing() -> None:
    assert prove(Altered(TWO_GROUPS, num_rows=5), **TYPES) == {}
    negative = with_group(TWO_GROUPS, 0, lambda group: Altered(group, num_rows=-2))
    assert prove(Altered(negative, num_rows=0), **TYPES) == {}


def test_bounds_outside_of_their_type_are_left_out() -> None:
    small = written(pa.table({"c": pa.array([1, 2], pa.int8())}))
    assert prove(with_statistics(small, 0, 0, max_raw=128), c=pa.int8())["maxValues"] == {}
    money = written(pa.table({"c": pa.array([D("1.00")], pa.decimal128(20, 2))}))
    wanted = pa.decimal128(20, 2)
    width = money.schema.column(0).length
    for raw in (b"\x7f", (10**20).to_bytes(width, "big")):
        found = prove(with_statistics(money, 0, 0, max_raw=raw), c=wanted)
        assert (found["nullCount"], found["maxValues"]) == ({"c": 0}, {})


# --- types ---------------------------------------------------------------------------------------

OTHER_TYPES = [
    (pa.int32(), pa.int64()),
    (pa.int64(), pa.int32()),
    (pa.int8(), pa.int32()),
    (pa.uint32(), pa.int32()),
    (pa.uint32(), pa.int64()),
    (pa.uint64(), pa.int64()),
    (pa.uint8(), pa.int16()),
    (pa.int64(), pa.float64()),
    (pa.float32(), pa.float64()),
    (pa.float16(), pa.float32()),
    (pa.int64(), pa.timestamp("us")),
    (pa.timestamp("us"), pa.int64()),
    (pa.int32(), pa.date32()),
    (pa.date32(), pa.int32()),
    (pa.date32(), pa.timestamp("us")),
    (pa.time64("us"), pa.int64()),
    (pa.duration("us"), pa.timestamp("us")),
    (pa.decimal128(9, 2), pa.decimal128(9, 3)),
    (pa.decimal128(9, 2), pa.decimal128(10, 2)),
    (pa.decimal128(9, 0), pa.int32()),
    (pa.int64(), pa.decimal128(18, 0)),
    (pa.string(), pa.binary()),
    (pa.binary(), pa.string()),
    (pa.int64(), pa.string()),
    (pa.bool_(), pa.int32()),
    (pa.binary(4), pa.binary()),
    (pa.int64(), pa.list_(pa.int64())),
    (pa.list_(pa.int64()), pa.int64()),
    (pa.list_(pa.int32()), pa.list_(pa.int64())),
    (pa.list_(pa.list_(pa.int32())), pa.list_(pa.int32())),
    (pa.map_(pa.string(), pa.int32()), pa.map_(pa.string(), pa.int64())),
    (pa.map_(pa.int32(), pa.int32()), pa.map_(pa.string(), pa.int32())),
    (pa.map_(pa.string(), pa.int32()), pa.list_(pa.string())),
    (pa.list_(pa.struct([("x", pa.int8())])), pa.list_(pa.struct([("y", pa.int8())]))),
    (pa.list_(pa.struct([("x", pa.int8())])), pa.list_(pa.int8())),
    (pa.struct([("x", pa.int8())]), pa.int8()),
    (pa.struct([("x", pa.int8())]), pa.struct([("x", pa.int8())])),
    (pa.null(), pa.null()),
    (pa.null(), pa.int32()),
]


@pytest.mark.parametrize(("stored", "wanted"), OTHER_TYPES, ids=str)
def test_what_is_stored_as_another_type_is_left_out(
    stored: pa.DataType, wanted: pa.DataType
) -> None:
    # a footer by Java is believed in everything, and one without rows has no counts to doubt
    table = pa.table({"c": pa.array([], stored), "d": pa.array([], pa.int8())})
    found = prove(written(table, by="parquet-mr version 1.13.1"), c=wanted, d=pa.int8())
    assert found["nullCount"] == {"d": 0}


STAMP = pa.timestamp("us", "UTC")
SAME_TYPES = [
    (pa.timestamp("ns"), STAMP),
    (pa.timestamp("ms", "Asia/Tokyo"), STAMP),
    (STAMP, pa.timestamp("us")),
    (pa.large_string(), pa.string()),
    (pa.string(), pa.large_string()),
    (pa.large_binary(), pa.binary()),
    (pa.dictionary(pa.int8(), pa.string()), pa.string()),
    (pa.large_list(pa.int64()), pa.list_(pa.int64())),
    (pa.list_(pa.int64(), 2), pa.list_(pa.field("element", pa.int64(), False))),
    (pa.list_(pa.field("any", STAMP)), pa.list_(pa.field("element", pa.timestamp("us")))),
    (pa.map_(pa.string(), pa.large_string()), pa.map_(pa.string(), pa.string())),
]


@pytest.mark.parametrize(("stored", "wanted"), SAME_TYPES, ids=str)
def test_layouts_units_and_zones_make_no_difference(
    stored: pa.DataType, wanted: pa.DataType
) -> None:
    found = prove(written(pa.table({"c": pa.array([], stored)})), c=wanted)
    assert found["nullCount"] == {"c": 0}


def test_int96_is_a_timestamp() -> None:
    table = pa.table({"c": pa.array([], pa.timestamp("ns"))})
    metadata = written(table, use_deprecated_int96_timestamps=True)
    assert metadata.schema.column(0).physical_type == "INT96"
    assert prove(metadata, c=STAMP)["nullCount"] == {"c": 0}
    assert prove(metadata, c=pa.int64())["nullCount"] == {}


def test_a_schema_beside_the_one_of_parquet_says_nothing() -> None:
    # Arrow reads this column as a duration, by a schema of its own; Spark reads a long.
    array = pa.array([1, None], pa.duration("us"))
    assert prove_column(array, pa.int64()) == (1, 1, 1)


class Boxed(pa.ExtensionType):
    """A struct that an extension has made one value of."""

    def __init__(self) -> None:
        super().__init__(pa.struct([("x", pa.int64())]), "boxed")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""


@pytest.mark.parametrize(
    "fields",
    [
        [("s", pa.struct([("x", pa.int64())])), ("a", pa.int64()), ("b", pa.int64())],
        [("a", pa.int64()), ("s", pa.struct([("x", pa.int64())]))],
        [("s", Boxed()), ("b", pa.int64())],
    ],
    ids=["a leaf too many", "another order", "an extension"],
)
def test_a_tree_that_is_not_the_one_of_the_columns_proves_nothing(fields: list[Any]) -> None:
    table = pa.table({"s": pa.array([{"x": 1}], pa.struct([("x", pa.int64())])), "a": [2]})
    real = written(table)
    schema = Altered(real.schema, to_arrow_schema=lambda: pa.schema(fields))
    wanted = [Wanted(("s", "x"), pa.int64()), Wanted(("a",), pa.int64())]
    assert footer_statistics(real, wanted)["nullCount"] == {"s": {"x": 0}, "a": 0}
    assert footer_statistics(Altered(real, schema=schema), wanted)["nullCount"] == {}


# --- structs -------------------------------------------------------------------------------------


def test_a_member_counts_rows_where_it_or_what_is_around_it_is_null() -> None:
    inner = pa.struct([("x", pa.int32()), pa.field("y", pa.date32(), False)])
    rows = [
        {"a": 1, "in": {"x": 4, "y": dt.date(2020, 2, 29)}},
        {"a": 2, "in": {"x": None, "y": dt.date(2021, 1, 1)}},
        {"a": 3, "in": None},
        None,
    ]
    table = pa.table({"s": pa.array(rows, pa.struct([("a", pa.int64()), ("in", inner)]))})
    wanted = [
        Wanted(("s", "a"), pa.int64()),
        Wanted(("s", "in", "x"), pa.int32()),
        Wanted(("s", "in", "y"), pa.date32()),
        Wanted(("s", "gone"), pa.int64()),
        Wanted(("s", "a", "x"), pa.int64()),
        Wanted(("s", "in"), inner),
    ]
    for size in (1, 4):
        assert footer_statistics(written(table, row_group_size=size), wanted) == {
            "numRecords": 4,
            "nullCount": {"s": {"a": 1, "in": {"x": 3, "y": 2}}},
            "minValues": {"s": {"a": 1, "in": {"x": 4, "y": "2020-02-29"}}},
            "maxValues": {"s": {"a": 3, "in": {"x": 4, "y": "2021-01-01"}}},
        }


def test_pyarrow_misses_null_structs_around_dictionaries() -> None:
    texts = pa.array(["a", "b", "b"]).dictionary_encode()
    hidden = pa.StructArray.from_arrays([texts], ["t"], mask=pa.array([False, True, False]))
    assert hidden.null_count == 1
    for array in (hidden, pa.array([{"t": "a"}])):
        metadata = written(pa.table({"s": array}))
        assert footer_statistics(metadata, [Wanted(("s", "t"), pa.string())])["nullCount"] == {}


# --- lists and maps ------------------------------------------------------------------------------

NUMBERS = pa.list_(pa.int64())
REPEATED = [
    (NUMBERS, [[1], [2, 3]], 0),
    (NUMBERS, [[1], None], None),
    (NUMBERS, [[1], []], None),
    (NUMBERS, [[1], [2, None]], None),
    (pa.list_(NUMBERS), [[[1], [2]], [[3]]], 0),
    (pa.list_(NUMBERS), [[[1], None]], None),
    (pa.list_(NUMBERS), [[[1], []]], None),
    (pa.list_(NUMBERS), [[[1]], None], None),
    (pa.list_(pa.string()), [["a"], ["b", ""]], 0),
    (pa.map_(pa.string(), pa.int64()), [[("a", 1)], [("a", 1), ("b", 2)]], 0),
    (pa.map_(pa.string(), pa.int64()), [[("a", 1)], []], None),
    (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None], None),
    (pa.map_(pa.string(), pa.int64()), [[("a", 1), ("b", None)]], None),
    (pa.map_(pa.int32(), NUMBERS), [[(1, [1])], [(2, [2, 3])]], 0),
    (pa.map_(pa.int32(), NUMBERS), [[(1, [1])], [(2, [None])]], None),
]


@pytest.mark.parametrize(("dtype", "rows", "count"), REPEATED, ids=str)
@pytest.mark.parametrize("size", [1, 10])
def test_a_list_or_map_has_a_count_only_where_nothing_in_it_is_null(
    dtype: pa.DataType, rows: list[Any], count: int | None, size: int
) -> None:
    array = pa.array(rows, dtype)
    assert prove_column(array, row_group_size=size) == (count, None, None)
    inside = pa.table({"s": pa.array([{"l": row} for row in rows], pa.struct([("l", NUMBERS)]))}) \
        if dtype == NUMBERS else None  # fmt: skip
    if inside is not None:
        found = footer_statistics(written(inside), [Wanted(("s", "l"), NUMBERS)])
        assert found["nullCount"] == ({} if count is None else {"s": {"l": 0}})


def test_what_lies_inside_of_lists_and_maps_is_no_place() -> None:
    structs = pa.list_(pa.struct([("x", pa.int64())]))
    table = pa.table({"l": pa.array([[{"x": 1}]], structs), "m": pa.array([[("a", 1)]], pa.map_(
        pa.string(), pa.int64()))})  # fmt: skip
    paths = [("l", "x"), ("l", "element", "x"), ("l", "list", "element", "x"), ("m", "key"),
             ("m", "key_value", "value"), ("m", "value"), ("l", "element")]  # fmt: skip
    wanted = [Wanted(path, pa.int64()) for path in paths] + [Wanted(("m", "key"), pa.string())]
    for by in (None, "parquet-mr version 1.13.1"):
        assert footer_statistics(written(table, by=by), wanted)["nullCount"] == {}


def test_pyarrow_missed_null_lists_around_structs_for_long() -> None:
    dtype = pa.list_(pa.struct([("x", pa.int64())]))
    array = pa.array([[{"x": 1}], [{"x": 2}]], dtype)
    assert prove_column(array)[0] is None
    assert prove_column(array, by="parquet-mr version 1.13.1")[0] == 0
    none = pa.array([[]], pa.list_(pa.struct([])))
    with pytest.raises(pa.ArrowNotImplementedError):
        written(pa.table({"c": none}))


# --- writers -------------------------------------------------------------------------------------

TRUSTED = ["parquet-mr version 1.10.1", "parquet-mr version 2.0.0 (b 1)", None]
FOREIGN = [
    "",
    "unknown",
    "DuckDB version v2.0.0",
    "parquet-mr version 1.8.3",
    "parquet-mr compatible Photon 1.2",
    "parquet-cpp-arrow version 5.0.0",
    "parquet-rs version 53.0.0",
    "x parquet-mr version 1.13.1",
]


def signed_by(by: str | None) -> dict[str, Any]:
    table = pa.table(
        {
            "i": pa.array([3, None, -4]),
            "d": pa.array([D(3), None, D(-4)], pa.decimal128(20, 0)),
            "s": pa.array([{"x": 1}] * 3, pa.struct([("x", pa.int64())])),
            "l": pa.array([[1]] * 3, NUMBERS),
        }
    )
    wanted = [
        Wanted(("i",), pa.int64()),
        Wanted(("d",), pa.decimal128(20, 0)),
        Wanted(("s", "x"), pa.int64()),
        Wanted(("l",), NUMBERS),
    ]
    return footer_statistics(written(table, by=by), wanted)


@pytest.mark.parametrize("by", TRUSTED)
def test_writers_that_are_known_are_believed(by: str | None) -> None:
    found = signed_by(by)
    assert found["nullCount"] == {"i": 1, "d": 1, "s": {"x": 0}, "l": 0}
    assert found["minValues"] == {"i": -4, "d": D(-4), "s": {"x": 1}}


@pytest.mark.parametrize("by", FOREIGN)
def test_others_are_believed_in_plain_columns_only(by: str) -> None:
    found = signed_by(by)
    assert found["nullCount"].keys() <= {"i", "d"}
    assert found["nullCount"]["i"] == 1
    assert (found["minValues"], found["maxValues"]) == ({"i": -4}, {"i": 3})


def test_a_stranger_that_saw_no_value_counted_no_null() -> None:
    table = pa.table({"c": pa.array([None, None], pa.int64())})
    for by, counts in (("parquet-rs version 4.0.0", {}), (None, {"c": 0})):
        lie = with_statistics(written(table, by=by), 0, 0, null_count=0)
        assert prove(lie, c=pa.int64())["nullCount"] == counts


# --- names ---------------------------------------------------------------------------------------

NAMES = ["a", "a.b", "a.b.c", "", " ", "ß", "日本", 'q"q', "b`b", "\\", "new\nline", "key", "list",
         "element", "numRecords", "x", "y.", ".y", "."]  # fmt: skip


def test_any_name_is_found_level_by_level() -> None:
    inner = pa.struct([(name, pa.int64()) for name in NAMES])
    numbers = {name: at for at, name in enumerate(NAMES)}
    table = pa.table(
        {
            "s": pa.array([{name: 100 + at for name, at in numbers.items()}], inner),
            **{name: pa.array([at]) for name, at in numbers.items()},
            "s.x": pa.array([-1]),
        }
    )
    wanted = [Wanted((name,), pa.int64()) for name in [*NAMES, "s.x"]]
    wanted += [Wanted(("s", name), pa.int64()) for name in NAMES]
    found = footer_statistics(written(table), wanted)
    low = {**numbers, "s": {name: 100 + at for name, at in numbers.items()}, "s.x": -1}
    assert found["minValues"] == found["maxValues"] == low
    assert json.loads(statistics_text(found)) == found


def test_names_that_differ_in_case_only_are_left_out() -> None:
    struct = pa.struct([("x", pa.int8()), ("X", pa.int8()), ("y", pa.int8())])
    value = {"x": 1, "X": 2, "y": 3}
    arrays = [pa.array([1], pa.int8())] * 4 + [pa.array([value], struct)] * 3
    table = pa.Table.from_arrays(arrays, names=["a", "A", "b", "c", "s", "t", "T"])
    paths = [*"aAbBcC", *[(s, x) for s in "stT" for x in "xXyY"]]
    wanted = [Wanted(tuple(path), pa.int8()) for path in paths]
    found = footer_statistics(written(table), wanted)
    assert found["maxValues"] == {"b": 1, "c": 1, "s": {"y": 3}}
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([None], pa.int64())], names=["a", "a"])
    assert prove(written(twice), a=pa.int64())["nullCount"] == {}


# --- files ---------------------------------------------------------------------------------------


def read(*uris: str | None, **wanted: pa.DataType) -> list[str | None]:
    read_footers = ReadFooters(tuple(Wanted((name,), dtype) for name, dtype in wanted.items()))
    batch = pa.RecordBatch.from_pydict(
        {"n": pa.array(range(len(uris))), "uri": pa.array(uris, pa.string())}
    )
    (out,) = pickle.loads(pickle.dumps(read_footers))([batch])
    assert out.schema == batch.schema.append(pa.field("footer", pa.string()))
    assert out.select(["n", "uri"]).equals(batch)
    return out.column("footer").to_pylist()


@pytest.mark.parametrize(
    "name", ["plain", "a b", "100%", "a%20b", "é日本", "p=1/q=a%3Ab", "#?&;", "a:b", "+"]
)
def test_files_are_found_by_their_encoded_paths(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "f.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1, 2]}), path)
    uri = path.as_uri()
    assert uri.startswith("file:///")
    bare = uri.removeprefix("file://")
    text = '{"numRecords":2,"nullCount":{"a":0},"minValues":{"a":1},"maxValues":{"a":2}}'
    uris = uri, bare, f"file:{bare}", f"FILE:{bare}", f"file://localhost{bare}"
    assert read(*uris, a=pa.int64()) == [text] * 5


def test_what_cannot_be_read_proves_nothing(tmp_path: Path) -> None:
    good = tmp_path / "good"
    pq.write_table(pa.table({"a": [1, 2]}), good)
    data = good.read_bytes()
    broken = {
        "empty": b"",
        "short": b"PAR1",
        "truncated": data[:-20],
        "text": b"a,b\n" * 100,
        "no magic": data[:-4] + b"XXXX",
        "encrypted": data[:-4] + b"PARE",
        "long": data[:-8] + b"\xff\xff\xff\x7f" + data[-4:],
        "zeros": data[:-100] + bytes(92) + data[-8:],
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    bad = [(tmp_path / name).as_uri() for name in broken]
    bad += [tmp_path.as_uri(), (tmp_path / "missing").as_uri(), "file:///%ff", "file:relative"]
    bad += ["", "relative", "nosuch://host/a", "file://another/host", "file://" + "x" * 5000]
    bad += ["s3a://bucket/a", "http://["]
    found = read(None, good.as_uri(), *bad, good.as_uri(), a=pa.int64())
    assert found[2:-1] == [None] * len(bad)
    assert found[0] is None
    assert found[1] == found[-1]
    assert found[1] is not None


def test_a_footer_that_contradicts_itself_gives_null(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    pq.write_table(pa.table({"a": [1, 2]}), path)
    real = pq.read_metadata(path)
    monkeypatch.setattr(pq, "read_metadata", lambda *_, **__: Altered(real, num_rows=3))
    assert read(path.as_uri(), a=pa.int64()) == [None]


def test_batches_without_rows_pass() -> None:
    assert read(a=pa.int64()) == []
    assert list(ReadFooters(())([])) == []


def test_other_storages_are_reached_through_arrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.fs

    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "f g")
    asked = []

    class Storage:
        @staticmethod
        def from_uri(uri: str) -> tuple[Any, str]:
            asked.append(uri)
            return pyarrow.fs.LocalFileSystem(), str(tmp_path / "f g")

    monkeypatch.setattr(pyarrow.fs, "FileSystem", Storage)
    (text,) = read("s3://bucket/f%20g", a=pa.int64())
    assert asked == ["s3://bucket/f%20g"]
    assert text is not None
    assert json.loads(text)["numRecords"] == 2


def test_paths_are_decoded_once() -> None:
    assert local_path("/a%2520b") == "/a%20b"
    assert local_path("file:/a+b") == "/a+b"
    assert local_path("file:////a") == "//a"
    assert local_path("file://host/a") is None


def test_a_worker_loads_parquet_only_when_it_reads() -> None:
    code = "import sys, spark_sig.kernels.footers; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert {"pyarrow.parquet", "pyarrow.fs", "pandas", "pyspark"} & set(loaded) == set()


# --- any file ------------------------------------------------------------------------------------

DAYS = st.dates()
SCALARS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    *((dtype, st.integers(low, high)) for dtype, (low, high) in INTEGERS.items()),
    (pa.decimal128(5, 2), st.integers(-99999, 99999).map(lambda n: D(n).scaleb(-2, EXACT))),
    (pa.decimal128(38, 9), st.integers(1 - 10**38, 10**38 - 1).map(
        lambda n: D(n).scaleb(-9, EXACT))),
    (pa.date32(), st.dates()),
    (pa.float64(), st.floats()),
    (pa.string(), st.text(st.characters(codec="utf-8"), max_size=3)),
    (pa.bool_(), st.booleans()),
    (pa.timestamp("us"), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))),
]  # fmt: skip

Typed = tuple[pa.DataType, st.SearchStrategy[Any]]


def rarely_none(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(*[values] * 9, st.none())


def list_of(inner: Typed) -> Typed:
    return pa.list_(inner[0]), st.lists(rarely_none(inner[1]), min_size=0, max_size=3)


def map_of(inner: Typed) -> Typed:
    entries = st.lists(st.tuples(st.text("ab", max_size=2), rarely_none(inner[1])), max_size=2)
    return pa.map_(pa.string(), inner[0]), entries


def struct_of(inner: list[Typed]) -> Typed:
    names = [f"m.{at}" for at in range(len(inner))]
    dtype = pa.struct(list(zip(names, (one[0] for one in inner), strict=True)))
    members = {name: rarely_none(one[1]) for name, one in zip(names, inner, strict=True)}
    return dtype, st.fixed_dictionaries(members)


TYPED: st.SearchStrategy[Typed] = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        inner.map(list_of),
        inner.map(map_of),
        st.lists(inner, min_size=1, max_size=2).map(struct_of),
    ),
    max_leaves=3,
)


def lookup(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = None if row is None else row[name]
    return row


def is_whole(value: Any) -> bool:
    """Whether nothing in a value is None or an empty list."""
    match value:
        case None | []:
            return False
        case list() | tuple():
            return all(map(is_whole, value))
        case dict():
            return all(map(is_whole, value.values()))
        case _:
            return True


def leaves_of(path: tuple[str, ...], dtype: pa.DataType) -> list[Wanted]:
    if not pa.types.is_struct(dtype):
        return [Wanted(path, dtype)]
    members = (dtype.field(i) for i in range(dtype.num_fields))
    return [one for member in members for one in leaves_of((*path, member.name), member.type)]


def bound(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value


# Who says to have written a file: an older pyarrow does not count as parquet-mr does.
WRITERS = [None, "parquet-mr version 1.13.1"][: 2 if int(pa.__version__.split(".")[0]) > 25 else 1]


@settings(max_examples=300, deadline=None)
@given(st.data(), TYPED, st.integers(1, 7), st.sampled_from(WRITERS))
def test_what_is_told_of_any_column_is_true(
    data: st.DataObject, typed: Typed, size: int, by: str | None
) -> None:
    dtype, values = typed
    rows = data.draw(st.lists(rarely_none(values), max_size=12))
    array = pa.array(rows, dtype)
    wanted = leaves_of(("c",), dtype)
    metadata = written(
        pa.table({"c": array}),
        by=by,
        row_group_size=size,
        use_dictionary=data.draw(st.booleans()),
        data_page_version=data.draw(st.sampled_from(["1.0", "2.0"])),
        store_decimal_as_integer=data.draw(st.booleans()),
    )
    found = footer_statistics(metadata, wanted)
    assert found["numRecords"] == len(rows)
    for path, leaf in wanted:
        column = [lookup({"c": row}, path) for row in rows]
        told = {key: lookup_told(found[key], path) for key in ("nullCount", "minValues")}
        if pa.types.is_nested(leaf):
            assert told["nullCount"] in (None, 0)
            if told["nullCount"] == 0:
                assert all(map(is_whole, column))
            assert told["minValues"] is None
            continue
        if by is None and len(path) > 1 and leaf == pa.string():
            assert told["nullCount"] is None
            continue
        assert told["nullCount"] == sum(value is None for value in column)
        has_bounds = any(map(lambda test: test(leaf), BOUNDED)) and told["nullCount"] < len(rows)
        assert (told["minValues"] is not None) == has_bounds
        if has_bounds:
            real = pc.min_max(pa.array(column, leaf)).as_py()
            assert told["minValues"] == bound(real["min"])
            assert lookup_told(found["maxValues"], path) == bound(real["max"])


BOUNDED = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_date)


def lookup_told(tree: dict[str, Any], path: tuple[str, ...]) -> Any:
    for name in path[:-1]:
        tree = tree.get(name, {})
    return tree.get(path[-1])
