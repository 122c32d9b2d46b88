"""Staging: rows that may not be the same when they are read again are kept until a run ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spark_sig.delta.commits import Commit, find_commit, write_once
from spark_sig.delta.log import read_snapshot, read_version
from spark_sig.delta.storage import remove_table
from spark_sig.delta.tables import properties_for
from spark_sig.errors import SourceError
from spark_sig.quarantine.runs import Run, digest
from spark_sig.sources import Resolved

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.quarantine.targets import Target

# A folder within the quarantine's own: as its name begins so, Delta takes nothing in it for the
# table's.
_FOLDER = "_spark_sig"


def staged(source: Resolved, quarantine: Target, run: Run, *, begun: bool) -> Resolved:
    """Copy the rows of a source, unless the run has copied them before; return the copy.

    Args:
        source: what to copy.
        quarantine: the table beside whose rows they are kept.
        run: the run that they are for.
        begun: whether it has written any of them yet.

    Raises:
        SourceError: where it has, and they are gone.
    """
    spark, path = source.frame.sparkSession, _path(quarantine, run)
    commit = _found(spark, path, run)
    if commit is None:
        if begun:
            raise SourceError(
                f"the rows that the run {run.run_id} was begun with are gone from {path}: those "
                f"that violate are in the quarantine {quarantine.place.name}, under _run_id"
            )
        write_once(source.frame, path, run.stamp, properties=properties_for(source.frame.schema))
        commit = _found(spark, path, run)
    if commit is None:
        raise SourceError(f"the rows of {run.run_id} were staged, and are not at {path}")
    snapshot = read_snapshot(spark, path, commit.version)
    frame = read_version(spark, snapshot)
    return Resolved(frame, source.info, commit.rows, place=source.place)


def unstage(spark: SparkSession, quarantine: Target, run: Run) -> None:
    """Remove what a run had staged, as it has ended."""
    path = _path(quarantine, run)
    if _found(spark, path, run) is not None:
        remove_table(spark, path)


def _found(spark: SparkSession, path: str, run: Run) -> Commit | None:
    return find_commit(spark, path, run.app, run.number)


def _path(quarantine: Target, run: Run) -> str:
    return f"{quarantine.path}/{_FOLDER}/{digest([run.app, run.number])[:32]}"
