"""Preflight: what types alone say, place by place, without a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import (
    Array,
    ColSpec,
    ModelSignature,
    Object,
    Policy,
    Property,
    Schema,
    TensorSpec,
    preflight,
    validate,
)
from spark_sig.types import AnyType, Map

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ORDERS = Array(
    Object(
        [Property("price", "double"), Property("n", "integer"), Property("note", "string", False)]
    )
)
SIGNATURE = ModelSignature(
    Schema(
        [
            ColSpec("long", "same"),
            ColSpec("long", "wider"),
            ColSpec("double", "lossy"),
            ColSpec("boolean", "never"),
            ColSpec("string", "gone"),
            ColSpec("string", "absent", False),
            ColSpec(ORDERS, "orders"),
            ColSpec(Map("double"), "tags"),
        ]
    )
)
ROWS = """
    SELECT 1L AS same, 1 AS wider, 1L AS lossy, 'x' AS never, 1 AS more,
           array(named_struct('n', 1L, 'price', 1f, 'extra', 2)) AS orders, map('a', 1f) AS tags
"""
LEVELS = {
    "$.same": "compatible",
    "$.wider": "widening",
    "$.lossy": "lossy",
    "$.never": "breaking",
    "$.gone": "breaking",
    "$.absent": "compatible",
    "$.orders": "compatible",
    "$.orders[*]": "compatible",
    "$.orders[*].price": "widening",
    "$.orders[*].n": "lossy",
    "$.orders[*].note": "compatible",
    "$.orders[*].extra": "breaking",
    "$.tags": "compatible",
    "$.tags[*]": "widening",
    "$.more": "compatible",
}


def levels(found: Any) -> dict[str, str]:
    return {fit.path: fit.level.value for fit in found.fits}


def test_every_place_has_its_level(spark: SparkSession) -> None:
    found = preflight(spark.sql(ROWS), SIGNATURE)
    assert levels(found) == LEVELS
    assert (found.level.value, found.passes) == ("breaking", False)
    lossless = preflight(spark.sql(ROWS), SIGNATURE, policy=Policy(casts="lossless"))
    # decided value by value now: as lossy, but no longer refused
    assert levels(lossless) == LEVELS
    refused = {violation.path for violation in lossless.refused}
    assert {"$.lossy", "$.orders[*].n"} == {v.path for v in found.refused} - refused
    exact = preflight(spark.sql(ROWS), SIGNATURE, policy=Policy(casts="exact", extra="forbid"))
    assert {p for p, level in levels(exact).items() if level != LEVELS[p]} == {
        *("$.wider", "$.lossy", "$.orders[*].price", "$.orders[*].n", "$.tags[*]", "$.more")
    }
    assert set(levels(exact).values()) == {"compatible", "breaking"}


def test_it_says_what_a_validation_would_refuse(spark: SparkSession) -> None:
    for policy in (Policy(), Policy(casts="lossless"), Policy.strict(), Policy.mlflow()):
        found = preflight(spark.sql(ROWS), SIGNATURE, policy=policy)
        report = validate(spark.sql(ROWS), SIGNATURE, policy=policy)
        refused = {(v.path, v.code) for v in found.refused}
        assert refused == {(v.path, v.code) for v in report.violations}
        assert refused
        # Where something is refused, its place or one inside is at least lossy.
        bad = {fit.path for fit in found.fits if fit.level.value in ("lossy", "breaking")}
        assert {path for path, _ in refused} <= bad


def test_what_is_left_to_rows_is_named(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    spark.sql(f"CREATE TABLE delta.`{path}` (a BIGINT NOT NULL, b INT, c STRING) USING delta")
    signature = ModelSignature(
        Schema([ColSpec("long", "a"), ColSpec("long", "b"), ColSpec("string", "c", False)])
    )
    found = preflight(path, signature)
    assert {fit.path: fit.checks for fit in found.fits} == {"$.a": (), "$.b": ("null",), "$.c": ()}
    assert found.passes


@pytest.mark.parametrize(
    ("schema", "sql", "level"),
    [
        (Schema([TensorSpec("float64", (-1, 2))]), "1D AS a, 2D AS b", "compatible"),
        (Schema([TensorSpec("float64", (-1, 2))]), "array(1D, 2D) AS x", "compatible"),
        (Schema([TensorSpec("float64", (-1, 2))]), "1D AS a", "breaking"),
        (Schema([TensorSpec("float64", (-1, 2))]), "1D AS a, 'x' AS b", "breaking"),
        (Schema([TensorSpec("float32", (-1, 2))]), "array(1D, 2D) AS x", "breaking"),
        (Schema([TensorSpec("uint8", (-1, 2), "x")]), "array(1s, 2s) AS x", "lossy"),
        (Schema([ColSpec("double"), ColSpec("long")]), "1f AS a, 1L AS b", "widening"),
        (Schema([ColSpec("double"), ColSpec("long")]), "1D AS a", "breaking"),
    ],
)
def test_tensors_and_places(spark: SparkSession, schema: Schema, sql: str, level: str) -> None:
    found = preflight(spark.sql(f"SELECT {sql}"), ModelSignature(schema))
    assert found.level.value == level
    assert found.passes is (level != "breaking")


@pytest.mark.parametrize(
    ("inputs", "sql"),
    [
        (ColSpec(AnyType(), "odd", False), "INTERVAL '1' DAY AS odd"),
        (ColSpec(AnyType(), "odd", False), "NULL AS odd"),
        (TensorSpec("object", (-1,), "odd"), "INTERVAL '1' DAY AS odd"),
    ],
)
def test_what_no_model_can_be_given_breaks(spark: SparkSession, inputs: Any, sql: str) -> None:
    """Anything may be in the column, and a validation reads none of it; a model runs in Python."""
    frame = spark.sql(f"SELECT {sql}, 1 AS n")
    found = preflight(frame, ModelSignature(Schema([inputs])))
    assert levels(found) == {"$.odd": "breaking", "$.n": "compatible"}
    assert "cannot be shipped to Python" in found.fits[0].note
    assert found.passes
    # one that the signature does not take is not shipped
    other = ModelSignature(Schema([ColSpec("integer", "n")]))
    assert set(levels(preflight(frame, other)).values()) == {"compatible"}


def test_no_job_runs(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    spark.sql(ROWS).write.format("delta").save(path)
    spark.range(1).count()
    tracker = spark.sparkContext.statusTracker()
    before = set(tracker.getJobIdsForGroup())
    assert not preflight(path, SIGNATURE).passes
    assert set(tracker.getJobIdsForGroup()) == before


def test_as_text_and_as_json(spark: SparkSession) -> None:
    found = preflight(spark.sql(ROWS), SIGNATURE)
    lines = str(found).splitlines()
    assert lines[0] == "breaking: refused by its types"
    assert len(lines) == 2 + len(LEVELS)
    (row,) = [line for line in lines if line.split()[0] == "$.lossy"]
    assert row.split()[1:5] == ["long", "double", "(required)", "lossy"]
    document = json.loads(found.to_json())
    assert document["level"] == "breaking"
    assert {fit["path"]: fit["level"] for fit in document["fits"]} == LEVELS
