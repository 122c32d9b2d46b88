"""Tables: one that is scored into another, once, the rows that violate put aside."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from spark_sig.delta.commits import Commit, Stamp, find_commit, is_rewritten, write_once
from spark_sig.delta.log import read_snapshot, read_version, spark_errors
from spark_sig.delta.tables import partition_columns
from spark_sig.errors import ROW_ERROR, Code, SignatureError, SourceError
from spark_sig.gate import validate_source
from spark_sig.gate.scan import explained
from spark_sig.integrations.mlflow.artifacts import digest_of
from spark_sig.integrations.mlflow.predictions import OUTPUTS
from spark_sig.integrations.mlflow.scoring import PREDICTION, Scoring
from spark_sig.plan import Rung
from spark_sig.planner import VIOLATIONS
from spark_sig.policy import OnViolation, Policy
from spark_sig.quarantine.frames import (
    RUN,
    RUN_ID,
    Origin,
    marked,
    refuse_added,
    violating_rows,
)
from spark_sig.quarantine.limit import Limit
from spark_sig.quarantine.targets import Target, Targets
from spark_sig.quarantine.transfer import refuse_uncounted, told
from spark_sig.report import CheckResult, Decided, Report, Transfer, Written
from spark_sig.rows import split
from spark_sig.sinks import new_run_id
from spark_sig.sources import Resolved, resolve, session_of
from spark_sig.tally import OBSERVED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Mode = Literal["append", "overwrite"]

# How the applications are called that write for a run; the rest tells the run from others.
_APP = "spark_sig:score:"

# The transactions of a run: rows, and then rows whose predictions violate.
_ROWS, _PREDICTIONS = 0, 1

# What a violation by a prediction is, to Spark's functions on arrays.
_ODD = f"v -> startswith(v.path, '{OUTPUTS}')"


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
    statistics, the ledger, Spark's own scan.  Where one violates, nothing is written; with a
    quarantine, those that violate go there, as they were, before the others are scored.  Then one
    pass through Python enforces and casts the inputs, calls the model, and enforces its outputs.
    Rows whose predictions violate go to the quarantine, too, after the others are written; without
    one they keep all from being written.

    A run that is repeated under one name reads the version that its first commit recorded, and
    leaves out what is written already.

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
        max_violations: with more rows that violate the inputs, a number or a share such as
            ``1%``, nothing is written; None for any number.
        run_id: the name of the run; made of source, version, model and targets where None.

    Returns:
        The report on the inputs, and on predictions that violate, their paths below
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
    try:
        places = _Places.of(spark, out, quarantine)
        places.refuse(source)
        run = _Run.of(source, places, scoring, mode, run_id)
        if (begun := run.begun(spark, places)) is not None:
            first = begun.record["version"]
            if source.snapshot is not None and first != source.snapshot.version:
                source = resolve(table, version=first, spark=spark, counted=False)
                run = run.at(first)
        aside = quarantine is not None
        if not scoring.plan(source.frame).findings:
            # What it cannot mean is said before any row is read.
            for way in ("drop", "tag") if aside else ("raise",):
                scoring.under(way).frame(source.frame)
        report = validate_source(
            source, scoring.signature, policy=scoring.policy, stats=stats, ledger=ledger
        )
        why = _why_not(report, limit, aside=aside)
        if why:
            return _refused(report, run, why)
        return _Writing(source, scoring, run, report).report(spark, places)
    except Exception as error:
        raise explained(error, "the rows cannot be read, scored or written") from error


def _why_not(report: Report, limit: Limit | None, *, aside: bool) -> str:
    """Return why nothing is written, given what is known of the inputs; empty where it is."""
    total, violating = report.rows.total, report.rows.violating
    if any(check.count is None and check.violated for check in report.checks):
        return "the types do not fit"
    if not report.sound:
        return "not all rows were seen"
    if violating and not aside:
        return f"{violating:,} rows violate, and there is no quarantine for them"
    if limit is not None and not limit.allows(violating, total):
        return f"{violating:,} rows violate, more than {limit}"
    return ""


def _refused(report: Report, run: _Run, why: str) -> Report:
    note = f"nothing was written: {why}"
    return replace(report, transfer=Transfer(run.name, run.mode, note=note))


class _Places(NamedTuple):
    """The tables of a run.

    Args:
        out: where scored rows go.
        quarantine: where rows that violate go; None for nowhere.
    """

    out: Target
    quarantine: Target | None

    @classmethod
    def of(
        cls,
        spark: SparkSession,
        out: str | os.PathLike[str],
        quarantine: str | os.PathLike[str] | None,
    ) -> _Places:
        aside = None if quarantine is None else Target.of(spark, "quarantine", quarantine)
        return cls(Target.of(spark, "out", out), aside)

    def refuse(self, source: Resolved) -> None:
        """Refuse tables that are one, or the source; and sources that change as they are read."""
        both = Targets(self.out, self.out if self.quarantine is None else self.quarantine)
        both.refuse_source(source.identity, source.place)
        if self.quarantine is None:
            return
        both.refuse_one()
        if source.snapshot is None:
            raise SignatureError(
                "rows are put aside from a Delta table alone, which has versions",
                path="quarantine",
                observed=source.info.kind,
                remedy="write it to a Delta table first, or leave --quarantine out",
            )

    @property
    def there(self) -> tuple[Target, ...]:
        """Those that exist."""
        both = (self.quarantine, self.out)
        return tuple(one for one in both if one is not None and one.path is not None)


class _Run(NamedTuple):
    """What the commits of a run are known by.

    Args:
        name: its name.
        app: how the application is called that writes.
        mode: what becomes of the rows that are there.
        record: what commits say of it.
    """

    name: str
    app: str
    mode: Mode
    record: Mapping[str, Any]

    @classmethod
    def of(
        cls, source: Resolved, places: _Places, scoring: Scoring, mode: Mode, run_id: str | None
    ) -> _Run:
        rules = {
            "signature": scoring.signature.fingerprint,
            "policy": scoring.policy.fingerprint,
            "model": digest_of(scoring.folder),
            "params": _digest(scoring.params),
            "keep": None if scoring.keep is None else list(scoring.keep),
            "prediction": scoring.prediction,
            "mode": mode,
        }
        version = None if source.snapshot is None else source.snapshot.version
        digest = _digest(rules)
        tables = [source.identity, *(one.place.sql for one in places if one is not None)]
        unnamed = [version, digest] if version is not None else [new_run_id()]
        name = _digest([tables, unnamed])[:32] if run_id is None else run_id
        app = _APP + _digest([tables, name])
        said = {"run_id": name, "rules": digest, "version": version, "source": source.identity}
        return cls(name, app, mode, said)

    def at(self, version: int) -> _Run:
        """Return the same, of another version of the source."""
        return self._replace(record={**self.record, "version": version})

    def stamp(self, number: int) -> Stamp:
        """Return what a commit of it is known by."""
        return Stamp(self.app, number, self.record)

    def begun(self, spark: SparkSession, places: _Places) -> Commit | None:
        """Return its first commit; None where there is none.

        Raises:
            SignatureError: where it was begun with other rules.
        """
        for target in places.there:
            assert target.path is not None
            found = find_commit(spark, target.path, self.app, _ROWS)
            if found is None:
                continue
            if found.record["rules"] != self.record["rules"]:
                raise SignatureError(
                    f"the run {self.name} was begun with another model, signature, policy, params, "
                    "columns or mode",
                    path="run_id",
                    remedy="give another run id",
                )
            return found
        return None


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=lambda one: [type(one).__name__, str(one)])
    return hashlib.sha256(text.encode()).hexdigest()


class _Writing(NamedTuple):
    """What is written, and what was found out before.

    Args:
        source: the rows, at the version of the run.
        scoring: what the model is asked.
        run: the run.
        found: the report on the inputs.
    """

    source: Resolved
    scoring: Scoring
    run: _Run
    found: Report

    def report(self, spark: SparkSession, places: _Places) -> Report:
        """Write what is not written yet, and say what the tables hold of it."""
        if places.quarantine is None:
            return self._all_or_none(spark, places.out)
        return self._put_aside(spark, places.out, places.quarantine)

    def _all_or_none(self, spark: SparkSession, out: Target) -> Report:
        scored = self._scored("raise")
        out = self._made(spark, out, scored)
        try:
            commit = self._once(out, scored, _ROWS)
        except spark_errors() as error:
            if ROW_ERROR not in str(error):
                raise
            count, checks = _odd(self._scored("tag"))
            if not count:
                raise
            why = f"the predictions of {count:,} rows violate, and there is no quarantine for them"
            return _refused(self._with(count, checks), self.run, why)
        written = _written(spark, out, commit)
        if written.rows != self.found.rows.total:
            raise SourceError(
                f"{written.rows:,} rows were written to {out.place.name}, of "
                f"{self.found.rows.total:,} that were checked: the source has changed meanwhile"
            )
        return replace(self.found, transfer=Transfer(self.run.name, self.run.mode, written))

    def _put_aside(self, spark: SparkSession, out: Target, quarantine: Target) -> Report:
        refuse_added(self.source.frame.columns)
        scored = self._scored("drop")
        quarantine.refuse_misfit(self._violating(out).schema, self.run.mode)
        out = self._made(spark, out, scored)
        violating = self._violating(out)
        quarantine = self._made(spark, quarantine, violating)
        bad, version = self.found.rows.violating, quarantine.version
        if bad or self.run.mode == "overwrite":
            quarantine.refuse_rows(violating)
            out.refuse_rows(scored)
            version = self._first(spark, out, quarantine, violating)
        written = _written(spark, out, self._once(out, scored, _ROWS))
        left = self.found.rows.total - bad - written.rows
        report = self.found
        if left:
            tagged = split(self._scored("tag"))[1].where(f"exists({VIOLATIONS}, {_ODD})")
            added = self._once(quarantine, marked(tagged, self._origin(out)), _PREDICTIONS)
            assert quarantine.path is not None
            version = added.version
            there = read_version(spark, read_snapshot(spark, quarantine.path, version))
            mine = zip(RUN, (self.source.identity, out.table_id, self.run.name), strict=True)
            for name, value in mine:
                there = there.where(there[name] == value)
            count, checks = _odd(there)
            if count != left:
                raise SourceError(
                    f"of {self.found.rows.total:,} rows {written.rows:,} are scored in "
                    f"{out.place.name}, and {bad + count:,} put aside in {quarantine.place.name}: "
                    "the model does not give the same predictions twice"
                )
            report = self._with(count, checks)
        aside = told(quarantine, version, bad + left)
        transfer = Transfer(self.run.name, self.run.mode, written, aside)
        return replace(report, transfer=transfer)

    def _first(
        self, spark: SparkSession, out: Target, quarantine: Target, violating: DataFrame
    ) -> int:
        """Put rows aside, unless that is done, and return the version of the quarantine.

        Raises:
            SourceError: where that was done, and others have changed the table since.
        """
        assert out.path is not None
        assert quarantine.path is not None
        commit = self._once(quarantine, violating, _ROWS)
        finished = find_commit(spark, out.path, self.run.app, _ROWS) is not None
        if not finished and is_rewritten(spark, quarantine.path, commit.version):
            raise SourceError(
                f"the run {self.run.name} was not finished, and others have changed "
                f"{quarantine.place.name} since: delete the rows whose {RUN_ID} is "
                f"{self.run.name} there, and give another run id"
            )
        if commit.rows is not None and commit.rows != self.found.rows.violating:
            raise SourceError(
                f"{commit.rows:,} rows were put aside in {quarantine.place.name}, of "
                f"{self.found.rows.violating:,} that violate"
            )
        return commit.version

    def _with(self, count: int, checks: tuple[CheckResult, ...]) -> Report:
        """Return the report with rows whose predictions violate."""
        rows = self.found.rows
        rows = replace(rows, valid=rows.valid - count, violating=rows.violating + count)
        return replace(self.found, rows=rows, checks=(*self.found.checks, *checks))

    def _scored(self, mode: OnViolation) -> DataFrame:
        return self.scoring.under(mode).frame(self.source.frame)

    def _violating(self, out: Target) -> DataFrame:
        rows = self.source.frame
        return violating_rows(rows, self.scoring.plan(rows), self._origin(out))

    def _origin(self, out: Target) -> Origin:
        snapshot = self.source.snapshot
        return Origin(
            self.scoring.signature.fingerprint,
            self.source.info.name,
            self.source.identity,
            None if snapshot is None else snapshot.version,
            out.table_id,
            self.run.name,
        )

    def _made(self, spark: SparkSession, target: Target, rows: DataFrame) -> Target:
        """Return a table that takes the rows, made where there is none."""
        target.refuse_misfit(rows.schema, self.run.mode)
        snapshot, have = self.source.snapshot, {name.lower() for name in rows.columns}
        theirs = () if snapshot is None else partition_columns(spark, snapshot)
        return target.made(rows, tuple(name for name in theirs if name.lower() in have))

    def _once(self, target: Target, rows: DataFrame, number: int) -> Commit:
        """Write rows, unless that is done, and return the commit."""
        spark, path = rows.sparkSession, target.path
        assert path is not None
        found = find_commit(spark, path, self.run.app, number)
        if found is None:
            overwrite = self.run.mode == "overwrite" and number == _ROWS
            write_once(rows, path, self.run.stamp(number), overwrite=overwrite)
            found = find_commit(spark, path, self.run.app, number)
        if found is None:
            raise SourceError(
                f"the history of {target.place.name} does not say what the run {self.run.name} "
                "has written"
            )
        return found


def _written(spark: SparkSession, target: Target, commit: Commit) -> Written:
    rows = commit.rows
    if rows is None:  # a commit that replaced others need not say
        assert target.path is not None
        rows = read_version(spark, read_snapshot(spark, target.path, commit.version)).count()
    return told(target, commit.version, rows)


def _odd(tagged: DataFrame) -> tuple[int, tuple[CheckResult, ...]]:
    """Return how many rows have predictions that violate, and which checks those violate.

    Args:
        tagged: rows with ``_violations``, of which there are few kinds: they name classes.
    """
    kinds = tagged.selectExpr(f"filter({VIOLATIONS}, {_ODD}) AS odd").where("size(odd) > 0")
    count, seen = 0, dict[tuple[str, str, str], tuple[int, set[str]]]()
    for row in kinds.groupBy("odd").count().collect():
        count += row["count"]
        for found in row["odd"]:
            key = found["path"], found["code"], found["expected"]
            times, observed = seen.get(key, (0, set()))
            seen[key] = times + row["count"], observed | {found["observed"]}
    checks = tuple(
        CheckResult(
            path,
            Code(code),
            expected,
            times,
            tuple(sorted(observed)[:OBSERVED]),
            decided=(Decided(Rung.ARROW, count),),
        )
        for (path, code, expected), (times, observed) in sorted(seen.items())
    )
    return count, checks
