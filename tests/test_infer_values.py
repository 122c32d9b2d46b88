"""Inference from values: the documents' examples, every container, and that its own data fits."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import warnings
from collections import namedtuple
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn import datasets

from spark_sig import ModelSignature, Policy, enforce, enforce_params, infer_signature
from spark_sig.errors import SignatureError
from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.types import AnyType, Array, ColumnType, Map, Object, Property
from tests.test_example import DIGITS as IMAGES
from tests.test_example import MESSAGES
from tests.value_strategies import (
    CONTAINERS,
    DTYPES,
    FAMILIES,
    NAMES,
    STRANGE,
    alike,
    fingerprint,
    rows_of,
    same,
    typed_series,
)

UTC = dt.timezone.utc


def infer(data: Any, output: Any = None, params: Any = None, **choices: Any) -> ModelSignature:
    """Infer without the advice about integers, which has tests of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the signature has integer columns")
        return infer_signature(data, output, params, **choices)


def document(inputs: Any, outputs: Any = None, params: Any = None) -> dict[str, Any]:
    """Return a signature's document, each part of it as JSON text."""
    parts = {"inputs": inputs, "outputs": outputs, "params": params}
    return {key: None if part is None else json.dumps(part) for key, part in parts.items()}


def column(data: Any) -> tuple[ColumnType, bool | None]:
    """Return the type and the flag of the only column."""
    inputs = infer(data).inputs
    assert inputs is not None
    (spec,) = inputs
    assert isinstance(spec, ColSpec)
    return spec.type, spec.required


def objects(*values: Any) -> np.ndarray[Any, Any]:
    made = np.empty(len(values), object)
    for place, value in enumerate(values):
        made[place] = value
    return made


def fits_its_own(data: Any, **choices: Any) -> ModelSignature:
    """Infer, enforce, and check that the values are the same and the caller's unchanged."""
    before = fingerprint(data)
    signature = infer(data, **choices)
    out = enforce(data, signature)
    assert signature.inputs is not None
    if signature.inputs.is_tensor:
        assert out is data or same(out, data)
    else:
        assert same(rows_of(out), rows_of(data)), (rows_of(out), signature)
    assert fingerprint(data) == before
    return signature


# --- the documents' examples ----------------------------------------------------------------------


def scalar(kind: str, name: str | None = None, required: bool = True) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return {"type": kind, **named, "required": required}


def tensor(dtype: str, *shape: int) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [*shape]}}


TEXTS = {"type": "array", "items": {"type": "string"}}
GENERATION = {
    "top_k": 2,
    "num_beams": 5,
    "max_length": 30,
    "temperature": 0.62,
    "top_p": 0.85,
    "repetition_penalty": 1.15,
    "begin_suppress_tokens": [1, 2, 3],
}
MEASURES = [f"{part} {side} (cm)" for part in ("sepal", "petal") for side in ("length", "width")]
FIRST_IRIS = dict(zip(MEASURES, (5.1, 3.5, 1.4, 0.2), strict=True))

EXAMPLES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "scalars": (
        ({"long_col": 1, "str_col": "a", "bool_col": True},),
        document(
            [scalar("long", "long_col"), scalar("string", "str_col"), scalar("boolean", "bool_col")]
        ),
    ),
    "list, array and dict": (
        (
            {
                "list_col": ["a", "b", "c"],
                "numpy_col": np.array([[1, 2], [3, 4]]),
                "obj_col": {"long_prop": 1, "array_prop": ["a", "b", "c"]},
            },
        ),
        document(
            [
                {**TEXTS, "name": "list_col", "required": True},
                {
                    "type": "array",
                    "items": {"type": "array", "items": {"type": "long"}},
                    "name": "numpy_col",
                    "required": True,
                },
                {
                    "type": "object",
                    "properties": {
                        "array_prop": {**TEXTS, "required": True},
                        "long_prop": {"type": "long", "required": True},
                    },
                    "name": "obj_col",
                    "required": True,
                },
            ]
        ),
    ),
    "optional column": (
        (pd.DataFrame({"col": [1.0, 2.0, None]}),),
        document([scalar("double", "col", False)]),
    ),
    "empty list and none": (
        ({"list_with_empty": [["a", "b"], []], "list_with_none": [["a", "b"], None]},),
        document(
            [
                {"type": "array", "items": TEXTS, "name": "list_with_empty", "required": True},
                {"type": "array", "items": TEXTS, "name": "list_with_none", "required": False},
            ]
        ),
    ),
    "tensor": (
        (np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [1, 2, 3]]]),),
        document([tensor("int64", -1, 2, 3)]),
    ),
    "params of a python model": (
        (["input"], None, {"temperature": 0.5, "suppress_tokens": [101, 102]}),
        document(
            [scalar("string")],
            None,
            [
                {"name": "temperature", "default": 0.5, "shape": None, "type": "double"},
                {"name": "suppress_tokens", "default": [101, 102], "shape": [-1], "type": "long"},
            ],
        ),
    ),
    "params of transformers": (
        ("pencil draw paper", "A pencil draws on paper.", GENERATION),
        document(
            [scalar("string")],
            [scalar("string")],
            [
                {"name": "top_k", "default": 2, "shape": None, "type": "long"},
                {"name": "num_beams", "default": 5, "shape": None, "type": "long"},
                {"name": "max_length", "default": 30, "shape": None, "type": "long"},
                {"name": "temperature", "default": 0.62, "shape": None, "type": "double"},
                {"name": "top_p", "default": 0.85, "shape": None, "type": "double"},
                {"name": "repetition_penalty", "default": 1.15, "shape": None, "type": "double"},
                {
                    "name": "begin_suppress_tokens",
                    "default": [1, 2, 3],
                    "shape": [-1],
                    "type": "long",
                },
            ],
        ),
    ),
    "dummy array": ((np.array([1]),), document([tensor("int64", -1)])),
    "images of mnist": (
        (np.zeros((3, 28, 28)) / 255.0, np.zeros((3, 10), "float32")),
        document([tensor("float64", -1, 28, 28)], [tensor("float32", -1, 10)]),
    ),
    "tensor example": ((IMAGES,), document([tensor("uint8", -1, 4, 4)])),
    "record example": ((FIRST_IRIS,), document([scalar("double", name) for name in MEASURES])),
    "messages": (
        (MESSAGES,),
        document(
            [
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "content": {"type": "string", "required": True},
                            "role": {"type": "string", "required": True},
                        },
                    },
                    "name": "messages",
                    "required": True,
                }
            ]
        ),
    ),
    "text and params": (
        ("Hello, Dolly!", None, {"temperature": 0.5, "top_k": 1}),
        document(
            [scalar("string")],
            None,
            [
                {"name": "temperature", "default": 0.5, "shape": None, "type": "double"},
                {"name": "top_k", "default": 1, "shape": None, "type": "long"},
            ],
        ),
    ),
    "ragged array": (
        (objects(np.zeros((2, 4, 3)), np.zeros((1, 2, 3))),),
        document([tensor("object", -1)]),
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_documents_examples_give_the_signatures_printed_there(name: str) -> None:
    given, expected = EXAMPLES[name]
    assert infer(*given).to_dict() == expected
    fits_its_own(given[0])


def test_iris_gives_the_signature_that_the_documents_write_by_hand() -> None:
    iris = datasets.load_iris()
    frame = pd.DataFrame(iris.data, columns=iris.feature_names)
    signature = infer(frame, iris.target)
    # The documents write the output as ColSpec("long"); an array is a tensor, as in MLflow.
    columns = [scalar("double", name) for name in MEASURES]
    assert signature.to_dict() == document(columns, [tensor("int64", -1)])
    assert infer(frame.iloc[[0]], iris.target[:1]) == signature
    by_name, target = datasets.load_iris(return_X_y=True, as_frame=True)
    assert infer(by_name, target.to_numpy()) == signature
    fits_its_own(frame)


def test_a_ragged_array_also_fits_the_finer_tensor_that_the_documents_write() -> None:
    array = objects(np.zeros((2, 4, 3)), np.zeros((1, 2, 3)))
    finer = ModelSignature(Schema([TensorSpec("float64", (-1, -1, -1, 3))]))
    assert enforce(array, finer) is array


# --- pandas ---------------------------------------------------------------------------------------

DAY = dt.datetime(2020, 1, 1)


def _categories(*values: Any) -> pd.Series[Any]:
    return pd.Series(pd.Categorical(values))


def _label(value: Any) -> str:
    return str(value.dtype) if isinstance(value, pd.Series) else repr(value)


COLUMNS: list[tuple[Any, str | ColumnType, bool]] = [
    (pd.Series([1], dtype="int8"), "integer", True),
    (pd.Series([1], dtype="int16"), "integer", True),
    (pd.Series([1], dtype="uint8"), "integer", True),
    (pd.Series([1], dtype="uint16"), "integer", True),
    (pd.Series([1], dtype="int32"), "integer", True),
    (pd.Series([1], dtype="uint32"), "long", True),
    (pd.Series([1], dtype="int64"), "long", True),
    (pd.Series([1], dtype="float16"), "float", True),
    (pd.Series([1], dtype="float32"), "float", True),
    (pd.Series([math.nan], dtype="float32"), "float", False),
    (pd.Series([True]), "boolean", True),
    (pd.Series([DAY]), "datetime", True),
    (pd.Series([DAY, None]), "datetime", False),
    (pd.Series([DAY], dtype="datetime64[s]"), "datetime", True),
    (pd.Series([pd.NaT], dtype="datetime64[ns]"), "datetime", False),
    (pd.Series([DAY]).dt.tz_localize("Asia/Seoul"), "datetime", True),
    (pd.Series([DAY, None]).dt.tz_localize("UTC"), "datetime", False),
    (pd.Series([1, 2], dtype="Int64"), "long", True),
    (pd.Series([1, None], dtype="Int64"), "long", False),
    (pd.Series([1, None], dtype="Int8"), "integer", False),
    (pd.Series([1, None], dtype="UInt32"), "long", False),
    (pd.Series([1, None], dtype="Float32"), "float", False),
    (pd.Series([1.5], dtype="Float64"), "double", True),
    (pd.Series([True, None], dtype="boolean"), "boolean", False),
    (pd.Series(["x"], dtype="string"), "string", True),
    (pd.Series(["x", None], dtype="string"), "string", False),
    (pd.Series(["x", None], dtype="string[pyarrow]"), "string", False),
    (pd.Series([1, None], dtype="int32[pyarrow]"), "integer", False),
    (pd.Series([1], dtype="uint32[pyarrow]"), "long", True),
    (pd.Series([1, None], dtype="double[pyarrow]"), "double", False),
    (pd.Series([b"x"], dtype=pd.ArrowDtype(pa.binary())), "binary", True),
    (pd.Series([[1], [None]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))), Array("long"), False),
    (_categories("x", "y"), "string", True),
    (_categories("x", None), "string", False),
    (_categories(1, 2), "long", True),
    (_categories(1.5, None), "double", False),
    (pd.Series(pd.Categorical(["x", "x"], ["x", "y"])), "string", True),
    (pd.Series([0, 1], dtype="Sparse[int64]"), "long", True),
    (pd.Series([0.5, math.nan], dtype="Sparse[float64]"), "double", False),
    (pd.Series(["x"], dtype=object), "string", True),
    (pd.Series(["x", None], dtype=object), "string", False),
    (pd.Series(["x", math.nan], dtype=object), "string", False),
    (pd.Series(["x", pd.NA], dtype=object), "string", False),
    (pd.Series([math.nan, None], dtype=object), "double", False),
    (pd.Series([None, None], dtype=object), AnyType(), False),
    (pd.Series([1, 2.5], dtype=object), "double", True),
    (pd.Series([1, None], dtype=object), "long", False),
    (pd.Series([np.int8(1), np.int32(2)], dtype=object), "integer", True),
    (pd.Series([b"x", bytearray(b"y")], dtype=object), "binary", True),
    (pd.Series([dt.date(2020, 1, 1), DAY], dtype=object), "datetime", True),
    (pd.Series([DAY.replace(tzinfo=UTC)], dtype=object), "datetime", True),
    (pd.Series([[1, 2], []], dtype=object), Array("long"), True),
    (pd.Series([[1, None]], dtype=object), Array("long"), False),
    (pd.Series([[1], None], dtype=object), Array("long"), False),
    (pd.Series([[1.5, math.nan]], dtype=object), Array("double"), True),
    (pd.Series([np.zeros(2, "float32")], dtype=object), Array("float"), True),
    (pd.Series([np.zeros((2, 2), "int32")], dtype=object), Array(Array("integer")), True),
]


@pytest.mark.parametrize(("series", "kind", "required"), COLUMNS, ids=_label)
def test_columns_of_pandas(series: pd.Series[Any], kind: str | ColumnType, required: bool) -> None:
    frame = pd.DataFrame({"c": series})
    assert infer(frame).inputs == Schema([ColSpec(kind, "c", required)])
    fits_its_own(frame)


@pytest.mark.parametrize(
    ("values", "observed"),
    [
        (pd.Series(pd.period_range("2020", periods=2, freq="Y")), "period[Y-DEC]"),
        (pd.Series(pd.interval_range(0, 2)), "interval[int64, right]"),
        (pd.Series([dt.timedelta(1)]), "timedelta64[ns]"),
        (pd.Series([1 + 2j]), "complex128"),
        (pd.Series([1], dtype="uint64"), "uint64"),
        (pd.Series([decimal.Decimal(1)], dtype=object), "decimal"),
        (pd.Series([decimal.Decimal(1)], dtype=pd.ArrowDtype(pa.decimal128(5, 2))), "decimal(5,2)"),
        (pd.Series([(1, 2)], dtype=object), "tuple"),
        (pd.Series([2**63], dtype=object), "integer beyond long"),
        (pd.Series([{1: 2}], dtype=object), "dict with long keys"),
        (pd.Series([1, "x"], dtype=object), "mixed long and string"),
        (pd.Series([True, 1], dtype=object), "mixed boolean and long"),
        (pd.Series([2**53 + 1, 0.5], dtype=object), "mixed double and long"),
        (pd.Series([[1], "x"], dtype=object), "mixed list and string"),
        (pd.Series([[1], {"a": 1}], dtype=object), "mixed list and record"),
        (pd.Series([DAY, DAY.replace(tzinfo=UTC)], dtype=object), "timestamp_ntz"),
    ],
    ids=lambda v: str(v)[-40:] if isinstance(v, pd.Series) else v,
)
def test_what_no_signature_says_is_an_error_that_names_column_and_options(
    values: pd.Series[Any], observed: str
) -> None:
    frame = pd.DataFrame({"fine": ["x"] * len(values), "c": values})
    with pytest.raises(SignatureError) as caught:
        infer(frame)
    assert caught.value.path == "$.c"
    assert observed in caught.value.observed
    for option in ("cast it first", "leave it out", "on_unsupported='any'"):
        assert option in caught.value.remedy
    assert "$.c" in str(caught.value)


def test_a_series_is_a_column_of_its_name() -> None:
    assert infer(pd.Series([1.5], name="x")).inputs == Schema([ColSpec("double", "x")])
    assert infer(pd.Series([1.5])).inputs == Schema([ColSpec("double")])
    assert infer(pd.Series([1.5, None])).inputs == Schema([ColSpec("double")])
    assert infer(pd.Series(["x", None])).inputs == Schema([ColSpec("string", None, None)])


def test_pandas_own_numbers_are_no_names() -> None:
    frame = pd.DataFrame([[1.5, "x"]])
    assert infer(frame).inputs == Schema([ColSpec("double"), ColSpec("string")])
    fits_its_own(frame)


def test_columns_keep_their_order_and_their_odd_names() -> None:
    names = ["b", "a", "a.b", "", "it's", '"', "$[0]", "列"]
    frame = pd.DataFrame([[0.5] * len(names)], columns=names)
    inputs = fits_its_own(frame).inputs
    assert inputs is not None
    assert [spec.name for spec in inputs] == names


@pytest.mark.parametrize("name", [7, None, ("a", 1), 1.5, True, b"x"], ids=repr)
def test_a_name_that_is_no_string_is_refused(name: Any) -> None:
    frame = pd.DataFrame([[1, 2]], columns=pd.Index(["a", name], dtype=object, tupleize_cols=False))
    for data in (frame, {"a": 1, name: 2}, [{"a": 1, name: 2}]):
        with pytest.raises(SignatureError, match="must be a string") as caught:
            infer(data)
        assert "rename" in caught.value.remedy


def test_a_name_that_comes_twice_is_refused() -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    for data in (pd.DataFrame([[1, 2]], columns=["a", "a"]), twice):
        with pytest.raises(SignatureError, match="more than one column is named 'a'"):
            infer(data)


@pytest.mark.parametrize("data", [pd.DataFrame(), {}, pa.table({}), [{}], [{}, {}]], ids=repr)
def test_nothing_comes_of_no_columns(data: Any) -> None:
    with pytest.raises(SignatureError, match="without columns"):
        infer(data)


def test_a_frame_without_rows_says_what_its_dtypes_say() -> None:
    frame = pd.DataFrame({"a": pd.Series(dtype="float32"), "b": pd.Series(dtype=object)})
    assert infer(frame).inputs == Schema([ColSpec("float", "a"), ColSpec(AnyType(), "b")])
    fits_its_own(frame)


# --- Python's containers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("text", "string"),
        (b"x", "binary"),
        (bytearray(b"x"), "binary"),
        (True, "boolean"),
        (np.True_, "boolean"),
        (1, "long"),
        (2**63 - 1, "long"),
        (1.5, "double"),
        (np.int8(1), "integer"),
        (np.uint16(1), "integer"),
        (np.uint32(1), "long"),
        (np.float16(1), "float"),
        (np.float32(1), "float"),
        (np.str_("x"), "string"),
        (np.bytes_(b"x"), "binary"),
        (DAY, "datetime"),
        (DAY.replace(tzinfo=UTC), "datetime"),
        (dt.date(2020, 1, 1), "datetime"),
        (pd.Timestamp(DAY), "datetime"),
        (np.datetime64("2020-01-01"), "datetime"),
    ],
    ids=repr,
)
def test_a_scalar_is_one_column_without_a_name(data: Any, kind: str) -> None:
    assert infer(data).inputs == Schema([ColSpec(kind)])
    assert infer([data]).inputs == Schema([ColSpec(kind)])
    assert infer({"c": data}).inputs == Schema([ColSpec(kind, "c")])
    fits_its_own(data)
    fits_its_own([data, None])
    fits_its_own({"c": data})


@pytest.mark.parametrize("data", [None, pd.NaT, pd.NA, math.nan, np.float32("nan")], ids=repr)
def test_what_is_missing_makes_a_column_optional(data: Any) -> None:
    assert column({"c": data}) == (AnyType(), False)
    rows = [{"c": "x"}, {"c": data}]
    assert column(rows) == (ColSpec("string").type, False)
    fits_its_own(rows)
    fits_its_own({"c": data})


def test_nat_of_numpy_says_that_it_is_a_moment() -> None:
    nat = np.datetime64("NaT", "ns")
    for data in (
        [{"c": nat}],
        [{"c": nat}, {"c": DAY}],
        [{"c": DAY.replace(tzinfo=UTC)}, {"c": nat}],
    ):
        assert column(data) == (ColSpec("datetime").type, False)
        fits_its_own(data)
    with pytest.raises(SignatureError, match="mixed string and timestamp_ntz"):
        infer([{"c": nat}, {"c": "x"}])


@pytest.mark.parametrize(
    ("value", "kind", "required"),
    [
        ([], AnyType(), True),
        ({}, AnyType(), True),
        ([None], Array(AnyType()), False),
        ([[]], Array(AnyType()), True),
        ([["x"], []], Array(Array("string")), True),
        ([["x"], None], Array(Array("string")), False),
        ([["x", None]], Array(Array("string")), False),
        ([1, 2.5], Array("double"), True),
        ([1, None], Array("long"), False),
        ([0.5, math.nan], Array("double"), False),
        ([np.float32(0.5), math.nan], Array("float"), False),
        (np.array(3), "long", True),
        (np.array([1, 2], "int16"), Array("integer"), True),
        (np.zeros((2, 0, 3)), Array(AnyType()), True),
        (np.zeros((1, 1, 2), "float32"), Array(Array(Array("float"))), True),
        ({"p": 1}, Object([Property("p", "long")]), True),
        ({"p": None}, Object([Property("p", AnyType(), False)]), True),
        ({"p": []}, Object([Property("p", AnyType())]), True),
        ({"p": {"q": "x"}}, Object([Property("p", Object([Property("q", "string")]))]), True),
        (
            [{"p": 1}, {"p": 2, "q": "x"}],
            Array(Object([Property("p", "long"), Property("q", "string", False)])),
            True,
        ),
        (
            [{"p": 1}, None],
            Array(Object([Property("p", "long", False)])),
            False,
        ),
        (
            [{"p": []}, {"p": [1]}],
            Array(Object([Property("p", Array("long"))])),
            True,
        ),
        (
            [{"p": 1}, {"p": None}, {"p": math.nan}],
            Array(Object([Property("p", "long", False)])),
            True,
        ),
    ],
    ids=repr,
)
def test_the_values_of_a_dict(value: Any, kind: str | ColumnType, required: bool) -> None:
    data = {"c": value, "s": "x"}
    expected = Schema([ColSpec(kind, "c", required), ColSpec("string", "s")])
    assert infer(data).inputs == expected
    fits_its_own(data)


@pytest.mark.parametrize(
    ("rows", "specs"),
    [
        ([{"a": 1.5}, {"a": 2.5}], [ColSpec("double", "a")]),
        ([{"a": 1.5}, {}], [ColSpec("double", "a", False)]),
        ([{"a": 1.5}, {"b": "x"}], [ColSpec("double", "a", False), ColSpec("string", "b", False)]),
        ([{"a": []}, {"a": ["x"]}], [ColSpec(Array("string"), "a")]),
        (
            [{"a": {"p": "x"}}, {"a": {}}],
            [ColSpec(Object([Property("p", "string", False)]), "a")],
        ),
        (
            [{"a": {"p": "x"}}, {"a": None}],
            [ColSpec(Object([Property("p", "string", False)]), "a", False)],
        ),
    ],
    ids=repr,
)
def test_a_list_of_dicts_is_rows(rows: list[Any], specs: list[ColSpec]) -> None:
    assert infer(rows).inputs == Schema(specs)
    fits_its_own(rows)


@pytest.mark.parametrize(
    ("data", "kind", "required"),
    [
        ([], "string", True),
        (["x", "y"], "string", True),
        (["x", None], "string", None),
        ([1.5, math.nan], "double", True),
        ([1, 2.5], "double", True),
        ([1, math.nan], "long", None),
        ([["x"], []], Array("string"), True),
        ([[]], AnyType(), True),
        ([{}, []], None, None),
        ([[{"p": "x"}]], Array(Object([Property("p", "string")])), True),
        ([[1], [0.5]], None, None),
        ([{"p": 1}, None], Object([Property("p", "long", False)]), None),
    ],
    ids=repr,
)
def test_a_list_is_one_column_without_a_name(
    data: list[Any], kind: str | ColumnType | None, required: bool | None
) -> None:
    if data == [{}, []]:
        assert fits_its_own(data).inputs == Schema([ColSpec(AnyType())])
    elif kind is None:
        with pytest.raises(SignatureError, match="no type of a signature holds all"):
            infer(data)
    else:
        assert fits_its_own(data).inputs == Schema([ColSpec(kind, None, required)])


@pytest.mark.parametrize("data", [(1, 2), {1}, object(), range(2), dt.timedelta(1)], ids=repr)
def test_other_containers_are_refused(data: Any) -> None:
    with pytest.raises(SignatureError, match="container of this kind") as caught:
        infer(data)
    assert "DataFrame" in caught.value.remedy


# --- tensors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "dtype", "shape"),
    [
        *(
            (np.zeros((2, 3), name), name, (-1, 3))
            for name in ("bool", "int8", "uint64", "float16")
        ),
        (np.zeros(4, "complex64"), "complex64", (-1,)),
        (np.zeros((1, 2, 3, 4, 5)), "float64", (-1, 2, 3, 4, 5)),
        (np.zeros((0, 3)), "float64", (-1, 3)),
        (np.zeros((2, 0)), "float64", (-1, 0)),
        (np.array(1.5), "float64", ()),
        (np.array(["x", "long"]), "str", (-1,)),
        (np.array([b"x"]), "bytes", (-1,)),
        (np.array(["2020"], "datetime64[D]"), "datetime64[D]", (-1,)),
        (np.array(["2020"], "datetime64[ns]"), "datetime64[ns]", (-1,)),
        (np.array([1], "timedelta64[s]"), "timedelta64[s]", (-1,)),
        (np.array(["x", "y"], object), "object", (-1,)),
        (objects([1], [2, 3]), "object", (-1,)),
    ],
    ids=lambda v: str(v)[:30],
)
def test_an_array_is_a_tensor_of_its_dtype(array: Any, dtype: str, shape: tuple[int, ...]) -> None:
    assert fits_its_own(array).inputs == Schema([TensorSpec(dtype, shape)])
    named = fits_its_own({"b": array, "a": array}).inputs
    assert named == Schema([TensorSpec(dtype, shape, "b"), TensorSpec(dtype, shape, "a")])


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_matrix])
def test_a_sparse_matrix_is_a_tensor(make: Any) -> None:
    assert fits_its_own(make(np.eye(3, 2))).inputs == Schema([TensorSpec("float64", (-1, 2))])


@pytest.mark.parametrize(
    "array",
    [
        np.array(["x", None], object),
        np.array(["2020", "NaT"], "datetime64[s]"),
        np.ma.masked_array([1, 2], [True, False]),
    ],
    ids=repr,
)
def test_a_tensor_with_missing_elements_is_refused(array: Any) -> None:
    with pytest.raises(SignatureError, match="missing elements") as caught:
        infer({"a.b": array})
    assert caught.value.path == "$['a.b']"
    with pytest.raises(SignatureError, match="missing elements"):
        infer(array)
    assert infer(array, policy=Policy.mlflow()).inputs == Schema([TensorSpec(array.dtype, (-1,))])


def test_a_structured_array_is_refused() -> None:
    with pytest.raises(SignatureError, match="structured"):
        infer(np.zeros(2, [("a", "int32")]))


# --- Arrow ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "kind", "required"),
    [
        (pa.array([1, 2], pa.int8()), "integer", True),
        (pa.array([1, None], pa.int64()), "long", False),
        (pa.array([0.5, math.nan]), "double", True),
        (pa.array(["x", None], pa.large_string()), "string", False),
        (pa.array(["x"], pa.string_view()), "string", True),
        (pa.array([b"xy"], pa.binary(2)), "binary", True),
        (pa.array(["x", None]).dictionary_encode(), "string", False),
        (pa.array([DAY], pa.timestamp("ms", "Asia/Seoul")), "datetime", True),
        (pa.array([DAY.date()]), "datetime", True),
        (pa.array([None, "x"])[1:], "string", True),
        (pa.chunked_array([["x"], [None]]), "string", False),
        (pa.chunked_array([], pa.float32()), "float", True),
        (pa.array([[1, None]], pa.large_list(pa.int32())), Array("integer"), False),
        (pa.array([[1, 2]], pa.list_(pa.int32(), 2)), Array("integer"), True),
        (pa.array([[1]], pa.list_view(pa.int32())), Array("integer"), True),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), Map("long"), True),
        (pa.array([[("k", None)]], pa.map_(pa.string(), pa.int64())), Map("long"), False),
        (
            pa.array([{"p": 1, "q": None}, {"p": 2, "q": "x"}, None]),
            Object([Property("p", "long"), Property("q", "string", False)]),
            False,
        ),
        (pa.array([None, None], pa.null()), AnyType(), False),
        (
            pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((3, 2), "float32")),
            Array("float"),
            True,
        ),
    ],
    ids=lambda v: str(getattr(v, "type", v))[:40],
)
def test_columns_of_arrow(array: Any, kind: str | ColumnType, required: bool) -> None:
    table = pa.table([array], names=["c"])
    assert fits_its_own(table).inputs == Schema([ColSpec(kind, "c", required)])
    without = required or None
    assert fits_its_own(array).inputs == Schema([ColSpec(kind, None, without)])
    for batch in table.to_batches()[:1]:
        assert infer(batch).inputs is not None


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1], pa.uint64()),
        pa.array([decimal.Decimal("0.5")]),
        pa.array([decimal.Decimal("5")], pa.decimal128(5, 0)),
        pa.array([dt.timedelta(1)]),
        pa.array([dt.time(1)]),
        pa.array([[(1, "x")]], pa.map_(pa.int64(), pa.string())),
        pa.array([[decimal.Decimal("0.5")]]),
    ],
    ids=lambda v: str(v.type),
)
def test_arrow_that_no_signature_says(array: pa.Array) -> None:
    with pytest.raises(SignatureError) as caught:
        infer(pa.table({"c": array}))
    assert caught.value.path.startswith("$.c")
    assert fits_its_own(pa.table({"c": array}), on_unsupported="any").inputs == Schema(
        [ColSpec(AnyType(), "c", False)]
    )


# --- params ---------------------------------------------------------------------------------------


def test_params_have_types_defaults_and_shapes() -> None:
    given = {
        "flag": True,
        "text": "x",
        "whole": 2,
        "real": 0.5,
        "small": np.float32(0.5),
        "moment": DAY,
        "many": [1, 2],
        "array": np.array([0.5, 1.5]),
        "object": {"a": 1, "b": ["x"]},
    }
    params = infer("x", None, given).params
    assert params is not None
    found = {spec.name: (spec.dtype, spec.shape) for spec in params}
    kinds = ["boolean", "string", "long", "double", "float", "datetime"]
    names = ["flag", "text", "whole", "real", "small", "moment"]
    expected: dict[str, Any] = {
        name: (ColSpec(kind).type, None) for name, kind in zip(names, kinds, strict=True)
    }
    expected["many"] = (ColSpec("long").type, (-1,))
    expected["array"] = (ColSpec("double").type, (-1,))
    made = Object([Property("a", "long"), Property("b", Array("string"))])
    expected["object"] = (made, None)
    assert found == expected
    completed = enforce_params({}, params)
    assert completed["whole"] == 2
    assert completed["many"] == [1, 2]
    assert same(enforce_params(given, params), given)


def test_errors_name_every_param_that_no_schema_says() -> None:
    given = {"fine": 1, "none": None, "empty": [], "deep": [[1]], "odd": {1}, "rank": np.eye(2)}
    given["gaps"] = [1, None]
    with pytest.raises(SignatureError) as caught:
        infer("x", None, given)
    assert caught.value.path == "$.params"
    for name in ("none", "empty", "deep", "odd", "rank", "gaps"):
        assert f"{name}: " in caught.value.observed
    assert "fine" not in caught.value.observed
    with pytest.raises(SignatureError, match="must be a dict"):
        infer("x", None, [1])


def test_no_params_are_none() -> None:
    assert infer("x", None, {}).params is None
    only = infer(None, None, {"k": 1})
    assert only.params == ParamSchema([ParamSpec("k", "long", 1)])
    with pytest.raises(SignatureError, match="needs inputs, outputs or params"):
        infer(None)


# --- the advice about integers --------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [{"k": 1}, pd.DataFrame({"k": [1]}), pa.table({"k": [1]}), [{"k": np.int8(1), "x": 0.5}], [1]],
    ids=repr,
)
def test_integer_columns_bring_the_advice(data: Any) -> None:
    with pytest.warns(UserWarning, match="the signature has integer columns .*double") as caught:
        infer_signature(data)
    assert [str(one.filename) for one in caught] == [__file__]
    assert ("k" if not isinstance(data, list) or data != [1] else "column 0") in str(
        caught[0].message
    )


def test_the_advice_names_the_columns_of_each_side() -> None:
    many = {f"c{i}": i for i in range(7)}
    with pytest.warns(UserWarning, match="c0, c1, c2, c3, c4 and 2 more") as caught:
        infer_signature({"x": 0.5}, many)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "data",
    [
        {"x": 0.5, "s": "t"},
        pd.DataFrame({"x": [1.0, None]}),
        np.array([1]),
        {"a": np.array([1])},
        {"x": [1, 2]},
    ],
    ids=repr,
)
def test_other_columns_and_tensors_bring_none(data: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        infer_signature(data, None, {"k": 1})


# --- what no signature can say --------------------------------------------------------------------

MIXED = pd.DataFrame(
    {"a": [0.5, 1.5], "b": [1, "x"], "c": [decimal.Decimal(1), None], "d": ["x", None]},
    dtype=object,
)


def test_one_error_names_every_bad_column() -> None:
    with pytest.raises(SignatureError) as caught:
        infer(MIXED)
    shown = str(caught.value)
    assert "$.b: mixed long and string" in shown
    assert "$.c: decimal" in shown.lower()
    assert "$.a" not in shown
    assert "$.d" not in shown
    assert "on_unsupported='any'" in caught.value.remedy


def test_any_is_for_the_bad_columns_alone() -> None:
    expected = Schema(
        [
            ColSpec("double", "a"),
            ColSpec(AnyType(), "b", False),
            ColSpec(AnyType(), "c", False),
            ColSpec("string", "d", False),
        ]
    )
    assert fits_its_own(MIXED, on_unsupported="any").inputs == expected
    rows = MIXED.to_dict("records")
    assert fits_its_own(rows, on_unsupported="any").inputs == expected


@pytest.mark.parametrize("choice", [{"on_unsupported": "mlflow"}, {"policy": Policy.mlflow()}])
def test_mlflow_s_fallback_is_one_unnamed_any_with_a_warning(choice: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match=r"the inputs become one unnamed .*\$\.b") as caught:
        signature = infer_signature(MIXED, {"y": 0.5}, **choice)
    assert [str(one.filename) for one in caught] == [__file__]
    assert signature.inputs == Schema([ColSpec(AnyType())])
    assert signature.outputs == Schema([ColSpec("double", "y")])


def test_the_choice_goes_before_the_policy() -> None:
    with pytest.raises(SignatureError):
        infer(MIXED, policy=Policy.mlflow(), on_unsupported="raise")


@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_strange_values_are_refused_in_every_place_and_pass_as_any(value: Any) -> None:
    places = [[{"c": value}], pd.DataFrame({"c": objects(value)}), {"c": value, "d": "x"}]
    places += [[{"c": [value]}], [{"c": {"p": value}}]]
    for data in places:
        if same(value, None) or (isinstance(value, np.ndarray) and isinstance(data, dict)):
            continue
        with pytest.raises(SignatureError) as caught:
            infer(data)
        assert caught.value.path.startswith("$.c")
        fits_its_own(data, on_unsupported="any")


# --- its own data conforms ------------------------------------------------------------------------

REASONS = (
    "no signature can say what this is",
    "no signature can say what these",
    "no type of a signature holds all of these values",
    "the name of a column must be a string",
    "nothing can be inferred from data without columns",
    "nothing can be inferred from a container of this kind",
    "a tensor has no place for missing elements",
)


@pytest.mark.parametrize("container", CONTAINERS)
def test_whatever_is_inferred_accepts_its_own_data_unchanged(container: str) -> None:
    @settings(suppress_health_check=list(HealthCheck))
    @given(CONTAINERS[container])
    def check(data: Any) -> None:
        if data is None:
            return
        before, reason = fingerprint(data), ""
        try:
            fits_its_own(data)
        except SignatureError as error:  # a ViolationError is none: a rejection fails
            reason = str(error)
        assert not reason or reason.startswith(REASONS)
        assert fingerprint(data) == before

    check()


@pytest.mark.parametrize("container", ["list", "dict", "dicts", "frame", "object series", "table"])
def test_as_any_everything_with_names_accepts_its_own_data(container: str) -> None:
    @settings(suppress_health_check=list(HealthCheck))
    @given(CONTAINERS[container])
    def check(data: Any) -> None:
        reason = ""
        try:
            enforce(data, infer(data, on_unsupported="any"))
        except SignatureError as error:
            reason = str(error)
        assert not reason or reason.startswith(REASONS[3:])

    check()


@given(st.data())
def test_values_of_one_kind_always_have_a_type(data: st.DataObject) -> None:
    value = data.draw(alike())
    fits_its_own(pd.DataFrame({"c": objects(*data.draw(st.lists(value, max_size=5)))}))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_value_of_a_family_is_of_one_type(family: str) -> None:
    expected = ColSpec(family.replace("far ", "").replace(" with a zone", "")).type
    for value in FAMILIES[family]:
        kind, _ = column([value, FAMILIES[family][0]])
        assert kind == expected
    assert column(FAMILIES[family])[0] == expected


# --- parts ----------------------------------------------------------------------------------------


@st.composite
def whole_frames(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a frame of typed columns, and of object columns that are of one type."""
    rows = draw(st.integers(1, 5))
    unsayable = ("complex", "timedelta", "uint64")
    typed = [dtype for dtype in DTYPES if not dtype.startswith(unsayable)]
    columns = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            columns.append(draw(typed_series(rows, typed)))
        else:
            value = draw(alike())
            drawn = draw(st.lists(value, min_size=rows, max_size=rows))
            columns.append(pd.Series(objects(*drawn), dtype=object))
    frame = pd.concat(columns, axis=1)
    count = len(columns)
    frame.columns = draw(st.lists(NAMES, min_size=count, max_size=count, unique=True))
    return frame


@given(whole_frames(), st.lists(st.integers(0, 5), max_size=3))
def test_the_whole_is_the_join_of_its_parts(frame: pd.DataFrame, cuts: list[int]) -> None:
    # A part without rows says nothing of its columns of objects.
    assume(len(frame))
    places = sorted({0, *(min(cut, len(frame)) for cut in cuts), len(frame)})
    parts = [frame.iloc[start:stop] for start, stop in pairwise(places)]
    joined = infer(parts[0])
    for part in parts[1:]:
        joined = joined.join(infer(part))
    assert joined == infer(frame)


def test_a_tuple_called_row_is_no_row_of_spark() -> None:
    row = namedtuple("Row", "a b")(1, 2)  # its name is what counts
    with pytest.raises(SignatureError, match="Row"):
        infer_signature([row])
