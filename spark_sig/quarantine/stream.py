"""Streams: each batch of a stream is transferred, once, whatever restarts."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spark_sig.delta.commits import Commit, find_commit, last_number
from spark_sig.delta.log import read_snapshot, read_version
from spark_sig.delta.streams import query_of
from spark_sig.errors import SignatureError, SourceError, ViolationError
from spark_sig.gate.scan import explaining, tally_parts
from spark_sig.planner import Engine
from spark_sig.policy import Policy
from spark_sig.quarantine.asked import Asked
from spark_sig.quarantine.fates import refuse_undone
from spark_sig.quarantine.frames import as_they_were, rows_of
from spark_sig.quarantine.order import overtaking, refuse_crossed, refuse_overtaken
from spark_sig.quarantine.runs import Run, run_prefix
from spark_sig.quarantine.staging import STAGED, discard_unless, stage, staged, unstage
from spark_sig.quarantine.survivors import Pair, into, refuse_survivors
from spark_sig.quarantine.targets import Target, Targets
from spark_sig.quarantine.transfer import Rows, commit_of, refuse_uncounted, told, written
from spark_sig.report import Report, Source, Transfer
from spark_sig.sources import Resolved, active_session, refuse_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from spark_sig.signature import SignatureSource


# What a stream has written before its first batch.
_NOTHING = Commit(-1, 0, {"before": 0})


class ConformBatches:
    """A sink for ``writeStream.foreachBatch`` that does with each batch what ``conform`` does.

    A batch's rows are first copied to a folder within the quarantine's, so that a batch that is
    computed twice, for the two tables or as the stream restarts from its checkpoint, ends with
    every row exactly once in one of them.

    Args:
        signature: a signature, or anything that loads as one.
        conformed: path or name of the Delta table of the rows that conform; made where there is
            none.
        quarantine: path or name of the table of the others; see :func:`~spark_sig.conform`.
        stream: the stream's name, by which its batches are known in the tables: one for each
            checkpoint.
        policy: the choices that the signature leaves open; the default ones where None.
        side: ``inputs`` or ``outputs``.
        engine: as for :func:`spark_sig.validate`.

    Raises:
        SignatureError: where signature, policy or names cannot mean anything.

    Example:
        >>> sink = ConformBatches(sig, conformed=…, quarantine=…, stream="orders")  # doctest: +SKIP
        >>> rows.writeStream.foreachBatch(sink).option("checkpointLocation", …)  # doctest: +SKIP
    """

    def __init__(
        self,
        signature: SignatureSource,
        *,
        conformed: str | os.PathLike[str],
        quarantine: str | os.PathLike[str],
        stream: str,
        policy: Policy | None = None,
        side: str = "inputs",
        engine: Engine = "auto",
    ) -> None:
        if not stream:
            raise SignatureError("a stream has to have a name", path="stream")
        self._asked = Asked.of(signature, side, policy, engine)
        self._conformed, self._quarantine = os.fspath(conformed), os.fspath(quarantine)
        self._stream = stream
        self._known: tuple[str, str] | None = None  # the tables that were looked at

    def __call__(self, rows: DataFrame, batch: int) -> None:
        """Write a batch, unless it is written.

        Args:
            rows: the batch's.
            batch: its number.

        Raises:
            ViolationError: where the rows do not fit by their types.
            SignatureError: where a table does not fit, or the name is another stream's.
            SourceError: where the tables cannot be written.
        """
        refuse_values(rows)
        with explaining("the batch cannot be read or written"):
            self._transfer(rows, batch)

    def _transfer(self, frame: DataFrame, batch: int) -> None:
        spark = frame.sparkSession
        refuse_uncounted(spark)
        source = Resolved(frame, Source("stream", self._stream))
        rows = Rows.of(source, self._asked)
        if rows.plan.findings:
            raise ViolationError(rows.plan.findings)
        targets = Targets.of(spark, self._conformed, self._quarantine)
        good, bad = rows.conforming(), rows.violating(None)
        targets.refuse_misfits(good.schema, bad.schema, "append")
        targets = targets.made(good, bad, ())
        run = self._run(targets, batch, query_of(spark))
        first, second = (commit_of(spark, target, run) for target in reversed(targets))
        for found in filter(None, (first, second)):
            self._refuse_other(run, frame, found)
        if second is None:
            self._refuse_survivors(spark, targets, run)
            run = self._staged(run, source, targets, first)
            try:
                rows = Rows.of(staged(source, run), self._asked)
                if first is None:
                    targets.refuse_rows(rows.conforming(), rows.violating(run))
                quarantined = self._written(targets.quarantine, rows.violating(run), run)
            except Exception:
                # the next attempt makes one of its own
                discard_unless(spark, run, commit_of(spark, targets.quarantine, run))
                raise
            refuse_overtaken(run, overtaking(spark, targets, run.rules.mode, quarantined))
            if first is not None:
                refuse_undone(spark, targets, run, quarantined)
            conformed = self._written(targets.conformed, rows.conforming(), run)
            refuse_crossed(spark, targets, run, quarantined, conformed)
        unstage(spark, targets.quarantine, run)

    def _staged(self, run: Run, source: Resolved, targets: Targets, first: Commit | None) -> Run:
        """Return the batch as it was begun; one that was not is copied.

        Raises:
            SignatureError: where it was begun with other rules.
        """
        if first is not None:
            if other := run.rules.differ(first):
                raise SignatureError(
                    f"the batch {run.run_id} was begun with another {' and '.join(other)}",
                    path="stream",
                    remedy="restart the stream with what it had until the batch is written, or "
                    "with another name and checkpoint",
                )
            return replace(run, record=_known(first))
        if run.record["query"] is None:
            run = replace(run, record={**run.record, "digest": _digest(source.frame)})
        return stage(source.frame, targets.quarantine, run)

    def _refuse_survivors(self, spark: SparkSession, targets: Targets, run: Run) -> None:
        """Refuse a batch that one of the tables has, where the other is another one since."""
        if self._known == targets.ids:
            return  # of the batches since, none was begun before

        def same(commit: Commit) -> bool:
            said = commit.record
            return (said.get("source"), said["run_id"]) == (self._identity, run.run_id)

        pair, prefix = Pair.of(spark, targets), run_prefix(self._identity, targets)
        refuse_survivors(spark, targets, pair, prefix, same, named=True)
        self._known = targets.ids

    @property
    def _identity(self) -> str:
        return f"stream:{self._stream}"

    def _app(self, targets: Targets) -> str:
        return f"{run_prefix(self._identity, targets)}{self._stream}"

    def _run(self, targets: Targets, batch: int, query: str | None) -> Run:
        return Run(
            f"{self._stream}/{batch}",
            self._app(targets),
            self._identity,
            targets.conformed.table_id,
            None,
            self._asked.rules,
            batch,
            {"query": query},
            into=into(targets),
        )

    def _refuse_other(self, run: Run, frame: DataFrame, found: Commit) -> None:
        """Refuse a batch of another checkpoint, whose numbers begin anew.

        Spark Connect does not say which one it is of: there the rows have to be the same.
        """
        query, digest = run.record["query"], found.record.get("digest")
        if found.record.get("query") != query or (query is None and digest != _digest(frame)):
            raise self._misnamed()

    def _misnamed(self) -> SignatureError:
        return SignatureError(
            f"the stream {self._stream} has written to these tables from another checkpoint",
            path="stream",
            remedy="give it another name, or the checkpoint that it had",
        )

    def _written(self, target: Target, rows: DataFrame, run: Run) -> Commit:
        assert target.path is not None
        spark, before = rows.sparkSession, _total(_NOTHING)
        if (number := last_number(spark, target.path, run.app)) >= 0:
            before = _total(find_commit(spark, target.path, run.app, number))
        return written(target, rows, run, said={"before": before})

    def report(self) -> Report:
        """Report on all batches so far, from what the tables hold.

        Where rows have left the quarantine before the last batch came, the report is not complete.
        It begins anew where one of the tables was made anew.

        Raises:
            SourceError: where there are none, the last one is half written, or the tables no
                longer hold them.
        """
        spark = active_session()
        targets = Targets.of(spark, self._conformed, self._quarantine)
        conformed, quarantined = (self._last(spark, target, targets) for target in targets)
        if conformed.record["number"] != quarantined.record["number"]:
            raise SourceError(
                f"the batch {quarantined.record['number']} of the stream {self._stream} is half "
                "written: restart the stream"
            )
        good, bad = _total(conformed), _total(quarantined)
        assert targets.quarantine.path is not None
        snapshot = read_snapshot(spark, targets.quarantine.path, quarantined.version)
        there, asked = read_version(spark, snapshot), self._asked
        rows = Rows.of(Resolved(as_they_were(there), Source("stream", self._stream)), asked)
        mine = rows_of(there, rows.plan, self._identity, targets.conformed.table_id)
        tally = tally_parts([(mine, rows.plan)], asked.policy.examples, dirty=True)
        if good is None or bad is None:
            raise SourceError(
                f"how many rows the stream {self._stream} has written is in commits that the "
                "tables' histories no longer have"
            )
        if tally.rows > bad or tally.violating < tally.rows:
            raise SourceError(
                f"{bad:,} rows of the stream {self._stream} went to the quarantine, which has "
                f"{tally.rows:,} of them, of which {tally.violating:,} violate this signature"
            )
        taken = bad - tally.rows
        remark = (
            f"{taken:,} of the rows that violated were taken out of the quarantine since, by "
            "reprocess or DELETE: the report is on the others"
        )
        found = Report.of(
            rows.plan,
            replace(tally, rows=tally.rows + good),
            signature=asked.signature.fingerprint,
            side=asked.side,
            source=rows.source.info,
            expected_rows=good + bad if taken else None,
            warnings=(remark,) if taken else (),
            schema=asked.signature.side(asked.side),
        )
        transfer = Transfer(
            str(quarantined.record["run_id"]),
            asked.mode,
            told(targets.conformed, conformed.version, good),
            told(targets.quarantine, quarantined.version, tally.rows),
        )
        return replace(found, transfer=transfer)

    def _last(self, spark: SparkSession, target: Target, targets: Targets) -> Commit:
        found = None
        if target.path is not None:
            app = self._app(targets)
            found = find_commit(spark, target.path, app, last_number(spark, target.path, app))
        if found is None:
            raise SourceError(
                f"the history of {target.place.name} has no batch of the stream {self._stream}"
            )
        return found


def _known(found: Commit) -> dict[str, Any]:
    return {k: found.record[k] for k in ("query", "digest", STAGED) if k in found.record}


def _digest(frame: DataFrame) -> str:
    """Return what tells rows from others, in any order."""
    values = "CAST(xxhash64(to_json(struct(*))) AS decimal(20))"
    count, total = frame.selectExpr("count(*)", f"sum({values})").collect()[0]
    return f"{count}:{total}"


def _total(last: Commit | None) -> int | None:
    """Return how many rows a stream has written to a table; None where nobody knows any more."""
    if last is None or last.rows is None or last.record.get("before") is None:
        return None
    return int(last.record["before"]) + last.rows
