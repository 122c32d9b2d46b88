"""Transfers: every row of a source goes to one of two tables, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.compile.spark import source_schema
from spark_sig.delta.commits import Commit, find_commit, named_commit, write_once
from spark_sig.delta.log import read_snapshot, read_version, reraise_cancelled
from spark_sig.errors import SourceError
from spark_sig.gate.scan import tally_parts
from spark_sig.plan import EnforcementPlan
from spark_sig.planner import plan_enforcement
from spark_sig.quarantine.asked import Asked
from spark_sig.quarantine.fates import refuse_undone
from spark_sig.quarantine.frames import (
    Origin,
    conforming_rows,
    refuse_added,
    rows_of,
    violating_rows,
)
from spark_sig.quarantine.order import overtaking, refuse_crossed, refuse_overtaken
from spark_sig.quarantine.partitions import Replaced
from spark_sig.quarantine.remedies import RENAME, take_out
from spark_sig.quarantine.runs import Run
from spark_sig.quarantine.staging import discard
from spark_sig.quarantine.targets import Target, Targets
from spark_sig.report import Report, Transfer, Written
from spark_sig.rows import refuse_row_count
from spark_sig.sources import Resolved
from spark_sig.tally import Tally

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


_COUNTS = "spark.databricks.delta.history.metricsEnabled"


class Rows(NamedTuple):
    """Rows of a source that are to go to two tables.

    Args:
        source: what they are of.
        asked: what they are held to, and how they are written.
        plan: how they are checked.
    """

    source: Resolved
    asked: Asked
    plan: EnforcementPlan

    @classmethod
    def of(cls, source: Resolved, asked: Asked) -> Rows:
        """Plan how the rows of a source are checked.

        Raises:
            SignatureError: where the signature holds no single row to anything, or the source has
                columns that the quarantine adds.
        """
        plan = plan_enforcement(
            source_schema(source.frame.schema, source.imposed()),
            asked.signature.side(asked.side),
            asked.policy,
            engine=asked.engine,
            spark=True,
            enforced=source.enforced,
        )
        refuse_row_count(plan)
        refuse_added(plan.source.names)
        return cls(source, asked, plan)

    def conforming(self) -> DataFrame:
        """Return those that conform, as the plan wants them."""
        return conforming_rows(self.source.frame, self.plan)

    def violating(self, run: Run | None) -> DataFrame:
        """Return those that violate, and what the quarantine says of each.

        Args:
            run: the run that writes them; None where only their columns are wanted.
        """
        info, run_id = self.source.info, "" if run is None else run.run_id
        origin = Origin(
            self.asked.signature.fingerprint,
            info.name,
            "" if run is None else run.source,
            None if run is None else run.version,
            "" if run is None else run.target,
            run_id,
        )
        return violating_rows(self.source.frame, self.plan, origin)


def refuse_uncounted(spark: SparkSession) -> None:
    """Refuse a session whose commits do not say how many rows they write.

    Raises:
        SourceError: where it is one.
    """
    if str(spark.conf.get(_COUNTS, "true")).lower() == "false":
        raise SourceError(f"commits do not count their rows where {_COUNTS} is false: set it true")


def transfer(
    rows: Rows, targets: Targets, run: Run, replacing: Replaced | None, *, new: bool = False
) -> Report:
    """Write the rows of a run that are not written yet, the quarantine first; say what came of it.

    Args:
        rows: what to write.
        targets: where to, both made.
        run: what the two commits are known by.
        replacing: the partitions whose rows the run's take the place of; None for all of them,
            where the mode replaces any.
        new: whether nothing is known to be written.

    Returns:
        The report, made of what the tables hold.

    Raises:
        SourceError: as for :func:`move`; or where a table does not hold what was written.
    """
    good, bad = rows.conforming(), rows.violating(run)
    return reported(rows, targets, run, *move(good, bad, targets, run, replacing, new=new))


def move(
    good: DataFrame,
    bad: DataFrame,
    targets: Targets,
    run: Run,
    replacing: Replaced | None = None,
    *,
    new: bool = False,
) -> tuple[Commit, Commit]:
    """Write what a run has not written yet to two tables, the quarantine first.

    Args:
        good: the rows that conform, as they are written.
        bad: the others, with what the quarantine says of them.
        targets: as for :func:`transfer`, as are ``run``, ``replacing`` and ``new``.

    Returns:
        The commits that they are in: of the quarantine, and of the other table.

    Raises:
        SourceError: where others have replaced what the run has written to the quarantine before
            it was finished.
    """
    spark, replaces = good.sparkSession, run.rules.mode != "append"
    where, names = (None, None) if replacing is None else replacing
    said = {} if names is None else {"partitions": list(names)}
    quarantined = written(
        targets.quarantine, bad, run, overwrite=replaces, where=where, said=said, new=new
    )
    later = overtaking(spark, targets, run.rules.mode, quarantined)
    if (later or not new) and commit_of(spark, targets.conformed, run) is None:
        try:
            refuse_overtaken(run, later)
            if not new:
                refuse_undone(spark, targets, run, quarantined)
        except SourceError:
            discard(spark, run)  # nobody can finish it any more
            raise
    conformed = written(
        targets.conformed,
        good,
        run,
        overwrite=replaces,
        where=where,
        said=said,
        new=new,
        # what has come before may have overtaken it
        retry=not replaces,
    )
    refuse_crossed(spark, targets, run, quarantined, conformed)
    if replaces:
        conformed = counted(spark, targets.conformed, conformed, where)
    return quarantined, conformed


def counted(
    spark: SparkSession, target: Target, commit: Commit, where: str | None = None
) -> Commit:
    """Return a commit with the number of its rows, where it replaced others and does not say.

    Args:
        spark: the session.
        target: the table.
        commit: the commit.
        where: the condition, as SQL, on the rows that it replaced; all of them where None.
    """
    if commit.rows is not None:
        return commit
    assert target.path is not None
    there = read_version(spark, read_snapshot(spark, target.path, commit.version))
    return replace(commit, rows=(there if where is None else there.where(where)).count())


def written(
    target: Target,
    rows: DataFrame,
    run: Run,
    *,
    overwrite: bool = False,
    where: str | None = None,
    said: Mapping[str, Any] | None = None,
    new: bool = False,
    retry: bool = True,
) -> Commit:
    """Write the rows of a run, unless they are written; return the commit that they are in.

    Args:
        target: where to, made.
        rows: the rows.
        run: what the commit is known by.
        overwrite: whether they take the place of others.
        where: the condition, as SQL, on those others; all of them where None.
        said: what the commit says of itself besides.
        new: whether they are not known to be written; where they are nevertheless, by another job,
            the table leaves them out.
        retry: whether they are written again where another commit has come before.

    Raises:
        SignatureError: where a run of that name was one of other rules.
        SourceError: where another job has taken the name meanwhile.
    """
    assert target.path is not None
    spark = rows.sparkSession
    commit = None if new else commit_of(spark, target, run)
    if commit is None:
        stamp = run.stamp
        stamp = replace(stamp, record={**stamp.record, **(said or {})})
        write_once(rows, target.path, stamp, overwrite=overwrite, where=where, retry=retry)
        commit = named_commit(spark, target.path, run.app, run.number)
        if commit and read_snapshot(spark, target.path, commit.version).table_id != target.table_id:
            raise SourceError(
                f"the {target.what} table {target.place.name} was replaced while the run "
                f"{run.run_id} wrote to it (version {commit.version}): take the rows of the run "
                "out of both tables, and repeat it under another run id"
            )
    if commit is None:
        raise SourceError(
            f"the history of the {target.what} table {target.place.name} does not have the run "
            f"{run.run_id}, and the table takes it for written: {take_out(run.run_id)}, and "
            f"{RENAME}"
        )
    run.refuse_other(commit)
    return commit


def commit_of(spark: SparkSession, target: Target, run: Run) -> Commit | None:
    """Return a run's commit in a table; None where it has none."""
    assert target.path is not None
    return find_commit(spark, target.path, run.app, run.number)


def reported(
    rows: Rows, targets: Targets, run: Run, quarantined: Commit, conformed: Commit
) -> Report:
    """Report on a run from what it has written: what counts is in the tables.

    Where rows have left the quarantine since, and VACUUM has taken the version that had them, the
    report is not complete.

    Raises:
        SourceError: where the quarantine does not hold what the run has written.
    """
    asked, taken = rows.asked, 0
    try:
        tally = _tally_of(rows, targets.quarantine, run, quarantined.version)
    except SourceError as error:
        reraise_cancelled(error)
        # VACUUM may have taken that version: the newest one has the same rows, or what is left
        tally = _tally_of(rows, targets.quarantine, run, None)
        taken = max(0, (quarantined.rows or 0) - tally.rows)
    went = tally.rows if quarantined.rows is None else quarantined.rows
    if conformed.rows is None or not tally.rows + taken == tally.violating + taken == went:
        raise SourceError(
            f"the run {run.run_id} has written {conformed.rows} rows to "
            f"{targets.conformed.place.name} and {quarantined.rows} to the quarantine "
            f"{targets.quarantine.place.name}, which has {tally.rows:,}, of which "
            f"{tally.violating:,} violate"
        )
    source = rows.source.counted()
    remark = (
        f"{taken:,} of the {went:,} rows that violated were taken out of the quarantine since, by "
        "reprocess or DELETE: the report is on the others"
    )
    # What the log does not count is counted nowhere else.
    expected = None if source.info.uncounted else source.expected_rows
    found = Report.of(
        rows.plan,
        replace(tally, rows=tally.rows + conformed.rows),
        signature=asked.signature.fingerprint,
        side=asked.side,
        source=source.info,
        expected_rows=went + conformed.rows if taken else expected,
        min_rows=asked.min_rows,
        row_key=asked.row_key,
        warnings=(remark,) if taken else (),
        schema=asked.signature.side(asked.side),
    )
    said = Transfer(
        run.run_id,
        asked.mode,
        told(targets.conformed, conformed.version, conformed.rows),
        told(targets.quarantine, quarantined.version, tally.rows),
    )
    return replace(found, transfer=said)


def _tally_of(rows: Rows, quarantine: Target, run: Run, version: int | None) -> Tally:
    """Tally a run's rows in a version of the quarantine, the newest one where None."""
    spark, asked = rows.source.frame.sparkSession, rows.asked
    assert quarantine.path is not None
    there = read_version(spark, read_snapshot(spark, quarantine.path, version))
    mine = rows_of(there, rows.plan, run.source, run.target, run.run_id)
    return tally_parts([(mine, rows.plan)], asked.policy.examples, asked.row_key, dirty=True)


def told(target: Target, version: int, rows: int) -> Written:
    """Say what was written to a table."""
    return Written(target.place.name, target.table_id, version, rows)
