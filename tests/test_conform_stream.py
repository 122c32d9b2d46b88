"""Streams into two tables: killed anywhere and restarted, every row ends in one of them, once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import ColSpec, ConformBatches, ModelSignature, Schema, SignatureError, validate
from spark_sig.errors import SourceError
from tests.transfers import (
    LOSSLESS,
    NESTED,
    NEWER,
    RANDOM,
    WANTED,
    Tables,
    crash,
    fitting,
    slow,
    staged_folders,
    violating,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession


class Stream(Tables):
    """A stream over the source, a file at a time."""

    checkpoint = "checkpoint"

    def sink(self, wanted: ModelSignature = WANTED, **choices: Any) -> ConformBatches:
        named = {"conformed": self.good, "quarantine": self.bad, "stream": "s", **choices}
        return ConformBatches(wanted, policy=LOSSLESS, **named)

    def go(
        self,
        sink: ConformBatches | None = None,
        change: Callable[[DataFrame], DataFrame] = lambda rows: rows,
    ) -> None:
        """Run to the end of what there is."""
        rows = self.spark.readStream.format("delta").option("maxFilesPerTrigger", 1)
        query = (
            change(rows.load(str(self.source)))
            .writeStream.foreachBatch(sink or self.sink())
            .option("checkpointLocation", str(self.source.parent / self.checkpoint))
            .trigger(availableNow=True)
            .start()
        )
        assert query.awaitTermination(240)


@pytest.fixture
def stream(spark: SparkSession, tmp_path: Path) -> Stream:
    return Stream(spark, tmp_path)


@pytest.mark.slow
def test_every_row_of_every_batch_goes_to_one_of_two_tables(stream: Stream) -> None:
    stream.go()
    stream.add(20, 40)
    stream.go()
    assert stream.held() == (fitting((0, 40)), violating((0, 40)))
    assert not staged_folders(stream)
    batches = {row["_run_id"] for row in stream.read(stream.bad)}
    assert batches == {"s/0", "s/1", "s/2", "s/3"}
    report, whole = stream.sink().report(), validate(stream.source, WANTED, policy=LOSSLESS)
    assert report.rows == whole.rows
    assert report.checks == whole.checks
    assert report.transfer is not None
    assert report.transfer.conformed is not None
    assert (report.transfer.run_id, report.transfer.conformed.rows) == ("s/3", 32)


# a stage, the quarantine and the other table: three commits a batch, of which there are two
@pytest.mark.parametrize("commits", [*map(slow, range(7))])
def test_a_stream_that_was_killed_goes_on_from_its_checkpoint(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    """Rows that are others each time they are read do not fall between the tables either."""
    from pyspark.errors import StreamingQueryException

    def changing(rows: DataFrame) -> DataFrame:
        return rows.selectExpr(*RANDOM)

    if commits < 6:
        with pytest.raises(StreamingQueryException, match="CrashError"):
            crash(monkeypatch, commits, lambda: stream.go(change=changing), raises=False)
    stream.go(change=changing)
    good, bad = stream.held()
    assert sorted([*good, *bad]) == list(range(20))
    assert not staged_folders(stream)
    assert stream.sink().report().rows.total == 20


@pytest.mark.slow
def test_a_batch_that_is_refused_leaves_no_copy(stream: Stream) -> None:
    """Each attempt would leave one more, until the table takes its rows."""
    from pyspark.errors import StreamingQueryException

    stream.go()
    good = f"delta.`{stream.good}`"
    stream.spark.sql(f"ALTER TABLE {good} ADD CONSTRAINT small CHECK (b < 20)")
    stream.add(20, 24)
    for _ in range(2):
        with pytest.raises(StreamingQueryException, match="CHECK small"):
            stream.go()
        assert not staged_folders(stream)
    stream.spark.sql(f"ALTER TABLE {good} DROP CONSTRAINT small")
    stream.go()
    assert stream.held() == (fitting((0, 24)), violating((0, 24)))


@pytest.mark.slow
def test_another_checkpoint_is_another_stream(stream: Stream) -> None:
    from pyspark.errors import StreamingQueryException

    stream.go()
    stream.checkpoint = "other"
    with pytest.raises(StreamingQueryException, match="from another checkpoint"):
        stream.go()
    stream.go(stream.sink(stream="t"))
    assert stream.held() == (fitting((0, 20), (0, 20)), violating((0, 20), (0, 20)))
    assert stream.sink().report().rows.total == 20


@pytest.mark.slow
def test_a_stream_that_a_run_has_overtaken_says_so(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.errors import StreamingQueryException

    with pytest.raises(Exception, match="CrashError"):
        crash(monkeypatch, 2, stream.go, raises=False)
    stream.run(run_id="second", mode="overwrite")
    with pytest.raises(StreamingQueryException, match="the run second has written"):
        stream.go()
    assert stream.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_a_batch_is_ended_with_the_signature_that_it_was_begun_with(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exception, match="CrashError"):
        crash(monkeypatch, 2, stream.go, raises=False)
    with pytest.raises(Exception, match="restart the stream with what it had until the batch"):
        stream.go(stream.sink(NEWER))
    stream.go()
    assert stream.held() == (fitting((0, 20)), violating((0, 20)))


@pytest.mark.slow
def test_a_report_on_a_half_written_batch_is_refused(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="no batch of the stream s"):
        stream.sink().report()
    with pytest.raises(Exception, match="CrashError"):
        crash(monkeypatch, 5, stream.go, raises=False)
    with pytest.raises(SourceError, match="the batch 1 of the stream s is half written"):
        stream.sink().report()


@pytest.mark.slow
def test_a_report_says_that_rows_were_taken_out_of_the_quarantine(stream: Stream) -> None:
    stream.go()
    optional = ModelSignature(inputs=Schema([ColSpec("long", "b", required=False)]))
    moved = stream.reprocess(optional, conformed=stream.source.parent / "moved")
    assert moved.rows.valid == 4
    stream.add(20, 30)
    stream.go()
    report = stream.sink().report()
    assert (report.rows.total, report.rows.violating, report.expected_rows) == (26, 2, 30)
    assert not report.complete
    (remark,) = report.warnings
    assert remark.startswith("4 of the rows that violated were taken out of the quarantine")


def test_a_stream_fails_where_types_do_not_fit(stream: Stream) -> None:
    from pyspark.errors import StreamingQueryException

    with pytest.raises(StreamingQueryException, match="missing_column"):
        stream.go(change=lambda rows: rows.drop("b"))
    assert not stream.bad.exists()


@pytest.mark.slow
def test_lists_are_checked_in_a_stream(stream: Stream) -> None:
    stream.go(stream.sink(NESTED))
    bad = sorted(row["id"] for row in stream.read(stream.bad))
    assert bad == sorted([*violating((0, 20)), 7, 17])


def test_a_stream_has_to_have_a_name(stream: Stream) -> None:
    with pytest.raises(SignatureError, match="has to have a name"):
        stream.sink(stream="")


def test_a_stream_is_no_batch(stream: Stream) -> None:
    frame = stream.spark.readStream.format("delta").load(str(stream.source))
    with pytest.raises(SignatureError, match="a stream is no batch"):
        stream.run(data=frame)
