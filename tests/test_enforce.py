"""Enforcement on the driver: any container in, one verdict, nothing of the caller's changed."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from spark_sig.engines.frames import GAPS
from spark_sig.engines.local import enforce
from spark_sig.errors import Code, SignatureError, ViolationError
from spark_sig.kernels.batch import run_batch
from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.signature import ModelSignature
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, Property

POLICIES = {
    "default": Policy(),
    "mlflow": Policy.mlflow(),
    "strict": Policy.strict(),
    "lossless": Policy(casts="lossless"),
}


def signature(*specs: ColSpec | TensorSpec, **more: Any) -> ModelSignature:
    return ModelSignature(inputs=Schema(specs), **more)


def column(dtype: ColumnType | str, required: bool = True) -> ModelSignature:
    return signature(ColSpec(dtype, "c", required))


def objects(*values: Any) -> pd.Series[Any]:
    made = np.empty(len(values), object)
    for place, value in enumerate(values):
        made[place] = value
    return pd.Series(made, name="c", dtype=object)


def violations(
    data: Any, contract: ModelSignature, policy: Policy | None = None
) -> list[tuple[str, str]]:
    """Enforce; return path and code of each violation.  Any other exception fails the test."""
    try:
        enforce(data, contract, policy=policy)
    except ViolationError as error:
        return [(v.path, v.code.value) for v in error.violations]
    return []


# --- one body for every container -----------------------------------------------------------------

ROWS: list[dict[str, Any]] = [
    {"a": 1, "b": 1.5, "s": "x", "l": [1, 2], "o": {"p": "u"}},
    {"a": 2, "b": -0.5, "s": "", "l": [], "o": {"p": "v", "q": 7}},
    {"a": 3, "b": 2.0, "s": "ü", "l": [3], "o": {"p": "w", "q": None}},
]
TABLE = signature(
    ColSpec("long", "a"),
    ColSpec("double", "b"),
    ColSpec("string", "s"),
    ColSpec(Array("long"), "l"),
    ColSpec(Object([Property("p", "string"), Property("q", "long", False)]), "o"),
)

# The list and the dict column make NumPy unable to hold the rows.
CONTAINERS: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "frame": lambda rows: pd.DataFrame(
        {key: objects(*(row[key] for row in rows)) for key in rows[0]}
    ),
    "typed frame": lambda rows: pd.DataFrame(rows),
    "arrow table": lambda rows: pa.Table.from_pylist(rows),
    "record batch": lambda rows: pa.RecordBatch.from_pylist(rows),
    "list of dicts": lambda rows: rows,
}


def as_rows(data: Any) -> list[dict[str, Any]]:
    """Return what came out as plain rows, in which a missing property and a null one are one."""
    if isinstance(data, (pa.Table, pa.RecordBatch)):
        rows = data.to_pylist()
    else:
        rows = [{name: data[name].iloc[i] for name in data} for i in range(len(data))]
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, np.ndarray)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_rows_and_stays_what_it_was(
    container: str, policy: str
) -> None:
    given_rows = copy.deepcopy(ROWS)
    data = CONTAINERS[container](given_rows)
    before = copy.deepcopy(data)
    out = enforce(data, TABLE, policy=POLICIES[policy])
    assert as_rows(out) == as_rows(pd.DataFrame(ROWS))
    assert given_rows == ROWS
    _assert_same(data, before)
    if isinstance(data, (pa.Table, pa.RecordBatch)):
        assert type(out) is type(data)
    else:
        assert isinstance(out, pd.DataFrame)
        assert out["a"].dtype == np.int64
        assert out["b"].dtype == np.float64


def _assert_same(data: Any, before: Any) -> None:
    if isinstance(data, pd.DataFrame):
        pd.testing.assert_frame_equal(data, before)
    elif isinstance(data, (pa.Table, pa.RecordBatch)):
        assert data.equals(before)
    else:
        assert data == before


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], None], tuple[str, str]]] = {
    "null": (lambda row: row.update(s=None), ("$.s", "null")),
    "list": (lambda row: row.update(l=None), ("$.l", "null")),
    "element": (lambda row: row.update(l=[1, None]), ("$.l[*]", "null")),
    "member": (lambda row: row["o"].update(p=None), ("$.o.p", "null")),
    "record": (lambda row: row.update(o=None), ("$.o", "null")),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_container_finds_the_same_violation(container: str, broken: str, place: int) -> None:
    rows = copy.deepcopy(ROWS)
    breaks, expected = BROKEN[broken]
    breaks(rows[place])
    assert violations(CONTAINERS[container](rows), TABLE) == [expected]


# --- columns: what passes, and what comes out -----------------------------------------------------

PASSES: list[tuple[str, ColumnType | str, Any, str]] = [
    ("int32 to long", "long", np.array([1, 2], "int32"), "int64"),
    ("uint32 to double", "double", np.array([1, 2], "uint32"), "float64"),
    ("float16 to float", "float", np.array([1, 2], "float16"), "float32"),
    ("bool", "boolean", np.array([True, False]), "bool"),
    ("seconds stay seconds", "datetime", np.array(["3000-01-01"], "M8[s]"), "datetime64[s]"),
    ("objects of ints", "long", objects(1, 2), "int64"),
    ("objects of int and float", "double", objects(1, 2.5), "float64"),
    ("objects of flags", "boolean", objects(True, np.True_), "bool"),
    ("dates", "datetime", objects(dt.date(2024, 1, 1)), "datetime64[ns]"),
    ("far dates", "datetime", objects(dt.date(9999, 1, 1)), "datetime64[us]"),
    ("dates and datetimes", "datetime", objects(dt.date(2024, 1, 1), dt.datetime(2024, 1, 2)),
     "datetime64[ns]"),
    ("nullable without nulls", "long", pd.array([1, 2], "Int64"), "int64"),
    ("nullable to wider", "long", pd.array([1, 2], "UInt32"), "int64"),
    ("Arrow-backed", "double", pd.array([1, 2], pd.ArrowDtype(pa.int32())), "float64"),
    ("Arrow-backed text", "string", pd.array(["a"], pd.ArrowDtype(pa.large_string())), "object"),
    ("string dtype", "string", pd.array(["a", "b"], "string"), "string"),
    ("categories", "string", pd.Categorical(["a", "b", "a"]), "category"),
    ("zone", "datetime", pd.DatetimeIndex(["2024-01-01"], tz="Europe/Paris"),
     "datetime64[ns, Europe/Paris]"),
    ("sparse", "long", pd.arrays.SparseArray([0, 1, 0]), "int64"),
    ("bytes", "binary", objects(b"a", bytearray(b"b")), "object"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("dtype", "values", "out"), [p[1:] for p in PASSES], ids=[p[0] for p in PASSES]
)
def test_what_passes_comes_out_in_the_declared_type(
    dtype: ColumnType | str, values: Any, out: str
) -> None:
    made = enforce(pd.DataFrame({"c": values}), column(dtype))
    assert str(made["c"].dtype) == out
    given_values = [_comparable(value) for value in pd.Series(values)]
    assert [_comparable(value) for value in made["c"]] == given_values


def _comparable(value: Any) -> Any:
    if isinstance(value, (dt.date, np.datetime64)):
        return pd.Timestamp(value)
    return value


REFUSED: list[tuple[str, ColumnType | str, Any]] = [
    ("long to double", "double", np.array([0, 1])),
    ("double to float", "float", np.array([1.0])),
    ("uint64 to long", "long", np.array([1], "uint64")),
    ("flags to long", "long", np.array([True])),
    ("text to double", "double", objects("1")),
    ("text to datetime", "datetime", objects("2024-01-01")),
    ("decimal to double", "double", objects(decimal.Decimal("1.5"))),
    ("bytes to string", "string", objects(b"x")),
    ("text to binary", "binary", objects("x")),
    ("text to boolean", "boolean", objects("x", None)),
    ("list to string", "string", objects(["x"])),
    ("mixed", "string", objects("x", 1)),
    ("flags and ints", "long", objects(True, 2)),
    ("naive and aware", "datetime",
     objects(dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc))),
    ("time", "datetime", objects(dt.time(1))),
    ("timedelta", "long", np.array([1], "m8[s]")),
    ("complex", "double", np.array([1j])),
    ("period", "datetime", pd.period_range("2024", periods=1, freq="D")),
    ("interval", "long", pd.interval_range(0, 1)),
    ("huge int", "long", objects(2**63)),
    ("tuple for a list", Array("long"), objects((1, 2))),
    ("set for a list", Array("long"), objects({1})),
    ("text for a list", Array("string"), objects("abc")),
    ("list for a record", Object([Property("p", "long")]), objects([1])),
    ("int keys", Map("long"), objects({1: 1})),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "values"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
@pytest.mark.parametrize("policy", ["default", "mlflow", "strict"])
def test_what_is_of_another_type_is_refused_with_its_place(
    dtype: ColumnType | str, values: Any, policy: str
) -> None:
    found = violations(pd.DataFrame({"c": values}), column(dtype), POLICIES[policy])
    assert [code for _, code in found] == ["type"]
    assert found[0][0].startswith("$.c")


def test_integers_beside_floats_are_floats_in_a_column_or_a_list_and_nowhere_else() -> None:
    assert enforce(pd.DataFrame({"c": objects(1, 2.5)}), column("double"))["c"].tolist() == [1, 2.5]
    listed = enforce(pd.DataFrame({"c": objects([1, 2.5], [0.5])}), column(Array("double")))["c"]
    assert [[type(item) for item in cell] for cell in listed] == [[float, float], [float]]
    # A neighbour changes no verdict: neither another list, nor another member.
    beside = pd.DataFrame({"c": objects([1, 2.5], [2])})
    assert violations(beside, column(Array("double"))) == [("$.c[*]", "type")]
    maps = pd.DataFrame({"c": objects({"x": 1, "y": 2.5})})
    assert violations(maps, column(Map("double"))) == [("$.c[*]", "type")]
    made = enforce(maps, column(Map("double")), policy=Policy(casts="lossless"))["c"].iloc[0]
    assert [type(made[key]) for key in "xy"] == [float, float]
    records = pd.DataFrame({"c": objects({"p": 1}, {"p": 2.5})})
    price = column(Object([Property("p", "double")]))
    assert violations(records, price) == [("$.c.p", "type")]
    assert enforce(records, price, policy=Policy(casts="lossless"))["c"].tolist() == [
        {"p": 1.0},
        {"p": 2.5},
    ]
    widths = pd.DataFrame({"c": objects({"k": np.int16(1), "l": np.int8(2)})})
    assert enforce(widths, column(Map("integer")))["c"].tolist() == [{"k": 1, "l": 2}]


def test_a_verdict_under_safe_depends_on_no_value() -> None:
    for values in ([0, 1], [2, 3], [2**53 + 1], []):
        frame = pd.DataFrame({"c": np.array(values, "int64")})
        assert violations(frame, column("double")) == [("$.c", "type")]


@pytest.mark.parametrize(
    ("values", "dtype", "fits"),
    [
        (np.array([1.0, 2.0]), "integer", True),
        (np.array([1.5]), "integer", False),
        (np.array([-0.0]), "integer", False),
        (np.array([2**53 + 1]), "double", False),
        (np.array([2**53]), "double", True),
        (objects("1.5", "2e3"), "double", True),
        (objects("1.5 "), "double", False),
        (objects(decimal.Decimal("0.5")), "double", True),
        (objects(decimal.Decimal("0.1")), "double", False),
        (np.array([True]), "long", None),
    ],
)
def test_lossless_decides_by_value(values: Any, dtype: str, fits: bool | None) -> None:
    frame = pd.DataFrame({"c": values})
    found = violations(frame, column(dtype), Policy(casts="lossless"))
    assert found == ([] if fits else [("$.c", "type" if fits is None else "cast")])
    if fits:
        made = enforce(frame, column(dtype), policy=Policy(casts="lossless"))
        assert [float(v) for v in made["c"]] == [float(v) for v in values]


# --- nulls and NaN --------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("string", "x"),
        ("boolean", True),
        ("long", 3),
        ("datetime", dt.datetime(2024, 1, 1)),
        ("binary", b"x"),
        (Array("long"), [1]),
        (Object([Property("p", "long")]), {"p": 1}),
        (Map("long"), {"p": 1}),
    ],
)
def test_every_marker_of_a_missing_value_is_null(
    missing: Any, dtype: ColumnType | str, value: Any
) -> None:
    frame = pd.DataFrame({"c": objects(value, missing)})
    assert violations(frame, column(dtype)) == [("$.c", "null")]
    made = enforce(frame, column(dtype, required=False))
    assert pd.isna(made["c"].iloc[1])
    assert _comparable(made["c"].iloc[0]) == _comparable(value)


def test_nan_is_a_value_among_floats_unless_it_is_rejected() -> None:
    frame = pd.DataFrame({"c": [1.0, np.nan]})
    made = enforce(frame, column("double"))
    assert np.isnan(made["c"].iloc[1])
    assert violations(frame, column("double"), Policy(nan="reject")) == [("$.c", "null")]
    nested = pd.DataFrame({"c": objects([1.0, np.nan], [np.nan])})
    assert violations(nested, column(Array("double"))) == []
    assert violations(nested, column(Array("double")), Policy(nan="reject")) == [("$.c[*]", "null")]


def test_integers_with_missing_values_name_the_three_remedies() -> None:
    frame = pd.DataFrame({"c": [1, None, 3]})
    with pytest.raises(ViolationError) as caught:
        enforce(frame, column("long", required=False))
    text = str(caught.value)
    assert "$.c" in text
    assert GAPS in text
    # ... and each of the three helps.
    nullable = frame.astype({"c": "Int64"})
    assert enforce(nullable, column("long", False))["c"].tolist() == [1, pd.NA, 3]
    made = enforce(frame, column("long", False), policy=Policy(casts="lossless"))["c"]
    assert (str(made.dtype), made.isna().tolist()) == ("Int64", [False, True, False])
    assert enforce(frame, column("double"))["c"].dtype == np.float64


def test_integers_beside_nulls_never_pass_through_float() -> None:
    large = 2**53 + 1
    for values in (objects(large, None), pd.array([large, None], "Int64")):
        made = enforce(pd.DataFrame({"c": values}), column("long", False))
        assert made["c"].iloc[0] == large
    assert enforce([{"c": large}, {}], column("long", False))["c"].iloc[0] == large


FINE = pd.Timestamp("2020-01-01 00:00:00.000000001")


@pytest.mark.parametrize("casts", ["safe", "lossless", "exact"])
def test_nanoseconds_beside_moments_beyond_theirs_are_never_dropped(casts: Any) -> None:
    far = dt.datetime(9999, 1, 1)
    policy = Policy(casts=casts)
    for data, contract, path in (
        (pd.DataFrame({"c": objects(FINE, far)}), column("datetime"), "$.c"),
        ([{"c": FINE}, {"c": far}], column("datetime"), "$.c"),
        (pd.DataFrame({"c": objects([FINE, far])}), column(Array("datetime")), "$.c[*]"),
    ):
        assert violations(data, contract, policy) == [(path, "type")]
    # Whole microseconds fit beside them, and stay what they are.
    made = enforce(pd.DataFrame({"c": objects(FINE.floor("us"), far)}), column("datetime"))
    assert made["c"].tolist() == [pd.Timestamp(2020, 1, 1), pd.Timestamp(9999, 1, 1)]
    for odd in (np.datetime64("20000-01-01"), np.datetime64(1, "ps")):
        assert violations(pd.DataFrame({"c": objects(odd)}), column("datetime")) == [
            ("$.c", "type")
        ]


def encoded(values: list[Any], how: str) -> pd.Series[Any]:
    """Return 1, a null, 1 as pandas holds Arrow's encodings."""
    array: Any = pa.array(values, pa.int32())
    if how == "dictionary":
        array = pa.DictionaryArray.from_arrays(pa.array(range(len(values))), array)
    elif how == "run ends":
        array = pc.run_end_encode(array)
    return pd.Series(pd.arrays.ArrowExtensionArray(array), name="c")


@pytest.mark.parametrize("how", ["plain", "dictionary", "run ends"])
@pytest.mark.parametrize("dtype", ["integer", "long", AnyType()])
def test_a_null_among_the_values_that_arrow_encodes_is_null(
    how: str, dtype: ColumnType | str
) -> None:
    frame = encoded([1, None, 1], how).to_frame()
    assert violations(frame, column(dtype)) == [("$.c", "null")]
    first, null, last = enforce(frame, column(dtype, False))["c"].tolist()
    # pandas 2.2 has None here where run ends were decoded
    assert (first, pd.isna(null), last) == (1, True, 1)
    assert enforce(encoded([1, 2], how).to_frame(), column(dtype))["c"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(np.array([1, "NaT"], "m8[s]")),
        pd.Series(pd.PeriodIndex(["2020", None], freq="Y")),
        pd.Series(pd.arrays.IntervalArray.from_tuples([(0.0, 1.0), None])),
        objects("x", np.nan),
        objects(1, np.nan),
        objects({1}, np.datetime64("NaT")),
        objects("x", np.timedelta64("NaT")),
    ],
)
def test_anything_is_no_null_whatever_holds_it(values: pd.Series[Any]) -> None:
    frame = pd.DataFrame({"c": values})
    assert violations(frame, column(AnyType())) == [("$.c", "null")]
    assert violations(frame[:1], column(AnyType())) == []
    for lenient in (enforce(frame, column(AnyType(), False)),
                    enforce(frame, column(AnyType()), policy=Policy(nulls="allow"))):  # fmt: skip
        pd.testing.assert_series_equal(lenient["c"], values, check_names=False)


def test_nan_among_floats_of_any_type_is_a_value() -> None:
    frame = pd.DataFrame({"c": objects(np.nan, 0.5), "d": objects(np.nan, np.nan)})
    contract = signature(ColSpec(AnyType(), "c"), ColSpec(AnyType(), "d"))
    assert violations(frame, contract) == []


LONE = "\ud800"


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (objects(LONE), "string"),
        (objects(LONE, None), "string"),
        (pd.Series([LONE, None], dtype="string"), "string"),
        (pd.Series(pd.Categorical.from_codes([0, -1], np.array([LONE], object))), "string"),
        (objects([LONE, "x"], None), Array("string")),
        (objects({LONE: LONE}, None), Map("string")),
        (objects({"k": LONE}, None), Object([Property("k", "string")])),
    ],
)
def test_text_that_utf_8_cannot_write_is_text_everywhere(
    values: pd.Series[Any], dtype: ColumnType | str
) -> None:
    frame = pd.DataFrame({"c": values})
    made = enforce(frame, column(dtype, False))
    assert made["c"].iloc[0] == values.iloc[0]
    required = violations(frame, column(dtype))
    assert required == ([("$.c", "null")] if len(values) > 1 else [])
    number = violations(
        pd.DataFrame({"c": objects(LONE)}), column("long"), Policy(casts="lossless")
    )
    assert number == [("$.c", "cast")]


def test_names_that_utf_8_cannot_write_are_names_like_others() -> None:
    records = pd.DataFrame({"c": objects({"k": 1, LONE: 2})})
    assert violations(records, column(Object([Property("k", "long")]))) == [
        ("$.c['\\\\ud800']", "extra_property")
    ]
    frame = pd.DataFrame({LONE: [1], "c": [2]})
    assert enforce(frame, column("long"))["c"].tolist() == [2]
    assert list(enforce(frame, column("long"), policy=Policy(extra="keep"))) == ["c", LONE]
    found = violations(frame, column("long"), Policy(extra="forbid"))
    assert [code for _, code in found] == ["extra_column"]
    for path, _ in found:
        path.encode()


# --- nested values --------------------------------------------------------------------------------

RECORD = Object([Property("a", "long"), Property("b", "string", False)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 1}, []),
        ({"a": 1, "b": None}, []),
        ({"b": "x"}, [("$.c.a", "missing_property")]),
        ({}, [("$.c.a", "missing_property")]),
        ({"a": None}, [("$.c.a", "null")]),
        ({"a": 1, "z": 1}, [("$.c.z", "extra_property")]),
        ({"a": 1, 5: 1}, [("$.c['5']", "extra_property")]),
        ({"a": "x"}, [("$.c.a", "type")]),
        ({"a": 1, "b": 2}, [("$.c.b", "type")]),
        ({"a": 1.0}, [("$.c.a", "type")]),
    ],
)
@pytest.mark.parametrize("policy", ["default", "mlflow"])
def test_records(value: Any, expected: list[tuple[str, str]], policy: str) -> None:
    before = copy.deepcopy(value)
    frame = pd.DataFrame({"c": objects({"a": 1}, value, {"a": 2, "b": "x"})})
    assert violations(frame, column(RECORD), POLICIES[policy]) == expected
    assert value == before


def test_all_violations_are_listed_at_once() -> None:
    contract = signature(
        ColSpec("long", "n"), ColSpec("string", "s"), ColSpec(RECORD, "r"), ColSpec("double", "d")
    )
    frame = pd.DataFrame(
        {"s": ["x", None], "r": objects({"z": 1}, {"a": 1}), "x": 1, "d": ["u", "v"]}
    )
    with pytest.raises(ViolationError) as caught:
        enforce(frame, contract)
    found = [(v.path, v.code) for v in caught.value.violations]
    assert sorted(found) == [
        ("$.d", Code.TYPE),
        ("$.n", Code.MISSING_COLUMN),
        ("$.r.a", Code.MISSING_PROPERTY),
        ("$.r.z", Code.EXTRA_PROPERTY),
        ("$.s", Code.NULL),
    ]
    assert all(path in str(caught.value) for path, _ in found)
    assert pickle.loads(pickle.dumps(caught.value)).violations == caught.value.violations


def test_no_value_stands_in_an_error_unless_it_is_asked_for() -> None:
    frame = pd.DataFrame({"c": objects("secret-1", "12")})
    lossless = Policy(casts="lossless")
    with pytest.raises(ViolationError) as caught:
        enforce(frame, column("long"), policy=lossless)
    assert "secret" not in str(caught.value)
    with pytest.raises(ViolationError, match="secret-1"):
        enforce(frame, column("long"), policy=Policy(casts="lossless", show_values=True))


def test_converted_members_leave_the_callers_dicts_alone() -> None:
    inner = {"a": np.int32(1), "b": "x"}
    frame = pd.DataFrame({"c": objects(inner, {"a": np.int32(2)}, None)})
    made = enforce(frame, column(RECORD, required=False))
    assert made["c"].tolist()[:2] == [{"a": 1, "b": "x"}, {"a": 2}]
    assert type(made["c"].iloc[0]["a"]) is int
    assert type(inner["a"]) is np.int32


def test_lists_and_arrays_come_out_as_they_went_in() -> None:
    frame = pd.DataFrame({"c": objects(np.array([1, 2], "int8"), [np.int8(3)], [], None)})
    made = enforce(frame, column(Array("long"), required=False))["c"].tolist()
    assert isinstance(made[0], np.ndarray)
    assert made[0].dtype == np.int64
    assert made[1:] == [[3], [], None]
    maps = pd.DataFrame({"c": objects({"k": np.float32(0.5)}, {})})
    assert enforce(maps, column(Map("double")))["c"].tolist() == [{"k": 0.5}, {}]


def test_anything_passes_as_it_is() -> None:
    for values in objects({1}, "x", 1, 2.5, [None]), objects(dt.datetime(2024, 1, 1)):
        made = enforce(pd.DataFrame({"x": 1, "c": values}), column(AnyType()))
        assert all(a is b for a, b in zip(made["c"], values, strict=True))
    assert violations(pd.DataFrame({"c": objects(1, None)}), column(AnyType())) == [("$.c", "null")]


# --- matching -------------------------------------------------------------------------------------

TWO = signature(ColSpec("long", "a"), ColSpec("double", "b", required=False))


def test_names_match_in_any_order_and_extras_go() -> None:
    frame = pd.DataFrame({"x": ["p"], "b": [1.5], "a": [1]}, index=[7])
    made = enforce(frame, TWO)
    assert list(made.columns) == ["a", "b"]
    assert made.index.tolist() == [7]
    kept = enforce(frame, TWO, policy=Policy(extra="keep"))
    assert list(kept.columns) == ["a", "b", "x"]
    assert violations(frame, TWO, Policy(extra="forbid")) == [("$.x", "extra_column")]


def test_a_missing_optional_column_is_filled_with_nulls() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    assert enforce(frame, TWO)["b"].isna().all()
    assert list(enforce(frame, TWO, policy=Policy.mlflow()).columns) == ["a"]
    optional = signature(ColSpec("long", "a", required=False))
    assert len(enforce(pd.DataFrame({"x": [1, 2]}), optional)) == 2


def test_positions_match_where_the_schema_has_no_names() -> None:
    contract = signature(ColSpec("long"), ColSpec("double"))
    made = enforce(pd.DataFrame({"x": [1], "y": [1.5], "z": ["u"]}), contract)
    assert list(made.columns) == ["x", "y"]
    assert violations(pd.DataFrame({"x": [1]}), contract) == [("$[1]", "missing_column")]
    assert enforce(np.array([[1, 2]], "int32"), contract).dtypes.tolist() == [np.int64, np.float64]
    # A label that looks like a position is a label.
    odd = pd.DataFrame({"$[1]": [1], "$[0]": [1.5]})
    assert enforce(odd, contract)["$[1]"].tolist() == [1]


def test_case_and_near_misses() -> None:
    frame = pd.DataFrame({"A": [1], "b": [1.5]})
    with pytest.raises(ViolationError, match="did you mean 'A'"):
        enforce(frame, TWO)
    assert list(enforce(frame, TWO, policy=Policy(case="insensitive")).columns) == ["a", "b"]


def test_names_are_read_as_they_are_matched() -> None:
    # One of these is the other's upper case, but none is its lower case.
    frame = pd.DataFrame({"ß": objects({"k": 1}), "ss": [1]})
    contract = signature(ColSpec(Object([Property("k", "long")]), "ß"), ColSpec("long", "ss"))
    made = enforce(frame, contract, policy=Policy(case="insensitive"))
    assert [made["ß"].iloc[0], made["ss"].iloc[0]] == [{"k": 1}, 1]


def test_duplicate_names_are_refused() -> None:
    frame = pd.DataFrame([[1, 2.0]], columns=["a", "a"])
    with pytest.raises(SignatureError, match="more than one column named 'a'"):
        enforce(frame, TWO)


def test_a_frame_without_rows_conforms_by_its_dtypes() -> None:
    frame = pd.DataFrame({"a": np.array([], "int64"), "b": np.array([], object)})
    assert enforce(frame, TWO).dtypes.tolist() == [np.int64, np.float64]


def test_conforming_columns_are_not_copied() -> None:
    values = np.arange(10)
    frame = pd.DataFrame({"a": values, "b": np.ones(10)}, copy=False)
    for _ in range(2):  # the second time by the plan of the first
        made = enforce(frame, TWO)
        assert made is not frame
        assert np.shares_memory(made["a"].to_numpy(), frame["a"].to_numpy())


def test_a_plan_made_for_some_values_is_not_used_for_others() -> None:
    for _ in range(2):
        assert violations(pd.DataFrame({"c": ["x", "y"]}), column("string")) == []
        assert violations(pd.DataFrame({"c": objects("x", None)}), column("string")) == [
            ("$.c", "null")
        ]
        assert violations(pd.DataFrame({"c": objects({1}, None)}), column("string")) == [
            ("$.c", "type")
        ]
        assert violations(pd.DataFrame({"c": objects(True)}), column("boolean")) == []
        assert violations(pd.DataFrame({"c": objects({1})}), column("boolean")) == [("$.c", "type")]
        times = pd.DataFrame({"c": np.array(["2024-01-01", "NaT"], "M8[ns]")})
        assert violations(times, column("datetime")) == [("$.c", "null")]
        assert violations(times[:1], column("datetime")) == []


# --- other containers -----------------------------------------------------------------------------


def test_scalars_lists_dicts_and_series() -> None:
    assert enforce("x", signature(ColSpec("string")))[0].tolist() == ["x"]
    assert enforce(b"x", signature(ColSpec("binary")))[0].tolist() == [b"x"]
    assert enforce(["a", "b"], signature(ColSpec("string")))[0].tolist() == ["a", "b"]
    assert enforce([np.float32(0.5)], signature(ColSpec("float")))[0].dtype == np.float32
    assert enforce({"a": [1, 2], "b": 0.5}, TWO)["b"].tolist() == [0.5, 0.5]
    assert enforce({"a": np.array(1), "b": None}, TWO)["a"].tolist() == [1]
    assert enforce(pd.Series([1], name="a"), TWO)["a"].tolist() == [1]
    assert enforce(dt.datetime(2024, 1, 1), signature(ColSpec("datetime"))).iloc[0, 0].year == 2024
    texts = enforce({"c": ["u", "v"]}, column("string"))
    assert texts["c"].tolist() == ["u", "v"]


@pytest.mark.parametrize("data", [None, {1}, (1, 2), object(), iter([1]), 1j, [[1], {"a": 1}]])
@pytest.mark.parametrize("contract", [column("long"), signature(TensorSpec("float64", (-1,)))])
def test_what_is_no_data_is_one_clear_violation(data: Any, contract: ModelSignature) -> None:
    with pytest.raises(ViolationError) as caught:
        enforce(data, contract)
    assert len(caught.value.violations) == 1


def test_lists_of_different_lengths_are_one_clear_violation() -> None:
    assert violations({"a": [1, 2], "b": [0.5]}, TWO) == [("$", "type")]
    # One that pandas would resolve by dropping the single value.
    assert violations({"a": 1, "b": []}, TWO) == [("$", "type")]


def test_arrow_comes_out_as_arrow_and_untouched_columns_as_they_were() -> None:
    table = pa.table({"a": pa.chunked_array([[1], [2]]), "b": pa.array([1, 2], pa.int32())})
    made = enforce(table, TWO)
    assert made.schema.types == [pa.int64(), pa.float64()]
    assert made["a"].num_chunks == 2
    assert enforce(table.slice(0, 0), TWO).num_rows == 0
    array = enforce(pa.array([1, 2], pa.int8()), signature(ColSpec("long")))
    assert array.equals(pa.array([1, 2]))
    assert violations(pa.table({"a": pa.chunked_array([[1], [None]], pa.int64())}), TWO) == [
        ("$.a", "null")
    ]


# --- tensors --------------------------------------------------------------------------------------

IMAGES = signature(TensorSpec("uint8", (-1, 2, 2)))


def test_arrays_pass_as_they_are_or_say_why_not() -> None:
    good = np.zeros((3, 2, 2), np.uint8)
    assert enforce(good, IMAGES) is good
    assert violations(good.astype("float32"), IMAGES) == [("$", "type")]
    assert violations(good[0], IMAGES) == [("$", "shape")]
    assert violations(good.astype("int64")[:, :1], IMAGES) == [("$", "type"), ("$", "shape")]
    assert violations(good, signature(TensorSpec("uint8", (2, 2, 2)))) == [("$", "shape")]
    assert violations(np.zeros(1, "M8[ns]"), signature(TensorSpec("M8[s]", (-1,)))) == [
        ("$", "type")
    ]
    assert violations(np.array(["abc"]), signature(TensorSpec("str", (-1,)))) == []
    nan = np.array([np.nan])
    assert violations(nan, signature(TensorSpec("float64", (-1,))), Policy(nan="reject")) == [
        ("$", "null")
    ]


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix])
def test_sparse_matrices(kind: Any) -> None:
    contract = signature(TensorSpec("float64", (-1, 3)))
    matrix = kind(np.eye(3))
    assert enforce(matrix, contract) is matrix
    assert violations(matrix.astype("float32"), contract) == [("$", "type")]
    assert violations(kind(np.eye(4)), contract) == [("$", "shape")]


def test_named_tensors() -> None:
    contract = signature(TensorSpec("float64", (-1, 2), "a"), TensorSpec("int64", (-1,), "b"))
    data = {"b": np.array([7]), "x": 1, "a": np.ones((1, 2))}
    made = enforce(data, contract)
    assert list(made) == ["a", "b"]
    assert made["a"] is data["a"]
    assert violations({"a": [[1.0, 2.0]]}, contract) == [("$.a", "type"), ("$.b", "missing_column")]
    one = signature(TensorSpec("float64", (-1,), "a"))
    assert list(enforce(np.ones(2), one)) == ["a"]


def ragged(*rows: Any) -> np.ndarray[Any, Any]:
    made = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        made[place] = row
    return made


@pytest.mark.parametrize(
    ("array", "shape", "expected"),
    [
        (ragged(np.ones(1), np.ones(2)), (-1, -1), []),
        (ragged(np.ones((2, 5, 3)), np.ones((1, 4, 3))), (-1, -1, -1, 3), []),
        (ragged(np.ones((2, 5, 3)), np.ones((1, 4, 2))), (-1, -1, -1, 3), [("$[*]", "shape")]),
        (ragged([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]), (-1, -1, 2), []),
        (ragged([[1.0, 2.0]], [[3.0]]), (-1, -1, 2), [("$[*][*]", "shape")]),
        (ragged([1.0], [1]), (-1, -1), [("$[*][*]", "type")]),
        (ragged(np.ones(1, "float32"), np.ones(2)), (-1, -1), [("$[*]", "type")]),
        (ragged([1.0], None), (-1, -1), [("$[*]", "null")]),
        (ragged([1.0, None]), (-1, -1), [("$[*][*]", "null")]),
        (ragged(1.0), (-1, -1), [("$[*]", "shape")]),
        (ragged(np.ones(1)), (2, -1), [("$", "shape")]),
    ],
)
def test_ragged_arrays_are_checked_level_by_level(
    array: Any, shape: tuple[int, ...], expected: list[tuple[str, str]]
) -> None:
    assert violations(array, signature(TensorSpec("float64", shape))) == expected
    whole = signature(TensorSpec("object", (-1,)))
    assert enforce(array, whole, policy=Policy(nulls="allow")) is array


@pytest.mark.parametrize(
    ("values", "dtype", "shape", "expected"),
    [
        (objects([1.0, 2.0], [3.0, 4.0]), "float64", (-1, 2), [[1.0, 2.0], [3.0, 4.0]]),
        (objects([0.5, 2.0]), "float32", (-1, 2), [[0.5, 2.0]]),
        (objects([1, 2, 3, 4]), "int8", (-1, 2, 2), [[[1, 2], [3, 4]]]),
        (objects([[1, 2], [3, 4]]), "int64", (-1, 2, 2), [[[1, 2], [3, 4]]]),
        (objects(np.ones((2, 2))), "float64", (-1, 2, 2), [[[1.0, 1.0], [1.0, 1.0]]]),
        (pd.Series([1, 2], name="c"), "float64", (-1,), [1.0, 2.0]),
        (pd.Series([1, 2], name="c"), "float64", (-1, 1), [[1.0], [2.0]]),
        (pd.Series([1, 2], name="c"), "int64", (2,), [1, 2]),
        (objects("a", "b"), "str", (-1,), ["a", "b"]),
        (objects([1.9]), "int64", (-1, 1), "cast"),
        (objects([300]), "int8", (-1, 1), "cast"),
        (objects([0.1]), "float32", (-1, 1), "cast"),
        (objects([np.nan]), "int64", (-1, 1), "null"),
        (pd.Series([np.nan], name="c"), "int64", (-1,), "cast"),
        (objects([2**53 + 1]), "float64", (-1, 1), "cast"),
        (objects([-1]), "uint64", (-1, 1), "cast"),
        (pd.Series([2**63], dtype="uint64", name="c"), "int64", (-1,), "cast"),
        (pd.Series([2**63 - 1], name="c"), "float64", (-1,), "cast"),
        (pd.Series([float(2**63)], name="c"), "int64", (-1,), "cast"),
        (pd.Series([-0.0], name="c"), "int64", (-1,), "cast"),
        (objects(["1.5"]), "float64", (-1, 1), "type"),
        (objects([True]), "int64", (-1, 1), "type"),
        (objects([1.0, 2.0], [3.0]), "float64", (-1, 2), "shape"),
        (objects([1.0], None), "float64", (-1, 1), "type"),
        (objects([1.0, None]), "float64", (-1, 2), "null"),
        (pd.Series([1, 2], name="c"), "int64", (3,), "row_count"),
    ],
)
def test_a_column_becomes_a_tensor_exactly_or_not_at_all(
    values: pd.Series[Any], dtype: str, shape: tuple[int, ...], expected: Any
) -> None:
    contract = signature(TensorSpec(dtype, shape))
    frame = pd.DataFrame({"c": values})
    before = copy.deepcopy(frame)
    if isinstance(expected, str):
        assert [code for _, code in violations(frame, contract)] == [expected]
    else:
        made = enforce(frame, contract)
        assert made.dtype.kind == np.dtype(dtype).kind
        assert made.tolist() == expected
    pd.testing.assert_frame_equal(frame, before)


def test_a_tensor_of_too_few_rows_of_a_wrong_dtype_is_both() -> None:
    frame = pd.DataFrame({"c": objects("x")})
    found = violations(frame, signature(TensorSpec("float64", (3,))))
    assert found == [("$", "row_count"), ("$", "type")]


def test_columns_stack_by_position() -> None:
    contract = signature(TensorSpec("float64", (-1, 2)))
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [3, 4]})
    assert enforce(frame, contract).tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert violations(frame.astype("int64"), contract) == [("$", "type")]
    assert violations(frame[["x"]].assign(z=1.0)[["x"]], contract) == [("$", "shape")]
    assert violations(frame.assign(y=2**53 + 1), contract) == [("$[1]", "cast")]
    assert enforce(frame[:0], contract).shape == (0, 2)


@pytest.mark.parametrize("shape", [(-1, 2), (-1,)])
def test_columns_beyond_a_tensors_follow_the_policy_as_in_spark(shape: tuple[int, ...]) -> None:
    contract = signature(TensorSpec("float64", shape))
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0], "z": ["no", "numbers"]})
    wanted = frame[["x", "y"]].to_numpy() if len(shape) == 2 else frame["x"].to_numpy()
    table = pa.Table.from_pandas(frame)
    assert enforce(frame, contract).tolist() == wanted.tolist()
    assert not plan_enforcement(table.schema, contract.inputs).findings
    # MLflow counts them: recorded in cross.62.3
    assert violations(frame, contract, Policy.mlflow()) == [("$", "shape")]
    forbid = Policy(extra="forbid")
    extras = [
        (f.path, f.code) for f in plan_enforcement(table.schema, contract.inputs, forbid).findings
    ]
    assert violations(frame, contract, forbid) == [(path, code.value) for path, code in extras]
    assert extras


@pytest.mark.parametrize(
    ("rows", "shape", "fits"),
    [
        ([[1.0, 2.0], [1.0]], (-1, -1), True),
        ([[1.0, 2.0], [1.0]], (2, -1), True),
        ([[1.0, 2.0], []], (-1, -1), True),
        ([[[1.0], [2.0]], [[3.0]]], (-1, -1, 1), True),
        ([[[1.0], [2.0, 3.0]], [[3.0]]], (-1, -1, -1), True),
        ([[[1.0], [2.0, 3.0]], [[3.0]]], (-1, -1, 2), False),
        ([[1.0, 2.0], [1.0]], (-1, 2), False),
        ([[1.0, 2.0, 3.0, 4.0]], (-1, -1, -1), False),
        ([[1.0, None], [1.0]], (-1, -1), False),
    ],
)
def test_lists_for_a_tensor_get_the_verdict_of_arrow(
    rows: list[Any], shape: tuple[int, ...], fits: bool
) -> None:
    contract = signature(TensorSpec("float64", shape, "c"))
    frame = pd.DataFrame({"c": objects(*rows)})
    batch = pa.RecordBatch.from_pandas(frame)
    plan = plan_enforcement(batch.schema, contract.inputs, engine="arrow")
    assert (not plan.findings and not len(run_batch(plan, batch).violating())) is fits
    if fits:
        made = enforce(frame, contract)["c"]
        assert [row.tolist() if isinstance(row, np.ndarray) else row for row in made] == rows
    else:
        assert violations(frame, contract)
    assert frame["c"].tolist() == rows


@pytest.mark.parametrize(
    ("column", "dtype", "fits"),
    [
        (pd.Series([1, 2]), "float64", False),
        (pd.Series([1, 2]), "int64", True),
        (pd.Series([1.0], dtype="float32"), "float64", False),
        (objects([1, 2]), "float64", False),
        (objects([1, 2]), "int8", True),  # Python's integers have no width
        (objects([0.5]), "float32", True),
        (objects(np.array([1.0], "float32")), "float64", False),
        (objects(np.array([1.0])), "float64", True),
        (objects("a"), "str", True),
    ],
)
def test_an_exact_tensor_is_never_cast(column: pd.Series[Any], dtype: str, fits: bool) -> None:
    shape = (-1, -1) if isinstance(column[0], (list, np.ndarray)) else (-1,)
    contract = signature(TensorSpec(dtype, shape))
    found = violations(column.to_frame("c"), contract, Policy(casts="exact"))
    assert found == ([] if fits else [("$", "type")])
    assert violations(column.to_frame("c"), contract) == []


@pytest.mark.parametrize(
    ("values", "dtype", "code"),
    [
        (objects(np.array(["9999-01-01"], "M8[s]"), np.array(["2020-01-01"], "M8[ns]")),
         "datetime64[ns]", "cast"),
        (objects(np.array([2**53 + 1]), np.array([0.5])), "float64", "cast"),
        (objects(np.array(["x"]), np.array([5])), "str", "type"),
        (objects(np.array([True]), np.array([5])), "int64", "type"),
        (objects(np.array([1]), np.array(["2020-01-01"], "M8[us]")), "int64", "type"),
        (objects(np.array([1], "i4"), np.array([2.0], "f4")), "int64", None),
        (objects(np.array(["x"]), np.array(["long"])), "str", None),
    ],
)  # fmt: skip
def test_arrays_of_different_dtypes_are_each_held_to_the_tensors(
    values: pd.Series[Any], dtype: str, code: str | None
) -> None:
    contract = signature(TensorSpec(dtype, (-1, 1), "c"))
    frame = pd.DataFrame({"c": values})
    assert violations(frame, contract) == ([] if code is None else [("$.c", code)])
    if code is None:
        made = enforce(frame, contract)["c"]
        assert (made.dtype.kind, made[:, 0].tolist()) == (
            np.dtype(dtype).kind,
            [array.item() for array in values],
        )


def test_columns_without_a_common_dtype_make_no_tensor() -> None:
    frame = pd.DataFrame({"a": np.array([1]), "b": np.array(["2020-01-01"], "M8[us]")})
    assert violations(frame, signature(TensorSpec("int64", (-1, 2)))) == [("$", "type")]


@pytest.mark.parametrize(
    ("dtype", "rows", "code"),
    [
        ("str", [["x\0", "y"], ["z"]], "cast"),
        ("str", [[["x\0"], ["y", "z"]], [["z"]]], None),  # a row that is ragged stays as it is
        ("bytes", [[b"x\0", b"y"], [b"z"]], "cast"),
        ("str", [[LONE, "y"], ["z"]], None),
        ("datetime64[us]", [[FINE, FINE], [FINE]], "cast"),
        ("datetime64[us]", [[dt.datetime(2020, 1, 1)] * 2, [dt.datetime(9999, 1, 1)]], None),
        ("datetime64[ns]", [[np.datetime64("9999-01-01", "s")] * 2, []], "type"),
        ("int64", [[2**70, 1], [1]], "cast"),
    ],
)
def test_ragged_rows_come_out_as_they_are_or_not_at_all(
    dtype: str, rows: list[Any], code: str | None
) -> None:
    depth = 3 if isinstance(rows[0][0], list) else 2
    contract = signature(TensorSpec(dtype, (-1,) * depth, "c"))
    frame = pd.DataFrame({"c": objects(*rows)})
    assert [found for _, found in violations(frame, contract)] == ([] if code is None else [code])
    if code is None:
        made = enforce(frame, contract)["c"]
        assert [row.tolist() if isinstance(row, np.ndarray) else row for row in made] == rows


def test_even_text_keeps_what_utf_8_cannot_write() -> None:
    contract = signature(TensorSpec("str", (-1,), "c"))
    assert enforce(pd.DataFrame({"c": objects(LONE)}), contract)["c"].tolist() == [LONE]


def test_moments_in_a_tensor_of_objects_stay_moments() -> None:
    cells = objects(np.array(["2020-01-01"], "M8[ns]"))
    made = enforce(pd.DataFrame({"c": cells}), signature(TensorSpec("object", (-1, 1), "c")))
    assert made["c"].tolist() == [[pd.Timestamp(2020, 1, 1)]]


@pytest.mark.parametrize(
    ("array", "dtype", "shape"),
    [
        (np.array(["2020-01-01", "NaT"], "M8[us]"), "datetime64[us]", (-1,)),
        (np.array([1, "NaT"], "m8[ns]"), "timedelta64[ns]", (-1,)),
        (objects("x", None).to_numpy(), "object", (-1,)),
        (objects("x", np.nan).to_numpy(), "object", (-1,)),
        (np.array([["x", None]], object), "object", (-1, 2)),
        (ragged(["x", None], ["y"]), "object", (-1, -1)),
        (ragged(np.array(["NaT"], "M8[us]"), []), "datetime64[us]", (-1, -1)),
        (ragged([np.datetime64("NaT", "us")], []), "datetime64[us]", (-1, -1)),
    ],
)
def test_no_element_of_a_tensor_is_null(array: Any, dtype: str, shape: tuple[int, ...]) -> None:
    contract = signature(TensorSpec(dtype, shape, "c"))
    found = violations({"c": array}, contract)
    assert [code for _, code in found] == ["null"]
    assert violations({"c": array}, contract, Policy(nulls="allow")) == []
    if array.ndim == 1 and len(shape) == 1:
        frame = pd.DataFrame({"c": array})
        assert violations(frame, contract) == [("$.c", "null")]
        whole = {"c": array[:1]}
        assert violations(whole, contract) == violations(pd.DataFrame(whole), contract) == []


def test_nan_is_a_value_in_a_tensor_of_objects_that_are_floats() -> None:
    contract = signature(TensorSpec("object", (-1,), "c"))
    for array in (objects(0.5, np.nan).to_numpy(), np.array([0.5, np.nan])):
        assert violations({"c": array}, contract) == []
        assert violations(pd.DataFrame({"c": array}), contract) == []


@pytest.mark.parametrize("container", [dict, pd.DataFrame])
def test_names_of_tensors_follow_the_policy_as_in_arrow(container: Any) -> None:
    contract = signature(TensorSpec("float64", (-1,), "a"))
    data = container({"A": np.array([1.0]), "b": np.array([2])})
    fold = Policy(case="insensitive")
    assert {name: array.tolist() for name, array in enforce(data, contract, policy=fold).items()} \
        == {"a": [1.0]}  # fmt: skip
    kept = enforce(data, contract, policy=Policy(case="insensitive", extra="keep"))
    assert {name: array.tolist() for name, array in kept.items()} == {"a": [1.0], "b": [2]}
    table = pa.table({"A": [1.0], "b": [2]})
    arrow = enforce(table, contract, policy=Policy(case="insensitive", extra="keep"))
    assert arrow.to_pydict() == {"a": [1.0], "b": [2]}
    forbid = Policy(case="insensitive", extra="forbid")
    assert violations(data, contract, forbid) == [("$.b", "extra_column")]
    assert violations(data, contract) == [("$.a", "missing_column")]
    with pytest.raises(SignatureError, match="differ in case only"):
        enforce(container({"A": np.array([1.0]), "a": np.array([2.0])}), contract, policy=fold)


def test_an_array_has_no_place_for_extra_columns() -> None:
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    with pytest.raises(SignatureError, match="no place for extra columns"):
        enforce(frame, signature(TensorSpec("float64", (-1,))), policy=Policy(extra="keep"))


@pytest.mark.parametrize("kind", ["csr_array", "coo_matrix"])
def test_sparse_data_of_other_kinds_is_told_what_is_taken(kind: str) -> None:
    data = getattr(sp, kind)(np.eye(2))
    contract = signature(TensorSpec("float64", (-1, 2)))
    with pytest.raises(ViolationError) as caught:
        enforce(data, contract)
    (violation,) = caught.value.violations
    assert "scipy.sparse.csr_matrix(x)" in violation.remedy
    assert enforce(sp.csr_matrix(data), contract).nnz == 2


MASKED = np.ma.array([1, 2], mask=[False, True])


@pytest.mark.parametrize(
    ("data", "contract"),
    [
        (MASKED, signature(TensorSpec("int64", (-1,)))),
        ({"c": MASKED}, signature(TensorSpec("int64", (-1,), "c"))),
        (MASKED, signature(TensorSpec("object", (-1,)))),
        (ragged(MASKED, np.array([1])), signature(TensorSpec("int64", (-1, -1)))),
        (pd.DataFrame({"c": objects(MASKED)}), signature(TensorSpec("int64", (-1, 2), "c"))),
        (pd.DataFrame({"c": objects(MASKED, [1])}), signature(TensorSpec("int64", (-1, -1), "c"))),
        (MASKED, signature(ColSpec("long"))),
        (np.ma.masked, signature(ColSpec("double"))),
        ({"c": MASKED}, column("long")),
        ({"c": MASKED}, column("double")),
        ([{"c": np.ma.masked}], column("double")),
        (pd.DataFrame({"c": objects(MASKED)}), column(Array("long"))),
    ],
)
def test_what_is_masked_is_not_read(data: Any, contract: ModelSignature) -> None:
    assert [code for _, code in violations(data, contract)] == ["type"]


def test_a_mask_that_hides_nothing_is_none() -> None:
    data = np.ma.array([1, 2], mask=[False, False])
    assert violations(data, signature(TensorSpec("int64", (-1,)))) == []
    assert enforce({"c": data}, column("long"))["c"].tolist() == [1, 2]


# --- params ---------------------------------------------------------------------------------------

CHAT = signature(
    ColSpec("string"),
    params=ParamSchema([ParamSpec("temperature", "double", 1.0), ParamSpec("top_k", "long", 5)]),
)


def test_data_and_params_in_a_tuple_or_side_by_side() -> None:
    expected = {"temperature": 0.5, "top_k": 1}
    for data, params in enforce(("Hello", expected), CHAT), enforce("Hello", CHAT, params=expected):
        assert data[0].tolist() == ["Hello"]
        assert params == expected
    assert enforce("Hello", CHAT, params={})[1] == {"temperature": 1.0, "top_k": 5}


def test_violations_of_data_and_params_come_together() -> None:
    with pytest.raises(ViolationError) as caught:
        enforce((1, {"top_k": "x"}), CHAT)
    assert [v.path for v in caught.value.violations] == ["$[0]", "$.params.top_k"]


# --- the documents that the product implements ---------------------------------------------------


def test_the_guides_examples() -> None:
    iris = signature(*(ColSpec("double", n) for n in ("sepal length (cm)", "sepal width (cm)")))
    row = {"sepal width (cm)": 3.5, "sepal length (cm)": 5.1}
    assert enforce(row, iris).iloc[0].tolist() == [5.1, 3.5]
    assert violations({"sepal length (cm)": 5.1}, iris) == [
        ("$['sepal width (cm)']", "missing_column")
    ]
    message = Object([Property("role", "string"), Property("content", "string")])
    chat = {"messages": [{"role": "system", "content": "…"}, {"role": "user", "content": "?"}]}
    made = enforce(chat, signature(ColSpec(Array(message), "messages")))
    assert made["messages"].iloc[0] == chat["messages"]
    lists = {"list_with_empty": [["a", "b"], []], "list_with_none": [["a", "b"], None]}
    nested = signature(
        ColSpec(Array(Array("string")), "list_with_empty"),
        ColSpec(Array(Array("string")), "list_with_none", required=False),
    )
    assert enforce(lists, nested)["list_with_none"].iloc[0] == [["a", "b"], None]
    mnist = signature(TensorSpec("float64", (-1, 28, 28, 1)))
    assert violations(np.zeros((1, 28, 28, 1), np.float32), mnist) == [("$", "type")]


# --- properties -----------------------------------------------------------------------------------

_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), st.text(max_size=3),
    st.binary(max_size=3), st.dates(), st.datetimes(), st.decimals(allow_nan=False),
    st.sampled_from([np.int8(1), np.float32(0.5), pd.NA, pd.NaT, np.datetime64("2024-01-01")]),
)  # fmt: skip
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.sampled_from([np.array([1, 2]), np.array([]), np.array(["x", None]), np.ones((1, 2))])
        | st.dictionaries(st.sampled_from(["a", "b", "k"]), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=6,
)
_TYPES = st.recursive(
    st.sampled_from([*DataType, AnyType()]),
    lambda inner: st.builds(Array, inner)
    | st.builds(Map, inner)
    | st.builds(lambda t, r: Object([Property("a", t, r), Property("b", "long", False)]), inner,
                st.booleans()),
    max_leaves=3,
)  # fmt: skip


@given(
    st.lists(_VALUES, min_size=1, max_size=4), _TYPES, st.booleans(), st.sampled_from([*POLICIES])
)
def test_any_value_passes_or_is_refused_and_is_never_changed(
    values: list[Any], dtype: ColumnType, required: bool, policy: str
) -> None:
    frame = pd.DataFrame({"c": objects(*values)})
    before = [repr(value) for value in values]
    contract = column(dtype, required)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = violations(frame, contract, POLICIES[policy])
        if not found:
            made = enforce(frame, contract, policy=POLICIES[policy])
            assert len(made) == len(values)
            # What came out conforms: enforcing again changes nothing.
            again = enforce(made, contract, policy=POLICIES[policy])
            assert [repr(v) for v in again["c"]] == [repr(v) for v in made["c"]]
    assert [repr(value) for value in values] == before


@given(st.lists(_LEAVES, min_size=1, max_size=4), st.sampled_from([*DataType]), st.booleans())
def test_a_list_of_values_is_judged_as_a_column_of_them(
    values: list[Any], dtype: DataType, required: bool
) -> None:
    whole = violations(pd.DataFrame({"c": objects(*values)}), column(dtype, required))
    as_list = violations(pd.DataFrame({"c": objects(values)}), column(Array(dtype), required))
    assert [code for _, code in whole] == [code for _, code in as_list]


def test_a_missing_optional_column_may_come_before_others() -> None:
    signature = ModelSignature(
        inputs=Schema([ColSpec("double", "a", required=False), ColSpec("long", "b")])
    )
    out = enforce(pd.DataFrame({"b": [1]}), signature)
    assert list(out.columns) == ["a", "b"]
    assert out["b"].tolist() == [1]
    assert out["a"].isna().all()


def test_a_missing_optional_column_of_any_type_is_filled() -> None:
    signature = ModelSignature(inputs=Schema([ColSpec(AnyType(), "a", required=False)]))
    assert enforce(pd.DataFrame({"b": [1]}), signature)["a"].tolist() == [None]
