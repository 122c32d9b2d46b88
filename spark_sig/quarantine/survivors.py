"""Survivors: rows that runs have written to one of two tables before the other was made anew.

A table that was dropped, or replaced, has another id, and knows nothing of the runs before.  Were
one of these repeated, the table that has stayed would have its rows twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.delta.commits import Commit
from spark_sig.errors import SourceError
from spark_sig.quarantine.fates import rows_left
from spark_sig.quarantine.records import Records

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.quarantine.targets import Target, Targets


class Pair(NamedTuple):
    """What is recorded in two tables.

    Args:
        conformed: of the table of the rows that conform.
        quarantine: of the other one.
    """

    conformed: Records
    quarantine: Records

    @classmethod
    def of(cls, spark: SparkSession, targets: Targets) -> Pair:
        """Return what is recorded in two tables, not looked at yet."""
        return cls(*(Records(spark, target) for target in targets))


def into(targets: Targets) -> dict[str, object]:
    """Return what a run's commits say of its tables, besides the id of the conformed one."""
    conformed, quarantine = targets
    return {
        "target_at": sorted(conformed.spots),
        "quarantine": quarantine.table_id,
        "quarantine_at": sorted(quarantine.spots),
    }


def before_conformed(targets: Targets, pair: Pair) -> Iterator[Commit]:
    """Yield the commits in a quarantine from before the other table was made anew."""
    for commit in pair.quarantine.commits:
        if _is_of_another(commit, targets.conformed, "target"):
            yield commit


def refuse_survivors(
    spark: SparkSession,
    targets: Targets,
    pair: Pair,
    prefix: str,
    same: Callable[[Commit], bool],
) -> None:
    """Refuse a run that one of the tables has rows of from before the other was made anew.

    Args:
        spark: the session.
        targets: the two tables.
        pair: what is recorded in them.
        prefix: how the names begin that the source's runs into just these two commit under.
        same: says whether a commit is of the run that is to be carried out.

    Raises:
        SourceError: where one has: they would be there twice.
    """
    conformed, quarantine = targets
    if not all(name.startswith(prefix) for name in pair.quarantine.names):
        for commit in before_conformed(targets, pair):
            finished = commit.record["app"] in pair.conformed.names
            if same(commit) and (finished or rows_left(spark, targets, commit)):
                raise SourceError(_of_quarantine(commit, conformed, finished=finished))
    if all(name.startswith(prefix) for name in pair.conformed.names):
        return
    for commit in pair.conformed.commits:
        if _is_of_another(commit, quarantine, "quarantine") and same(commit) and commit.rows != 0:
            raise SourceError(
                f"the run {commit.record['run_id']} has written rows to {conformed.place.name} "
                f"(version {commit.version}) before the quarantine {quarantine.place.name} was "
                "made anew: they would be there twice; bring that quarantine back, or take those "
                "rows out, and give the run another id (run_id), a stream another name"
            )


def _of_quarantine(commit: Commit, conformed: Target, *, finished: bool) -> str:
    run_id, name = commit.record["run_id"], conformed.place.name
    delete = (
        f"delete those whose _run_id is {run_id} and _target_id {commit.record['target']} from it"
    )
    if finished:
        # It was made of its own rows, or of none, or the run wrote to it as it was replaced.
        return (
            f"the run {run_id} has written to the table {name} before that was made anew, or as it "
            f"was: its rows may be in it, and in the quarantine; {delete}, and what {name} has of "
            "them from that one, and give the run another id (run_id), a stream another name"
        )
    return (
        f"the run {run_id} was begun before the table {name} was made anew, and has rows in the "
        f"quarantine, which would be there twice: {delete}"
    )


def _is_of_another(commit: Commit, target: Target, what: str) -> bool:
    """Say whether a commit's run has written to another table than this one, in its place."""
    record = commit.record
    there = not target.spots.isdisjoint(record.get(f"{what}_at", ()))
    return there and record.get(what) != target.table_id
