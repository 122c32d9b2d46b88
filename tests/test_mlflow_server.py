"""A real ``mlflow server`` on loopback: the flow through HTTP, and what its pages are told."""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import yaml

from spark_sig import infer_signature, score, set_signature
from spark_sig.signature import load_signature
from tests.processes import Process, until

mlflow = pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")

from sklearn.linear_model import LinearRegression  # noqa: E402

from tests.mlflow_models import ADVICE, tracking  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, *(pytest.mark.filterwarnings(advice) for advice in ADVICE)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a free port, with SQLite behind it, which serves artifacts as well."""
    folder = tmp_path_factory.mktemp("mlflow-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "HOME": str(folder)}
    server = Process.start("mlflow server", command, env, folder / "log")
    place = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return str(get(place, "/health")) == "OK"
        except OSError:
            return False

    try:
        until(answers, f"the server's health\n{server.tail()}")
        yield place
    finally:
        server.kill()


def get(address: str, path: str) -> str:
    with urllib.request.urlopen(address + path, timeout=30) as answer:
        return str(answer.read().decode())


@pytest.mark.timeout(900)
def test_the_whole_flow(spark: SparkSession, address: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    model = LinearRegression().fit(frame, [1.0, 3.0, 5.0])
    signature = infer_signature(frame, model.predict(frame))
    with tracking(tmp_path, address) as client:
        with mlflow.start_run() as run:
            info = mlflow.sklearn.log_model(model, name="line", registered_model_name="line")
        set_signature(f"runs:/{run.info.run_id}/line", signature)
        version = client.get_model_version("line", 1)
        # a server takes the source of a logged model with that model's id alone
        client.create_model_version("line", version.source, model_id=info.model_id)
        client.set_registered_model_alias("line", "champion", 2)
        rows = spark.createDataFrame(frame)
        for uri in ("models:/line@champion", "models:/line/2", info.model_id):
            assert load_signature(uri) == signature
            found = score(rows, uri).collect()
            assert [row["prediction"] for row in found] == pytest.approx([1.0, 3.0, 5.0])
        assert shown(address, client, info.model_id) == signature.to_dict()


def shown(address: str, client: Any, model_id: str) -> dict[str, Any]:
    """What the page of a model is told: it reads the signature from the MLmodel."""
    model = f"/ajax-api/2.0/mlflow/logged-models/{model_id}"
    assert json.loads(get(address, model))["model"]["info"]["model_id"] == model_id
    files = f"{model}/artifacts/files?artifact_file_path=MLmodel"
    told: dict[str, Any] = yaml.safe_load(get(address, files))["signature"]
    return told
