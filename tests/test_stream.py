"""Row mode on a stream: what comes out is what comes out of a batch, whatever the sink."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spark_sig.errors import ROW_ERROR, ViolationError
from spark_sig.planner import VIOLATIONS
from spark_sig.policy import OnViolation, Policy
from spark_sig.rows import enforce_signature, split
from spark_sig.schema import ColSpec, Schema
from spark_sig.signature import ModelSignature
from spark_sig.types import Array, Object, Property
from tests.differential import exact_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from spark_sig.planner import Engine

SCALARS = Schema(
    [
        ColSpec("long", "id"),
        ColSpec("double", "price"),
        ColSpec(Object([Property("n", "integer"), Property("s", "string", False)]), "rec"),
        ColSpec("string", "note", False),
    ]
)
NESTED = Schema([*SCALARS, ColSpec(Array("double"), "xs")])
# (schema, engine): what each engine can decide of a stream
ENGINES = [(SCALARS, "catalyst"), (SCALARS, "arrow"), (NESTED, "auto")]
IDS = ["catalyst", "arrow", "auto with a list"]

GOOD = """
    SELECT CAST(id AS int) AS id, CAST(id AS float) AS price,
           named_struct('s', IF(id = 1, NULL, 'a'), 'n', CAST(id AS smallint)) AS rec,
           array(CAST(id AS float), 1.5f) AS xs
    FROM range(6)
"""
BAD = """
    SELECT id, IF(id = 4, NULL, price) AS price,
           IF(id = 2, named_struct('s', 'b', 'n', CAST(NULL AS smallint)), rec) AS rec,
           IF(id = 5, array(1f, NULL), xs) AS xs
    FROM ({})
"""


@pytest.fixture(scope="module")
def table(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table of two versions: six rows that conform, and six of which some do not."""
    path = str(tmp_path_factory.mktemp("stream") / "table")
    spark.sql(GOOD).write.format("delta").save(path)
    spark.sql(BAD.format(GOOD)).write.format("delta").mode("append").save(path)
    return path


def enforced(df: DataFrame, schema: Schema, engine: str, mode: OnViolation) -> DataFrame:
    policy = Policy(on_violation=mode)
    chosen: Engine = engine  # type: ignore[assignment]
    return df.transform(
        enforce_signature(ModelSignature(inputs=schema), policy=policy, engine=chosen)
    )


def written(df: DataFrame, path: Path) -> DataFrame:
    """Run a stream into a table, to the end of what there is, and return the table."""
    query = (
        df.writeStream.format("delta")
        .option("checkpointLocation", str(path) + ".checkpoint")
        .trigger(availableNow=True)
        .start(str(path))
    )
    assert query.awaitTermination(240)
    return df.sparkSession.read.format("delta").load(str(path))


def files_one_by_one(spark: SparkSession, table: str) -> DataFrame:
    return spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(table)


def told(error: object) -> str:
    """Return what an error of Spark's says, and all that caused it."""
    # Of a failed write a stream's own message has nothing but the sink's path.
    texts = []
    while error is not None:
        texts.append(str(error))
        error = getattr(error, "_cause", None)
    return "\n".join(texts)


@pytest.mark.slow
@pytest.mark.parametrize(("schema", "engine"), ENGINES, ids=IDS)
@pytest.mark.parametrize("mode", ["drop", "tag"])
def test_a_stream_gives_the_rows_of_a_batch(
    spark: SparkSession, table: str, schema: Schema, engine: str, mode: OnViolation
) -> None:
    stream = enforced(files_one_by_one(spark, table), schema, engine, mode)
    assert stream.isStreaming
    batch = enforced(spark.read.format("delta").load(table), schema, "arrow", mode)
    name = f"stream_{mode}_{engine}_{len(schema)}"
    query = stream.writeStream.format("memory").queryName(name)
    assert query.trigger(availableNow=True).start().awaitTermination(240)
    out = spark.table(name)
    assert exact_rows(out) == exact_rows(batch)
    violating = 2 if schema is SCALARS else 3
    if mode == "drop":
        assert out.count() == 12 - violating
    else:
        assert out.where(f"size({VIOLATIONS}) > 0").count() == violating
    spark.catalog.dropTempView(name)


@pytest.mark.parametrize(("schema", "engine"), ENGINES, ids=IDS)
def test_a_stream_fails_at_the_row_that_violates(
    spark: SparkSession, table: str, tmp_path: Path, schema: Schema, engine: str
) -> None:
    from pyspark.errors import StreamingQueryException

    out = tmp_path / "out"
    first = spark.read.format("delta").option("versionAsOf", 0).load(table)
    conforming = str(tmp_path / "conforming")
    first.write.format("delta").save(conforming)
    assert written(enforced(files_one_by_one(spark, conforming), schema, engine, "raise"), out)

    # The table grows; the stream goes on from its checkpoint and meets the row.
    grown = spark.read.format("delta").load(table).where("price IS NULL")
    grown.write.format("delta").mode("append").save(conforming)
    again = enforced(files_one_by_one(spark, conforming), schema, engine, "raise")
    with pytest.raises(StreamingQueryException) as raised:
        written(again, out)
    assert f"{ROW_ERROR}$.price: null: expected double (required)" in told(raised.value)
    assert spark.read.format("delta").load(str(out)).count() == 6


@pytest.mark.parametrize(("schema", "engine"), ENGINES[:2], ids=IDS[:2])
def test_a_batch_of_a_stream_can_be_split(
    spark: SparkSession, table: str, tmp_path: Path, schema: Schema, engine: str
) -> None:
    seen: dict[str, int] = {"conformed": 0, "rejected": 0}

    def sort_out(batch: DataFrame, number: int) -> None:
        conformed, rejected = split(batch)
        seen["conformed"] += conformed.count()
        seen["rejected"] += rejected.count()
        assert rejected.columns == ["id", "price", "rec", "xs", VIOLATIONS]

    tagged = enforced(files_one_by_one(spark, table), schema, engine, "tag")
    query = tagged.writeStream.foreachBatch(sort_out).trigger(availableNow=True).start()
    assert query.awaitTermination(240)
    assert seen == {"conformed": 10, "rejected": 2}


def test_a_stream_that_does_not_fit_by_its_types_never_starts(
    spark: SparkSession, table: str
) -> None:
    stream = spark.readStream.format("delta").load(table)
    wanted = Schema([ColSpec("long", "id"), ColSpec("integer", "price"), ColSpec("string", "nte")])
    with pytest.raises(ViolationError) as raised:
        enforced(stream, wanted, "auto", "drop")
    assert [v.path for v in raised.value.violations] == ["$.price", "$.nte"]
    assert not spark.streams.active
