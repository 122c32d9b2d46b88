"""Staging: rows that may not be the same when they are read again are kept until a run ends."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from spark_sig.delta.commits import Commit, find_commit, write_once
from spark_sig.delta.log import is_classic, read_snapshot, read_version
from spark_sig.delta.storage import empty_table, remove_empty, remove_folder
from spark_sig.delta.tables import properties_for
from spark_sig.errors import SourceError
from spark_sig.quarantine.remedies import RENAME, take_out
from spark_sig.quarantine.runs import Run, digest
from spark_sig.sources import Resolved

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from spark_sig.quarantine.targets import Target

# A folder within the quarantine's own: as its name begins so, Delta takes nothing in it for the
# table's.
_FOLDER = "_spark_sig"

# What a run's commits call the place of its copy.
STAGED = "staged"


def stage(rows: DataFrame, quarantine: Target, run: Run) -> Run:
    """Copy rows to a folder that nobody else writes to.

    Returns:
        The run, whose commits say where the copy is: of two jobs by one name, each with a copy of
        its own, only one is believed.
    """
    path = f"{_folder(quarantine, run)}/{secrets.token_hex(8)}"
    begun = replace(run, record={**run.record, STAGED: path})
    try:
        write_once(rows, path, run.stamp, properties=properties_for(rows.schema))
    except Exception:
        if is_classic(rows.sparkSession):
            discard(rows.sparkSession, begun)
        raise
    return begun


def as_begun(run: Run, begun: Commit, *names: str) -> Run:
    """Return a run with what its first commit says under some names, such as where its copy is."""
    return replace(run, record={name: begun.record[name] for name in names})


def staged(source: Resolved, run: Run) -> Resolved:
    """Return the copy of a source that a run has made.

    Raises:
        SourceError: where it is gone.
    """
    frame, rows = copied(source.frame.sparkSession, run)
    return Resolved(frame, source.info, rows, place=source.place)


def copied(spark: SparkSession, run: Run) -> tuple[DataFrame, int]:
    """Return the rows that a run has copied, and how many they are.

    Raises:
        SourceError: where they are gone.
    """
    path = str(run.record[STAGED])
    commit = find_commit(spark, path, run.app, run.number)
    if commit is None:
        raise SourceError(
            f"the rows that the run {run.run_id} was begun with are gone from {path}: "
            f"{take_out(run.run_id)}, and {RENAME}"
        )
    frame = read_version(spark, read_snapshot(spark, path, commit.version))
    return frame, frame.count() if commit.rows is None else commit.rows


def unstage(spark: SparkSession, quarantine: Target, run: Run) -> None:
    """Remove all that was staged under a run's name, as it has ended."""
    if is_classic(spark):
        remove_folder(spark, _folder(quarantine, run))
    else:
        discard(spark, run)


def discard_unless(spark: SparkSession, run: Run, begun: Commit | None) -> None:
    """Remove the copy that a run has made, unless its first commit says that it is believed."""
    if begun is None or begun.record.get(STAGED) != run.record.get(STAGED):
        discard(spark, run)


def discard(spark: SparkSession, run: Run) -> None:
    """Remove the copy that a run has made, as it was not begun with it.

    Another job of its name may have been begun with another copy.
    """
    if STAGED not in run.record:
        return
    if is_classic(spark):
        path = str(run.record[STAGED])
        remove_folder(spark, path)
        remove_empty(spark, path.rpartition("/")[0])
    else:
        empty_table(spark, str(run.record[STAGED]))


def _folder(quarantine: Target, run: Run) -> str:
    return f"{quarantine.path}/{_FOLDER}/{digest([run.app, run.number])[:32]}"
