"""The ledger: a Delta table in which runs remember which checks held for which data files.

A data file never changes once a log lists it, and its deletion vector has a name of its own: what
held for the rows of both together holds for good.  Facts are only added, so that runs can write
at the same time.  A ledger that is lost, or older than it might be, costs time, never truth; it
may be optimized, vacuumed, and rows of it may be deleted at any time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from spark_sig.delta.conflicts import until_committed, until_seen
from spark_sig.delta.log import (
    Snapshot,
    first_line,
    read_snapshot,
    read_version,
    spark_errors,
)
from spark_sig.delta.places import Place
from spark_sig.delta.query import apart
from spark_sig.errors import SourceError
from spark_sig.sqltext import literal, quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# The version of the rules by which verdicts are made; those of other versions are not used.
RULES = 1

# SQL for the name of a file's deletion vector, given the columns of the log's list (PROTOCOL,
# section Deletion Vectors); '' where it has none, NULL, which equals nothing, where it is odd.
DV_ID = (
    "CASE WHEN deletionVector IS NULL THEN '' ELSE concat(deletionVector.storageType, "
    "deletionVector.pathOrInlineDv, coalesce(concat('@', deletionVector.offset), '')) END"
)

# What makes a table a ledger.  Whatever the session takes TIMESTAMP for, "at" has a time zone.
PROPERTY, FORM = "spark_sig.ledger", "1"
COLUMNS = {
    "table_id": "string",
    "signature": "string",
    "schema": "string",
    "policy": "string",
    "side": "string",
    "rules": "int",
    "path": "string",
    "dv": "string",
    "mask": "string",
    "at": "timestamp_ltz",
    "engine": "string",
}
_TYPES = {name: kind.removesuffix("_ltz") for name, kind in COLUMNS.items()}

# Facts that the driver holds; more stay in Spark's cache.
FEW_FACTS = 10_000


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """What a fact about a file depends on, other than the file; a fact is used only where all of
    it is the same.

    Args:
        table_id: the table's own id.
        schema: fingerprint of its schema, column mapping included.
        signature: fingerprint of the signature.
        policy: fingerprint of the policy.
        side: the side of the signature that was checked.
        rules: version of the rules by which the verdict was made.
    """

    table_id: str
    schema: str
    signature: str
    policy: str
    side: str
    rules: int = RULES


@dataclass(frozen=True, slots=True)
class Ledger:
    """A ledger that was found, or made, to be one: see :func:`open_ledger`.

    Args:
        spark: the session.
        name: the name that it was given.
        path: where it lies.
        table_id: its own id.
    """

    spark: SparkSession
    name: str
    path: str
    table_id: str

    def facts(self, key: LedgerKey) -> DataFrame:
        """Return what is remembered of data files, read at once, at one version of the ledger.

        Args:
            key: what the facts must depend on.

        Returns:
            Columns ``path``, ``dv`` (:data:`DV_ID`) and ``mask``, ``1`` for each check that held;
            a row for each path and deletion vector.  Later queries do not depend on the ledger:
            few rows are held by the driver, many stay in Spark's cache until the caller lets go
            of them (``unpersist``).

        Raises:
            SourceError: where the ledger cannot be read.
        """
        with self._failing("read"):
            return self._recall(key)

    def record(self, key: LedgerKey, files: DataFrame, *, fresh: bool = False) -> int:
        """Add what the ledger does not know already, as one append; where that is nothing, none.

        Args:
            key: what the facts depend on.
            files: columns as :meth:`facts` returns them.  Rows without a path, without the name
                of a deletion vector (``''`` is one), or with a mask that is not made of ``0`` and
                ``1`` or has no ``1``, say nothing and are left out.
            fresh: whether the caller has left out what :meth:`facts` said, and names no file
                twice; the ledger is not read then.  What another job has added since is there
                twice, which counts as once.

        Returns:
            The number of facts that were added.

        Raises:
            SourceError: where the ledger cannot be read or written.
        """
        with self._failing("written"):
            if fresh:
                return self._add(key, files.where(_SOUND).select("path", "dv", "mask"))
            known = self._recall(key)
            try:
                news = self.spark.sql(
                    f"""
                    SELECT new.path, new.dv, new.mask
                    FROM ({_BEST.format(f"SELECT * FROM {{files}} WHERE {_SOUND}")}) new
                    LEFT ANTI JOIN {{known}} known
                    ON new.path = known.path AND new.dv = known.dv
                        AND {held("new.mask")} <= {held("known.mask")}""",
                    files=files,
                    known=apart(known),
                )
                return self._add(key, news)
            finally:
                known.unpersist()

    def _recall(self, key: LedgerKey) -> DataFrame:
        snapshot = read_snapshot(self.spark, self.path)
        if snapshot.table_id != self.table_id:
            raise SourceError("another table has taken its place")
        rows = read_version(self.spark, snapshot)
        # One task stops where there are too many.
        first = self._known(key, rows.coalesce(1), f"LIMIT {FEW_FACTS + 1}").collect()
        if sum(row["rows"] for row in first) <= FEW_FACTS:
            return self._few([(row["path"], row["dv"], row["mask"]) for row in first])
        found = self._known(key, rows).drop("rows").persist()
        try:
            found.count()
        except BaseException:
            found.unpersist()
            raise
        return found

    def _known(self, key: LedgerKey, rows: DataFrame, limit: str = "") -> DataFrame:
        """Return the facts of a key among rows of the ledger, and of how many rows they are."""
        mine = [
            f"{quoted(part.name)} = {literal(value) if isinstance(value, str) else value}"
            for part in fields(key)
            for value in [getattr(key, part.name)]
        ]
        chosen = f"SELECT * FROM {{ledger}} WHERE {' AND '.join([*mine, _SOUND])} {limit}"
        return self.spark.sql(_BEST.format(chosen), ledger=rows)

    def _few(self, facts: list[tuple[str, str, str]]) -> DataFrame:
        """Return facts that the driver holds as a DataFrame that joins shuffle nothing for."""
        from pyspark.sql import functions as F

        return F.broadcast(self._local(facts))

    def _local(self, facts: list[tuple[str, str, str]]) -> DataFrame:
        return self.spark.createDataFrame(facts, "path string, dv string, mask string")

    def _add(self, key: LedgerKey, facts: DataFrame) -> int:
        """Append facts, and return their number."""
        few = facts.limit(FEW_FACTS + 1).collect()
        if len(few) <= FEW_FACTS:
            if few:
                self._append(key, self._local([(row[0], row[1], row[2]) for row in few]))
            return len(few)
        facts = facts.persist()
        try:
            self._append(key, facts)
            return facts.count()
        finally:
            facts.unpersist()

    def _append(self, key: LedgerKey, facts: DataFrame) -> None:
        from pyspark.sql import functions as F

        rest = {part.name: F.lit(getattr(key, part.name)) for part in fields(key)}
        rest |= {"at": F.current_timestamp(), "engine": F.lit(_engine())}
        rows = facts.withColumns(rest).select(*COLUMNS).coalesce(1)
        # unlike a save by path, this makes no table where there is none any more
        until_committed(rows.writeTo(f"delta.{quoted(self.path)}").append)

    @contextmanager
    def _failing(self, verb: str) -> Iterator[None]:
        errors: tuple[type[Exception], ...] = (*spark_errors(), SourceError)
        try:
            yield
        except errors as error:
            raise SourceError(
                f"the ledger {self.name} cannot be {verb}: {first_line(error)}"
            ) from error


def open_ledger(spark: SparkSession, name: str | os.PathLike[str]) -> Ledger:
    """Return the ledger of a name, made where there is none.

    Two jobs may make it at the same time.  A table that is no ledger is left as it is.

    Args:
        spark: the session, classic or Connect.
        name: a path or a catalog name, told apart as those of data are
            (:func:`spark_sig.sources.resolve`).

    Raises:
        SourceError: where it can neither be found nor made, or is something else.
    """
    text = os.fspath(name)
    refuse = partial(_no_ledger, text)
    try:
        place = Place.of(spark, name, refuse)
        path = place.location(spark, refuse)
        if path is None:
            _make(spark, place.sql)
            path = until_seen(lambda: place.location(spark, refuse))
        if path is not None:
            return _checked(spark, text, path)
    except spark_errors() as error:
        raise SourceError(f"the ledger {text} cannot be opened: {first_line(error)}") from error
    raise _no_ledger(text, "something that is no Delta table")


def _make(spark: SparkSession, table: str) -> None:
    """Make a ledger; nothing happens where there is something, or another job makes it."""
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in COLUMNS.items())
    text = (
        f"CREATE TABLE IF NOT EXISTS {table} ({columns}) USING delta "
        f"TBLPROPERTIES ('{PROPERTY}' = '{FORM}')"
    )
    until_committed(lambda: spark.sql(text))


def _checked(spark: SparkSession, text: str, path: str) -> Ledger:
    """Return a Delta table as the ledger that it is."""
    snapshot: Snapshot = read_snapshot(spark, path)
    properties = spark.sql(f"SHOW TBLPROPERTIES delta.{quoted(path)}").collect()
    form = {row["key"]: row["value"] for row in properties}.get(PROPERTY)
    if form != FORM:
        raise _no_ledger(text, "no such property" if form is None else f"{PROPERTY} = {form}")
    schema = read_version(spark, snapshot).schema
    found = {member.name: member.dataType.simpleString() for member in schema.fields}
    if found != _TYPES:
        raise _no_ledger(text, f"the columns {_listed(found)}")
    return Ledger(spark, text, path, snapshot.table_id)


def _no_ledger(text: str, observed: str) -> SourceError:
    return SourceError(
        f"{text} is no ledger: expected a Delta table with the property {PROPERTY} = {FORM} and "
        f"the columns {_listed(_TYPES)}, found {observed}; name a table that does not exist yet"
    )


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def held(mask: str) -> str:
    """Write the number of checks that held, given a mask, as SQL."""
    return f"length(replace({mask}, '0', ''))"


_SOUND = (
    "path IS NOT NULL AND dv IS NOT NULL AND translate(mask, '01', '') = '' AND contains(mask, '1')"
)

# One row for each path and deletion vector, that in which most checks held.
_BEST = f"""
    SELECT path, dv, max(struct({held("mask")}, mask)).mask AS mask, count(*) AS rows
    FROM ({{}}) GROUP BY path, dv"""


def _engine() -> str:
    try:
        return f"spark_sig {version('spark-sig')}"
    except PackageNotFoundError:  # run from a folder or an archive
        return "spark_sig"
