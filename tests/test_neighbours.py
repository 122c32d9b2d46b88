"""Neighbours: others write to the tables all the while, and jobs run beside one another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import Report, validate
from spark_sig.errors import SourceError
from spark_sig.quarantine import transfer
from tests.transfers import LOSSLESS, WANTED, Tables, fitting, slow, violating

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What violates WANTED, said without it.
VIOLATES = "b IS NULL OR b > 2147483647"


class Writer(Tables):
    """A table that somebody changes all the while."""

    turn = 0

    def change(self) -> None:
        """Append, delete, update or optimize."""
        at = self.source
        steps: list[Callable[[], object]] = [
            lambda: self.add(20 * self.turn, 20 * self.turn + 20),
            lambda: self.spark.sql(f"DELETE FROM delta.`{at}` WHERE id % 10 = {self.turn % 10}"),
            lambda: self.spark.sql(f"UPDATE delta.`{at}` SET b = NULL WHERE id % 7 = 3"),
            lambda: self.spark.sql(f"OPTIMIZE delta.`{at}`"),
        ]
        steps[self.turn % len(steps)]()
        self.turn += 1

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Have it changed as long as the block takes."""
        over = threading.Event()

        def go() -> None:
            while not over.is_set():
                self.change()

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(go)
            try:
                yield
            finally:
                over.set()
            writing.result()

    def counts(self, version: int) -> tuple[int, int]:
        """Rows of a version, and those of them that violate, as Spark counts them."""
        rows = self.spark.read.format("delta").option("versionAsOf", version)
        row = rows.load(str(self.source)).selectExpr("count(*)", f"count_if({VIOLATES})").first()
        assert row is not None
        return row[0], row[1]


@pytest.fixture
def writer(spark: SparkSession, tmp_path: Path) -> Writer:
    return Writer(spark, tmp_path)


def counted(report: Report) -> tuple[int, int]:
    return report.rows.total, report.rows.violating


@pytest.mark.slow
@pytest.mark.parametrize("choices", [{}, slow({"stats": False})], ids=["proven", "scanned"])
def test_a_verdict_is_about_one_version_while_others_write(
    writer: Writer, choices: dict[str, Any]
) -> None:
    reports = []
    with writer.changing():
        while len({report.source.version for report in reports}) < 4:
            reports.append(validate(writer.source, WANTED, policy=LOSSLESS, **choices))
    for report in reports:
        assert report.complete
        assert report.source.version is not None
        assert counted(report) == writer.counts(report.source.version)


@pytest.mark.slow
def test_jobs_beside_one_another_share_a_ledger(writer: Writer, tmp_path: Path) -> None:
    ledger = str(tmp_path / "ledger")

    def check(_: int) -> Report:
        return validate(writer.source, WANTED, policy=LOSSLESS, ledger=ledger)

    with writer.changing(), ThreadPoolExecutor(2) as pool:
        reports = [*pool.map(check, range(6))]
    reports.append(check(0))
    for report in reports:
        assert report.source.version is not None
        assert counted(report) == writer.counts(report.source.version)


@pytest.mark.slow
def test_a_source_is_read_at_one_version_for_both_tables(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = transfer.write_once

    def write(*given: Any, **named: Any) -> None:
        real(*given, **named)
        for _ in range(4):
            writer.change()

    monkeypatch.setattr(transfer, "write_once", write)
    report = writer.run()
    assert writer.turn == 8
    assert (report.source.version, counted(report)) == (0, (20, 4))
    assert writer.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_two_jobs_make_and_fill_the_same_tables(writer: Writer, tmp_path: Path) -> None:
    sources = [tmp_path / name for name in ("one", "other")]
    ranges = [(100, 200), (200, 300)]
    for source, (start, end) in zip(sources, ranges, strict=True):
        writer.rows(start, end).write.format("delta").save(str(source))
    with ThreadPoolExecutor(2) as pool:
        reports = [*pool.map(lambda source: writer.run(data=source), sources)]
    assert [counted(report) for report in reports] == [(100, 20)] * 2
    assert writer.held() == (fitting(*ranges), violating(*ranges))


@pytest.mark.slow
def test_two_jobs_of_one_run_write_its_rows_once(writer: Writer) -> None:
    """A scheduler has begun a task twice: where one of the two cannot finish it, it says so."""

    def go(_: int) -> Report | SourceError:
        try:
            return writer.run(run_id="twice")
        except SourceError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        found = [*pool.map(go, range(2))]
    reports = [report for report in found if isinstance(report, Report)]
    assert reports
    reports.append(writer.run(run_id="twice"))
    assert {counted(report) for report in reports} == {(20, 4)}
    assert writer.held() == (fitting((0, 20)), violating((0, 20)))
