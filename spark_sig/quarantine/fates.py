"""Fates: what became of runs that were begun, as far as they are not finished."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.delta.commits import Commit, commits_after, is_rewritten
from spark_sig.delta.log import read_snapshot, read_version
from spark_sig.errors import SourceError, assert_never
from spark_sig.quarantine.frames import RUN
from spark_sig.quarantine.order import PREFIX, overtaking
from spark_sig.quarantine.records import MOVED
from spark_sig.quarantine.remedies import RENAME, take_out
from spark_sig.sqltext import literal, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.quarantine.runs import Run
    from spark_sig.quarantine.targets import Targets


class Fate(Enum):
    """What became of a run that has a commit in the quarantine, and none in the other table."""

    # it can be finished
    OPEN = "open"
    # others have replaced rows of its own, or have written what it would replace
    OVERTAKEN = "overtaken"
    # others have replaced all rows of the tables: there is nothing left to do
    SUPERSEDED = "superseded"
    # its rows were taken out of the quarantine, by others than reprocess
    GONE = "gone"
    # another table lies where its source lay
    SOURCE_REPLACED = "source replaced"
    # the quarantine has rows of it, and a history that no longer goes back to it
    FORGOTTEN = "forgotten"
    # one of the two tables was replaced
    TABLE_REPLACED = "table replaced"


class Left(NamedTuple):
    """A run that was begun and is not finished.

    Args:
        run_id: its name.
        begun: its commit in the quarantine.
        fate: what became of it.
        behind: whether a run of the same rules from the same source was finished since: somebody
            has left it, and was told.
    """

    run_id: str
    begun: Commit
    fate: Fate
    behind: bool

    def remark(self, *, other: bool) -> str | None:
        """Say what it means to whoever runs another one; None where there is nothing to say.

        Args:
            other: whether its rules are others than those of that run.
        """
        name = f"the run {self.run_id}{', with other rules,' if other else ''} was not finished"
        lost = "its rows that conform are in neither table"
        match self.fate:
            case Fate.OPEN:
                return f"{name}: {lost}; repeat it by its run id, and with its rules"
            case Fate.OVERTAKEN:
                remedy = take_out(self.run_id)
                return (
                    f"{name}, and cannot be, as others have written since: {lost}; {remedy}, and "
                    "write all of them under another run id"
                )
            case Fate.FORGOTTEN:
                return (
                    f"the run {self.run_id} was not finished, and the quarantine's history no "
                    f"longer has it: {lost}; {take_out(self.run_id)}, and write all of them under "
                    "another run id"
                )
            case Fate.GONE:
                said = f"{name}, and its rows were taken out of the quarantine since: {lost}"
                return None if self.behind else said
            case Fate.SOURCE_REPLACED:
                said = (
                    f"the run {self.run_id} was begun with a table that this one has replaced, and "
                    f"was not finished: {lost}"
                )
                return None if self.begun.rows == 0 else said
            case Fate.TABLE_REPLACED:
                remedy = take_out(self.run_id, self.begun.record["target"])
                said = (
                    f"the run {self.run_id} was not finished when one of the tables was replaced: "
                    f"{lost}; {remedy}, and write all of them under another run id"
                )
                return None if self.behind and not self.begun.rows else said
            case Fate.SUPERSEDED:
                return None
            case _:
                assert_never(self.fate)


def fate_of(
    spark: SparkSession, targets: Targets, begun: Commit, commits: Sequence[Commit]
) -> Fate:
    """Say what became of a run that was begun from the source and is not finished.

    Args:
        spark: the session.
        targets: the two tables.
        begun: its commit in the quarantine.
        commits: those of runs that the quarantine has.
    """
    later = overtaking(spark, targets, str(begun.record["mode"]), begun, commits)
    both = (commit for commit in later if commit.record.get("target") == begun.record["target"])
    if any(commit.record.get("mode") == "overwrite" for commit in both):
        return Fate.SUPERSEDED
    if _is_gone(spark, targets, begun, commits):
        return Fate.GONE
    return Fate.OVERTAKEN if later else Fate.OPEN


def _is_gone(
    spark: SparkSession, targets: Targets, begun: Commit, commits: Sequence[Commit]
) -> bool:
    """Say whether others have taken all rows of a run out of the quarantine.

    Delta remembers the run even where RESTORE or DELETE have taken its rows away.
    """
    gone = rows_left(spark, targets, begun) == 0 != _due(begun, commits)
    return gone and _changed_by_others(spark, targets, begun)


def _is_undone(spark: SparkSession, targets: Targets, begun: Commit) -> bool:
    """Say whether others than runs may have changed rows that a run has in the quarantine."""
    if begun.rows == 0 or not _changed_by_others(spark, targets, begun):
        return False
    if _changed_by_others(spark, targets, begun, deleted=False):
        return True
    # Rows of other runs may be deleted at any time.
    assert targets.quarantine.path is not None
    commits = commits_after(spark, targets.quarantine.path, begun.version)
    return rows_left(spark, targets, begun) != _due(begun, commits)


def _due(begun: Commit, commits: Iterable[Commit]) -> int | None:
    """Return how many rows of a run the quarantine is to have, less those that reprocess has moved.

    Args:
        begun: the run's commit in the quarantine.
        commits: the others that say something of themselves.
    """
    if begun.rows is None:
        return None
    mine = _run_of(begun)
    return begun.rows - sum(
        int(rows)
        for commit in commits
        if commit.version > begun.version
        for *run, rows in commit.record.get(MOVED, ())
        if tuple(run) == mine
    )


def _changed_by_others(
    spark: SparkSession, targets: Targets, begun: Commit, *, deleted: bool = True
) -> bool:
    path = targets.quarantine.path
    assert path is not None
    since = partial(is_rewritten, spark, path, begun.version, but=f"{PREFIX}:")
    return since(deleted=deleted)


def rows_left(spark: SparkSession, targets: Targets, begun: Commit) -> int:
    """Count the rows of a run that the quarantine has now."""
    assert targets.quarantine.path is not None
    mine = " AND ".join(
        f"{quoted(column)} = {literal(name)}"
        for column, name in zip(RUN, _run_of(begun), strict=True)
    )
    there = read_version(spark, read_snapshot(spark, targets.quarantine.path))
    return there.where(mine).count()


def _run_of(begun: Commit) -> tuple[str, ...]:
    """Return what tells the rows of a commit's run from those of others."""
    return tuple(str(begun.record[name]) for name in ("source", "target", "run_id"))


def refuse_undone(spark: SparkSession, targets: Targets, run: Run, begun: Commit) -> None:
    """Refuse to finish a run whose rows in the quarantine may have been changed since.

    Raises:
        SourceError: where they may.
    """
    if _is_undone(spark, targets, begun):
        raise SourceError(
            f"the run {run.run_id} was not finished, and rows of the quarantine "
            f"{targets.quarantine.place.name} were changed since: {take_out(run.run_id)}, and "
            f"{RENAME}"
        )
