"""The Spark session that the jobs, the demo and the tests run on.

``python -m jobs.session`` starts one and stops it, so that the Delta JARs are there afterwards.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from delta import configure_spark_with_delta_pip
from pyspark.sql import SparkSession

from spark_sig.delta.session import DELTA_CONF

LOG4J = Path(__file__).parents[1] / "conf" / "log4j2.properties"

LOCAL_CONF = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # one machine: nothing needs to find the driver by the host's name, which may not resolve
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # as many parts as a machine has cores, not the 200 and 50 of a cluster
    "spark.sql.shuffle.partitions": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
}


def build_session(
    app_name: str,
    *,
    master: str = "local[2]",
    driver_memory: str = "2g",
    conf: Mapping[str, str] | None = None,
) -> SparkSession:
    """Return the session that is there already, or start one with Delta on this machine.

    A running session (a notebook's), one that spark-submit has prepared, and a Spark Connect
    server named by ``SPARK_REMOTE`` are taken as they are, ``conf`` applied to them where Spark
    still allows it.  Else a local one is started: no UI, few log lines, this Python on the
    workers.

    Args:
        app_name: the name under which Spark lists the program.
        master: where a session of our own runs.
        driver_memory: heap of a session of our own, as Spark writes it (``"4g"``).
        conf: further Spark settings; they win over the ones made here.

    Example:
        >>> spark = build_session("example")  # doctest: +SKIP
    """
    builder = SparkSession.builder.appName(app_name)
    for key, value in (conf or {}).items():
        builder = builder.config(key, value)
    if "SPARK_REMOTE" in os.environ:
        return builder.getOrCreate()

    # Without it the workers start the python3 of PATH, which may lack pyarrow, and the query
    # fails only when it runs.  Whoever names another Python is obeyed.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # spark-submit has started the JVM: its memory, JARs and log settings are decided
    if "PYSPARK_GATEWAY_PORT" in os.environ or SparkSession.getActiveSession() is not None:
        return builder.getOrCreate()
    return _start_local(builder, master, driver_memory, conf or {})


def _start_local(
    builder: SparkSession.Builder, master: str, driver_memory: str, conf: Mapping[str, str]
) -> SparkSession:
    ours = {
        **LOCAL_CONF,
        **DELTA_CONF,
        "spark.master": master,
        "spark.driver.memory": driver_memory,
        "spark.driver.extraJavaOptions": f'-Dlog4j2.configurationFile="{LOG4J.as_uri()}"',
    }
    for key, value in ours.items():
        if key not in conf:
            builder = builder.config(key, value)
    jars = resolved_jars()
    if jars:
        return builder.config("spark.jars", ",".join(map(str, jars))).getOrCreate()

    print("resolving the Delta JARs (once, about half a minute) ...", file=sys.stderr, flush=True)
    builder = builder.config("spark.jars.ivy", str(_ivy_home()))
    spark = configure_spark_with_delta_pip(builder).getOrCreate()
    _complete_mark().touch()
    return spark


def _ivy_home() -> Path:
    # Beside the packages that ask for the JARs, whatever HOME says: made, moved and removed with
    # the environment.  One folder for each pair of versions, so that no old JAR stays on the path.
    versions = f"spark-{version('pyspark')}-delta-{version('delta-spark')}"
    return Path(sys.prefix) / "share" / "spark-sig" / versions


def _complete_mark() -> Path:
    """A file that is there once Ivy has finished."""
    return _ivy_home() / "complete"


def resolved_jars() -> list[Path]:
    # given by path, they spare each start two seconds of Ivy and its sixty lines of output
    if not _complete_mark().exists():
        return []
    return sorted((_ivy_home() / "jars").glob("*.jar"))


if __name__ == "__main__":
    build_session("resolve JARs").stop()
