"""Names of tables: paths told apart from names of the catalog, and what is found under them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from spark_sig.delta.log import spark_errors
from spark_sig.errors import SourceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def is_path(name: str | os.PathLike[str]) -> bool:
    """Say whether a name is a path by its looks: it has a slash or a colon, or is a path object.

    Example:
        >>> is_path("data/t"), is_path("s3:t"), is_path("sales.t")
        (True, True, False)
    """
    return isinstance(name, os.PathLike) or "/" in name or ":" in name


def in_catalog(spark: SparkSession, name: str) -> bool:
    """Say whether the catalog knows a name."""
    try:
        return bool(spark.catalog.tableExists(name))
    except spark_errors():  # no identifier at all, such as "a b"
        return False


def why_no_delta(spark: SparkSession, table: str) -> Exception | None:
    """Return why there is no Delta table of a name in SQL, or None where there is one.

    Raises:
        SourceError: where the session has no Delta Lake.
    """
    from pyspark.errors import AnalysisException, ParseException

    try:
        # Without Delta Lake, Spark takes "DESCRIBE DETAIL x" for a column of a table, but not this.
        spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()
    except ParseException as error:
        raise SourceError(
            "this Spark session has no Delta Lake: set spark.sql.extensions to "
            "io.delta.sql.DeltaSparkSessionExtension and add its packages"
        ) from error
    except AnalysisException as error:
        return error
    return None
