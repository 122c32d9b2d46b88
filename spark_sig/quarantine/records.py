"""Records: what a table's commits say of the runs that have written to it."""

from __future__ import annotations

from collections.abc import Set
from functools import cached_property
from typing import TYPE_CHECKING

from spark_sig.delta.commits import Commit, commits_after, transactions
from spark_sig.quarantine.order import PREFIX

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.quarantine.targets import Target

# What commits of reprocess say of the rows that they take out: what tells their runs apart
# (frames.RUN), and how many of each.
MOVED = "moved"


class Records:
    """The runs of one table, each look taken once, and only where it is wanted.

    Args:
        spark: the session.
        target: the table.
    """

    def __init__(self, spark: SparkSession, target: Target) -> None:
        self._spark = spark
        self._path = target.path

    @cached_property
    def names(self) -> Set[str]:
        """The names that have committed to it: those of runs, and of calls of ``reprocess``."""
        if self._path is None:
            return frozenset()
        return transactions(self._spark, self._path, f"{PREFIX}:").keys()

    @cached_property
    def commits(self) -> list[Commit]:
        """The commits of runs that its history has, the oldest first."""
        if self._path is None:
            return []
        found = commits_after(self._spark, self._path, -1)
        return sorted(
            (commit for commit in found if "run_id" in commit.record and "mode" in commit.record),
            key=lambda commit: commit.version,
        )
