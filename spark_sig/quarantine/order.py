"""Order: of two runs into the same tables, which came first, where one replaces rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from spark_sig.delta.commits import Commit, commits_after
from spark_sig.errors import SourceError
from spark_sig.quarantine.remedies import RENAME, take_out

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.quarantine.runs import Run
    from spark_sig.quarantine.targets import Targets

# One name for all commits of ours, whatever they belong to.
PREFIX = "spark_sig"


def overtaking(
    spark: SparkSession,
    targets: Targets,
    mode: str,
    quarantined: Commit,
    commits: Sequence[Commit] | None = None,
) -> list[Commit]:
    """Return the commits of other runs in the quarantine since a run's own, which it cannot follow.

    They have replaced its rows, or are of rows that it would replace.

    Args:
        spark: the session.
        targets: the two tables.
        mode: the run's.
        quarantined: its commit in the quarantine.
        commits: those of runs in the quarantine, where they are known; looked up where None.
    """
    assert targets.quarantine.path is not None
    if commits is None:
        commits = commits_after(spark, targets.quarantine.path, quarantined.version)
    return [
        commit
        for commit in commits
        if commit.version > quarantined.version
        and str(commit.record["app"]).startswith(f"{PREFIX}:")
        and not (mode == commit.record.get("mode") == "append")
        and not _apart(quarantined, commit)
    ]


def _apart(one: Commit, other: Commit) -> bool:
    """Say whether two commits are known to replace rows of other partitions each."""
    mine, theirs = (commit.record.get("partitions") for commit in (one, other))
    return mine is not None and theirs is not None and not {*mine} & {*theirs}


def refuse_overtaken(run: Run, later: Sequence[Commit]) -> None:
    """Refuse to finish a run that others have overtaken (:func:`overtaking`).

    Raises:
        SourceError: where there are any.
    """
    if later:
        raise SourceError(
            f"the run {run.run_id} was not finished, and the run {later[-1].record['run_id']} has "
            "written to the tables since: one of them would replace rows of the other; "
            f"{take_out(run.run_id)}, and {RENAME}"
        )


def refuse_crossed(
    spark: SparkSession, targets: Targets, run: Run, quarantined: Commit, conformed: Commit
) -> None:
    """Refuse to call a run finished that another one came after in one table, before in the other.

    Raises:
        SourceError: where there is one: rows of one of the two are gone from one of the tables.
    """
    later = overtaking(spark, targets, run.rules.mode, quarantined)
    if not later:
        return
    earlier = set(_names_before(spark, targets, conformed))
    for commit in later:
        if (commit.record["app"], commit.record["number"]) in earlier:
            raise SourceError(
                f"the runs {run.run_id} and {commit.record['run_id']} were written at the same "
                "time, and one of them has replaced rows of the other in one table only: repeat "
                "the one that is to stay under another run id, in a mode that replaces rows"
            )


def _names_before(
    spark: SparkSession, targets: Targets, conformed: Commit
) -> Iterator[tuple[str, int]]:
    """Yield what the commits of the other table before a run's own are known by."""
    assert targets.conformed.path is not None
    for commit in commits_after(spark, targets.conformed.path, -1):
        if commit.version < conformed.version:
            yield str(commit.record["app"]), int(commit.record["number"])
