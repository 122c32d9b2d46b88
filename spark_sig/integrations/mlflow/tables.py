"""Tables: one that is scored into another, once, the rows that violate put aside."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from spark_sig.delta.commits import Commit
from spark_sig.delta.log import spark_errors
from spark_sig.delta.tables import partition_columns
from spark_sig.errors import ROW_ERROR, SignatureError, SourceError
from spark_sig.gate import validate_source
from spark_sig.gate.scan import explaining
from spark_sig.integrations.mlflow.native import is_native
from spark_sig.integrations.mlflow.scoring import PREDICTION, Scoring
from spark_sig.integrations.mlflow.tallies import Scored, Tagged, Violations, with_predictions
from spark_sig.policy import OnViolation, Policy
from spark_sig.quarantine.frames import Origin, marked, refuse_added
from spark_sig.quarantine.limit import Limit
from spark_sig.quarantine.repeats import at_first, carried_out, finished_before
from spark_sig.quarantine.runs import Rules, Run, Runs, digest, lone_run, refuse_lone
from spark_sig.quarantine.staging import (
    STAGED,
    as_begun,
    copied,
    discard,
    discard_unless,
    stage,
    unstage,
)
from spark_sig.quarantine.targets import Target, Targets
from spark_sig.quarantine.transfer import commit_of, counted, move, refuse_uncounted, told, written
from spark_sig.report import Report, Transfer
from spark_sig.rows import split
from spark_sig.sources import Resolved, resolve, session_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Mode = Literal["append", "overwrite"]

# What a run's commits call that which was found of its rows.
_SCORED = "scored"


def score_table(
    table: str | os.PathLike[str],
    model_uri: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    quarantine: str | os.PathLike[str] | None = None,
    mode: Mode = "append",
    params: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
    keep: Sequence[str] | None = None,
    prediction: str = PREDICTION,
    version: int | None = None,
    timestamp: str | None = None,
    stats: bool = True,
    ledger: str | os.PathLike[str] | None = None,
    max_violations: int | str | None = None,
    run_id: str | None = None,
) -> Report:
    """Score a table into a Delta table, once.

    The rows are held to the signature's inputs first, by what decides that at the least price:
    statistics, the ledger, Spark's own scan.  Then one pass through Python enforces and casts the
    inputs, calls the model, and enforces its outputs.  Where a row violates, or its prediction,
    nothing is written.

    With a quarantine, such rows go there, as they were, and the others are written all the same.
    The quarantine is written first.  A run that is repeated after it broke off, at any point, ends
    with every row exactly once in one of the two tables, as :func:`spark_sig.conform` does: it
    reads the version that its first commit recorded, and leaves out what is written already.
    What the model gave is kept in a folder within the quarantine's until both are: it is called
    once, and need not say the same twice.

    Args:
        table: path of a Delta table or of Parquet files, or a catalog name.
        model_uri: as for :func:`spark_sig.score`.
        out: path or name of the table of the predictions; made where there is none, partitioned
            as the source is as far as its columns are kept.
        quarantine: path or name of the table of the rows that violate, of the columns that
            :func:`spark_sig.conform` gives it; made where there is none.  None for none.
        mode: ``append`` adds to the tables, ``overwrite`` takes the place of what is in them.
        params: as for :func:`spark_sig.score`, as are ``policy``, ``keep``, ``prediction``.
        policy: the choices that the signature leaves open.
        keep: columns of the source that stay beside the predictions; all where None.
        prediction: name of the prediction where the signature gives none.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.
        stats: whether file statistics may decide checks on the inputs.
        ledger: the Delta table in which verdicts on files are remembered.
        max_violations: with more rows that violate, or whose predictions do, a number or a share
            such as ``1%``, nothing is written; None for any number.
        run_id: the name of the run; made of source, version, signature, policy, model, params,
            columns, targets and mode where None, and then, with a quarantine, one of an older
            version that was not finished is finished first.

    Returns:
        The report on the inputs, and on predictions where they were written, their paths below
        ``$outputs``; ``transfer`` says what was written.

    Raises:
        SignatureError: where arguments, names or types cannot mean anything.
        SourceError: where source or tables cannot be read or written, or the model fails.
    """
    if mode not in get_args(Mode):
        raise SignatureError(
            f"unknown mode {mode!r}", path="mode", expected=f"one of {', '.join(get_args(Mode))}"
        )
    if run_id == "":
        raise SignatureError("a run has to have a name, or none at all", path="run_id")
    if max_violations is not None and quarantine is None:
        raise SignatureError(
            "without a quarantine no row may violate", path="max_violations", remedy="name one"
        )
    spark = session_of(table)
    refuse_uncounted(spark)
    limit = None if max_violations is None else Limit.of(max_violations)
    scoring = Scoring.of(model_uri, params, policy, keep, prediction)
    source = resolve(table, version=version, timestamp=timestamp, spark=spark, counted=False)
    job = _Job(scoring, mode, stats, ledger, limit)
    asked_for = None if version is None and timestamp is None else source.info.version
    with explaining("the rows cannot be read, scored or written"):
        _refuse_unscored(source, scoring, aside=quarantine is not None)
        if quarantine is None:
            return job.write_all(source, Target.of(spark, "out", out), run_id, asked_for)
        find = partial(_targets, spark, out, quarantine)
        return carried_out(source, job, find, run_id, asked_for)


def _refuse_unscored(source: Resolved, scoring: Scoring, *, aside: bool) -> None:
    """Refuse what no row can be scored with, and sources that change as they are read.

    Args:
        source: the rows.
        scoring: what the model is asked.
        aside: whether there is a quarantine.
    """
    if aside and source.snapshot is None:
        raise SignatureError(
            "rows are put aside from a Delta table alone, which has versions",
            path="quarantine",
            observed=source.info.kind,
            remedy="write it to a Delta table first, or leave --quarantine out",
        )
    if aside and is_native(scoring.folder):
        raise SignatureError(
            "a model of Spark's own flavor tags no rows, so that none is put aside",
            path="quarantine",
            remedy="leave --quarantine out, or score what conform has written",
        )
    if aside:
        refuse_added(source.frame.columns)
    if not scoring.plan(source.frame).findings:
        # what it cannot mean is said before any row is read
        scoring.under("tag" if aside else "raise").frame(source.frame)


def _targets(
    spark: SparkSession, out: str | os.PathLike[str], quarantine: str | os.PathLike[str]
) -> Targets:
    found = Targets(Target.of(spark, "out", out), Target.of(spark, "quarantine", quarantine))
    found.refuse_one()
    return found


class _Job(NamedTuple):
    """What a run does: it scores rows, and writes what comes of them.

    Args:
        scoring: what the model is asked.
        mode: what becomes of the rows that the tables have.
        stats: whether file statistics may decide checks on the inputs.
        ledger: where verdicts on files are remembered; None for nowhere.
        limit: how many rows may violate; None for any number.
    """

    scoring: Scoring
    mode: Mode
    stats: bool
    ledger: str | os.PathLike[str] | None
    limit: Limit | None

    @property
    def rules(self) -> Rules:
        scoring = self.scoring.under("raise")
        keep = None if scoring.keep is None else list(scoring.keep)
        return Rules(
            scoring.signature.fingerprint,
            "inputs",
            scoring.policy.fingerprint,
            self.mode,
            scoring.files.digest,
            digest(scoring.params, _plain),
            digest([keep, scoring.prediction], _plain),
        )

    # --- all rows, or none --------------------------------------------------------------------

    def write_all(
        self, source: Resolved, out: Target, run_id: str | None, asked_for: int | None
    ) -> Report:
        """Write predictions for all rows, or nothing where one violates.

        Args:
            source: the rows.
            out: where predictions go.
            run_id: the run's name; None for the one that the rest makes.
            asked_for: the version that was asked for by name.
        """
        spark, rules = source.frame.sparkSession, self.rules
        out.refuse_source(source.identity, source.place)
        run = lone_run(source, out, rules, run_id)
        begun = None if out.path is None else commit_of(spark, out, run)
        if begun is not None:
            run.refuse_rules(begun)
            if source.snapshot is not None:
                source = at_first(source, begun, named=asked_for is not None)
            return self._written_before(source, out, run, begun)
        refuse_lone(spark, out, run, run_id)
        inputs = self._inputs(source)
        if why := self._why_not(inputs, aside=False):
            return self._refused(inputs, run_id, why)
        scored = self._scored(source, "raise")
        out.refuse_misfit(scored.schema, self.mode)
        out = out.made(scored, self._partitions(source))
        run = lone_run(source, out, rules, run_id)
        try:
            commit = written(out, scored, run, overwrite=self.mode == "overwrite")
        except spark_errors() as error:
            found = self._violating(source, error)
            count = f"the predictions of {found.rows:,} rows violate"
            why = f"{count}, and there is no quarantine for them"
            return self._refused(self._with(inputs, found), run_id, why)
        commit = counted(spark, out, commit)
        if commit.rows != inputs.rows.total:
            raise SourceError(
                f"{commit.rows} rows were written to {out.place.name}, of "
                f"{inputs.rows.total:,} that were checked: the source has changed meanwhile"
            )
        said = Transfer(run.run_id, self.mode, told(out, commit.version, commit.rows))
        return replace(self._with(inputs, Violations()), transfer=said)

    def _written_before(self, source: Resolved, out: Target, run: Run, begun: Commit) -> Report:
        """Report on a run without a quarantine that was finished, by what its commit says."""
        rows = counted(source.frame.sparkSession, out, begun).rows
        assert rows is not None
        written_ = told(out, begun.version, rows)
        report = self._with(self._on_inputs(source, Scored(rows)), Violations())
        said = Transfer(run.run_id, self.mode, written_)
        remarks = *report.warnings, finished_before(run.run_id, written_)
        return replace(report, transfer=said, warnings=remarks)

    def _violating(self, source: Resolved, error: Exception) -> Violations:
        """Return what is wrong with predictions that an action has failed for.

        Raises:
            Exception: the error itself, where that was for something else, or nothing says more.
        """
        if ROW_ERROR not in str(error) or is_native(self.scoring.folder):
            raise error
        found = Tagged.of(self._scored(source, "tag")).predictions
        if not found.rows:
            raise error
        return found

    # --- every row in one of two tables -------------------------------------------------------

    def carry_out(
        self, source: Resolved, targets: Targets, run_id: str | None, begun: Commit | None
    ) -> Report:
        """Put rows aside that violate, or whose predictions do, and write the others."""
        spark, run = source.frame.sparkSession, self._run(source, targets, run_id)
        if begun is not None:
            run.refuse_rules(begun)
        elif self.scoring.plan(source.frame).findings:
            inputs = self._inputs(source)
            return self._refused(inputs, run_id, self._why_not(inputs, aside=True))
        tagged = self._scored(source, "tag")
        # tables that there are not yet have no ids; else the rows are as they will be written
        good, bad = self._split(tagged, source, run)
        targets.refuse_misfits(good.schema, bad.schema, self.mode)
        if begun is None:
            inputs = self._inputs(source)
            if why := self._why_not(inputs, aside=True):
                return self._refused(inputs, run_id, why)
        targets = targets.made(good, bad, self._partitions(source))
        runs = Runs.of(source, targets)
        run = self._run(source, targets, run_id)
        # one of this very name may have been begun with rows that somebody has taken away since
        begun = runs.begun(run.run_id) if begun is None else begun
        if begun is not None:
            run.refuse_rules(begun)
            run = as_begun(run, begun, STAGED, _SCORED)
            if not runs.finished(run.run_id):
                tagged = copied(spark, run)[0]
            commits = move(*self._split(tagged, source, run), targets, run)
            inputs = self._on_inputs(source, Scored.read(run.record[_SCORED]))
        else:
            run = stage(tagged, targets.quarantine, run)
            try:
                run = _tallied(spark, run, inputs)
                if why := self._why_not(self._of(inputs, run), aside=True):
                    discard(spark, run)
                    return self._refused(self._of(inputs, run), run_id, why)
                good, bad = self._split(copied(spark, run)[0], source, run)
                targets.refuse_rows(good, bad)
                commits = move(good, bad, targets, run, new=True)
            except Exception:
                discard_unless(spark, run, runs.begun(run.run_id))
                raise
        unstage(spark, targets.quarantine, run)
        return self._report(spark, self._of(inputs, run), targets, run, commits)

    def _report(
        self,
        spark: SparkSession,
        report: Report,
        targets: Targets,
        run: Run,
        commits: tuple[Commit, Commit],
    ) -> Report:
        """Say what was written.

        Raises:
            SourceError: where the commits have not as many rows as they should.
        """
        rows, aside = report.rows.total, report.rows.violating
        out, quarantine = targets
        quarantined, conformed = commits
        quarantined = counted(spark, quarantine, quarantined)
        if (conformed.rows, quarantined.rows) != (rows - aside, aside):
            raise SourceError(
                f"the run {run.run_id} has written {conformed.rows} rows to {out.place.name} and "
                f"{quarantined.rows} to the quarantine {quarantine.place.name}, of {rows:,}, of "
                f"which {aside:,} violate"
            )
        said = Transfer(
            run.run_id,
            self.mode,
            told(out, conformed.version, rows - aside),
            told(quarantine, quarantined.version, aside),
        )
        return replace(report, transfer=said)

    def _run(self, source: Resolved, targets: Targets, run_id: str | None) -> Run:
        return Runs.of(source, targets).run(run_id, source.info.version, self.rules)

    def _split(self, tagged: DataFrame, source: Resolved, run: Run) -> tuple[DataFrame, DataFrame]:
        """Return the rows that were scored, and the others as the quarantine takes them."""
        good, bad = split(tagged)
        fingerprint, name = self.scoring.signature.fingerprint, source.info.name
        origin = Origin(fingerprint, name, run.source, run.version, run.target, run.run_id)
        return good, marked(bad, origin)

    # --- both ---------------------------------------------------------------------------------

    def _inputs(self, source: Resolved) -> Report:
        """Hold the rows to the signature's inputs, by what decides that at the least price."""
        return validate_source(
            source,
            self.scoring.signature,
            policy=self.scoring.policy,
            stats=self.stats,
            ledger=self.ledger,
        )

    def _why_not(self, report: Report, *, aside: bool) -> str:
        """Return why nothing is written, given what is known of the rows; empty where it is."""
        total, violating = report.rows.total, report.rows.violating
        if any(check.count is None and check.violated for check in report.checks):
            return "the types do not fit"
        if not report.sound:
            return "not all rows were seen"
        if violating and not aside:
            return f"{violating:,} rows violate, and there is no quarantine for them"
        if self.limit is not None and not self.limit.allows(violating, total):
            return f"{violating:,} rows violate, more than {self.limit}"
        return ""

    def _refused(self, report: Report, run_id: str | None, why: str) -> Report:
        return replace(report, transfer=Transfer.refused(run_id, self.mode, why))

    def _on_inputs(self, source: Resolved, found: Scored) -> Report:
        """Return the report on the inputs of a run that was begun before: its rows may be gone."""
        scoring = self.scoring.under("raise")
        return found.on_inputs(scoring.plan(source.frame), scoring.signature, source.info)

    def _of(self, inputs: Report, run: Run) -> Report:
        """Return the report on the inputs with what a run's commits say of the predictions."""
        return self._with(inputs, Scored.read(run.record[_SCORED]).predictions)

    def _with(self, inputs: Report, found: Violations) -> Report:
        """Return the report on the inputs with what was found of the predictions."""
        scoring = self.scoring
        return with_predictions(inputs, found, scoring.signature.side("outputs"), scoring.policy)

    def _scored(self, source: Resolved, on_violation: OnViolation) -> DataFrame:
        return self.scoring.under(on_violation).frame(source.frame)

    def _partitions(self, source: Resolved) -> tuple[str, ...]:
        """Return the columns that a table is partitioned by which is made for the rows."""
        if source.snapshot is None:
            return ()
        keep = self.scoring.keep
        theirs = partition_columns(source.frame.sparkSession, source.snapshot)
        return tuple(name for name in theirs if keep is None or name in keep)


def _tallied(spark: SparkSession, run: Run, inputs: Report) -> Run:
    """Return a run whose commits say what was found of the rows that it has staged.

    Raises:
        SourceError: where these are not those that were checked before.
    """
    frame, rows = copied(spark, run)
    tagged, seen = Tagged.of(frame), inputs.rows
    if (rows, tagged.rows) != (seen.total, seen.violating):
        raise SourceError(
            f"{rows:,} rows were scored, of which {tagged.rows:,} violate, and {seen.total:,} "
            f"were checked before, of which {seen.violating:,} did"
        )
    found = Scored(rows, Violations.of(inputs), tagged.predictions)
    return replace(run, record={**run.record, _SCORED: found.record()})


def _plain(value: object) -> object:
    """Return a param's value as JSON has it, none of its digits lost."""
    if isinstance(value, (np.ndarray, np.generic)):
        return [str(value.dtype), value.tolist()]
    return [type(value).__name__, repr(value)]
