"""The guide: every block of its pages does what the page says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import spark_sig
from jobs.session import resolved_jars
from spark_sig import ColSpec, ModelSignature, Schema, conform
from spark_sig.cli import app
from tests.conftest import python_of, spark_version
from tests.pages import ELSEWHERE, Reader, blocks, standing_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    import typer
    from pyspark.sql import SparkSession

DOCS = Path(__file__).parents[1] / "docs"
FIRST = DOCS / "getting-started.md"
PAGES = sorted(page for page in DOCS.rglob("*.md") if page != FIRST and blocks(page))
# The default run follows what a new user reads first; the recipes that write tables or call models
# take more than some seconds each.
SLOW = {"airflow", "batch-scoring", "from-dqx", "from-mlflow", "from-pandera", "stream"}

pytestmark = [
    pytest.mark.skipif(
        spark_version() < (4, 2), reason="the guide is written for the newest Spark"
    ),
    # what MLflow and its libraries advise where a page logs a model
    pytest.mark.filterwarnings("ignore:.*An input example was not provided"),
    pytest.mark.filterwarnings("ignore:.*[Tt]ype hint"),
    pytest.mark.filterwarnings("ignore:.*Hint. Inferred schema contains integer column"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:no explicit representation of timezones"),
]


@pytest.fixture(scope="module")
def begun(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader who has followed the first page."""
    reader = Reader(spark, tmp_path_factory.mktemp("guide"))
    reader.follow(FIRST)
    return reader


@pytest.fixture
def mlflow_as_it_was() -> Iterator[None]:
    """Give MLflow the tracking server back that a page has changed."""
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    yield
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def test_the_first_page_gives_a_report(begun: Reader) -> None:
    assert not begun.names["report"].violations
    assert begun.names["report"].rows.total == 100_000
    assert (begun.folder / "first.html").read_text().startswith("<!DOCTYPE html>")
    # "five lines"
    first = next(block for block in blocks(FIRST) if block.language == "python")
    assert len(first.text.replace("\n\n", "\n").splitlines()) == 5


@pytest.mark.usefixtures("mlflow_as_it_was")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if page.stem in SLOW else [])
        for page in PAGES
    ],
)
def test_a_page_does_what_it_says(page: Path, begun: Reader, tmp_path: Path) -> None:
    # each on the tables of the first page, as they were
    shutil.copytree(begun.folder, tmp_path, dirs_exist_ok=True)
    Reader(begun.spark, tmp_path, {"signature": begun.names["signature"]}).follow(page)


# Examples of commands that are no calls of this program: a submission, what a shell evaluates, and
# what is sent to a server (tests/test_openlineage.py has one).
SHELL_S_OWN = re.compile(r"^(spark-submit|eval) |>|^\w+=\S+ ")


@pytest.mark.slow
def test_what_the_help_shows_can_be_called(begun: Reader, tmp_path: Path) -> None:
    """The table and the model are those that the examples name."""
    from tests.mlflow_models import tracking
    from tests.test_readme import register_delays

    examples = [line for line in help_examples(app) if not SHELL_S_OWN.search(line)]
    assert len(examples) > 15
    spark, names = begun.spark, begun.names
    shutil.copytree(begun.folder / "lake" / "flights", tmp_path / "data" / "flights")
    spark.sql(f"CREATE DATABASE lake LOCATION '{tmp_path / 'lake'}'")
    try:
        with tracking(tmp_path) as client, standing_in(tmp_path, spark):
            register_delays(client)
            flights = spark.read.format("delta").load("data/flights")
            flights.write.format("delta").saveAsTable("lake.flights")
            required = ModelSignature(Schema([ColSpec("double", "dep_delay")]))
            conform("lake.flights", required, conformed="lake.good", quarantine="lake.bad")
            ModelSignature(Schema([ColSpec("double", "dep_delay", required=False)])).save(
                "newer.json"
            )
            for folder in (Path("model"), Path("new"), Path()):
                folder.mkdir(exist_ok=True)
                (folder / "MLmodel").write_text("flavors: {}\n")
                names["signature"].save(folder / "MLmodel")
            Path("reports").mkdir()
            Path("reports/2026-11-30.json").write_text(names["report"].to_json())
            Path("build").mkdir()
            failed = []
            for example in examples:
                program, *arguments = shlex.split(example)
                done = CliRunner().invoke(app, arguments, obj=lambda: spark, prog_name=program)
                if done.exit_code not in (0, 3):
                    failed.append(f"{example}\n{done.output}")
            assert failed == []
    finally:
        spark.sql("DROP DATABASE lake CASCADE")


def help_examples(program: typer.Typer) -> Iterator[str]:
    """Return the examples that the help of a program's commands shows."""
    for command in program.registered_commands:
        assert command.callback is not None
        _, _, examples = (command.callback.__doc__ or "").partition("Examples:\n")
        yield from filter(None, map(str.strip, examples.splitlines()))
    for group in program.registered_groups:
        assert group.typer_instance is not None
        yield from help_examples(group.typer_instance)


# What stands in for a platform: Delta's JARs by path, and for DQX a mock of its workspace, which is
# its own way without one.
PLATFORM = """
import os, sys
from pyspark.sql import SparkSession

os.environ["PYSPARK_PYTHON"] = sys.executable
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.jars", sys.argv[1])
    .getOrCreate()
)
"""
WORKSPACE = """
import databricks.sdk
from unittest.mock import MagicMock

class Workspace(databricks.sdk.WorkspaceClient):  # a class, as DQX names it in types
    def __new__(cls):
        return MagicMock(spec=cls)

databricks.sdk.WorkspaceClient = Workspace
"""


@pytest.mark.slow
@pytest.mark.parametrize(("tool", "before"), [("pandera", ""), ("dqx", WORKSPACE)])
def test_before_and_after_say_the_same(
    tool: str, before: str, begun: Reader, tmp_path: Path
) -> None:
    python = python_of(f".venv-peer-{tool}", "env-peers")
    shutil.copytree(begun.folder, tmp_path, dirs_exist_ok=True)
    page = DOCS / "recipes" / f"from-{tool}.md"
    Reader(begun.spark, tmp_path).follow(page)
    theirs, ours = (
        next(block for block in blocks(page) if wanted(block))
        for wanted in (lambda b: b.words.get("by") == tool, lambda b: "output" in b.words)
    )
    jars = ",".join(map(str, resolved_jars()))
    said = run(python, before + PLATFORM + theirs.text, jars, cwd=tmp_path)
    assert [
        line for line in said.splitlines() if line.startswith("lake/")
    ] == ours.text.splitlines()


@pytest.mark.slow
def test_airflow_reads_the_dag(root: Path, tmp_path: Path) -> None:
    if not (root / "spark_sig" / "integrations" / "airflow").is_dir():
        pytest.skip("there are no operators for Airflow here")
    python = python_of(".venv-airflow", "env-airflow")
    dag, plain = (b for b in blocks(DOCS / "recipes" / "airflow.md") if b.words.get("by"))
    show = "print(sorted(dag.task_ids), check.downstream_task_ids, validate.application)"
    said = run(python, "\n".join((dag.text, plain.text, show)), cwd=tmp_path)
    assert said.splitlines()[-1] == "['check', 'score'] {'score'} jobs/validate.py"


def run(python: Path, code: str, *arguments: str, cwd: Path) -> str:
    """Run code in another environment; return what it prints."""
    (cwd / "page.py").write_text(code)
    path = {"PYTHONPATH": str(Path(__file__).parents[1]), "AIRFLOW_HOME": str(cwd)}
    done = subprocess.run(
        [str(python), "page.py", *arguments],
        cwd=cwd,
        env={**os.environ, **path},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert not done.returncode, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_sphinx_builds_the_guide_without_warnings(root: Path, tmp_path: Path) -> None:
    python = python_of(".venv-docs", "env-docs")
    warnings = tmp_path / "warnings"
    strict = ["--nitpicky", "--fail-on-warning", "--keep-going", "--quiet"]
    folders = ["-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "built")]
    build = [str(python.with_name("sphinx-build")), *strict, "-w", str(warnings), *folders]
    done = subprocess.run(build, cwd=root, capture_output=True, text=True)
    assert warnings.read_text() == ""
    assert not done.returncode, done.stderr[-2000:]
    built = (tmp_path / "built" / "command-line.html").read_text()
    # what a command is for is said to the end
    assert "Check every row of a table, and write the report." in built
    assert "…</p>" not in built
    assert "...</p>" not in built


def test_the_reference_has_every_public_name() -> None:
    listed = re.findall(
        r"^\.\. auto\w+:: (\w+)$", (DOCS / "reference.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == sorted(spark_sig.__all__)


def test_what_is_run_elsewhere_says_where() -> None:
    named = {b.words["by"] for page in (FIRST, *PAGES) for b in blocks(page) if "by" in b.words}
    assert named <= ELSEWHERE.keys()
