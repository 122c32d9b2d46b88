"""Tables scored into others: each row once, in one of two tables, or none at all."""

from __future__ import annotations

import json
import random
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from spark_sig import (
    ColSpec,
    ModelSignature,
    ParamSchema,
    ParamSpec,
    Report,
    Schema,
    SignatureError,
    conform,
    reprocess,
    score_table,
)
from spark_sig.cli import run_score
from spark_sig.errors import SourceError
from spark_sig.plan import Rung
from spark_sig.quarantine.runs import digest
from spark_sig.report import Decided
from spark_sig.types import AnyType

mlflow = pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")

from spark_sig.integrations.mlflow import tables as tables_module  # noqa: E402
from tests.mlflow_models import ADVICE, save_function  # noqa: E402
from tests.processes import answer, submit  # noqa: E402
from tests.transfers import crash, slow  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.filterwarnings(advice) for advice in ADVICE]

SIGNATURE = ModelSignature(
    Schema([ColSpec("long", "a")]),
    Schema([ColSpec("string", "name")]),
    ParamSchema([ParamSpec("every", "long", 100)]),
)


def named(frame: Any, params: Any) -> Any:
    """Name numbers, but for one of so many."""
    every = params["every"]
    names = [None if a % every == every - 1 else f"n{a}" for a in frame["a"]]
    return pd.Series(names, dtype=object)


def never_twice(frame: Any, params: Any) -> Any:
    """Name a row or not, as chance has it."""
    return pd.Series([random.SystemRandom().choice([None, "x"]) for _ in frame["a"]], dtype=object)


class Places:
    """A source of thirty rows, one of which may hold NULL; a model; and where rows go."""

    def __init__(self, spark: SparkSession, folder: Path, function: Any = named) -> None:
        self.spark = spark
        self.source, self.out, self.bad = (str(folder / n) for n in ("source", "out", "bad"))
        self.model = save_function(folder / "model", function, SIGNATURE)

    def fill(self, *, null: bool = False, start: int = 0) -> Places:
        value = "IF(id = 5, NULL, id)" if null else "id"
        rows = self.spark.range(start, start + 30, 1, 2).selectExpr(f"{value} AS a", "id")
        rows.write.format("delta").mode("append").save(self.source)
        return self

    def score(self, *, aside: bool = False, **choices: Any) -> Report:
        if aside:
            choices["quarantine"] = self.bad
        return score_table(self.source, self.model, self.out, **choices)

    def rows(self, table: str) -> list[Any]:
        if not Path(table).exists():
            return []
        return self.spark.read.format("delta").load(table).collect()

    def ids(self, table: str) -> list[int]:
        return sorted(row["id"] for row in self.rows(table))


@pytest.fixture
def places(spark: SparkSession, tmp_path: Path) -> Places:
    return Places(spark, tmp_path)


@pytest.mark.slow
def test_a_table_that_conforms_is_scored_once(places: Places) -> None:
    places.fill()
    report = places.score()
    assert report.conforms
    assert report.transfer is not None
    assert report.transfer.conformed is not None
    assert (report.transfer.conformed.rows, report.rows.total) == (30, 30)
    assert [(r["a"], r["name"]) for r in sorted(places.rows(places.out))] == [
        (id, f"n{id}") for id in range(30)
    ]
    again = places.score()
    assert (again.rows, again.checks, again.transfer) == (
        report.rows,
        report.checks,
        report.transfer,
    )
    assert any("was finished before" in remark for remark in again.warnings)
    assert places.ids(places.out) == list(range(30))
    # another version is another run
    places.fill(start=30)
    assert places.score(keep=["id"], mode="overwrite").conforms
    assert places.ids(places.out) == list(range(60))


def test_nothing_is_written_where_a_row_violates(places: Places) -> None:
    report = places.fill(null=True).score()
    assert (report.conforms, report.rows.violating) == (False, 1)
    assert report.transfer is not None
    assert "1 rows violate" in report.transfer.note
    assert not Path(places.out).exists()


@pytest.mark.slow
def test_rows_that_violate_go_to_the_quarantine(places: Places) -> None:
    report = places.fill(null=True).score(aside=True)
    assert (report.rows.total, report.rows.violating) == (30, 1)
    assert places.ids(places.out) == [id for id in range(30) if id != 5]
    (row,) = places.rows(places.bad)
    assert (row["id"], row["a"], row["_violations"][0]["path"]) == (5, None, "$.a")
    assert row["_signature"] == SIGNATURE.fingerprint
    places.score(aside=True)
    assert (len(places.rows(places.out)), len(places.rows(places.bad))) == (29, 1)


ODD = [9, 19, 29]


@pytest.mark.parametrize("commits", [slow(None), slow(0), slow(1), 2])
def test_each_row_is_in_one_table_once(
    places: Places, monkeypatch: pytest.MonkeyPatch, commits: int | None
) -> None:
    """Also where the run breaks off between commits, and is repeated."""
    places.fill(null=True)
    choices: dict[str, Any] = {"params": {"every": 10}, "run_id": "once"}
    if commits is not None:
        crash(monkeypatch, commits, lambda: places.score(aside=True, **choices))
        if commits == 2:
            places.fill(start=30)  # the run is of the version that it began with
    report = places.score(aside=True, **choices)
    assert places.ids(places.out) == [id for id in range(30) if id != 5 and id not in ODD]
    assert places.ids(places.bad) == sorted([5, *ODD])
    found = {row["id"]: row["_violations"][0]["path"] for row in places.rows(places.bad)}
    assert found == {5: "$.a", **dict.fromkeys(ODD, "$outputs.name")}
    assert (report.rows.total, report.rows.violating) == (30, 4)
    violated = {(check.path, check.code.value): check.count for check in report.checks}
    violated = {key: count for key, count in violated.items() if count}
    assert violated == {("$.a", "null"): 1, ("$outputs.name", "null"): 3}
    assert report.transfer is not None
    assert report.transfer.quarantine is not None
    assert report.transfer.quarantine.rows == 4
    assert Report.from_dict(json.loads(report.to_json())) == report
    # what was kept meanwhile is gone
    assert not list(Path(places.bad).glob("_spark_sig/*"))
    # what it says again is what its commits say: no examples, which rows would have to be read for
    again = places.score(aside=True, **choices)
    told = tuple(replace(check, examples=()) for check in report.checks)
    assert (again.rows, again.checks, again.transfer) == (report.rows, told, report.transfer)
    assert any("was finished before" in remark for remark in again.warnings)


@pytest.mark.slow
def test_a_run_of_an_older_version_is_finished_first(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where none was given a name: its rows would be in neither table."""
    places.fill(null=True)
    choices: dict[str, Any] = {"params": {"every": 10}, "mode": "append"}
    crash(monkeypatch, 2, lambda: places.score(aside=True, **choices))
    places.fill(start=30)
    report = places.score(aside=True, **choices)
    assert any("was finished first" in remark for remark in report.warnings)
    # rows of the older version are in both of its runs, as they are of the source's two versions
    older = [id for id in range(30) if id != 5 and id not in ODD]
    newer = [id for id in range(30, 60) if id % 10 != 9]
    assert places.ids(places.out) == sorted([*older, *older, *newer])


@pytest.mark.slow
def test_predictions_that_violate_keep_all_from_being_written(places: Places) -> None:
    report = places.fill().score(params={"every": 10})
    assert (report.conforms, report.rows.violating) == (False, 3)
    assert [(c.path, c.count) for c in report.checks if c.count] == [("$outputs.name", 3)]
    assert places.rows(places.out) == []


@pytest.mark.slow
def test_predictions_are_among_what_was_checked(places: Places) -> None:
    for report in (places.fill().score(), places.score(aside=True, run_id="aside")):
        assert report.conforms
        (check,) = [check for check in report.checks if check.path == "$outputs.name"]
        assert (check.code.value, check.count) == ("null", 0)
        assert check.decided == (Decided(Rung.ARROW, 30),)


@pytest.mark.slow
@pytest.mark.parametrize("commits", [None, 1, 2])
def test_a_model_that_does_not_say_the_same_twice(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: int | None
) -> None:
    places = Places(spark, tmp_path, never_twice).fill()
    if commits is not None:
        crash(monkeypatch, commits, lambda: places.score(aside=True))
    report = places.score(aside=True)
    assert sorted(places.ids(places.out) + places.ids(places.bad)) == list(range(30))
    assert all(row["name"] == "x" for row in places.rows(places.out))
    assert report.rows.violating == len(places.rows(places.bad))


@pytest.mark.slow
def test_overwriting_takes_the_place_of_both(places: Places) -> None:
    places.fill(null=True).score(aside=True)
    places.spark.sql(f"DELETE FROM delta.`{places.source}` WHERE a IS NULL OR a > 8")
    report = places.score(aside=True, mode="overwrite")
    assert report.conforms
    assert places.ids(places.out) == [0, 1, 2, 3, 4, 6, 7, 8]
    assert places.rows(places.bad) == []


@pytest.mark.slow
def test_a_run_that_was_overtaken_is_not_finished(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would put older rows beside newer ones, and its own violating rows are gone."""
    places.fill(null=True)
    choices: dict[str, Any] = {"aside": True, "mode": "overwrite"}
    crash(monkeypatch, 2, lambda: places.score(run_id="first", **choices))
    places.fill(start=30)
    places.score(run_id="second", **choices)
    with pytest.raises(SourceError, match="the run second has written to the tables since"):
        places.score(run_id="first", **choices)
    assert places.ids(places.out) == [id for id in range(60) if id != 5]


@pytest.mark.slow
def test_one_name_for_runs_of_two_sources(places: Places, tmp_path: Path) -> None:
    places.fill(null=True).score(aside=True, params={"every": 10}, run_id="one")
    places.source = str(tmp_path / "second")
    report = places.fill(null=True).score(aside=True, params={"every": 10}, run_id="one")
    assert report.rows.violating == 4
    assert (len(places.rows(places.out)), len(places.rows(places.bad))) == (52, 8)


def test_what_is_refused_before_anything_is_written(places: Places, tmp_path: Path) -> None:
    places.fill(null=True)
    other = places.spark.range(1).selectExpr("'x' AS a")
    other.write.format("delta").save(str(tmp_path / "other"))
    for aside in (None, places.bad):
        report = score_table(str(tmp_path / "other"), places.model, places.out, quarantine=aside)
        assert report.transfer is not None
        assert report.transfer.note == "nothing was written: the types do not fit"
    report = places.score(aside=True, max_violations=0)
    assert report.transfer is not None
    assert "more than 0 rows" in report.transfer.note
    assert not Path(places.bad).exists()
    with pytest.raises(SignatureError, match="rows cannot be written to the table"):
        score_table(places.source, places.model, places.source)
    with pytest.raises(SignatureError, match="two tables"):
        places.score(quarantine=places.out)
    with pytest.raises(SignatureError, match="does not fit what would be written"):
        score_table(places.source, places.model, tmp_path / "other", quarantine=places.bad)
    parquet = str(tmp_path / "parquet")
    places.spark.range(3).selectExpr("id AS a").write.parquet(parquet)
    with pytest.raises(SignatureError, match="a Delta table alone"):
        score_table(parquet, places.model, places.out, quarantine=places.bad)
    with pytest.raises(SignatureError, match="no row may violate"):
        places.score(max_violations="50%")
    assert not Path(places.out).exists()
    assert not Path(places.bad).exists()
    assert score_table(parquet, places.model, places.out).conforms


@pytest.mark.slow
def test_too_many_predictions_that_violate(places: Places) -> None:
    report = places.fill(null=True).score(aside=True, params={"every": 10}, max_violations=3)
    assert report.transfer is not None
    assert report.transfer.note == "nothing was written: 4 rows violate, more than 3 rows"
    assert report.rows.violating == 4
    assert (places.rows(places.out), places.rows(places.bad)) == ([], [])
    assert not list(Path(places.bad).glob("_spark_sig/*"))


@pytest.mark.slow
def test_a_name_is_that_of_one_run(places: Places) -> None:
    places.fill().score(run_id="r")
    with pytest.raises(SignatureError, match="the run r was begun with another params"):
        places.score(run_id="r", params={"every": 7})
    places.score(aside=True, run_id="s")
    with pytest.raises(SignatureError, match="the run s was begun with another columns"):
        places.score(aside=True, run_id="s", keep=["id"])
    with pytest.raises(SignatureError, match="the run s was begun with another model and params"):
        conform(places.source, SIGNATURE, conformed=places.out, quarantine=places.bad, run_id="s")


def test_a_named_run_is_not_written_again_with_a_quarantine(places: Places) -> None:
    places.fill().score(run_id="r")
    with pytest.raises(SourceError, match="they would be there twice"):
        places.score(aside=True, run_id="r")


@pytest.mark.slow
def test_a_named_run_is_not_written_again_without_a_quarantine(places: Places) -> None:
    """Nor where the source was made anew."""
    places.fill(null=True).score(aside=True, run_id="r")
    places.spark.sql(f"DELETE FROM delta.`{places.source}` WHERE a IS NULL")
    with pytest.raises(SourceError, match="with a quarantine: they would be there twice"):
        places.score(run_id="r")
    places.score(run_id="lone")
    shutil.rmtree(places.source)
    places.fill()
    with pytest.raises(SourceError, match="made anew: they would be there twice"):
        places.score(run_id="lone")
    assert len(places.rows(places.out)) == 29 + 29


def test_a_run_of_another_version_is_not_repeated_unseen(places: Places) -> None:
    places.fill().score(run_id="r")
    places.fill(start=30)
    again = places.score(run_id="r")
    assert (again.rows.total, again.source.version) == (30, 0)
    assert any("the run r was finished before" in remark for remark in again.warnings)
    with pytest.raises(SignatureError, match="was begun at version 0"):
        places.score(run_id="r", version=1)
    assert len(places.rows(places.out)) == 30


@pytest.mark.slow
@pytest.mark.parametrize("commits", [2, 3])
def test_a_run_whose_source_is_gone(
    places: Places, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    """VACUUM has taken the version that it has read: all that it needs was kept."""
    places.fill(null=True)
    choices: dict[str, Any] = {"aside": True, "params": {"every": 10}, "run_id": "once"}
    if commits == 2:
        crash(monkeypatch, commits, lambda: places.score(**choices))
    else:
        places.score(**choices)
    for file in Path(places.source).glob("*.parquet"):
        file.unlink()
    report = places.score(**choices)
    assert (report.rows.total, report.rows.violating) == (30, 4)
    violated = {check.path: (check.count, check.observed) for check in report.checks if check.count}
    assert violated == {"$.a": (1, ("null",)), "$outputs.name": (3, ("null",))}
    assert places.ids(places.out) == [id for id in range(30) if id != 5 and id not in ODD]
    assert places.ids(places.bad) == sorted([5, *ODD])


def test_params_that_differ_by_little_are_others() -> None:
    """Also in the middle of long arrays, of which NumPy shows the ends."""
    many = np.zeros(3000)
    other = many.copy()
    other[1500] = 1e-9
    others = [np.array([0.1]), np.array([0.1 + 1e-12]), [0.1], many, other]
    assert len({digest({"a": value}, tables_module._plain) for value in others}) == len(others)


@pytest.mark.slow
def test_a_table_is_partitioned_by_columns_that_are_kept(places: Places) -> None:
    """Not by a prediction that has the name of one."""
    rows = places.spark.range(6).selectExpr("id AS a", "id", "id % 2 AS name", "id % 3 AS p")
    rows.write.format("delta").partitionBy("name", "p").save(places.source)
    assert places.score(aside=True, keep=["id", "p"]).conforms
    for table, columns in ((places.out, ["p"]), (places.bad, ["p"])):
        detail = places.spark.sql(f"DESCRIBE DETAIL delta.`{table}`").first()
        assert detail["partitionColumns"] == columns


def test_what_a_model_does_wrong_is_said(places: Places, tmp_path: Path) -> None:
    """Also where Spark only says that a task has failed."""

    def wrong(frame: Any, params: Any) -> Any:
        return pd.Series(frame["a"] if frame["a"].max() > 3 else frame["a"].astype(str))

    places.model = save_function(tmp_path / "wrong", wrong, SIGNATURE)
    batch = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = places.spark.conf.get(batch)
    places.spark.conf.set(batch, "2")
    try:
        with pytest.raises(SourceError, match=r"\$outputs.name: type") as raised:
            places.fill().score(aside=True)
    finally:
        places.spark.conf.set(batch, before)
    assert raised.value.__cause__ is not raised.value
    assert not list(Path(places.bad).glob("_spark_sig/*"))


@pytest.mark.slow
def test_rows_to_be_scored_are_not_reprocessed(places: Places) -> None:
    """They would lie among the others without a prediction."""
    places.fill(null=True).score(aside=True)
    optional = ModelSignature(Schema([ColSpec("long", "a", required=False)]))
    with pytest.raises(SignatureError, match="were to be scored by a model"):
        reprocess(places.bad, optional, conformed=places.out)
    # as its error says
    places.spark.sql(f"UPDATE delta.`{places.bad}` SET a = 5")
    places.source = places.bad
    report = places.score(keep=["a", "id"])
    assert report.conforms
    assert places.ids(places.out) == list(range(30))


@pytest.mark.slow
def test_the_ledger_remembers_the_inputs(places: Places, tmp_path: Path) -> None:
    places.fill(null=False)
    ledger = str(tmp_path / "ledger")
    first = places.score(ledger=ledger, stats=False)
    assert first.evidence.files_read
    places.fill(start=30)
    second = places.score(ledger=ledger, stats=False, mode="overwrite")
    assert second.evidence.files_read is not None
    assert second.evidence.files_read < len(
        places.spark.read.format("delta").load(places.source).inputFiles()
    )
    assert places.ids(places.out) == list(range(60))


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command(places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places.fill(null=True)
    flags = {"model": places.model, "table": places.source, "out": places.out}
    target = tmp_path / "report.json"

    def run(**more: Any) -> tuple[int, str]:
        code = run_score({**flags, **more}, None, lambda: places.spark)
        told = capsys.readouterr()
        return code, told.out + told.err

    code, told = run(preflight=True)
    assert (code, told.splitlines()[0]) == (0, "compatible: rows may be read")
    anything = ModelSignature(Schema([ColSpec(AnyType(), "a")]), SIGNATURE.outputs)
    odd = {"model": save_function(tmp_path / "any", named, anything), "table": "intervals"}
    places.spark.sql("SELECT INTERVAL '1' DAY AS a").createOrReplaceTempView("intervals")
    code, told = run(preflight=True, **odd)
    assert (code, "cannot be shipped to Python" in told) == (3, True)
    code, told = run(report=str(target))
    assert (code, "nothing was written: 1 rows violate" in told) == (3, True)
    assert not Report.from_dict(json.loads(target.read_text())).conforms
    code, told = run(quarantine=places.bad, params='{"every": 10}', max_violations="20%")
    assert code == 0
    assert len(places.rows(places.bad)) == 4
    for more, words in (
        ({"params": '{"every": "x"}'}, "$.params.every"),
        ({"params": "[]"}, "a JSON object"),
        ({"model": str(tmp_path)}, "holds no model"),
        ({"max_violations": "1%"}, "without --quarantine"),
        ({"preflight": True, "report": str(target)}, "report does not go with --preflight"),
        ({"preflight": True, "openlineage": True}, "openlineage does not go with"),
        ({"keep": ["gone"], "quarantine": places.bad}, "no column 'gone'"),
    ):
        code, told = run(**more)
        assert (code, words in told) == (2, True), told
    code, told = run(table=str(tmp_path / "nowhere"))
    assert code == 1


@pytest.mark.slow
def test_the_job(places: Places, root: Path, tmp_path: Path) -> None:
    """As users run it: by spark-submit, in a process of its own."""
    places.fill(null=True)
    report = tmp_path / "report.json"
    arguments = ["--model", places.model, "--table", places.source, "--out", places.out]
    arguments += ["--quarantine", places.bad, "--report", str(report), "--keep", "id"]
    done = submit(root, "jobs/score.py", *arguments)
    assert done.returncode == 3, done.stderr
    assert places.ids(places.out) == [id for id in range(30) if id != 5]
    assert places.ids(places.bad) == [5]
    assert Report.from_dict(json.loads(report.read_text())).rows.violating == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cluster", "connect"])
def test_where_workers_do_not_see_the_drivers_files(kind: str, tmp_path: Path) -> None:
    """Models are shipped, each worker finds its own, and none is taken for another."""
    seen = answer(sys.executable, "-m", "tests.scoring", kind, str(tmp_path), timeout=500)
    conforming = [float(id) for id in range(10) if id != 4]
    for name, factor in (("doubled", 2), ("thrice", 3)):
        assert seen[name] == [[[x, x * factor] for x in conforming], [4]]
    assert seen["levels"] == ["compatible", "compatible"]
    assert seen["guarded"] == 9
    assert seen["first"] == seen["again"] == [10, 1, 9, 1]
