"""Sizes that a machine does not hold: executors of 1 GiB, a driver of 512 MiB, 1 MiB of results."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from spark_sig import Array, ColSpec, ModelSignature, Report, Schema
from tests.cluster import Cluster, Job
from tests.processes import resident

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc"),
]

MEBIBYTE = 2**20
# What an executor's Python may hold, whatever the table is like: some batches of 64 MiB, and what
# pyarrow makes of one.
PYTHON_MOST = 512 * MEBIBYTE
REPORT_MOST = 256 * 1024

CONF = {
    "spark.executor.memory": "1g",
    "spark.driver.memory": "512m",
    "spark.driver.maxResultSize": "1m",
}

NESTED = ModelSignature(inputs=Schema([ColSpec("integer", "b"), ColSpec(Array("long"), "l")]))
LARGE = "repeat(CAST(id % 10 AS string), 10485760)"


class Case(NamedTuple):
    """A table that is large in one way.

    Args:
        rows: how many rows it has.
        files: in how many files, each of which is one partition.
        columns: its columns, of the row's number ``id``.
        wanted: what the rows are held to.
        violating: how many violate.
        transfer: whether its rows are transferred.
        python: whether it takes Python to check them.
    """

    rows: int
    files: int
    columns: list[str]
    wanted: ModelSignature
    violating: int
    transfer: bool = True
    python: bool = True

    def frame(self, spark: SparkSession) -> DataFrame:
        return spark.range(0, self.rows, 1, self.files).selectExpr(*self.columns)


WIDE = 2_000

CASES = {
    "one partition of 20,000,000 rows": Case(
        20_000_000,
        1,
        [
            "IF(id % 1000 = 3, NULL, CAST(id AS int)) AS b",
            "IF(id % 1000 = 4, array(NULL), array(id)) AS l",
        ],
        NESTED,
        40_000,
        transfer=False,
    ),
    "strings of 10 MiB": Case(
        96,
        24,
        [
            f"IF(id % 8 = 0, NULL, {LARGE}) AS t",
            f"IF(id % 8 = 1, array(NULL), array({LARGE})) AS l",
        ],
        ModelSignature(inputs=Schema([ColSpec("string", "t"), ColSpec(Array("string"), "l")])),
        24,
    ),
    "arrays of 1,000,000 elements": Case(
        96,
        24,
        [
            "CAST(id AS int) AS b",
            "transform(sequence(1L, 1000000L), x -> IF(id % 8 = 1 AND x = 1000000, NULL, x)) AS l",
        ],
        NESTED,
        12,
    ),
    "2,000 columns": Case(
        4_000,
        2,
        [f"IF(id = {at}, NULL, id + {at}) AS c{at}" for at in range(WIDE)],
        ModelSignature(inputs=Schema([ColSpec("long", f"c{at}") for at in range(WIDE)])),
        WIDE,
        python=False,
    ),
    "every row violates": Case(
        4_000_000,
        4,
        ["CAST(NULL AS int) AS b", "array(CAST(NULL AS long), id) AS l"],
        NESTED,
        4_000_000,
    ),
}


class Peak:
    """The most that the Pythons of a cluster's executors have held at a time, in bytes."""

    most = 0

    def look(self, cluster: Cluster) -> None:
        for worker in cluster.workers:
            for executor in worker.executors():
                self.most = max(self.most, resident(executor, b"pyspark.daemon"))


@contextmanager
def watched(cluster: Cluster) -> Iterator[Peak]:
    over, peak = threading.Event(), Peak()

    def go() -> None:
        while not over.wait(0.1):
            peak.look(cluster)

    watch = threading.Thread(target=go)
    watch.start()
    try:
        yield peak
    finally:
        over.set()
        watch.join()


@pytest.mark.parametrize("name", CASES)
def test_memory_is_bounded(
    spark: SparkSession, cluster: Cluster, tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    source = tmp_path / "source"
    case.frame(spark).write.format("delta").save(str(source))
    case.wanted.save(tmp_path / "signature.json")
    job = Job(cluster, source, tmp_path, transfer=case.transfer)
    with watched(cluster) as peak:
        # A file is one partition; of large values Parquet holds 100 rows before it looks at them.
        size = "64g" if case.files == 1 else "128m"
        job.finish(job.submit(**CONF, **{"spark.sql.files.maxPartitionBytes": size}))
    report = job.read_report()
    print(f"{name}: Pythons held {peak.most / MEBIBYTE:,.0f} MiB")
    assert (report.rows.total, report.rows.violating) == (case.rows, case.violating)
    assert (peak.most > 0) == case.python
    assert peak.most < PYTHON_MOST
    assert_small(report, job.report)


def assert_small(report: Report, file: Path) -> None:
    for check in report.checks:
        assert len(check.examples) <= 10
    if len(report.checks) < WIDE:
        assert file.stat().st_size < REPORT_MOST
