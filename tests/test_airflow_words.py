"""What Airflow's operators say to jobs, and of reports: no Airflow is needed for it."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path
from types import ModuleType

import pytest

from spark_sig import Policy, Report
from spark_sig.cli import app
from spark_sig.errors import Code
from spark_sig.integrations.airflow import flags as flags_module
from spark_sig.integrations.airflow import names, reports, verdicts
from spark_sig.integrations.airflow.flags import flags
from spark_sig.integrations.airflow.names import TaskRun
from spark_sig.integrations.airflow.reports import read_report, report_uri
from spark_sig.integrations.airflow.verdicts import SHOWN, findings, summary
from spark_sig.plan import Rung
from spark_sig.report import Audit, CheckResult, Decided, Lie, Rows, Source
from spark_sig.settings.score import score_settings
from spark_sig.settings.validate import validate_settings
from spark_sig.sinks import report_path, write_report
from spark_sig.tally import Example

RUN = TaskRun("flights", "check", "scheduled__2024-01-31T00:00:00+00:00")


def test_settings_become_flags() -> None:
    given = {
        "table": "-odd name",
        "version": 0,
        "timestamp": "",
        "side": None,
        "row_key": ["a", "b"],
        "stats": False,
        "fail_fast": True,
        "params": {"q": [1, "é"]},
        "audit": 0.05,
    }
    assert flags(given) == [
        "--table=-odd name",
        "--version=0",
        "--row-key=a",
        "--row-key=b",
        "--no-stats",
        "--fail-fast",
        '--params={"q": [1, "\\u00e9"]}',
        "--audit=0.05",
    ]


def test_the_command_takes_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    seen = {}
    for name in ("validate", "score"):
        monkeypatch.setattr(
            f"spark_sig.cli.{name}.run_{name}",
            lambda given, *_, name=name, **__: seen.update({name: given}) or 0,
        )
    checked = {
        "table": "-odd name",
        "signature": "a b/MLmodel",
        "version": 3,
        "min_rows": 1,
        "row_key": ["a", "b"],
        "stats": False,
        "params": {"q": [1]},
    }
    scored = {"table": "t", "model": "m", "out": "o", "version": 3, "max_violations": "1%"}
    scored |= {"quarantine": "q"}
    for name, given in (("validate", checked), ("score", scored)):
        done = CliRunner().invoke(app, [name, *flags(given)])
        assert done.exit_code == 0, done.output
    assert validate_settings(seen["validate"], None) == validate_settings(checked, None)
    assert score_settings(seen["score"], None) == score_settings(scored, None)


def test_the_name_of_a_run_is_one_for_all_tries_and_no_other_has_it() -> None:
    assert RUN.name == TaskRun("flights", "check", "scheduled__2024-01-31T00:00:00+00:00").name
    others = [
        TaskRun("flights", "check", "scheduled__2024-01-31T00-00-00-00-00"),
        TaskRun("flights", "check", "scheduled__2024-01-31T00:00:00-00:00"),
        TaskRun("flights.check", "scheduled__2024-01-31T00", "00:00+00:00"),
        TaskRun("flights", "check", RUN.run_id, 0),
        TaskRun("flights", "check", RUN.run_id, 1),
        TaskRun("flights", "check", "x" * 250),
        TaskRun("flights", "check", "x" * 249 + "y"),
    ]
    found = [RUN.name, *(other.name for other in others)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "run_id", [RUN.run_id, "manual__a/b\\c d%20+é", "..", "x" * 250, "日本" * 100]
)
def test_every_storage_takes_the_name_of_a_report(run_id: str) -> None:
    run = TaskRun("d" * 60, "t", run_id, 12)
    name = run.report(3)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*\.3-[0-9a-f]{8}\.json", name)
    assert len(name) <= 255
    # what the job makes of the name of the run
    assert report_path("reports/", run.name) == f"reports/{run.name}.json"


def test_no_two_tries_have_one_report() -> None:
    # a run that is deleted and made again counts from 1
    assert len({RUN.report(1) for _ in range(100)}) == 100


def report(**changed: object) -> Report:
    """Return a report on ten rows, two of which violate."""
    secret = Example(("key-7",), "non-integral double", "3.14159")
    check = CheckResult(
        "$.x", Code.CAST, "long", 2, ("non-integral double",), (secret,), "",
        (Decided(Rung.STATS, 10),),
    )  # fmt: skip
    given: dict[str, object] = {
        "signature": "abc",
        "policy": Policy(show_values=True),
        "source": Source("delta", "lake.t", "id", 3, 1, pinned=True),
        "rows": Rows(10, 8, 2),
        "checks": (check,),
        "expected_rows": 10,
        **changed,
    }
    return Report(**given)  # type: ignore[arg-type]


def test_what_is_wrong_is_said_without_values() -> None:
    lines = findings(report())
    assert lines == ["$.x: cast: expected long, observed non-integral double in 2 rows"]
    assert not re.search("3.14159|key-7", "".join(lines))


def test_all_that_is_wrong_is_said() -> None:
    lie = Lie("$.x", Code.NULL, "no NULL", "2 rows with NULL")
    said = findings(report(expected_rows=12, audit=Audit(1.0, 1, 10, (lie,)), min_rows=20))
    assert said == [
        "$.x: cast: expected long, observed non-integral double in 2 rows",
        "$: row_count: expected at least 20 rows, observed 10 rows",
        "10 of 12 rows were seen",
        "$.x: null: proven no NULL, found 2 rows with NULL",
    ]
    many = tuple(
        CheckResult(f"$.c{i}", Code.MISSING_COLUMN, "long", None, ("nothing",)) for i in range(30)
    )
    said = findings(report(checks=many))
    assert said[0] == "$.c0: missing_column: expected long, observed nothing"
    assert said[SHOWN:] == ["... and 10 more, in the report"]


def test_the_summary() -> None:
    assert summary(report(), "file:///r.json") == {
        "conforms": False,
        "complete": True,
        "rows": 10,
        "violating": 2,
        "violations": 1,
        "version": 3,
        "signature": "abc",
        "report": "file:///r.json",
    }


def test_reports_are_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20c+d"
    path = write_report(report(), folder / "r.json")
    assert read_report(path) == read_report(report_uri(path)) == report()
    with pytest.raises(FileNotFoundError):
        read_report(str(folder / "other.json"))
    for text in ("", "[]", '{"format": "spark_sig.report/1"}', path.encode().hex()):
        (folder / "bad.json").write_text(text)
        with pytest.raises(ValueError, match=r"."):
            read_report(str(folder / "bad.json"))


@pytest.mark.parametrize("module", [flags_module, names, reports, verdicts])
def test_the_examples_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_what_spark_submit_is_given_lies_alone(root: Path) -> None:
    # its folder is first on the path: another module there would hide one of that name
    folder = root / "spark_sig" / "cli" / "submit"
    assert {path.name for path in folder.glob("*.py")} == {"__init__.py", "program.py"}


def test_airflow_is_imported_in_its_folder_alone(root: Path) -> None:
    found = set()
    for path in sorted((root / "spark_sig").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            used = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(name.split(".")[0] == "airflow" for name in used):
                found.add(path.relative_to(root / "spark_sig" / "integrations").parts[0])
    assert found == {"airflow"}
