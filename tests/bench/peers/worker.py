"""The worker that measures one tool beside Spark's scan, in that tool's environment.

``worker.py TOOL FOLDER COLUMN ROUNDS JARS`` prints one JSON line for each table; with ``tables``
for the tool, and the number of rows for the rounds, it makes the tables.  It is run by path, as the
project is not installed there.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[3]
# in place of this folder
sys.path[0] = str(ROOT)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _session(jars: str) -> SparkSession:
    from pyspark.sql import SparkSession

    from jobs.session import DELTA_CONF, LOCAL_CONF, LOG4J

    os.environ["PYSPARK_PYTHON"] = sys.executable
    conf = {
        **LOCAL_CONF,
        **DELTA_CONF,
        "spark.master": "local[2]",
        "spark.driver.memory": "6g",
        "spark.driver.extraJavaOptions": f'-Dlog4j2.configurationFile="{LOG4J.as_uri()}"',
        "spark.sql.shuffle.partitions": "2",
        "spark.jars": jars,
    }
    builder = SparkSession.builder.appName("spark_sig bench-peers")
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _jobs(spark: SparkSession) -> int:
    """Count the jobs that were started so far, whatever thread started them."""
    return int(spark.sparkContext._jsc.sc().dagScheduler().numTotalJobs())


def _measure(
    spark: SparkSession, check: Callable[[str], bool], path: Path, rounds: int
) -> dict[str, Any]:
    from tests.bench.measure import interleaved, timed

    verdicts, jobs = set(), []

    def scan() -> None:
        df = spark.read.format("delta").load(str(path))
        df.write.format("noop").mode("overwrite").save()

    def counted() -> None:
        before = _jobs(spark)
        verdicts.add(check(str(path)))
        jobs.append(_jobs(spark) - before)

    def afresh(run: Callable[[], float]) -> Callable[[], float]:
        def cleared() -> float:
            # what a tool left in memory would help the next run, the scan's too
            spark.catalog.clearCache()
            return run()

        return cleared

    seconds, base = interleaved([afresh(timed(counted)), afresh(timed(scan))], rounds)
    return {
        "verdicts": sorted(verdicts),
        "seconds": seconds,
        "scan": base,
        "jobs": statistics.median_low(jobs),
    }


def main() -> None:
    """Measure, and print what was measured."""
    warnings.simplefilter("ignore")
    tool, folder, column, number, jars = sys.argv[1:]
    spark = _session(jars)
    if tool == "tables":
        from tests.bench.peers.tables import make_tables

        make_tables(spark, Path(folder), int(number), column)
        return

    from tests.bench.peers.checks import TOOLS

    check = TOOLS[tool].make(spark, Path(folder))
    names = ["clean", f"violating-{column}", "mistyped"]
    if tool == "spark_sig":
        names += [f"bare-{name}" for name in names]
    for name in names:
        rounds = 1 if name.endswith("mistyped") else int(number)
        found = _measure(spark, check, Path(folder) / name, rounds)
        known = {"table": name, "version": version(TOOLS[tool].package), "spark": spark.version}
        print(json.dumps({**known, **found}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
