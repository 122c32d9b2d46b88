"""Inference on real data through Delta: flights, irises, wines, and images of digits."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from sklearn import datasets

from jobs.demo_data import load_flights, read_flights
from spark_sig import (
    ColSpec,
    Schema,
    TensorSpec,
    enforce,
    infer_signature,
    infer_table,
    validate,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="module")
def flights(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flights") / "table"
    load_flights(spark, path)
    return path


def save(df: DataFrame, path: Path) -> Path:
    # Names with blanks and brackets need column mapping.
    df.write.format("delta").option("delta.columnMapping.mode", "name").save(str(path))
    return path


@pytest.mark.slow
def test_flights_by_their_log_alone(flights: Path) -> None:
    found = infer_table(flights, outputs=["arr_delay"])
    assert found.scanned == ()
    assert found.rows == 336_776
    signature = found.signature
    data = read_flights()
    for schema in (signature.inputs, signature.outputs):
        assert schema is not None
        for spec in schema:
            assert bool(spec.required) == (data.column(spec.name).null_count == 0), spec
    assert {f.path for f in found.fields if not f.required} >= {"$.dep_time", "$.tailnum"}
    assert all("in 336,776 rows by statistics of" in f.why for f in found.fields)
    assert validate(flights, signature).conforms
    assert validate(flights, signature, side="outputs").conforms
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the advice about integers
        assert infer_signature(data.drop_columns("arr_delay")).inputs == signature.inputs


def test_a_sample_of_the_flights_says_too_much(flights: Path, spark: SparkSession) -> None:
    """What MLflow would infer from the first rows rejects the table; the whole table does not."""
    first = spark.read.format("delta").load(str(flights)).limit(5)
    with pytest.warns(UserWarning, match="integer columns"):
        signature = infer_signature(first.where("dep_time IS NOT NULL"))
    report = validate(flights, signature)
    assert not report.conforms
    assert {c.path for c in report.checks if c.violated} >= {"$.dep_time"}


@pytest.mark.parametrize("load", [datasets.load_iris, datasets.load_wine])
def test_a_frame_and_its_table_give_one_signature(
    spark: SparkSession, tmp_path: Path, load: Any
) -> None:
    bunch = load(as_frame=True)
    frame: pd.DataFrame = bunch.frame
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the advice about integers
        of_values = infer_signature(frame.drop(columns="target"), frame[["target"]])
    assert of_values.inputs == Schema([ColSpec("double", name) for name in bunch.feature_names])
    assert of_values.outputs == Schema([ColSpec("long", "target")])
    path = save(spark.createDataFrame(frame), tmp_path / "table")
    of_table = infer_table(path, outputs=["target"]).signature
    assert of_table == of_values
    assert validate(path, of_values).conforms
    assert enforce(frame.drop(columns="target"), of_table).equals(frame.drop(columns="target"))


def test_images_are_tensors(spark: SparkSession, tmp_path: Path) -> None:
    digits = datasets.load_digits()
    assert infer_signature(digits.images, digits.target).inputs == Schema(
        [TensorSpec("float64", (-1, 8, 8))]
    )
    rows = [
        (image.tolist(), flat.tolist(), int(label))
        for image, flat, label in zip(digits.images, digits.data, digits.target, strict=True)
    ]
    df = spark.createDataFrame(
        rows[:400], "image array<array<double>>, flat array<double>, label bigint"
    )
    path = save(df, tmp_path / "table")
    found = infer_table(path, outputs=["label"], tensors=True).signature
    assert found.inputs == Schema(
        [TensorSpec("float64", (-1, 8, 8), "image"), TensorSpec("float64", (-1, 64), "flat")]
    )
    assert found.outputs == Schema([TensorSpec("int64", (-1,), "label")])
    assert validate(path, found).conforms
    assert validate(path, found, side="outputs").conforms
