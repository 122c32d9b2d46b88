"""The session: Delta Lake, what workers run, and confs that do harm."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from spark_sig.delta.log import first_line, is_classic, spark_errors
from spark_sig.delta.names import why_no_delta
from spark_sig.diagnosis.symptom import Health, Symptom
from spark_sig.errors import SourceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Tasks that look at what workers run: each may be another machine.
_TASKS = 8

# What is asked of each.
_PROBED = ("python", "pyarrow", "numpy", "spark_sig")

# No table lies there: whether the session knows Delta shows all the same.
_NOWHERE = "delta.`/spark-sig/there/is/no/such/table`"


class Conf(NamedTuple):
    """A setting of Spark's that may do harm.

    Args:
        key: its name.
        default: what it is where nobody sets it.
        harmful: the value that does harm.
        why: what that does.
    """

    key: str
    default: str
    harmful: str
    why: str


_CONFS = (
    Conf(
        "spark.sql.execution.arrow.pyspark.validateSchema.enabled",
        "false",
        "true",
        "columns of ML vectors cannot come back from Python",
    ),
    Conf(
        "spark.sql.execution.arrow.compression.codec",
        "none",
        "lz4",
        "what goes to Python and back takes some ten times as long; zstd does not",
    ),
    Conf(
        "spark.databricks.delta.history.metricsEnabled",
        "true",
        "false",
        "commits do not count their rows: conform, reprocess and score_table refuse to write",
    ),
    Conf(
        "spark.databricks.delta.replaceWhere.dataColumns.enabled",
        "true",
        "false",
        "no row can be moved out of a quarantine",
    ),
    Conf(
        "spark.databricks.delta.stats.collect",
        "true",
        "false",
        "files are written without statistics, which would prove checks",
    ),
    Conf(
        "spark.python.worker.reuse",
        "true",
        "false",
        "each task starts Python, and loads the model, anew",
    ),
)


def diagnose_session(spark: SparkSession) -> list[Symptom]:
    """Look at a session; one small job runs on its workers."""
    return [_spark(spark), _delta(spark), *_workers(spark), *_confs(spark)]


def _spark(spark: SparkSession) -> Symptom:
    if is_classic(spark):
        return Symptom("Spark", Health.FINE, spark.version)
    remedy = "use a classic session where statistics are to prove checks"
    return Symptom("Spark", Health.WEAK, f"{spark.version}, by Spark Connect", remedy)


def _delta(spark: SparkSession) -> Symptom:
    try:
        why_no_delta(spark, _NOWHERE)
    except SourceError:
        return Symptom(
            "Delta Lake",
            Health.BROKEN,
            "this session has none",
            "set spark.sql.extensions to io.delta.sql.DeltaSparkSessionExtension, "
            "spark.sql.catalog.spark_catalog to org.apache.spark.sql.delta.catalog.DeltaCatalog, "
            "and add its JARs (spark.jars.packages)",
        )
    return Symptom("Delta Lake", Health.FINE, "known to the session")


def probe(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Say what a worker runs."""
    for _ in batches:
        pass
    yield pa.RecordBatch.from_arrays([pa.array([one]) for one in _here()], names=list(_PROBED))


def _here() -> list[str]:
    """Return what this process runs."""
    release = ".".join(map(str, sys.version_info[:2]))
    return [release, *(str(sys.modules[name].__version__) for name in _PROBED[1:])]


def _workers(spark: SparkSession) -> Iterator[Symptom]:
    columns = ", ".join(f"{name} string" for name in _PROBED)
    try:
        seen = spark.range(0, _TASKS, 1, _TASKS).mapInArrow(probe, columns).distinct().collect()
    except spark_errors() as error:
        yield Symptom(
            "workers",
            Health.BROKEN,
            first_line(error),
            "set PYSPARK_PYTHON to a Python of the driver's release that has pyarrow, NumPy and "
            "spark_sig, on every worker, or ship them (--py-files)",
        )
        return
    mine = _here()
    for row in sorted(seen):
        found = ", ".join(f"{name} {row[name]}" for name in _PROBED)
        others = [
            f"{name} {here}" for name, here in zip(_PROBED, mine, strict=True) if row[name] != here
        ]
        remedy = f"install what the driver has: {', '.join(others)}" if others else ""
        yield Symptom("workers", Health.WEAK if others else Health.FINE, found, remedy)


def _confs(spark: SparkSession) -> Iterator[Symptom]:
    harmful = [
        (conf, value)
        for conf in _CONFS
        if (value := str(spark.conf.get(conf.key, conf.default))).lower() == conf.harmful
    ]
    for conf, value in harmful:
        remedy = f"set it to {conf.default}: {conf.why}"
        yield Symptom(conf.key, Health.WEAK, value, remedy)
    if not harmful:
        yield Symptom("confs", Health.FINE, f"none of {len(_CONFS)} does harm")
