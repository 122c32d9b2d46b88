"""Runs that broke off: what became of them since, and what others are told of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spark_sig import Policy
from spark_sig.delta import commits
from spark_sig.errors import SourceError
from spark_sig.quarantine import records
from spark_sig.quarantine.runs import Runs
from tests.transfers import NEWER, Tables, crash, fitting, violating

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Landing(Tables):
    """A source that is written anew each day."""

    def land(self, start: int, end: int) -> None:
        self.rows(start, end).write.format("delta").mode("overwrite").save(str(self.source))

    def numbers(self, path: Path) -> list[int | None]:
        return sorted((row["b"] for row in self.read(path)), key=lambda b: (b is None, b))


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Landing:
    return Landing(spark, tmp_path)


@pytest.mark.slow
def test_a_run_whose_rows_were_all_reprocessed_is_finished(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.land(0, 4)  # of which the last one is NULL
    crash(monkeypatch, 1, lambda: tables.run())
    tables.reprocess(NEWER)
    assert (tables.numbers(tables.good), tables.read(tables.bad)) == ([None], [])
    tables.land(20, 22)
    report = tables.run()
    assert report.rows.total == 2
    (remark,) = report.warnings
    assert remark.endswith("begun at version 1, was finished first")
    assert tables.numbers(tables.good) == [0, 1, 2, 20, 21, None]


@pytest.mark.slow
@pytest.mark.parametrize("end", [20, pytest.param(4, marks=pytest.mark.slow)])
def test_a_run_of_which_rows_were_reprocessed_is_finished_whatever_rows_of_others_are_deleted(
    tables: Landing, monkeypatch: pytest.MonkeyPatch, end: int
) -> None:
    """Of the one some rows were, of the other all."""
    tables.run(run_id="other")
    tables.land(0, end)
    crash(monkeypatch, 1, lambda: tables.run(run_id="once"))
    tables.reprocess(NEWER, run_id="once")
    tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE _run_id = 'other'")
    assert tables.run(run_id="once").rows.total == end
    moved = [None] * len(range(3, end, 10))
    assert tables.numbers(tables.good) == [*fitting((0, 20), (0, end)), *moved]


@pytest.mark.slow
def test_a_quarantine_of_two_tables_hides_no_run_that_is_lost(
    tables: Landing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What replaces its rows in the quarantine has left the other table alone."""
    crash(monkeypatch, 1, lambda: tables.run(run_id="lost"))
    other = tables.rows(40, 44)
    tables.run(data=other, run_id="other", conformed=tmp_path / "theirs", mode="overwrite")
    tables.add(20, 22)
    (remark,) = tables.run(run_id="next").warnings
    assert "the run lost was not finished, and cannot be" in remark


@pytest.mark.slow
def test_rows_that_are_lost_are_said_to_be(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(run_id="first"))
    tables.spark.sql(f"RESTORE delta.`{tables.bad}` TO VERSION AS OF 0")
    tables.land(20, 40)
    (remark,) = tables.run().warnings
    assert "the run first was not finished, and its rows were taken out" in remark
    tables.land(40, 60)
    assert not tables.run().warnings  # said once


@pytest.mark.slow
def test_a_run_that_cannot_be_read_any_more_can_be_left(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run())
    old = list(tables.source.glob("*.parquet"))
    tables.land(20, 40)
    for file in old:
        file.unlink()
    for _ in range(2):
        with pytest.raises(SourceError, match=r"with version 0, is taken .* an id of its own"):
            tables.run()
    (remark,) = tables.run(run_id="second").warnings
    assert "its rows that conform are in neither table; repeat it" in remark
    tables.land(40, 60)
    assert tables.run().rows.total == 20
    assert tables.held()[0] == fitting((20, 60))


@pytest.mark.slow
def test_what_a_run_ends_by_its_own_rows_is_said(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(run_id="first", mode="overwrite"))
    for name in ("second", None):
        (remark,) = tables.run(run_id=name, mode="append").warnings
        assert "the run first, with other rules, was not finished, and cannot be" in remark
    with pytest.raises(SourceError, match="has written to the tables since"):
        tables.run(run_id="first", mode="overwrite")
    # what replaces all rows leaves nothing to say
    assert not tables.run(run_id="third", mode="overwrite").warnings
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_runs_that_have_names_are_told_too(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(run_id="monday"))
    tables.land(20, 40)
    (remark,) = tables.run(run_id="tuesday").warnings
    assert remark.startswith("the run monday was not finished")
    # it is left to whoever names it, as somebody has gone on without it
    assert tables.run().rows.total == 20
    assert tables.run(run_id="monday").rows.total == 20
    assert tables.held()[0] == fitting((0, 20), (20, 40), (20, 40))


@pytest.mark.slow
@pytest.mark.parametrize("run_id", ["once", pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize("anew", ["DROP", pytest.param("REPLACE", marks=pytest.mark.slow)])
def test_rows_are_not_quarantined_twice_where_the_other_table_is_made_anew(
    tables: Landing, monkeypatch: pytest.MonkeyPatch, run_id: str | None, anew: str
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(run_id=run_id))
    if anew == "DROP":
        shutil.rmtree(tables.good)
    else:
        good = f"delta.`{tables.good}`"
        tables.spark.sql(f"CREATE OR REPLACE TABLE {good} USING delta AS SELECT * FROM {good}")
    for _ in range(2):
        with pytest.raises(SourceError, match="was made anew, and has rows in the quarantine"):
            tables.run(run_id=run_id)
    tables.spark.sql(f"DELETE FROM delta.`{tables.bad}`")
    assert not tables.run(run_id=run_id).warnings
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_a_call_that_can_be_finished_is_not_abandoned_for_another_one(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    crash(monkeypatch, 2, lambda: tables.reprocess(NEWER))
    other = Policy(casts="lossless", nan="reject")
    with pytest.raises(SourceError, match="repeat it first"):
        tables.reprocess(NEWER, policy=other, abandon=True)
    tables.reprocess(NEWER)
    tables.reprocess(NEWER, policy=other, abandon=True)
    assert tables.numbers(tables.good) == [*fitting((0, 20)), None, None]


@pytest.mark.slow
def test_runs_that_the_history_no_longer_has_are_said(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run(run_id="whole")
    crash(monkeypatch, 1, lambda: tables.run(run_id="half"))
    with monkeypatch.context() as patch:
        patch.setattr(commits, "_history", lambda *_: iter(()))
        with pytest.raises(SourceError, match=r"whole was finished before, .* nothing left to"):
            tables.run(run_id="whole")
        with pytest.raises(SourceError, match="takes it for written: delete those whose _run_id"):
            tables.run(run_id="half")
    older = records.commits_after

    def shorter(spark: SparkSession, path: str, version: int) -> list[commits.Commit]:
        found = older(spark, path, version)
        return [commit for commit in found if commit.record["run_id"] != "half"]

    monkeypatch.setattr(records, "commits_after", shorter)
    (remark,) = tables.run(run_id="next").warnings
    assert remark.startswith(
        "the run half was not finished, and the quarantine's history no longer"
    )
    tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE _run_id = 'half'")
    assert not tables.run(run_id="last").warnings


@pytest.mark.slow
def test_what_is_not_known_of_other_runs_is_said(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(run_id="monday"))

    def fails(_: Runs) -> None:
        raise SourceError("out of reach")

    monkeypatch.setattr(Runs, "left", fails)
    (remark,) = tables.run(run_id="tuesday").warnings
    assert remark.endswith("have left to do cannot be said: out of reach")
    assert tables.held() == (fitting((0, 20)), violating((0, 20), (0, 20)))


@pytest.mark.slow
def test_a_run_without_rows_of_a_source_that_was_replaced_is_not_said(
    tables: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.land(0, 3)
    crash(monkeypatch, 1, lambda: tables.run(run_id="monday"))
    name = f"delta.`{tables.source}`"
    tables.spark.sql(f"CREATE OR REPLACE TABLE {name} USING delta AS SELECT * FROM {name}")
    assert not tables.run(run_id="tuesday").warnings
