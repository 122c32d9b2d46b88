"""Progress: what a user sees of long work, by what Spark says of its tasks."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from spark_sig.cli.progress import progress, watched
from spark_sig.delta.jobs import Tasks, running_tasks
from tests.processes import ROOT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Runs on a Connect server of its own; says what was told.
ON_CONNECT = """
import json
from tests.test_progress import slow
from spark_sig.cli.progress import watched
from pyspark.sql import SparkSession

spark = SparkSession.builder.remote("local[2]").getOrCreate()
told = []
with watched(spark, lambda tasks: told.append(tasks[1:])):
    slow(spark, 9).write.format("noop").mode("overwrite").save()
print(json.dumps(told))
spark.stop()
"""


COMMAND_LINE = """
import sys
from jobs.session import build_session
from spark_sig.cli import main

# more tasks than there are cores: only those that are done tell a rate
conf = {"spark.sql.files.maxPartitionBytes": "1m"}
main(sys.argv[1:], lambda: build_session("progress", driver_memory="1g", conf=conf))
"""


def slow(spark: SparkSession, tasks: int) -> DataFrame:
    """Return rows that take a while: 0.4 s a task."""

    def sleep(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        time.sleep(0.4)
        yield from batches

    return spark.range(0, tasks, 1, tasks).mapInArrow(sleep, "id BIGINT")


def test_tasks_are_counted_while_they_run(spark: SparkSession) -> None:
    told: list[Tasks] = []
    with watched(spark, told.append):
        slow(spark, 8).write.format("noop").mode("overwrite").save()
    assert {tasks.total for tasks in told} == {8}
    done = [tasks.done for tasks in told]
    assert done == sorted(done)
    assert 0 < done[-1] < 9
    assert len({tasks.work for tasks in told}) == 1
    assert running_tasks(spark) is None
    count = len(told)
    slow(spark, 2).write.format("noop").mode("overwrite").save()
    assert len(told) == count


def test_another_job_is_other_work(spark: SparkSession) -> None:
    told: list[Tasks] = []
    with watched(spark, told.append):
        for tasks in (4, 6):
            slow(spark, tasks).write.format("noop").mode("overwrite").save()
    assert list(dict.fromkeys(tasks.total for tasks in told)) == [4, 6]
    assert len({tasks.work for tasks in told}) == 2


def test_nothing_is_shown_where_there_is_no_terminal(
    spark: SparkSession, capfd: pytest.CaptureFixture[str]
) -> None:
    with progress("working", spark):
        time.sleep(0.7)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.connect
def test_a_connect_server_tells_of_its_tasks() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ON_CONNECT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = json.loads(ran.stdout.splitlines()[-1])
    assert {total for _, total in told} == {9}
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.slow
def test_a_terminal_shows_tasks_rate_and_time_left(spark: SparkSession, tmp_path: Path) -> None:
    table, signature = tmp_path / "t", tmp_path / "signature.json"
    spark.range(0, 20_000_000, 1, 40).write.format("delta").save(str(table))
    signature.write_text('{"inputs": "[{\\"type\\": \\"long\\", \\"name\\": \\"id\\"}]"}')
    ours = ("validate", "--table", str(table), "--signature", str(signature))
    code, seen = on_terminal(
        sys.executable, "-c", COMMAND_LINE, *ours, "--no-stats", "--engine", "arrow"
    )
    assert code == 0, seen
    shown = re.findall(r"checking \S+/t .*?(\d+)/(\d+) tasks, ([\d.]+)/s, left (\d+:\d\d)", seen)
    assert shown, seen[-2000:]
    assert all(int(done) <= int(total) for done, total, *_ in shown)
    # what was shown is taken away again: the report is all that stays
    report = seen.split("\x1b[2K")[-1]
    assert "20,000,000" in report
    assert "/s, left" not in report


def on_terminal(*command: str) -> tuple[int, str]:
    """Run a command on a terminal of 120 columns; return its exit code and what it has shown."""
    ours, theirs = pty.openpty()
    env: dict[str, Any] = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    running = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=ROOT
    )
    os.close(theirs)
    seen = bytearray()
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so where the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(ours)
    return running.wait(), seen.decode(errors="replace")
