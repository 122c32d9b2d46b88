"""The examples of both documents on a real MLflow, with our signatures and enforcement.

TensorFlow, Transformers and LangChain are stood in for by Python models of the same inputs,
outputs and params: what is tested is the contract, not the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from spark_sig import (
    ColSpec,
    ModelSignature,
    ParamSchema,
    ParamSpec,
    Schema,
    TensorSpec,
    enforce_model,
    infer_signature,
    score,
    set_signature,
)
from spark_sig.errors import ViolationError
from spark_sig.example import InputExample
from spark_sig.signature import load_signature

mlflow = pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")

from mlflow.models.model import get_model_info  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402

from tests.mlflow_models import ADVICE, Called, tracking  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.filterwarnings(advice) for advice in ADVICE]


@pytest.fixture(autouse=True)
def server(tmp_path: Path) -> Iterator[Any]:
    """Tracking and registry on a file of SQLite; artifacts in a folder."""
    with tracking(tmp_path) as client:
        yield client


@pytest.fixture(scope="module")
def iris() -> tuple[pd.DataFrame, Any, RandomForestClassifier]:
    data = datasets.load_iris()
    frame = pd.DataFrame(data.data, columns=data.feature_names)
    model = RandomForestClassifier(max_depth=7, random_state=0, n_estimators=10)
    return frame, data.target, model.fit(frame, data.target)


# What a forest is made of, which MLflow loads where the caller says so.
TRUSTED = {"skops_trusted_types": ["sklearn.tree._tree.Tree"]}


def log(function: Callable[..., Any], **given: Any) -> Any:
    """Log a Python model as the documents log theirs."""
    with mlflow.start_run():
        return mlflow.pyfunc.log_model(
            name="model", python_model=Called(function), pip_requirements=[], **given
        )


# --- column-based ---------------------------------------------------------------------------------

IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
BY_HAND = ModelSignature(
    Schema([ColSpec("double", name) for name in IRIS]), Schema([ColSpec("long")])
)


@pytest.mark.slow
def test_a_signature_from_the_first_row(spark: SparkSession, iris: Any) -> None:
    """The example is the data's first row; MLflow infers the signature from it."""
    frame, _, model = iris
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            model, name="iris_rf", input_example=frame.iloc[[0]], **TRUSTED
        )
    theirs = get_model_info(info.model_uri).signature
    assert ModelSignature.from_mlflow(theirs) == load_signature(info.model_uri)
    # what the model serves is a list, of which MLflow makes a column
    assert theirs == BY_HAND.to_mlflow()
    scored = score(spark.createDataFrame(frame), info.model_uri)
    assert [row["prediction"] for row in scored.collect()] == model.predict(frame).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("option", ["by hand", "inferred"])
def test_a_signature_of_columns(spark: SparkSession, iris: Any, option: str) -> None:
    frame, _, model = iris
    ours = BY_HAND if option == "by hand" else infer_signature(frame, model.predict(frame))
    if option == "inferred":
        # a prediction in an array is a tensor, to MLflow too
        assert ours.inputs == BY_HAND.inputs
        assert ours.outputs == Schema([TensorSpec("int64", (-1,))])
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            model, name="iris_rf", signature=ours.to_mlflow(), **TRUSTED
        )
    assert get_model_info(info.model_uri).signature == ours.to_mlflow()
    assert load_signature(info.model_uri) == ours
    scored = score(spark.createDataFrame(frame), info.model_id, keep=[])
    assert [row["prediction"] for row in scored.collect()] == model.predict(frame).tolist()
    guarded = enforce_model(mlflow.pyfunc.load_model(info.model_uri))
    assert guarded.predict(frame).tolist() == model.predict(frame).tolist()
    with pytest.raises(ViolationError, match=r"petal width \(cm\)'\]: null"):
        guarded.predict(frame.assign(**{IRIS[3]: pd.array([None] * len(frame), "Float64")}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "names"),
    [
        (dict(zip(IRIS, (5.1, 3.5, 1.4, 0.2), strict=True)), list(IRIS)),
        ({"s": ["a", "b"], "x": [1, 2]}, ["s", "x"]),
        (["a", "b"], [None]),
        ("Hello, Dolly!", [None]),
        (b"\x00\xff", [None]),
        (pd.DataFrame({"x": [1.5]}), ["x"]),
    ],
    ids=["dict of scalars", "dict of lists", "list", "str", "bytes", "pandas"],
)
def test_examples_of_columns(example: Any, names: list[str | None], tmp_path: Path) -> None:
    """Each kind that the documents name; both infer the same signature from it."""
    info = log(lambda data, params: ["x"] * len(data), input_example=example)
    loaded = load_signature(info.model_uri)
    assert loaded.inputs == infer_signature(example).inputs
    assert [spec.name for spec in loaded.side("inputs")] == names
    folder = mlflow.artifacts.download_artifacts(info.model_uri)
    theirs = get_model_info(info.model_uri).saved_input_example_info
    ours = InputExample.load(folder)
    assert theirs["type"] in ("dataframe", "json_object")
    # MLflow 3 keeps what JSON can say as it is, in this flavor
    again = InputExample.of(example, example_no_conversion=theirs["type"] == "json_object")
    assert ours == InputExample.load(tmp_path, loaded, again.save(tmp_path))


# --- tensors --------------------------------------------------------------------------------------

DIGITS = np.array(
    [
        [[0, 0, 0, 0], [0, 134, 25, 56], [253, 242, 195, 6], [0, 93, 82, 82]],
        [[0, 23, 46, 0], [33, 13, 36, 166], [76, 75, 0, 255], [33, 44, 11, 82]],
    ],
    dtype=np.uint8,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "example",
    [
        DIGITS,
        {"x": DIGITS, "y": np.array([0.5, 1.5], np.float32)},
        sp.csr_matrix(np.eye(2)),
        sp.csc_matrix(np.eye(2)),
    ],
    ids=["array", "dict", "csr", "csc"],
)
def test_examples_of_tensors(example: Any) -> None:
    def rows(data: Any, params: Any) -> Any:
        whole = data["x"] if isinstance(data, dict) else data
        return np.zeros(whole.shape[0], np.float32)

    info = log(rows, input_example=example)
    loaded = load_signature(info.model_uri)
    assert loaded.inputs == infer_signature(example).inputs
    assert loaded.outputs == Schema([TensorSpec("float32", (-1,))])
    assert loaded.to_mlflow() == get_model_info(info.model_uri).signature


MNIST = ModelSignature(
    Schema([TensorSpec("float64", (-1, 28, 28, 1))]), Schema([TensorSpec("float32", (-1, 10))])
)


def network(images: Any, params: Any) -> Any:
    """A stand-in for the network: ten numbers for each image."""
    assert images.shape[1:3] == (28, 28)
    weights = np.linspace(0, 1, 28 * 28 * 10).reshape(28 * 28, 10)
    return (images.reshape(len(images), -1) @ weights).astype(np.float32)


def test_a_signature_of_tensors(spark: SparkSession) -> None:
    info = log(network, signature=MNIST.to_mlflow())
    assert get_model_info(info.model_uri).signature == MNIST.to_mlflow()
    assert load_signature(info.model_uri) == MNIST
    images = np.random.default_rng(0).random((5, 28, 28, 1))
    guarded = enforce_model(mlflow.pyfunc.load_model(info.model_uri))
    expected = network(images, None)
    np.testing.assert_array_equal(guarded.predict(images), expected)
    with pytest.raises(ViolationError, match="type"):
        guarded.predict(images.astype(np.float32))
    # a column of flat images, and one of nested lists
    flat = spark.createDataFrame([(image.ravel().tolist(),) for image in images], ["image"])
    nested = spark.createDataFrame([(image.tolist(),) for image in images], ["image"])
    for frame in (flat, nested):
        found = [row["prediction"] for row in score(frame, info.model_uri, keep=[]).collect()]
        np.testing.assert_array_equal(np.array(found, np.float32), expected)


def test_a_signature_from_three_images() -> None:
    images = np.random.default_rng(0).random((3, 28, 28))
    info = log(network, input_example=images[:3, :])
    inferred = infer_signature(images, network(images, None))
    assert load_signature(info.model_uri) == inferred
    assert get_model_info(info.model_uri).signature == inferred.to_mlflow()


# --- JSON objects ---------------------------------------------------------------------------------

MESSAGES = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "assistant", "content": "What would you like to ask?"},
        {"role": "user", "content": "Who owns MLflow?"},
    ]
}


def test_a_json_object(spark: SparkSession) -> None:
    def last(frame: Any, params: Any) -> list[str]:
        return [str(messages[-1]["content"]) for messages in frame["messages"]]

    info = log(last, input_example=MESSAGES)
    loaded = load_signature(info.model_uri)
    assert loaded.inputs == infer_signature(MESSAGES).inputs
    assert loaded.to_mlflow() == get_model_info(info.model_uri).signature
    frame = spark.createDataFrame(
        [(MESSAGES["messages"],)], "messages array<struct<content string, role string>>"
    )
    found = score(frame, info.model_uri, keep=[]).collect()
    assert [tuple(row) for row in found] == [("Who owns MLflow?",)]
    guarded = enforce_model(mlflow.pyfunc.load_model(info.model_uri))
    assert guarded.predict(MESSAGES) == ["Who owns MLflow?"]
    broken = {"messages": [{"role": "user"}]}
    with pytest.raises(ViolationError, match=r"\$\.messages\[\*\]\.content: missing_property"):
        guarded.predict(broken)


# --- params ---------------------------------------------------------------------------------------

PARAMS = {
    "top_k": 2,
    "num_beams": 5,
    "max_length": 30,
    "temperature": 0.62,
    "top_p": 0.85,
    "repetition_penalty": 1.15,
    "begin_suppress_tokens": [1, 2, 3],
}
TEXTS = ModelSignature(
    Schema([ColSpec("string")]),
    Schema([ColSpec("string")]),
    ParamSchema(
        [
            ParamSpec("top_k", "long", 2),
            ParamSpec("num_beams", "long", 5),
            ParamSpec("max_length", "long", 30),
            ParamSpec("temperature", "double", 0.62),
            ParamSpec("top_p", "double", 0.85),
            ParamSpec("repetition_penalty", "double", 1.15),
            ParamSpec("begin_suppress_tokens", "long", [1, 2, 3], (-1,)),
        ]
    ),
)


def pipeline(data: Any, params: Any) -> list[str]:
    """A stand-in for the pipeline: each text, and the params that it was called with."""
    texts = data.iloc[:, 0] if isinstance(data, pd.DataFrame) else data
    return [f"{text} {json.dumps(params, sort_keys=True)}" for text in texts]


def test_a_signature_with_params(spark: SparkSession, tmp_path: Path) -> None:
    data = "pencil draw paper"
    assert infer_signature(data, "a text", PARAMS) == TEXTS
    folder = tmp_path / "text2text"
    mlflow.pyfunc.save_model(
        folder, python_model=Called(pipeline), signature=TEXTS.to_mlflow(), pip_requirements=[]
    )
    assert load_signature(folder) == TEXTS
    guarded = enforce_model(mlflow.pyfunc.load_model(str(folder)))
    expected = [f"{data} {json.dumps(PARAMS, sort_keys=True)}"]
    assert guarded.predict(data) == guarded.predict(data, params=PARAMS) == expected
    frame = spark.createDataFrame([(data,)], "text string")
    scored = score(frame, folder, params={"top_k": 3}, keep=[])
    changed = json.dumps(PARAMS | {"top_k": 3}, sort_keys=True)
    assert [tuple(row) for row in scored.collect()] == [(f"{data} {changed}",)]
    with pytest.raises(ViolationError, match=r"\$\.params\.top_k"):
        score(frame, folder, params={"top_k": "many"})


def test_an_example_with_params() -> None:
    """A tuple of data and params is an example, and gives a signature with both."""
    example = ("Hello, Dolly!", {"temperature": 0.5, "top_k": 1})
    info = log(pipeline, input_example=example)
    loaded = load_signature(info.model_uri)
    assert loaded == infer_signature(example[0], "x", example[1])
    folder = mlflow.artifacts.download_artifacts(info.model_uri)
    assert InputExample.load(folder).params == example[1]
    assert get_model_info(info.model_uri).signature == loaded.to_mlflow()


def test_params_override_their_defaults() -> None:
    params = {"temperature": 0.5, "suppress_tokens": [101, 102]}
    signature = infer_signature(["input"], params=params)
    info = log(lambda data, given: list(given.values()), signature=signature.to_mlflow())
    for model in (
        mlflow.pyfunc.load_model(info.model_uri),
        enforce_model(mlflow.pyfunc.load_model(info.model_uri)),
    ):
        assert model.predict(["input"]) == [0.5, [101, 102]]
        assert model.predict(["input"], params={"temperature": 0.1}) == [0.1, [101, 102]]
        given = {"temperature": 0.5, "suppress_tokens": [103]}
        assert model.predict(["input"], params=given) == [0.5, [103]]


# --- signatures set later -------------------------------------------------------------------------


@pytest.mark.slow
def test_set_on_a_logged_model(spark: SparkSession, iris: Any) -> None:
    frame, _, model = iris
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, name="iris_rf", **TRUSTED)
    uri = f"runs:/{run.info.run_id}/iris_rf"
    signature = infer_signature(frame, mlflow.pyfunc.load_model(uri).predict(frame))
    set_signature(uri, signature)
    assert get_model_info(uri).signature == signature.to_mlflow()
    assert mlflow.pyfunc.load_model(uri).metadata.signature == signature.to_mlflow()
    assert score(spark.createDataFrame(frame), uri).count() == len(frame)


@pytest.mark.slow
def test_set_on_a_registered_model(spark: SparkSession, iris: Any, server: Any) -> None:
    frame, _, model = iris
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, name="sklearn-model", **TRUSTED)
    name = "add_signature_model"
    mlflow.register_model(f"runs:/{run.info.run_id}/sklearn-model", name)
    version = server.get_model_version(name, 1)
    set_signature(version.source, infer_signature(frame, model.predict(frame)))
    server.create_model_version(name, version.source, run_id=version.run_id)
    server.set_registered_model_alias(name, "champion", 2)
    for uri in (f"models:/{name}/2", f"models:/{name}@champion"):
        assert load_signature(uri).inputs == BY_HAND.inputs
        scored = score(spark.createDataFrame(frame), uri, keep=[])
        assert [row["prediction"] for row in scored.collect()] == model.predict(frame).tolist()
