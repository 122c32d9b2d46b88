"""Snapshots of Delta tables: what the log says of one version, without reading any data."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_sig.errors import SourceError
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


# What Delta (4.1 and later) refuses old versions with, and the setting that it does so by.
_TOO_OLD = "DELTA_UNSUPPORTED_TIME_TRAVEL_BEYOND_DELETED_FILE_RETENTION_DURATION"
_GUARD = "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a Delta table.

    Args:
        path: where the table lies.
        table_id: the table's own id.
        version: the version.
        files: number of data files; None where they are not counted.
        rows: rows of the files that say how many they hold, less those that deletion vectors
            delete; None where they are not counted.
        uncounted: number of files that do not say.
    """

    path: str
    table_id: str
    version: int
    files: int | None = None
    rows: int | None = None
    uncounted: int = 0


def is_classic(spark: SparkSession) -> bool:
    """Say whether the session has a JVM at hand (Spark Connect has none)."""
    return hasattr(spark, "_jsparkSession")


def read_snapshot(
    spark: SparkSession,
    path: str,
    version: int | None = None,
    timestamp: str | None = None,
) -> Snapshot:
    """Resolve a table to one version, the newest where neither version nor time is given.

    Args:
        spark: the session.
        path: where the table lies.
        version: the version to take.
        timestamp: the time to take the table at, read by Spark in the session's time zone where
            it names none.

    Returns:
        The snapshot, its files not counted (:func:`~spark_sig.delta.files.count_files`).

    Raises:
        SourceError: where there is no such table, version or time.
    """
    if timestamp is not None:
        version = _version_at(spark, path, timestamp)
    if is_classic(spark):
        return _from_log(spark, path, version)
    return _from_history(spark, path, version)


def find_snapshot(spark: SparkSession, path: str, version: int | None) -> Snapshot | None:
    """Resolve a table to one version without a query, as :func:`read_snapshot` does.

    None says nothing: there may be no table, its log may be broken, the session be one of Spark
    Connect, or without Delta Lake.

    Raises:
        SourceError: where the table has no such version.
    """
    if not is_classic(spark):
        return None
    try:
        pair = _log_and_newest(spark, path)
        if int(pair._2().version()) < 0:
            return None
        found = _at(pair, path, version)
        return Snapshot(path, str(found.metadata().id()), int(found.version()))
    except spark_errors():
        return None
    except TypeError:  # without Delta Lake its name is that of a package
        return None


def read_version(spark: SparkSession, snapshot: Snapshot) -> DataFrame:
    """Return the rows of a snapshot; every read of the result is of that version.

    Delta refuses versions whose commit is older than what VACUUM spares, though their files may
    all be there; here they are read, and fail where a file is gone.  A session of Spark Connect,
    which resolves tables as they are read, is left with that guard off.
    """
    reader = spark.read.format("delta").option("versionAsOf", snapshot.version)
    try:
        found = reader.load(snapshot.path)
        if not is_classic(spark):
            _ = found.schema  # resolves it
        return found
    except spark_errors() as error:
        if _TOO_OLD not in str(error):
            raise
    before = spark.conf.get(_GUARD, None)
    spark.conf.set(_GUARD, "false")
    try:
        return reader.load(snapshot.path)
    finally:
        if is_classic(spark):
            if before is None:
                spark.conf.unset(_GUARD)
            else:
                spark.conf.set(_GUARD, before)


def _history(spark: SparkSession, path: str) -> DataFrame:
    return spark.sql(f"DESCRIBE HISTORY delta.{quoted(path)}")


def _version_at(spark: SparkSession, path: str, timestamp: str) -> int:
    # The history carries each version's time, in-commit where the table has it.
    from pyspark.sql import functions as F

    row = (
        _history(spark, path)
        .withColumn("text", F.lit(timestamp))
        .selectExpr("version", "timestamp", "try_cast(text AS TIMESTAMP_LTZ) AS asked")
        .selectExpr(
            "max(IF(timestamp <= asked, version, NULL))",
            "bool_or(asked IS NULL)",
            # later commits may still come before it: two runs would not mean the same version
            "bool_or(asked > current_timestamp())",
        )
        .collect()[0]
    )
    if row[1]:
        raise SourceError(f"{timestamp!r} is not a time; write it as 2024-01-31 12:00:00")
    if row[2]:
        raise SourceError(f"{timestamp} is yet to come; the table {path} has no version then")
    if row[0] is None:
        raise SourceError(f"the table {path} has no version at or before {timestamp}")
    return int(row[0])


def _from_history(spark: SparkSession, path: str, version: int | None) -> Snapshot:
    history = _history(spark, path)
    if version is not None:
        found = history.where(f"version = {int(version)}").select("version").collect()
    else:
        found = history.limit(1).select("version").collect()
    if not found:
        raise SourceError(f"the table {path} has no version {version}")
    detail = spark.sql(f"DESCRIBE DETAIL delta.{quoted(path)}").select("id").collect()[0]
    return Snapshot(path, detail["id"], int(found[0]["version"]))


def _from_log(spark: SparkSession, path: str, version: int | None) -> Snapshot:
    from py4j.protocol import Py4JJavaError

    try:
        found = _opened(spark, path, version)
        return Snapshot(path, str(found.metadata().id()), int(found.version()))
    except Py4JJavaError as error:
        raise SourceError(
            f"the log of the table {path} cannot be read at "
            f"{'its newest version' if version is None else f'version {version}'}: "
            f"{first_line(error)}"
        ) from error


def _opened(spark: SparkSession, path: str, version: int | None) -> Any:
    """Return Delta's own snapshot of a version, of the newest one where None."""
    pair = _log_and_newest(spark, path)
    if int(pair._2().version()) < 0:
        raise SourceError(f"there is no Delta table at {path}")
    return _at(pair, path, version)


def _log_and_newest(spark: SparkSession, path: str) -> Any:
    """Return Delta's own log of a table and its newest snapshot, of version -1 without a table."""
    return _delta_log(spark).forTableWithSnapshot(spark._jsparkSession, path)


def _delta_log(spark: SparkSession) -> Any:
    return spark._jvm.org.apache.spark.sql.delta.DeltaLog  # type: ignore[union-attr]


def _at(pair: Any, path: str, version: int | None) -> Any:
    newest = int(pair._2().version())
    if version is None or version == newest:
        return pair._2()
    if not 0 <= version < newest:
        raise SourceError(f"the table {path} has no version {version}; the newest is {newest}")
    return _snapshot_at(pair._1(), version)


def open_snapshot(spark: SparkSession, snapshot: Snapshot) -> Any:
    """Return Delta's own snapshot of a version that was resolved before.

    Raises:
        SourceError: where another table has taken its place.
    """
    # What was read as its rows were resolved is not listed again.
    found = _delta_log(spark).forTable(spark._jsparkSession, snapshot.path).unsafeVolatileSnapshot()
    if int(found.version()) != snapshot.version:
        found = _opened(spark, snapshot.path, snapshot.version)
    if str(found.metadata().id()) != snapshot.table_id:
        raise SourceError(f"another table has taken the place of {snapshot.path} meanwhile")
    return found


def newest_of(opened: Any) -> Any:
    """Return Delta's own snapshot of the version that was the newest as another was opened."""
    return opened.deltaLog().unsafeVolatileSnapshot()


def table_metadata(opened: Any) -> dict[str, Any]:
    """Return the action ``metaData`` (PROTOCOL, section Change Metadata) of Delta's snapshot."""
    return dict(json.loads(opened.metadata().json())["metaData"])


def _snapshot_at(log: Any, version: int) -> Any:
    """Call ``DeltaLog.getSnapshotAt``, whose number of defaulted arguments differs by release."""
    from py4j.protocol import Py4JError

    arguments: list[Any] = []
    while True:
        try:
            default = getattr(log, f"getSnapshotAt$default${len(arguments) + 2}")
            arguments.append(default())
        except Py4JError:
            return log.getSnapshotAt(version, *arguments)


def spark_errors() -> tuple[type[Exception], ...]:
    """Return the classes of what Spark raises: PySpark's own, and those that it does not know."""
    from pyspark.errors import PySparkException

    try:
        from py4j.protocol import Py4JError
    except ImportError:  # a client of Spark Connect alone
        return (PySparkException,)
    return Py4JError, PySparkException


# What Spark says of jobs that somebody has ended.
_CANCELLED = re.compile(r"SPARK_JOB_CANCELLED|OPERATION_CANCELED|Job \S+ cancelled")


def reraise_cancelled(error: Exception) -> None:
    """Raise an error anew where it says that somebody has ended the run, and return else."""
    if _CANCELLED.search(str(error)):
        raise error


# The conditions of errors that say which values they are about: data exceptions and constraints
# (SQLSTATE 22 and 23), by the names that Spark and Delta have for them, as some give no state, and
# Delta's errors about partitions.
_OF_VALUES = re.compile(
    r"\[(?P<name>CAST_INVALID_INPUT|[A-Z_]*OVERFLOW[A-Z_]*|NUMERIC_VALUE_OUT_OF_RANGE[A-Z_.]*"
    r"|DIVIDE_BY_ZERO|CANNOT_PARSE_[A-Z_]+|MALFORMED_[A-Z_.]+|CONVERSION_INVALID_INPUT"
    r"|INVALID_(?:DATE|TIMESTAMP)[A-Z_]*|[A-Z_]*EXCEED_(?:CHAR_VARCHAR|LIMIT)_[A-Z_]+"
    r"|DELTA_VIOLATE_[A-Z_]+|DELTA_NOT_NULL_CONSTRAINT_VIOLATED|USER_RAISED_EXCEPTION"
    r"|DELTA_CONCURRENT_[A-Z_]+\.WITH_PARTITION_HINT|DELTA_REPLACE_WHERE_MISMATCH"
    r"|INCONSISTENT_BEHAVIOR_CROSS_VERSION\.[A-Z_]+)\]"
)
_JAVA_OF_VALUES = re.compile(
    r"(?P<name>NumberFormatException|DateTimeParseException"
    # raise_error of Spark 3.5, where a task failed of it
    r"|(?<=\): java\.lang\.)RuntimeException"
    r"|Concurrent(?:Append|Delete)\w*Exception): "
)

# What Python raises about the machine or Spark, and we do; anything else may be about values.
_TOLD = re.compile(
    r"(?:OSError|MemoryError|ImportError|ModuleNotFoundError|PermissionError|RuntimeError)\b"
    r"|pyspark[.]|spark_sig[.]"
)
_STATE_OF_VALUES = re.compile(r"\[(?P<name>[A-Z0-9_.]+)\].*?SQLSTATE: 2[23]\w{3}", re.DOTALL)


# What only says that a task has failed, for reasons of its own.
_OF_A_TASK = "[TASK_WRITE_FAILED]"


def _telling(error: object) -> str:
    """Return the text of an error of Spark's, or of the cause that says what is wrong."""
    java: Any = getattr(error, "java_exception", None)
    if java is None:
        return str(error).strip()
    while _OF_A_TASK in str(java.getMessage()) and (cause := java.getCause()) is not None:
        java = cause
    return str(java).strip()


def first_line(error: object) -> str:
    """Return the line of an error that says what is wrong, the rest being plans and traces.

    Of errors about values the name alone is kept: values may be personal data.

    Example:
        >>> first_line("Job aborted: Traceback (most recent call last):\\n  File …\\nOSError: full")
        'OSError: full'
        >>> first_line("[CAST_INVALID_INPUT] The value 'secret' cannot be cast. SQLSTATE: 22018")
        '[CAST_INVALID_INPUT] (values are not shown)'
    """
    text = _telling(error)
    for pattern in (_STATE_OF_VALUES, _OF_VALUES, _JAVA_OF_VALUES):
        if found := pattern.search(text):
            return f"[{found['name']}] (values are not shown)"
    lines = text.splitlines() or [type(error).__name__]
    for place, line in enumerate(lines):
        if line.endswith("Traceback (most recent call last):"):
            raised = next((one for one in lines[place + 1 :] if one[:1].strip()), lines[0])
            told = _TOLD.match(raised)
            return raised if told else f"{raised.partition(':')[0]} (values are not shown)"
    return lines[0]
