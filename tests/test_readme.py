"""The README's code, run as it stands there, on the demo's data and a registered model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

mlflow = pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")

from jobs.demo_data import load_flights  # noqa: E402
from spark_sig import ColSpec, ModelSignature, ParamSchema, ParamSpec, Schema  # noqa: E402
from tests.mlflow_models import ADVICE, Called, tracking  # noqa: E402
from tests.pages import Reader, blocks, standing_in  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.filterwarnings(advice) for advice in ADVICE]

ROWS = 336_776


def delayed(frame: Any, params: Any) -> Any:
    """Predict that a flight is as late as it left, and on time where it was cancelled."""
    return frame["dep_delay"].fillna(0) * params["quantile"]


def register_delays(client: Any) -> None:
    """Register the model that the README scores with."""
    signature = ModelSignature(
        Schema([ColSpec("long", "distance"), ColSpec("double", "dep_delay", required=False)]),
        Schema([ColSpec("double")]),
        ParamSchema([ParamSpec("quantile", "double", 0.5)]),
    )
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name="delays",
            python_model=Called(delayed),
            signature=signature.to_mlflow(),
            registered_model_name="delays",
            pip_requirements=[],
        )
    client.set_registered_model_alias("delays", "champion", "1")


def test_the_readme_runs(spark: SparkSession, root: Path, tmp_path: Path) -> None:
    # The reader has run `make demo`, and stands in the checkout.
    load_flights(spark, tmp_path / "build" / "demo" / "flights")
    reader, said = Reader(spark, tmp_path), ""
    with tracking(tmp_path) as client, standing_in(tmp_path, spark):
        register_delays(client)
        for block in blocks(root / "README.md"):
            if block.language == "python":
                reader.do(block)
                said += reader.printed
        names = reader.names
        # its tables lie where the reader stands
        assert names["sink"].report().rows.total == ROWS
    assert "conforms" in said.lower()
    assert "$.distance" in said
    assert names["report"].conforms
    # What the README calls lazy has not run yet.
    assert names["features"].count() == ROWS
    assert (names["conformed"].count(), names["rejected"].count()) == (ROWS, 0)
    given = names["df"].selectExpr("count(*)", "sum(dep_delay) * 0.9D").first()
    made = names["predicted"].selectExpr("count(*)", "sum(prediction)").first()
    assert list(made) == pytest.approx(list(given))
