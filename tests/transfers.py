"""Tables for tests of what becomes of rows, and runs that break off."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import Array, ColSpec, ModelSignature, Policy, Report, Schema, conform, reprocess
from spark_sig.delta import commits as commits_module
from spark_sig.quarantine import staging, transfer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Another row each time it is read: half of them violate.
RANDOM = "CASE WHEN rand() < 0.5 THEN NULL ELSE id END AS b", "id"

LOSSLESS = Policy(casts="lossless")
WANTED = ModelSignature(
    inputs=Schema([ColSpec("integer", "b"), ColSpec("string", "t", required=False)])
)
# NULL is no violation any more; what is too large still is.
NEWER = ModelSignature(
    inputs=Schema([ColSpec("integer", "b", required=False), ColSpec("string", "t", required=False)])
)
NESTED = ModelSignature(inputs=Schema([ColSpec("integer", "b"), ColSpec(Array("long"), "l")]))
COLUMNS = (
    "id",
    "CASE WHEN id % 10 = 3 THEN NULL WHEN id % 10 = 4 THEN 5000000000 ELSE id END AS b",
    "IF(id % 2 = 0, NULL, 'x') AS t",
    "IF(id % 10 = 7, array(id, NULL), array(id)) AS l",
    "CAST(id % 3 AS int) AS p",
)


def slow(*values: Any) -> Any:
    """One set of a test's parameters that takes its time."""
    return pytest.param(*values, marks=pytest.mark.slow)


class Tables:
    """A source of twenty rows, of which four violate ``WANTED``, and two targets."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self.source, self.good, self.bad = (folder / name for name in ("source", "good", "bad"))
        self.add(0, 20)

    def rows(self, start: int, end: int) -> DataFrame:
        return self.spark.range(start, end, 1, 2).selectExpr(*COLUMNS)

    def add(self, start: int, end: int) -> None:
        self.rows(start, end).write.format("delta").mode("append").save(str(self.source))

    def run(self, wanted: ModelSignature = WANTED, data: Any = None, **choices: Any) -> Report:
        choices = {"policy": LOSSLESS, "conformed": self.good, "quarantine": self.bad, **choices}
        return conform(self.source if data is None else data, wanted, **choices)

    def reprocess(self, wanted: ModelSignature, **choices: Any) -> Report:
        choices = {"policy": LOSSLESS, "conformed": self.good, **choices}
        return reprocess(self.bad, wanted, **choices)

    def read(self, path: Path) -> list[Any]:
        return self.spark.read.format("delta").load(str(path)).collect()

    def held(self) -> tuple[list[int], list[int]]:
        """What the two tables hold, by the numbers of the rows: ``b`` where it conforms."""
        return sorted(row["b"] for row in self.read(self.good)), sorted(
            row["id"] for row in self.read(self.bad)
        )


def fitting(*ranges: tuple[int, int]) -> list[int]:
    return sorted(i for start, end in ranges for i in range(start, end) if i % 10 not in (3, 4))


def violating(*ranges: tuple[int, int]) -> list[int]:
    return sorted(i for start, end in ranges for i in range(start, end) if i % 10 in (3, 4))


def staged_folders(tables: Tables) -> list[Path]:
    return list(tables.bad.glob("_spark_sig/*"))


def age(table: Path, days: int = 10) -> None:
    """Make the commits of a table so much older."""
    for commit in (table / "_delta_log").glob("*.json"):
        before = commit.stat().st_mtime - days * 86_400
        os.utime(commit, (before, before))


class CrashError(Exception):
    """A driver that is gone."""


class Crashes:
    """Ends a run before the next commit, once so many have been made."""

    def __init__(self, patch: pytest.MonkeyPatch, commits: int) -> None:
        self.left, self.real = commits, commits_module.write_once
        for module in (transfer, staging):
            patch.setattr(module, "write_once", self.write)

    def write(self, *given: Any, **named: Any) -> None:
        if not self.left:
            raise CrashError
        self.real(*given, **named)
        self.left -= 1


def crash(
    monkeypatch: pytest.MonkeyPatch, commits: int, run: Callable[[], object], *, raises: bool = True
) -> None:
    """Carry out a run that ends after so many commits; ``raises`` where it says so itself."""
    with monkeypatch.context() as patch:
        Crashes(patch, commits)
        with pytest.raises(CrashError) if raises else nullcontext():
            run()
