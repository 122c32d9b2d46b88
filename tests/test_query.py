"""Queries that are put together as text: names, literals, and what stays in Spark's cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from spark_sig.delta.query import Query, apart
from spark_sig.sqltext import literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ODD = [
    "a b",
    "it's",
    "\\",
    "\\'",
    "\\n",
    "${spark.master}",
    "{rows}",
    "{query}",
    '"',
    "`",
    "\n",
    "",
]


@pytest.fixture(params=["true", "false"])
def escaped(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[None]:
    """A setting by which literals mean something else."""
    spark.conf.set("spark.sql.parser.escapedStringLiterals", request.param)
    yield
    spark.conf.unset("spark.sql.parser.escapedStringLiterals")


@pytest.mark.usefixtures("escaped")
def test_a_literal_means_its_text(spark: SparkSession) -> None:
    columns = ", ".join(f"{literal(text)} AS c{at}" for at, text in enumerate(ODD))
    query = Query.of(spark.range(1))
    assert list(query.ask(f"SELECT {columns} FROM {{query}}").collect()[0]) == ODD
    # it is constant, as types in from_json must be
    odd = "".join(ODD).replace("`", "")
    kind = literal(f"struct<`{odd}`: string>")
    found = query.ask(f"SELECT from_json('null', {kind}) AS s FROM {{query}}").schema["s"]
    assert found.dataType.fieldNames() == [odd]


def test_queries_within_queries(spark: SparkSession) -> None:
    rows = Query.of(spark.range(4))
    assert rows.columns == ("id",)
    doubled = rows.within("SELECT id, 2 * id AS twice FROM {query} WHERE id > 0", ["id", "twice"])
    joined = doubled.within(
        "SELECT q.twice FROM {query} q JOIN {others} o ON q.id = o.id",
        ["twice"],
        others=spark.range(2, 9),
    )
    assert joined.columns == ("twice",)
    assert sorted(row.twice for row in joined.frame().collect()) == [4, 6]
    assert joined.ask("SELECT sum(twice) FROM {query}").first() == (10,)


@pytest.mark.parametrize("name", ["rows", "given"])
def test_what_a_query_names_stays_in_the_cache(spark: SparkSession, name: str) -> None:
    cached = spark.range(5).selectExpr("id + 1 AS id").persist()
    cached.count()
    query = Query.of(cached)
    if name == "given":
        query = Query.of(spark.range(1)).within("SELECT * FROM {given}", ["id"], given=cached)
    for _ in range(2):
        assert query.frame().count() == 5
        assert cached.storageLevel.useMemory
    assert "InMemoryTableScan" in plan(query.frame())
    assert "InMemoryTableScan" in plan(spark.sql("SELECT * FROM {c}", c=apart(cached)))
    cached.unpersist()
    assert "InMemoryTableScan" not in plan(query.frame())


def plan(frame: DataFrame) -> str:
    return str(frame._jdf.queryExecution().executedPlan().toString())
