"""Sources: what a user names as data, resolved once to rows that every later read agrees on."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from spark_sig.delta.files import count_files
from spark_sig.delta.log import (
    Snapshot,
    find_snapshot,
    first_line,
    is_classic,
    read_snapshot,
    read_version,
    spark_errors,
)
from spark_sig.delta.names import in_catalog, is_path, why_no_delta
from spark_sig.delta.nulls import imposed_places, not_null_places
from spark_sig.delta.storage import absolute, is_folder
from spark_sig.errors import SignatureError, SourceError
from spark_sig.report import Source
from spark_sig.sqltext import quoted
from spark_sig.stats import Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    Data: TypeAlias = DataFrame | str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A source at one version.

    Args:
        frame: its rows.
        info: what reports say of it.
        expected_rows: rows that its files promise, those that say; None where nothing does.
        snapshot: the version of a Delta table that it is, which enforces its NOT NULL flags; None
            where it is none.
        place: where it lies, spelt in full, or its full name; empty where it has none.
        partitioned: whether a catalog says where its partitions lie, and what their values are.
    """

    frame: DataFrame
    info: Source
    expected_rows: int | None = None
    snapshot: Snapshot | None = None
    place: str = ""
    partitioned: bool = False

    @classmethod
    def of(cls, frame: DataFrame, snapshot: Snapshot, name: str) -> Resolved:
        """Return a Delta table at one version, by the name that it was given."""
        info = Source(
            "delta",
            name,
            snapshot.table_id,
            snapshot.version,
            snapshot.files,
            pinned=True,
            uncounted=snapshot.uncounted,
        )
        return cls(frame, info, snapshot.rows, snapshot, snapshot.path)

    def counted(self) -> Resolved:
        """Return the same with files and rows counted, where a log counts them.

        Raises:
            SourceError: where the log cannot be read.
        """
        if self.snapshot is None or self.snapshot.files is not None:
            return self
        found = count_files(self.frame.sparkSession, self.snapshot)
        return Resolved.of(self.frame, found, self.info.name)

    def at(self, version: int) -> Resolved:
        """Return the same Delta table at another version.

        Raises:
            SourceError: where there is no such version any more.
        """
        if self.snapshot is None or self.snapshot.version == version:
            return self
        spark = self.frame.sparkSession
        snapshot = read_snapshot(spark, self.snapshot.path, version)
        return Resolved.of(read_version(spark, snapshot), snapshot, self.info.name)

    @property
    def identity(self) -> str:
        """What tells it from other sources, whatever it is called: a table's own id, or its place.

        A DataFrame has none: it is empty.
        """
        if self.snapshot is not None:
            return self.snapshot.table_id
        return self.place and f"{self.info.kind}:{self.place}"

    @property
    def enforced(self) -> bool:
        """Whether its NOT NULL flags are enforced, but for those of :meth:`imposed`."""
        return self.snapshot is not None

    def imposed(self) -> frozenset[Place]:
        """Return its NOT NULL places whose rows may never have been held to it."""
        if self.snapshot is None:
            return frozenset()
        places = not_null_places(self.frame.schema)
        return imposed_places(self.frame.sparkSession, self.snapshot, places)


def resolve(
    data: Data,
    *,
    version: int | None = None,
    timestamp: str | None = None,
    spark: SparkSession | None = None,
    counted: bool = True,
) -> Resolved:
    """Resolve a DataFrame, a Delta or Parquet path, or a catalog name.

    A string with a slash or a colon is a path, as is anything that lies on the local disk; any
    other is a catalog name first.  A Delta table is resolved to one version; a DataFrame, a view
    and Parquet files are not pinned.

    Args:
        data: what to read.
        version: the Delta version to take.
        timestamp: the time to take a Delta table at.
        spark: the session; the active one where None.
        counted: whether to count the files and rows of a Delta table, which takes a query over
            the list of its files; :meth:`Resolved.counted` does it later.

    Raises:
        SourceError: where it cannot be read, or has no such version.
    """
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise SignatureError("a version must be a whole number", observed=repr(version))
    if version is not None and timestamp is not None:
        raise SourceError("give a version or a timestamp, not both")
    if not isinstance(data, (str, os.PathLike)):
        refuse_values(data)
        if version is not None or timestamp is not None:
            raise SourceError("a DataFrame has no versions; give the table's path or name")
        return Resolved(data, Source("dataframe"))
    session = active_session() if spark is None else spark
    name = os.fspath(data)
    # Spark's own spelling of a path in place of a table.
    if spelt := re.fullmatch(r"(?:delta|parquet)\.`(.+)`", name):
        return _path(session, spelt[1].replace("``", "`"), name, version, timestamp, counted)
    if is_path(data):
        return _path(session, name, name, version, timestamp, counted)
    if in_catalog(session, name):
        return _catalog(session, name, version, timestamp, counted)
    if os.path.exists(name):
        return _path(session, name, name, version, timestamp, counted)
    raise SourceError(f"there is no table and no path {name!r}")


def refuse_values(data: object) -> None:
    """Refuse what is no Spark DataFrame, classic or Connect.

    Raises:
        SignatureError: where it is none; values on the driver have a door of their own.
    """
    if not is_spark(data):
        raise SignatureError(
            "only a Spark DataFrame, a path or a table's name can be checked here",
            observed=type(data).__name__,
            remedy="check values on the driver with spark_sig.enforce",
        )


def is_spark(data: object) -> bool:
    """Say whether something is a Spark DataFrame, classic or Connect."""
    return hasattr(data, "sparkSession") and hasattr(data, "mapInArrow")


def session_of(data: Data) -> SparkSession:
    """Return the session of a DataFrame, and the running one for a path or a name.

    Raises:
        SignatureError: where it is something else.
        SourceError: where none is running.
    """
    if isinstance(data, (str, os.PathLike)):
        return active_session()
    refuse_values(data)
    return data.sparkSession


def active_session() -> SparkSession:
    """Return the running session, classic or Connect.

    Raises:
        SourceError: where none is running.
    """
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    try:
        # also the default one: in a thread of the user's own none is active
        return SparkSession.active()
    except PySparkRuntimeError as error:
        raise SourceError("no Spark session is running; start one first") from error


def _catalog(
    spark: SparkSession, name: str, version: int | None, timestamp: str | None, counted: bool
) -> Resolved:
    try:
        table = spark.catalog.getTable(name)
        parts = [table.catalog, *(table.namespace or ()), table.name]
        full = ".".join(quoted(part) for part in parts if part)
        if table.tableType in ("VIEW", "TEMPORARY"):
            _refuse_versions(name, "view", version, timestamp)
            return Resolved(spark.table(name), Source("view", name), place=full)
        asked = ("format", "location", "partitionColumns")
        detail = spark.sql(f"DESCRIBE DETAIL {full}").select(*asked).collect()[0]
    except spark_errors() as error:
        raise SourceError(f"the table {name} cannot be read: {first_line(error)}") from error
    if detail["format"] == "delta":
        return _path(spark, detail["location"], name, version, timestamp, counted)
    _refuse_versions(name, f"{detail['format']} table", version, timestamp)
    info, partitioned = Source(str(detail["format"]), name), bool(detail["partitionColumns"])
    return Resolved(spark.table(name), info, place=full, partitioned=partitioned)


def _path(
    spark: SparkSession,
    path: str,
    name: str,
    version: int | None,
    timestamp: str | None,
    counted: bool,
) -> Resolved:
    path = absolute(spark, path)
    try:
        snapshot = None if timestamp else find_snapshot(spark, path, version)
        missing = None if snapshot else why_no_delta(spark, f"delta.{quoted(path)}")
        if not missing:
            snapshot = snapshot or read_snapshot(spark, path, version, timestamp)
            if counted:
                snapshot = count_files(spark, snapshot)
            frame = read_version(spark, snapshot)
            frame.schema  # noqa: B018  # a version that cannot be read fails here, not later
            return Resolved.of(frame, snapshot, name)
    except spark_errors() as error:
        raise SourceError(f"the table {name} cannot be read: {first_line(error)}") from error
    try:
        if is_classic(spark) and is_folder(spark, f"{path.rstrip('/')}/_delta_log"):
            # As Parquet it would show rows that were deleted.
            raise SourceError(f"the Delta log of {name} cannot be read: {first_line(missing)}")
        frame = spark.read.parquet(path)
        frame.schema  # noqa: B018  # as above
    except spark_errors() as error:
        raise SourceError(
            f"there is no Delta table and no Parquet at {name}: {first_line(error)}"
        ) from error
    _refuse_versions(name, "Parquet source", version, timestamp)
    return Resolved(frame, Source("parquet", name), place=path)


def _refuse_versions(name: str, kind: str, version: int | None, timestamp: str | None) -> None:
    if version is not None or timestamp is not None:
        raise SourceError(f"{name} is a {kind} and has no versions")
