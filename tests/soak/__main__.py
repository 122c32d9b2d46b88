"""The soak: ``python -m tests.soak [--minutes 10] [--seed N] [--folder DIR]``, ``make soak``.

Four processes write to the same two tables: a stream that is fed, two that conform batch after
batch, and one that reprocesses what is in the quarantine.  Each is killed again and again, at any
time or just as the quarantine has a new commit and the other table is to have one, and is started
again.  At the end each row that went in has to be in one of the two tables, once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from jobs.session import build_session
from tests.processes import Process, until
from tests.soak.balance import Balance
from tests.soak.lanes import Folder

LANES = 4


@dataclass
class Soak:
    """Lanes that are killed and started again.

    Args:
        folder: where they work.
        choice: decides who is killed, and when.
    """

    folder: Folder
    choice: random.Random
    lanes: dict[int, Process] = field(default_factory=dict)
    starts: int = 0
    kills: int = 0
    broken: int = 0
    read: dict[Path, set[str]] = field(default_factory=dict)

    def start(self, lane: int) -> None:
        """Start a lane, or start it again."""
        self.starts += 1
        command = [sys.executable, "-m", "tests.soak.lanes", str(self.folder.path), str(lane)]
        log = self.folder.path / "logs" / f"{lane}-{self.starts}.log"
        env = {**os.environ, "PYTHONPATH": os.getcwd()}
        self.lanes[lane] = Process.start(f"lane {lane}", command, env, log)

    def run(self, seconds: float) -> None:
        """Have lanes killed for so long, and let them end then."""
        (self.folder.path / "logs").mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + seconds
        try:
            for lane in range(LANES):
                self.start(lane)
            while time.monotonic() < end:
                self._kill_one()
            self.folder.over.touch()
            for process in self.lanes.values():
                until(lambda p=process: p.running.poll() is not None, process.name, 600)  # type: ignore[misc]
                if process.running.returncode:
                    raise RuntimeError(f"{process.name} has failed:\n{process.tail()}")
        finally:
            for process in self.lanes.values():
                process.kill()

    def _kill_one(self) -> None:
        """Kill a lane once it works, and start it again; lanes that have failed fail the soak."""
        lane = self.choice.randrange(LANES)
        process = self.lanes[lane]
        process.awaits("ready")
        if self.choice.random() < 0.4:
            time.sleep(self.choice.uniform(0, 8))
        else:
            self._await_half(lane, 12)
        if process.running.poll() is not None:
            raise RuntimeError(f"{process.name} has failed:\n{process.tail()}")
        process.kill()
        self.kills += 1
        self.broken += bool(self.half_written(lane))
        self.start(lane)

    def _await_half(self, lane: int, seconds: float) -> None:
        """Wait until a lane has written a batch to one of the tables; not for ever."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.half_written(lane):
            time.sleep(0.005)

    def batches(self) -> int:
        """Count the batches that were written."""
        return len(self.runs(self.folder.good))

    def half_written(self, lane: int) -> set[str]:
        """Return the batches of a lane that the quarantine has and the other table has not."""
        mine = ("soak/", "1-", "2-", "reprocess-")[lane]
        # the quarantine first: it is written first
        bad = self.runs(self.folder.bad)
        return {run for run in bad - self.runs(self.folder.good) if run.startswith(mine)}

    def runs(self, table: Path) -> set[str]:
        """Return the batches that a table has."""
        for log in table.glob("_delta_log/*.json"):
            if log not in self.read:
                lines = [json.loads(line) for line in log.read_text().splitlines()]
                said = [
                    line["commitInfo"].get("userMetadata") for line in lines if "commitInfo" in line
                ]
                self.read[log] = {json.loads(text)["run_id"] for text in said if text}
        return {run for log, runs in self.read.items() if table in log.parents for run in runs}


def main() -> int:
    """Run the soak, and say how the rows balance."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    seed = random.randrange(2**32) if chosen.seed is None else chosen.seed
    path = chosen.folder or Path(tempfile.mkdtemp(prefix="spark-sig-soak-"))
    print(f"seed {seed}, in {path}", flush=True)
    soak = Soak(Folder(path), random.Random(seed))
    soak.run(60 * chosen.minutes)
    spark = build_session("soak", driver_memory="1g")
    found = Balance.of(spark, soak.folder)
    spark.stop()
    print(
        f"{chosen.minutes:g} minutes, {soak.batches()} batches, {soak.kills} kills, of which "
        f"{soak.broken} between the two commits of a batch: "
        f"{found.given:,} rows in = {found.conformed:,} conformed + {found.quarantined:,} "
        f"quarantined, {found.lost} lost, {found.doubled} doubled"
    )
    return 0 if found.even else 1


if __name__ == "__main__":
    sys.exit(main())
