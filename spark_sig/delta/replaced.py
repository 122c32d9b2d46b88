"""Replaced tables: files that are older than what the log now says the columns are.

``createOrReplace`` with ``replaceWhere`` gives a table another id and other columns, and keeps the
files that the condition leaves.  Their statistics are of columns that the log no longer describes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spark_sig.delta.files import Group
from spark_sig.delta.log import reraise_cancelled, spark_errors
from spark_sig.delta.writers import text_lines

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_FIRST = f"{0:020}.json"

# After any time at which a file was written.
_EVER = 2**63 - 1


def replaced_at(
    spark: SparkSession, opened: Any, metadata: Mapping[str, Any], groups: Sequence[Group]
) -> int | None:
    """Return the time before which files are of a table that has been replaced since.

    A converted table has files that are older than it is, too, and so may any, where the storage's
    clock is behind: these are believed as far as the first commit says that the table was never
    another one.  A clone has its source's files and time: its own first commit, or that of the
    table whose place it takes, says nothing of what its source was.

    Args:
        spark: the session.
        opened: Delta's own snapshot.
        metadata: the action ``metaData`` of its log, whose ``createdTime`` writers may leave out.
        groups: its files, with the time of the oldest.

    Returns:
        Milliseconds since 1970; None where there are no such files.
    """
    created = metadata.get("createdTime")
    oldest = min((group.oldest for group in groups if group.oldest is not None), default=None)
    if oldest is None or (created is not None and oldest >= int(created)):
        return None
    if _is_first(spark, opened, metadata):
        return None
    return _EVER if created is None else int(created)


def _is_first(spark: SparkSession, opened: Any, metadata: Mapping[str, Any]) -> bool:
    """Say whether the log begins with the table itself, and that is no clone."""
    log = str(opened.deltaLog().logPath().toString())
    places = "metaData.id", "metaData.createdTime", "commitInfo.operation"
    try:
        lines = text_lines(spark, f"{log}/{_FIRST}")
        found = lines.selectExpr(*(f"max(get_json_object(value, '$.{place}'))" for place in places))
        table_id, created, operation = found.collect()[0]
    except spark_errors() as error:
        reraise_cancelled(error)
        return False  # the commit is out of reach, or too old for the log
    now = metadata.get("createdTime")
    same = table_id == metadata["id"] and created == (None if now is None else str(now))
    return bool(same and operation != "CLONE")
