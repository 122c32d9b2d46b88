"""Writers of data files: which ones Spark itself wrote, as a Delta table's commits say.

A file's statistics are as good as its writer: only Spark is known to count NaN among the values
that they bound.  Commits older than the log's retention say nothing any more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from spark_sig.delta.log import is_classic, spark_errors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Operations, as Delta's DeltaOperations names them, whose files without a deletion vector are
# new: Spark wrote them, and took their statistics from the rows.
_WRITING = (
    "WRITE",
    "STREAMING UPDATE",
    "CREATE TABLE AS SELECT",
    "CREATE OR REPLACE TABLE AS SELECT",
    "REPLACE TABLE AS SELECT",
    "DELETE",
    "UPDATE",
    "MERGE",
    "OPTIMIZE",
    "REORG",
    "REMOVE COLUMN MAPPING",
)

# Those that list a file again as it was.  All others, CONVERT and CLONE among them, bring files
# of other writers, or other statistics.
_REPEATING = ("RESTORE", "ROW TRACKING BACKFILL", "ROW TRACKING UNBACKFILL")

# Nothing is a number or a date to the log's lines, so that no conf changes what is read; what
# only has to be absent is read as text.
_LINE = """
    commitInfo STRUCT<engineInfo: STRING, operation: STRING>,
    add STRUCT<path: STRING, deletionVector: STRING>,
    broken STRING"""

# A commit is trusted to have written its files (2), to have written none (1), or not at all (0).
# A condition on a line before the window would have it parsed twice.
_QUERY = """
    SELECT path FROM (
        SELECT add.path, IF(add.deletionVector IS NULL, trust, least(trust, 1)) AS trust
        FROM (
            SELECT IF(line.broken IS NULL, line.add, NULL) AS add, coalesce(min(CASE
                WHEN line.broken IS NOT NULL OR line.commitInfo IS NULL THEN NULL
                WHEN line.commitInfo.engineInfo LIKE 'Apache-Spark/%Delta-Lake/%' THEN CASE
                    WHEN line.commitInfo.operation IN ({writing}) THEN 2
                    WHEN line.commitInfo.operation IN ({repeating}) THEN 1
                    ELSE 0 END
                ELSE 0 END) OVER (PARTITION BY version), 0) AS trust
            FROM (
                SELECT version, from_json(value, '{line}', {options}) AS line
                FROM (
                    SELECT value, regexp_extract(
                        input_file_name(), '/_delta_log/([0-9]+)[.]json$', 1) AS version
                    FROM {{lines}}
                )
                WHERE version BETWEEN '{first:020}' AND '{last:020}'
            )
        )
        WHERE add.path IS NOT NULL
    )
    GROUP BY path
    HAVING min(trust) > 0 AND max(trust) = 2"""


def written_by_spark(spark: SparkSession, opened: Any) -> DataFrame | None:
    """Return the files that Spark wrote at or before a version, as far as the commits tell.

    The result is a query over the JSON commits that the log still has; nothing is read yet.  A
    commit that goes missing between now and then makes it fail.  Files may be among them that
    the version no longer has.

    Args:
        spark: the session.
        opened: Delta's own snapshot of the version
            (:func:`~spark_sig.delta.log.open_snapshot`).

    Returns:
        One column, ``path``, distinct, spelled as in the log; None where the commits are out of
        reach: Spark Connect, or commits that a catalog holds and has not published yet.
    """
    if not is_classic(spark):
        return None
    try:
        if not _published(opened):
            return None
        log, version = str(opened.deltaLog().logPath().toString()), int(opened.version())
        return spark.sql(_query(version), lines=_lines(spark, log))
    except spark_errors():
        return None


def _query(version: int) -> str:
    return _QUERY.format(
        writing=_listed(_WRITING),
        repeating=_listed(_REPEATING),
        line=" ".join(_LINE.split()),
        options="map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', 'broken')",
        first=0,
        last=version,
    )


def _listed(texts: tuple[str, ...]) -> str:
    return ", ".join(f"'{text}'" for text in texts)


def _lines(spark: SparkSession, log: str) -> DataFrame:
    """Return the lines of all commits; every option is given, as confs may say otherwise."""
    # The path is taken for a pattern where it holds one of these.
    literal = re.sub(r"([\[\]{}*?\\])", r"\\\1", log)
    return (
        spark.read.format("text")
        .option("pathGlobFilter", "[0-9]" * 20 + ".json")
        .option("recursiveFileLookup", True)  # else folders are searched for partitions
        .option("ignoreMissingFiles", False)
        .option("ignoreCorruptFiles", False)
        .load(literal)
    )


def _published(opened: Any) -> bool:
    """Say whether the newest commit lies in the log's folder, and so all of them."""
    commits = opened.logSegment().deltas()
    return bool(commits.isEmpty() or commits.last().getPath().getParent().getName() == "_delta_log")
