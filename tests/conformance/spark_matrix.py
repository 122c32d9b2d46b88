"""Replays of enforcement on Spark columns: a Spark type, a target, accepted or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from spark_sig.compile.spark import source_schema
from spark_sig.errors import Code, SignatureError
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema
from spark_sig.types import DataType
from tests.conformance.corpus import Case, Ours, Outcome, Replayer, Versions

if TYPE_CHECKING:
    from pyspark.sql.types import DataType as SparkType

NAME = "c"


def replay(case: Case, versions: Versions) -> Outcome:
    """Hold a column to a signature of one required column; compare the verdict.

    ``Policy.mlflow()`` decides all of it by types and NULLs, so that planning tells, and no
    session is needed: a check that is left for the rows fails where it is that of a NULL, and
    the column has one.
    """
    recorded = case["outcome"]
    ours = _ours(case)
    if ours.ok != recorded["ok"]:
        return Outcome(ours, "accepted here" if ours.ok else "refused here")
    return Outcome(ours)


def _ours(case: Case) -> Ours:
    schema = Schema([ColSpec(DataType(case["target"]), NAME)])
    try:
        plan = plan_enforcement(_source(case["spark_type"]), schema, Policy.mlflow(), spark=True)
    except SignatureError as error:
        return Ours(False, error=str(error))
    if plan.findings:
        return Ours(False, error=str(plan.findings[0]))
    # Dates are checked for their range, but those that Python has all lie within it.
    dates = case["spark_type"] == "date"
    checks = [c for c in plan.checks if not (dates and c.code is Code.CAST)]
    if checks and case["with_null"]:
        return Ours(False, error=f"NULL fails {checks[0]}")
    assert not checks, "a verdict that depends on values"
    return Ours(True)


def _source(spark_type: str) -> pa.Schema:
    # here, not above: the other replayers need no Spark
    from pyspark.sql.types import StructField, StructType

    return source_schema(StructType([StructField(NAME, read_type(spark_type))]))


def read_type(text: str) -> SparkType:
    """Read a type as ``simpleString`` writes it; PySpark can do that in a session only."""
    from pyspark.sql import types as T

    text = text.strip()
    head, bracket, inside = text.partition("<")
    if not bracket:
        return T._parse_datatype_json_value(_JSON_NAMES.get(text, text))
    parts = list(_parts(inside.removesuffix(">")))
    if head == "array":
        return T.ArrayType(read_type(parts[0]))
    if head == "map":
        return T.MapType(read_type(parts[0]), read_type(parts[1]))
    members = (part.partition(":") for part in parts)
    return T.StructType([T.StructField(name, read_type(kind)) for name, _, kind in members])


# What SQL and JSON call by different names.
_JSON_NAMES = {
    "tinyint": "byte",
    "smallint": "short",
    "int": "integer",
    "bigint": "long",
}


def _parts(text: str) -> Iterator[str]:
    """Split at the commas that stand in no brackets."""
    depth = start = 0
    for place, character in enumerate(text):
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            yield text[start:place]
            start = place + 1
    if text:
        yield text[start:]


REPLAYER = Replayer(
    "spark_enforce_matrix",
    lambda case: {"spark_type", "with_null", "target", "outcome"} <= set(case),
    replay,
)
