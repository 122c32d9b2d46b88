"""Input examples: what is saved comes back, and each of MLflow and us reads the other's files."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import decimal
import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spark_sig.errors import Code, SignatureError, ViolationError
from spark_sig.example import ExampleType, InputExample
from spark_sig.mlmodel import read_example_info
from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.signature import ModelSignature
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, Property

ROOT = Path(__file__).parents[1]
NAN = math.nan


def columns(*specs: ColSpec, params: ParamSchema | None = None) -> ModelSignature:
    return ModelSignature(inputs=Schema(specs), params=params)


def tensors(*specs: TensorSpec) -> ModelSignature:
    return ModelSignature(inputs=Schema(specs))


def strict(text: str | bytes) -> Any:
    """Read JSON as a parser without Python's extensions does."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def mlmodel(folder: Path, signature: ModelSignature | None = None) -> Path:
    """Write an MLmodel as MLflow does, beside a comment."""
    document = {"flavors": {"python_function": {"loader_module": "x"}}, "utc_time_created": "x"}
    sides = {} if signature is None else {"signature": signature.to_dict()}
    path = folder / "MLmodel"
    path.write_text(yaml.safe_dump({**document, **sides}) + "# kept\n")
    return path


# --- the documents' own examples, and one of each kind ------------------------------------------

IRIS = {
    "sepal length (cm)": 5.1,
    "sepal width (cm)": 3.5,
    "petal length (cm)": 1.4,
    "petal width (cm)": 0.2,
}
DIGITS = np.array(
    [
        [[0, 0, 0, 0], [0, 134, 25, 56], [253, 242, 195, 6], [0, 93, 82, 82]],
        [[0, 23, 46, 0], [33, 13, 36, 166], [76, 75, 0, 255], [33, 44, 11, 82]],
    ],
    dtype=np.uint8,
)
MESSAGES = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "assistant", "content": "What would you like to ask?"},
        {"role": "user", "content": "Who owns MLflow?"},
    ]
}
HELLO = ("Hello, Dolly!", {"temperature": 0.5, "top_k": 1})
MESSAGE = Object([Property("role", "string"), Property("content", "string")])
IRIS_SIGNATURE = columns(*(ColSpec("double", name) for name in IRIS))
DIGITS_SIGNATURE = tensors(TensorSpec("uint8", (-1, 4, 4)))
MESSAGES_SIGNATURE = columns(ColSpec(Array(MESSAGE), "messages"))
HELLO_SIGNATURE = columns(
    ColSpec("string"),
    params=ParamSchema([ParamSpec("temperature", "double", 1.0), ParamSpec("top_k", "long", 5)]),
)
CSR = sp.csr_matrix(np.array([[0.0, 1.5, 0.0], [2.0, 0.0, -3.0]]))
GAPS = sp.csr_matrix(np.array([[0.0, 1.5], [2.0, NAN]]))
CSC = sp.csc_matrix(np.array([[0, 1, 0], [2, 0, 3]], np.float32))
STAMP = pd.Timestamp("2024-02-29T12:30:00.123456789")
ZONED = pd.Timestamp("2024-07-01T12:00", tz="Asia/Seoul")

MIXED = pd.DataFrame(
    {
        "b": [True, False],
        "i": np.array([1, -2], np.int32),
        "l": [2**62, -1],
        "f": np.array([0.1, NAN], np.float32),
        "d": [NAN, math.inf],
        "s": ["NaN", None],
        "x": [b"\x00\xff" * 60, None],
        "t": [STAMP, pd.NaT],
        "z": [ZONED, ZONED],
        "a": [[1.5, NAN, None], []],
        "af": [np.array([0.1], np.float32), np.array([1, 2], np.float32)],
        "o": [{"k": b"x", "t": STAMP}, None],
        "m": [{"p": [1, 2]}, {}],
        "y": [{"any": [1, "a", None]}, 2],
    }
)
MIXED_SIGNATURE = columns(
    ColSpec("boolean", "b"),
    ColSpec("integer", "i"),
    ColSpec("long", "l"),
    ColSpec("float", "f"),
    ColSpec("double", "d"),
    ColSpec("string", "s", False),
    ColSpec("binary", "x", False),
    ColSpec("datetime", "t", False),
    ColSpec("datetime", "z"),
    ColSpec(Array("double"), "a", False),
    ColSpec(Array("float"), "af"),
    ColSpec(Object([Property("k", "binary"), Property("t", "datetime")]), "o", False),
    ColSpec(Map(Array("long")), "m"),
    ColSpec(AnyType(), "y"),
)

CASES: dict[str, tuple[InputExample, ModelSignature]] = {
    "iris": (InputExample(IRIS), IRIS_SIGNATURE),
    "digits": (InputExample(DIGITS), DIGITS_SIGNATURE),
    "messages": (InputExample(MESSAGES, example_no_conversion=True), MESSAGES_SIGNATURE),
    "messages as a frame": (InputExample(MESSAGES), MESSAGES_SIGNATURE),
    "hello": (InputExample.of(HELLO), HELLO_SIGNATURE),
    "hello as it is": (InputExample.of(HELLO, example_no_conversion=True), HELLO_SIGNATURE),
    "mixed": (InputExample(MIXED), MIXED_SIGNATURE),
    "csr": (InputExample(CSR), tensors(TensorSpec("float64", (-1, 3)))),
    "csr with NaN": (InputExample(GAPS), tensors(TensorSpec("float64", (-1, 2)))),
    "csc": (InputExample(CSC), tensors(TensorSpec("float32", (-1, 3)))),
    "named tensors": (
        InputExample({"x": DIGITS, "y": np.array([NAN, -math.inf], np.float32)}, {"k": 1}),
        tensors(TensorSpec("uint8", (-1, 4, 4), "x"), TensorSpec("float32", (-1,), "y")),
    ),
    "bytes": (InputExample(b"\x00ab"), columns(ColSpec("binary"))),
    "bytearray": (
        InputExample(bytearray(b"ab"), example_no_conversion=True),
        columns(ColSpec("binary")),
    ),
    "datetime": (
        InputExample(dt.datetime(2024, 1, 2, 3, 4, 5), example_no_conversion=True),
        columns(ColSpec("datetime")),
    ),
    "list": (InputExample(["a", None, "c"]), columns(ColSpec("string"))),
    "list of dicts": (
        InputExample([{"a": 1, "b": "x"}, {"a": 2}]),
        columns(ColSpec("long", "a"), ColSpec("string", "b", False)),
    ),
    "long with gaps": (InputExample([{"a": 1}, {"a": None}]), columns(ColSpec("long", "a", False))),
    "none in a double": (InputExample({"a": None}), columns(ColSpec("double", "a", False))),
    "none and NaN": (
        InputExample(pd.DataFrame({"a": pd.Series([1.5, None, NAN], dtype=object)})),
        columns(ColSpec("double", "a", False)),
    ),
    "none and NaT": (
        InputExample(pd.DataFrame({"a": pd.Series([STAMP, None, pd.NaT], dtype=object)})),
        columns(ColSpec("datetime", "a", False)),
    ),
    "object": (
        InputExample({"a": [1.0, NAN], "b": b"x", "c": 1}, example_no_conversion=True),
        columns(ColSpec(Array("double"), "a"), ColSpec("binary", "b"), ColSpec("long", "c")),
    ),
    "moments": (
        InputExample(np.array(["2024-01-02", "NaT"], "M8[ns]")),
        tensors(TensorSpec("datetime64[ns]", (-1,))),
    ),
    "spans": (
        InputExample(np.array([1, "NaT"], "m8[s]")),
        tensors(TensorSpec("timedelta64[s]", (-1,))),
    ),
    "texts": (InputExample(np.array(["a", "NaN"])), tensors(TensorSpec("str", (-1,)))),
    "byte strings": (InputExample(np.array([b"a", b"bc"])), tensors(TensorSpec("bytes", (-1,)))),
    "no rows": (InputExample(np.zeros((0, 3))), tensors(TensorSpec("float64", (-1, 3)))),
    "no dimension": (InputExample(np.array(2.5)), tensors(TensorSpec("float64", ()))),
    "wide": (
        InputExample(np.array([2**64 - 1, 0], np.uint64)),
        tensors(TensorSpec("uint64", (-1,))),
    ),
    "half": (InputExample(np.array([0.1], np.float16)), tensors(TensorSpec("float16", (-1,)))),
    "ragged": (
        InputExample(
            np.array([np.ones((2, 3), np.float32), np.zeros((1, 3), np.float32)], dtype=object)
        ),
        tensors(TensorSpec("float32", (-1, -1, 3))),
    ),
    "objects": (
        InputExample(np.array(["a", None, 1], dtype=object)),
        tensors(TensorSpec("object", (-1,))),
    ),
    "empty params": (InputExample(DIGITS, {}), DIGITS_SIGNATURE),
}


def case(name: str) -> tuple[InputExample, ModelSignature]:
    return CASES[name]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("beside", ["a signature", "an MLmodel"])
def test_what_is_saved_comes_back(name: str, beside: str, tmp_path: Path) -> None:
    example, signature = case(name)
    if beside == "an MLmodel":
        model = mlmodel(tmp_path, signature)
        example.save(tmp_path)
        assert InputExample.load(model) == example
        assert InputExample.load(tmp_path) == example
    else:
        info = example.save(tmp_path)
        loaded = InputExample.load(tmp_path, signature, info)
        assert loaded == example
        # Equal to the eye as well, not by our own comparison alone.
        if isinstance(example.data, pd.DataFrame):
            pd.testing.assert_frame_equal(loaded.data, example.data)
        elif isinstance(example.data, np.ndarray) and example.data.dtype != object:
            np.testing.assert_array_equal(loaded.data, example.data)
            assert loaded.data.dtype == example.data.dtype
    for file in ("input_example.json", "serving_input_example.json"):
        strict((tmp_path / file).read_text())


# Elements of tensors are never missing, and these signatures call the unnamed column required.
MISSING = {"list", "moments", "objects", "spans"}


@pytest.mark.parametrize("name", sorted(MISSING))
def test_an_example_with_something_missing_is_told_so(name: str) -> None:
    example, declared = case(name)
    with pytest.raises(ViolationError) as caught:
        example.check(declared)
    assert {violation.code for violation in caught.value.violations} == {Code.NULL}


@pytest.mark.parametrize("name", sorted(CASES.keys() - MISSING))
def test_an_example_conforms_to_its_signature(name: str) -> None:
    example, declared = case(name)
    params = declared.params or ParamSchema(
        [ParamSpec("k", "long", 0), ParamSpec("top", "long", 7)]
    )
    made = example.check(ModelSignature(inputs=declared.inputs, params=params))
    if example.params is not None:
        made, completed = made
        assert completed == {spec.name: spec.default for spec in params} | example.params
    if declared.inputs is not None and declared.inputs.is_tensor:
        assert type(made) is type(example.data)
    else:
        assert isinstance(made, pd.DataFrame)
        one = example.type is ExampleType.JSON or name in ("iris", "hello", "messages as a frame")
        assert len(made) == (1 if one else len(example.data))


def test_what_comes_out_of_a_check_has_the_declared_types() -> None:
    tiny = InputExample(pd.DataFrame({"x": np.array([1, 2], np.int8)}))
    assert tiny.check(columns(ColSpec("double", "x")))["x"].dtype == np.float64
    with pytest.raises(ViolationError, match="null"):
        InputExample(["a", None]).check(columns(ColSpec("string")))


def test_check_finds_what_does_not_fit() -> None:
    example = InputExample({"x": "text"}, {"k": "one"})
    params = ParamSchema([ParamSpec("k", "long", 0)])
    with pytest.raises(ViolationError) as caught:
        example.check(columns(ColSpec("double", "x"), params=params))
    assert [v.path for v in caught.value.violations] == ["$.x", "$.params.k"]
    with pytest.raises(SignatureError, match="declares no inputs"):
        example.check(ModelSignature(outputs=Schema([ColSpec("double")])))
    found = columns(ColSpec("double", "a"))
    with pytest.raises(ViolationError, match="null"):
        InputExample({"a": None}).check(found)
    assert math.isnan(InputExample({"a": NAN}).check(found)["a"][0])


# --- what is written ----------------------------------------------------------------------------


def test_the_files_are_those_of_mlflow(tmp_path: Path) -> None:
    info = InputExample.of(HELLO).save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["input_example.json", "serving_input_example.json"]
    assert (tmp_path / "input_example.json").read_text() == (
        '{"inputs": {"data": [["Hello, Dolly!"]]}, "params": {"temperature": 0.5, "top_k": 1}}'
    )
    assert json.loads((tmp_path / "serving_input_example.json").read_text()) == {
        "dataframe_split": {"data": [["Hello, Dolly!"]]},
        "params": {"temperature": 0.5, "top_k": 1},
    }
    assert info == {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        "type": "dataframe",
        "pandas_orient": "values",
        "params": "true",
    }
    assert InputExample(IRIS).info["pandas_orient"] == "split"
    assert "params" not in InputExample(IRIS).info


def test_what_json_has_no_value_for() -> None:
    frame = pd.DataFrame({"d": [NAN, -math.inf], "x": [b"\xff", bytearray(b"a")]})
    assert InputExample(frame).to_json() == (
        '{"columns": ["d", "x"], "data": [["NaN", "/w==\\n"], [-1e999, "YQ==\\n"]]}'
    )
    texts = InputExample(["Infinity", "NaN", "a\\", '"-Infinity'])
    assert json.loads(texts.to_json())["data"] == [["Infinity"], ["NaN"], ["a\\"], ['"-Infinity']]
    assert json.loads(InputExample(frame).serving_input()) == {
        "dataframe_split": {
            "columns": ["d", "x"],
            "data": [[None, "/w==\n"], [-math.inf, "YQ==\n"]],
        }
    }
    assert InputExample(np.array([NAN, math.inf])).to_json() == "[null, 1e999]"
    assert InputExample(np.array(["2024-01-02"], "M8[D]")).to_json() == '["2024-01-02"]'
    assert InputExample(dt.date(2024, 1, 2)).to_json() == '{"data": [["2024-01-02T00:00:00"]]}'


def test_a_chat_is_served_as_it_is() -> None:
    chat = InputExample(MESSAGES, {"top_k": 1}, example_no_conversion=True)
    assert json.loads(chat.serving_input()) == {**MESSAGES, "top_k": 1}
    assert json.loads(InputExample({"a": 1}, example_no_conversion=True).serving_input()) == {
        "inputs": {"a": 1}
    }
    assert json.loads(InputExample(CSC).serving_input()) == {"inputs": [[0, 1, 0], [2, 0, 3]]}
    with pytest.raises(SignatureError, match="too large to be served"):
        InputExample(sp.csr_matrix((10**6, 10**6))).serving_input()


def test_params_that_hide_data_are_refused() -> None:
    with pytest.raises(SignatureError, match=r"hide the data.*\$\.params\.messages"):
        InputExample(MESSAGES, {"messages": 1}, example_no_conversion=True)


def test_a_record_is_a_copy() -> None:
    for example, _ in CASES.values():
        data, params = example.to_record()
        again = InputExample.__new__(InputExample)
        again._keep(data, params)
        assert again == example
        assert data is not example.data or isinstance(data, (str, bytes, dt.datetime))
    example = InputExample({"a": [1]})
    example.to_record()[0]["a"][0].append(2)
    assert example.data["a"][0] == [1]


def test_the_callers_objects_stay() -> None:
    frame = MIXED.copy()
    frame.index = pd.Index([5, 9])
    before = copy.deepcopy(frame)
    example = InputExample(frame)
    example.data.loc[0, "b"] = False
    example.data["a"][0].append(3)
    example.data["o"][0]["k"] = b""
    pd.testing.assert_frame_equal(frame, before)
    array, params = DIGITS.copy(), {"p": [1]}
    made = InputExample(array, params)
    made.data[:] = 0
    assert made.params is not None
    made.params["p"].append(2)
    assert (array == DIGITS).all()
    assert params == {"p": [1]}
    matrix = CSR.copy()
    InputExample(matrix).data.data[:] = 0
    assert matrix.data[0] == 1.5


# --- forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pd.Series([1, None], dtype="Int64"), pd.array([1, None], dtype="Int64")),
        (pd.Series([None], dtype="Int64"), np.array([None], object)),
        (pd.Series([1, 2], dtype="Int32"), np.array([1, 2], np.int32)),
        (pd.Series([True, None], dtype="boolean"), pd.array([True, None], dtype="boolean")),
        (pd.Series(["a", None], dtype="string"), np.array(["a", None], object)),
        (pd.Series(["a", "b"], dtype="category"), np.array(["a", "b"], object)),
        (pd.Series([1.5, None], dtype="Float64"), np.array([1.5, None], object)),
        (pd.Series([1, 2], dtype="int64[pyarrow]"), np.array([1, 2])),
        (pd.Series([1, 2], dtype=object), np.array([1, 2])),
        (pd.Series([True, pd.NA], dtype=object), pd.array([True, None], dtype="boolean")),
        (pd.Series([0.0, 1.0], dtype="Sparse[float]"), np.array([0.0, 1.0])),
        (pd.Series([dt.date(2024, 1, 2)], dtype=object), np.array(["2024-01-02"], "M8[ns]")),
        (pd.Series(np.array(["2024-01-02"], "M8[s]")), np.array(["2024-01-02"], "M8[ns]")),
        (pd.Series(np.array(["0001-01-02"], "M8[s]")), np.array(["0001-01-02"], "M8[us]")),
        (pd.Series([ZONED]), pd.array([ZONED.tz_convert("UTC")])),
        (pd.Series([np.str_("a")], dtype=object), np.array(["a"], object)),
    ],
)
def test_columns_take_one_form(given: Any, expected: Any) -> None:
    made = InputExample(pd.DataFrame({"a": given})).data["a"]
    dtype = object if isinstance(expected, np.ndarray) and expected.dtype == object else None
    wanted = pd.Series(expected, name="a", dtype=dtype)
    pd.testing.assert_series_equal(made, wanted, check_freq=False)


def cells(*items: Any) -> pd.DataFrame:
    """A frame of one column of objects."""
    made = np.empty(len(items), object)
    for place, item in enumerate(items):
        made[place] = item
    return pd.DataFrame({"a": pd.Series(made, dtype=object)})  # pandas would make datetimes.


@pytest.mark.parametrize(
    ("given", "kind", "expected"),
    [
        (cells("x", NAN), "string", ["x", None]),
        (cells("NaN", np.float32(NAN)), "string", ["NaN", None]),
        (cells(True, NAN), "boolean", [True, None]),
        (cells(1, NAN), "long", [1, None]),
        (cells(b"x", NAN), "binary", [b"x", None]),
        (cells(STAMP, NAN), "datetime", [STAMP, None]),
        (cells([1], NAN), Array("long"), [[1], None]),
        (cells([NAN], ["x"]), Array("string"), [[None], ["x"]]),
        (
            cells({"a": 1}, {"a": NAN}, NAN),
            Object([Property("a", "long", False)]),
            [{"a": 1}, {"a": None}, None],
        ),
        (
            cells([{"x": 1}, {"x": NAN}]),
            Array(Object([Property("x", "long", False)])),
            [[{"x": 1}, {"x": None}]],
        ),
        ({"a": [1, NAN]}, Array("long"), [[1, None]]),
        ([{"a": "x"}, {"a": NAN}], "string", ["x", None]),
    ],
)
def test_nan_among_others_than_floats_is_missing(
    given: Any, kind: Any, expected: list[Any], tmp_path: Path
) -> None:
    example, signature = InputExample(given), columns(ColSpec(kind, "a", False))
    assert [None if cell is pd.NA else cell for cell in example.data["a"]] == expected
    example.check(signature)
    assert InputExample.load(tmp_path, signature, example.save(tmp_path)) == example


@pytest.mark.parametrize(
    "given",
    [
        *(cells(1.5, NAN, None), cells(NAN, None), cells([1, NAN], [2.5])),
        *(cells({"k": 1.5}, {"k": NAN}), cells({"k": "x", "f": NAN})),
        cells(np.array([1.5], np.float32), [NAN]),
    ],
)
def test_nan_among_floats_is_a_number(given: pd.DataFrame) -> None:
    assert InputExample(given).to_json().count('"NaN"') == 1


def test_nan_in_data_that_are_kept_is_missing_too(tmp_path: Path) -> None:
    example = InputExample({"a": ["x", NAN], "b": [1.5, NAN]}, example_no_conversion=True)
    assert example.to_json() == '{"a": ["x", null], "b": [1.5, "NaN"]}'
    signature = columns(ColSpec(Array("string"), "a", False), ColSpec(Array("double"), "b"))
    assert InputExample.load(tmp_path, signature, example.save(tmp_path)) == example


@pytest.mark.parametrize("dtype", ["Float32", "float[pyarrow]"])
def test_narrow_floats_with_gaps_stay_narrow(dtype: str, tmp_path: Path) -> None:
    example = InputExample(pd.DataFrame({"a": pd.array([0.1, None], dtype=dtype)}))
    assert [type(cell) for cell in example.data["a"]] == [np.float32, type(None)]
    signature = columns(ColSpec("float", "a", False))
    example.check(signature)
    assert InputExample.load(tmp_path, signature, example.save(tmp_path)) == example


def test_maps_of_arrow_are_dicts(tmp_path: Path) -> None:
    inner = pa.map_(pa.string(), pa.int64())
    outer = pa.struct([("m", pa.list_(inner))])
    example = InputExample(
        pd.DataFrame(
            {
                "a": pd.array([[("k", 1)], None], dtype=pd.ArrowDtype(inner)),
                "b": pd.array([{"m": [[("k", 2)], None]}, None], dtype=pd.ArrowDtype(outer)),
                "c": pd.array([[("k", 1), ("k", 2)], []], dtype=pd.ArrowDtype(inner)),
            }
        )
    )
    assert example.data["a"].tolist() == [{"k": 1}, None]
    assert example.data["b"].tolist() == [{"m": [{"k": 2}, None]}, None]
    # One of two values would be lost.
    assert example.data["c"].tolist() == [[["k", 1], ["k", 2]], {}]
    example = InputExample(example.data[["a", "b"]])
    signature = columns(
        ColSpec(Map("long"), "a", False),
        ColSpec(Object([Property("m", Array(Map("long")))]), "b", False),
    )
    example.check(columns(ColSpec(Map("long"), "a", False)))
    assert InputExample.load(tmp_path, signature, example.save(tmp_path)) == example


def test_what_a_dict_or_a_list_becomes() -> None:
    assert InputExample({"a": [1, 2], "b": "x"}).data.to_dict("records") == [
        {"a": [1, 2], "b": "x"}
    ]
    # Rows or one column of lists: the signature decides.
    nested = InputExample([[1, "a"], [2, "b"]])
    assert nested.data == [[1, "a"], [2, "b"]]
    rows = nested.check(columns(ColSpec("long"), ColSpec("string")))
    assert rows.to_dict("list") == {0: [1, 2], 1: ["a", "b"]}
    lists = InputExample([[None], [1]]).check(columns(ColSpec(Array("long"), None, None)))
    assert lists.to_dict("list") == {0: [[None], [1]]}
    assert InputExample({"a": np.float32(0.1)}).data.dtypes.tolist() == [np.float32]
    kept = InputExample({"a": np.int8(1), "b": (1, 2)}, example_no_conversion=True)
    assert kept.data == {"a": 1, "b": [1, 2]}
    assert type(kept.data["a"]) is int
    assert InputExample.of(({"a": 1}, {"p": np.array([1, 2])})).params == {"p": [1, 2]}
    # Only a pair whose second is a dict is data and params.
    with pytest.raises(SignatureError, match="no example"):
        InputExample.of((1, 2))


def test_equality_is_exact() -> None:
    same = InputExample(np.array([1.0, NAN]))
    assert same == InputExample(np.array([1.0, NAN]))
    assert same != InputExample(np.array([1.0, 2.0]))
    assert same != InputExample(np.array([1.0, NAN], np.float32))
    assert same != InputExample(np.array([[1.0, NAN]]))
    assert same != InputExample(np.array([1.0, NAN]), {})
    assert InputExample({"a": 1}) != InputExample({"a": 1.0})
    assert InputExample({"a": 1}) != InputExample({"a": 1}, example_no_conversion=True)
    assert InputExample([True], example_no_conversion=True) != InputExample(
        [1], example_no_conversion=True
    )
    assert InputExample({"a": None}) != InputExample({"a": NAN})
    assert InputExample({"a": 1, "b": 1}) != InputExample({"b": 1, "a": 1})
    assert InputExample(CSR) == InputExample(CSR.copy())
    assert InputExample(CSR) != InputExample(CSR.tocsc())
    assert (InputExample(1) == 1) is False
    with pytest.raises(TypeError, match="unhashable"):
        hash(same)


def test_without_a_signature_json_has_its_own_types(tmp_path: Path) -> None:
    mlmodel(tmp_path)
    InputExample(MIXED[["i", "f", "s", "x"]]).save(tmp_path)
    made = InputExample.load(tmp_path).data
    assert made.dtypes.astype(str).tolist() == ["int64", "object", "object", "object"]
    assert made["f"].tolist() == [float(np.float32(0.1)), "NaN"]
    InputExample(DIGITS).save(tmp_path)
    assert InputExample.load(tmp_path).data.dtype == np.int64


@pytest.mark.parametrize(
    "name", ["iris", "csr", "csc", "hello", "messages", "digits", "hello as it is"]
)
def test_an_example_without_an_mlmodel_tells_what_it_is(name: str, tmp_path: Path) -> None:
    example, signature = case(name)
    example.save(tmp_path)
    assert InputExample.load(tmp_path, signature) == example


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_matrix])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 3)])
def test_a_matrix_of_nothing_comes_back_by_itself(
    make: Any, shape: tuple[int, int], tmp_path: Path
) -> None:
    InputExample(make(shape)).save(tmp_path)
    loaded = InputExample.load(tmp_path).data
    assert (loaded.shape, loaded.nnz, loaded.dtype) == (shape, 0, np.float64)


def test_values_that_do_not_fit_the_signature_stay(tmp_path: Path) -> None:
    example = InputExample(pd.DataFrame({"a": [300, 2**40], "b": [1.5, 2.5], "c": ["x", "y"]}))
    example.save(tmp_path)
    wanted = columns(ColSpec("integer", "a"), ColSpec("long", "b"), ColSpec("double", "c"))
    loaded = InputExample.load(tmp_path, wanted)
    assert loaded == example
    with pytest.raises(ViolationError):
        loaded.check(wanted)
    tensor = InputExample(np.array([1.5, 300.0]))
    info = tensor.save(tmp_path)
    assert InputExample.load(tmp_path, tensors(TensorSpec("uint8", (-1,))), info) == tensor
    matrix = InputExample(GAPS)
    info = matrix.save(tmp_path)
    assert InputExample.load(tmp_path, tensors(TensorSpec("int64", (-1, 2))), info) == matrix


# --- the MLmodel --------------------------------------------------------------------------------

MODEL = """\
artifact_path: model # kept
flavors:
    python_function: {env: "x"}   # as it was

mlflow_version: 3.18.0
saved_input_example_info:
  artifact_path: old.json
  # gone
  type: ndarray
signature:
  inputs: '[{"type": "double", "required": true}]'   # kept
  outputs: null
utc_time_created: '2024-01-01 00:00:00.000000'
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_block_of_the_example_changes(newline: str, tmp_path: Path) -> None:
    path = tmp_path / "MLmodel"
    path.write_bytes(MODEL.replace("\n", newline).encode())
    info = InputExample([1.5]).save(tmp_path)
    assert read_example_info(path) == info
    before, _, rest = MODEL.partition("saved_input_example_info:")
    block = yaml.safe_dump({"saved_input_example_info": info})
    expected = before + block + rest[rest.index("signature:") :]
    assert path.read_bytes() == expected.replace("\n", newline).encode()
    InputExample([1.5]).save(tmp_path)
    assert path.read_bytes() == expected.replace("\n", newline).encode()


def test_a_model_without_a_block_gets_one_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "MLmodel"
    path.write_text("a: 1\nschema: 2\nsignature: null # kept\n")
    info = InputExample(DIGITS).save(tmp_path)
    block = yaml.safe_dump({"saved_input_example_info": info})
    assert path.read_text() == f"a: 1\n{block}schema: 2\nsignature: null # kept\n"


@pytest.mark.parametrize(
    "text", ["{a: 1}\n", "a: 1\na: 2\n", "saved_input_example_info: &x {}\nb: *x\n"]
)
def test_a_model_that_cannot_be_rewritten_keeps_the_folder_as_it_is(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(SignatureError):
        InputExample(DIGITS).save(tmp_path)
    assert os.listdir(tmp_path) == ["MLmodel"]
    assert (tmp_path / "MLmodel").read_text() == text


@pytest.mark.parametrize("obstacle", ["directory", "link to nowhere"])
def test_nothing_half_written_stays(obstacle: str, tmp_path: Path) -> None:
    InputExample(DIGITS).save(tmp_path)
    old = (tmp_path / "input_example.json").read_bytes()
    serving = tmp_path / "serving_input_example.json"
    serving.unlink()
    if obstacle == "directory":
        serving.mkdir()
    else:
        serving.symlink_to(tmp_path / "nowhere" / "file.json")
    with pytest.raises(SignatureError, match="cannot write the example") as caught:
        InputExample(IRIS).save(tmp_path)
    assert caught.value.path == str(tmp_path / "serving_input_example.json")
    assert (tmp_path / "input_example.json").read_bytes() == old
    (tmp_path / "input_example.json").unlink()
    with pytest.raises(SignatureError):
        InputExample(IRIS).save(tmp_path)
    assert os.listdir(tmp_path) == ["serving_input_example.json"]
    with pytest.raises(SignatureError, match="directory of a model"):
        InputExample(IRIS).save(tmp_path / "nowhere")


# --- refusals -----------------------------------------------------------------------------------


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("given", "place", "part"),
    [
        (None, "$", "null"),
        (pd.Series([1]), "$", "to_frame"),
        (object(), "$", "observed object"),
        ({1, 2}, "$", "observed set"),
        ({"a": DIGITS, "b": 1}, "$.b", "array"),
        ([DIGITS], "$", "tolist"),
        ({"a": [DIGITS]}, "$.a", "tolist"),
        ({"a": {"b": DIGITS}}, "$.a.b", "tolist"),
        ({1: DIGITS}, "$", "string"),
        (np.array([1j]), "$", "complex128"),
        (np.array([object()], object), "$[0]", "observed object"),
        (np.zeros(1, [("a", "i4")]), "$", "JSON cannot say"),
        (sp.csr_matrix(np.array([[1j]])), "$.data", "complex128"),
        (1j, "$", "observed complex"),
        ({"a": decimal.Decimal(1)}, "$.a", "convert it to float or str"),
        ({"a": {"b": {1}}}, "$.a.b", "observed set"),
        ({"a": {1: 2}}, "$.a", "observed int"),
        ({"a": dt.timedelta(1)}, "$.a", "timedelta"),
        (pd.DataFrame({"a": pd.to_timedelta([1])}), "$.a", "timedelta64"),
        (pd.DataFrame({"a": pd.period_range("2024", periods=1)}), "$.a", "period"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "$.a", "one name"),
        (pd.DataFrame([[1]], columns=[("a", "b")]), "$", "tuple"),
        (pd.DataFrame({"a": [{"b": object()}]}), "$.a[0].b", "observed object"),
        ([10**500], "$", "too many digits"),
        ([10**5000], "$", "JSON cannot say"),
        (deep(200), "$[0]", "nests too deeply"),
        (LOOP, "$[0]", "nests too deeply"),
        ("x" * (16 * 2**20), "$", "too large"),
    ],
)
@pytest.mark.parametrize("keep", [True, False])
def test_what_is_no_example_is_refused(given: Any, place: str, part: str, keep: bool) -> None:
    with pytest.raises(SignatureError) as caught:
        InputExample(given, example_no_conversion=keep)
    assert part in str(caught.value)
    assert caught.value.path.startswith("$")
    if not keep or part != "tolist":
        assert caught.value.path.startswith(place[:3])


def test_a_spark_frame_is_to_be_drawn_first() -> None:
    like = type("DataFrame", (), {"__module__": "pyspark.sql.classic.dataframe"})()
    with pytest.raises(SignatureError, match=r"Spark DataFrame.*toPandas"):
        InputExample(like)


def test_params_that_are_none_are_refused() -> None:
    with pytest.raises(SignatureError, match="params must be a dict"):
        InputExample(1, [1])  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match=r"\$\.params\.p"):
        InputExample(1, {"p": object()})


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        ("dataframe", "[1]", "data and columns"),
        ("dataframe", '{"data": [[1]], "x": 1}', "data and columns"),
        ("dataframe", '{"data": 1}', "rows must be lists"),
        ("dataframe", '{"data": [[1], [1, 2]]}', "expected length 1, observed length 2"),
        ("dataframe", '{"data": [[1]], "columns": ["a", "b"]}', "expected length 2"),
        ("dataframe", '{"data": [[1]], "columns": [["a"]]}', "list of names"),
        ("dataframe", '{"data": [[1, 2]], "columns": ["a", "a"]}', "one name"),
        ("ndarray", '{"a": {"b": 1}}', "a tensor must be a list"),
        ("sparse_matrix_csr", "[]", "a sparse matrix is"),
        ("sparse_matrix_csr", '{"data": 1, "indices": [], "indptr": [], "shape": []}', "list"),
        (
            "sparse_matrix_csr",
            '{"data":[true,null],"indices":[0,1],"indptr":[0,2],"shape":[1,2]}',
            "list of numbers",
        ),
        (
            "sparse_matrix_csr",
            '{"data":[1],"indices":[9],"indptr":[0,1],"shape":[1,2]}',
            "no tensor",
        ),
        (
            "sparse_matrix_csc",
            '{"data":[1],"indices":[0],"indptr":[0,1],"shape":[1,-2]}',
            "no tensor",
        ),
        ("sparse_matrix_csc", '{"data":[1],"indices":[0],"indptr":[9],"shape":[1,1]}', "no tensor"),
        ("sparse_matrix_csc", '{"data":[],"indices":[],"indptr":[],"shape":[1]}', "two dimensions"),
        ("json_object", "{", "no JSON"),
        ("json_object", '{"a": 1, "a": 2}', "twice"),
        ("json_object", "[" * 100_000, "too deeply"),
        ("json_object", "1" * 500, "too many digits"),
        ("json_object", '"\xff"', "not UTF-8"),
        ("json_object", "", "no JSON"),
        ("json_object", " " * (16 * 2**20 + 1), "too large for its example"),
        ("pickle", "{}", "unknown type of example"),
    ],
)
def test_a_bad_file_is_refused(kind: str, text: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(
        f"saved_input_example_info:\n  artifact_path: input_example.json\n  type: {kind}\n"
    )
    (tmp_path / "input_example.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(SignatureError, match=part) as caught:
        InputExample.load(tmp_path)
    assert str(tmp_path) in caught.value.path


def test_values_that_are_none_of_their_type_are_refused(tmp_path: Path) -> None:
    InputExample({"a": "no base64!"}).save(tmp_path)
    with pytest.raises(SignatureError, match=r"base64 @ .*\$\.a"):
        InputExample.load(tmp_path, columns(ColSpec("binary", "a")))
    with pytest.raises(SignatureError, match=r"ISO 8601 @ .*\$\.a"):
        InputExample.load(tmp_path, columns(ColSpec("datetime", "a")))


def test_a_folder_without_an_example_says_so(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="no input example"):
        InputExample.load(tmp_path)
    mlmodel(tmp_path)
    with pytest.raises(SignatureError, match="no input example"):
        InputExample.load(tmp_path)
    (tmp_path / "MLmodel").write_text(
        "saved_input_example_info: {artifact_path: ../../etc/passwd, type: json_object}\n"
    )
    with pytest.raises(SignatureError, match="beside the MLmodel"):
        InputExample.load(tmp_path)
    (tmp_path / "MLmodel").write_text("saved_input_example_info: [1]\n")
    with pytest.raises(SignatureError, match="line 1"):
        InputExample.load(tmp_path)
    (tmp_path / "MLmodel").write_text(
        "saved_input_example_info:\n"
        "  {artifact_path: input_example.json, type: ndarray, params: 'true'}\n"
    )
    (tmp_path / "input_example.json").write_text("[1]")
    with pytest.raises(SignatureError, match="params"):
        InputExample.load(tmp_path)


# --- round trips --------------------------------------------------------------------------------

texts = st.text(max_size=6)
doubles = st.floats(width=64)
moments = st.datetimes(min_value=dt.datetime(1700, 1, 1), max_value=dt.datetime(2200, 1, 1))
VALUES: dict[DataType, st.SearchStrategy[Any]] = {
    DataType.boolean: st.booleans(),
    DataType.integer: st.integers(-(2**31), 2**31 - 1).map(np.int32),
    DataType.long: st.integers(-(2**63), 2**63 - 1),
    DataType.float: st.floats(width=32).map(np.float32),
    DataType.double: doubles,
    DataType.string: st.one_of(texts, st.sampled_from(["NaN", "NaT", "Infinity"])),
    DataType.binary: st.binary(max_size=80),
    DataType.datetime: moments,
}
# Python's own numbers are longs and doubles; what is narrower has to be NumPy's.
INSIDE = [kind for kind in DataType if kind not in (DataType.integer, DataType.float)]
nested_types: st.SearchStrategy[ColumnType] = st.recursive(
    st.sampled_from(INSIDE),
    lambda inner: st.one_of(
        inner.map(Array),
        inner.map(Map),
        st.dictionaries(texts, inner, min_size=1, max_size=2).map(
            lambda d: Object([Property(name, kind, False) for name, kind in d.items()])
        ),
    ),
    max_leaves=3,
)


def values(kind: ColumnType, nulls: bool = True) -> st.SearchStrategy[Any]:
    made: st.SearchStrategy[Any]
    match kind:
        case DataType():
            made = VALUES[kind]
        case Array(dtype):
            made = st.lists(values(dtype), max_size=3)
        case Map(value_type):
            made = st.dictionaries(texts, values(value_type), max_size=2)
        case Object(properties):
            made = st.fixed_dictionaries({p.name: values(p.dtype) for p in properties})
        case _:
            raise AssertionError(kind)
    return st.one_of(st.none(), made) if nulls else made


@st.composite
def column_examples(draw: st.DrawFn) -> tuple[InputExample, ModelSignature]:
    names = draw(st.lists(texts, min_size=1, max_size=3, unique=True))
    kinds = [draw(st.one_of(st.sampled_from(list(DataType)), nested_types)) for _ in names]
    rows = draw(st.integers(1, 4))
    nulls = draw(st.booleans())
    data = {}
    for name, kind in zip(names, kinds, strict=True):
        cells = np.empty(rows, object)
        cells[:] = draw(st.lists(values(kind, nulls), min_size=rows, max_size=rows))
        # NumPy's narrow integers with gaps are a nullable column, which objects are not.
        gaps = kind is DataType.integer and any(cell is None for cell in cells)
        data[name] = pd.Series(pd.array(list(cells), dtype="Int32") if gaps else cells, copy=False)
        if not gaps:
            data[name] = pd.Series(cells, dtype=object)
    params = draw(st.one_of(st.none(), st.dictionaries(texts, st.integers() | texts, max_size=2)))
    specs = [ColSpec(kind, name, False) for kind, name in zip(kinds, names, strict=True)]
    return InputExample(pd.DataFrame(data), params), columns(*specs)


@given(column_examples())
def test_any_columns_come_back(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[InputExample, ModelSignature]
) -> None:
    example, signature = drawn
    folder = tmp_path_factory.mktemp("example")
    for model in (None, mlmodel(folder, signature)):
        example.save(folder)
        strict((folder / "input_example.json").read_text())
        strict(example.serving_input())
        assert InputExample.load(folder, None if model else signature) == example


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.one_of(st.dictionaries(texts, json_values), st.lists(json_values)))
def test_any_json_comes_back(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.mktemp("example")
    example = InputExample(value, {"a": value}, example_no_conversion=True)
    assert example.data == value
    assert InputExample.load(folder, None, example.save(folder)) == example


@st.composite
def tensor_examples(draw: st.DrawFn) -> tuple[InputExample, ModelSignature]:
    dtype = np.dtype(
        draw(
            st.sampled_from(
                [
                    *("bool", "int8", "uint8", "int64", "uint64", "float16", "float32", "float64"),
                    *("str", "bytes", "datetime64[ns]", "datetime64[D]", "timedelta64[us]"),
                ]
            )
        )
    )
    shape = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)))
    size = math.prod(shape)
    if dtype.kind in "US":
        letters = st.characters(codec="ascii", exclude_characters="\0")
        flat = draw(st.lists(st.text(letters, max_size=4), min_size=size, max_size=size))
        array = np.array(flat, dtype).reshape(shape)
    elif dtype.kind == "f":
        floats = st.floats(width=dtype.itemsize * 8)  # type: ignore[arg-type]
        flat = draw(st.lists(floats, min_size=size, max_size=size))
        array = np.array(flat, dtype).reshape(shape)
    elif dtype.kind in "mM":
        whole = st.integers(-10_000, 10_000)
        flat = draw(st.lists(st.one_of(whole, st.just(-(2**63))), min_size=size, max_size=size))
        array = np.array(flat, np.int64).view(dtype).reshape(shape)
    else:
        bits = st.binary(min_size=size * dtype.itemsize, max_size=size * dtype.itemsize)
        array = np.frombuffer(draw(bits), dtype).reshape(shape)
        array = array.view(np.uint8) % 2 == 1 if dtype.kind == "b" else array
    free = tuple(-1 if n == 0 or i == 0 else n for i, n in enumerate(shape))
    return InputExample(array), tensors(TensorSpec(dtype, free))


@given(tensor_examples())
def test_any_tensor_comes_back(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[InputExample, ModelSignature]
) -> None:
    example, signature = drawn
    folder = tmp_path_factory.mktemp("example")
    loaded = InputExample.load(folder, signature, example.save(folder))
    if example.data.size:
        assert loaded == example
        np.testing.assert_array_equal(loaded.data, example.data)
    else:  # JSON keeps no lengths behind one of 0.
        assert loaded.data.size == 0


# --- MLflow -------------------------------------------------------------------------------------

needs_mlflow = pytest.mark.skipif(
    find_spec("mlflow") is None, reason="MLflow is in the environment of dev.txt alone"
)

READER = """
import json, logging, sys
import numpy as np, pandas as pd
from mlflow.models import Model
from mlflow.pyfunc.scoring_server import _parse_json_data
def shown(value):
    if isinstance(value, pd.DataFrame):
        dtypes = [[str(c), str(t)] for c, t in value.dtypes.items()]
        return ["frame", dtypes, [shown(v) for v in value.to_numpy(object).ravel()]]
    if isinstance(value, np.ndarray):
        items = [shown(v) for v in value.ravel().tolist()]
        return ["array", value.dtype.name, list(value.shape), items]
    if type(value).__name__ in ("csr_matrix", "csc_matrix"):
        return [type(value).__name__, shown(value.toarray())]
    if isinstance(value, dict):
        return {k: shown(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(v) for v in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    return repr(value)
out = {}
for name, folder in json.load(sys.stdin).items():
    model = Model.load(folder)
    inputs = model.signature.inputs
    served = open(folder + "/serving_input_example.json").read()
    parsed = _parse_json_data(served, model, inputs)
    assert model.get_serving_input(folder) == served
    out[name] = {
        "data": shown(model.load_input_example(folder)),
        "params": model.load_input_example_params(folder),
        "served": [shown(parsed.data), parsed.params],
    }
print(json.dumps(out))
"""

WRITER = """
import datetime as dt, json, logging, math, sys
import numpy as np, pandas as pd, scipy.sparse as sp
from mlflow.models import Model, ModelSignature
from mlflow.models.utils import _save_example
values = {
    "frame": pd.DataFrame({
        "d": [math.nan, math.inf], "s": ["a", None], "x": [b"\\xff", b""],
        "t": [pd.Timestamp("2024-01-02"), pd.NaT], "f": np.array([0.1, 2], np.float32),
    }),
    "plain": pd.DataFrame([[1, 2]]),
    "array": np.array([[1, 255]], np.uint8),
    "nan": np.array([1.5, math.nan, -math.inf], np.float32),
    "arrays": {"a": np.array([1.5]), "b": np.array([1], np.int8)},
    "csr": sp.csr_matrix(np.array([[0.0, 1.5]])),
    "csc": sp.csc_matrix(np.array([[0.0, 1.5]])),
    "dict": ({"a": b"\\x00", "b": [1.5, math.nan]}, {"top_k": 1}),
    "text": ("Hello, Dolly!", {"temperature": 0.5}),
    "params": (pd.DataFrame({"a": [1]}), {"p": [1, 2]}),
    "moment": dt.datetime(2024, 1, 2),
}
for name, (folder, signature) in json.load(sys.stdin).items():
    model = Model(signature=ModelSignature.from_dict(signature))
    _save_example(model, values[name], folder)
    model.save(folder + "/MLmodel")
"""


def run_mlflow(program: str, given: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


# What MLflow's own reader makes nothing of, in its own files as little as in ours: nulls in long
# and binary columns, and in sparse matrices; byte strings, which it leaves in base64; ragged
# arrays; arrays without rows, whose shape JSON loses.  In "mixed" NaN inside an array is a string.
NOT_FOR_MLFLOW = {
    *("mixed", "long with gaps", "csr with NaN", "byte strings", "ragged", "no rows"),
}


@pytest.fixture(scope="module")
def read_by_mlflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What MLflow reads of the files of each case."""
    folders = {}
    for number, name in enumerate(sorted(CASES.keys() - NOT_FOR_MLFLOW)):
        example, signature = case(name)
        folder = tmp_path_factory.mktemp(f"model{number}")
        mlmodel(folder, signature)
        example.save(folder)
        folders[name] = str(folder)
    read: dict[str, Any] = json.loads(run_mlflow(READER, folders))
    return read


def frame(dtypes: dict[str, str], *cells: Any) -> list[Any]:
    return ["frame", [list(pair) for pair in dtypes.items()], list(cells)]


@needs_mlflow
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("iris", frame(dict.fromkeys(IRIS, "float64"), *map(repr, IRIS.values()))),
        ("digits", ["array", "uint8", [2, 4, 4], DIGITS.ravel().tolist()]),
        ("messages", MESSAGES),
        ("hello", frame({"0": "object"}, "Hello, Dolly!")),
        ("hello as it is", "Hello, Dolly!"),
        (
            "csr",
            [
                "csr_matrix",
                ["array", "float64", [2, 3], ["0.0", "1.5", "0.0", "2.0", "0.0", "-3.0"]],
            ],
        ),
        (
            "csc",
            [
                "csc_matrix",
                ["array", "float64", [2, 3], ["0.0", "1.0", "0.0", "2.0", "0.0", "3.0"]],
            ],
        ),
        (
            "named tensors",
            {
                "x": ["array", "uint8", [2, 4, 4], DIGITS.ravel().tolist()],
                "y": ["array", "float32", [2], ["nan", "-inf"]],
            },
        ),
        ("bytes", frame({"0": "object"}, "b'\\x00ab'")),
        ("none and NaN", frame({"a": "float64"}, "1.5", "nan", "nan")),
        ("none in a double", frame({"a": "float64"}, "nan")),
        (
            "none and NaT",
            frame({"a": "datetime64[ns]"}, repr(STAMP), "NaT", "NaT"),
        ),
        ("moments", ["array", "datetime64[ns]", [2], [1704153600000000000, None]]),
        ("half", ["array", "float16", [1], [repr(float(np.float16(0.1)))]]),
        ("wide", ["array", "uint64", [2], [2**64 - 1, 0]]),
        ("no dimension", ["array", "float64", [], ["2.5"]]),
    ],
)
def test_mlflow_reads_ours(read_by_mlflow: dict[str, Any], name: str, data: Any) -> None:
    read = read_by_mlflow[name]
    assert read["data"] == data
    assert read["params"] == case(name)[0].params


@needs_mlflow
def test_the_scoring_server_takes_ours(read_by_mlflow: dict[str, Any]) -> None:
    for name, read in read_by_mlflow.items():
        example, _ = case(name)
        data, params = read["served"]
        if name != "messages":
            assert params == example.params, name
        # A server is sent null for None, NaN and NaT alike: there they are what their columns make.
        if example.type in (ExampleType.DATAFRAME, ExampleType.NDARRAY):
            assert data == read["data"], name
    assert read_by_mlflow["messages"]["served"][0] == MESSAGES
    dense = ["0.0", "1.5", "0.0", "2.0", "0.0", "-3.0"]
    assert read_by_mlflow["csr"]["served"][0] == ["array", "float64", [2, 3], dense]
    assert read_by_mlflow["csc"]["served"][0][1] == "float32"
    assert read_by_mlflow["hello as it is"]["served"] == ["Hello, Dolly!", HELLO[1]]


FOREIGN: dict[str, tuple[ModelSignature, InputExample]] = {
    "frame": (
        columns(
            ColSpec("double", "d"),
            ColSpec("string", "s", False),
            ColSpec("binary", "x"),
            ColSpec("datetime", "t", False),
            ColSpec("float", "f"),
        ),
        InputExample(
            pd.DataFrame(
                {
                    "d": [NAN, math.inf],
                    "s": ["a", None],
                    "x": [b"\xff", b""],
                    "t": [pd.Timestamp("2024-01-02"), pd.NaT],
                    "f": np.array([0.1, 2], np.float32),
                }
            )
        ),
    ),
    "plain": (columns(ColSpec("long"), ColSpec("long")), InputExample(pd.DataFrame([[1, 2]]))),
    "array": (
        tensors(TensorSpec("uint8", (-1, 2))),
        InputExample(np.array([[1, 255]], np.uint8)),
    ),
    "nan": (
        tensors(TensorSpec("float32", (-1,))),
        InputExample(np.array([1.5, NAN, -math.inf], np.float32)),
    ),
    "arrays": (
        tensors(TensorSpec("float64", (-1,), "a"), TensorSpec("int8", (-1,), "b")),
        InputExample({"a": np.array([1.5]), "b": np.array([1], np.int8)}),
    ),
    "csr": (
        tensors(TensorSpec("float64", (-1, 2))),
        InputExample(sp.csr_matrix(np.array([[0.0, 1.5]]))),
    ),
    "csc": (
        tensors(TensorSpec("float64", (-1, 2))),
        InputExample(sp.csc_matrix(np.array([[0.0, 1.5]]))),
    ),
    "dict": (
        columns(ColSpec("binary", "a"), ColSpec(Array("double"), "b")),
        InputExample({"a": b"\0", "b": [1.5, NAN]}, {"top_k": 1}, example_no_conversion=True),
    ),
    "text": (
        HELLO_SIGNATURE,
        InputExample("Hello, Dolly!", {"temperature": 0.5}, example_no_conversion=True),
    ),
    "params": (columns(ColSpec("long", "a")), InputExample({"a": 1}, {"p": [1, 2]})),
    "moment": (
        columns(ColSpec("datetime")),
        InputExample(dt.datetime(2024, 1, 2), example_no_conversion=True),
    ),
}


@needs_mlflow
def test_we_read_mlflows(tmp_path_factory: pytest.TempPathFactory) -> None:
    folders = {name: str(tmp_path_factory.mktemp(f"theirs-{name}")) for name in FOREIGN}
    given = {name: (folders[name], FOREIGN[name][0].to_dict()) for name in FOREIGN}
    run_mlflow(WRITER, given)
    for name, (signature, expected) in FOREIGN.items():
        assert InputExample.load(folders[name]) == expected, name
        assert InputExample.load(folders[name], signature) == expected, name
        # Writing over theirs leaves a model that says the same of ours.
        theirs = yaml.safe_load(Path(folders[name], "MLmodel").read_text())
        info = expected.save(folders[name])
        ours = yaml.safe_load(Path(folders[name], "MLmodel").read_text())
        assert ours == {**theirs, "saved_input_example_info": info}
        assert info == theirs["saved_input_example_info"], name


def test_base64_of_others_is_read(tmp_path: Path) -> None:
    content = bytes(range(256))
    InputExample({"a": base64.b64encode(content).decode()}).save(tmp_path)
    signature = columns(ColSpec("binary", "a"))
    assert InputExample.load(tmp_path, signature) == InputExample({"a": content})
