"""Replaced tables: files that are older than what the log now says the columns are.

``createOrReplace`` with ``replaceWhere`` gives a table another id and other columns, and keeps the
files that the condition leaves.  Their statistics are of columns that the log no longer describes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spark_sig.delta.files import Group
from spark_sig.delta.log import reraise_cancelled, spark_errors
from spark_sig.delta.writers import commit_lines

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_FIRST = f"{0:020}.json"


def replaced_at(
    spark: SparkSession, opened: Any, metadata: Mapping[str, Any], groups: Sequence[Group]
) -> int | None:
    """Return the time before which files are of a table that has been replaced since.

    Tables that were converted or cloned have files that are older than they are, too: these are
    believed as far as the first commit says that the table was never another one.

    Args:
        spark: the session.
        opened: Delta's own snapshot.
        metadata: the action ``metaData`` of its log.
        groups: its files, with the time of the oldest.

    Returns:
        Milliseconds since 1970; None where there are no such files.
    """
    created = metadata.get("createdTime")
    oldest = min((group.oldest for group in groups if group.oldest is not None), default=None)
    if created is None or oldest is None or oldest >= int(created):
        return None
    return None if _first_id(spark, opened) == metadata["id"] else int(created)


def _first_id(spark: SparkSession, opened: Any) -> str | None:
    """Return the id of the table in its first commit; None where that is out of reach."""
    lines = commit_lines(spark, str(opened.deltaLog().logPath().toString()), _FIRST)
    try:
        ids = lines.selectExpr("get_json_object(value, '$.metaData.id') AS id")
        found = ids.where("id IS NOT NULL").limit(1).collect()
    except spark_errors() as error:
        reraise_cancelled(error)
        return None
    return str(found[0]["id"]) if found else None
