"""The job on a cluster whose parts fail: report and tables are those of an undisturbed run."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import Array, ColSpec, ModelSignature, Report, Schema
from tests.cluster import Cluster, Job
from tests.processes import Process, send, until

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(sys.platform != "linux", reason="executors are found in /proc"),
]

FILES, ROWS = 16, 1_600_000
WANTED = ModelSignature(
    inputs=Schema([ColSpec("integer", "b"), ColSpec(Array("long"), "l"), ColSpec("string", "t")])
)
# A task of the first stage that writes rows has ended, and others have not.
UNDER_WAY = rf"Finished task .* \(2/{FILES}\)"


@pytest.fixture(scope="module")
def source(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of as many files as tasks; some rows violate in Spark's sight, some in Arrow's."""
    path = tmp_path_factory.mktemp("cluster") / "source"
    rows = spark.range(0, ROWS, 1, FILES).selectExpr(
        "id",
        "IF(id % 1000 = 3, NULL, CAST(id AS int)) AS b",
        "IF(id % 1000 = 4, array(id, NULL), array(id, id + 1)) AS l",
        "concat('s', id) AS t",
    )
    rows.write.format("delta").save(str(path))
    WANTED.save(path.parent / "signature.json")
    return path


Outcome = tuple[Report, list[Any]]


class Run(Job):
    """One run of the job, into two tables of its own."""

    def __init__(self, cluster: Cluster, source: Path, folder: Path) -> None:
        super().__init__(cluster, source, folder, transfer=True)

    def outcome(self, spark: SparkSession) -> Outcome:
        """The report, and what the two tables hold, in numbers that any row changes."""
        rows = [
            spark.read.format("delta")
            .load(str(path))
            .selectExpr(
                "count(*)", f"sum(CAST(xxhash64({columns}) AS decimal(20)))", "count(DISTINCT l[0])"
            )
            .first()
            for path, columns in ((self.good, "b, l, t"), (self.bad, "id, b, l, t, _violations"))
        ]
        return self.read_report(), rows


@pytest.fixture
def job(cluster: Cluster, source: Path, tmp_path: Path) -> Run:
    return Run(cluster, source, tmp_path)


@pytest.fixture(scope="module")
def undisturbed(
    spark: SparkSession, cluster: Cluster, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """What comes of a run of which no part fails."""
    job = Run(cluster, source, tmp_path_factory.mktemp("undisturbed"))
    job.finish(job.submit())
    return job.outcome(spark)


def test_what_an_undisturbed_run_finds(undisturbed: Outcome) -> None:
    report, (good, bad) = undisturbed
    bad_rows = ROWS // 1000 * 2
    assert (report.rows.total, report.rows.violating) == (ROWS, bad_rows)
    assert [c.count for c in report.checks if c.violated] == [bad_rows // 2] * 2
    assert (good[0], good[2], bad[0]) == (ROWS - bad_rows, ROWS - bad_rows, bad_rows)


def executor_killed(job: Run) -> Process:
    running = job.submit()
    running.awaits(UNDER_WAY)
    send(job.cluster.workers[0].executors()[0], signal.SIGKILL)
    running.awaits("Lost executor")
    return running


def worker_killed(job: Run) -> Process:
    running = job.submit()
    running.awaits(UNDER_WAY)
    job.cluster.workers.pop(0).kill()
    running.awaits("Lost executor")
    job.cluster.add_worker()
    return running


def task_failed(job: Run) -> Process:
    """A file cannot be read at first."""
    path = next(job.source.glob("*.parquet"))
    hidden = path.with_suffix(".hidden")
    path.rename(hidden)
    try:
        # by default a task may fail four times, in no time
        running = job.submit(**{"spark.task.maxFailures": "100"})
        running.awaits("Lost task .*FileNotFound|Lost task .*FAILED_READ_FILE")
    finally:
        hidden.rename(path)
    return running


def task_slow(job: Run) -> Process:
    """An executor stands still, with a task; another one does it."""
    conf = {"spark.speculation": "true", "spark.speculation.interval": "200ms"}
    conf |= {"spark.speculation.quantile": "0.3", "spark.speculation.minTaskRuntime": "100ms"}
    running = job.submit(**conf)
    running.awaits(UNDER_WAY)
    (executor,) = job.cluster.workers[0].executors()
    send(executor, signal.SIGSTOP)
    try:
        running.awaits("speculatable")
        running.awaits(r"Finished task \d+\.1 in stage")
        until(lambda: (job.bad / "_delta_log" / f"{1:020}.json").exists(), "no commit")
    finally:
        send(executor, signal.SIGCONT)
    return running


def fetch_failed(job: Run) -> Process:
    """What tasks have shuffled is gone when it is fetched."""
    running = job.submit(**{"spark.databricks.delta.optimizeWrite.enabled": "true"})
    running.awaits(rf"Finished task .* \({FILES // 2}/{FILES}\)")
    local = job.cluster.folder / job.cluster.workers[0].name / "local"
    gone = [path for path in local.rglob("shuffle_*") if path.is_file()]
    assert gone
    for path in gone:
        path.unlink(missing_ok=True)
    running.awaits("FetchFailed|fetch failure")
    return running


def driver_killed(job: Run) -> Process:
    """The quarantine is committed, and the other table is not; the job is submitted again."""
    running = job.submit()
    first, second = (path / "_delta_log" / f"{1:020}.json" for path in (job.bad, job.good))
    until(first.exists, "no commit")
    os.killpg(running.running.pid, signal.SIGKILL)
    running.running.wait(30)
    assert not second.exists()
    # what has come meanwhile is of another run
    return job.submit()


FAULTS = [executor_killed, worker_killed, task_failed, task_slow, fetch_failed, driver_killed]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_run_of_which_a_part_fails_comes_to_the_same(
    spark: SparkSession, job: Run, undisturbed: Outcome, fault: Callable[[Job], Process]
) -> None:
    job.finish(fault(job))
    assert job.outcome(spark) == undisturbed
    shutil.rmtree(job.folder / "good")
