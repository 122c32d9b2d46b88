"""Lanes: what a process of the soak does, and goes on with where it was killed.

``python -m tests.soak.lanes FOLDER LANE`` does the work of one lane until the folder has a file
``over`` and its work is done.  All it knows is in the folder: what it has begun, it finds there.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spark_sig import ColSpec, ConformBatches, ModelSignature, Schema, conform, reprocess

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from spark_sig.sources import Data

WANTED = ModelSignature(inputs=Schema([ColSpec("long", "id"), ColSpec("integer", "b")]))
# What the quarantine is held to: a row without a number may go.
LOOSER = ModelSignature(
    inputs=Schema([ColSpec("long", "id"), ColSpec("integer", "b", required=False)])
)
# The columns of each table that is read.  One row in seven has no number.
COLUMNS = "id", "CASE WHEN id % 7 = 3 THEN NULL ELSE CAST(id % 1000 AS int) END AS b"
# Columns that are others each time they are read.
CHANGING = "id", "CASE WHEN rand() < 0.2 THEN NULL ELSE b END AS b"

# Rows of different lanes, and batches, are numbered apart.
LANE, BATCH = 10**12, 10**6
MOST = 3_000


class Folder:
    """Where the soak keeps all that there is.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.good, self.bad, self.feed = (path / name for name in ("good", "bad", "feed"))
        self.over = path / "over"

    def batch(self, lane: int, number: int) -> Path:
        """The table of a batch."""
        return self.path / "in" / f"{lane}-{number}"

    def list(self, name: str, lane: int) -> Path:
        """Where a lane writes down what it has begun, or done, a line for each batch."""
        return self.path / f"{name}-{lane}"


def count(place: Path) -> int:
    """Count the batches that are written down."""
    return len(place.read_text().splitlines()) if place.exists() else 0


def add(place: Path) -> None:
    """Write down another batch, for good."""
    with place.open("a") as lines:
        lines.write("batch\n")
        lines.flush()
        os.fsync(lines.fileno())


class Lane:
    """One lane's work.

    Args:
        folder: where it works.
        lane: its number.
        spark: the session.
    """

    def __init__(self, folder: Folder, lane: int, spark: SparkSession) -> None:
        self.folder, self.lane, self.spark = folder, lane, spark

    def work(self) -> None:
        """Do batch after batch until all is over."""
        begun, done = (self.folder.list(name, self.lane) for name in ("begun", "done"))
        while (number := count(done)) < count(begun) or not self.folder.over.exists():
            if number == count(begun):
                add(begun)
            # the same choices again, where it was killed
            choice = random.Random(self.lane * BATCH + number)
            self._steps[self.lane](number, choice)
            add(done)
        if self.lane == 0:
            self._stream()

    @property
    def _steps(self) -> list[Callable[[int, random.Random], None]]:
        return [self._fed, self._batch, self._batch, self._reprocess]

    def _rows(self, number: int, choice: random.Random) -> DataFrame:
        start = self.lane * LANE + number * BATCH
        rows = self.spark.range(start, start + choice.randint(0, MOST), 1, choice.randint(1, 3))
        return rows.selectExpr(*COLUMNS)

    def _fed(self, number: int, choice: random.Random) -> None:
        """Append to the table that is streamed, and run the stream."""
        rows = self._rows(number, choice).write.format("delta").mode("append")
        rows.options(txnAppId="feed", txnVersion=str(number)).save(str(self.folder.feed))
        self._stream()
        if choice.random() < 0.2:
            self._optimize(choice)

    def _stream(self) -> None:
        rows = self.spark.readStream.format("delta").option("maxFilesPerTrigger", 1)
        sink = ConformBatches(
            WANTED, conformed=self.folder.good, quarantine=self.folder.bad, stream="soak"
        )
        query = rows.load(str(self.folder.feed)).selectExpr(*CHANGING).writeStream
        query = query.foreachBatch(sink).trigger(availableNow=True)
        checkpoint = str(self.folder.path / "checkpoint")
        query.option("checkpointLocation", checkpoint).start().awaitTermination()

    def _batch(self, number: int, choice: random.Random) -> None:
        """Make a table and conform it, by path or as rows that change."""
        path = self.folder.batch(self.lane, number)
        rows = self._rows(number, choice)
        if not list(path.glob("_delta_log/*.json")):
            rows.write.format("delta").mode("overwrite").save(str(path))
        kind, name = choice.random(), f"{self.lane}-{number}"
        if kind < 0.2:  # the run goes by a name of its own making
            self._conform(path, None)
        elif kind < 0.6:
            self._conform(path, name)
        else:
            changing = self.spark.read.format("delta").load(str(path)).selectExpr(*CHANGING)
            self._conform(changing, name)
        if choice.random() < 0.1:
            self._optimize(choice)

    def _reprocess(self, number: int, choice: random.Random) -> None:
        """Take out of the quarantine what others have put there, finished or not."""
        tables = self.folder.good, self.folder.bad
        if all(list(table.glob("_delta_log/*.json")) for table in tables):
            reprocess(self.folder.bad, LOOSER, conformed=self.folder.good)
        time.sleep(choice.uniform(0, 5))

    def _conform(self, data: Data, run_id: str | None) -> None:
        tables = {"conformed": self.folder.good, "quarantine": self.folder.bad}
        conform(data, WANTED, run_id=run_id, **tables)

    def _optimize(self, choice: random.Random) -> None:
        from delta.exceptions import DeltaConcurrentModificationException

        place = choice.choice([self.folder.good, self.folder.bad])
        # it gives way to whoever takes rows out
        with suppress(DeltaConcurrentModificationException):
            self.spark.sql(f"OPTIMIZE delta.`{place}`")


def main(folder: str, lane: str) -> None:
    """Work in a process of its own."""
    from jobs.session import build_session

    conf = {"spark.sql.shuffle.partitions": "1", "spark.databricks.delta.snapshotPartitions": "1"}
    spark = build_session(f"soak {lane}", master="local[1]", driver_memory="1g", conf=conf)
    print("ready", flush=True)
    Lane(Folder(Path(folder)), int(lane), spark).work()
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
