"""Batches: a whole source is transferred, at one version or as it was staged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.delta.commits import Commit
from spark_sig.delta.tables import partition_columns
from spark_sig.errors import SignatureError
from spark_sig.gate import validate_source
from spark_sig.planner import Engine
from spark_sig.policy import Policy
from spark_sig.quarantine.asked import Asked, Mode
from spark_sig.quarantine.partitions import Replaced, refuse_partitions, replaced_partitions
from spark_sig.quarantine.repeats import carried_out
from spark_sig.quarantine.runs import Rules, Run, Runs
from spark_sig.quarantine.staging import (
    STAGED,
    as_begun,
    discard,
    discard_unless,
    stage,
    staged,
    unstage,
)
from spark_sig.quarantine.targets import Targets
from spark_sig.quarantine.transfer import Rows, refuse_uncounted, transfer
from spark_sig.report import Report, Transfer
from spark_sig.sources import Resolved, resolve, session_of

if TYPE_CHECKING:
    from spark_sig.signature import SignatureSource
    from spark_sig.sources import Data


def conform(
    data: Data,
    signature: SignatureSource,
    *,
    conformed: str | os.PathLike[str],
    quarantine: str | os.PathLike[str],
    mode: Mode = "append",
    policy: Policy | None = None,
    side: str = "inputs",
    version: int | None = None,
    timestamp: str | None = None,
    engine: Engine = "auto",
    row_key: str | Sequence[str] = (),
    min_rows: int = 0,
    run_id: str | None = None,
    max_violations: int | str | None = None,
) -> Report:
    """Write the rows that conform to one Delta table, and those that violate to another, once.

    The quarantine is written first.  A run that is repeated after it broke off, at any point,
    ends with every row exactly once in one of the two tables: it reads the version that its first
    commit recorded, and leaves out what is written already.  What has no versions (a DataFrame, a
    view, Parquet) is first copied to a folder within the quarantine's, and read from there; where
    nothing else names a run, its ``run_id`` does, without which a DataFrame is another run each
    time.

    Args:
        data: a path of a Delta table, a catalog name, or anything else that
            :func:`spark_sig.validate` takes, but for streams
            (:class:`~spark_sig.ConformBatches`).
        signature: a signature, or anything that loads as one.
        conformed: path or name of the Delta table of the rows that conform, as the signature
            wants them; made where there is none, partitioned as the source is.
        quarantine: path or name of the table of the others, as they were, each with
            ``_violations`` (path, code, expected, observed), ``_signature``, ``_source``,
            ``_source_id``, ``_source_version``, ``_target_id`` (the id of the table of the rows
            that conform) and ``_run_id``; made where there is none.
        mode: ``append`` adds to both tables, ``overwrite`` takes the place of what is in them,
            ``replace-partitions`` of what is there in partitions that the source has rows of.
        policy: the choices that the signature leaves open; the default ones where None.
        side: ``inputs`` or ``outputs``.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.
        engine: as for :func:`spark_sig.validate`.
        row_key: source columns whose values name a row in the report's examples.
        min_rows: with fewer rows nothing is written.
        run_id: the name of the run; made from source, version, signature, policy, targets and
            mode where None, and then one of an older version that was not finished is finished
            first.
        max_violations: with more violating rows, a number or a share such as ``1%``, nothing is
            written; None for any number.

    Returns:
        The report; ``transfer`` says what was written.

    Raises:
        SignatureError: where signature, policy or names cannot mean anything, a table does not
            fit, or a run was begun with other rules.
        SourceError: where source or tables cannot be read or written.
    """
    asked = Asked.of(signature, side, policy, engine, mode, row_key, min_rows, max_violations)
    if run_id == "":
        raise SignatureError("a run has to have a name, or none at all", path="run_id")
    spark = session_of(data)
    refuse_uncounted(spark)
    source = resolve(data, version=version, timestamp=timestamp, spark=spark, counted=False)
    if source.frame.isStreaming:
        raise SignatureError(
            "a stream is no batch", remedy="give ConformBatches to its writeStream.foreachBatch"
        )
    asked_for = None if version is None and timestamp is None else source.info.version
    find = partial(Targets.of, spark, conformed, quarantine)
    return carried_out(source, _Conform(asked), find, run_id, asked_for)


class _Conform(NamedTuple):
    """What a run does: it checks rows, and writes them as they are asked for.

    Args:
        asked: what it is asked to do.
    """

    asked: Asked

    @property
    def rules(self) -> Rules:
        return self.asked.rules

    def carry_out(
        self, source: Resolved, targets: Targets, run_id: str | None, begun: Commit | None
    ) -> Report:
        return _conform(source, self.asked, targets, run_id, begun)


def _conform(
    source: Resolved, asked: Asked, targets: Targets, run_id: str | None, begun: Commit | None
) -> Report:
    rows = Rows.of(source, asked)
    if rows.plan.findings:
        return _refused(_checked(source, asked), asked, run_id, "the types do not fit")
    # Tables that there are not yet have no ids; else the rows are as they will be written.
    good, bad = rows.conforming(), rows.violating(_run(source, asked, targets, run_id))
    targets.refuse_misfits(good.schema, bad.schema, asked.mode)
    spark, snapshot = source.frame.sparkSession, source.snapshot
    partitions = () if snapshot is None else partition_columns(spark, snapshot)
    if asked.mode == "replace-partitions":
        will_be = targets.partitions(good.columns, partitions)
        refuse_partitions(source.frame.schema, targets, will_be)
    if snapshot is not None and begun is None:
        if refused := _gate(source, asked, run_id):
            return refused
        targets.refuse_rows(good, bad)
    targets = targets.made(good, bad, partitions)
    runs = Runs.of(source, targets)
    run = _run(source, asked, targets, run_id)
    name = run.run_id
    # One of this very name may have been begun with rows that somebody has taken away since.
    begun = runs.begun(name) if begun is None else begun
    new = begun is None
    if begun is not None and STAGED in begun.record:
        run = as_begun(run, begun, STAGED)
    if snapshot is not None:
        return transfer(rows, targets, run, _replacing(source, asked, targets), new=new)
    if not new and runs.finished(name):
        report = transfer(rows, targets, run, None)
    else:
        try:
            run = stage(source.frame, targets.quarantine, run) if new else run
            report = _of_copy(staged(source, run), asked, targets, run, run_id, new=new)
        except Exception:
            discard_unless(spark, run, runs.begun(name))
            raise
        if report.transfer is None or report.transfer.conformed is None:
            discard(spark, run)
            return report
    unstage(spark, targets.quarantine, run)
    return report


def _run(source: Resolved, asked: Asked, targets: Targets, run_id: str | None) -> Run:
    version = None if source.snapshot is None else source.snapshot.version
    return Runs.of(source, targets).run(run_id, version, asked.rules)


def _of_copy(
    copy: Resolved, asked: Asked, targets: Targets, run: Run, run_id: str | None, *, new: bool
) -> Report:
    rows = Rows.of(copy, asked)
    if new:
        if refused := _gate(copy, asked, run_id):
            return refused
        targets.refuse_rows(rows.conforming(), rows.violating(run))
    return transfer(rows, targets, run, _replacing(copy, asked, targets), new=new)


def _replacing(source: Resolved, asked: Asked, targets: Targets) -> Replaced | None:
    if asked.mode != "replace-partitions":
        return None
    return replaced_partitions(source.frame, targets)


def _gate(source: Resolved, asked: Asked, run_id: str | None) -> Report | None:
    """Check all rows before any is written; return the report where none may be."""
    if asked.limit is None and not asked.min_rows:
        return None
    report, limit = _checked(source, asked), asked.limit
    total, violating = report.rows.total, report.rows.violating
    if not report.sound:
        return _refused(report, asked, run_id, "not all rows were seen")
    if total < asked.min_rows:
        why = f"{total:,} rows are fewer than {asked.min_rows:,}"
        return _refused(report, asked, run_id, why)
    if limit is not None and not limit.allows(violating, total):
        return _refused(report, asked, run_id, f"{violating:,} rows violate, more than {limit}")
    return None


def _checked(source: Resolved, asked: Asked) -> Report:
    return validate_source(
        source,
        asked.signature,
        policy=asked.policy,
        side=asked.side,
        engine=asked.engine,
        row_key=asked.row_key,
        min_rows=asked.min_rows,
    )


def _refused(report: Report, asked: Asked, run_id: str | None, why: str) -> Report:
    return replace(report, transfer=Transfer.refused(run_id, asked.mode, why))
