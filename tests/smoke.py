"""A smoke run of the public API on a session of its own: ``python -m tests.smoke classic|connect``.

It needs neither pytest nor the suite's session, so that it runs on any Spark, in any environment.
It prints what it saw as JSON, for :mod:`tests.test_smoke` to judge.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


def connect_session():  # type: ignore[no-untyped-def]
    """Start a Connect server of our own on this machine, and a session on it."""
    from pyspark.sql import SparkSession

    from jobs.session import DELTA_CONF, resolved_jars

    builder = SparkSession.builder.remote("local[2]").appName("smoke")
    conf = {
        **DELTA_CONF,
        "spark.jars": ",".join(map(str, resolved_jars())),
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
    }
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def classic_session():  # type: ignore[no-untyped-def]
    """Start a classic session of our own."""
    from jobs.session import build_session

    conf = {"spark.sql.shuffle.partitions": "2", "spark.databricks.delta.snapshotPartitions": "2"}
    return build_session("smoke", conf=conf)


def error_text(action) -> str:  # type: ignore[no-untyped-def]
    """Return the text of the error that an action ends with, or nothing."""
    try:
        action()
    except Exception as error:  # whatever Spark wraps it in
        return str(error)
    return ""


def run(kind: str) -> dict[str, object]:
    """Drive the public API once through, and say what came out."""
    spark = connect_session() if kind == "connect" else classic_session()
    from spark_sig import Array, ColSpec, ModelSignature, Policy, Schema, infer_table, validate
    from spark_sig.rows import enforce_signature, split

    seen: dict[str, object] = {"kind": kind, "spark": version("pyspark")}
    signature = ModelSignature(
        inputs=Schema(
            [
                ColSpec("long", "id"),
                ColSpec("double", "price"),
                ColSpec(Array("float"), "features"),
                ColSpec("string", "note", required=False),
            ]
        )
    )
    rows = spark.range(1000).selectExpr(
        "CAST(id AS int) AS id",
        "IF(id = 500, NULL, CAST(id AS float)) AS price",
        "IF(id = 700, array(1f, NULL), array(1f, 2f)) AS features",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "table")
        rows.write.format("delta").save(path)
        rows.limit(1).write.format("delta").mode("append").save(path)
        for engine in ("auto", "arrow"):
            report = validate(path, signature, engine=engine, row_key=["id"])
            seen[f"table.{engine}"] = {
                "rows": [report.rows.total, report.rows.violating],
                "conforms": report.conforms,
                "complete": report.complete,
                "version": report.source.version,
                "violated": [
                    [c.path, c.code.value, c.count, [list(e.key) for e in c.examples]]
                    for c in report.checks
                    if c.violated
                ],
            }
        early = str(Path(folder) / "early")
        rows.where("id < 400").coalesce(1).write.format("delta").save(early)
        for turn in ("first", "second"):
            report = validate(early, signature, audit=0.5, ledger=Path(folder) / "ledger")
            evidence, audit = report.evidence, report.audit
            seen[f"proof.{turn}"] = [
                [report.conforms, report.rows.total],
                [evidence.statistics, evidence.files_read, evidence.ledger],
                [audit.files, audit.rows, len(audit.lies)] if audit else None,
            ]
        inferred = infer_table(path, spark=spark)
        seen["inferred"] = [
            [field.path, field.type, field.required, field.basis.value] for field in inferred.fields
        ]
        seen["older"] = validate(path, signature, version=0).rows.total
        seen["clean"] = validate(
            spark.read.format("delta").load(path).where("id NOT IN (500, 700)"), signature
        ).conforms
        frame = spark.read.format("delta").load(path)
        scalars = ModelSignature(inputs=Schema(list(signature.side("inputs"))[:2]))
        for name, sig in (("arrow", signature), ("catalyst", scalars)):
            dropped = frame.transform(enforce_signature(sig, policy=Policy(on_violation="drop")))
            seen[f"drop.{name}"] = [dropped.count(), dict(dropped.dtypes)]
            tagged = frame.transform(enforce_signature(sig, policy=Policy(on_violation="tag")))
            good, bad = split(tagged)
            seen[f"split.{name}"] = [good.count(), bad.count(), bad.columns]
            raising = frame.transform(enforce_signature(sig))
            seen[f"raise.{name}"] = error_text(lambda df=raising: df.where("id < 10").count())
        seen.update(transfers(spark, path, signature, Path(folder)))
    spark.stop()
    return seen


def transfers(spark, path: str, signature, folder: Path) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """Send rows to two tables: of a table, of a DataFrame, of a stream; and move some of them."""
    from spark_sig import ColSpec, ConformBatches, ModelSignature, Schema, conform, reprocess

    def told(report) -> list[object]:  # type: ignore[no-untyped-def]
        written = report.transfer.conformed, report.transfer.quarantine
        return [report.rows.total, report.complete, *(part.rows for part in written)]

    def counts(*tables: Path) -> list[int]:
        return [spark.read.format("delta").load(str(table)).count() for table in tables]

    seen: dict[str, object] = {}
    good, bad = folder / "good", folder / "bad"
    for turn in ("first", "again"):
        report = conform(path, signature, conformed=good, quarantine=bad)
        seen[f"conform.{turn}"] = [*told(report), *counts(good, bad)]
    changing = spark.range(1000).selectExpr(
        "id", "IF(rand() < 0.5, NULL, CAST(id AS float)) AS price", "array(1f) AS features"
    )
    both = folder / "good2", folder / "bad2"
    for turn in ("first", "again"):
        report = conform(changing, signature, conformed=both[0], quarantine=both[1], run_id="once")
        seen[f"frame.{turn}"] = [report.rows.total, sum(counts(*both))]
    seen["staged"] = [f.name for f in both[1].glob("_spark_sig/**/*.parquet")]
    columns = list(signature.side("inputs"))
    columns[1] = ColSpec("double", "price", required=False)
    looser = ModelSignature(inputs=Schema(columns))
    seen["reprocess"] = [*told(reprocess(bad, looser, conformed=good)), *counts(good, bad)]
    sink = ConformBatches(
        signature, conformed=folder / "good3", quarantine=folder / "bad3", stream="smoke"
    )
    for _ in range(2):
        query = (
            spark.readStream.format("delta")
            .option("maxFilesPerTrigger", 1)
            .load(path)
            .writeStream.foreachBatch(sink)
            .option("checkpointLocation", str(folder / "checkpoint"))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()
    seen["stream"] = [*told(sink.report()), *counts(folder / "good3", folder / "bad3")]
    return seen


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
