"""Writers of data files: which ones Spark itself wrote, as a Delta table's commits say.

A file's statistics are as good as its writer: only Spark is known to count NaN among the values
that they bound.  Commits older than the log's retention say nothing any more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.delta.columns import Column, table_columns
from spark_sig.delta.log import is_classic, reraise_cancelled, spark_errors
from spark_sig.delta.query import Query
from spark_sig.sqltext import quoted
from spark_sig.stats import Place

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

# The names of commits.
_COMMIT = "[0-9]" * 20 + ".json"

# What Delta Lake calls itself in Spark's commits.
_SPARK = "Apache-Spark/%Delta-Lake/%"

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
        line.commitInfo.engineInfo LIKE '{spark}' AS by_spark
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
_TRUST = """
    min(CASE
        WHEN broken OR line.commitInfo IS NULL THEN NULL
        WHEN of_others THEN 0
        WHEN by_spark THEN CASE
            -- who writes rows counts them
            WHEN line.commitInfo.operation IN ({writing})
                AND length(line.commitInfo.operationMetrics) > 2 THEN 2
            WHEN line.commitInfo.operation IN ({repeating}) THEN 1
            ELSE 0 END
        ELSE 0 END)"""

# A condition on a line before the window would have it parsed twice.
_WRITTEN = """
    SELECT path FROM (
        -- statistics that come with a later deletion vector are those of the file's footer
        SELECT add.path, IF(add.deletionVector IS NULL AND contains(add.stats, 'numRecords'),
            trust, least(trust, 1)) AS trust
        FROM (
            SELECT IF(broken, NULL, line.add) AS add,
                coalesce({trust} OVER (PARTITION BY version), 0) AS trust
            FROM ({lines})
        )
        WHERE add.path IS NOT NULL
    )
    GROUP BY path
    HAVING min(trust) > 0 AND max(trust) = 2"""

# Commits, a row each; their rows are brought where nobody is known to have held them to the table's
# columns and constraints.
_COMMITS = """
    SELECT *, of_others OR adds AND trust = 0 AS brought
    FROM (
        SELECT version,
            bool_or(broken) OR count(schema) > 1 AS broken,
            coalesce(bool_or(of_others), false) AS of_others,
            coalesce(bool_and(IF(told, coalesce(by_spark AND operation <> '{anything}', false),
                NULL)), false) AS by_spark,
            coalesce(bool_and(IF(told, operation IN ({checking}), NULL)), false) AS checking,
            coalesce(bool_or(operation IN ({unchecking})), false) AS unchecking,
            coalesce({trust}, 0) AS trust,
            bool_or(adds) AS adds,
            max(configuration) AS configuration,
            max(schema) AS schema
        FROM (
            SELECT *, line.commitInfo IS NOT NULL AS told, line.commitInfo.operation AS operation,
                line.add.path IS NOT NULL AS adds,
                IF(line.metaData IS NULL, NULL, coalesce(line.metaData.configuration, ''))
                    AS configuration,
                line.metaData.schemaString AS schema
            FROM ({lines})
        )
        GROUP BY version
    )"""

# Whether all commits are there, and none brings rows, nor columns of other writers: these may be
# NOT NULL over rows that hold NULL, and Spark then looks at none where a constraint is added.  The
# properties and columns that any sets, in order, and whether those rows that there are were held to
# the constraints among them, or there are none yet.
_CHECKED = """
    SELECT count(*) = {last} + 1 AND count_if(broken OR brought
            OR schema IS NOT NULL AND NOT by_spark AND CAST(version AS BIGINT) > 0) = 0 AS whole,
        array_sort(collect_list(IF(configuration IS NULL, NULL, struct(version,
            CAST(version AS BIGINT) = 0 AND NOT unchecking OR by_spark AND checking AS checking,
            configuration, schema)))) AS described
    FROM ({commits})"""

# Commits that say what the columns are, or that bring rows.
_DESCRIBED = """
    SELECT version, broken, brought OR unchecking AS brought, by_spark, schema
    FROM ({commits})
    WHERE schema IS NOT NULL OR broken OR brought OR unchecking
    ORDER BY version"""

# Operations that bring rows and constraints which these were never held to: properties of a clone
# may be overridden, those of a catalog's Parquet table be anything.
_UNCHECKING = ("CLONE", "CONVERT")

# Spark's operations after which constraints hold for all rows: it reads them, or brings them back
# with what they were held to.  Others may bring constraints and leave rows: where a table is
# replaced but for some (replaceWhere), which is called WRITE, too, these stay.
# delta-rs (0.25 to 1.6) compares decimals as doubles when it adds a constraint.
# REMOVE COLUMN MAPPING writes all rows anew, under other names.
_CHECKING = ("ADD CONSTRAINT", "RESTORE", "REMOVE COLUMN MAPPING")

_CONSTRAINT = "delta.constraints."

# What a program may commit anything by, through Delta's own library.
_ANYTHING = "Manual Update"


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
        if found is None:
            return False
        whole, described = found.collect()[0]
        return whole and _were_checked(described)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False  # no configuration, or no schema at all
    except spark_errors() as error:
        reraise_cancelled(error)
        return False


def _were_checked(described: Iterable[tuple[str, bool, str, str | None]]) -> bool:
    """Say whether every constraint came with a commit that checked it, or was there before.

    One that was there before was held to what files call a column by the name that they had for it
    then: of another column of that name, which REPLACE COLUMNS and createOrReplace may bring where
    columns are mapped, older rows hold NULL.
    """
    before: set[tuple[str, str]] = set()
    names: dict[Place, Place] = {}
    for _, checking, text, schema in described:
        properties = json.loads(text) if text else {}
        found = {item for item in properties.items() if item[0].lower().startswith(_CONSTRAINT)}
        stored = _stored_names(properties, schema) if schema else {}
        moved = {place for place, name in stored.items() if names.get(place, name) != name}
        kept = {item for item in before if not any(_is_named(item[1], place) for place in moved)}
        if not checking and not found <= kept:
            return False
        before, names = found, names | stored
    return True


def _stored_names(properties: Mapping[str, Any], schema: str) -> dict[Place, Place]:
    """Return what files call each column and member of a struct, by its own names; in any case."""
    metadata = {"configuration": properties, "schemaString": schema, "partitionColumns": ()}
    todo: list[tuple[Place, Place, Mapping[str, Column]]] = [((), (), table_columns(metadata))]
    found: dict[Place, Place] = {}
    while todo:
        place, stored, columns = todo.pop()
        for name, column in columns.items():
            inner = (*place, name.casefold()), (*stored, column.name.casefold())
            found[inner[0]] = inner[1]
            todo.append((*inner, column.members))
    return found


def _is_named(text: str, place: Place) -> bool:
    """Say whether a constraint may be about a place; a name within other words counts, too."""
    return place[-1].replace("`", "``") in text.casefold()


class Description(NamedTuple):
    """A commit that says what a table's columns are, or that brings rows.

    Args:
        version: the version that it made.
        broken: whether a line of it is no JSON, or it says twice what the columns are.
        brought: whether it brings rows that may never have been held to the columns: those of
            other writers than Spark, of a clone, or of a converted table.
        by_spark: whether Spark made it.
        schema: the columns, as the log has them; None where it does not say.
    """

    version: int
    broken: bool
    brought: bool
    by_spark: bool
    schema: str | None


def descriptions(spark: SparkSession, opened: Any) -> list[Description] | None:
    """Return the commits that bear on what a version's columns hold, in order, as far as they are.

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


def is_of_spark(spark: SparkSession, path: str, version: int) -> bool:
    """Say whether a table's history has commits of Spark alone, and no clone nor converted table.

    For Spark Connect, from which the log is out of reach.

    Args:
        spark: the session.
        path: where the table lies.
        version: the version up to which its history counts.
    """
    by_spark = (
        f"engineInfo LIKE '{_SPARK}' "
        f"AND operation NOT IN ({_listed((*_UNCHECKING, _ANYTHING))}) "
        f"AND NOT (operation IN ({_listed(_WRITING)}) "
        "AND coalesce(cardinality(operationMetrics), 0) < 1) "
        f"AND NOT contains(coalesce(to_json(operationParameters), ''), '{_FOREIGN}')"
    )
    found = spark.sql(f"DESCRIBE HISTORY delta.{quoted(path)}")
    others = found.where(f"version <= {version} AND NOT coalesce({by_spark}, false)")
    return not others.limit(1).collect()


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
        spark=_SPARK,
        line=" ".join(_LINE.split()),
        options="map('mode', 'PERMISSIVE', 'columnNameOfCorruptRecord', 'broken')",
        first=0,
        last=last,
    )
    trust = _TRUST.format(writing=_listed(_WRITING), repeating=_listed(_REPEATING))
    commits = _COMMITS.format(
        lines=lines,
        trust=trust,
        unchecking=_listed(_UNCHECKING),
        checking=_listed(_CHECKING),
        anything=_ANYTHING,
    )
    text = query.format(lines=lines, trust=trust, commits=commits, last=last)
    return spark.sql(text, lines=text_lines(spark, log, _COMMIT))


def _listed(texts: tuple[str, ...]) -> str:
    return ", ".join(f"'{text}'" for text in texts)


def text_lines(spark: SparkSession, path: str, names: str = "*") -> DataFrame:
    """Return the lines of a file, or of those in a folder; every option is given.

    Confs may say otherwise.

    Args:
        spark: the session.
        path: the file or the folder.
        names: the pattern of the names of files.
    """
    # The path is taken for a pattern where it holds one of these.
    literal = re.sub(r"([\[\]{}*?\\])", r"\\\1", path)
    return (
        spark.read.format("text")
        .option("pathGlobFilter", names)
        .option("recursiveFileLookup", True)  # else folders are searched for partitions
        .option("ignoreMissingFiles", False)
        .option("ignoreCorruptFiles", False)
        .load(literal)
    )


def _published(opened: Any) -> bool:
    """Say whether the newest commit lies in the log's folder, and so all of them."""
    commits = opened.logSegment().deltas()
    return bool(commits.isEmpty() or commits.last().getPath().getParent().getName() == "_delta_log")
