"""Airflow: its own processes run the DAG day by day, and checks that go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

# environments of older Sparks have none
deltalake = pytest.importorskip("deltalake")
pytest.importorskip("mlflow")

from jobs.session import DELTA_CONF, LOCAL_CONF, LOG4J, resolved_jars  # noqa: E402
from spark_sig import ColSpec, ModelSignature, Report, Schema  # noqa: E402
from spark_sig.sinks import local_path  # noqa: E402
from tests.airflow_home import BIN, LONG, Airflow, DagRun  # noqa: E402
from tests.mlflow_models import ADVICE, save_function  # noqa: E402
from tests.processes import send, until  # noqa: E402

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.timeout(3600),
    *map(pytest.mark.filterwarnings, ADVICE),
]

SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("double", "x")]), outputs=Schema([ColSpec("double")])
)
DAG = "check_then_score"
VIOLATION = "$.x: null: expected double (required), observed null"


def doubled(frame: Any, params: Any) -> Any:
    """The model."""
    return frame["x"] * 2


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables and a model: three versions of a table, the second violates."""
    folder = tmp_path_factory.mktemp("lake") / "lake house"
    rows = [{"id": i, "x": float(i)} for i in range(10)]
    bad = [{"id": i, "x": None if i == 14 else float(i)} for i in range(10, 20)]
    write(folder / "table", rows)
    write(folder / "table", bad, "append")
    write(folder / "table", rows[:5], "overwrite")
    write(folder / "empty", [])
    # Each version is of noon on its day, the first three of 2024.
    for version in range(3):
        noon = datetime(2024, 1, version + 1, 12, tzinfo=timezone.utc).timestamp()
        os.utime(folder / "table" / "_delta_log" / f"{version:020}.json", (noon, noon))
    save_function(folder / "model", doubled, SIGNATURE)
    return folder


def write(table: Path, rows: list[dict[str, Any]], mode: Any = "error") -> None:
    """Write rows without Spark, of which each check starts one."""
    schema = pa.schema({"id": pa.int64(), "x": pa.float64()})
    deltalake.write_deltalake(table, pa.Table.from_pylist(rows, schema), mode=mode)


def read(table: Path, *columns: str) -> list[dict[str, Any]]:
    """Read what Spark has written."""
    found = deltalake.DeltaTable(table).to_pyarrow_table(columns=list(columns))
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


@pytest.fixture(scope="module")
def airflow(root: Path, lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow, with a backfill to do."""
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
        "spark.driver.extraJavaOptions": f'-Dlog4j2.configurationFile="{LOG4J.as_uri()}"',
    }
    properties = folder / "spark.conf"
    properties.write_text("".join(f"{key} {value}\n" for key, value in conf.items()))
    variables = {
        "lake": str(lake),
        "spark_sig_table": str(lake / "table"),
        "spark_sig_model": str(lake / "model"),
        "spark_sig_out": str(lake / "out"),
        "spark_sig_reports": str(lake / "reports"),
        "spark_sig_properties": str(properties),
    }
    java = os.environ.get("JAVA_HOME") or (root / "build" / "java-home").read_text().strip()
    found = Airflow(folder, java, variables)
    # first of all, as SQLite takes one writer at a time
    found.run("db", "migrate")
    found.run("dags", "reserialize")
    days = ("--from-date", "2024-01-02", "--to-date", "2024-01-04")
    found.run("backfill", "create", "--dag-id", DAG, *days)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def backfill(airflow: Airflow) -> list[DagRun]:
    """The runs of the backfill, finished, by their days."""
    found = [run for run in airflow.runs(DAG) if run["run_type"] == "backfill"]
    assert [run["run_after"][:10] for run in found] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    runs = [DagRun(airflow, DAG, run["dag_run_id"]) for run in found]
    for run in runs:
        run.finish()
    return runs


def report_of(run: DagRun) -> Report:
    """Return the report of a check."""
    place = run.xcom("check")["report"]
    assert place == run.xcom("check", "report")
    return Report.from_dict(json.loads(Path(local_path(place) or "").read_text()))


def test_the_dags_are_parsed_without_errors(airflow: Airflow) -> None:
    assert airflow.api("importErrors") == {"import_errors": [], "total_entries": 0}
    dag = airflow.api(f"dags/{DAG}")
    assert (dag["timetable_summary"], dag["has_import_errors"]) == ("0 0 * * *", False)
    # by the processor, whose table has a line for each file: DAGs, errors
    read = r"jobs +check_then_score\.py +1 +0 "
    until(lambda: airflow.running[1].says(read), "the DAG processor does not read the DAG", LONG)


def test_a_backfill_over_three_versions(backfill: list[DagRun]) -> None:
    assert [run.state for run in backfill] == ["success", "failed", "success"]
    assert [run.tasks() for run in backfill] == [
        {"check": ("success", 1), "score": ("success", 1)},
        {"check": ("failed", 1), "score": ("upstream_failed", 0)},
        {"check": ("success", 1), "score": ("success", 1)},
    ]
    summaries = [run.xcom("check") for run in backfill]
    assert [(one["version"], one["rows"]) for one in summaries] == [(0, 10), (1, 20), (2, 5)]
    assert [report_of(run).source.version for run in backfill] == [0, 1, 2]


def test_a_good_run_is_green(backfill: list[DagRun], lake: Path) -> None:
    run = backfill[0]
    summary = run.xcom("check")
    assert summary == {
        "conforms": True,
        "complete": True,
        "rows": 10,
        "violating": 0,
        "violations": 0,
        "version": 0,
        "signature": SIGNATURE.fingerprint,
        "report": f"{(lake / 'reports').as_uri()}/{Path(summary['report']).name}",
    }
    report = report_of(run)
    assert (report.conforms, report.rows.total, report.min_rows) == (True, 10, 1)
    # what was checked is what is scored
    assert run.xcom("check", "version") == run.xcom("score", "version") == 0
    for row in read(lake / "out", "x", "prediction"):
        assert row["prediction"] == 2 * row["x"]


def test_a_bad_run_is_red_with_the_violations_in_its_log(backfill: list[DagRun]) -> None:
    run = backfill[1]
    log = run.log("check")
    assert "AirflowFailException" in log
    assert f"{VIOLATION} in 1 row; " in log
    summary = run.xcom("check")
    assert (summary["conforms"], summary["violations"], summary["violating"]) == (False, 1, 1)
    report = report_of(run)
    assert (report.conforms, report.rows.violating, len(report.violations)) == (False, 1, 1)


def test_a_task_links_to_a_page_of_its_report(airflow: Airflow, backfill: list[DagRun]) -> None:
    pages = [airflow.read(str(run.links("check")["Report"])) for run in backfill]
    assert pages == [report_of(run).to_html() for run in backfill]
    assert "Does not conform" in pages[1]
    with pytest.raises(AssertionError, match="401"):
        replace(airflow, token="").read(str(backfill[1].links("check")["Report"]))
    link = str(backfill[1].links("check")["Report"])
    # where every Airflow 3 looks for the DAG that somebody may read, or not
    assert f"/report/{DAG}?" in link
    other = link.replace("task_id=check", "task_id=score")
    with pytest.raises(AssertionError, match="404"):
        airflow.read(other)


def test_the_schedule_runs_by_itself(airflow: Airflow) -> None:
    found = next(run for run in airflow.runs(DAG) if run["run_type"] == "scheduled")
    run = DagRun(airflow, DAG, found["dag_run_id"])
    assert run.finish() == "success"
    # the newest version at the last midnight
    assert run.xcom("check", "version") == 2


def test_what_a_dag_gets_wrong_is_said_when_it_is_read(airflow: Airflow) -> None:
    code = """
from spark_sig.integrations.airflow.operators import ScoreOperator, ValidateOperator
checked = {"task_id": "t", "table": "t", "signature": "s", "reports": "r"}
scored = {"task_id": "t", "table": "t", "model": "m", "out": "o", "reports": "r"}
for kind, given in (
    (ValidateOperator, {**checked, "settings": {"nulls": "allow", "min_rows": 3, "report": "x"}}),
    (ScoreOperator, {**scored, "settings": {"max_violations": 3}}),
    (ValidateOperator, {**checked, "durable": True}),
    (ValidateOperator, {**checked, "durable": False, "settings": {"nulls": "allow"}}),
):
    try:
        print(kind(**given).settings)
    except ValueError as error:
        print(error)
"""
    python = [str(BIN / "python"), "-W", "ignore", "-c", code]
    done = subprocess.run(
        python, env=airflow.env(), capture_output=True, text=True, timeout=LONG, check=True
    )
    twice = "no settings, but arguments of the operator: "
    assert done.stdout.splitlines()[-4:] == [
        f"{twice}min_rows, report",
        f"{twice}max_violations",
        "each try submits a job and reads its report: durable must be False",
        "{'nulls': 'allow'}",
    ]


def test_an_empty_table_is_red(airflow: Airflow) -> None:
    run = airflow.first("empty")
    assert run.finish() == "failed"
    # for good
    assert run.tasks() == {"check": ("failed", 1)}
    assert "$: row_count: expected at least 1 rows, observed 0 rows" in run.log("check")
    assert run.xcom("check")["rows"] == 0


def test_an_empty_table_may_be_allowed(airflow: Airflow) -> None:
    run = airflow.first("empty_allowed")
    assert run.finish() == "success"
    assert run.xcom("check")["conforms"]


def test_a_table_that_is_not_there_is_tried_again(airflow: Airflow) -> None:
    run = airflow.first("absent")
    assert run.finish() == "failed"
    assert run.tasks() == {"check": ("failed", 2)}
    for number in (1, 2):
        log = run.log("check", number)
        assert "no report of this try at " in log
        assert "there is no Delta table and no Parquet at " in log
    assert run.links("check") == {"Report": None}


def test_a_signature_that_is_not_there(airflow: Airflow) -> None:
    run = airflow.first("unsigned")
    assert run.finish() == "failed"
    log = run.log("check")
    assert "no report of this try at " in log
    assert "none.json" in log
    assert "Error code is: 2" in log


def test_violations_that_are_tolerated(airflow: Airflow, lake: Path) -> None:
    run = airflow.first("tolerant")
    assert run.finish() == "success"
    summary = run.xcom("check")
    assert (summary["conforms"], summary["violating"]) == (False, 1)
    assert len(read(lake / "good", "x")) == 19
    # a name that says which task it was, whatever number of tries it took
    [written] = [row["_run_id"] for row in read(lake / "bad", "_run_id")]
    assert written.startswith("tolerant.check.scheduled__2024-01-01T00-00-00-00-00.")
    name = Path(summary["report"]).name
    assert name.startswith(f"{written}.1-")
    assert run.links("check") == {"Report": f"https://reports.example/all/{name}"}


def test_a_job_that_is_killed_is_run_again(airflow: Airflow, lake: Path) -> None:
    run = airflow.trigger("killed")
    until(lambda: kill("killed.check."), "no job was seen", LONG)
    assert run.finish() == "success"
    assert run.tasks() == {"check": ("success", 2)}
    assert "no report of this try at " in run.log("check")
    # the report of the second try, and the only one
    [report] = (lake / "reports").glob("killed.check.*")
    assert f".2-{report.stem[-8:]}" in report.stem
    assert run.xcom("check")["report"] == report.as_uri()


def kill(name: str) -> bool:
    """Kill the job of a task, as a machine without memory does; say whether there was one."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if "org.apache.spark.deploy.SparkSubmit" in command and f"--run-id={name}" in command:
            send(int(place.name), signal.SIGKILL)
            return True
    return False
