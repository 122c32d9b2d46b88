"""Conforming: every row ends in one of two tables, once, however often a run breaks off."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import (
    ColSpec,
    ModelSignature,
    Policy,
    Report,
    Schema,
    SignatureError,
    validate,
)
from spark_sig.errors import SourceError
from spark_sig.quarantine import batch, transfer
from tests.transfers import (
    LOSSLESS,
    RANDOM,
    WANTED,
    Tables,
    age,
    crash,
    fitting,
    slow,
    staged_folders,
    violating,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    return Tables(spark, tmp_path)


@pytest.mark.parametrize("engine", ["auto", slow("arrow")])
def test_every_row_goes_to_one_of_two_tables(tables: Tables, engine: Any) -> None:
    report = tables.run(engine=engine)
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))
    same = validate(tables.source, WANTED, policy=LOSSLESS)
    assert report == same
    assert (report.rows.total, report.rows.violating, report.conforms) == (20, 4, False)
    assert report.transfer is not None
    assert report.transfer.conformed is not None
    assert report.transfer.quarantine is not None
    assert (report.transfer.conformed.rows, report.transfer.quarantine.rows) == (16, 4)
    good = tables.spark.read.format("delta").load(str(tables.good))
    assert [(f.name, f.dataType.simpleString()) for f in good.schema.fields] == [
        ("b", "int"),
        ("t", "string"),
    ]
    assert Report.from_dict(report.to_dict()) == report
    assert Report.from_dict(report.to_dict()).transfer == report.transfer
    assert "4 rows in" in report.to_text()


@pytest.mark.slow
def test_the_quarantine_keeps_the_row_and_says_why(tables: Tables) -> None:
    report = tables.run()
    before = {row["id"]: row.asDict(recursive=True) for row in tables.read(tables.source)}
    for row in tables.read(tables.bad):
        found = row.asDict(recursive=True)
        violations = found.pop("_violations")
        said = {name: found.pop(name) for name in list(found) if name.startswith("_")}
        assert found == before[row["id"]]
        assert violations == [
            {
                "path": "$.b",
                "code": "null" if row["id"] % 10 == 3 else "cast",
                "expected": "integer (required)" if row["id"] % 10 == 3 else "integer",
                "observed": "null" if row["id"] % 10 == 3 else "out-of-range long",
            }
        ]
        assert report.transfer is not None
        assert report.transfer.conformed is not None
        assert said == {
            "_signature": WANTED.fingerprint,
            "_source": str(tables.source),
            "_source_id": report.source.table_id,
            "_source_version": 0,
            "_target_id": report.transfer.conformed.table_id,
            "_run_id": report.transfer.run_id,
        }


@pytest.mark.slow
def test_a_run_that_is_repeated_writes_nothing(tables: Tables) -> None:
    first, second = tables.run(), tables.run()
    (remark,) = second.warnings
    assert "was finished before" in remark
    assert first == replace(second, warnings=())
    assert first.transfer == second.transfer
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run_id", "commits"),
    [(None, 1), slow(None, 0), slow("monday", 0), slow("monday", 1)],
)
def test_a_run_that_broke_off_reads_the_version_that_it_had_begun_with(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, commits: int, run_id: str | None
) -> None:
    crash(monkeypatch, commits, lambda: tables.run(run_id=run_id))
    tables.add(20, 40)
    report = tables.run(run_id=run_id)
    named = commits and run_id
    assert report.source.version == (0 if named else 1)
    assert bool(report.warnings) is bool(commits)
    ranges = ([(0, 20)] if commits else []) + ([] if named else [(0, 40)])
    assert tables.held() == (fitting(*ranges), violating(*ranges))
    # what has come since is another run, which follows by itself where neither has a name
    if commits:
        report = tables.run(run_id=run_id and "tuesday")
        assert report.source.version == 1
        assert tables.held() == (fitting((0, 20), (0, 40)), violating((0, 20), (0, 40)))


# -- what has no versions ------------------------------------------------------------------------


@pytest.mark.slow
def test_no_row_of_a_frame_that_changes_falls_between_the_tables(tables: Tables) -> None:
    frame = tables.spark.range(0, 1_000, 1, 4).selectExpr(*RANDOM)
    report = tables.run(data=frame, run_id="once")
    good, bad = tables.held()
    assert sorted(good + bad) == list(range(1_000))
    assert len(bad) > 300
    assert report.rows == type(report.rows)(1_000, len(good), len(bad))
    assert (report.expected_rows, report.complete) == (1_000, True)
    assert not staged_folders(tables)
    # and under the same name nothing more is written
    again = tables.run(data=frame, run_id="once")
    assert again.transfer == report.transfer
    assert tables.held() == (good, bad)
    tables.run(data=frame)
    good, bad = tables.held()
    assert sorted(good + bad) == sorted([*range(1_000), *range(1_000)])


@pytest.mark.slow
@pytest.mark.parametrize("commits", [0, 1, 2])
def test_a_run_of_a_frame_that_broke_off_ends_with_the_rows_that_it_had_begun_with(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    frame = tables.spark.range(0, 100).selectExpr(*RANDOM)
    crash(monkeypatch, commits, lambda: tables.run(data=frame, run_id="once"))
    first = sorted(row["id"] for row in tables.read(tables.bad))
    assert len(staged_folders(tables)) == (1 if commits == 2 else 0)
    if commits == 2:
        with pytest.raises(SourceError, match=r"run once of a DataFrame .* was not finished"):
            tables.run(data=frame)
    tables.run(data=frame, run_id="once")
    good, bad = tables.held()
    assert sorted(good + bad) == list(range(100))
    assert commits < 2 or bad == first
    assert not staged_folders(tables)


@pytest.mark.slow
def test_a_run_of_files_that_broke_off_is_taken_up_again_by_itself(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "files"
    tables.rows(0, 20).write.parquet(str(files))
    crash(monkeypatch, 2, lambda: tables.run(data=files))
    tables.rows(20, 40).write.mode("append").parquet(str(files))
    report = tables.run(data=files)
    assert report.rows.total == 20
    assert any("come to the source since is not in it" in text for text in report.warnings)
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))
    assert tables.run(data=files).rows.total == 40
    assert tables.held() == (fitting((0, 20), (0, 40)), violating((0, 20), (0, 40)))


@pytest.mark.slow
def test_a_run_of_a_view_that_broke_off_is_planned_by_its_copy(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The view may have other columns by then, which would be no findings of the run's."""
    view = "CREATE OR REPLACE TEMP VIEW changing AS SELECT {} FROM delta.`{}`"
    tables.spark.sql(view.format("*", tables.source))
    crash(monkeypatch, 2, lambda: tables.run(data="changing", run_id="once"))
    tables.spark.sql(view.format("CAST(b AS string) AS c, id", tables.source))
    assert tables.run(data="changing", run_id="once").rows.total == 20
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))
    assert not staged_folders(tables)


@pytest.mark.slow
def test_a_finished_run_whose_version_is_gone_still_reports(
    tables: Tables, conf: Callable[[str, str], None]
) -> None:
    tables.run(run_id="first")
    tables.add(20, 40)
    first = tables.run(run_id="once")
    quarantine = f"delta.`{tables.bad}`"
    tables.spark.sql(f"OPTIMIZE {quarantine}")
    conf("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    tables.spark.sql(f"VACUUM {quarantine} RETAIN 0 HOURS")
    again = tables.run(run_id="once")
    assert (again.rows, again.checks) == (first.rows, first.checks)
    tables.spark.sql(f"DELETE FROM {quarantine} WHERE id = 3")
    tables.spark.sql(f"VACUUM {quarantine} RETAIN 0 HOURS")
    left = tables.run(run_id="once")
    assert (left.rows.violating, left.complete, left.conforms) == (7, False, False)
    assert any(text.startswith("1 of the 8 rows that violated") for text in left.warnings)


@pytest.mark.slow
def test_what_was_staged_and_is_gone_is_not_staged_anew(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 2, lambda: tables.run(data=tables.rows(0, 20), run_id="once"))
    for folder in staged_folders(tables):
        shutil.rmtree(folder)
    with pytest.raises(SourceError, match="are gone from"):
        tables.run(data=tables.rows(0, 20), run_id="once")
    assert tables.held() == ([], violating((0, 20)))


@pytest.mark.slow
def test_the_copy_of_a_run_that_cannot_be_finished_is_removed(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tables.rows(0, 20)
    crash(monkeypatch, 2, lambda: tables.run(data=rows, run_id="once"))
    tables.spark.sql(f"UPDATE delta.`{tables.bad}` SET b = 0")
    with pytest.raises(SourceError, match="rows of the quarantine"):
        tables.run(data=rows, run_id="once")
    assert not staged_folders(tables)
    tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE _run_id = 'once'")
    tables.run(data=rows, run_id="twice")
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_what_was_staged_by_a_run_that_wrote_nothing_is_not_written(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(data=tables.rows(0, 20), run_id="once"))
    assert not staged_folders(tables)
    tables.run(data=tables.rows(20, 40), run_id="once")
    assert tables.held() == (fitting((20, 40)), violating((20, 40)))


# -- what other runs have written meanwhile ------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [("overwrite", "overwrite"), slow("append", "overwrite"), slow("overwrite", "append")],
)
def test_a_run_that_another_one_has_overtaken_is_not_finished(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(run_id="first", mode=first))
    tables.run(run_id="second", mode=second)
    before = tables.held()
    with pytest.raises(SourceError, match="the run second has written to the tables since"):
        tables.run(run_id="first", mode=first)
    assert tables.held() == before
    tables.run(run_id="third", mode="overwrite")
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_runs_that_only_append_do_not_mind_each_other(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(run_id="first"))
    tables.run(run_id="second")
    tables.run(run_id="first")
    assert tables.held() == (fitting((0, 20), (0, 20)), violating((0, 20), (0, 20)))


@pytest.mark.slow
@pytest.mark.parametrize("mode", [slow("append"), "overwrite"])
def test_runs_that_cross_do_not_both_say_that_they_are_finished(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The second one does all of its work while the first one writes its second table."""
    real, turns = transfer.write_once, list[str]()

    def write(rows: Any, path: str, *given: Any, **named: Any) -> None:
        if path.endswith("good") and not turns:
            turns.append("second")
            tables.run(run_id="second", mode="overwrite")
        real(rows, path, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "write_once", write)
        with pytest.raises(SourceError, match="the runs first and second were written at the same"):
            tables.run(run_id="first", mode=mode)
    # and it says so again
    with pytest.raises(SourceError, match="the runs first and second were written at the same"):
        tables.run(run_id="first", mode=mode)
    tables.run(run_id="third", mode="overwrite")
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
@pytest.mark.parametrize("run_id", [slow("once"), None])
@pytest.mark.parametrize(
    "change",
    [
        "RESTORE {} TO VERSION AS OF 0",
        slow("DELETE FROM {} WHERE id = 3"),
        slow("UPDATE {} SET b = 1"),
    ],
)
def test_a_run_whose_rows_were_undone_is_not_finished(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, change: str, run_id: str | None
) -> None:
    """A table that is restored still knows which transactions it had."""
    crash(monkeypatch, 1, lambda: tables.run(run_id=run_id))
    tables.spark.sql(change.format(f"delta.`{tables.bad}`"))
    for _ in range(2):
        with pytest.raises(SourceError, match="were changed since: delete those whose _run_id is"):
            tables.run(run_id=run_id)
    assert tables.held()[0] == []
    tables.spark.sql(f"DELETE FROM delta.`{tables.bad}`")
    tables.add(20, 40)
    tables.run()
    assert tables.held() == (fitting((0, 40)), violating((0, 40)))


@pytest.mark.slow
def test_rows_of_other_runs_may_be_deleted(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    tables.run(run_id="first")
    crash(monkeypatch, 1, lambda: tables.run(run_id="second"))
    tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE _run_id = 'first'")
    tables.run(run_id="second")
    assert tables.held() == (fitting((0, 20), (0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_a_run_of_a_table_that_was_replaced_is_not_made_anew(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CREATE OR REPLACE makes another table of the same name."""
    crash(monkeypatch, 1, lambda: tables.run(run_id="once"))
    table = f"delta.`{tables.source}`"
    tables.spark.sql(f"CREATE OR REPLACE TABLE {table} USING delta AS SELECT * FROM {table}")
    with pytest.raises(SourceError, match="that another one has replaced"):
        tables.run(run_id="once")
    (remark,) = tables.run().warnings
    assert "the run once was begun with a table that this one has replaced" in remark
    tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE _run_id = 'once'")
    tables.run(run_id="once")
    assert tables.held() == (fitting((0, 20), (0, 20)), violating((0, 20), (0, 20)))


@pytest.mark.slow
def test_a_run_that_another_one_has_replaced_says_that_it_was_finished(
    tables: Tables, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    tables.rows(20, 40).write.format("delta").save(str(other))
    assert not tables.run(mode="overwrite").warnings
    tables.run(data=other, mode="overwrite")
    (remark,) = tables.run(mode="overwrite").warnings
    assert "was finished before" in remark
    assert tables.held() == (fitting((20, 40)), violating((20, 40)))
    assert not tables.run(mode="overwrite", run_id="again").warnings
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_runs_replace_partitions_beside_one_another(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those of other partitions; of the same ones only one can be finished."""
    part = {day: tmp_path / f"day{day}" for day in range(2)}
    for day, path in part.items():
        rows = tables.rows(0, 20).where(f"p = {day}").withColumnRenamed("l", "list")
        rows.write.format("delta").partitionBy("p").save(str(path))
    keep = {"mode": "replace-partitions", "policy": Policy(casts="lossless", extra="keep")}
    crash(monkeypatch, 1, lambda: tables.run(data=part[0], run_id="first", **keep))
    tables.run(data=part[1], run_id="second", **keep)
    tables.run(data=part[0], run_id="first", **keep)
    chosen = [i for i in range(20) if i % 3 < 2]
    assert tables.held() == tuple(
        [i for i in chosen if i in rows] for rows in (fitting((0, 20)), violating((0, 20)))
    )
    crash(monkeypatch, 1, lambda: tables.run(data=part[0], run_id="third", **keep))
    tables.run(data=part[0], run_id="fourth", **keep)
    with pytest.raises(SourceError, match="the run fourth has written"):
        tables.run(data=part[0], run_id="third", **keep)


@pytest.mark.slow
def test_a_run_of_an_old_version_is_finished(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run())
    tables.add(20, 40)
    age(tables.source)
    report = tables.run()
    assert report.rows.total == 40
    assert report.warnings[0].endswith("begun at version 0, was finished first")
    for table in (tables.good, tables.bad):
        age(table)
    assert tables.run().rows.total == 40
    assert tables.held() == (fitting((0, 20), (0, 40)), violating((0, 20), (0, 40)))


@pytest.mark.slow
def test_a_run_that_cannot_be_finished_is_in_nobody_s_way(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(mode="overwrite"))
    tables.run(run_id="second", mode="overwrite")
    tables.add(20, 40)
    report = tables.run(mode="overwrite")
    assert (report.rows.total, report.warnings) == (40, ())
    assert tables.held() == (fitting((0, 40)), violating((0, 40)))


@pytest.mark.slow
def test_a_run_of_other_rules_is_left_and_said_to_be(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(monkeypatch, 1, lambda: tables.run(run_id="first"))
    other = Policy(casts="lossless", nan="reject")
    report = tables.run(policy=other)
    (remark,) = report.warnings
    assert "the run first, with other rules, was not finished" in remark
    assert tables.run(run_id="first").rows.total == 20
    (remark,) = tables.run(policy=other).warnings
    assert "was finished before" in remark


@pytest.mark.slow
def test_versions_are_run_beside_one_another(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.add(20, 40)
    crash(monkeypatch, 1, lambda: tables.run(version=0))
    assert tables.run(version=1).rows.total == 40
    assert tables.run(version=0).rows.total == 20
    assert tables.held() == (fitting((0, 20), (0, 40)), violating((0, 20), (0, 40)))


@pytest.mark.slow
def test_one_run_id_may_be_that_of_runs_into_two_tables(tables: Tables, tmp_path: Path) -> None:
    first = tables.run(run_id="same")
    other = tables.run(run_id="same", conformed=tmp_path / "other")
    assert first.rows == other.rows == tables.run(run_id="same").rows
    assert tables.held() == (fitting((0, 20)), violating((0, 20), (0, 20)))


@pytest.mark.slow
def test_a_refused_run_leaves_the_copy_of_another_one_of_its_name(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is begun, with a copy of its own, after this one has looked for it."""
    frame = tables.rows(0, 20)
    real, turns = batch.stage, list[str]()

    def stage(*given: Any) -> Any:
        if not turns:
            turns.append("other")
            crash(monkeypatch, 2, lambda: tables.run(data=frame, run_id="once"))
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(batch, "stage", stage)
        report = tables.run(data=frame, run_id="once", max_violations=0)
    assert report.transfer is not None
    assert "nothing was written" in report.transfer.note
    tables.run(data=frame, run_id="once")
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
@pytest.mark.parametrize("target", ["good", slow("bad")])
def test_rows_of_a_table_that_keeps_its_rows_are_not_replaced(tables: Tables, target: str) -> None:
    tables.run()
    path = {"good": tables.good, "bad": tables.bad}[target]
    tables.spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.appendOnly' = 'true')")
    with pytest.raises(SignatureError, match="none of its rows may be replaced"):
        tables.run(mode="overwrite")
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))
    tables.add(20, 40)
    tables.run()


@pytest.mark.slow
def test_partitions_are_those_of_the_source_however_they_are_spelt(
    tables: Tables, tmp_path: Path
) -> None:
    source = tmp_path / "parted"
    rows = tables.rows(0, 30).withColumnRenamed("p", "P")
    rows.write.format("delta").partitionBy("P").save(str(source))
    policy = Policy(casts="lossless", case="insensitive")
    for _ in range(2):
        tables.run(PARTS, data=source, mode="replace-partitions", policy=policy)
        tables.spark.sql(f"OPTIMIZE delta.`{source}`")
    assert tables.held() == (fitting((0, 30)), violating((0, 30)))


@pytest.fixture
def conf(spark: SparkSession) -> Iterator[Callable[[str, str], None]]:
    """Sets a conf of the session for as long as a test runs."""
    changed: list[str] = []

    def change(name: str, value: str) -> None:
        spark.conf.set(name, value)
        changed.append(name)

    yield change
    for name in changed:
        spark.conf.unset(name)


@pytest.mark.slow
def test_overwrite_means_all_partitions_whatever_the_session_says(
    tables: Tables, tmp_path: Path, conf: Callable[[str, str], None]
) -> None:
    source = tmp_path / "parted"
    tables.rows(0, 30).write.format("delta").partitionBy("p").save(str(source))
    tables.run(PARTS, data=source)
    conf("spark.sql.sources.partitionOverwriteMode", "dynamic")
    tables.spark.sql(f"DELETE FROM delta.`{source}` WHERE p <> 1 OR b IS NULL OR b > 100")
    tables.run(PARTS, data=source, mode="overwrite")
    assert tables.held() == ([i for i in fitting((0, 30)) if i % 3 == 1], [])


PARTS = ModelSignature(inputs=Schema([ColSpec("integer", "b"), ColSpec("integer", "p")]))


def test_commits_have_to_count_their_rows(tables: Tables, conf: Callable[[str, str], None]) -> None:
    conf("spark.databricks.delta.history.metricsEnabled", "false")
    with pytest.raises(SourceError, match="metricsEnabled is false"):
        tables.run()
    assert not tables.bad.exists()


@pytest.mark.slow
def test_a_quarantine_of_other_columns_in_another_order(tables: Tables) -> None:
    extra = (
        tables.rows(0, 0)
        .selectExpr("CAST(NULL AS int) AS z", "*")
        .select("z", "p", "id", "b", "t", "l")
    )
    extra.selectExpr("*", *ADDED).write.format("delta").save(str(tables.bad))
    report = tables.run()
    assert [check.path for check in report.checks if check.violated] == ["$.b", "$.b"]
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


ADDED = [
    "CAST(NULL AS array<struct<path: string, code: string, expected: string, observed: string>>) "
    "AS _violations",
    *(f"CAST(NULL AS string) AS {name}" for name in ("_signature", "_source", "_source_id")),
    "CAST(NULL AS bigint) AS _source_version",
    "CAST(NULL AS string) AS _target_id",
    "CAST(NULL AS string) AS _run_id",
]


@pytest.mark.slow
def test_files_that_the_log_does_not_count(
    tables: Tables, tmp_path: Path, conf: Callable[[str, str], None]
) -> None:
    source = tmp_path / "uncounted"
    conf("spark.databricks.delta.stats.collect", "false")
    tables.rows(0, 20).write.format("delta").save(str(source))
    report = tables.run(data=source)
    assert (report.rows.total, report.complete) == (20, True)


@pytest.mark.slow
def test_a_table_that_forgets_commits_is_refused(tables: Tables) -> None:
    tables.run()
    table = f"delta.`{tables.good}`"
    forgets = "'delta.setTransactionRetentionDuration' = 'interval 1 day'"
    tables.spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ({forgets})")
    with pytest.raises(SignatureError, match="it forgets commits"):
        tables.run(run_id="again")


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "most", [*(pytest.param(n, marks=pytest.mark.slow) for n in (3, 0)), "19%"]
)
def test_nothing_is_written_where_too_many_rows_violate(tables: Tables, most: Any) -> None:
    report = tables.run(max_violations=most)
    assert report.transfer is not None
    assert report.transfer.conformed is None
    assert "4 rows violate, more than" in report.transfer.note
    assert not tables.good.exists()
    assert not tables.bad.exists()
    report = tables.run(data=tables.rows(0, 20), run_id="once", max_violations=most)
    assert "4 rows violate" in report.transfer.note  # type: ignore[union-attr]
    assert tables.held() == ([], [])
    assert not staged_folders(tables)


@pytest.mark.slow
@pytest.mark.parametrize("most", [slow(4), "20%"])
def test_rows_are_written_where_no_more_violate_than_may(tables: Tables, most: Any) -> None:
    tables.run(max_violations=most)
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.parametrize("most", ["x", "101%", -1, "-1%", True, 1.5, ""])
def test_what_is_no_number_of_violations_is_refused(tables: Tables, most: Any) -> None:
    with pytest.raises(SignatureError, match="the most violations"):
        tables.run(max_violations=most)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["table", "frame"])
@pytest.mark.parametrize("columns", ["b INT, t STRING", "b INT, t VARCHAR(2)"])
def test_rows_that_a_target_does_not_take_are_refused_before_anything_is_written(
    tables: Tables, columns: str, data: str
) -> None:
    """A run that has its first commit could not be finished."""
    from pyspark.sql.functions import expr

    good = f"delta.`{tables.good}`"
    tables.spark.sql(f"CREATE TABLE {good} ({columns}) USING delta")
    wide = "VARCHAR" in columns
    if not wide:
        tables.spark.sql(f"ALTER TABLE {good} ADD CONSTRAINT small CHECK (b < 19)")
    rows = tables.rows(0, 20).withColumn("t", expr("IF(id = 19, 'secret', NULL)"))
    rows.write.format("delta").mode("overwrite").save(str(tables.source))
    source = None if data == "table" else rows
    broken = r"\$\.t VARCHAR\(2\)" if wide else r"CHECK small \(b < 19\)"
    with pytest.raises(SignatureError, match=f"they break {broken}") as refused:
        tables.run(data=source, run_id="once")
    assert "secret" not in str(refused.value)
    assert not tables.read(tables.good)
    assert not tables.bad.exists() or not tables.read(tables.bad)
    assert not staged_folders(tables)
    fewer = rows.where("id < 19")
    assert tables.run(data=fewer, run_id="once").rows.total == 19


def test_types_that_do_not_fit_write_nothing(tables: Tables) -> None:
    report = tables.run(ModelSignature(inputs=Schema([ColSpec("integer", "missing")])))
    assert report.transfer is not None
    assert report.transfer.note == "nothing was written: the types do not fit"
    assert not tables.good.exists()


@pytest.mark.parametrize("which", ["good", "bad"])
def test_a_table_that_does_not_fit_is_refused_before_anything_is_written(
    tables: Tables, which: str
) -> None:
    path = getattr(tables, which)
    tables.spark.sql("SELECT 1L AS b, 'x' AS t").write.format("delta").save(str(path))
    with pytest.raises(SignatureError, match="does not fit") as caught:
        tables.run()
    assert "$.b is bigint there, and int here" in str(caught.value) or "it has no $.id" in str(
        caught.value
    )
    other = tables.bad if which == "good" else tables.good
    assert not other.exists()
    assert len(tables.read(path)) == 1


def test_the_tables_must_be_two_and_none_of_them_the_source(tables: Tables) -> None:
    with pytest.raises(SignatureError, match="must go to two tables"):
        tables.run(conformed=tables.bad)
    with pytest.raises(SignatureError, match="cannot be written to the table"):
        tables.run(conformed=tables.source)


@pytest.mark.slow
def test_a_run_id_is_of_one_set_of_rules(tables: Tables) -> None:
    tables.run(run_id="monday")
    with pytest.raises(SignatureError, match="begun with another policy"):
        tables.run(run_id="monday", policy=Policy(casts="lossless", nulls="allow"))
    tables.add(20, 40)
    with pytest.raises(SignatureError, match="begun at version 0"):
        tables.run(run_id="monday", version=1)
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


def test_columns_of_names_that_the_quarantine_adds_are_refused(tables: Tables) -> None:
    with pytest.raises(SignatureError, match="_RUN_ID"):
        tables.run(data=tables.rows(0, 3).selectExpr("*", "1 AS _RUN_ID"))


@pytest.mark.slow
def test_names_that_parquet_does_not_take(tables: Tables) -> None:
    frame = tables.rows(0, 20).selectExpr("b AS `a b`", "named_struct('x,y', id) AS `s=`", "id")
    wanted = ModelSignature(inputs=Schema([ColSpec("integer", "a b")]))
    tables.run(wanted, data=frame, run_id="once")
    found = {row["id"]: row["s="]["x,y"] for row in tables.read(tables.bad)}
    assert found == {i: i for i in violating((0, 20))}


# -- what was in the tables ----------------------------------------------------------------------


@pytest.mark.slow
def test_overwrite_takes_the_place_of_what_was_there(tables: Tables) -> None:
    tables.run()
    tables.add(20, 40)
    tables.run(mode="overwrite", version=1)
    assert tables.held() == (fitting((0, 40)), violating((0, 40)))
    # repeated it is a run that is done
    tables.add(40, 60)
    tables.run()
    tables.run(mode="overwrite", version=1)
    assert tables.held() == (fitting((0, 40), (0, 60)), violating((0, 40), (0, 60)))


PARTED = ModelSignature(
    inputs=Schema(
        [ColSpec("integer", "b"), ColSpec("integer", "p"), ColSpec("integer", "q", False)]
    )
)


@pytest.mark.slow
def test_partitions_of_the_source_are_replaced_in_both_tables(
    tables: Tables, tmp_path: Path
) -> None:
    from pyspark.sql.functions import expr

    source = tmp_path / "parted"

    def write(rows: DataFrame) -> None:
        writer = rows.write.format("delta").partitionBy("p", "q").mode("overwrite")
        writer.option("overwriteSchema", "true").save(str(source))

    write(tables.rows(0, 30).withColumn("q", expr("IF(p = 2, NULL, p)")))
    run = partial(tables.run, PARTED, data=source, mode="replace-partitions")
    run()
    good = tables.spark.read.format("delta").load(str(tables.good))
    bad = tables.spark.read.format("delta").load(str(tables.bad))
    first = {p: sorted(r["b"] for r in good.where(f"p = {p}").collect()) for p in range(3)}
    assert first == {p: [i for i in fitting((0, 30)) if i % 3 == p] for p in range(3)}
    # The new version has one partition with rows that conform alone, and one with NULL.
    write(
        tables.rows(100, 130)
        .withColumn("q", expr("IF(p = 2, NULL, p)"))
        .where("p = 2 OR p = 1 AND id % 10 = 5")
    )
    run()
    assert {p: sorted(r["b"] for r in good.where(f"p = {p}").collect()) for p in range(3)} == {
        0: [i for i in fitting((0, 30)) if i % 3 == 0],
        1: [115],
        2: [i for i in fitting((100, 130)) if i % 3 == 2],
    }
    assert {p: sorted(r["id"] for r in bad.where(f"p = {p}").collect()) for p in range(3)} == {
        0: [i for i in violating((0, 30)) if i % 3 == 0],
        1: [],
        2: [i for i in violating((100, 130)) if i % 3 == 2],
    }


@pytest.mark.slow
def test_partitions_are_replaced_in_tables_that_have_the_same_ones(tables: Tables) -> None:
    with pytest.raises(SignatureError, match="partitioned by the same columns"):
        tables.run(mode="replace-partitions")
    assert not tables.good.exists()  # before anything is made
