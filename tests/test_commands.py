"""The commands that need no data: a signature shown and compared, a report rendered, completion."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.sql.types import StructType
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
    Report,
    Schema,
    SignatureError,
    TensorSpec,
    __version__,
    validate,
)
from spark_sig.cli import app, main
from spark_sig.compile.arrow import to_arrow
from spark_sig.compile.spark import to_spark
from spark_sig.odcs import contract_document
from spark_sig.signature import load_signature, write_atomically
from spark_sig.sinks import refuse_unwritable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SIGNATURE = ModelSignature(
    Schema(
        [
            ColSpec("long", "a b"),
            ColSpec(Array(Object([Property("x`y", "string", required=False)])), "o"),
            ColSpec(Map("double"), "m", required=False),
            ColSpec("datetime", "t"),
        ]
    ),
    Schema([TensorSpec("float32", (-1, 3), "image")]),
    ParamSchema([ParamSpec("top", "long", 3)]),
)
ONE = ModelSignature(Schema([ColSpec("long", "a")])).to_json()


@pytest.fixture
def file(tmp_path: Path) -> str:
    SIGNATURE.save(tmp_path / "signature.json")
    return str(tmp_path / "signature.json")


def run(*arguments: str, session: Any = None) -> tuple[int, str, str]:
    """Run the command line; return its exit code, output and error output."""
    done = CliRunner().invoke(app, list(arguments), obj=session, prog_name="spark-sig")
    return done.exit_code, done.stdout, done.stderr


# --- show -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("default:the contract says more")
def test_a_warning_is_one_line(tmp_path: Path) -> None:
    contract = contract_document(ModelSignature(Schema([ColSpec("long", "a")])))
    contract["schema"][0]["properties"][0] |= {"unique": True, "logicalType": "number"}
    contract["schema"][0]["properties"][0]["physicalType"] = "FLOAT(\n\x1b[31m)"
    place = tmp_path / "contract.json"
    place.write_text(json.dumps(contract))
    code, _, beside = run("show", str(place))
    assert code == 0
    [line] = beside.splitlines()
    assert line.startswith("warning: the contract says more than a signature: ")
    assert r"FLOAT(\n\x1b[31m)" in line


def test_a_signature_as_a_table(file: str) -> None:
    code, said, _ = run("show", file)
    assert code == 0
    rows = [line.split("  ") for line in said.splitlines()]
    assert [word.strip() for word in rows[2] if word] == ["a b", "long", "yes"]
    for title in ("inputs", "outputs", "params"):
        assert title in said.splitlines()


def test_a_signature_as_json(file: str) -> None:
    code, said, _ = run("show", file, "--json")
    document = json.loads(said)
    again = {side: None if value is None else json.dumps(value) for side, value in document.items()}
    assert (code, ModelSignature.from_dict(again)) == (0, SIGNATURE)
    assert run("show", file, "--form", "json")[1] == said
    assert load_signature(said) == SIGNATURE
    code, said, error = run("show", file, "--form", "spark", "--json")
    assert (code, said) == (2, "")
    assert "give one of them" in " ".join(error.split())


def test_a_signature_as_mlflow_writes_it(file: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(run("show", file, "--form", "mlflow")[1])
    assert ModelSignature.load(tmp_path / "MLmodel") == SIGNATURE
    assert ModelSignature.load(tmp_path) == SIGNATURE


def test_a_signature_as_sparks_ddl(spark: SparkSession, file: str) -> None:
    """Spark reads it back; NOT NULL inside arrays and maps is what its SQL cannot say."""
    code, said, _ = run("show", file, "--form", "spark")
    assert code == 0
    inputs, outputs = said.split("-- outputs\n")
    for text, schema in ((inputs, SIGNATURE.inputs), (outputs, SIGNATURE.outputs)):
        assert schema is not None
        columns = text.removeprefix("-- inputs\n")
        struct = spark.createDataFrame([], columns).schema
        assert spelt(struct) == spelt(to_spark(schema))
        assert [field.nullable for field in struct] == [f.nullable for f in to_spark(schema)]


def spelt(struct: StructType) -> list[tuple[str, str]]:
    return [(field.name, field.dataType.simpleString()) for field in struct]


def test_a_signature_as_an_arrow_schema(file: str) -> None:
    _, said, _ = run("show", file, "--form", "arrow")
    assert SIGNATURE.inputs is not None
    for field in to_arrow(SIGNATURE.inputs):
        null = "" if field.nullable else " not null"
        assert f"{field.name}: {field.type}{null}" in said
    assert pa.types.is_timestamp(to_arrow(SIGNATURE.inputs).field("t").type)


def test_what_is_no_signature(tmp_path: Path) -> None:
    code, said, error = run("show", str(tmp_path / "nowhere.json"))
    assert (code, said) == (2, "")
    assert error.startswith("error: cannot read the signature")
    assert run("show", '{"inputs": "no"}')[0] == 2


def test_long_text_is_a_signature_and_nothing_is_none() -> None:
    """Text is longer than what a path may be; neither asks Spark for a table."""
    wide = ModelSignature(Schema([ColSpec("long", f"c{n}") for n in range(500)]))
    code, said, _ = run("show", wide.to_json(), "--json")
    assert (code, len(json.loads(said)["inputs"])) == (0, 500)
    assert run("show", "")[0] == 2


@pytest.mark.parametrize("form", ["json", "mlflow"])
def test_a_pipe_gives_a_signature(file: str, form: str) -> None:
    """As ``/dev/stdin`` does, or what a shell's ``<(...)`` stands for: no name says what it is."""
    end, start = os.pipe()
    try:
        os.write(start, run("show", file, "--form", form)[1].encode())
        os.close(start)
        code, said, error = run("diff", file, f"/dev/fd/{end}")
    finally:
        os.close(end)
    assert (code, error) == (0, "")
    assert said.startswith("forward: compatible, backward: compatible; 0 of")


def test_the_file_that_is_no_json_is_named(file: str, tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text("[")
    for arguments in (("diff", file), ("report", "render")):
        assert f"@ {tmp_path / 'half.json'}\n" in run(*arguments, str(tmp_path / "half.json"))[2]


# --- the output ---------------------------------------------------------------------------------


def test_what_the_locale_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run does not end before its report is written; and JSON stays JSON."""
    names = ("\xe9t\xe9", "\ud55c", "\U0001f600")
    contract = contract_document(ModelSignature(Schema([ColSpec("long", name) for name in names])))
    (tmp_path / "contract.json").write_text(json.dumps(contract))
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    with pytest.raises(SystemExit) as left:
        main(["show", str(tmp_path / "contract.json")])
    assert left.value.code == 0
    shown = written.getvalue().decode("ascii")
    assert all(json.dumps(name)[1:-1] in shown for name in names)


@pytest.mark.slow
def test_a_command_ends_as_it_would_where_nobody_reads_on(file: str, root: Path) -> None:
    """``spark-sig diff … | head -1``: the pipe is closed, the verdict is what it was."""
    end, start = os.pipe()
    os.close(end)
    done = subprocess.run(
        [sys.executable, "-c", "from spark_sig.cli import main; main()", "diff", file, ONE],
        cwd=root,
        stdout=start,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    os.close(start)
    assert (done.returncode, done.stderr) == (3, "")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """As are devices: a report for /dev/null must not become /dev/null."""
    place = tmp_path / "pipe"
    os.mkfifo(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(place, b"here")
        assert os.read(reader, 9) == b"here"
    finally:
        os.close(reader)
    assert place.is_fifo()
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_what_nothing_is_made_beside_needs_no_folder_that_can_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Few may write to /dev, and all to /dev/null."""
    monkeypatch.setattr(os, "access", lambda path, _: path == str(tmp_path / "pipe"))
    for name in ("pipe", "other"):
        os.mkfifo(tmp_path / name)
    refuse_unwritable(tmp_path / "pipe", "run")
    for name in ("other", "report.json"):
        with pytest.raises(SignatureError, match="Permission denied"):
            refuse_unwritable(tmp_path / name, "run")


def test_a_link_is_written_where_it_leads_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So is /dev/stdout, where the output goes to a file."""
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").touch()
    (tmp_path / "closed" / "link").symlink_to(tmp_path / "open" / "report.json")
    (tmp_path / "open" / "link").symlink_to(tmp_path / "closed" / "report.json")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) == tmp_path / "open")
    refuse_unwritable(tmp_path / "closed" / "link", "run")
    with pytest.raises(SignatureError, match="Permission denied"):
        refuse_unwritable(tmp_path / "open" / "link", "run")


# --- tables ---------------------------------------------------------------------------------------


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> str:
    rows = spark.sql("SELECT 1L AS `a b`, DATE'2026-01-01' AS t, 'x' AS more")
    rows.write.format("delta").option("delta.columnMapping.mode", "name").save(
        str(tmp_path / "table")
    )
    return str(tmp_path / "table")


def test_the_signature_of_a_table(spark: SparkSession, table: str) -> None:
    code, said, error = run("show", table, "--json", session=lambda: spark)
    assert code == 0
    names = {column["name"]: column["type"] for column in json.loads(said)["inputs"]}
    assert names == {"a b": "long", "t": "datetime", "more": "string"}
    assert error == "not said: $.t: date is read as datetime\n"


def test_a_table_is_compared_by_its_inputs(spark: SparkSession, table: str, file: str) -> None:
    wanted = ModelSignature(
        Schema([ColSpec("long", "a b", required=False)]), Schema([ColSpec("double")])
    )
    code, said, _ = run("diff", table, wanted.to_json(), session=lambda: spark)
    assert (code, said.startswith("forward: compatible")) == (0, True)
    assert "outputs" not in said
    code, said, _ = run("diff", table, file, "--json", session=lambda: spark)
    assert code == 3
    changes = {change["path"]: change["forward"] for change in json.loads(said)["changes"]}
    assert changes["$.o"] == "breaking"


# --- diff -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "level", "codes"),
    [
        ("long", "long", "compatible", {"compatible": 0, "breaking": 0}),
        ("integer", "long", "widening", {"compatible": 3, "widening": 0, "lossy": 0}),
        ("long", "integer", "lossy", {"widening": 3, "lossy": 0, "breaking": 0}),
        ("long", "boolean", "breaking", {"widening": 3, "lossy": 3, "breaking": 0}),
    ],
)
def test_what_a_difference_allows(
    before: str, after: str, level: str, codes: dict[str, int]
) -> None:
    old, new = (
        ModelSignature(Schema([ColSpec(type_, "a")])).to_json() for type_ in (before, after)
    )
    for allowed, code in codes.items():
        found = run("diff", old, new, "--allow", allowed)
        assert (found[0], found[1].split(",")[0]) == (code, f"forward: {level}")
    assert run("diff", old, new)[0] == (0 if level in ("compatible", "widening") else 3)


def test_the_policy_of_a_difference() -> None:
    old, new = (
        ModelSignature(Schema([ColSpec(type_, "a")])).to_json() for type_ in ("integer", "long")
    )
    assert run("diff", old, new)[0] == 0
    assert run("diff", old, new, "--policy", "strict")[0] == 3
    code, _, error = run("diff", old, new, "--policy", "none")
    assert (code, "error: " in error) == (2, True)


# --- reports --------------------------------------------------------------------------------------


def test_a_report_is_rendered(spark: SparkSession, tmp_path: Path) -> None:
    wanted = ModelSignature(Schema([ColSpec("string", "id")]))
    report = validate(spark.range(3), wanted)
    place = tmp_path / "report.json"
    place.write_text(report.to_json())
    assert run("report", "render", str(place)) == (0, report.to_text() + "\n", "")
    assert Report.from_dict(json.loads(run("report", "render", str(place), "--json")[1])) == report
    assert run("report", "render", str(place), "--to", "html", "--json")[0] == 2
    page = tmp_path / "report.html"
    assert run("report", "render", str(place), "--to", "html", "--out", str(page))[0] == 0
    assert page.read_text() == report.to_html()
    assert run("report", "render", str(place), "--to", "junit")[1] == report.to_junit() + "\n"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}', "no"])
def test_what_is_no_report(tmp_path: Path, text: str) -> None:
    place = tmp_path / "report.json"
    place.write_text(text)
    code, said, error = run("report", "render", str(place))
    assert (code, said, error.startswith("error: ")) == (2, "", True)


# --- JSON -----------------------------------------------------------------------------------------


def test_all_that_checks_writes_json(spark: SparkSession, table: str, tmp_path: Path) -> None:
    """Nothing else is printed; where files were written is said beside it."""
    wanted = ModelSignature(Schema([ColSpec("long", "a b"), ColSpec("string", "t")]))
    place = tmp_path / "report.json"
    flags = ("--table", table, "--signature", wanted.to_json(), "--report", str(place))
    code, said, error = run("validate", *flags, "--json", session=lambda: spark)
    assert code == 3
    assert Report.from_dict(json.loads(said)) == Report.from_dict(json.loads(place.read_text()))
    assert error == f"report: {place}\n"
    code, said, error = run("infer", "--table", table, "--json", session=lambda: spark)
    assert code == 0
    found = ModelSignature.from_dict(json.loads(said)["signature"])
    assert found.inputs is not None
    assert [column.name for column in found.inputs] == ["a b", "t", "more"]


# --- the shell ------------------------------------------------------------------------------------


def test_wrong_usage_gets_a_suggestion() -> None:
    assert "Did you mean 'show'?" in run("shwo")[2]
    assert "--allow" in run("diff", "a", "b", "--alow", "lossy")[2]


def test_the_version_is_that_of_the_package() -> None:
    code, said, _ = run("--version")
    assert (code, said) == (0, f"spark-sig {__version__}\n")


def test_every_command_has_an_example() -> None:
    for command in (
        *("validate", "infer", "score", "reprocess"),
        *("show", "diff", "completion"),
    ):
        code, said, _ = run(command, "--help")
        assert (code, "Examples:" in said) == (0, True)
        assert f"spark-sig {command}" in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(shell: str) -> None:
    code, said, _ = run("completion", shell)
    assert (code, "_SPARK_SIG_COMPLETE" in said) == (0, True)


def test_a_shell_completes(root: Path) -> None:
    """bash itself: the function is loaded, and called as Tab does."""
    program = Path(sys.executable).parent / "spark-sig"
    if not program.exists():  # an environment of an older Spark has no such command
        pytest.skip("spark-sig is not installed here")
    script = (
        f'eval "$("{program}" completion bash)"; COMP_WORDS=(spark-sig re); COMP_CWORD=1; '
        f'_spark_sig_completion "{program}"; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout.split(), done.stderr) == (["reprocess", "report"], "")
