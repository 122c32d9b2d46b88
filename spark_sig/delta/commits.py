"""Commits that happen once: writes under a name that the table remembers.

Delta keeps, for each application that names itself, the number of its last transaction, and leaves
out a write of a number that is there already (PROTOCOL, section Transaction Identifiers).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_sig.delta.conflicts import until_committed
from spark_sig.delta.log import find_snapshot, is_classic, open_snapshot, read_snapshot
from spark_sig.delta.names import why_no_delta
from spark_sig.delta.query import Query
from spark_sig.sqltext import literal, quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Operations that leave every row as it was.
_KEEPING = (
    "OPTIMIZE",
    "REORG",
    "VACUUM START",
    "VACUUM END",
    "SET TBLPROPERTIES",
    "UNSET TBLPROPERTIES",
    "ADD COLUMNS",
    "CHANGE COLUMN",
    "CHANGE COLUMNS",
    "CLUSTER BY",
    "ADD CONSTRAINT",
    "DROP CONSTRAINT",
    "UPGRADE PROTOCOL",
    "COMPUTE STATS",
    "ROW TRACKING BACKFILL",
)

# Commits that others may make between two looks at a table.
_MEANWHILE = 100

# Commits that are looked at first: a record that is asked for is most often a new one.
_LATEST = 20


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a commit is known by.

    Args:
        app: name of the application (``txnAppId``).
        number: number of its transaction (``txnVersion``); greater than those before.
        record: what the commit says of itself (``userMetadata``), as JSON values.
    """

    app: str
    number: int
    record: Mapping[str, Any]

    def text(self) -> str:
        """Return what is written as the commit's metadata."""
        said = {**self.record, "number": self.number}
        return json.dumps({"app": self.app, **dict(sorted(said.items()))})


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that was found.

    Args:
        version: the version of the table that it made.
        rows: rows that it wrote; None where it does not say.
        record: what it says of itself.
    """

    version: int
    rows: int | None
    record: Mapping[str, Any]


def write_once(
    frame: DataFrame,
    path: str,
    stamp: Stamp,
    *,
    overwrite: bool = False,
    where: str | None = None,
    properties: Mapping[str, str] | None = None,
    retry: bool = True,
) -> None:
    """Write rows as one commit, unless the table has one of this stamp.

    Args:
        frame: the rows; of the table's columns.
        path: where the table lies.
        stamp: what the commit is known by.
        overwrite: whether the rows take the place of others.
        where: the condition, as SQL, on those others; all of them where None.
        properties: table properties, for a table that does not exist yet.
        retry: whether they are written again where another commit has come before; not, where
            they depend on what the table holds.
    """
    writer = frame.write.format("delta").mode("overwrite" if overwrite else "append")
    if overwrite and where is None:
        # the session may mean only the partitions that there are rows of
        writer = writer.option("partitionOverwriteMode", "static")
    writer = writer.option("txnAppId", stamp.app).option("txnVersion", str(stamp.number))
    writer = writer.option("userMetadata", stamp.text()).options(**(properties or {}))
    if where is not None:
        writer = writer.option("replaceWhere", where)
    if retry:
        # where the other one was this very transaction, the table leaves it out the second time
        until_committed(lambda: writer.save(path))
    else:
        writer.save(path)


def find_commit(spark: SparkSession, path: str, app: str, number: int) -> Commit | None:
    """Return the commit of an application's transaction, as far as the table's history goes.

    None also where there is no table.
    """
    if number < 0 or last_number(spark, path, app) < number:
        return None
    return named_commit(spark, path, app, number)


def named_commit(spark: SparkSession, path: str, app: str, number: int) -> Commit | None:
    """Return the commit of a transaction that there is, as far as the table's history goes."""
    for limit in (f"LIMIT {_LATEST}", ""):
        for commit in _history(spark, path, limit):
            if (commit.record.get("app"), commit.record.get("number")) == (app, number):
                return commit
    return None


def last_number(spark: SparkSession, path: str, app: str) -> int:
    """Return the number of an application's last transaction; -1 where there is none."""
    if not is_classic(spark):
        return transactions(spark, path, app).get(app, -1)
    if find_snapshot(spark, path, None) is None:
        return -1
    found = open_snapshot(spark, read_snapshot(spark, path)).transactions().get(app)
    return int(found.get()) if found.isDefined() else -1


def transactions(spark: SparkSession, path: str, prefix: str) -> dict[str, int]:
    """Return the last transaction of each application of names that begin alike.

    Spark Connect knows those that the table's history still has.
    """
    if is_classic(spark):
        return {} if find_snapshot(spark, path, None) is None else _in_state(spark, path, prefix)
    if why_no_delta(spark, f"delta.{quoted(path)}"):
        return {}
    return _recorded(spark, path, prefix)


def _recorded(spark: SparkSession, path: str, prefix: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for commit in _history(spark, path, ""):
        app, number = str(commit.record.get("app")), int(commit.record.get("number", -1))
        if app.startswith(prefix):
            found[app] = max(number, found.get(app, -1))
    return found


def _in_state(spark: SparkSession, path: str, prefix: str) -> dict[str, int]:
    from pyspark.sql import DataFrame

    state = DataFrame(open_snapshot(spark, read_snapshot(spark, path)).stateDF(), spark)
    rows = Query.of(state.select("txn")).ask(
        "SELECT txn.appId AS app, txn.version AS number FROM {query} "
        f"WHERE startswith(txn.appId, {literal(prefix)})"
    )
    return {str(row["app"]): int(row["number"]) for row in rows.collect()}


def commits_after(spark: SparkSession, path: str, version: int) -> list[Commit]:
    """Return the commits since a version that say something of themselves."""
    # The history is read later, and begins with what has come meanwhile.
    newer = read_snapshot(spark, path).version - version + _MEANWHILE
    found = _history(spark, path, f"LIMIT {newer}")
    return [commit for commit in found if commit.version > version]


def is_rewritten(
    spark: SparkSession,
    path: str,
    after: int,
    before: int | None = None,
    *,
    but: str | None = None,
    deleted: bool = True,
) -> bool:
    """Say whether rows that a version has were changed or removed since.

    Args:
        spark: the session.
        path: where the table lies.
        after: the version.
        before: the version before which this counts; None for now.
        but: how the names of applications begin whose commits do not count; None for none.
        deleted: whether it counts that rows were removed by DELETE.
    """
    until = read_snapshot(spark, path).version if before is None else before - 1
    if until <= after:
        return False
    # All that neither appends nor leaves rows as they are.
    appends = (
        "operation IN ('WRITE', 'STREAMING UPDATE') AND operationParameters['mode'] = 'Append'"
    )
    appends += " OR operation = 'STREAMING UPDATE' AND operationParameters['outputMode'] = 'Append'"
    if but is not None:
        appends += f" OR startswith(userMetadata, {literal(_opening(but))})"
    newest = until if before is None else read_snapshot(spark, path).version
    limit = newest - after + _MEANWHILE
    history = spark.sql(f"DESCRIBE HISTORY delta.{quoted(path)} LIMIT {limit}")
    keeping = _KEEPING if deleted else (*_KEEPING, "DELETE")
    changes = history.where(
        f"version > {after} AND version <= {until} AND NOT coalesce({appends} OR operation IN "
        f"({', '.join(map(literal, keeping))}), false)"
    )
    return bool(changes.limit(1).collect())


def _history(spark: SparkSession, path: str, limit: str) -> Iterator[Commit]:
    """Return the commits that say something of themselves, the newest first."""
    history = spark.sql(f"DESCRIBE HISTORY delta.{quoted(path)} {limit}")
    chosen = history.where(f"startswith(userMetadata, {literal(_opening())})")
    for row in chosen.select("version", "userMetadata", "operationMetrics").collect():
        record = _record(row["userMetadata"])
        if record is None:
            continue
        metrics = row["operationMetrics"] or {}
        rows = metrics.get("numOutputRows")
        if rows is None and metrics.get("numFiles") == "0":
            rows = 0  # which Delta does not say
        count = None if rows is None else int(rows)
        yield Commit(int(row["version"]), count, record)


def _opening(app: str = "") -> str:
    """Return what the metadata of a stamp begins with."""
    return json.dumps({"app": app})[:-2]


def _record(text: str) -> dict[str, Any] | None:
    """Return what a commit of ours says; None where it is another's."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    ours = isinstance(found.get("app"), str) and isinstance(found.get("number"), int)
    return found if ours else None
