"""Scoring, against MLflow's own user-defined function on the same model and table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spark_sig import score
from tests.bench.measure import Ratio, interleaved, timed
from tests.bench.spark_cases import make_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

WIDTH = 16


def scores(spark: SparkSession, folder: Path, rows: int) -> Iterator[Ratio]:
    """Measure a linear model on 16 doubles, the prediction alone and beside every column."""
    from mlflow.pyfunc import spark_udf

    names = [f"x{at}" for at in range(WIDTH)]
    columns = [f"rand({at}) AS {name}" for at, name in enumerate(names)]
    frame = make_table(
        spark, folder / f"features-{rows}", lambda: spark.range(rows).selectExpr(*columns)
    )
    model = str(_model(folder / "model", names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        udf = spark_udf(spark, model, result_type="double", env_manager="local")

    bare = timed(partial(_run, frame.mapInArrow(_by_hand(model, names), "prediction double")))

    def kept(keep: list[str] | None) -> list[Callable[[], float]]:
        ours = score(frame, model, keep=keep)
        theirs = frame.withColumn("prediction", udf(*names))
        theirs = theirs.select("prediction") if keep == [] else theirs
        return [timed(partial(_run, df)) for df in (ours, theirs)]

    ours, theirs, by_hand = interleaved([*kept([]), bare])
    title = f"score {rows:,} x {WIDTH}, prediction kept: times spark_udf"
    yield Ratio(title, ours, theirs, 1.7, at_most=False)
    # What a mapInArrow written by hand does not do, which calls the model alone.
    yield Ratio("  enforcement's share of that", max(ours - by_hand, 1e-9), ours, 0.25)
    ours, theirs = interleaved(kept(None))
    title = f"score {rows:,} x {WIDTH}, every column kept: times spark_udf"
    yield Ratio(title, ours, theirs, 1.2, at_most=False)


def _run(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


def _model(folder: Path, names: list[str]) -> Path:
    """Save a linear model, once."""
    if not folder.exists():
        import mlflow
        from sklearn.linear_model import LinearRegression

        values = np.random.default_rng(0).random((1_000, len(names)))
        frame = pd.DataFrame(values, columns=names)
        model = LinearRegression().fit(frame, values.sum(axis=1))
        signature = mlflow.models.infer_signature(frame, model.predict(frame))
        mlflow.sklearn.save_model(model, folder, signature=signature)
    return folder


def _by_hand(model: str, names: list[str]) -> Callable[..., Iterator[object]]:
    def run(batches: Iterator[Any]) -> Iterator[object]:
        import mlflow
        import pyarrow as pa

        loaded = mlflow.sklearn.load_model(model)
        for batch in batches:
            given = np.empty((len(names), batch.num_rows))
            for place, name in enumerate(names):
                given[place] = batch.column(name)
            made = loaded.predict(pd.DataFrame(given.T, columns=names, copy=False))
            yield pa.RecordBatch.from_arrays([pa.array(made)], ["prediction"])

    return run
