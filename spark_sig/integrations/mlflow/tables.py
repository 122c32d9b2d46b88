"""Tables: one that is scored into another, once, the rows that violate put aside."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from spark_sig.delta.commits import Commit
from spark_sig.delta.log import spark_errors
from spark_sig.delta.tables import partition_columns
from spark_sig.errors import ROW_ERROR, SignatureError, SourceError
from spark_sig.gate import validate_source
from spark_sig.gate.scan import explained
from spark_sig.integrations.mlflow.scoring import PREDICTION, Scoring
from spark_sig.integrations.mlflow.tallies import Predicted
from spark_sig.policy import OnViolation, Policy
from spark_sig.quarantine.frames import Origin, marked, refuse_added
from spark_sig.quarantine.limit import Limit
from spark_sig.quarantine.repeats import carried_out
from spark_sig.quarantine.runs import Rules, Run, Runs, lone_run
from spark_sig.quarantine.staging import STAGED, as_begun, copied, discard, stage, unstage
from spark_sig.quarantine.targets import Target, Targets
from spark_sig.quarantine.transfer import commit_of, counted, move, refuse_uncounted, told, written
from spark_sig.report import Report, Transfer
from spark_sig.rows import split
from spark_sig.sources import Resolved, resolve, session_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Mode = Literal["append", "overwrite"]

# What a run's commits call that which was found of its predictions.
_PREDICTED = "predicted"


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
    spark = session_of(table)
    refuse_uncounted(spark)
    limit = None if max_violations is None else Limit.of(max_violations)
    scoring = Scoring.of(model_uri, params, policy, keep, prediction)
    source = resolve(table, version=version, timestamp=timestamp, spark=spark, counted=False)
    job = _Job(scoring, mode, stats, ledger, limit)
    try:
        _refuse_unscored(source, scoring, aside=quarantine is not None)
        if quarantine is None:
            return job.write_all(source, Target.of(spark, "out", out), run_id)
        find = partial(_targets, spark, out, quarantine)
        asked_for = None if version is None and timestamp is None else source.info.version
        return carried_out(source, job, find, run_id, asked_for)
    except Exception as error:
        raise explained(error, "the rows cannot be read, scored or written") from error


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
            _digest(scoring.params),
            _digest([keep, scoring.prediction]),
        )

    # --- all rows, or none --------------------------------------------------------------------

    def write_all(self, source: Resolved, out: Target, run_id: str | None) -> Report:
        """Write predictions for all rows, or nothing where one violates."""
        spark, rules = source.frame.sparkSession, self.rules
        out.refuse_source(source.identity, source.place)
        run = lone_run(source, out, rules, run_id)
        begun = None if out.path is None else commit_of(spark, out, run)
        if begun is not None:
            run.refuse_rules(begun)
            if (first := begun.record["version"]) is not None:
                source = source.at(first)
        inputs = self._inputs(source)
        why = "" if begun is not None else self._why_not(inputs, aside=False)
        if why:
            return self._refused(inputs, run_id, why)
        scored = self._scored(source, "raise")
        out = self._made(source, out, scored)
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
        return replace(self._with(inputs, Predicted()), transfer=said)

    def _violating(self, source: Resolved, error: Exception) -> Predicted:
        """Return what is wrong with predictions that an action has failed for.

        Raises:
            Exception: the error itself, where that was for something else.
        """
        if ROW_ERROR not in str(error):
            raise error
        found = Predicted.of(self._scored(source, "tag"))
        if not found.rows:
            raise error
        return found

    # --- every row in one of two tables -------------------------------------------------------

    def carry_out(
        self, source: Resolved, targets: Targets, run_id: str | None, begun: Commit | None
    ) -> Report:
        """Put rows aside that violate, or whose predictions do, and write the others."""
        inputs, spark = self._inputs(source), source.frame.sparkSession
        if begun is None and (why := self._why_not(inputs, aside=True)):
            return self._refused(inputs, run_id, why)
        refuse_added(source.frame.columns)
        tagged, mode = self._scored(source, "tag"), self.mode
        # tables that there are not yet have no ids; else the rows are as they will be written
        good, bad = self._split(tagged, source, self._run(source, targets, run_id))
        targets.refuse_misfits(good.schema, bad.schema, mode)
        targets = Targets(
            self._made(source, targets.conformed, good), self._made(source, targets.quarantine, bad)
        )
        targets.refuse_one()
        runs = Runs(spark, source.identity, targets, source.place)
        run = self._run(source, targets, run_id)
        # one of this very name may have been begun with rows that somebody has taken away since
        begun = runs.begun(run.run_id) if begun is None else begun
        if begun is not None:
            run.refuse_rules(begun)
            run = as_begun(run, begun, STAGED, _PREDICTED)
            if not runs.finished(run.run_id):
                tagged = copied(spark, run)[0]
            commits = move(*self._split(tagged, source, run), targets, run)
        else:
            run = stage(tagged, targets.quarantine, run)
            try:
                run = _tallied(spark, run, inputs)
                report = self._with(inputs, run)
                if why := self._why_not(report, aside=True):
                    discard(spark, run)
                    return self._refused(report, run_id, why)
                good, bad = self._split(copied(spark, run)[0], source, run)
                targets.refuse_rows(good, bad)
                commits = move(good, bad, targets, run, new=True)
            except Exception:
                if runs.begun(run.run_id) is None:
                    discard(spark, run)
                raise
        unstage(spark, targets.quarantine, run)
        return self._report(inputs, targets, run, commits)

    def _report(
        self, inputs: Report, targets: Targets, run: Run, commits: tuple[Commit, Commit]
    ) -> Report:
        """Report on a run by what its commits say.

        Raises:
            SourceError: where they have not as many rows as they should.
        """
        (out, quarantine), (quarantined, conformed) = targets, commits
        report = self._with(inputs, run)
        rows, aside = report.rows.total, report.rows.violating
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
        runs = Runs(source.frame.sparkSession, source.identity, targets, source.place)
        version = source.info.version
        name = runs.default_id(version, self.rules) if run_id is None else run_id
        return runs.run(name, version, self.rules)

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
        note = f"nothing was written: {why}"
        return replace(report, transfer=Transfer(run_id or "", self.mode, note=note))

    def _with(self, inputs: Report, found: Predicted | Run) -> Report:
        """Return the report on the inputs with what was found of predictions."""
        if isinstance(found, Run):
            found = Predicted.read(found.record[_PREDICTED])
        outputs = self.scoring.signature.side("outputs")
        return found.added(inputs, outputs, self.scoring.policy)

    def _scored(self, source: Resolved, on_violation: OnViolation) -> DataFrame:
        return self.scoring.under(on_violation).frame(source.frame)

    def _made(self, source: Resolved, target: Target, rows: DataFrame) -> Target:
        """Return a table that takes the rows, made where there is none."""
        target.refuse_misfit(rows.schema, self.mode)
        snapshot, have = source.snapshot, {name.lower() for name in rows.columns}
        spark = source.frame.sparkSession
        theirs = () if snapshot is None else partition_columns(spark, snapshot)
        return target.made(rows, tuple(name for name in theirs if name.lower() in have))


def _tallied(spark: SparkSession, run: Run, inputs: Report) -> Run:
    """Return a run whose commits say what was found of the rows that it has staged.

    Raises:
        SourceError: where these are not those that were checked before.
    """
    tagged, rows = copied(spark, run)
    found, seen = Predicted.of(tagged), inputs.rows
    if (rows, found.others) != (seen.total, seen.violating):
        raise SourceError(
            f"{rows:,} rows were scored, of which {found.others:,} violate, and {seen.total:,} "
            f"were checked before, of which {seen.violating:,} did"
        )
    return replace(run, record={**run.record, _PREDICTED: found.record()})


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=lambda one: [type(one).__name__, str(one)])
    return hashlib.sha256(text.encode()).hexdigest()
