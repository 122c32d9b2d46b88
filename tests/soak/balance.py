"""The balance of a soak: what went in, and where it is."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from tests.soak.lanes import Folder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Balance(NamedTuple):
    """What has become of the rows.

    Args:
        given: rows that went in.
        conformed: rows of the one table.
        quarantined: rows of the other.
        lost: rows that are in neither.
        doubled: rows that are there more than once, or that never went in.
    """

    given: int
    conformed: int
    quarantined: int
    lost: int
    doubled: int

    @property
    def even(self) -> bool:
        """Whether every row is there once."""
        whole = self.given == self.conformed + self.quarantined
        return whole and self.given > 0 and not self.lost and not self.doubled

    @classmethod
    def of(cls, spark: SparkSession, folder: Folder) -> Balance:
        """Count the rows of a folder's tables."""
        from pyspark.sql import functions as F

        def read(path: object) -> DataFrame:
            return spark.read.format("delta").load(str(path)).select("id")

        sources = [*folder.path.glob("in/*"), folder.feed]
        given = reduce(lambda one, other: one.union(other), map(read, sources))
        good, bad = read(folder.good), read(folder.bad)
        there = good.union(bad).groupBy("id").agg(F.count("*").alias("times"))
        both = given.withColumn("given", F.lit(1)).join(there, "id", "full")
        lost, doubled = both.selectExpr(
            "count_if(times IS NULL)", "count_if(times > 1 OR given IS NULL)"
        ).collect()[0]
        return cls(given.count(), good.count(), bad.count(), lost, doubled)
