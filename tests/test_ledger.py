"""The ledger: what it remembers, for which runs, and whom it leaves alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig.delta import conflicts
from spark_sig.delta.ledger import COLUMNS, DV_ID, RULES, Ledger, LedgerKey, open_ledger
from spark_sig.delta.log import open_snapshot, read_snapshot, spark_errors
from spark_sig.errors import SourceError
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROOT = Path(__file__).parents[1]
KEY = LedgerKey("table-1", "5c" * 32, "51" * 32, "b0" * 32, "inputs")


def files(spark: SparkSession, *rows: tuple[str | None, str | None, str | None]) -> DataFrame:
    """What a run has found: paths, deletion vectors, masks."""
    return spark.createDataFrame(list(rows), "path string, dv string, mask string")


def held(ledger: Ledger, key: LedgerKey = KEY) -> list[tuple[str, str, str]]:
    """What a ledger remembers."""
    facts = ledger.facts(key)
    assert facts.columns == ["path", "dv", "mask"]
    found = sorted((row["path"], row["dv"], row["mask"]) for row in facts.collect())
    facts.unpersist()
    return found


def written(spark: SparkSession, path: object) -> DataFrame:
    """The rows of a ledger as they lie there."""
    return spark.read.format("delta").load(str(path))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def commits(folder: Path) -> int:
    return len(list((folder / "_delta_log").glob("*.json")))


@contextmanager
def configured(spark: SparkSession, **conf: str) -> Iterator[None]:
    settings = {name.replace("__", "."): value for name, value in conf.items()}
    before = {name: spark.conf.get(name) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            assert value is not None
            spark.conf.set(name, value)


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Run actions at the same time and return what they return."""
    gate = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        gate.wait(timeout=60)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return [done.result() for done in [pool.submit(run, action) for action in actions]]


@pytest.fixture
def ledger(spark: SparkSession, tmp_path: Path) -> Ledger:
    """A ledger with nothing in it."""
    return open_ledger(spark, tmp_path / "ledger")


# --- what is remembered --------------------------------------------------------------------------


def test_facts_come_back_as_they_were_recorded(spark: SparkSession, ledger: Ledger) -> None:
    assert held(ledger) == []
    found = [("a.parquet", "", "101"), ("a.parquet", "u]uN=@1", "111"), ("p=1/b%20c", "", "001")]
    assert ledger.record(KEY, files(spark, *found)) == 3
    assert held(ledger) == sorted(found)
    assert held(open_ledger(spark, ledger.path)) == sorted(found)


@pytest.mark.slow
def test_facts_of_another_key_are_not_seen(spark: SparkSession, ledger: Ledger) -> None:
    ledger.record(KEY, files(spark, ("a", "", "1")))
    others = []
    for part in fields(LedgerKey):
        value = getattr(KEY, part.name)
        others.append(replace(KEY, **{part.name: value + 1 if part.name == "rules" else value[1:]}))
    assert [held(ledger, other) for other in others] == [[]] * 6
    # nor do they stand in the way
    assert ledger.record(others[-1], files(spark, ("a", "", "1"))) == 1
    assert held(ledger) == held(ledger, others[-1]) == [("a", "", "1")]


def test_keys_are_of_these_rules() -> None:
    assert KEY.rules == RULES


@pytest.mark.slow
@pytest.mark.parametrize("few", [0, 1, 2, 10_000])
def test_what_is_known_is_not_written_again(
    spark: SparkSession, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("spark_sig.delta.ledger.FEW_FACTS", few)
    folder = Path(ledger.path.removeprefix("file:"))
    assert ledger.record(KEY, files(spark, ("a", "", "11"), ("b", "", "01"))) == 2
    assert commits(folder) == 2
    for again in (("a", "", "11"), ("a", "", "10"), ("b", "", "10")):
        assert ledger.record(KEY, files(spark, again)) == 0
    assert commits(folder) == 2
    # another deletion vector is other rows; a better mask is news
    news = [("a", "u1", "11"), ("a", "", "11"), ("b", "", "11"), ("b", "", "01")]
    assert ledger.record(KEY, files(spark, *news)) == 2
    assert commits(folder) == 3
    assert written(spark, folder).count() == 4
    assert held(ledger) == [("a", "", "11"), ("a", "u1", "11"), ("b", "", "11")]


def test_what_a_caller_knows_is_not_read_again(
    spark: SparkSession, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.record(KEY, files(spark, ("a", "", "11"), ("b", "", "01")))
    monkeypatch.setattr(Ledger, "_recall", None)
    for _ in range(2):  # what another job has added meanwhile is there twice, and counts once
        news = ("b", "", "11"), ("c", "", "00"), (None, "", "1")
        assert ledger.record(KEY, files(spark, *news), fresh=True) == 1
    monkeypatch.undo()
    assert written(spark, ledger.path).count() == 4
    assert held(ledger) == [("a", "", "11"), ("b", "", "11")]


@pytest.mark.slow
def test_of_several_masks_the_best_is_taken(spark: SparkSession, ledger: Ledger) -> None:
    masks = "0110", "1000", "0111", "1010", "0000"
    # as two jobs write them that do not see each other
    for mask in masks:
        ledger._append(KEY, files(spark, ("a", "", mask)))
    assert written(spark, ledger.path).count() == 5
    assert held(ledger) == [("a", "", "0111")]
    assert ledger.record(KEY, files(spark, ("b", "", "10"), ("b", "", "11"), ("b", "", "00"))) == 1
    assert held(ledger) == [("a", "", "0111"), ("b", "", "11")]


BROKEN = [
    (None, "", "1"),
    ("a", None, "1"),
    ("a", "", None),
    ("a", "", ""),
    ("a", "", "12"),
    ("a", "", "1 "),
    ("a", "", "1\n"),
    ("a", "", "١"),
    ("a", "", "0"),  # says nothing
]


def test_broken_rows_count_for_nothing(spark: SparkSession, ledger: Ledger) -> None:
    folder = Path(ledger.path.removeprefix("file:"))
    assert ledger.record(KEY, files(spark, *BROKEN)) == 0
    assert commits(folder) == 1
    ledger._append(KEY, files(spark, *BROKEN))
    assert written(spark, folder).count() == len(BROKEN)
    assert held(ledger) == []
    assert ledger.record(KEY, files(spark, *BROKEN, ("a", "", "1"))) == 1
    assert held(ledger) == [("a", "", "1")]


def test_a_row_says_when_and_by_what_it_was_written(spark: SparkSession, ledger: Ledger) -> None:
    def instants() -> set[int]:
        return {
            row[0] for row in written(spark, ledger.path).selectExpr("unix_micros(at)").collect()
        }

    seen: set[int] = set()
    for place, zone in enumerate(("Asia/Seoul", "America/New_York")):
        before = datetime.now(timezone.utc) - timedelta(seconds=1)
        with configured(spark, spark__sql__session__timeZone=zone):
            ledger.record(KEY, files(spark, (f"{place}", "", "1")))
        (micros,) = instants() - seen
        at = datetime.fromtimestamp(micros / 1e6, timezone.utc)
        assert before <= at <= datetime.now(timezone.utc) + timedelta(seconds=1)
        seen |= {micros}
    assert written(spark, ledger.path).where("engine LIKE 'spark_sig%'").count() == 2


def test_times_have_a_zone_whatever_the_session_takes_them_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    with configured(spark, spark__sql__timestampType="TIMESTAMP_NTZ"):
        ledger = open_ledger(spark, tmp_path / "ledger")
        assert ledger.record(KEY, files(spark, ("a", "", "1"))) == 1
    assert dict(written(spark, tmp_path / "ledger").dtypes)["at"] == "timestamp"
    assert held(ledger) == [("a", "", "1")]


def test_a_run_writes_one_file_and_reads_nothing_to_do_so(
    spark: SparkSession, ledger: Ledger
) -> None:
    rows = spark.range(1000).selectExpr("concat('f', id) AS path", "'' AS dv", "'1' AS mask")
    assert ledger.record(KEY, rows.repartition(8)) == 1000
    assert ledger.record(KEY, rows.unionByName(files(spark, ("new", "", "1")))) == 1
    history = spark.sql(f"DESCRIBE HISTORY delta.{quoted(ledger.path)}").where("version > 0")
    for row in history.collect():
        # what is appended blindly conflicts with nothing but changes of the table itself
        assert row["operation"] == "WRITE"
        assert row["isBlindAppend"]
        assert row["operationMetrics"]["numFiles"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("few", [0, 1])
def test_nothing_stays_in_the_cache(
    spark: SparkSession, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("spark_sig.delta.ledger.FEW_FACTS", few)
    spark.catalog.clearCache()
    cache = spark._jsparkSession.sharedState().cacheManager()
    ledger.record(KEY, files(spark, ("a", "", "1")))
    ledger.record(KEY, files(spark, ("a", "", "1")))
    assert cache.isEmpty()
    facts = ledger.facts(KEY)
    assert cache.isEmpty() == (few > 0)
    facts.unpersist(blocking=True)
    assert cache.isEmpty()


@pytest.mark.slow
@pytest.mark.parametrize("few", [0, 1])
def test_facts_outlive_the_ledger(
    spark: SparkSession, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """A later query that uses them must not fail because of the ledger."""
    monkeypatch.setattr("spark_sig.delta.ledger.FEW_FACTS", few)
    ledger.record(KEY, files(spark, ("a", "", "1")))
    facts = ledger.facts(KEY)
    shutil.rmtree(ledger.path.removeprefix("file:"))
    assert [tuple(row) for row in facts.join(files(spark, ("a", "", "0")), "path").collect()] == [
        ("a", "", "1", "", "0")
    ]
    facts.unpersist()


# --- names of deletion vectors -------------------------------------------------------------------


def test_names_of_deletion_vectors(spark: SparkSession) -> None:
    vector = "struct<storageType:string,pathOrInlineDv:string,offset:int>"
    rows = [
        (None,),
        (("u", "ab^-aqEH.-t@S}K{vb[*k^", 4),),
        (("u", "ab^-aqEH.-t@S}K{vb[*k^", None),),
        (("i", "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", None),),
        ((None, "ab", 1),),
    ]
    # PROTOCOL: <storageType><pathOrInlineDv>[@<offset>]
    found = spark.createDataFrame(rows, f"deletionVector {vector}").selectExpr(DV_ID).collect()
    assert [row[0] for row in found] == [
        "",
        "uab^-aqEH.-t@S}K{vb[*k^@4",
        "uab^-aqEH.-t@S}K{vb[*k^",
        "iwi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
        None,
    ]


def test_each_delete_gives_a_file_another_name(spark: SparkSession, tmp_path: Path) -> None:
    table = f"delta.{quoted(str(tmp_path / 'table'))}"
    spark.sql(
        f"CREATE TABLE {table} USING delta "
        "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true') AS SELECT id FROM range(0, 9, 1, 1)"
    )
    names = []
    for gone in (None, 3, 5):
        if gone is not None:
            spark.sql(f"DELETE FROM {table} WHERE id = {gone}")
        opened: Any = open_snapshot(spark, read_snapshot(spark, str(tmp_path / "table")))
        from pyspark.sql import DataFrame

        (row,) = DataFrame(opened.allFiles().toDF(), spark).selectExpr("path", DV_ID).collect()
        names.append(tuple(row))
    paths, vectors = zip(*names, strict=True)
    assert len(set(paths)) == 1
    assert vectors[0] == ""
    assert len(set(vectors)) == 3


# --- where it lies -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "path", "uri", "delta"])
def test_a_path_with_spaces(spark: SparkSession, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a ledger, `of` 50%20"
    names = {"text": str(path), "path": path, "uri": f"file:{path}"}
    name = names.get(kind, f"delta.`{str(path).replace('`', '``')}`")
    ledger = open_ledger(spark, name)
    assert ledger.record(KEY, files(spark, ("a", "", "1"))) == 1
    assert commits(path) == 2
    assert held(open_ledger(spark, name)) == [("a", "", "1")]


def test_a_path_may_be_relative(spark: SparkSession, tmp_path: Path) -> None:
    relative = os.path.relpath(tmp_path / "ledger")
    assert open_ledger(spark, relative).record(KEY, files(spark, ("a", "", "1"))) == 1
    assert held(open_ledger(spark, tmp_path / "ledger")) == [("a", "", "1")]


def test_an_empty_folder_becomes_a_ledger(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    assert held(open_ledger(spark, tmp_path / "ledger")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["ledger_1", "facts.ledger_2", "spark_catalog.facts.ledger_3", "`facts`.`ledger_4`"],
)
def test_a_name_in_the_catalog(spark: SparkSession, name: str) -> None:
    spark.sql("CREATE DATABASE IF NOT EXISTS facts")
    try:
        ledger = open_ledger(spark, name)
        assert ledger.record(KEY, files(spark, ("a", "", "1"))) == 1
        assert spark.table(name).count() == 1
        assert held(open_ledger(spark, name)) == [("a", "", "1")]
    finally:
        spark.sql(f"DROP TABLE IF EXISTS {name}")
        spark.sql("DROP DATABASE facts CASCADE")


def test_a_name_whose_table_lies_in_a_folder_with_spaces(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "a folder"
    open_ledger(spark, path)
    spark.sql(f"CREATE TABLE ledger_5 USING delta LOCATION '{path}'")
    try:
        assert open_ledger(spark, "ledger_5").record(KEY, files(spark, ("a", "", "1"))) == 1
    finally:
        spark.sql("DROP TABLE ledger_5")
    assert held(open_ledger(spark, path)) == [("a", "", "1")]


@pytest.mark.parametrize("name", ["", "a b", "a..b", "a.", "a`b", "x (y int) USING delta --"])
def test_a_name_that_is_none(spark: SparkSession, name: str) -> None:
    with pytest.raises(SourceError, match="neither a path nor the name of a table"):
        open_ledger(spark, name)


def test_a_name_in_no_database(spark: SparkSession) -> None:
    with pytest.raises(SourceError, match=r"no_such_database\.ledger cannot be opened: .*SCHEMA"):
        open_ledger(spark, "no_such_database.ledger")


# --- what is no ledger ---------------------------------------------------------------------------


def ddl(columns: dict[str, str]) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in columns.items())


OTHERS = {
    "data": ("a int", "", "no such property"),
    "columns alone": (ddl(COLUMNS), "", "no such property"),
    "property alone": ("a int", "1", "the columns a int"),
    "a column more": (f"{ddl(COLUMNS)}, b int", "1", "b int"),
    "another type": (ddl({**COLUMNS, "rules": "bigint"}), "1", "rules bigint"),
    "another form": (ddl(COLUMNS), "2", r"spark_sig\.ledger = 2"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_tables_are_refused_and_left_alone(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    columns, form, observed = OTHERS[kind]
    path = tmp_path / "other"
    marked = f"TBLPROPERTIES ('spark_sig.ledger' = '{form}')" if form else ""
    spark.sql(f"CREATE TABLE delta.{quoted(str(path))} ({columns}) USING delta {marked}")
    before = tree(path)
    with pytest.raises(SourceError, match=f"other is no ledger: expected .*found .*{observed}"):
        open_ledger(spark, path)
    assert tree(path) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["parquet", "text", "file", "broken"])
def test_other_files_are_refused_and_left_alone(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "other"
    match kind:
        case "parquet":
            spark.range(3).write.parquet(str(path))
        case "text":
            path.mkdir()
            (path / "notes.txt").write_text("mine")
        case "file":
            path.write_text("mine")
        case "broken":
            (path / "_delta_log").mkdir(parents=True)
            (path / "_delta_log" / f"{0:020}.json").write_text("{")
    before = tree(tmp_path)
    with pytest.raises(SourceError, match=r"other (is no ledger|cannot be opened)") as raised:
        open_ledger(spark, path)
    assert "\n" not in str(raised.value)
    assert tree(tmp_path) == before


def test_views_and_tables_of_other_formats_are_refused(spark: SparkSession) -> None:
    spark.range(3).createOrReplaceTempView("led_view")
    spark.sql("CREATE TABLE led_parquet (a int) USING parquet")
    try:
        for name, observed in (("led_view", "a view"), ("led_parquet", "format parquet")):
            with pytest.raises(SourceError, match=f"{name} is no ledger: .*{observed}"):
                open_ledger(spark, name)
        assert {table.name for table in spark.catalog.listTables("default")} >= {"led_parquet"}
        assert not spark.catalog.tableExists("spark_catalog.default.led_view")
    finally:
        spark.catalog.dropTempView("led_view")
        spark.sql("DROP TABLE led_parquet")


# --- what goes wrong later -----------------------------------------------------------------------


def test_a_ledger_that_is_deleted_meanwhile(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = open_ledger(spark, path)
    ledger.record(KEY, files(spark, ("a", "", "1")))
    shutil.rmtree(path)
    with pytest.raises(SourceError, match=r"the ledger .*ledger cannot be read: "):
        ledger.facts(KEY)
    with pytest.raises(SourceError, match=r"the ledger .*ledger cannot be written: "):
        ledger.record(KEY, files(spark, ("b", "", "1")))
    # nor between the read and the write of one call
    with pytest.raises(Exception, match=r"(?i)path"):
        ledger._append(KEY, files(spark, ("b", "", "1")))
    assert not path.exists()


def test_another_table_in_its_place(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = open_ledger(spark, path)
    shutil.rmtree(path)
    spark.sql(f"CREATE TABLE delta.{quoted(str(path))} ({ddl(COLUMNS)}) USING delta")
    for action in (
        lambda: ledger.facts(KEY),
        lambda: ledger.record(KEY, files(spark, ("a", "", "1"))),
    ):
        with pytest.raises(SourceError, match="another table has taken its place"):
            action()
    assert commits(path) == 1


def test_a_data_file_that_is_lost(spark: SparkSession, tmp_path: Path) -> None:
    """The read happens in facts, not in what uses them."""
    ledger = open_ledger(spark, tmp_path / "ledger")
    ledger.record(KEY, files(spark, ("a", "", "1")))
    for file in (tmp_path / "ledger").glob("*.parquet"):
        file.unlink()
    with pytest.raises(SourceError, match=r"ledger cannot be read: ") as raised:
        ledger.facts(KEY)
    assert "\n" not in str(raised.value)
    with pytest.raises(SourceError, match=r"ledger cannot be written: "):
        ledger.record(KEY, files(spark, ("a", "", "1")))


def test_files_without_the_columns(spark: SparkSession, ledger: Ledger) -> None:
    with pytest.raises(SourceError, match=r"cannot be written: .*dv"):
        ledger.record(KEY, spark.range(1).selectExpr("'a' AS path", "'1' AS mask"))


# --- two jobs at a time --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True])
def test_jobs_that_make_a_ledger_at_once(spark: SparkSession, tmp_path: Path, named: bool) -> None:
    for attempt in range(3):
        name = f"led_race_{attempt}" if named else str(tmp_path / f"ledger_{attempt}")
        try:
            found = at_once(*[partial(open_ledger, spark.newSession(), name) for _ in range(4)])
            assert len({(each.table_id, each.path) for each in found}) == 1
            assert held(found[0]) == []
        finally:
            if named:
                spark.sql(f"DROP TABLE IF EXISTS {name}")


def test_a_ledger_whose_first_commit_is_under_way(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CREATE TABLE IF NOT EXISTS does nothing where a folder has anything in it."""
    made = open_ledger(spark, tmp_path / "made")
    log = tmp_path / "ledger" / "_delta_log"
    log.mkdir(parents=True)

    def commit(seconds: float) -> None:
        name = "00000000000000000000.json"
        shutil.copy(tmp_path / "made" / "_delta_log" / name, log / name)

    monkeypatch.setattr(conflicts, "time", SimpleNamespace(sleep=commit))
    assert open_ledger(spark, tmp_path / "ledger").table_id == made.table_id


@pytest.mark.slow
def test_jobs_that_record_at_once(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    open_ledger(spark, path)

    def job(own: str) -> int:
        session = spark.newSession()
        ledger = open_ledger(session, path)
        return sum(
            ledger.record(KEY, files(session, (f"{own}{at}", "", "1"), ("common", "", "1")))
            for at in range(4)
        )

    added = at_once(lambda: job("a"), lambda: job("b"))
    assert 9 <= sum(added) <= 10
    assert written(spark, path).count() == sum(added)
    expected = {"common", *(f"{own}{at}" for own in "ab" for at in range(4))}
    assert held(open_ledger(spark, path)) == sorted((name, "", "1") for name in expected)


@pytest.mark.slow
def test_a_ledger_that_is_tended_meanwhile(spark: SparkSession, tmp_path: Path) -> None:
    """OPTIMIZE, DELETE and changes of the table itself, while jobs record."""
    path = tmp_path / "ledger"
    table = f"delta.{quoted(str(path))}"
    ledger = open_ledger(spark, path)
    ledger.record(KEY, files(spark, ("old", "", "1")))
    recorded = threading.Event()

    def tend() -> int:
        session, rounds = spark.newSession(), 0
        while not recorded.is_set() or not rounds:
            for change in (
                f"OPTIMIZE {table}",
                f"ALTER TABLE {table} SET TBLPROPERTIES ('round' = '{rounds}')",
                f"DELETE FROM {table} WHERE path = 'old'",
            ):
                with suppress(*spark_errors()):  # a commit that comes first may conflict with it
                    session.sql(change)
            rounds += 1
        return rounds

    def record() -> int:
        try:
            return sum(ledger.record(KEY, files(spark, (f"{at}", "", "1"))) for at in range(8))
        finally:
            recorded.set()

    rounds, added = at_once(tend, record)
    assert rounds >= 1
    assert added == 8
    spark.sql(f"DELETE FROM {table} WHERE path = 'old'")
    assert held(ledger) == [(f"{at}", "", "1") for at in range(8)]


def test_conflicts_are_tried_again_but_not_for_ever(
    spark: SparkSession, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.errors import PySparkException
    from pyspark.sql.readwriter import DataFrameWriterV2

    append, failures, tried = DataFrameWriterV2.append, 0, 0
    message = "[DELTA_METADATA_CHANGED] MetadataChangedException: changed by a concurrent update"

    def failing(writer: DataFrameWriterV2) -> None:
        nonlocal tried
        tried += 1
        if tried <= failures:
            raise PySparkException(message)
        append(writer)

    monkeypatch.setattr(DataFrameWriterV2, "append", failing)
    monkeypatch.setattr(conflicts, "_PAUSE", 0.001)
    failures = 2
    assert ledger.record(KEY, files(spark, ("a", "", "1"))) == 1
    assert tried == 3
    tried, failures = 0, 1000
    with pytest.raises(SourceError, match=r"cannot be written: \[DELTA_METADATA_CHANGED"):
        ledger.record(KEY, files(spark, ("b", "", "1")))
    assert tried == 6
    tried, message = 0, "No space left on device"
    with pytest.raises(SourceError, match=r"cannot be written: No space left on device"):
        ledger.record(KEY, files(spark, ("b", "", "1")))
    assert tried == 1
    assert held(ledger) == [("a", "", "1")]


# --- other sessions ------------------------------------------------------------------------------

ON_CONNECT = """
import sys
from pathlib import Path

from tests.smoke import connect_session
from tests.test_ledger import KEY, files, held

from spark_sig.delta.ledger import open_ledger
from spark_sig.errors import SourceError

spark, folder = connect_session(), sys.argv[1]
for name in (f"{folder}/a ledger", "ledger_on_connect"):
    ledger = open_ledger(spark, name)
    assert held(ledger) == []
    assert ledger.record(KEY, files(spark, ("a", "", "1"), ("b", "", "0"))) == 1
    assert open_ledger(spark, name).record(KEY, files(spark, ("a", "", "1"))) == 0
    assert held(open_ledger(spark, name)) == [("a", "", "1")]
spark.range(3).write.format("delta").save(f"{folder}/data")
for name in (f"{folder}/data", "nowhere/ledger"):
    try:
        open_ledger(spark, name)
    except SourceError as error:
        print(error)
spark.sql("DROP TABLE ledger_on_connect")
spark.stop()
"""

WITHOUT_DELTA = """
import sys

from pyspark.sql import SparkSession

from spark_sig.delta.ledger import open_ledger
from spark_sig.errors import SourceError

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
for name in (f"{sys.argv[1]}/ledger", "ledger"):
    try:
        open_ledger(spark, name)
    except SourceError as error:
        print(error)
spark.stop()
"""


def program(text: str, folder: Path) -> list[str]:
    """Run a program in a process of its own, and return the lines that it prints."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYSPARK_", "SPARK_"))}
    done = subprocess.run(
        [sys.executable, "-c", text, str(folder)],
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.connect
def test_spark_connect(tmp_path: Path) -> None:
    data, nowhere = program(ON_CONNECT, tmp_path)
    assert "data is no ledger" in data
    assert "give its path in full" in nowhere
    assert commits(tmp_path / "a ledger") == 2
    assert commits(tmp_path / "data") == 1


@pytest.mark.slow
def test_a_session_without_delta(tmp_path: Path) -> None:
    found = program(WITHOUT_DELTA, tmp_path)
    assert len(found) == 2
    for line in found:
        assert line.startswith("this Spark session has no Delta Lake: set spark.sql.extensions")
    assert not (tmp_path / "ledger").exists()
