"""The session of a command that nobody has given one: on this machine, with Delta Lake."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from spark_sig.delta.session import DELTA_CONF

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What a command on one machine needs no more of.
_QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}

# Where one of these is set, somebody has decided what Spark is like.
_DECIDED = ("PYSPARK_GATEWAY_PORT", "SPARK_REMOTE", "SPARK_HOME", "SPARK_CONF_DIR")


def default_session() -> SparkSession:
    """Return the running session, or one as Spark's own settings say.

    Where there are none, it has Delta Lake, whose JARs Spark fetches once, if delta-spark is
    installed, and this Python on its workers.
    """
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("spark-sig")
    if SparkSession.getActiveSession() is not None or any(map(os.environ.get, _DECIDED)):
        return builder.getOrCreate()
    # else workers start the python3 of PATH, which may lack pyarrow
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    for key, value in _QUIET.items():
        builder = builder.config(key, value)
    try:
        from delta import configure_spark_with_delta_pip
    except ImportError:  # Parquet can be checked without it
        return builder.getOrCreate()
    for key, value in DELTA_CONF.items():
        builder = builder.config(key, value)
    return configure_spark_with_delta_pip(builder).getOrCreate()
