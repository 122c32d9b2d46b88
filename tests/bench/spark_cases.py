"""Benchmarks on Spark: the gate and row mode against Spark's own scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from spark_sig import (
    Array,
    ColSpec,
    ModelSignature,
    Schema,
    enforce_signature,
    infer_table,
    validate,
)
from spark_sig.compile.spark import source_schema
from spark_sig.planner import plan_enforcement
from tests.bench.measure import Ratio, interleaved, timed

SCALARS = ("long", "double", "integer", "string")


# Properties of the tables that are made, where settings begin with it.
DEFAULTS = "spark.databricks.delta.properties.defaults"


def make_table(
    spark: SparkSession, path: Path, make: Callable[[], DataFrame], **conf: str
) -> DataFrame:
    """Read a table, made first where it is not there, under settings of the session."""
    if not (path / "_delta_log").exists():
        for key, value in conf.items():
            spark.conf.set(key, value)
        make().write.format("delta").save(str(path))
        for key in conf:
            spark.conf.unset(key)
    return spark.read.format("delta").load(str(path))


def read_all(df: DataFrame) -> Callable[[], None]:
    return lambda: df.write.format("noop").mode("overwrite").save()


def scalar_columns(violating: bool) -> list[str]:
    found = []
    for i in range(16):
        kind = SCALARS[i % 4]
        value = {
            "long": f"id * {i + 1}",
            "double": f"id / {i + 1}.0D",
            "integer": f"CAST(id % {1000 + i} AS int)",
            "string": f"concat('s', id % {100 + i})",
        }[kind]
        if violating and i == 5:
            value = f"IF(id % 100 = 0, NULL, {value})"
        found.append(f"{value} AS c{i}")
    return found


def scalar_signature() -> ModelSignature:
    return ModelSignature(inputs=Schema([ColSpec(SCALARS[i % 4], f"c{i}") for i in range(16)]))


def scalars(spark: SparkSession, folder: Path, rows: int) -> Iterator[Ratio]:
    """Measure 16 scalar columns: the gate, row mode, and a gate on data that violates."""
    signature = scalar_signature()
    clean = make_table(
        spark,
        folder / f"scalars-{rows}",
        lambda: spark.range(rows).selectExpr(*scalar_columns(False)),
    )
    dirty = make_table(
        spark,
        folder / f"violating-{rows}",
        lambda: spark.range(rows).selectExpr(*scalar_columns(True)),
    )

    def gate(df: DataFrame, conforms: bool) -> Callable[[], None]:
        def run() -> None:
            report = validate(df, signature)
            assert (report.rows.total, report.conforms) == (rows, conforms)

        return run

    enforced = clean.transform(enforce_signature(signature))
    scan, scan_dirty, checked, rowwise, found = interleaved(
        [
            timed(read_all(clean)),
            timed(read_all(dirty)),
            timed(gate(clean, True)),
            timed(read_all(enforced)),
            timed(gate(dirty, False)),
        ]
    )
    name = f"{rows:,} x 16 scalars"
    yield Ratio(f"gate on {name} / scan", checked, scan, 1.10)
    yield Ratio(f"row mode on {name} / scan", rowwise, scan, 1.15)
    yield Ratio(f"gate, 1 % of rows violate, {name} / scan", found, scan_dirty, 2.5)


def arrays(spark: SparkSession, folder: Path, rows: int) -> Iterator[Ratio]:
    """Measure the gate on one array<float>[16] column against an empty Python stage over it."""
    df = make_table(
        spark,
        folder / f"arrays-{rows}",
        lambda: spark.range(rows).selectExpr(
            "transform(sequence(0, 15), i -> CAST(id + i AS float)) AS v"
        ),
    )
    signature = ModelSignature(inputs=Schema([ColSpec(Array("float"), "v")]))

    def empty(batches):  # type: ignore[no-untyped-def]
        for _ in batches:
            pass
        return iter(())

    def gate() -> None:
        assert validate(df, signature).conforms

    stage = df.mapInArrow(empty, "x int")
    checked, base = interleaved([timed(gate), timed(read_all(stage))])
    yield Ratio(f"gate on {rows:,} x array<float>[16] / empty stage", checked, base, 1.3)


def wide(spark: SparkSession, folder: Path, rows: int, columns: int) -> Iterator[Ratio]:
    """Measure many columns: planning, and the gate."""
    df = make_table(
        spark,
        folder / f"wide-{rows}-{columns}",
        lambda: spark.range(rows).selectExpr(*(f"id + {i} AS c{i}" for i in range(columns))),
    )
    schema = Schema([ColSpec("long", f"c{i}") for i in range(columns)])
    signature = ModelSignature(inputs=schema)

    def gate() -> None:
        assert validate(df, signature).conforms

    struct = df.schema
    planning = interleaved(
        [timed(lambda: plan_enforcement(source_schema(struct), schema, spark=True))]
    )[0]
    yield Ratio(f"planning {columns:,} columns / 1 s", planning, 1.0, 1.0)
    checked, scan = interleaved([timed(gate), timed(read_all(df))])
    yield Ratio(f"gate on {rows:,} x {columns:,} / scan", checked, scan, 2.0)


def inference(spark: SparkSession, folder: Path, rows: int) -> Iterator[Ratio]:
    """Measure inference: from the log alone, from a scan of scalars, and of nested columns."""
    path = folder / f"scalars-{rows}"
    make_table(spark, path, lambda: spark.range(rows).selectExpr(*scalar_columns(False)))
    bare = folder / f"bare-{rows}"
    unknown = make_table(
        spark,
        bare,
        lambda: spark.range(rows).selectExpr(*scalar_columns(False)),
        **{f"{DEFAULTS}.dataSkippingNumIndexedCols": "0"},
    )

    def infer(table: Path, read: int) -> Callable[[], None]:
        def run() -> None:
            found = infer_table(table, spark=spark)
            assert (found.rows, len(found.scanned)) == (rows, read)

        return run

    def count() -> None:
        assert spark.read.format("delta").load(str(path)).count() == rows

    proven, counted, scanned, scan = interleaved(
        [timed(infer(path, 0)), timed(count), timed(infer(bare, 16)), timed(read_all(unknown))]
    )
    name = f"{rows:,} x 16 scalars"
    yield Ratio(f"infer {name} from statistics / count()", proven, counted, 2.0)
    yield Ratio(f"infer {name} without statistics / scan", scanned, scan, 1.15)


def nested(spark: SparkSession, folder: Path, rows: int) -> Iterator[Ratio]:
    """Measure inference of nested columns against an empty Python stage over them."""
    path = folder / f"nested-{rows}"
    df = make_table(
        spark,
        path,
        lambda: spark.range(rows).selectExpr(
            "id",
            "transform(sequence(0, 3), i -> "
            "named_struct('sku', concat('s', i), 'price', id * 1.5D)) AS orders",
            "map('a', id, 'b', id + 1) AS counts",
        ),
    )

    def empty(batches):  # type: ignore[no-untyped-def]
        for _ in batches:
            pass
        return iter(())

    def infer() -> None:
        assert infer_table(path, spark=spark).scanned == ("orders", "counts")

    stage = df.select("orders", "counts").mapInArrow(empty, "x int")
    seconds, base = interleaved([timed(infer), timed(read_all(stage))])
    yield Ratio(f"infer {rows:,} x 2 nested columns / empty stage", seconds, base, 1.3)
