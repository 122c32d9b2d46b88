"""Airflow: its processes run the DAG, and checks that go wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.session import DELTA_CONF, LOCAL_CONF, LOG4J, resolved_jars
from spark_sig import ColSpec, ModelSignature, Report, Schema
from spark_sig.sinks import local_path
from tests.airflow_home import BIN, Airflow, DagRun
from tests.mlflow_models import ADVICE, save_function

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.airflow, *map(pytest.mark.filterwarnings, ADVICE)]

SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("double", "x")]), outputs=Schema([ColSpec("double")])
)
DAG = "check_then_score"


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables and a model: three versions, the second of which violates."""
    folder = tmp_path_factory.mktemp("lake") / "lake house"
    rows = spark.range(0, 10, 1, 1).selectExpr("id", "CAST(id AS double) AS x")
    table = str(folder / "table")
    rows.write.format("delta").save(table)
    rows.selectExpr("id + 10 AS id", "IF(id = 4, NULL, x) AS x").write.format("delta").mode(
        "append"
    ).save(table)
    rows.where("id < 5").write.format("delta").mode("overwrite").save(table)
    rows.where("false").write.format("delta").save(str(folder / "empty"))
    # Each version is of noon on its day.
    for version in range(3):
        noon = datetime(2024, 1, version + 1, 12, tzinfo=timezone.utc).timestamp()
        os.utime(folder / "table" / "_delta_log" / f"{version:020}.json", (noon, noon))
    save_function(folder / "model", doubled, SIGNATURE)
    return folder


def doubled(frame, params):  # type: ignore[no-untyped-def]
    """The model."""
    return frame["x"] * 2


@pytest.fixture(scope="module")
def airflow(root: Path, lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow's processes."""
    if not (BIN / "airflow").exists():
        pytest.skip("no .venv-airflow: make env-airflow")
    folder = tmp_path_factory.mktemp("airflow")
    conf = {
        **LOCAL_CONF,
        **DELTA_CONF,
        "spark.jars": ",".join(map(str, resolved_jars())),
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={LOG4J.as_uri()}",
    }
    properties = folder / "spark.conf"
    properties.write_text("".join(f"{key} {value}\n" for key, value in conf.items()))
    variables = {
        "spark_sig_table": str(lake / "table"),
        "spark_sig_model": str(lake / "model"),
        "spark_sig_out": str(lake / "out"),
        "spark_sig_reports": str(lake / "reports"),
        "spark_sig_properties": str(properties),
    }
    java = os.environ.get("JAVA_HOME") or (root / "build" / "java-home").read_text().strip()
    found = Airflow(folder, java, variables)
    try:
        found.start()
        found.awaits_dags(DAG, "checks", "checks_again", "checks_empty")
        yield found
    finally:
        found.stop()


def test_the_dags_are_parsed_without_errors(airflow: Airflow) -> None:
    assert airflow.api("importErrors") == {"import_errors": [], "total_entries": 0}
    dag = airflow.api(f"dags/{DAG}")
    assert (dag["timetable_summary"], dag["has_import_errors"]) == ("0 0 * * *", False)


def test_a_good_run_is_green(airflow: Airflow, lake: Path, spark: SparkSession) -> None:
    run = airflow.trigger(DAG, version=0)
    assert run.finish() == "success", run.log("check") + run.log("score")
    assert run.tasks() == {"check": ("success", 1), "score": ("success", 1)}
    summary = run.xcom("check")
    report = read_report(run)
    assert summary == {
        "conforms": True,
        "complete": True,
        "rows": 10,
        "violating": 0,
        "violations": 0,
        "version": 0,
        "signature": SIGNATURE.fingerprint,
        "report": (lake / "reports").as_uri() + "/" + Path(summary["report"]).name,
    }
    assert (report.conforms, report.rows.total, report.source.version) == (True, 10, 0)
    # what was checked is what is scored
    assert run.xcom("check", "version") == run.xcom("score", "version") == 0
    scored = spark.read.format("delta").load(str(lake / "out"))
    assert scored.where("prediction = 2 * x").count() == 10


def test_a_bad_run_is_red_and_stops_what_follows(airflow: Airflow) -> None:
    run = airflow.trigger(DAG, version=1)
    assert run.finish() == "failed"
    # for good, whatever number of retries there is
    assert run.tasks() == {"check": ("failed", 1), "score": ("upstream_failed", 0)}
    log = run.log("check")
    assert "AirflowFailException" in log
    assert "$.x: null: expected double (required), observed null" in log
    assert "in 1 row" in log
    summary = run.xcom("check")
    assert (summary["conforms"], summary["violations"], summary["violating"]) == (False, 1, 1)
    assert not read_report(run).conforms


def read_report(run: DagRun) -> Report:
    """Return the report that a check links to."""
    link = run.links("check")["Report"]
    assert link is not None
    assert link == run.xcom("check")["report"]
    return Report.from_dict(json.loads(Path(local_path(link) or "").read_text()))


def test_a_backfill_over_three_versions(airflow: Airflow) -> None:
    airflow.run(
        *("backfill", "create", "--dag-id", DAG),
        *("--from-date", "2024-01-02", "--to-date", "2024-01-04"),
    )
    found = [run for run in airflow.runs(DAG) if run["run_type"] == "backfill"]
    assert [run["run_after"][:10] for run in found] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    runs = [DagRun(airflow, DAG, run["dag_run_id"]) for run in found]
    assert [run.finish() for run in runs] == ["success", "failed", "success"]
    assert [run.xcom("check", "return_value")["version"] for run in runs] == [0, 1, 2]
    assert [run.tasks()["score"][0] for run in runs] == ["success", "upstream_failed", "success"]
    assert [run.xcom("check")["rows"] for run in runs] == [10, 20, 5]
