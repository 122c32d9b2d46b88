"""Tables that are made: what they have to be to hold the columns of some rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from spark_sig.delta.conflicts import until_committed
from spark_sig.delta.log import Snapshot, is_classic, open_snapshot, table_metadata
from spark_sig.delta.places import Place
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType

# Parquet's own names may not have these; with column mapping the files have others.
_SPECIAL = re.compile(r"[ ,;{}()\n\t=]")


def properties_for(columns: StructType) -> dict[str, str]:
    """Return the table properties without which Delta makes no table of some columns."""
    if any(_SPECIAL.search(name) for name in _names(columns)):
        return {"delta.columnMapping.mode": "name"}
    return {}


def make_table(rows: DataFrame, place: Place, partitions: Sequence[str]) -> None:
    """Make an empty table of the columns of some rows, unless there is one.

    Args:
        rows: whose columns it takes.
        place: where it is to lie.
        partitions: the columns that it is partitioned by.
    """
    # Two jobs may make it at the same time.
    writer = rows.where("false").write.format("delta").mode("ignore").partitionBy(*partitions)
    writer = writer.options(**properties_for(rows.schema))
    if (path := place.path) is None:
        until_committed(lambda: writer.saveAsTable(place.sql))
    else:
        until_committed(lambda: writer.save(path))


def partition_columns(spark: SparkSession, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the columns that a version is partitioned by; on Spark Connect the newest one."""
    if is_classic(spark):
        return tuple(table_metadata(open_snapshot(spark, snapshot))["partitionColumns"])
    detail = spark.sql(f"DESCRIBE DETAIL delta.{quoted(snapshot.path)}")
    return tuple(detail.select("partitionColumns").collect()[0][0])


def table_properties(spark: SparkSession, snapshot: Snapshot) -> dict[str, str]:
    """Return the properties of a version; on Spark Connect those of the newest one."""
    if is_classic(spark):
        return dict(table_metadata(open_snapshot(spark, snapshot))["configuration"])
    # SHOW TBLPROPERTIES hides the text of constraints whose names hold "url" or "token"
    detail = spark.sql(f"DESCRIBE DETAIL delta.{quoted(snapshot.path)}")
    return dict(detail.select("properties").collect()[0][0])


def _names(columns: DataType) -> Iterator[str]:
    from pyspark.sql import types as T

    match columns:
        case T.StructType():
            for field in columns.fields:
                yield field.name
                yield from _names(field.dataType)
        case T.ArrayType():
            yield from _names(columns.elementType)
        case T.MapType():
            yield from _names(columns.keyType)
            yield from _names(columns.valueType)
