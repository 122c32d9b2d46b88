"""OpenLineage: events as its client sends them, and as its specification has them."""

from __future__ import annotations

import json
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from referencing import Registry, Resource
from typer.testing import CliRunner

from spark_sig import (
    Array,
    ColSpec,
    Map,
    ModelSignature,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
)
from spark_sig import validate as validated
from spark_sig.cli import app, reporting
from spark_sig.errors import Code, SignatureError, SourceError
from spark_sig.naming import column_of, member_path
from spark_sig.plan import Rung
from spark_sig.policy import Policy
from spark_sig.report import (
    Audit,
    CheckResult,
    Decided,
    Lie,
    Report,
    Rows,
    Source,
    Transfer,
    Written,
)
from spark_sig.tally import Example

lineage = pytest.importorskip("openlineage.client", reason="an environment of an older Spark")

from spark_sig.integrations.openlineage import (  # noqa: E402
    dataset_name,
    emit,
    events,
    events_json,
    failure_events,
    run_uuid,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPECIFICATION = Path(__file__).parent / "schemas" / "openlineage"

TABLE = Source("delta", "s3a://lake/flights", "id", 7, 3, pinned=True)
REPORT = Report(
    "0" * 64,
    source=TABLE,
    rows=Rows(100, 90, 10),
    checks=(
        CheckResult("$.a", Code.NULL, "long (required)", 10, ("null",),
                    (Example((1,), "null", "secret"),), decided=(Decided(Rung.CATALYST, 100, 3),)),
        CheckResult("$['b c']", Code.NULL, "long (required)", 0,
                    decided=(Decided(Rung.STATS, 100, 3),)),
        CheckResult("$.s.x", Code.NULL, "long (required)", 5, ("null",)),
        CheckResult("$.a", Code.CAST, "long (required)", 0),
    ),
    expected_rows=100,
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The client asks the environment, the folder, and the home folder; it sets variables, too."""
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE__")]:
        del os.environ[name]


# --- the specification ----------------------------------------------------------------------------


def specified() -> tuple[Registry[Any], dict[str, str]]:
    """The schemas by their addresses, and the address of each facet by its name."""
    registry: Registry[Any] = Registry()
    facets = {}
    for path in SPECIFICATION.glob("*.json"):
        schema = json.loads(path.read_text())
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))
        for name in schema.get("properties", {}):
            facets[name] = schema["$id"]
    return registry, facets


def held_to_specification(found: list[Any]) -> list[dict[str, Any]]:
    """Check events, and every facet of theirs but our own; return them as they are sent."""
    registry, facets = specified()
    sent: list[dict[str, Any]] = json.loads(events_json(found))

    def held(value: object, address: str) -> None:
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(
            {"$ref": address}, registry=registry, format_checker=checker
        ).validate(value)

    for event in sent:
        held(event, event["schemaURL"])
        parts = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        for part in parts:
            for kind in ("facets", "inputFacets", "outputFacets"):
                for name, facet in part.get(kind, {}).items():
                    if name in facets:
                        held({name: facet}, facets[name])
                        held(facet, facet["_schemaURL"])
                    else:
                        assert name == "sparkSig_verdict"
    return sent


def told(report: Report, **arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The last event of a report, and its one input."""
    start, end = held_to_specification(events(report, **arguments))
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert start["job"] == end["job"]
    (dataset,) = end["inputs"]
    assert start["inputs"] == [{k: dataset[k] for k in ("name", "namespace")} | {
        "facets": {}, "inputFacets": {}}]  # fmt: skip
    return end, dataset


# --- what is told ---------------------------------------------------------------------------------


def test_a_report_as_events() -> None:
    end, dataset = told(REPORT)
    assert (dataset["namespace"], dataset["name"]) == ("s3://lake", "flights")
    assert dataset["facets"]["version"]["datasetVersion"] == "7"
    assert "schema" not in dataset["facets"]
    metrics = dataset["inputFacets"]["dataQualityMetrics"]
    assert (metrics["rowCount"], metrics["fileCount"]) == (100, 3)
    counts = {name: one["nullCount"] for name, one in metrics["columnMetrics"].items()}
    assert counts == {"a": 10, "b c": 0}
    assertions = dataset["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(a["assertion"], a.get("column"), a["success"]) for a in assertions] == [
        ("complete", None, True),
        ("not_null", "a", False),
        ("not_null", "b c", True),
        ("not_null", "s", False),
        ("cast", "a", True),
    ]
    violated = assertions[1]
    assert (violated["name"], violated["expected"], violated["actual"]) == (
        "$.a null", "long (required)", "null",
    )  # fmt: skip
    assert violated["params"] == {"violatingRows": 10, "decidedBy": "catalyst", "proven": 0.0}
    verdict = end["run"]["facets"]["sparkSig_verdict"]
    assert (verdict["conforms"], verdict["complete"], verdict["violatingRows"]) == (False, True, 10)
    assert verdict["signature"] == REPORT.signature
    assert "secret" not in json.dumps(end)


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        # NaN counts as NULL
        (replace(REPORT, policy=Policy(nan="reject")), {"b c": 0}),
        (replace(REPORT, policy=Policy(nan="reject"),
                 checks=(replace(REPORT.checks[1], expected="double (optional)"),)), {}),
        # not every row was seen
        (replace(REPORT, expected_rows=101), {}),
        # nobody has looked
        (replace(REPORT, checks=(replace(REPORT.checks[1], decided=(Decided(Rung.ASSUMED, 9),)),)),
         {}),
    ],
)  # fmt: skip
def test_nulls_are_counted_where_they_were(report: Report, counts: dict[str, int]) -> None:
    _, dataset = told(report)
    metrics = dataset["inputFacets"]["dataQualityMetrics"]
    found = {name: one["nullCount"] for name, one in metrics["columnMetrics"].items()}
    assert found == counts
    assert ("rowCount" in metrics) is report.complete


def test_what_no_check_says_is_an_assertion_too() -> None:
    lies = (Lie("$.a", Code.NULL, "no null", "null"),)
    few = replace(REPORT, checks=(), min_rows=1_000, audit=Audit(0.5, 1, 10, lies))
    _, dataset = told(few)
    assertions = dataset["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(a["assertion"], a["success"]) for a in assertions] == [
        ("complete", False),
        ("row_count", False),
    ]
    unread = replace(REPORT, checks=(CheckResult("$.z", Code.MISSING_COLUMN, "long", None),))
    end, dataset = told(unread)
    assert "rowCount" not in dataset["inputFacets"]["dataQualityMetrics"]
    assert "violatingRows" not in end["run"]["facets"]["sparkSig_verdict"]


def test_columns_as_a_signature_declares_them() -> None:
    kind = Object([Property("x", Array("long")), Property("m", Map("double"))])
    _, dataset = told(REPORT, schema=Schema([ColSpec("long", "a"), ColSpec(kind, "s")]))
    first, second = dataset["facets"]["schema"]["fields"]
    assert (first["name"], first["type"], first["ordinal_position"]) == ("a", "long", 1)
    assert second["type"] == "struct"
    members = {one["name"]: one for one in second["fields"]}
    assert members["x"]["fields"] == [{"name": "_element", "type": "long", "fields": []}]
    assert [one["name"] for one in members["m"]["fields"]] == ["key", "value"]
    _, dataset = told(REPORT, schema=Schema([TensorSpec("float32", (-1, 3))]))
    (tensor,) = dataset["facets"]["schema"]["fields"]
    assert (tensor["name"], tensor["type"]) == ("[0]", "tensor<float32>[-1, 3]")


def test_rows_that_were_written_are_outputs() -> None:
    transfer = Transfer(
        "run", "append",
        Written("s3://lake/good", "g", 4, 90), Written("lake.bad", "b", 0, 10),
    )  # fmt: skip
    end, _ = told(replace(REPORT, transfer=transfer), catalog="hive://metastore:9083")
    assert [
        (o["namespace"], o["name"], o["outputFacets"]["outputStatistics"]["rowCount"])
        for o in end["outputs"]
    ] == [("s3://lake", "good", 90), ("hive://metastore:9083", "lake.bad", 10)]


def test_of_what_nothing_decided_nothing_is_told() -> None:
    """No row is read where a column is missing, and nobody knows of NULLs in others."""
    gone = CheckResult("$.z", Code.MISSING_COLUMN, "long", None)
    other = CheckResult(
        "$.a", Code.NULL, "long (required)", 0, decided=(Decided(Rung.CATALYST, 0, 3),)
    )
    _, dataset = told(replace(REPORT, rows=Rows(), checks=(gone, other)))
    facets = dataset["inputFacets"]
    assert facets["dataQualityMetrics"]["columnMetrics"] == {}
    complete, *others = facets["dataQualityAssertions"]["assertions"]
    assert complete["description"] == "no row was needed"
    assert [one["name"] for one in others] == ["$.z missing_column"]


def test_tables_go_by_their_places_where_these_are_known() -> None:
    transfer = Transfer("run", "append", Written("lake.good", "g", 4, 100))
    end, _ = told(replace(REPORT, transfer=transfer), written={"lake.good": "s3a://lake/good"})
    (output,) = end["outputs"]
    assert (output["namespace"], output["name"]) == ("s3://lake", "good")


def test_the_same_report_is_the_same_run() -> None:
    one, other = events(REPORT)[0], events(REPORT)[1]
    assert one.run.runId == other.run.runId == events(REPORT)[0].run.runId
    assert one.run.runId != events(replace(REPORT, min_rows=1))[0].run.runId
    name = "6b5b1d3c-6c4c-4d2a-9df6-0b1f6a3c9a11"
    assert run_uuid(name) == name
    assert UUID(run_uuid("nightly")).version == 5


def test_a_run_that_was_not_finished() -> None:
    began = datetime(2026, 11, 30, 1, tzinfo=timezone(timedelta(hours=9)))
    start, failed = held_to_specification(
        failure_events("/data/x", "the table is gone", run="n", began=began)
    )
    assert start["eventTime"] == "2026-11-29T16:00:00+00:00"
    assert failed["eventType"] == "FAIL"
    assert failed["run"]["facets"]["errorMessage"]["message"] == "the table is gone"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3://lake/a/b", ("s3://lake", "a/b")),
        ("s3n://lake", ("s3://lake", "/")),
        ("gs://lake/a/", ("gs://lake", "a")),
        ("abfss://c@acc.dfs.core.windows.net/a", ("abfss://c@acc.dfs.core.windows.net", "a")),
        ("wasb://c@acc/a", ("wasbs://c@acc", "a")),
        ("hdfs://nn:8020/a/b/", ("hdfs://nn:8020", "/a/b")),
        ("dbfs:/mnt/a", ("dbfs", "/mnt/a")),
        ("file:/data/a%20b/", ("file", "/data/a b")),
        ("file:///", ("file", "/")),
        ("/data/a", ("file", "/data/a")),
        ("delta.`/data/a`", ("file", "/data/a")),
        ("lake.flights", ("spark_catalog", "lake.flights")),
        ("", ("inmemory://", "dataframe")),
    ],
)
def test_names_of_datasets(place: str, expected: tuple[str, str]) -> None:
    assert dataset_name(place) == expected


def test_a_path_that_is_not_absolute_is_one_of_the_folder(tmp_path: Path) -> None:
    assert dataset_name("data/a") == ("file", str(tmp_path / "data" / "a"))
    (tmp_path / "flights").mkdir()
    assert dataset_name("flights") == ("file", str(tmp_path / "flights"))


@given(st.text(), st.sampled_from(["", ".x", "[*]", "['y']"]))
def test_the_column_of_a_path(name: str, rest: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    assert column_of(member_path("$", name) + rest) == name


# --- the client -----------------------------------------------------------------------------------


class Server(HTTPServer):
    """A server that keeps what it is sent, and answers with a status."""

    def __init__(self, status: int) -> None:
        self.status, self.bodies = status, list[dict[str, Any]]()
        self.paths = list[str]()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        self.server.paths.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening(status: int = 201) -> Iterator[Server]:
    server = Server(status)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_events_go_to_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    found = events(REPORT)
    with listening() as server:
        monkeypatch.setenv("OPENLINEAGE_URL", server.url)
        emit(found)
    assert server.paths == ["/api/v1/lineage"] * 2
    sent = json.loads(events_json(found))
    for body, event in zip(server.bodies, sent, strict=True):
        # the client adds facets of its own, of the run and the job
        assert body["inputs"] == event["inputs"]
        assert body["eventType"] == event["eventType"]
        assert body["run"]["facets"].items() >= event["run"].get("facets", {}).items()


def test_events_go_to_a_file(tmp_path: Path) -> None:
    log = tmp_path / "events.log"
    (tmp_path / "openlineage.yml").write_text(
        f"transport:\n  type: file\n  log_file_path: {log}\n  append: true\n"
    )
    assert emit(events(REPORT)) == "file"
    kinds = [json.loads(line)["eventType"] for line in log.read_text().splitlines()]
    assert kinds == ["START", "COMPLETE"]


def test_what_goes_wrong_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="nothing says where"):
        emit(events(REPORT))
    (tmp_path / "openlineage.yml").write_text("transport:\n  type: nonsense\n")
    with pytest.raises(SignatureError, match="cannot be configured"):
        emit(events(REPORT))
    (tmp_path / "openlineage.yml").unlink()
    with listening(status=400) as server:
        config = {"type": "http", "url": server.url, "retry": {"total": 0}}
        client = lineage.OpenLineageClient(config={"transport": config})
        with pytest.raises(SourceError, match="could not be sent"):
            emit(events(REPORT), client=client)
        client.close()


# --- commands -------------------------------------------------------------------------------------


def run(*arguments: str, session: Any = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments), obj=session, prog_name="spark-sig")
    return done.exit_code, done.stdout, done.stderr


def test_report_emit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(REPORT.to_json())
    ModelSignature(Schema([ColSpec("long", "a")])).save(tmp_path / "signature.json")
    code, said, _ = run("report", "emit", "report.json", "--signature", "signature.json", "--json")
    assert code == 0
    (_, end) = json.loads(said)
    assert end["inputs"][0]["facets"]["schema"]["fields"][0]["name"] == "a"
    code, said, wrong = run("report", "emit", "report.json")
    assert (code, said) == (2, "")
    assert re.fullmatch(r"error: nothing says where OpenLineage's events go;.*\n", wrong)
    with listening() as server:
        monkeypatch.setenv("OPENLINEAGE_URL", server.url)
        code, said, wrong = run("report", "emit", "report.json", "--job", "j", "--namespace", "n")
    assert (code, wrong) == (0, "")
    assert said.startswith("sent by ")
    assert [(body["job"]["namespace"], body["job"]["name"]) for body in server.bodies] == [
        ("n", "j")
    ] * 2
    code, _, wrong = run("report", "emit", "nowhere.json")
    assert (code, wrong.count("\n")) == (2, 1)


@pytest.mark.slow
def test_validate_tells_a_server(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table, signature = str(tmp_path / "table"), str(tmp_path / "signature.json")
    spark.range(5).selectExpr("id", "nullif(id, 3) AS b").write.format("delta").save(table)
    ModelSignature(Schema([ColSpec("long", "id"), ColSpec("long", "b")])).save(signature)
    given_ = ("validate", "--table", table, "--signature", signature, "--run-id", "r1")
    with listening() as server:
        monkeypatch.setenv("OPENLINEAGE_URL", server.url)
        assert run(*given_, "--openlineage", session=lambda: spark)[0] == 3
        assert run("validate", "--table", str(tmp_path / "none"), "--signature", signature,
                   "--openlineage", session=lambda: spark)[0] == 1  # fmt: skip
    kinds = [body["eventType"] for body in server.bodies]
    assert kinds == ["START", "COMPLETE", "START", "FAIL"]
    (dataset,) = server.bodies[1]["inputs"]
    assert (dataset["namespace"], dataset["name"]) == ("file", table)
    assert [f["type"] for f in dataset["facets"]["schema"]["fields"]] == ["bigint", "bigint"]
    metrics = dataset["inputFacets"]["dataQualityMetrics"]
    assert metrics["rowCount"] == 5
    assert metrics["columnMetrics"]["b"]["nullCount"] == 1
    assert server.bodies[1]["run"]["runId"] == run_uuid("r1")
    assert server.bodies[0]["eventTime"] < server.bodies[1]["eventTime"]
    # a server that is not there changes no verdict
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TRANSPORTS__DEFAULT_HTTP__RETRY", '{"total": 0}')
    code, _, told_ = run(*given_, "--openlineage", session=lambda: spark)
    assert code == 3
    assert "could not be sent" in told_


@contextmanager
def told_to_a_file(log: Path) -> Iterator[list[dict[str, Any]]]:
    """Have the client write to a file; yield what it has written, once that is over."""
    Path("openlineage.yml").write_text(
        f"transport:\n  type: file\n  log_file_path: {log}\n  append: true\n"
    )
    log.unlink(missing_ok=True)
    found: list[dict[str, Any]] = []
    yield found
    found += map(json.loads, log.read_text().splitlines() if log.exists() else [])


def doubled(frame: Any, params: Any) -> Any:
    """Double numbers, but for those above a hundred."""
    if params["fails"]:
        raise ValueError("the model is out of order")
    return [None if a > 100 else a * 2.0 for a in frame["a"]]


@pytest.mark.slow
def test_score_tells_a_file(spark: SparkSession, tmp_path: Path) -> None:
    """The tables are called what they are called where they are read: one lineage, not two."""
    pytest.importorskip("mlflow")
    from tests.mlflow_models import save_function

    signature = ModelSignature(
        Schema([ColSpec("double", "a")]),
        Schema([ColSpec("double", "twice")]),
        ParamSchema([ParamSpec("fails", "boolean", False)]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's advice
        model = save_function(tmp_path / "model", doubled, signature)
    schema = "told_scores"
    spark.sql(f"CREATE DATABASE {schema} LOCATION '{tmp_path / 'lake'}'")
    names = {name: f"{schema}.{name}" for name in ("source", "out", "bad")}
    rows = spark.range(10).selectExpr("IF(id = 3, NULL, IF(id = 4, 200, id)) * 1.0D AS a", "id")
    rows.write.format("delta").saveAsTable(names["source"])
    flags = ("--model", model, "--table", names["source"], "--out", names["out"])
    flags = ("score", *flags, "--openlineage")
    log = tmp_path / "events.log"
    try:
        with told_to_a_file(log) as sent:
            code, said, _ = run(*flags, session=lambda: spark)
            assert (code, "nothing was written" in said) == (3, True)
        start, end = sent
        assert (start["eventType"], end["eventType"], end["outputs"]) == ("START", "COMPLETE", [])
        job = end["job"]["name"]
        with told_to_a_file(log) as sent:
            given_ = ("--quarantine", names["bad"], "--max-violations", "20%", "--run-id", "r1")
            assert run(*flags, *given_, session=lambda: spark)[0] == 0
        start, end = sent
        assert end["run"]["runId"] == run_uuid("r1")
        assert end["run"]["facets"]["sparkSig_verdict"]["violatingRows"] == 2
        (dataset,) = end["inputs"]
        assert (dataset["namespace"], dataset["name"]) == ("file", str(tmp_path / "lake/source"))
        metrics = dataset["inputFacets"]["dataQualityMetrics"]
        assert (metrics["rowCount"], metrics["columnMetrics"]["a"]["nullCount"]) == (10, 1)
        # predictions are no column of the data that was read
        assertions = dataset["inputFacets"]["dataQualityAssertions"]["assertions"]
        failed = [(a["name"], a.get("column")) for a in assertions if not a["success"]]
        assert failed == [("$.a null", "a"), ("$outputs.twice null", None)]
        assert [
            (o["namespace"], o["name"], o["outputFacets"]["outputStatistics"]["rowCount"])
            for o in end["outputs"]
        ] == [("file", str(tmp_path / "lake/out"), 8), ("file", str(tmp_path / "lake/bad"), 2)]
        with told_to_a_file(log) as sent:
            given_ = ("--quarantine", names["bad"], "--params", '{"fails": true}')
            code, _, wrong = run(*flags, *given_, session=lambda: spark)
            assert (code, "ValueError (values are not shown)" in wrong) == (1, True), wrong
        start, end = sent
        assert end["eventType"] == "FAIL"
        assert (end["job"]["name"], end["inputs"][0]["name"]) == (job, dataset["name"])
    finally:
        spark.sql(f"DROP DATABASE {schema} CASCADE")


def test_a_report_that_cannot_be_written_is_told_of(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the run has found, and written, is so."""
    table = str(tmp_path / "table")
    spark.range(5).write.format("delta").save(table)
    ModelSignature(Schema([ColSpec("long", "id")])).save(tmp_path / "signature.json")

    def full(*_: Any, **__: Any) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr(reporting, "write_report", full)
    with told_to_a_file(tmp_path / "events.log") as sent:
        given_ = ("validate", "--table", table, "--signature", "signature.json", "--openlineage")
        code, _, wrong = run(*given_, "--report", "report.json", session=lambda: spark)
        assert (code, "no space" in wrong) == (1, True)
    assert [event["eventType"] for event in sent] == ["START", "COMPLETE"]


def test_a_dataframe_is_told_of(spark: SparkSession) -> None:
    report = validated(spark.range(3), ModelSignature(Schema([ColSpec("long", "id")])))
    _, dataset = told(report, schema=spark.range(3).schema)
    assert (dataset["namespace"], dataset["name"]) == ("inmemory://", "dataframe")
    assert "version" not in dataset["facets"]
