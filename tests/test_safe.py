"""Safe by default: values stay where they are, names are names, and no data is carried out."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import (
    Array,
    ColSpec,
    ModelSignature,
    Policy,
    Report,
    Schema,
    conform,
    enforce_signature,
    reprocess,
    validate,
)
from spark_sig.cli import run_validate
from spark_sig.delta.log import first_line
from spark_sig.errors import SignatureError, SourceError
from spark_sig.gate.scan import explained
from spark_sig.signature import load_signature
from spark_sig.sqltext import quoted
from tests.conftest import spark_version
from tests.transfers import slow

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
SECRET = 7_314_159_265  # no integer, and nowhere but in the rows
WANTED = ModelSignature(
    inputs=Schema([ColSpec("integer", "b"), ColSpec(Array("integer"), "l"), ColSpec("double", "x")])
)


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Path:
    """Rows of which a value violates in each of three ways."""
    path = tmp_path / "table"
    rows = spark.range(3).selectExpr(
        f"IF(id = 0, {SECRET}L, id) AS b",
        f"IF(id = 1, array({SECRET}L), array(id)) AS l",
        f"IF(id = 2, {SECRET}L * 10000000L + 1, id) AS x",
    )
    rows.write.format("delta").save(str(path))
    return path


@pytest.mark.parametrize("engine", ["auto", slow("arrow")])
def test_values_are_shown_where_they_are_asked_for_alone(
    spark: SparkSession, table: Path, tmp_path: Path, engine: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    from pyspark.errors import PySparkException

    def said(policy: Policy) -> str:
        report = validate(table, WANTED, policy=policy, engine=engine)
        assert report.rows.violating == 3
        with pytest.raises((PySparkException, SignatureError)) as refused:
            spark.read.format("delta").load(str(table)).transform(
                enforce_signature(WANTED, policy=policy, engine=engine)
            ).collect()
        return report.to_json() + report.to_text() + report.to_html() + str(refused.value)

    assert str(SECRET) not in said(Policy(casts="lossless"))
    flags = {"table": str(table), "signature": WANTED.to_json(), "engine": engine}
    flags |= {"casts": "lossless", "report": str(tmp_path / "report.json")}
    assert run_validate(flags, None, lambda: spark) == 3
    told = capfd.readouterr()
    assert str(SECRET) not in told.out + told.err + (tmp_path / "report.json").read_text()
    assert str(SECRET) in said(Policy(casts="lossless", show_values=True))


@pytest.mark.parametrize("engine", ["auto", slow("arrow")])
def test_errors_of_spark_show_no_values(spark: SparkSession, tmp_path: Path, engine: Any) -> None:
    wanted = ModelSignature(inputs=Schema([ColSpec("integer", "b")]))
    places = {name: tmp_path / name for name in ("conformed", "quarantine")}
    # older Sparks decide what a cast does where a query is written
    spark.conf.set("spark.sql.ansi.enabled", "true")
    try:
        rows = spark.sql(f"SELECT CAST(concat('secret-', '{SECRET}') AS int) AS b FROM range(3)")
        for work in (validate, partial(conform, run_id="once", **places)):
            with pytest.raises(SourceError, match="CAST_INVALID_INPUT") as failed:
                work(rows, wanted, engine=engine)
            assert str(SECRET) not in str(failed.value)
    finally:
        spark.conf.unset("spark.sql.ansi.enabled")


def test_errors_of_delta_s_own_are_explained(spark: SparkSession) -> None:
    from delta.exceptions import ConcurrentAppendException

    # older Deltas ask for a stack, and for Spark's JVM
    stack = () if spark_version() >= (4,) else ("",)
    error = ConcurrentAppendException("files were added", *stack)
    found = explained(error, "no row can be written")
    assert isinstance(found, SourceError)
    assert str(found) == "no row can be written: files were added"


@pytest.mark.slow
def test_a_quarantine_has_the_row_and_no_value_beside_it(spark: SparkSession, table: Path) -> None:
    good, bad = table.parent / "good", table.parent / "bad"
    conform(table, WANTED, policy=Policy(casts="lossless"), conformed=good, quarantine=bad)
    rows = spark.read.format("delta").load(str(bad))
    assert rows.where(f"b = {SECRET}").count() == 1
    beside = rows.drop("b", "l", "x").collect()
    assert len(beside) == 3
    assert str(SECRET) not in repr(beside)
    log = "".join(file.read_text() for file in good.glob("_delta_log/*.json"))
    assert str(SECRET) not in log


# Names that are something else to SQL, to Spark's variables, to paths or to HTML.
NAMES = [
    "a`b",
    "a'b",
    'a"b',
    "a.b",
    "a\\",
    "x) FROM y; DROP TABLE kept; --",
    "/* c */ 1",
    "${env:HOME}",
    "{query}",
    "<script>alert(1)</script>",
    "line\nbreak",
    "naïve ☃",
    "%s {0}",
]


@pytest.mark.slow
def test_names_are_quoted_wherever_they_are(spark: SparkSession, tmp_path: Path) -> None:
    from pyspark.sql import functions as F

    kept = tmp_path / "kept"
    spark.sql(f"CREATE TABLE kept USING delta LOCATION '{kept}' AS SELECT 1 AS one")
    source, good, bad = (tmp_path / name for name in ("it's `a` {table}", "go'od", "b`ad"))
    # not as SQL, in which Spark itself replaces variables
    values = [F.when(F.col("id") != at, F.col("id")).alias(n) for at, n in enumerate(NAMES)]
    rows = spark.range(20).select(*values)
    rows.write.format("delta").option("delta.columnMapping.mode", "name").save(str(source))
    wanted = ModelSignature(inputs=Schema([ColSpec("long", name) for name in NAMES]))
    ledger = tmp_path / "led'ger"
    for _ in range(2):
        report = validate(source, wanted, row_key=NAMES[0], ledger=ledger)
        assert (report.rows.total, report.rows.violating) == (20, len(NAMES))
    assert sorted(check.count or 0 for check in report.checks) == [1] * len(NAMES)
    moved = conform(source, wanted, conformed=good, quarantine=bad, run_id="it's `one`")
    assert (moved.rows.total, moved.rows.violating) == (20, len(NAMES))
    lenient = [ColSpec("long", name, required=False) for name in NAMES]
    again = reprocess(bad, ModelSignature(inputs=Schema(lenient)), conformed=good)
    assert again.rows.violating == 0
    assert spark.read.format("delta").load(str(good)).columns == NAMES
    assert spark.read.format("delta").load(str(good)).count() == 20
    assert spark.table("kept").count() == 1
    spark.sql("DROP TABLE kept")


class Page(HTMLParser):
    """The tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


def test_html_holds_no_tag_of_the_data_s(spark: SparkSession, tmp_path: Path) -> None:
    script = "<script>alert(1)</script>"
    rows = spark.range(2).selectExpr(f"'{script}' AS {quoted(script)}")
    wanted = ModelSignature(inputs=Schema([ColSpec("datetime", script)]))
    keyed = rows.withColumn("k", rows[quoted(script)])
    report = validate(keyed, wanted, policy=Policy(casts="lossless", show_values=True), row_key="k")
    for html in (report.to_html(), wanted.to_html()):
        page = Page()
        page.feed(html)
        assert "alert(1)" in html
        assert "script" not in page.tags


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir"])
@pytest.mark.parametrize("form", ["inputs: {tag} [{made}]", "signature:\n  inputs: {tag} [{made}]"])
def test_no_document_makes_anything(tmp_path: Path, tag: str, form: str) -> None:
    made, model = tmp_path / "made", tmp_path / "model"
    model.mkdir()
    text = form.format(tag=tag, made=made)
    (model / "MLmodel").write_text(text)
    (tmp_path / "signature.yaml").write_text(text)
    (tmp_path / "validate.yaml").write_text(f"table: {tag} [{made}]")
    for source in (model, model / "MLmodel", tmp_path / "signature.yaml", text):
        with pytest.raises((SignatureError, SourceError)):
            load_signature(source)
    assert run_validate({}, str(tmp_path / "validate.yaml"), _no_session) == 2
    assert not made.exists()


def _no_session() -> SparkSession:
    raise AssertionError("nothing may start Spark before the arguments are right")


@pytest.mark.parametrize(
    "text", ["$HOME/t", "${HOME}/t", "~/t", "$(mkdir {made})", "`mkdir {made}`"]
)
def test_paths_are_taken_as_they_are_written(
    spark: SparkSession, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made, config = tmp_path / "made", tmp_path / "validate.yaml"
    table = text.replace("{made}", str(made))
    config.write_text(f"table: '/nowhere/{table}'\nsignature: '{WANTED.to_json()}'\n")
    assert run_validate({}, str(config), lambda: spark) == 1
    told = capsys.readouterr().err
    assert f"/nowhere/{table}" in told
    assert os.environ["HOME"] not in told
    assert not made.exists()


# What makes objects of bytes, or code of text.
MAKING = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "jsonpickle"}
CALLED = {"eval", "exec", "compile", "__import__", "system", "popen", "unsafe_load", "full_load"}


def modules() -> Iterator[Path]:
    yield from ROOT.glob("spark_sig/**/*.py")
    yield from ROOT.glob("jobs/*.py")


def used(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that code imports, and the plain names that it calls."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name.split(".")[0] for alias in node.names)
            case ast.ImportFrom():
                yield (node.module or "").split(".")[0]
            case ast.Call(func=ast.Name(id=name)):
                yield f"{name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name != "compile":
                yield f"{name}()"
            case ast.keyword(arg="allow_pickle"):
                yield "allow_pickle"
        if isinstance(node, ast.Call) and any(one.arg == "shell" for one in node.keywords):
            # a shell that is to complete is named to typer, and none is started
            yield "" if ast.unparse(node.func) == "get_completion_script" else "shell"


@pytest.mark.parametrize("text", ["run('x', shell=True)", "subprocess.run('x', shell=yes)"])
def test_a_shell_is_seen(text: str) -> None:
    assert "shell" in set(used(ast.parse(text)))


def test_nothing_is_made_of_bytes_or_text() -> None:
    forbidden = MAKING | {f"{name}()" for name in CALLED} | {"allow_pickle", "shell"}
    seen = 0
    for module in modules():
        found = set(used(ast.parse(module.read_text())))
        assert not found & forbidden, module
        seen += 1
    assert seen > 50


def test_bytes_in_data_stay_bytes(spark: SparkSession, tmp_path: Path) -> None:
    """A pickle that would make a folder is a value like any other."""
    made = tmp_path / "made"
    pickled = f"cos\nmkdir\n(V{made}\ntR.".encode()
    frame = spark.createDataFrame(
        [(bytearray(pickled), [bytearray(pickled)])], "b binary, l array<binary>"
    )
    wanted = ModelSignature(inputs=Schema([ColSpec("binary", "b"), ColSpec(Array("binary"), "l")]))
    report: Report = validate(frame, wanted)
    assert report.conforms
    rows = frame.transform(enforce_signature(wanted, engine="arrow")).collect()
    assert bytes(rows[0]["b"]) == pickled
    assert not made.exists()


def test_values_in_errors_of_others_are_not_shown() -> None:
    """Over several lines, by names without a state, and in what Python raises."""
    shown = [
        "[DUPLICATED_MAP_KEY] Duplicate map key secret\nmore was found. SQLSTATE: 23505",
        "[INVALID_URL] The url is invalid: http://x/?name=secret\nSQLSTATE: 22P02",
        "[USER_RAISED_EXCEPTION] secret SQLSTATE: P0001",
        "Job aborted: Traceback (most recent call last):\n  File …\nValueError: invalid 'secret'",
        'java.lang.NumberFormatException: For input string: "secret"',
        "[INCONSISTENT_BEHAVIOR_CROSS_VERSION.PARSE_DATETIME_BY_NEW_PARSER] Fail to parse 'secret'",
        "[DELTA_CONCURRENT_APPEND.WITH_PARTITION_HINT] data in the partition [who=secret]",
        "[DELTA_CONCURRENT_DELETE_READ.WITH_PARTITION_HINT] the partition [who=secret] that was",
        "[DELTA_REPLACE_WHERE_MISMATCH] Written data does not conform to '(who = 'secret')'",
        "[DELTA_CONCURRENT_APPEND] ConcurrentAppendException: Files were added to partition "
        "[who=secret] by a concurrent update",
        "ConcurrentDeleteReadException: files were deleted (for example who=secret/part-0.parquet)",
    ]
    for text in shown:
        assert "secret" not in first_line(text)
