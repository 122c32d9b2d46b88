"""Streams: what Spark says of the query that a batch is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spark_sig.delta.log import is_classic

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def query_of(spark: SparkSession) -> str | None:
    """Return the id of the streaming query that calls, which is its checkpoint's.

    None outside of one, and on Spark Connect, which does not say.
    """
    if not is_classic(spark):
        return None
    return spark.sparkContext.getLocalProperty("sql.streaming.queryId")
