"""Places: where the tables lie that are written to, found by path or name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spark_sig.delta.log import find_snapshot
from spark_sig.delta.names import in_catalog, is_path, why_no_delta
from spark_sig.delta.storage import absolute
from spark_sig.errors import SourceError
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    # Makes the error of something that is there and no Delta table, given what it is.
    Refusal = Callable[[str], SourceError]

_PART = r"`(?:[^`]|``)+`|[^`.\s]+"
_BY_PATH = re.compile(r"delta\.`(.+)`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table lies, or will.

    Args:
        name: what it was called.
        sql: what it is called in SQL, spelt in full, whether the table is there or not.
    """

    name: str
    sql: str

    @classmethod
    def of(cls, spark: SparkSession, name: str | os.PathLike[str], refuse: Refusal) -> Place:
        """Find out what a name means, as :func:`spark_sig.sources.resolve` does for data.

        Raises:
            SourceError: where it is neither a path nor the name of a table, or a view's.
        """
        text = os.fspath(name)
        if spelt := _BY_PATH.fullmatch(text):
            return cls._at(spark, text, spelt[1].replace("``", "`"))
        if is_path(name):
            return cls._at(spark, text, text)
        known = in_catalog(spark, text)
        if not known and os.path.exists(text):
            return cls._at(spark, text, text)
        if not re.fullmatch(rf"(?:{_PART})(?:\.(?:{_PART}))*", text):
            raise SourceError(f"{text!r} is neither a path nor the name of a table")
        if known and spark.catalog.getTable(text).tableType in ("VIEW", "TEMPORARY"):
            raise refuse("a view")
        return cls(text, ".".join(map(quoted, _full(spark, _parts(text)))))

    @classmethod
    def _at(cls, spark: SparkSession, text: str, path: str) -> Place:
        full = absolute(spark, path)
        if ":" not in full and not full.startswith("/"):
            raise SourceError(
                f"Spark Connect does not know where the table {text} is to lie; give its path in "
                "full"
            )
        return cls(text, f"delta.{quoted(full)}")

    @property
    def path(self) -> str | None:
        """The path in full, where it was named by one."""
        spelt = _BY_PATH.fullmatch(self.sql)
        return spelt[1].replace("``", "`") if spelt else None

    def location(self, spark: SparkSession, refuse: Refusal) -> str | None:
        """Return where the Delta table lies; None where there is no table.

        Raises:
            SourceError: where it is a table of another format, or the session has no Delta Lake.
        """
        from pyspark.errors import AnalysisException

        if self.path is not None and find_snapshot(spark, self.path, None):
            return self.path
        try:
            described = spark.sql(f"DESCRIBE DETAIL {self.sql}").select("format", "location")
            detail = described.collect()[0]
        except AnalysisException:
            why_no_delta(spark, self.sql)  # says so where the session has no Delta Lake
            return None
        if detail["format"] != "delta":
            raise refuse(f"a table of format {detail['format']}")
        return str(detail["location"])


def _parts(name: str) -> list[str]:
    """Return the parts of a name in SQL, as they are."""
    parts = re.findall(_PART, name)
    return [p[1:-1].replace("``", "`") if p.startswith("`") else p for p in parts]


def _full(spark: SparkSession, parts: list[str]) -> list[str]:
    """Return the parts of a table's name with those that the session adds to it.

    A first part is a catalog where the session has one of that name, and a database else.
    """
    catalog = spark.catalog.currentCatalog()
    if len(parts) == 1:
        return [catalog, *_parts(spark.catalog.currentDatabase()), *parts]
    first = parts[0]
    if first == "spark_catalog" or spark.conf.get(f"spark.sql.catalog.{first}", None) is not None:
        return parts
    return [catalog, *parts]
