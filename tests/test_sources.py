"""What a user names as data, and what a verdict on it may rest on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from pyspark.sql import types as T

from spark_sig import (
    Array,
    ColSpec,
    ModelSignature,
    Policy,
    Report,
    Schema,
    SignatureError,
    enforce_signature,
    validate,
)
from spark_sig.errors import SourceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LONG = ModelSignature(inputs=Schema([ColSpec("long", "a")]))
STATS = "spark.databricks.delta.stats.collect"


@pytest.fixture(scope="module")
def table(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of 40 rows that the log counts, and one of 20 that it does not."""
    path = tmp_path_factory.mktemp("sources") / "table"
    rows = spark.range(40).selectExpr("id AS a")
    rows.repartition(2).write.format("delta").save(str(path))
    spark.conf.set(STATS, "false")
    try:
        spark.range(20).selectExpr("id AS a").coalesce(1).write.format("delta").mode("append").save(
            str(path)
        )
    finally:
        spark.conf.unset(STATS)
    return path


def test_files_without_a_count_are_seen_and_the_others_reconciled(table: Path) -> None:
    report = validate(table, LONG)
    assert report.conforms
    assert (report.rows.total, report.expected_rows, report.source.uncounted) == (60, 40, 1)
    # What cannot be read cannot be made up for by files that nobody counted.
    short = Report(
        signature=report.signature,
        source=report.source,
        rows=type(report.rows)(39, 39, 0),
        expected_rows=40,
    )
    assert not short.complete
    assert not short.conforms


def test_rows_are_counted_where_the_log_does_not(table: Path) -> None:
    optional = ModelSignature(inputs=Schema([ColSpec("long", "a", required=False)]))
    assert validate(table, optional).rows.total == 60
    assert validate(table, optional, version=0).rows.total == 40


def test_sparks_own_spelling_of_a_path(table: Path) -> None:
    report = validate(f"delta.`{table}`", LONG)
    assert report.source.pinned
    assert report.rows.total == 60


def test_a_path_may_be_relative(table: Path) -> None:
    relative = os.path.relpath(table)
    report = validate(relative, LONG)
    assert report.source.kind == "delta"
    assert report.source.pinned


def test_a_time_that_is_yet_to_come_is_no_version(table: Path) -> None:
    with pytest.raises(SourceError, match="yet to come"):
        validate(table, LONG, timestamp="2999-01-01")
    with pytest.raises(SourceError, match="yet to come"):
        validate(table, LONG, timestamp="20000-01-01")
    with pytest.raises(SourceError, match="is not a time"):
        validate(table, LONG, timestamp="yesterday-ish")
    with pytest.raises(SourceError, match="no version at or before"):
        validate(table, LONG, timestamp="2001-01-01")


@pytest.mark.parametrize("data", [pd.DataFrame({"a": [1]}), None, [1, 2]])
def test_values_have_a_door_of_their_own(spark: SparkSession, data: Any) -> None:
    with pytest.raises(SignatureError, match=r"spark_sig\.enforce"):
        validate(data, LONG)
    with pytest.raises(SignatureError, match=r"spark_sig\.enforce"):
        enforce_signature(LONG)(data)


def test_arguments_of_another_type(table: Path) -> None:
    with pytest.raises(SignatureError, match="a version must be a whole number"):
        validate(table, LONG, version="0")  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match="must be a Policy"):
        validate(table, LONG, policy="strict")  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match="names no column 1"):
        validate(table, LONG, row_key=(1,))  # type: ignore[arg-type]
    # One name is one column, not its letters.
    assert validate(table, LONG, row_key="a", policy=None).row_key == ("a",)


def test_what_spark_skips_is_said_to_be_unchecked(spark: SparkSession, tmp_path: Path) -> None:
    """Delta takes NULL where a schema says that an array holds none, and Spark reads it as 0."""
    path = tmp_path / "declared"
    struct = T.StructType([T.StructField("v", T.ArrayType(T.LongType(), containsNull=False))])
    spark.createDataFrame([([1, 2],)], struct).write.format("delta").save(str(path))
    signature = ModelSignature(inputs=Schema([ColSpec(Array("long"), "v")]))
    # Delta relaxes the flag when it saves a DataFrame: the schema read back is honest.
    assert validate(path, signature).remarks == ()
    frame = spark.createDataFrame([([1, 2],)], struct)
    for engine in ("auto", "arrow"):
        (remark,) = validate(frame, signature, engine=engine).remarks  # type: ignore[arg-type]
        assert "$.v[*]" in remark
        assert "not checked for NULL" in remark
    document = validate(frame, signature).to_dict()
    assert Report.from_dict(document) == validate(frame, signature)


def test_a_policy_by_name() -> None:
    assert Policy.named("mlflow") == Policy.mlflow()
    with pytest.raises(SignatureError, match="unknown policy"):
        Policy.named("lenient")
