"""Benchmarks of what is not read: statistics, the ledger, and a log of many files."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from spark_sig import Array, ColSpec, ModelSignature, Schema, validate
from spark_sig.plan import Rung
from tests.bench.measure import Ratio, interleaved, timed
from tests.bench.spark_cases import (
    DEFAULTS,
    make_table,
    read_all,
    scalar_columns,
    scalar_signature,
)


def provable(spark: SparkSession, folder: Path, rows: int, more: int) -> Iterator[Ratio]:
    """Measure a gate that the log decides against Delta's ``count()``, which it decides too."""
    paths = {number: folder / f"scalars-{number}" for number in (rows, more)}
    for number, path in paths.items():
        make_table(
            spark,
            path,
            lambda number=number: spark.range(number).selectExpr(*scalar_columns(False)),
        )

    def gate(number: int) -> Callable[[], None]:
        def run() -> None:
            report = validate(paths[number], scalar_signature())
            assert (report.rows.total, report.conforms) == (number, True)
            assert report.evidence.files_read == 0

        return run

    def count(number: int) -> Callable[[], None]:
        def run() -> None:
            assert spark.read.format("delta").load(str(paths[number])).count() == number

        return run

    # Of so short a time, much is the JVM's own warming up.
    few, few_counted, many, many_counted = interleaved(
        [timed(gate(rows)), timed(count(rows)), timed(gate(more)), timed(count(more))], rounds=25
    )
    yield Ratio(f"provable gate, {rows:,} x 16 / count()", few, few_counted, 1.5)
    yield Ratio(f"provable gate, {more:,} x 16 / count()", many, many_counted, 1.5)
    yield Ratio(f"provable gate, {more:,} rows / {rows:,} rows", many, few, 1.0)
    before = _bytes_read(spark)
    gate(more)()
    read, size = _bytes_read(spark) - before, sum(f.stat().st_size for f in paths[more].iterdir())
    yield Ratio("bytes that it reads, of the log / bytes of data", read, size, 1e-4, unit="B")


def _bytes_read(spark: SparkSession) -> int:
    """Bytes that Hadoop's file systems have read so far, in this JVM: all of Spark's."""
    systems: Any = spark._jvm.org.apache.hadoop.fs.FileSystem  # type: ignore[union-attr]
    return sum(int(one.getBytesRead()) for one in systems.getAllStatistics())


def one_column(spark: SparkSession, folder: Path, rows: int) -> Iterator[Ratio]:
    """Measure a gate with one undecided column of 16 against a scan of that column alone."""
    path = folder / f"one-open-{rows}"
    df = make_table(
        spark,
        path,
        lambda: spark.range(rows).selectExpr(*scalar_columns(False)),
        **{
            f"{DEFAULTS}.dataSkippingStatsColumns": ",".join(f"c{i}" for i in range(16) if i != 4),
            "parquet.column.statistics.enabled#c4": "false",  # nor do footers tell
        },
    )

    def gate() -> None:
        report = validate(path, scalar_signature())
        assert report.conforms
        assert [check.path for check in report.checks if check.rung is Rung.CATALYST] == ["$.c4"]

    checked, read = interleaved([timed(gate), timed(read_all(df.select("c4")))])
    yield Ratio(f"gate on {rows:,} rows, 1 of 16 columns open / its scan", checked, read, 1.15)


def ledger(spark: SparkSession, folder: Path, rows: int, rounds: int = 3) -> Iterator[Ratio]:
    """Measure a run after 1 % was appended against the first, full one.

    The elements of arrays are what no statistics decide.
    """
    path, book = folder / f"ledger-{rows}", folder / f"ledger-{rows}-book"
    wanted = ModelSignature(inputs=Schema([ColSpec("long", "id"), ColSpec(Array("float"), "v")]))

    def frame(start: int, end: int, parts: int) -> DataFrame:
        values = "transform(sequence(0, 15), i -> CAST(id + i AS float)) AS v"
        return spark.range(start, end, 1, parts).selectExpr("id", values)

    make_table(spark, path, lambda: frame(0, rows, 8))
    table = f"delta.`{path}`"

    def gate(read: int) -> None:
        report = validate(path, wanted, ledger=book)
        assert report.conforms
        assert report.evidence.files_read == read

    first, later = [], []
    for _ in range(rounds + 1):
        spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 0")
        shutil.rmtree(book, ignore_errors=True)
        spark.sql("CLEAR CACHE")
        first.append(timed(lambda: gate(8))())
        frame(rows, rows + rows // 100, 1).write.format("delta").mode("append").save(str(path))
        later.append(timed(lambda: gate(1))())
    # The first round is one to warm up, as elsewhere.
    full, again = statistics.median(first[1:]), statistics.median(later[1:])
    yield Ratio(f"ledger run, 1 % appended to {rows:,} rows / first run", again, full, 0.1)


def many_files(spark: SparkSession, folder: Path, files: int, width: int) -> Iterator[Ratio]:
    """Measure a synthetic log of many files: loaded and proven, against loaded and counted."""
    path = folder / f"log-{files}-{width}"
    if not (path / "_delta_log").exists():
        _synthetic(spark, path, files, width)
    wanted = ModelSignature(inputs=Schema([ColSpec("long", f"c{i}") for i in range(width)]))
    log: Any = spark._jvm.org.apache.spark.sql.delta.DeltaLog  # type: ignore[union-attr]
    heap: list[float] = []

    def used() -> float:
        runtime = spark._jvm.java.lang.Runtime.getRuntime()  # type: ignore[union-attr]
        for _ in range(3):
            spark._jvm.java.lang.System.gc()  # type: ignore[union-attr]
        return float(runtime.totalMemory() - runtime.freeMemory()) / 2**20

    def gate() -> None:
        log.clearCache()
        report = validate(path, wanted)
        assert (report.rows.total, report.evidence.files_read) == (files * 1_000, 0)

    def count() -> None:
        log.clearCache()
        assert spark.read.format("delta").load(str(path)).count() == files * 1_000

    proven, counted = interleaved([timed(gate), timed(count)], rounds=3)
    yield Ratio(f"log of {files:,} files x {width} columns / load, count()", proven, counted, 3.0)
    count()
    heap.append(used())
    gate()
    heap.append(used())
    yield Ratio("driver's heap after that / after count()", heap[1], heap[0], 1.1, unit="MiB")


def _synthetic(spark: SparkSession, path: Path, files: int, width: int) -> None:
    """Write a log of files that do not exist, and its checkpoint."""
    fields = [
        {"name": f"c{i}", "type": "long", "nullable": True, "metadata": {}} for i in range(width)
    ]
    head = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": "00000000-0000-0000-0000-000000000000",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}),
                "partitionColumns": [],
                "configuration": {"delta.dataSkippingNumIndexedCols": "-1"},
                "createdTime": 0,
            }
        },
    ]
    parts = {
        "minValues": [f"'c{i}', id * 1000 + {i}" for i in range(width)],
        "maxValues": [f"'c{i}', id * 1000 + {i + 999}" for i in range(width)],
        "nullCount": [f"'c{i}', 0L" for i in range(width)],
    }
    structs = ", ".join(
        f"'{name}', named_struct({', '.join(values)})" for name, values in parts.items()
    )
    add = (
        "to_json(named_struct('add', named_struct('path', concat('part-', id, '.parquet'), "
        "'partitionValues', map(), 'size', 1000000L, 'modificationTime', 0L, 'dataChange', true, "
        f"'stats', to_json(named_struct('numRecords', 1000L, {structs}))))) AS value"
    )
    lines = path.with_name(path.name + "-lines")
    spark.range(0, files, 1, 4).selectExpr(add).write.mode("overwrite").text(str(lines))
    (path / "_delta_log").mkdir(parents=True)
    with (path / "_delta_log" / f"{0:020}.json").open("wb") as commit:
        commit.write("".join(json.dumps(line) + "\n" for line in head).encode())
        for part in sorted(lines.glob("part-*")):
            with part.open("rb") as text:
                shutil.copyfileobj(text, commit)
    shutil.rmtree(lines)
    log: Any = spark._jvm.org.apache.spark.sql.delta.DeltaLog  # type: ignore[union-attr]
    log.forTable(spark._jsparkSession, str(path)).checkpoint()
