"""Replays of inference from Spark DataFrames: a column's type, and what it becomes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from spark_sig.codec import schema_to_json
from spark_sig.delta.log import spark_errors
from spark_sig.errors import SignatureError
from spark_sig.infer.table import infer_table
from tests.conformance.corpus import Case, Ours, Outcome, Replayer, Versions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def replay(case: Case, versions: Versions) -> Outcome:
    """Build the frame that was recorded, infer, and compare the schema."""
    recorded = case["outcome"]
    ours = _ours(case)
    if ours.ok != recorded["ok"]:
        return Outcome(ours, "inferred here" if ours.ok else "refused here")
    if ours.ok and ours.value != recorded["schema"]:
        return Outcome(ours, f"gives {ours.value}, recorded {recorded['schema']}")
    return Outcome(ours)


def _ours(case: Case) -> Ours:
    try:
        inputs = infer_table(_frame(case)).signature.inputs
        assert inputs is not None
        return Ours(True, json.loads(schema_to_json(inputs)))
    except (SignatureError, *spark_errors()) as error:
        return Ours(False, error=str(error).splitlines()[0], stage="infer")


def _frame(case: Case) -> DataFrame:
    spark = _session()
    if "sql" in case:
        return spark.sql(case["sql"])
    if case["spark_type"] == "vector":
        from pyspark.ml.linalg import Vectors

        return spark.createDataFrame([(Vectors.dense([1.0, 2.0]),)], ["c"])
    return spark.sql(f"SELECT CAST(NULL AS {case['spark_type']}) AS c")


def _session() -> SparkSession:
    from pyspark.sql import SparkSession

    from jobs.session import build_session

    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    return build_session("spark_sig conformance", driver_memory="1g")


REPLAYER = Replayer(
    "spark_infer",
    lambda case: (
        {"id", "outcome", "infer_signature"} <= set(case)
        and bool({"spark_type", "sql"} & set(case))
    ),
    replay,
)
