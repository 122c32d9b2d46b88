"""The job: its arguments, its exit codes, and the report that it writes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from spark_sig import ColSpec, ModelSignature, ParamSchema, ParamSpec, Report, Schema
from spark_sig.cli import app, run_validate
from tests.processes import submit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("long", "id"), ColSpec("double", "price")]),
    outputs=Schema([ColSpec("double", "price")]),
    params=ParamSchema([ParamSpec("top", "long", 3), ParamSpec("names", "string", ["a"], (-1,))]),
)


@pytest.fixture(scope="module")
def place(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a signature and a Delta table: good at version 0, bad at version 1."""
    folder = tmp_path_factory.mktemp("job")
    rows = spark.range(0, 20, 1, 2).selectExpr("id", "CAST(id AS float) AS price")
    rows.write.format("delta").save(str(folder / "table"))
    bad = spark.range(20, 25, 1, 1).selectExpr("id", "IF(id = 22, NULL, 1f) AS price")
    bad.write.format("delta").mode("append").save(str(folder / "table"))
    SIGNATURE.save(folder / "signature.json")
    return folder


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(spark: SparkSession, place: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; return its exit code, output and error output."""

    def runner(config: str | None = None, **flags: Any) -> tuple[int, str, str]:
        given = {
            "table": str(place / "table"),
            "signature": str(place / "signature.json"),
            **flags,
        }
        given = {name: value for name, value in given.items() if value is not None}
        code = run_validate(given, config, lambda: spark)
        told = capsys.readouterr()
        return code, told.out, told.err

    return runner


def read(path: Path) -> Report:
    return Report.from_dict(json.loads(path.read_text(encoding="utf-8")))


def test_data_that_conforms(run: Run, place: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "report.json"
    code, out, err = run(version=0, report=str(target))
    assert (code, err) == (0, "")
    assert out.startswith("CONFORMS\n")
    assert out.endswith(f"report: {target}\n")
    report = read(target)
    assert report.conforms
    assert (report.rows.total, report.expected_rows) == (20, 20)
    assert (report.source.name, report.source.version) == (str(place / "table"), 0)
    assert report.signature == SIGNATURE.fingerprint
    assert os.listdir(target.parent) == ["report.json"]


def test_data_that_does_not(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("an older one")
    code, out, err = run(report=str(target), row_key=["id"])
    assert (code, err) == (3, "")
    assert out.startswith("DOES NOT CONFORM")
    report = read(target)
    assert report.source.version == 1
    assert (report.rows.total, report.rows.violating) == (25, 1)
    (check,) = (c for c in report.checks if c.violated)
    assert (check.path, check.code.value, check.count) == ("$.price", "null", 1)
    assert [e.key for e in check.examples] == [(22,)]
    assert os.listdir(tmp_path) == ["report.json"]


def test_data_that_does_not_by_its_types(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    code, out, _ = run(report=str(target), policy="strict")
    assert code == 3
    # float is no double where types have to be equal
    assert [(c.path, c.code.value, c.count) for c in read(target).checks if c.violated] == [
        ("$.price", "type", None)
    ]
    assert "types alone" in out


@pytest.mark.parametrize(("kind", "slash"), [("there", ""), ("there", "/"), ("new", "/")])
def test_a_folder_gets_a_file_named_by_the_run(
    run: Run, tmp_path: Path, kind: str, slash: str
) -> None:
    folder = tmp_path / "reports"
    if kind == "there":
        folder.mkdir()
    code, out, _ = run(version=0, report=f"{folder}{slash}", run_id="run-7")
    assert code == 0
    assert out.endswith(f"report: {folder}/run-7.json\n")
    code, out, _ = run(version=0, report=f"{folder}{slash}")
    assert code == 0
    (other,) = set(os.listdir(folder)) - {"run-7.json"}
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}\.json", other)
    assert out.endswith(f"report: {folder}/{other}\n")
    assert read(folder / other) == read(folder / "run-7.json")


def test_hadoop_says_what_is_a_folder(spark: SparkSession, run: Run, tmp_path: Path) -> None:
    """A path with a scheme that is not local: whether it is a folder only Spark knows."""
    conf = spark.sparkContext._jsc.hadoopConfiguration()
    # Hadoop's own local file system, under a scheme that this code has not heard of.
    conf.set("fs.viewed.impl", "org.apache.hadoop.fs.viewfs.ViewFileSystem")
    conf.set("fs.viewfs.mounttable.default.link./r", tmp_path.as_uri())
    place = "viewfs:///r"
    code, out, err = run(version=0, report=place, run_id="run-8")
    assert (code, err) == (0, "")
    assert out.endswith(f"report: {place}/run-8.json\n")
    assert read(tmp_path / "run-8.json").conforms
    assert [name for name in os.listdir(tmp_path) if not name.endswith(".crc")] == ["run-8.json"]


def test_flags_win_over_the_file(run: Run, place: Path, tmp_path: Path) -> None:
    config = tmp_path / "validate.yaml"
    config.write_text(
        f"table: {place / 'nosuch'}\nsignature: {place / 'signature.json'}\nversion: 0\n"
        "policy: mlflow\nexamples: 2\nside: outputs\nrow_key: [id]\nmin_rows: 5\n"
        f"report: {tmp_path}/\nrun_id: from-file\n"
    )
    code, _, _ = run(config=str(config), signature=None)
    assert code == 0
    first = read(tmp_path / "from-file.json")
    assert (first.side, first.source.version, first.row_key) == ("outputs", 0, ("id",))
    assert (first.policy.nulls, first.policy.examples, first.min_rows) == ("allow", 2, 5)
    code, _, _ = run(config=str(config), version=1, nulls="reject", side="inputs", run_id="flag")
    assert code == 3
    second = read(tmp_path / "flag.json")
    assert (second.side, second.source.version, second.rows.violating) == ("inputs", 1, 1)
    # the rest of the named policy stays
    assert (second.policy.nulls, second.policy.fill_missing) == ("reject", False)
    assert run(config=str(config), table=None)[0] == 1


def test_the_shipped_configuration_is_one(run: Run) -> None:
    assert run(config=str(ROOT / "conf" / "validate.yaml"), version=0)[0] == 0


def test_params(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    good = '{"top": 5, "names": ["x", "y"]}'
    assert run(version=0, params=good, report=str(target))[0] == 0
    assert read(target).conforms
    bad = '{"top": "five", "names": "x"}'
    code, out, _ = run(version=0, params=bad, report=str(target))
    assert code == 3
    report = read(target)
    assert {(c.path, c.code.value) for c in report.checks if c.violated} == {
        ("$.params.top", "param_type"),
        ("$.params.names", "param_shape"),
    }
    assert "top" in out
    assert not report.conforms
    good_table, bad_table = tmp_path / "good", tmp_path / "bad"
    tables = {"conformed": str(good_table), "quarantine": str(bad_table)}
    code, out, _ = run(version=0, params=bad, report=str(target), **tables)
    assert (code, read(target).checks) == (3, report.checks)
    assert "nothing was written: the params do not fit" in out
    assert not good_table.exists()
    # what is left out has a default
    assert run(version=0, params="{}")[0] == 0
    assert run(version=0, params="[1]")[0] == 2
    assert run(version=0, params="{")[0] == 2


@pytest.mark.slow
def test_rows_go_to_two_tables(spark: SparkSession, run: Run, tmp_path: Path) -> None:
    tables = {name: str(tmp_path / name) for name in ("conformed", "quarantine")}
    code, out, err = run(**tables, max_violations=0)
    assert (code, err) == (3, "")
    assert "nothing was written: 1 rows violate, more than 0 rows" in out
    assert not os.listdir(tmp_path)
    # as many as may, and without a limit
    assert run(**tables, max_violations="5%")[0] == 0
    code, out, err = run(**tables, report=str(tmp_path / "report.json"), run_id="again")
    assert (code, err) == (3, "")
    transfer = read(tmp_path / "report.json").transfer
    assert transfer is not None
    assert transfer.conformed is not None
    assert (transfer.run_id, transfer.conformed.rows) == ("again", 24)
    count = {n: spark.read.format("delta").load(path).count() for n, path in tables.items()}
    assert count == {"conformed": 48, "quarantine": 2}


@pytest.mark.slow
def test_a_run_that_was_allowed_more_is_no_success_under_a_limit(run: Run, tmp_path: Path) -> None:
    tables = {name: str(tmp_path / name) for name in ("conformed", "quarantine")}
    assert run(**tables, run_id="once", max_violations="5%")[0] == 0
    code, out, _ = run(**tables, run_id="once", max_violations=0)
    assert code == 3
    assert "was finished before" in out


@pytest.mark.slow
def test_rows_of_a_quarantine_are_moved(
    spark: SparkSession, run: Run, place: Path, tmp_path: Path
) -> None:
    good, bad, report = (str(tmp_path / name) for name in ("good", "bad", "report.json"))
    tables = ("--conformed", good, "--quarantine", bad)
    for name in ("one", "two"):
        assert run(conformed=good, quarantine=bad, run_id=name)[0] == 3

    def invoke(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["reprocess", *arguments], obj=lambda: spark)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.stdout + done.stderr

    def counts() -> list[int]:
        return [spark.read.format("delta").load(path).count() for path in (good, bad)]

    same = ("--signature", str(place / "signature.json"))
    code, out = invoke(*tables, *same, "--report", report, "--row-key", "id")
    assert (code, counts()) == (3, [48, 2])
    assert out.startswith("DOES NOT CONFORM")
    assert [[*e.key] for c in read(Path(report)).checks for e in c.examples] == [[22], [22]]
    looser = ("--signature", SIGNATURE.to_json(), "--nulls", "allow")
    assert invoke(*tables, *looser, "--run-id", "two", "--run-id", "three")[0] == 0
    assert counts() == [49, 1]
    assert invoke(*tables, *looser, "--engine", "arrow", "--side", "inputs")[0] == 0
    assert counts() == [50, 0]

    for wrong in (
        tables,
        (*tables, *same, "--side", "params"),
        (*tables, *same, "--casts", "any"),
        (*same, "--conformed", good),
        (*same, "--quarantine", bad),
    ):
        assert invoke(*wrong)[0] == 2
    code, out = invoke(*same, "--conformed", good, "--quarantine", str(tmp_path / "nothing"))
    assert code == 1
    assert "there is no quarantine" in out


@pytest.mark.parametrize(
    ("flags", "setting"),
    [
        ({"conformed": "a"}, "quarantine"),
        ({"quarantine": "a"}, "conformed"),
        ({"mode": "append"}, "mode"),
        ({"max_violations": 3}, "max_violations"),
        ({"conformed": "a", "quarantine": "b", "ledger": "c"}, "ledger"),
        ({"conformed": "a", "quarantine": "b", "stats": False}, "stats"),
        ({"conformed": "a", "quarantine": "b", "mode": "x"}, "mode"),
        ({"conformed": "a", "quarantine": "b", "max_violations": "x"}, "max_violations"),
    ],
)
def test_tables_that_cannot_be_meant(run: Run, flags: dict[str, Any], setting: str) -> None:
    code, out, err = run(**flags)
    assert (code, out) == (2, "")
    assert setting in err


def test_too_few_rows(run: Run) -> None:
    assert run(version=0, min_rows=20)[0] == 0
    code, out, _ = run(version=0, min_rows=21)
    assert code == 3
    assert "at least 21 rows" in out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"table": "nosuch"}, "no table and no path 'nosuch'"),
        ({"table": "/nosuch/t"}, "/nosuch/t"),
        ({"version": 7}, "no version 7; the newest is 1"),
        ({"timestamp": "2001-01-01"}, "no version at or before 2001-01-01"),
        ({"timestamp": "soon"}, "'soon' is not a time"),
    ],
)
def test_a_check_that_cannot_be_finished(
    run: Run, tmp_path: Path, flags: dict[str, Any], words: str
) -> None:
    target = tmp_path / "report.json"
    code, out, err = run(report=str(target), **flags)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"signature": "nosuch.json"}, "nosuch.json"),
        ({"side": "middle"}, "expected one of inputs, outputs"),
        ({"engine": "spark"}, "expected one of auto, catalyst, arrow"),
        ({"casts": "wild"}, "expected one of safe, lossless, exact"),
        ({"row_key": ["nosuch"]}, "row key"),
        ({"run_id": "a/b"}, "plain file name"),
        ({"version": 0, "timestamp": "2024-01-01"}, "not both"),
        ({"signature": '{"inputs": "[{\\"type\\": \\"long\\"}]"}', "side": "outputs"}, "outputs"),
        ({"report": "/dev/null/r.json"}, "Not a directory"),
    ],
)
def test_arguments_that_cannot_be_meant(
    run: Run, tmp_path: Path, flags: dict[str, Any], words: str
) -> None:
    code, out, err = run(**{"report": str(tmp_path / "report.json"), **flags})
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_the_command_line(spark: SparkSession, place: Path, tmp_path: Path) -> None:
    runner = CliRunner()

    def invoke(*arguments: str) -> tuple[int, str]:
        done = runner.invoke(app, ["validate", *arguments], obj=lambda: spark)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.stdout

    where = ("--table", str(place / "table"), "--signature", str(place / "signature.json"))
    target = tmp_path / "r.json"
    code, out = invoke(
        *where,
        *("--version", "0", "--row-key", "id", "--row-key", "price", "--no-fill-missing"),
        *("--case", "insensitive", "--extra", "forbid", "--nan", "reject", "--examples", "1"),
        *("--datetime", "timestamp", "--engine", "arrow", "--casts", "lossless"),
        *("--on-violation", "tag", "--show-values", "--report", str(target)),
    )
    assert (code, out.splitlines()[0]) == (0, "CONFORMS")
    report = read(target)
    assert report.row_key == ("id", "price")
    chosen = report.policy
    assert (chosen.case, chosen.extra, chosen.nan, chosen.examples, chosen.fill_missing) == (
        "insensitive",
        "forbid",
        "reject",
        1,
        False,
    )
    assert (chosen.datetime, chosen.casts, chosen.show_values) == ("timestamp", "lossless", True)
    assert invoke(*where)[0] == 3
    assert invoke(*where, "--nosuch")[0] == 2
    assert invoke(*where, "--version", "newest")[0] == 2
    assert invoke("--table", "nosuch", *where[2:])[0] == 1
    assert invoke()[0] == 2
    assert invoke("--help")[0] == 0


@pytest.mark.slow
def test_spark_submit(root: Path, place: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    where = ("--table", str(place / "table"), "--signature", str(place / "signature.json"))
    done = submit(root, "jobs/validate.py", *where, "--report", str(target))
    assert done.returncode == 3, done.stderr[-3000:]
    assert done.stdout.startswith("DOES NOT CONFORM")
    assert done.stdout.endswith(f"report: {target}\n")
    assert read(target).rows.violating == 1
    # quiet where there is no terminal: what is left is spark-submit's own
    assert "error" not in done.stderr.lower()
    assert "checking" not in done.stderr


@pytest.mark.slow
def test_spark_submit_passes_the_other_codes_on(root: Path, place: Path) -> None:
    done = submit(
        root, "jobs/validate.py", "--table", "nosuch", "--signature", str(place / "signature.json")
    )
    # spark-submit puts a Python job's error output into its output
    told = "error: there is no table and no path 'nosuch'\n"
    assert (done.returncode, done.stdout) == (1, told)
    assert "Traceback" not in done.stderr
