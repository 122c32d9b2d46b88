"""Writers of data files: which ones Spark itself wrote, as a Delta table's commits say.

A file's statistics are as good as its writer: only Spark is known to count NaN among the values
that they bound.  Commits older than the log's retention say nothing any more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.delta.log import is_classic, spark_errors
from spark_sig.delta.query import Query

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

# Apache XTable lists files of other tables, with statistics of theirs, through Delta's own library:
# as an update with this predicate, which counts nothing.
_FOREIGN = "xtable-delta-sync"

# Nothing is a number or a date to the log's lines, so that no conf changes what is read; what
# only has to be there or absent is read as text.
_LINE = """
    commitInfo STRUCT<engineInfo: STRING, operation: STRING, operationParameters: STRING,
        operationMetrics: STRING>,
    add STRUCT<path: STRING, deletionVector: STRING, stats: STRING>,
    metaData STRUCT<configuration: STRING, schemaString: STRING>,
    broken STRING"""

_LINES = """
    SELECT version, line, line.broken IS NOT NULL AS broken,
        contains(line.commitInfo.operationParameters, '{foreign}') AS of_others,
        line.commitInfo.engineInfo LIKE 'Apache-Spark/%Delta-Lake/%' AS by_spark
    FROM (
        SELECT version, from_json(value, '{line}', {options}) AS line
        FROM (
            SELECT value, regexp_extract(
                input_file_name(), '/_delta_log/([0-9]+)[.]json$', 1) AS version
            FROM {{lines}}
        )
        WHERE version BETWEEN '{first:020}' AND '{last:020}'
    )"""

# A commit is trusted to have written its files (2), to have written none (1), or not at all (0).
# A condition on a line before the window would have it parsed twice.
_WRITTEN = """
    SELECT path FROM (
        -- statistics that come with a later deletion vector are those of the file's footer
        SELECT add.path, IF(add.deletionVector IS NULL AND contains(add.stats, 'numRecords'),
            trust, least(trust, 1)) AS trust
        FROM (
            SELECT IF(broken, NULL, line.add) AS add, coalesce(min(CASE
                WHEN broken OR line.commitInfo IS NULL THEN NULL
                WHEN of_others THEN 0
                WHEN by_spark THEN CASE
                    -- who writes rows counts them
                    WHEN line.commitInfo.operation IN ({writing})
                        AND length(line.commitInfo.operationMetrics) > 2 THEN 2
                    WHEN line.commitInfo.operation IN ({repeating}) THEN 1
                    ELSE 0 END
                ELSE 0 END) OVER (PARTITION BY version), 0) AS trust
            FROM ({lines})
        )
        WHERE add.path IS NOT NULL
    )
    GROUP BY path
    HAVING min(trust) > 0 AND max(trust) = 2"""

# Commits that set constraints, or repeat them, and check all rows, or have done so before.
_CHECKED = """
    SELECT count(*) = {last} + 1 AND count_if(broken OR of_others OR unchecked) = 0
    FROM (
        SELECT bool_or(broken) AS broken, bool_or(of_others) AS of_others,
            bool_or(constrains) AND NOT coalesce(bool_or(
                by_spark AND operation NOT IN ({unchecking}) OR operation IN ({checking})
            ), false) AS unchecked
        FROM (
            SELECT version, broken, of_others, by_spark, line.commitInfo.operation AS operation,
                contains(lower(line.metaData.configuration), 'delta.constraints.') AS constrains
            FROM ({lines})
        )
        GROUP BY version
    )"""

# Commits that say what the columns are.
_DESCRIBED = """
    SELECT * FROM (
        SELECT version, bool_or(broken) AS broken,
            coalesce(bool_or(of_others) OR bool_or(operation IN ({unchecking})), false) AS brought,
            coalesce(bool_or(by_spark), false) AS by_spark, max(schema) AS schema
        FROM (
            SELECT version, broken, of_others, by_spark, line.commitInfo.operation AS operation,
                line.metaData.schemaString AS schema
            FROM ({lines})
        )
        GROUP BY version
    )
    WHERE schema IS NOT NULL OR broken
    ORDER BY version"""

# Operations that bring rows and constraints which these were never held to: properties of a clone
# may be overridden, those of a catalog's Parquet table be anything.
_UNCHECKING = ("CLONE", "CONVERT")

# Operations of any engine after which constraints hold for all rows.
_CHECKING = ("ADD CONSTRAINT", "CREATE TABLE")


def with_trusted(spark: SparkSession, opened: Any, files: Query) -> Query:
    """Mark the files that Spark wrote (``trusted``), where the commits are in reach.

    Args:
        spark: the session.
        opened: Delta's own snapshot.
        files: the files; columns as the log lists them, and others.
    """
    written = written_by_spark(spark, opened)
    if written is None:
        return files
    return files.within(
        "SELECT files.*, written.path IS NOT NULL AS trusted FROM {query} files "
        "LEFT JOIN {written} written ON files.path = written.path",
        [*files.columns, "trusted"],
        written=written,
    )


def constraints_were_checked(spark: SparkSession, opened: Any) -> bool:
    """Say whether all rows of a version were held to its CHECK constraints, by all of its commits.

    False where they are out of reach, or the first of them no longer there.

    Args:
        spark: the session.
        opened: Delta's own snapshot of the version.
    """
    try:
        found = _over_commits(spark, opened, _CHECKED)
        return found is not None and bool(found.collect()[0][0])
    except spark_errors():
        return False


class Description(NamedTuple):
    """A commit that says what a table's columns are.

    Args:
        version: the version that it made.
        broken: whether a line of it is no JSON.
        brought: whether it brings rows that were never held to its columns: those of a clone, of
            a converted table, or of one that another program keeps.
        by_spark: whether Spark made it.
        schema: the columns, as the log has them.
    """

    version: int
    broken: bool
    brought: bool
    by_spark: bool
    schema: str | None


def descriptions(spark: SparkSession, opened: Any) -> list[Description] | None:
    """Return the commits that say what a version's columns are, in order, as far as they are left.

    Args:
        spark: the session.
        opened: Delta's own snapshot of the version.

    Returns:
        None where the commits are out of reach.
    """
    found = _over_commits(spark, opened, _DESCRIBED)
    if found is None:
        return None
    return [
        Description(int(row["version"]), *(row[name] for name in Description._fields[1:]))
        for row in found.collect()
    ]


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
    try:
        return _over_commits(spark, opened, _WRITTEN)
    except spark_errors():
        return None


def _over_commits(spark: SparkSession, opened: Any, query: str) -> DataFrame | None:
    """Return a query over the lines of the commits; None where they are out of reach."""
    if not is_classic(spark) or not _published(opened):
        return None
    log, last = str(opened.deltaLog().logPath().toString()), int(opened.version())
    lines = _LINES.format(
        foreign=_FOREIGN,
        line=" ".join(_LINE.split()),
        options="map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', 'broken')",
        first=0,
        last=last,
    )
    text = query.format(
        lines=lines,
        last=last,
        writing=_listed(_WRITING),
        repeating=_listed(_REPEATING),
        unchecking=_listed(_UNCHECKING),
        checking=_listed(_CHECKING),
    )
    return spark.sql(text, lines=_lines(spark, log))


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
