"""Reprocessing: rows leave the quarantine for the other table, and none is lost or doubled."""

from __future__ import annotations

import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import ColSpec, ModelSignature, Policy, Schema, SignatureError, TensorSpec, reprocess
from spark_sig.errors import SourceError
from spark_sig.quarantine import reprocessing, transfer
from spark_sig.quarantine.conditions import Term, condition
from spark_sig.quarantine.frames import RUN
from tests.transfers import (
    LOSSLESS,
    NESTED,
    NEWER,
    WANTED,
    Tables,
    age,
    crash,
    fitting,
    slow,
    violating,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NULL, LARGE = 3, 4  # the rows' last digits


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    return Tables(spark, tmp_path)


def held(tables: Tables) -> tuple[list[Any], list[int]]:
    good = sorted((row["b"] for row in tables.read(tables.good)), key=lambda b: (b is None, b))
    return good, sorted(row["id"] for row in tables.read(tables.bad))


def ending(digit: int, *ranges: tuple[int, int]) -> list[int]:
    return [i for i in violating(*ranges) if i % 10 == digit]


OTHERS = [ColSpec("long", "id"), ColSpec("integer", "p")]


@pytest.mark.parametrize(
    ("extra", "engine"),
    [
        ("forbid", "arrow"),
        *(
            slow(*case)
            for case in itertools.product(("drop", "keep", "forbid"), ("auto", "arrow"))
            if case != ("forbid", "arrow")
        ),
    ],
)
def test_rows_that_conform_now_move(tables: Tables, engine: Any, extra: Any) -> None:
    """Whatever becomes of columns that no signature names, where there are any."""
    others = [] if extra == "drop" else OTHERS[: 1 if extra == "keep" else 2]
    older, newer = (
        ModelSignature(inputs=Schema([*signature.inputs, *others])) for signature in (WANTED, NEWER)
    )
    policy = Policy(casts="lossless", extra=extra)
    tables.run(older, data=tables.rows(0, 20).drop("l"), run_id="once", policy=policy)
    before = {row["id"]: row.asDict(recursive=True) for row in tables.read(tables.bad)}
    report = tables.reprocess(newer, engine=engine, policy=policy)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])
    assert (report.rows.total, report.rows.violating, report.complete) == (4, 2, True)
    assert report.transfer is not None
    assert report.transfer.conformed is not None
    assert report.transfer.quarantine is not None
    assert (report.transfer.conformed.rows, report.transfer.quarantine.rows) == (2, 2)
    for row in tables.read(tables.bad):
        kept, then = row.asDict(recursive=True), before[row["id"]]
        violations, signature = kept.pop("_violations"), kept.pop("_signature")
        assert [v["expected"] for v in violations] == ["integer"]
        assert signature == newer.fingerprint
        assert kept == {name: then[name] for name in kept}
        assert (kept["_run_id"], kept["_source_id"]) == ("once", "")


@pytest.mark.slow
def test_nested_columns_are_held_to_it_too(tables: Tables) -> None:
    """They take Arrow: the rows that stay are still as they were."""
    large = [ColSpec("integer", "b", required=False)]
    tables.run(ModelSignature(inputs=Schema([*large, *NESTED.inputs.inputs[1:]])))
    assert held(tables)[1] == [4, 7, 14, 17]
    before = {row["id"]: row["l"] for row in tables.read(tables.bad)}
    tables.spark.sql(f"UPDATE delta.`{tables.bad}` SET l = array(17L) WHERE id = 17")
    tables.reprocess(ModelSignature(inputs=Schema([*large, *NESTED.inputs.inputs[1:]])))
    assert held(tables)[1] == [4, 7, 14]
    assert {row["id"]: row["l"] for row in tables.read(tables.bad)} == {
        i: before[i] for i in (4, 7, 14)
    }


@pytest.mark.slow
def test_rows_of_some_runs_alone(tables: Tables) -> None:
    tables.run(run_id="monday")
    tables.add(20, 40)
    tables.run(run_id="tuesday", mode="append")
    tables.reprocess(NEWER, run_id="tuesday")
    assert held(tables)[1] == sorted([*violating((0, 20)), *ending(LARGE, (0, 40))])
    tables.reprocess(NEWER, run_id=["monday", "tuesday", "none"])
    assert held(tables)[1] == sorted(ending(LARGE, (0, 20), (0, 40)))


@pytest.mark.slow
@pytest.mark.parametrize("commits", [0, 1, 2])
def test_a_call_that_broke_off_is_finished_by_the_next_one(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    tables.run()
    crash(monkeypatch, commits, lambda: tables.reprocess(NEWER))
    # rows that come between
    tables.add(20, 40)
    tables.run()
    ranges = (0, 20), (0, 40)
    moved = [None] * (2 if commits else 6)
    report = tables.reprocess(NEWER)
    assert report.rows.total == (4 if commits else 12)
    assert held(tables) == (
        [*fitting(*ranges), *moved],
        sorted([*ending(LARGE, *ranges), *(ending(NULL, (0, 40)) if commits else [])]),
    )
    tables.reprocess(NEWER)
    assert held(tables) == ([*fitting(*ranges), *[None] * 6], sorted(ending(LARGE, *ranges)))


@pytest.mark.slow
def test_a_call_with_other_rules_does_not_take_up_what_broke_off(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    crash(monkeypatch, 2, lambda: tables.reprocess(NEWER))
    with pytest.raises(SourceError, match="not finished: repeat it first"):
        tables.reprocess(WANTED)
    with pytest.raises(SourceError, match="not finished: repeat it first"):
        tables.reprocess(NEWER, run_id="monday")
    with pytest.raises(SourceError, match="not finished: repeat it first"):
        tables.reprocess(NEWER, conformed=tables.good.parent / "other")
    tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
def test_of_two_calls_at_once_one_fails(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second takes the number that the first one takes, before either has written."""
    tables.run()
    real, inner = reprocessing.written, list[str]()

    def between(*given: Any, **named: Any) -> Any:
        if not inner:
            inner.append("begun")
            tables.reprocess(NEWER, policy=Policy(casts="lossless", nan="reject"))
        return real(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(reprocessing, "written", between)
        with pytest.raises(SignatureError, match="begun with another policy"):
            tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
def test_a_call_that_broke_off_moves_no_row_that_was_replaced_since(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    crash(monkeypatch, 1, lambda: tables.reprocess(NEWER))
    tables.run(run_id="second", mode="overwrite")
    assert tables.reprocess(NEWER).rows.total == 4
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
def test_a_call_that_has_moved_nothing_may_be_left(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    crash(monkeypatch, 1, lambda: tables.reprocess(WANTED))
    tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
def test_rows_of_too_many_runs_lock_nothing(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run(run_id="one")
    tables.run(run_id="other")
    monkeypatch.setattr(reprocessing, "MOST", 1)
    with pytest.raises(SignatureError, match="more than 1 runs"):
        tables.reprocess(NEWER)
    tables.reprocess(NEWER, run_id="one")
    assert held(tables)[1] == sorted([*violating((0, 20)), 4, 14])


@pytest.mark.slow
def test_others_may_add_rows_while_some_are_moved(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run(run_id="one")
    real, turns = reprocessing.still_violating, list[str]()

    def between(*given: Any) -> Any:
        found = real(*given)
        if not turns:
            turns.append("other")
            tables.run(run_id="other")
        return found

    monkeypatch.setattr(reprocessing, "still_violating", between)
    tables.reprocess(NEWER)
    assert held(tables)[1] == sorted([*violating((0, 20)), 4, 14])


@pytest.mark.slow
def test_what_replaces_rows_while_they_are_moved_is_said(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run(run_id="one")
    real = transfer.write_once

    def write(rows: Any, path: str, *given: Any, **named: Any) -> None:
        real(rows, path, *given, **named)
        if path.endswith("good"):
            tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE id = 14")

    monkeypatch.setattr(transfer, "write_once", write)
    with pytest.raises(SourceError, match="were changed while some were moved"):
        tables.reprocess(NEWER)


@pytest.mark.slow
def test_rows_that_were_deleted_meanwhile_stay_so(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    crash(monkeypatch, 2, lambda: tables.reprocess(NEWER))
    tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE id = 14")
    report = tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4])
    assert not report.complete


@pytest.mark.slow
@pytest.mark.parametrize("commits", [1, slow(2)])
def test_a_call_whose_end_broke_off_is_ended_again(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    """An end is two commits as well, of which the first takes the number of what would move."""
    tables.run()
    crash(monkeypatch, 1, lambda: tables.reprocess(NEWER))
    crash(monkeypatch, commits, lambda: tables.reprocess(WANTED))
    tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
def test_a_call_that_another_one_ends_takes_no_row_out(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one breaks off between its two commits, and the first goes on."""
    tables.run()
    real, turns = reprocessing.written, list[str]()

    def between(target: Any, *given: Any, **named: Any) -> Any:
        if target.what == "conformed" and not turns:
            turns.append("other")
            crash(monkeypatch, 1, lambda: tables.reprocess(WANTED))
        return real(target, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(reprocessing, "written", between)
        with pytest.raises(SourceError, match="another call has ended this one"):
            tables.reprocess(NEWER)
    assert held(tables) == (fitting((0, 20)), violating((0, 20)))
    tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("bad", "UPDATE {} SET b = 1 WHERE id = 4"),
        slow("good", "RESTORE {} TO VERSION AS OF 1"),
    ],
)
def test_what_was_changed_since_rows_were_moved_is_not_taken_for_them(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, table: str, change: str
) -> None:
    tables.run()
    crash(monkeypatch, 2, lambda: tables.reprocess(NEWER))
    tables.spark.sql(change.format(f"delta.`{getattr(tables, table)}`"))
    before = held(tables)
    for _ in range(2):
        with pytest.raises(SourceError, match=r"were changed while some were moved.*abandon"):
            tables.reprocess(NEWER)
    assert held(tables) == before
    if table == "bad":  # what is in both tables is taken out of one by hand
        tables.spark.sql(f"DELETE FROM delta.`{tables.bad}` WHERE b IS NULL")
    tables.reprocess(NEWER, abandon=True)
    now = [1] if table == "bad" else []
    left = [14] if table == "bad" else [4, 14]
    assert held(tables) == ([*sorted([*fitting((0, 20)), *now]), None, None], left)


@pytest.mark.slow
def test_what_can_be_finished_is_not_abandoned(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    crash(monkeypatch, 2, lambda: tables.reprocess(NEWER))
    tables.reprocess(NEWER, abandon=True)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
def test_rows_that_were_moved_to_a_table_that_is_gone(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    other = tables.good.parent / "other"
    crash(monkeypatch, 2, lambda: tables.reprocess(NEWER, conformed=other))
    shutil.rmtree(other)
    with pytest.raises(SourceError, match=r"not finished: repeat it first; .*abandon"):
        tables.reprocess(NEWER)
    tables.reprocess(NEWER, abandon=True)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
def test_rows_that_were_moved_are_not_moved_again_where_the_quarantine_was_replaced(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    crash(monkeypatch, 2, lambda: tables.reprocess(NEWER))
    bad = f"delta.`{tables.bad}`"
    tables.spark.sql(f"CREATE OR REPLACE TABLE {bad} USING delta AS SELECT * FROM {bad}")
    for _ in range(2):
        with pytest.raises(SourceError, match=r"were being moved when it was replaced.*abandon"):
            tables.reprocess(NEWER)
    tables.spark.sql(f"DELETE FROM {bad} WHERE b IS NULL")
    tables.reprocess(NEWER, abandon=True)
    # once is enough
    tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
def test_a_call_that_does_not_say_which_rows_it_moves_is_not_finished(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.run()
    with monkeypatch.context() as patch:
        patch.setattr(reprocessing, "_OF", "of")
        crash(monkeypatch, 1, lambda: tables.reprocess(NEWER))
    with pytest.raises(SourceError, match="its history no longer says where to"):
        tables.reprocess(NEWER)
    tables.reprocess(NEWER, abandon=True)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


def test_runs_are_looked_up_and_not_compared_one_by_one() -> None:
    terms = [Term(name) for name in RUN]
    runs = [("source", target, f"day {i}") for target in "ab" for i in range(3_000)]
    assert condition(terms, [*runs, ("source", "a", None)]).count(" OR ") == 2


@pytest.mark.slow
def test_rows_of_thousands_of_runs_move(tables: Tables) -> None:
    """Spark cannot compile so many comparisons."""
    rows = tables.spark.range(6_000).selectExpr("id", "IF(id % 2 = 0, NULL, 5000000000) AS b")
    tables.run(data=rows.selectExpr("*", "CAST(NULL AS string) AS t"), run_id="once")
    names = """concat("orders/", id DIV 2, IF(id % 3 = 0, "'s", ""))"""
    tables.spark.sql(f"UPDATE delta.`{tables.bad}` SET _run_id = {names}")
    assert tables.reprocess(NEWER).rows.valid == 3_000
    assert len(tables.read(tables.good)) == len(tables.read(tables.bad)) == 3_000


@pytest.mark.slow
def test_a_quarantine_that_nobody_has_written_to_for_long(tables: Tables) -> None:
    """Delta refuses old versions but for the newest, which the call's own commit makes another."""
    tables.run()
    age(tables.bad)
    tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])


@pytest.mark.slow
@pytest.mark.parametrize("policy", [LOSSLESS, Policy()])
def test_a_signature_without_names_does_not_take_the_quarantine_s_columns(
    tables: Tables, policy: Policy
) -> None:
    frame = tables.spark.range(4).selectExpr("id", "IF(id = 1, NULL, id) AS b")
    tensor = ModelSignature(inputs=Schema([TensorSpec("int64", (-1, 2))]))
    report = tables.run(tensor, data=frame, run_id="once", policy=policy)
    assert report.rows.violating == 1
    before = len(tables.read(tables.good)), len(tables.read(tables.bad))
    with pytest.raises(SignatureError, match="would take those that the quarantine adds"):
        tables.reprocess(ModelSignature(inputs=Schema([TensorSpec("int64", (-1, -1))])))
    assert (len(tables.read(tables.good)), len(tables.read(tables.bad))) == before


@pytest.mark.slow
def test_nothing_moves_where_types_do_not_fit(tables: Tables) -> None:
    tables.run()
    report = tables.reprocess(ModelSignature(inputs=Schema([ColSpec("long", "missing")])))
    assert report.transfer is not None
    assert report.transfer.note == "nothing was written: the types do not fit"
    assert held(tables) == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_an_empty_quarantine_moves_nothing(tables: Tables) -> None:
    tables.run(data=tables.rows(0, 3), run_id="once")
    report = tables.reprocess(NEWER)
    assert report.rows.total == 0
    assert held(tables) == ([0, 1, 2], [])


def test_only_a_quarantine_can_be_reprocessed(tables: Tables) -> None:
    with pytest.raises(SourceError, match="there is no quarantine"):
        tables.reprocess(NEWER)
    with pytest.raises(SignatureError, match="is no quarantine: it has no _violations"):
        reprocess(tables.source, NEWER, conformed=tables.good, policy=LOSSLESS)


@pytest.mark.slow
def test_calls_at_the_same_time_move_each_row_once(tables: Tables) -> None:
    """One of two threads moves the rows; the other does, too, or says why not."""
    tables.run()

    def call(_: int) -> SourceError | None:
        try:
            tables.reprocess(NEWER)
        except SourceError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as threads:
        refused = [error for error in threads.map(call, range(2)) if error]
    assert len(refused) < 2
    tables.reprocess(NEWER)
    assert held(tables) == ([*fitting((0, 20)), None, None], [4, 14])
