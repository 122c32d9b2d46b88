"""Whatever a query does to the rows afterwards, a violating row is found beneath it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig.compile.spark import source_schema
from spark_sig.engines.catalyst import compile_expressions, enforce_rows, numbered, source_columns
from spark_sig.errors import ROW_ERROR
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.rows import enforce_signature
from spark_sig.schema import ColSpec, Schema
from spark_sig.signature import ModelSignature

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = Schema(
    [ColSpec("long", "x"), ColSpec("double", "y"), ColSpec("string", "p"), ColSpec("long", "k")]
)
TEXT = f"{ROW_ERROR}$.x: null: expected long (required), observed null"


@pytest.fixture(scope="module")
def table(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of three partitions; the one row of ``a`` has no ``x``, and alone has 1 as ``k``."""
    path = tmp_path_factory.mktemp("guard") / "table"
    rows = [(x, float(x or 0), p, k) for x, p, k in [(None, "a", 1), (7, "b", 2), (8, "b", 2)]]
    df = spark.createDataFrame(rows, "x long, y double, p string, k long").coalesce(1)
    df.write.format("delta").partitionBy("p").save(str(path))
    more = spark.createDataFrame([(9, 9.0, "c", 3)], df.schema)
    more.write.format("delta").mode("append").save(str(path))
    return path


def other(df: DataFrame, where: str) -> DataFrame:
    """Return rows of another table, filtered."""
    keys = df.sparkSession.createDataFrame([(9, "c", 3), (8, "b", 2)], "x long, p string, k long")
    return keys.where(where)


CASES: dict[str, Callable[[DataFrame], DataFrame]] = {
    "count": lambda df: df.groupBy().count(),
    "narrow select": lambda df: df.select("y"),
    "no column at all": lambda df: df.select(),
    "where on the checked column": lambda df: df.where("x > 5"),
    "where on the checked column, count": lambda df: df.where("x > 5").groupBy().count(),
    "where on another column": lambda df: df.where("y > 5"),
    "where on a partition column": lambda df: df.where("p = 'b'"),
    "where on a column with file skipping": lambda df: df.where("k = 2"),
    "is not null": lambda df: df.where("x IS NOT NULL"),
    "dropna": lambda df: df.dropna(),
    "inner join": lambda df: df.join(other(df, "true").select("x"), "x"),
    "inner join on a partition column": lambda df: df.join(other(df, "k = 3").select("p"), "p"),
    "inner join on a column with file skipping": lambda df: df.join(
        other(df, "p = 'c'").select("k"), "k"
    ),
    "semi join": lambda df: df.join(other(df, "true").select("x"), "x", "left_semi"),
    "semi join on a partition column": lambda df: df.join(
        other(df, "k = 3").select("p"), "p", "left_semi"
    ),
    "anti join": lambda df: df.join(other(df, "true").select("k"), "k", "left_anti").where("x > 5"),
    "group by key with a filter": lambda df: df.groupBy("x").count().where("x > 5"),
    "group by partition with a filter": lambda df: df.groupBy("p").count().where("p = 'b'"),
    "distinct": lambda df: df.select("p").distinct().where("p = 'b'"),
    "union": lambda df: df.union(df).where("x = 7"),
    "a cast of the checked column": lambda df: df.selectExpr("x + 1 AS z").where("z > 5"),
    "rand": lambda df: df.where("rand() >= 0").where("x > 5"),
}
# A stream has neither of these in append mode.
BATCH_ONLY = {name for name in CASES if "group" in name} | {"count", "distinct"}
BATCH_ONLY |= {"where on the checked column, count", "anti join"}


def plan_for(df: DataFrame) -> Any:
    return plan_enforcement(source_schema(df.schema), SCHEMA, Policy(), spark=True)


def guarded(df: DataFrame) -> DataFrame:
    return enforce_rows(df, plan_for(df))


def staged(df: DataFrame) -> DataFrame:
    """Enforce by the arrow engine, as a user does."""
    signature = ModelSignature(inputs=SCHEMA)
    return df.transform(enforce_signature(signature, engine="arrow"))


def by_filter(df: DataFrame) -> DataFrame:
    """Guard by a filter alone: what one would write first, and what does not hold."""
    plan = plan_for(df)
    e = compile_expressions(plan, columns=source_columns(plan))
    check = f"CASE WHEN {e.violates} THEN CAST(raise_error({e.message}) AS BOOLEAN) ELSE true END"
    return numbered(df, plan).where(check).toDF(*plan.output.names)


@pytest.mark.parametrize("engine", [guarded, staged])
@pytest.mark.parametrize("case", CASES)
def test_a_later_step_cannot_drop_the_violating_row_unseen(
    spark: SparkSession, table: Path, case: str, engine: Callable[[DataFrame], DataFrame]
) -> None:
    found_beneath(CASES[case](engine(spark.read.format("delta").load(str(table)))))


@pytest.mark.parametrize("case", [name for name in CASES if "join" in name or "group" in name])
def test_no_plan_made_before_the_query_runs_drops_it_either(
    spark: SparkSession, table: Path, case: str
) -> None:
    before = spark.conf.get("spark.sql.adaptive.enabled")
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    try:
        found_beneath(CASES[case](guarded(spark.read.format("delta").load(str(table)))))
    finally:
        spark.conf.set("spark.sql.adaptive.enabled", before or "true")


def found_beneath(later: DataFrame) -> None:
    with pytest.raises(Exception, match="does not fit") as raised:
        later.collect()
    assert TEXT in str(raised.value)


def test_the_cases_are_such_that_a_weaker_guard_fails(spark: SparkSession, table: Path) -> None:
    df = by_filter(spark.read.format("delta").load(str(table)))
    with pytest.raises(Exception, match="does not fit"):
        df.count()
    assert df.where("x > 5").count() == 3


@pytest.mark.slow
@pytest.mark.parametrize("engine", [guarded, staged])
@pytest.mark.parametrize("case", sorted(set(CASES) - BATCH_ONLY))
def test_a_later_step_of_a_stream_cannot_drop_the_violating_row_unseen(
    spark: SparkSession,
    table: Path,
    case: str,
    tmp_path: Path,
    engine: Callable[[DataFrame], DataFrame],
) -> None:
    later = CASES[case](engine(spark.readStream.format("delta").load(str(table))))
    query = (
        later.writeStream.format("noop")
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    with pytest.raises(Exception, match="does not fit") as raised:
        query.awaitTermination()
    assert TEXT in str(raised.value)


def test_a_stream_of_conforming_rows_passes(
    spark: SparkSession, table: Path, tmp_path: Path
) -> None:
    source = spark.readStream.format("delta").load(str(table)).where("x IS NOT NULL")
    seen: list[int] = []
    query = (
        guarded(source)
        .writeStream.foreachBatch(lambda df, _: seen.append(df.count()))
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    assert sum(seen) == 3


def test_conforming_rows_come_through_every_step(spark: SparkSession, table: Path) -> None:
    clean = spark.read.format("delta").load(str(table)).where("x IS NOT NULL")
    plain = clean.select("x", "y", "p", "k")
    for case, later in list(CASES.items())[::3]:
        if case != "rand":
            got = sorted(map(tuple, later(guarded(clean)).collect()))
            assert got == sorted(map(tuple, later(plain).collect())), case


def test_what_is_narrowed_before_is_not_checked(spark: SparkSession, table: Path) -> None:
    df = spark.read.format("delta").load(str(table)).where("p = 'b'")
    assert guarded(df).count() == 2
