"""Files on any storage that Hadoop reaches."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from spark_sig.delta.log import first_line, is_classic, spark_errors
from spark_sig.errors import SourceError
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def write_text(spark: SparkSession, path: str, text: str) -> None:
    """Write a file as UTF-8 under a temporary name beside it, then rename it over any older one.

    Where the storage renames atomically (HDFS), readers see the old file or the new one, whole;
    object stores show a file only once it is written.  Missing folders are made.

    Raises:
        SourceError: where it cannot be written, or the session has no JVM (Spark Connect).
    """
    errors = spark_errors()
    target, system, conf = _reach(spark, path)
    beside = _java(spark).Path(target.getParent(), f".{target.getName()}.{secrets.token_hex(8)}")
    try:
        try:
            stream = system.create(beside, False)
            try:
                stream.write(bytearray(text.encode()))
            finally:
                stream.close()
            _rename(spark, system, conf, beside, target)
        except BaseException:
            with suppress(*errors):
                system.delete(beside, False)
            raise
    except errors as error:
        raise _unwritable(path, error) from error


def is_folder(spark: SparkSession, path: str) -> bool:
    """Say whether a path is a folder that exists.

    Raises:
        SourceError: where the storage cannot be reached.
    """
    target, system, _ = _reach(spark, path)
    try:
        return bool(system.exists(target) and system.getFileStatus(target).isDirectory())
    except spark_errors() as error:
        raise _unwritable(path, error) from error


def remove_folder(spark: SparkSession, path: str) -> None:
    """Remove a folder and all in it, where there is one.

    Raises:
        SourceError: where the storage cannot be reached, as on Spark Connect.
    """
    target, system, _ = _reach(spark, path)
    try:
        system.delete(target, True)
    except spark_errors() as error:
        raise _unwritable(path, error) from error


def remove_empty(spark: SparkSession, path: str) -> None:
    """Remove a folder that has nothing in it; one that somebody writes to stays."""
    target, system, _ = _reach(spark, path)
    with suppress(*spark_errors()):
        system.delete(target, False)


def empty_table(spark: SparkSession, path: str) -> None:
    """Delete the rows of a table; its files stay.

    VACUUM would list them in 10,000 tasks, and only without its check of the files' age.
    """
    spark.sql(f"DELETE FROM delta.{quoted(path)}")


def scan_size(df: DataFrame) -> int:
    """Return how many bytes a scan of a DataFrame reads, as Spark estimates it."""
    plan: Any = df._jdf.queryExecution().optimizedPlan()
    return int(str(plan.stats().sizeInBytes()))


def absolute(spark: SparkSession, path: str) -> str:
    """Return a path as its storage spells it in full; Delta's SQL takes no relative ones.

    On Spark Connect only the paths of this machine are known.

    Raises:
        SourceError: where the storage cannot be reached.
    """
    if not is_classic(spark):
        return os.path.abspath(path) if os.path.exists(path) else path
    target, system, _ = _reach(spark, path)
    return str(system.makeQualified(target).toString())


def _reach(spark: SparkSession, path: str) -> tuple[Any, Any, Any]:
    if not is_classic(spark):
        raise SourceError(
            f"cannot write {path}: Spark Connect reaches no storage from here; give a local path"
        )
    try:
        conf = spark._jsparkSession.sessionState().newHadoopConf()
        target = _java(spark).Path(path)
        return target, target.getFileSystem(conf), conf
    except spark_errors() as error:
        raise _unwritable(path, error) from error


def _java(spark: SparkSession) -> Any:
    return spark._jvm.org.apache.hadoop.fs  # type: ignore[union-attr]


def _rename(spark: SparkSession, system: Any, conf: Any, beside: Any, target: Any) -> None:
    fs = _java(spark)
    try:
        # Only this interface overwrites in one step; some storages lack it.
        context = fs.FileContext.getFileContext(target.toUri(), conf)
    except spark_errors():
        system.delete(target, False)
        if not system.rename(beside, target):
            raise SourceError(f"cannot write {target}: the rename was refused") from None
        return
    option = getattr(fs, "Options$Rename")
    options = spark._sc._gateway.new_array(option, 1)  # type: ignore[union-attr]
    options[0] = option.OVERWRITE
    context.rename(beside, target, options)


def _unwritable(path: str, error: Any) -> SourceError:
    return SourceError(f"cannot write {path}: {first_line(error)}")
