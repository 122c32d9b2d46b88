"""Streams: each batch of a stream is transferred, once, whatever restarts."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from spark_sig.delta.commits import Commit, find_commit, last_number
from spark_sig.delta.log import read_snapshot, read_version
from spark_sig.delta.streams import query_of
from spark_sig.errors import SignatureError, SourceError, ViolationError
from spark_sig.gate.scan import explained, tally_parts
from spark_sig.planner import Engine
from spark_sig.policy import Policy
from spark_sig.quarantine.asked import Asked
from spark_sig.quarantine.frames import rows_of
from spark_sig.quarantine.runs import PREFIX, Run, digest
from spark_sig.quarantine.staging import staged, unstage
from spark_sig.quarantine.targets import Target, Targets
from spark_sig.quarantine.transfer import Rows, commit_of, told, written
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
        try:
            self._transfer(rows, batch)
        except Exception as error:
            raise explained(error) from error

    def _transfer(self, frame: DataFrame, batch: int) -> None:
        spark = frame.sparkSession
        source = Resolved(frame, Source("stream", self._stream))
        rows = Rows.of(source, self._asked)
        if rows.plan.findings:
            raise ViolationError(rows.plan.findings)
        targets = Targets.of(spark, self._conformed, self._quarantine)
        good, bad = rows.conforming(), rows.violating(None)
        targets.refuse_misfits(good.schema, bad.schema)
        targets = targets.made(good, bad, ())
        run = self._run(targets, batch, query_of(spark))
        first, second = (commit_of(target, run, frame) for target in reversed(targets))
        if first is not None:
            self._refuse_other(run, first)
        if second is None:
            copy = staged(source, targets.quarantine, run, begun=first is not None)
            rows = Rows.of(copy, self._asked)
            self._written(targets.quarantine, rows.violating(run), run)
            self._written(targets.conformed, rows.conforming(), run)
        elif first is not None and run.record["query"] is None:
            self._refuse_others(run, frame, first.rows + second.rows)
        unstage(spark, targets.quarantine, run)

    @property
    def _identity(self) -> str:
        return f"stream:{self._stream}"

    def _app(self, targets: Targets) -> str:
        return f"{PREFIX}:{digest([self._identity, *targets.ids])[:16]}:{self._stream}"

    def _run(self, targets: Targets, batch: int, query: str | None) -> Run:
        return Run(
            f"{self._stream}/{batch}",
            self._app(targets),
            self._identity,
            None,
            self._asked.rules,
            batch,
            {"query": query},
        )

    def _refuse_other(self, run: Run, found: Commit) -> None:
        """Refuse a batch of another checkpoint, whose numbers begin anew."""
        if found.record.get("query") != run.record["query"]:
            raise self._misnamed()

    def _refuse_others(self, run: Run, frame: DataFrame, rows: int) -> None:
        """Refuse a batch that is written already, and has another number of rows."""
        if frame.count() != rows:
            raise self._misnamed()

    def _misnamed(self) -> SignatureError:
        return SignatureError(
            f"the stream {self._stream} has written to these tables from another checkpoint",
            path="stream",
            remedy="give it another name, or the checkpoint that it had",
        )

    def _written(self, target: Target, rows: DataFrame, run: Run) -> None:
        assert target.path is not None
        spark, before = rows.sparkSession, _total(_NOTHING)
        if (number := last_number(spark, target.path, run.app)) >= 0:
            before = _total(find_commit(spark, target.path, run.app, number))
        written(target, rows, run, said={"before": before})

    def report(self) -> Report:
        """Report on all batches so far, from what the tables hold.

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
        mine = rows_of(read_version(spark, snapshot), self._identity)
        rows = Rows.of(Resolved(mine, Source("stream", self._stream)), self._asked)
        asked = self._asked
        tally = tally_parts([(mine, rows.plan)], asked.policy.examples, dirty=True)
        if good is None or bad is None:
            raise SourceError(
                f"how many rows the stream {self._stream} has written is in commits that the "
                "tables' histories no longer have"
            )
        if not tally.rows == tally.violating == bad:
            raise SourceError(
                f"{bad:,} rows of the stream {self._stream} went to the quarantine, which has "
                f"{tally.rows:,} of them, of which {tally.violating:,} violate this signature"
            )
        found = Report.of(
            rows.plan,
            replace(tally, rows=tally.rows + good),
            signature=asked.signature.fingerprint,
            side=asked.side,
            source=rows.source.info,
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


def _total(last: Commit | None) -> int | None:
    """Return how many rows a stream has written to a table; None where nobody knows any more."""
    before = None if last is None else last.record.get("before")
    return None if last is None or before is None else int(before) + last.rows
