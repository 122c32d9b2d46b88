"""Survivors: rows of a run that the tables have from before one of its tables was another.

A run is known by the ids of its source and its two tables, and one that was made anew has another
id.  A table that was replaced keeps its history, and what it knows of runs by the ids that there
were; one that was dropped forgets all.  Were such a run repeated, its rows would be there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.delta.commits import Commit
from spark_sig.errors import SourceError
from spark_sig.quarantine.fates import rows_left
from spark_sig.quarantine.records import Records
from spark_sig.quarantine.remedies import RENAME, take_out

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


def refuse_survivors(
    spark: SparkSession,
    targets: Targets,
    pair: Pair,
    prefix: str,
    same: Callable[[Commit], bool],
    *,
    named: bool,
) -> None:
    """Refuse a run that one of the tables has rows of by other ids than there are now.

    Args:
        spark: the session.
        targets: the two tables.
        pair: what is recorded in them.
        prefix: how the names begin that the source's runs into just these two commit under.
        same: says whether a commit is of the run that is to be carried out.
        named: whether somebody has given it its name, which means the same rows whatever
            quarantine it goes to.

    Raises:
        SourceError: where one has: they would be there twice.
    """
    conformed, quarantine = targets
    for commit in _by_other_ids(pair.conformed, prefix):
        here = named or _is_into(commit, quarantine, "quarantine")
        if here and same(commit) and commit.rows != 0:
            raise SourceError(
                f"the run {commit.record['run_id']} has written rows to {conformed.place.name} "
                f"(version {commit.version}) {_before(commit, targets)}: they would be there "
                f"twice; {RENAME}, and where its rows are the same, take those that are there out "
                "of both tables first"
            )
    for commit in _by_other_ids(pair.quarantine, prefix):
        if _is_into(commit, conformed, "target") and same(commit):
            finished = commit.record["app"] in pair.conformed.names
            if finished or rows_left(spark, targets, commit):
                remedy = take_out(commit.record["run_id"], commit.record["target"])
                raise SourceError(
                    f"the run {commit.record['run_id']} was {'finished' if finished else 'begun'} "
                    f"{_before(commit, targets)}, and has rows in the quarantine "
                    f"{quarantine.place.name}, which would be there twice: {remedy}"
                    + (f", and {RENAME}" if finished else "")
                )


def refuse_lone_survivors(
    spark: SparkSession, target: Target, prefix: str, same: Callable[[Commit], bool], *, named: bool
) -> None:
    """Refuse a run that writes to one table only, where that has rows of it by other ids.

    Args:
        spark: the session.
        target: the table.
        prefix: how the names begin that the source's runs into just this one commit under.
        same: as for :func:`refuse_survivors`, as is ``named``.

    Raises:
        SourceError: where it has: they would be there twice.
    """
    for commit in _by_other_ids(Records(spark, target), prefix):
        aside = "quarantine" in commit.record
        if (named or not aside) and same(commit) and commit.rows != 0:
            how = "with a quarantine" if aside else "before it or the source was made anew"
            raise SourceError(
                f"the run {commit.record['run_id']} has written rows to {target.place.name} "
                f"(version {commit.version}) {how}: they would be there twice; {RENAME}, and "
                "where its rows are the same, delete those that are there first"
            )


def _by_other_ids(records: Records, prefix: str) -> Iterator[Commit]:
    """Yield the commits of runs of other sources, or of tables that were made anew."""
    if not all(name.startswith(prefix) for name in records.names):
        for commit in records.commits:
            if not str(commit.record["app"]).startswith(prefix):
                yield commit


def _is_into(commit: Commit, target: Target, what: str) -> bool:
    """Say whether a commit's run has written to a table, or to another one in its place."""
    record = commit.record
    there = not target.spots.isdisjoint(record.get(f"{what}_at", ()))
    return there or record.get(what) == target.table_id


def _before(commit: Commit, targets: Targets) -> str:
    """Say which of a run's tables was another one."""
    record, (conformed, quarantine) = commit.record, targets
    if record.get("target") != conformed.table_id:
        return f"before or as the table {conformed.place.name} was made anew"
    if record.get("quarantine") == quarantine.table_id:
        return f"from a table that another one has replaced at {record.get('place')}"
    if _is_into(commit, quarantine, "quarantine"):
        return f"before or as the quarantine {quarantine.place.name} was made anew"
    if not record.get("quarantine_at"):
        return "without a quarantine"
    return f"with another quarantine ({', '.join(record['quarantine_at'])})"
