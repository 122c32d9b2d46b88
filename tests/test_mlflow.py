"""MLflow itself: signatures go to and fro, and are found and set where its models are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spark_sig import ModelSignature, Schema, SignatureError, TensorSpec, set_signature
from spark_sig.signature import load_signature
from tests.conformance import recipe

mlflow = pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")

from mlflow.models import Model, get_model_info  # noqa: E402
from mlflow.models import ModelSignature as MlflowSignature  # noqa: E402
from mlflow.models import infer_signature as infer_by_mlflow  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

from tests.mlflow_models import ADVICE, tracking  # noqa: E402

pytestmark = [pytest.mark.filterwarnings(advice) for advice in ADVICE]

ORACLE = recipe.default_directory()
SIDES = {"schema": "inputs", "params": "params"}


# --- documents -----------------------------------------------------------------------------------


def documents() -> Iterator[Any]:
    """Every document of the oracle that MLflow reads."""
    if not (ORACLE / "serde.json").is_file():
        yield pytest.param(
            {}, marks=pytest.mark.skip(reason="the oracle is not beside the project")
        )
        return
    for case in json.loads((ORACLE / "serde.json").read_text())["cases"]:
        if case["outcome"]["ok"]:
            kind, document = case["kind"], case["document"]
            whole = json.loads(document) if kind == "signature" else {SIDES[kind]: document}
            if any(whole.get(side) for side in ("inputs", "outputs", "params")):
                yield pytest.param(whole, id=case["id"])


@pytest.mark.parametrize("document", list(documents()))
def test_what_one_side_writes_the_other_reads(document: dict[str, Any], tmp_path: Path) -> None:
    theirs = MlflowSignature.from_dict(document)
    written = Model(signature=theirs)
    written.save(str(tmp_path / "MLmodel"))
    try:
        ours = load_signature(tmp_path)
    except SignatureError as error:
        # tests/conformance names what MLflow reads and we refuse
        assert "$" in str(error.path)  # noqa: PT017
        return
    assert ours == ModelSignature.from_mlflow(theirs) == ModelSignature.from_mlflow(written)
    assert ours == load_signature(theirs)
    assert ours.to_dict() == {name: theirs.to_dict()[name] for name in ours.to_dict()}
    assert ours.to_mlflow().to_dict() == theirs.to_dict()
    # MLflow's own signature is another one once written where it has the other byte order
    theirs = MlflowSignature.from_dict(theirs.to_dict())
    assert ours.to_mlflow() == theirs
    (tmp_path / "ours").mkdir()
    Model().save(str(tmp_path / "ours" / "MLmodel"))
    ours.save(tmp_path / "ours")
    assert Model.load(str(tmp_path / "ours")).signature == theirs


# --- models that MLflow keeps --------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    """Tracking and registry on a file of SQLite; artifacts in a folder."""
    with tracking(tmp_path) as client:
        yield client


@pytest.mark.slow
def test_a_signature_is_found_wherever_the_model_is(server: Any) -> None:
    frame, target = datasets.load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(frame, target)
    theirs = infer_by_mlflow(frame, model.predict(frame))
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            model, name="iris", signature=theirs, registered_model_name="iris"
        )
    server.set_registered_model_alias("iris", "champion", 1)
    ours = ModelSignature.from_mlflow(theirs)
    folder = mlflow.artifacts.download_artifacts(info.model_uri)
    for place in (
        "models:/iris/1",
        "models:/iris/latest",
        "models:/iris@champion",
        info.model_uri,
        info.model_id,
        f"runs:/{run.info.run_id}/iris",
        Path(folder).as_uri(),
        folder,
    ):
        assert load_signature(place) == ours, place
    assert load_signature(info) == ours
    assert [str(spec.name) for spec in ours.side("inputs")] == list(frame.columns)
    for place, words in (
        ("models:/iris/2", "cannot be read"),
        ("models:/nobody/1", "cannot be read"),
        ("runs:/0123/iris", "cannot be read"),
        ("m-" + "0" * 32, "cannot be read"),
        ("nosuch:/bucket/model", "cannot be read"),
    ):
        with pytest.raises(SignatureError, match=words):
            load_signature(place)


@pytest.mark.slow
def test_a_signature_is_set_on_a_logged_model(server: Any) -> None:
    """As the guide does it, with our function, and MLflow's with our signature."""
    frame, target = datasets.load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(frame, target)
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(model, name="iris")
    uri = f"runs:/{run.info.run_id}/iris"
    with pytest.raises(SignatureError, match="no signature"):
        load_signature(uri)
    theirs = infer_by_mlflow(frame, model.predict(frame))
    set_signature(uri, theirs)
    assert get_model_info(uri).signature == theirs
    other = ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 4))]))
    mlflow.models.set_signature(info.model_uri, other.to_mlflow())
    assert load_signature(uri) == other
    with pytest.raises(SignatureError, match="cannot be set"):
        set_signature(f"runs:/{run.info.run_id}/other", other)


@pytest.mark.slow
def test_a_signature_is_set_on_a_registered_model(server: Any) -> None:
    """Versions are read only: the source gets it, and a new version is made of that."""
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(LogisticRegression().fit([[0], [1]], [0, 1]), name="model")
    mlflow.register_model(f"runs:/{run.info.run_id}/model", "bare")
    version = server.get_model_version("bare", 1)
    ours = load_signature(infer_by_mlflow(np.array([1])))
    for uri in ("models:/bare/1", "models:/bare@champion"):
        with pytest.raises(SignatureError, match="read only") as caught:
            set_signature(uri, ours)
        assert "new version" in str(caught.value)
    set_signature(version.source, ours)
    server.create_model_version("bare", version.source, run_id=version.run_id)
    assert load_signature("models:/bare/2") == ours
    assert get_model_info("models:/bare/2").signature == ours.to_mlflow()
