"""One of the two tables is dropped, replaced or cleaned: no row is written twice, none is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import SignatureError
from spark_sig.errors import SourceError
from spark_sig.quarantine import transfer
from tests.histories import setting
from tests.test_conform_stream import Stream
from tests.transfers import NEWER, Tables, crash, fitting, slow, violating

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    return Tables(spark, tmp_path)


def make_anew(tables: Tables, path: Path, how: str) -> None:
    """Drop a table, or replace it with the rows that it has."""
    if how == "DROP":
        shutil.rmtree(path)
    else:
        name = f"delta.`{path}`"
        tables.spark.sql(f"CREATE OR REPLACE TABLE {name} USING delta AS SELECT * FROM {name}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run_id", "how"), [("once", "DROP"), slow(None, "DROP"), slow(None, "REPLACE")]
)
def test_rows_that_conform_are_not_written_twice_where_the_quarantine_is_made_anew(
    tables: Tables, run_id: str | None, how: str
) -> None:
    tables.run(run_id=run_id)
    make_anew(tables, tables.bad, how)
    for _ in range(2):
        with pytest.raises(SourceError, match=r"has written rows to .*good \(version 1\) before"):
            tables.run(run_id=run_id)
    assert [row["b"] for row in tables.read(tables.good)].count(0) == 1
    # the next version is none of what is there
    tables.rows(20, 40).write.format("delta").mode("overwrite").save(str(tables.source))
    assert tables.run(run_id="another").rows.total == 20


@pytest.mark.slow
def test_an_older_version_is_not_quarantined_twice_after_a_newer_one(tables: Tables) -> None:
    tables.run()
    tables.add(20, 40)
    shutil.rmtree(tables.good)
    tables.run()
    with pytest.raises(SourceError, match="was made anew, and has rows in the quarantine"):
        tables.run(version=0)
    assert tables.held()[1] == sorted(violating((0, 20)) + violating((0, 40)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "how"), [("good", "REPLACE"), slow("bad", "REPLACE"), slow("bad", "DROP")]
)
def test_a_table_that_is_made_anew_while_it_is_written_to_is_noticed(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, which: str, how: str
) -> None:
    tables.run(run_id="first")
    tables.add(20, 40)
    real = transfer.write_once

    def replacing(frame: Any, path: str, *given: Any, **named: Any) -> None:
        if path.endswith(which):
            make_anew(tables, getattr(tables, which), how)
        real(frame, path, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "write_once", replacing)
        with pytest.raises(SourceError, match="was replaced while the run second wrote to it"):
            tables.run(run_id="second")
    held = tables.held()
    with pytest.raises(SourceError, match=r"before or as the (table|quarantine) .* was made anew"):
        tables.run(run_id="second")
    assert tables.held() == held


@pytest.mark.slow
def test_a_name_is_not_used_with_another_quarantine(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What conforms would be written again; with another table for it the run is another one."""
    other, elsewhere = tables.bad.parent / "other", tables.good.parent / "elsewhere"
    tables.run(run_id="once")
    held = tables.held()
    with pytest.raises(SourceError, match=r"good \(version 1\) with another quarantine"):
        tables.run(run_id="once", quarantine=other)
    assert tables.held() == held
    tables.run(run_id="once", conformed=elsewhere)
    assert [row["b"] for row in tables.read(elsewhere)].count(0) == 1
    # begun with one, and finished with the other one
    crash(monkeypatch, 1, lambda: tables.run(run_id="twice"))
    tables.run(run_id="twice", quarantine=other)
    held = tables.held()
    with pytest.raises(SourceError, match="with another quarantine"):
        tables.run(run_id="twice")
    assert tables.held() == held


@pytest.mark.slow
def test_a_name_is_not_used_again_for_a_source_that_was_replaced(tables: Tables) -> None:
    tables.run(run_id="once")
    make_anew(tables, tables.source, "REPLACE")
    for _ in range(2):
        with pytest.raises(SourceError, match=r"good \(version 1\) from a table that another one"):
            tables.run(run_id="once")
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))
    tables.run(run_id="twice")
    assert tables.run(run_id="once", mode="overwrite").rows.total == 20
    assert tables.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run_id", "commits"), [("once", 1), slow(None, 1), slow("once", 2), slow(None, 2)]
)
def test_rows_that_violate_are_not_written_twice_where_the_quarantine_is_replaced(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, run_id: str | None, commits: int
) -> None:
    """Also where the run was finished, and no row conforms."""
    if commits == 2:
        rows = tables.rows(0, 20).where("id % 10 IN (3, 4)")
        rows.write.format("delta").mode("overwrite").save(str(tables.source))
    crash(monkeypatch, commits, lambda: tables.run(run_id=run_id), raises=commits == 1)
    make_anew(tables, tables.bad, "REPLACE")
    for _ in range(2):
        with pytest.raises(SourceError, match="was made anew, and has rows in the quarantine"):
            tables.run(run_id=run_id)
    assert tables.held() == ([], violating((0, 20)))
    if commits == 1:  # what was not finished is said to others, and can be repeated
        begun = tables.read(tables.bad)[0]["_run_id"]
        (remark,) = tables.run(run_id="other").warnings
        assert "was not finished when one of the tables was replaced" in remark
        tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE _run_id = '{begun}'")
        tables.run(run_id=run_id)
        assert tables.held() == (fitting((0, 20), (0, 20)), violating((0, 20), (0, 20)))


@pytest.mark.slow
def test_tables_of_a_catalog_are_known_by_their_full_names(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that was dropped is the same by a short name, and none of another database."""
    sql, before = tables.spark.sql, tables.spark.catalog.currentDatabase()
    for name in ("one", "two"):
        sql(f"CREATE DATABASE IF NOT EXISTS {name}")
    try:
        sql("USE one")
        crash(monkeypatch, 1, lambda: tables.run(run_id="once", conformed="fits"))
        sql("DROP TABLE fits")
        for name in ("one.fits", "spark_catalog.one.Fits", "fits"):
            with pytest.raises(SourceError, match="was made anew, and has rows in the quarantine"):
                tables.run(run_id="once", conformed=name)
        with pytest.raises(SignatureError, match="must go to two tables"):
            tables.run(conformed="fits", quarantine="ONE.`fits`")
        sql("USE two")
        tables.run(run_id="once", conformed="fits")
        found = sorted(row["b"] for row in tables.spark.table("two.fits").collect())
        assert found == fitting((0, 20))
        assert not tables.spark.catalog.tableExists("one.fits")
    finally:
        sql(f"USE {before}")
        for name in ("one", "two"):
            sql(f"DROP DATABASE {name} CASCADE")


@pytest.mark.slow
def test_what_was_not_finished_when_a_table_was_replaced_is_said(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run(run_id="monday")
    crash(monkeypatch, 1, lambda: tables.run(run_id="tuesday"))
    make_anew(tables, tables.good, "REPLACE")
    tables.rows(20, 40).write.format("delta").mode("overwrite").save(str(tables.source))
    (remark,) = tables.run(run_id="wednesday").warnings
    assert remark.startswith("the run tuesday was not finished when one of the tables")


@pytest.mark.slow
@pytest.mark.parametrize("run", [1, 2])
def test_a_run_of_no_violations_is_not_held_to_rows_of_others(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, run: int
) -> None:
    tables.run(run_id="others")
    clean = tables.source.parent / "clean"
    tables.rows(40, 43).write.format("delta").save(str(clean))
    crash(monkeypatch, run, lambda: tables.run(data=clean, run_id="clean"), raises=run == 1)
    tables.spark.sql(f"UPDATE delta.`{tables.bad}` SET t = 'seen'")
    assert tables.run(data=clean, run_id="clean").rows.total == 3
    assert tables.held()[0] == fitting((0, 20), (40, 43))


@pytest.mark.slow
def test_rows_that_were_moved_are_taken_out_after_vacuum(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    crash(monkeypatch, 2, lambda: tables.reprocess(NEWER))
    bad = f"delta.`{tables.bad}`"
    with setting(tables.spark, "spark.databricks.delta.retentionDurationCheck.enabled", "false"):
        tables.spark.sql(f"OPTIMIZE {bad}")
        tables.spark.sql(f"VACUUM {bad} RETAIN 0 HOURS")
    assert tables.reprocess(NEWER).rows.valid == 2
    assert sorted(row["id"] for row in tables.read(tables.bad)) == [4, 14]
    assert len(tables.read(tables.good)) == 18


@pytest.mark.slow
def test_rows_that_are_moved_to_another_table_than_their_runs_wrote_to_are_said(
    tables: Tables,
) -> None:
    tables.run()
    (remark,) = tables.reprocess(NEWER, conformed=tables.good.parent / "other").warnings
    assert "whose runs wrote what conforms to 1 other tables" in remark


@pytest.mark.parametrize("what", ["source", "folder", "within"])
def test_a_folder_that_is_read_is_not_written_to(tables: Tables, what: str) -> None:
    source = tables.source.parent / "files"
    tables.rows(0, 20).write.parquet(str(source))
    before = sorted(source.iterdir())
    target = {"source": source, "folder": source / "good", "within": tables.bad / "good"}[what]
    refused = "that they come from" if what == "source" else "within another one's folder"
    with pytest.raises(SignatureError, match=refused):
        tables.run(data=source, conformed=target)
    assert sorted(source.iterdir()) == before
    assert not tables.bad.exists()


def test_blanks_count_for_a_length_as_they_do_for_delta(tables: Tables) -> None:
    name = f"delta.`{tables.good}`"
    tables.spark.sql(f"CREATE TABLE {name} (b INT, t VARCHAR(2)) USING delta")
    source = tables.source.parent / "texts"
    tables.spark.sql("SELECT 1L AS b, 'x    ' AS t").write.format("delta").save(str(source))
    with pytest.raises(SignatureError, match=r"they break \$\.t VARCHAR\(2\)"):
        tables.run(data=source)
    assert not tables.bad.exists()


@pytest.mark.slow
def test_a_quarantine_may_ask_for_the_names_of_runs(tables: Tables) -> None:
    tables.run(run_id="day 1")
    bad = f"delta.`{tables.bad}`"
    tables.spark.sql(f"ALTER TABLE {bad} ADD CONSTRAINT named CHECK (_run_id LIKE 'day %')")
    tables.add(20, 40)
    with pytest.raises(SignatureError, match="CHECK named"):
        tables.run(run_id="night")
    assert tables.run(run_id="day 2").rows.violating == 8


def test_a_name_that_is_empty_is_none(tables: Tables) -> None:
    with pytest.raises(SignatureError, match="a run has to have a name"):
        tables.run(run_id="")


@pytest.mark.slow
@pytest.mark.parametrize(("commits", "table"), [(2, "good"), (3, "bad")])
def test_a_batch_is_not_written_twice_where_a_table_is_made_anew(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    commits: int,
    table: str,
) -> None:
    """A stage, the quarantine and the other table: three commits a batch."""
    stream = Stream(spark, tmp_path)
    real = stream.sink()

    def until(rows: Any, batch: int) -> None:
        crash(monkeypatch, commits, lambda: real(rows, batch), raises=commits < 3)
        raise RuntimeError("killed before the checkpoint knows")

    with pytest.raises(Exception, match="killed"):
        stream.go(until)  # type: ignore[arg-type]
    shutil.rmtree(getattr(stream, table))
    with pytest.raises(Exception, match="made anew"):
        stream.go()


@pytest.mark.slow
@pytest.mark.parametrize("table", ["good", "bad"])
def test_batches_follow_one_another_where_a_table_was_made_anew(
    spark: SparkSession, tmp_path: Path, table: str
) -> None:
    stream = Stream(spark, tmp_path)
    stream.go()
    shutil.rmtree(getattr(stream, table))
    stream.add(20, 40)
    stream.go()
    stream.add(40, 60)
    stream.go()
    held = [fitting((0, 60)), violating((0, 60))]
    held[["good", "bad"].index(table)] = [fitting((20, 60)), violating((20, 60))][table == "bad"]
    assert stream.held() == tuple(held)
    assert stream.sink().report().rows.total == 40
