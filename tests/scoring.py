"""Scoring where workers do not see the driver's files: ``python -m tests.scoring KIND FOLDER``.

KIND is ``connect``, a server of Spark Connect, or ``cluster``, executors in processes of their
own, to which models are shipped.  Prints what came of it as JSON.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_sig import (
    ColSpec,
    ModelSignature,
    Policy,
    Schema,
    enforce_model,
    preflight,
    score,
    score_table,
    split,
)
from tests.mlflow_models import save_function

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SIGNATURE = ModelSignature(Schema([ColSpec("double", "x")]), Schema([ColSpec("double")]))


def doubled(frame: Any, params: Any) -> Any:
    return frame["x"] * 2


def thrice(frame: Any, params: Any) -> Any:
    return frame["x"] * 3


def see(spark: SparkSession, folder: Path) -> dict[str, Any]:
    """Score ten rows, one of which violates, in every way that there is."""
    rows = spark.range(0, 10, 1, 4).selectExpr("IF(id = 4, NULL, CAST(id AS double)) AS x", "id")
    places = {name: str(folder / name) for name in ("table", "out", "bad")}
    rows.write.format("delta").save(places["table"])
    models = [
        save_function(folder / function.__name__, function, SIGNATURE)
        for function in (doubled, thrice)
    ]
    found: dict[str, Any] = {}
    for model in models:
        good, bad = split(score(rows, model, policy=Policy(on_violation="tag")))
        predicted = sorted([row["x"], row["prediction"]] for row in good.collect())
        found[Path(model).name] = [predicted, [row["id"] for row in bad.collect()]]
    found["levels"] = [fit.level.value for fit in preflight(places["table"], models[0]).fits]
    whole = save_function(folder / "whole", lambda frame, params: frame, SIGNATURE)
    dropping = enforce_model(whole, policy=Policy(on_violation="drop"))
    found["guarded"] = dropping.predict(rows).count()
    for turn in ("first", "again"):
        report = score_table(places["table"], models[0], places["out"], quarantine=places["bad"])
        tables = (spark.read.format("delta").load(places[name]).count() for name in ("out", "bad"))
        found[turn] = [report.rows.total, report.rows.violating, *tables]
    return found


def main(kind: str, folder: Path) -> None:
    """Start a session of a kind, and print what it sees."""
    warnings.simplefilter("ignore")
    if kind == "connect":
        from tests.smoke import connect_session

        spark = connect_session()
    else:
        from jobs.session import build_session

        conf = {"spark.executor.memory": "1g", "spark.sql.shuffle.partitions": "2"}
        spark = build_session(
            "scoring", master="local-cluster[2,1,1024]", driver_memory="1g", conf=conf
        )
    try:
        print(json.dumps(see(spark, folder)))
    finally:
        spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
