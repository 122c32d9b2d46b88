"""The guard: predict enforces whole inputs, whatever holds them, where MLflow takes a sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_sig import (
    Array,
    ColSpec,
    ModelSignature,
    Object,
    ParamSchema,
    ParamSpec,
    Policy,
    Property,
    Schema,
    SignatureError,
    TensorSpec,
    enforce_model,
)
from spark_sig.errors import ROW_ERROR, ViolationError
from spark_sig.types import Map
from tests.conformance import recipe

mlflow = pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")

from pydantic import BaseModel  # noqa: E402
from sklearn.linear_model import LinearRegression  # noqa: E402

from tests.mlflow_models import ADVICE, save_function  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [
    *(pytest.mark.filterwarnings(advice) for advice in ADVICE),
    pytest.mark.filterwarnings("ignore:Hint. Inferred schema contains integer column"),
]

INPUTS = Schema([ColSpec("long", "a"), ColSpec("double", "b")])
OUTPUTS = Schema([ColSpec("double")])
RECORD = Object([Property("role", "string"), Property("n", "long")])


def total(frame: Any, params: Any) -> Any:
    return frame["a"] * params["factor"] + frame["b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    params = ParamSchema([ParamSpec("factor", "double", 2.0)])
    signature = ModelSignature(INPUTS, OUTPUTS, params)
    return save_function(tmp_path_factory.mktemp("guarded") / "model", total, signature)


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"b": [0.5, 1.5], "a": np.array([1, 2], "int32"), "c": ["x", "y"]}),
        {"a": [1, 2], "b": [0.5, 1.5]},
        [{"a": 1, "b": 0.5}, {"a": 2, "b": 1.5}],
        pa.table({"a": pa.array([1, 2], pa.int16()), "b": pa.array([0.5, 1.5])}),
    ],
    ids=["pandas", "dict", "rows", "arrow"],
)
def test_what_conforms_is_predicted(folder: str, data: Any) -> None:
    model = enforce_model(mlflow.pyfunc.load_model(folder))
    assert model.predict(data).tolist() == [2.5, 5.5]
    assert model.predict(data, params={"factor": 1}).tolist() == [1.5, 3.5]


@pytest.mark.parametrize("row", [0, 9, 10, 4_999])
def test_every_row_of_pandas_counts(folder: str, row: int) -> None:
    frame = pd.DataFrame({"a": pd.array(range(5_000), "Int64"), "b": 1.0})
    frame.loc[row, "a"] = pd.NA
    with pytest.raises(ViolationError, match=r"\$\.a: null"):
        enforce_model(folder).predict(frame)
    with pytest.raises(ViolationError, match=r"(?s)\$\.a.*\$\.params\.factor"):
        enforce_model(folder).predict(frame, params={"factor": "x"})


def test_arrays_and_dicts_of_arrays(tmp_path: Path) -> None:
    signature = ModelSignature(Schema([TensorSpec("float64", (-1, 2))]), OUTPUTS)
    model = enforce_model(save_function(tmp_path / "array", lambda x, p: x.sum(axis=1), signature))
    assert model.predict(np.ones((2, 2))).tolist() == [2.0, 2.0]
    with pytest.raises(ViolationError, match="shape"):
        model.predict(np.ones((2, 3)))
    with pytest.raises(ViolationError, match="type"):
        model.predict(np.ones((2, 2), "float32"))
    named = ModelSignature(Schema([TensorSpec("float64", (-1,), "x")]), OUTPUTS)
    model = enforce_model(save_function(tmp_path / "named", lambda d, p: d["x"] * 2, named))
    assert model.predict({"x": np.ones(2)}).tolist() == [2.0, 2.0]
    with pytest.raises(ViolationError, match=r"\$\.x: missing_column"):
        model.predict({"y": np.ones(2)})


def test_arrow_keeps_its_values(tmp_path: Path) -> None:
    signature = ModelSignature(Schema([ColSpec("long", "a", False)]), OUTPUTS)
    model = enforce_model(save_function(tmp_path / "m", lambda x, p: x["a"].tolist(), signature))
    assert model.predict(pa.table({"a": [2**53 + 1, None]})) == [2**53 + 1, pd.NA]
    tensor = ModelSignature(Schema([TensorSpec("float64", (-1, 2))]), OUTPUTS)
    model = enforce_model(save_function(tmp_path / "t", lambda x, p: x.sum(axis=1), tensor))
    assert model.predict(pa.table({"a": [1.0], "b": [2.0]})).tolist() == [3.0]


class Message(BaseModel):
    """What a chat model is told."""

    role: str
    n: int


class Chat(BaseModel):
    """Messages."""

    messages: list[Message]


class Roles(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model whose signature is made of its hints: one object, without a name."""

    def predict(self, model_input: list[Message], params: Any = None) -> list[str]:
        return [message.role for message in model_input]


ASKS, SAYS = Message(role="user", n=1), Message(role="bot", n=2)


def test_objects_of_pydantics_are_rows(tmp_path: Path) -> None:
    mlflow.pyfunc.save_model(tmp_path / "m", python_model=Roles(), pip_requirements=[])
    model = enforce_model(tmp_path / "m")
    assert model.predict([ASKS, SAYS]) == ["user", "bot"]
    assert model.predict([ASKS, {"role": "bot", "n": 2}]) == ["user", "bot"]
    assert model.predict(ASKS) == ["user"]
    with pytest.raises(ViolationError, match="missing_property"):
        model.predict([Chat(messages=[ASKS])])


@pytest.mark.parametrize(
    ("inputs", "given", "rows"),
    [
        (Schema([ColSpec("string", "role"), ColSpec("long", "n")]), ASKS, ASKS.model_dump()),
        (Schema([ColSpec("string", "role"), ColSpec("long", "n")]), [ASKS], ASKS.model_dump()),
        (
            Schema([ColSpec(Array(RECORD), "messages")]),
            Chat(messages=[ASKS, SAYS]),
            {"messages": [ASKS.model_dump(), SAYS.model_dump()]},
        ),
        (
            Schema([ColSpec(Array(RECORD), "messages")]),
            {"messages": [ASKS]},
            {"messages": [ASKS.model_dump()]},
        ),
        (Schema([ColSpec(RECORD, "o")]), [{"o": ASKS}], {"o": ASKS.model_dump()}),
    ],
)
def test_whatever_holds_them(tmp_path: Path, inputs: Schema, given: Any, rows: Any) -> None:
    folder = save_function(
        tmp_path / "m", lambda x, p: x.to_dict("records"), ModelSignature(inputs)
    )
    assert enforce_model(folder).predict(given) == [rows]


def test_a_map_of_arrows_has_each_key_once(tmp_path: Path) -> None:
    signature = ModelSignature(Schema([ColSpec(Map("long"), "m")]), OUTPUTS)
    model = enforce_model(save_function(tmp_path / "m", lambda x, p: x["m"].tolist(), signature))
    kind = pa.map_(pa.string(), pa.int64())
    once = pa.table({"m": pa.array([[("a", 1), ("b", 2)]], kind)})
    assert model.predict(once) == [{"a": 1, "b": 2}]
    with pytest.raises(ViolationError, match=r"\$\.m: type: .*observed a key twice"):
        model.predict(pa.table({"m": pa.array([[("a", 1), ("a", 2)]], kind)}))


def test_the_callers_frame_stays_as_it_was(tmp_path: Path) -> None:
    def writes(frame: Any, params: Any) -> Any:
        frame.iloc[0, 0] = 99
        return [params is None]

    signature = ModelSignature(Schema([ColSpec("double", "x")]), OUTPUTS)
    given = pd.DataFrame({"x": [1.0]})
    assert enforce_model(save_function(tmp_path / "m", writes, signature)).predict(given) == [True]
    assert given["x"].tolist() == [1.0]


def test_the_rest_is_the_models_own(folder: str) -> None:
    plain = mlflow.pyfunc.load_model(folder)
    model = enforce_model(plain)
    assert model.metadata is plain.metadata
    assert model.unwrap_python_model() is plain.unwrap_python_model()
    with pytest.raises(AttributeError):
        _ = model.nothing


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="no model"):
        enforce_model(LinearRegression())
    bare = save_function(tmp_path / "bare", total, None)
    with pytest.raises(SignatureError, match="no signature"):
        enforce_model(bare)
    outputs = save_function(tmp_path / "outputs", total, ModelSignature(outputs=OUTPUTS))
    with pytest.raises(SignatureError, match="no inputs"):
        enforce_model(outputs)


# --- Spark ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [9, 10, 500_000])
def test_null_wherever_it_is(spark: SparkSession, tmp_path: Path, row: int) -> None:
    """Of these three MLflow finds the first (the oracle's spark_demo.json, recorded and live)."""
    signature = ModelSignature(Schema([ColSpec("integer", "a")]), OUTPUTS)
    folder = save_function(tmp_path / "m", lambda df, p: df.selectExpr("a + 0D AS p"), signature)
    rows = spark.range(0, 1_000_000, 1, 2)
    frame = rows.selectExpr(f"IF(id = {row}, NULL, CAST(id AS int)) AS a")
    plain = mlflow.pyfunc.load_model(folder)
    if row == 9:
        with pytest.raises(mlflow.MlflowException, match="Incompatible input types for column a"):
            plain.predict(frame)
    else:
        assert plain.predict(frame).where("p IS NULL").count() == 1
    with pytest.raises(Exception, match=rf"{ROW_ERROR}\$\.a: null"):
        enforce_model(plain).predict(frame).collect()
    dropped = enforce_model(plain, policy=Policy(on_violation="drop")).predict(frame)
    assert dropped.where("p IS NULL").count() == 0


def test_the_oracle_says_so_too() -> None:
    path = recipe.default_directory() / "spark_demo.json"
    if not path.is_file():
        pytest.skip("the oracle is not beside the project")
    demo = {case["id"]: case for case in json.loads(path.read_text())["demo"]}
    found = {row: demo[f"predict.null_row_{row}"]["detected"] for row in ("9", "10", "500k")}
    assert found == {"9": True, "10": False, "500k": False}


def test_the_model_gets_the_rows_as_enforced(spark: SparkSession, tmp_path: Path) -> None:
    """MLflow hands the frame on as it was: integers where the signature says double."""
    signature = ModelSignature(Schema([ColSpec("double", "x")]), OUTPUTS)
    folder = save_function(tmp_path / "model", lambda df, p: df.dtypes, signature)
    frame = spark.range(3).selectExpr("'more' AS m", "CAST(id AS int) AS x")
    assert mlflow.pyfunc.load_model(folder).predict(frame) == [("x", "int")]
    assert enforce_model(folder).predict(frame) == [("x", "double")]


@pytest.mark.slow
def test_a_library_s_model_scores_the_rows(spark: SparkSession, tmp_path: Path) -> None:
    """It takes no Spark DataFrame itself."""
    model = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [1.0, 3.0])
    signature = ModelSignature(Schema([ColSpec("double", "x")]), OUTPUTS)
    mlflow.sklearn.save_model(
        model, str(tmp_path / "m"), signature=signature.to_mlflow(), pip_requirements=[]
    )
    frame = spark.range(3).selectExpr("CAST(id AS double) AS x")
    found = enforce_model(tmp_path / "m").predict(frame)
    assert [row["prediction"] for row in found.sort("x").collect()] == pytest.approx([1, 3, 5])
    with pytest.raises(SignatureError, match="URI or folder"):
        enforce_model(mlflow.pyfunc.load_model(str(tmp_path / "m"))).predict(frame)
