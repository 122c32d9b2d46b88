"""Reprocessing: rows of a quarantine are held to a newer signature, and those that conform move."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.compile.spark import source_schema
from spark_sig.delta.commits import (
    Commit,
    find_commit,
    is_rewritten,
    last_number,
    named_commit,
    transactions,
)
from spark_sig.delta.conflicts import until_committed
from spark_sig.delta.log import read_snapshot, read_version, reraise_cancelled, spark_errors
from spark_sig.errors import SignatureError, SourceError
from spark_sig.gate.scan import explaining, tally_parts
from spark_sig.plan import EnforcementPlan
from spark_sig.planner import VIOLATIONS, Engine, plan_enforcement
from spark_sig.policy import Policy
from spark_sig.quarantine.asked import Asked
from spark_sig.quarantine.conditions import Term, condition
from spark_sig.quarantine.frames import (
    ADDED,
    RUN,
    RUN_ID,
    SIGNATURE,
    as_they_were,
    refuse_added,
    still_violating,
)
from spark_sig.quarantine.order import PREFIX
from spark_sig.quarantine.records import MOVED, Records
from spark_sig.quarantine.runs import BEGUN, CALL, Rules, Run, reprocess_names
from spark_sig.quarantine.targets import APPEND_ONLY, FORGETS, Target, Targets
from spark_sig.quarantine.transfer import Rows, refuse_uncounted, told, written
from spark_sig.report import Report, Transfer
from spark_sig.sources import Resolved, active_session
from spark_sig.sqltext import quoted
from spark_sig.tally import Tally

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from spark_sig.signature import SignatureSource

_BY_DATA = "spark.databricks.delta.replaceWhere.dataColumns.enabled"

# Runs whose rows are moved at a time: each is named in the condition of the commit.
MOST = 10_000

# How often the rows that were moved are taken out where others add to the quarantine meanwhile.
_ATTEMPTS = 20

# What a call's first commit says of the runs whose rows it moves.
_OF = "runs"

# What tells runs apart.
_RUN = [Term(name) for name in RUN]

# What the commits of a call say that was ended before it had moved anything.
_ENDED = "ended"

_ABANDON = (
    "where it cannot be finished, see that each row is in one table, then abandon it (abandon=True)"
)


def reprocess(
    quarantine: str | os.PathLike[str],
    signature: SignatureSource,
    *,
    conformed: str | os.PathLike[str],
    policy: Policy | None = None,
    side: str = "inputs",
    engine: Engine = "auto",
    row_key: str | Sequence[str] = (),
    run_id: str | Sequence[str] = (),
    abandon: bool = False,
) -> Report:
    """Hold the rows of a quarantine to another signature, and move those that conform to it.

    They are written to the table of rows that conform first, and taken out of the quarantine
    then: a call that is repeated after it broke off, at any point, ends with every row exactly
    once in one of the two tables.  Rows that still violate stay, with the violations of the new
    signature.  Rows that other runs add meanwhile are left alone.  Only one call at a time moves
    rows out of a quarantine: another one fails, or, with another signature or of other rows, ends
    the first where it has moved nothing yet.

    Args:
        quarantine: path or name of a table that :func:`conform` has written.
        signature: the signature to hold them to, or anything that loads as one.
        conformed: path or name of the Delta table that rows which conform are appended to; made
            where there is none.
        policy: the choices that the signature leaves open; the default ones where None.
        side: ``inputs`` or ``outputs``.
        engine: as for :func:`spark_sig.validate`.
        row_key: source columns whose values name a row in the report's examples.
        run_id: only rows of these runs (``_run_id``); all where empty.
        abandon: whether to begin anew where a call was not finished and cannot be, as one of the
            tables was changed since, or where this one is to take its place with other rules; rows
            that it has moved have to be taken out of one of the two first, or they are moved once
            more.

    Returns:
        The report on the rows that were in the quarantine; ``transfer`` says what was moved.

    Raises:
        SignatureError: where signature, policy or names cannot mean anything, or a table does
            not fit.
        SourceError: where tables cannot be read or written, another call is under way, or has
            moved rows and was not finished.
    """
    asked = Asked.of(signature, side, policy, engine, row_key=row_key)
    chosen = (run_id,) if isinstance(run_id, str) else tuple(sorted({*run_id}))
    spark = active_session()
    targets = Targets.of(spark, conformed, quarantine)
    _refuse_other_tables(targets.quarantine)
    refuse_uncounted(spark)
    if str(spark.conf.get(_BY_DATA, "true")).lower() == "false":
        raise SourceError(f"no row can be moved where {_BY_DATA} is false: set it true")
    with explaining("the rows cannot be read or moved"):
        return _reprocessed(spark, targets, asked, chosen, abandon)


def _refuse_other_tables(quarantine: Target) -> None:
    if quarantine.schema is None:
        raise SourceError(f"there is no quarantine {quarantine.place.name}")
    if quarantine.properties.get(APPEND_ONLY, "").lower() == "true":
        raise SignatureError(
            f"no row can be moved out of {quarantine.place.name}: it is {APPEND_ONLY}",
            path="quarantine",
        )
    if FORGETS in quarantine.properties:
        raise SignatureError(
            f"no row can be moved out of {quarantine.place.name}: it forgets commits ({FORGETS}), "
            "and with them what was moved already",
            path="quarantine",
        )
    theirs = {name.lower() for name in quarantine.schema.names}
    if missing := [name for name in ADDED if name not in theirs]:
        raise SignatureError(
            f"{quarantine.place.name} is no quarantine: it has no {', '.join(missing)}",
            path="quarantine",
        )


def _reprocessed(
    spark: SparkSession, targets: Targets, asked: Asked, chosen: tuple[str, ...], abandon: bool
) -> Report:
    newest = _read(spark, targets.quarantine)
    rows = Rows.of(_as_it_was(newest), asked)
    if rows.plan.findings:
        nothing, why = Tally.empty(asked.policy.examples), "the types do not fit"
        return _report(rows, nothing, None, Transfer.refused(None, "reprocess", why))
    refuse_added(rows.plan.output.names)
    targets.conformed.refuse_misfit(rows.conforming().schema)
    _wide(newest.frame, rows)  # refuses what cannot stay in the quarantine
    # refuses too many, before anything is begun
    runs = _runs(newest.frame, chosen)
    _refuse_scored(spark, targets.quarantine, runs)
    there = newest.frame.where(condition(_RUN, runs))
    good = targets.conformed.made(rows.conforming(), ())
    targets = Targets(good, targets.quarantine)
    good.refuse_rows(Rows.of(_as_it_was(replace(newest, frame=there)), asked).conforming())
    begun = _begun(targets, rows, chosen, abandon)
    report = _moved(spark, targets, asked, begun)
    others = {target for _, target, _ in begun.runs if target != good.table_id}
    if not others:
        return report
    remark = (
        f"rows were among them whose runs wrote what conforms to {len(others)} other tables than "
        f"{good.place.name}, or to one that it has replaced (_target_id)"
    )
    return replace(report, warnings=(*report.warnings, remark))


def _refuse_scored(
    spark: SparkSession, quarantine: Target, runs: Sequence[tuple[str | None, ...]]
) -> None:
    """Refuse rows that a model was to score: the other table has predictions beside such rows.

    Raises:
        SignatureError: where there are any, as far as the table's history goes.
    """
    moved = set(runs)
    for commit in Records(spark, quarantine).commits:
        record = commit.record
        run = tuple(record.get(name) for name in ("source", "target", "run_id"))
        if record.get("model") and run in moved:
            raise SignatureError(
                f"rows of the run {record['run_id']} were to be scored by a model, which reprocess "
                "does not call",
                path="quarantine",
                remedy="give the quarantine to score_table as its source, and delete from it what "
                "was scored; or name other runs by run_id",
            )


class Begun(NamedTuple):
    """A call that the quarantine knows of.

    Args:
        run: what its commits are known by.
        runs: what tells the runs apart whose rows it moves.
    """

    run: Run
    runs: list[tuple[str | None, ...]]


def _begun(targets: Targets, rows: Rows, chosen: tuple[str, ...], abandon: bool) -> Begun:
    """Return the call that was not finished, or a new one, which the quarantine then knows of.

    A commit of no rows says so: of two calls that take the same number, the quarantine has one.  A
    call that has moved nothing yet is ended where it was another one, or where its rows have been
    changed since.

    Raises:
        SourceError: where another call was not finished, or begins at the same time.
    """
    place, asked, spark = targets.quarantine, rows.asked, rows.source.frame.sparkSession
    assert place.path is not None
    app, intent = reprocess_names(place.table_id)
    # The numbers first, and then the version that it is for.
    numbers = transactions(spark, place.path, f"{PREFIX}:")
    first, second = numbers.get(intent, -1), numbers.get(app, -1)
    begun = named_commit(spark, place.path, intent, first) if first > second else None
    if begun is not None and _OF not in begun.record:
        begun = None  # of a release that did not say
    if first > second and begun is None and not abandon:
        raise SourceError(
            f"rows of {place.place.name} were being moved, and its history no longer says where "
            f"to: {_ABANDON}"
        )
    version = read_snapshot(spark, place.path).version
    record = {"chosen": list(chosen), "conformed": targets.conformed.table_id}
    if begun is not None:
        run = _run_of(begun, app, place)
        other = bool(asked.rules.differ(begun)) or run.record != record
        assert run.version is not None
        state = _state(targets, run, rows)
        moved = state is State.MOVED
        # What was moved is taken out of what is left of the rows; none may have been made another.
        changed = is_rewritten(spark, place.path, run.version, deleted=not moved)
        # What can be finished is, whoever wants it abandoned: its rows would be moved twice.
        finishable = moved and not changed and not _is_lost(targets, run, rows)
        leaving = abandon and not finishable
        if not (other or changed or leaving or state is State.ENDED):
            return Begun(run, [tuple(one) for one in begun.record[_OF]])
        if not moved:
            _end(targets, run, rows)
        elif changed and not abandon:
            raise _changed(place, "and some may be in both tables")
        elif not leaving:
            raise SourceError(
                f"rows of {place.place.name} at version {run.version} were being moved, with "
                "another signature or policy, of other runs or to another table, and that was not "
                f"finished: repeat it first; {_ABANDON}"
            )
    number = first + 1
    target = targets.conformed.table_id
    run = Run(
        f"reprocess-{number}", app, place.table_id, target, version, asked.rules, number, record
    )
    _end_older(place, rows, run, numbers, abandon=abandon)
    runs = _runs(_read(spark, place, version).frame, chosen)
    intended = replace(run, app=intent)
    written(place, _nothing(place, rows), intended, said={_OF: runs}, retry=False)
    return Begun(run, runs)


def _end_older(
    place: Target, rows: Rows, run: Run, numbers: Mapping[str, int], *, abandon: bool
) -> None:
    """End the calls that were not finished as the quarantine was replaced.

    Args:
        place: the quarantine.
        rows: what is in it.
        run: the call that is about to begin.
        numbers: the last transaction of each name that the quarantine knows.
        abandon: whether they are given up.

    Raises:
        SourceError: where there is one, and it is not: it may have moved rows.
    """
    for intent, number in numbers.items():
        app = intent.removesuffix(BEGUN)
        older = intent.endswith(f"{CALL}{BEGUN}") and app != run.app
        if not older or number <= numbers.get(app, -1):
            continue
        if not abandon:
            raise SourceError(
                f"rows of {place.place.name} were being moved when it was replaced, and may be in "
                f"both tables: {_ABANDON}"
            )
        written(place, _nothing(place, rows), replace(run, app=app, number=number))


def _run_of(begun: Commit, app: str, place: Target) -> Run:
    """Return the call that a commit has begun."""
    said = begun.record
    record = {name: said[name] for name in ("chosen", "conformed")}
    target, number = str(said["conformed"]), int(said["number"])
    version = int(said["version"])
    name = str(said["run_id"])
    return Run(name, app, place.table_id, target, version, Rules.of(begun), number, record)


class State(Enum):
    """How far a call has come that the quarantine knows of."""

    BEGUN = "begun"
    ENDED = "ended"
    MOVED = "moved"


def _state(targets: Targets, run: Run, rows: Rows) -> State:
    """Say how far a call has come, as far as it can be known."""
    good, spark = targets.conformed, rows.source.frame.sparkSession
    assert good.path is not None
    if run.target != good.table_id:
        return State.MOVED  # to a table whose place nobody knows
    if last_number(spark, good.path, run.app) < run.number:
        return State.BEGUN
    commit = find_commit(spark, good.path, run.app, run.number)
    return State.ENDED if commit and commit.record.get(_ENDED) else State.MOVED


def _is_lost(targets: Targets, run: Run, rows: Rows) -> bool:
    """Say whether rows that a call has moved may have been changed since."""
    path, spark = targets.conformed.path, rows.source.frame.sparkSession
    assert path is not None
    commit = find_commit(spark, path, run.app, run.number)
    return commit is None or (commit.rows != 0 and is_rewritten(spark, path, commit.version))


def _end(targets: Targets, run: Run, rows: Rows) -> None:
    """End a call that has moved nothing: whoever goes on with it finds its commits taken.

    Raises:
        SourceError: where it has moved rows meanwhile.
    """
    # Where it would move rows to comes first; a call that breaks off in between is ended again.
    for target in targets:
        commit = written(target, _nothing(target, rows), run, said={_ENDED: True})
        if not commit.record.get(_ENDED):
            raise SourceError(f"another call moves rows of {targets.quarantine.place.name}")


def _nothing(target: Target, rows: Rows) -> DataFrame:
    """Return no rows, of the columns that a target is written with."""
    if target.what == "conformed":
        return rows.conforming().where("false")
    assert target.path is not None
    spark = rows.source.frame.sparkSession
    return read_version(spark, read_snapshot(spark, target.path)).where("false")


def _moved(spark: SparkSession, targets: Targets, asked: Asked, begun: Begun) -> Report:
    place, run = targets.quarantine, begun.run
    assert place.path is not None
    assert run.version is not None
    source, where = _read(spark, place, run.version), condition(_RUN, begun.runs)
    there = replace(source, frame=source.frame.where(where))
    rows = Rows.of(_as_it_was(there), asked)
    new = _state(targets, run, rows) is State.BEGUN
    moved = written(targets.conformed, rows.conforming(), run, new=new)
    if moved.record.get(_ENDED):
        raise SourceError(f"another call has ended this one: rows of {place.place.name} stay")
    if _is_lost(targets, run, rows):
        raise _changed(targets.conformed, "and what was moved may be gone")
    if is_rewritten(spark, place.path, run.version, deleted=new):
        raise _changed(place, "and some may be in both tables")
    kept = _kept(spark, place, rows, run, where)
    after = _read(spark, place, kept.version).frame.where(where)
    after = after.select(*map(quoted, rows.plan.source.names))
    tally = tally_parts([(after, rows.plan)], asked.policy.examples, asked.row_key, dirty=True)
    moved_rows = moved.rows
    if moved_rows is None or tally.rows != tally.violating:
        raise SourceError(
            f"{moved.rows} rows were moved, and the quarantine {place.place.name} has "
            f"{tally.rows:,} that were held to the signature, of which {tally.violating:,} violate"
        )
    transfer = Transfer(
        run.run_id,
        "reprocess",
        told(targets.conformed, moved.version, moved_rows),
        told(place, kept.version, tally.rows),
    )
    tally = replace(tally, rows=tally.rows + moved_rows)
    return _report(rows, tally, _expected(there, new=new), transfer)


def _expected(there: Resolved, *, new: bool) -> int | None:
    """Count the rows that were to be moved or kept; None where VACUUM has taken them since."""
    try:
        return there.frame.count()
    except spark_errors() as error:
        reraise_cancelled(error)
        if new:
            raise
        return None


def _kept(spark: SparkSession, place: Target, rows: Rows, run: Run, where: str) -> Commit:
    """Take the rows that were moved out of the quarantine; others may add to it meanwhile."""
    assert place.path is not None
    path, found = place.path, list[tuple[int, Commit]]()

    def keep() -> None:
        # Of the newest version, so that what was deleted meanwhile stays so.
        newest = _read(spark, place)
        frame = newest.frame.where(where)
        left = still_violating(frame, _wide(frame, rows), rows.asked.signature.fingerprint)
        said = {MOVED: _taken(frame, left)}
        kept = written(place, left, run, overwrite=True, where=where, said=said, retry=False)
        found.append((int(newest.info.version or 0), kept))

    # Each file that is added makes it begin anew, where the table is not partitioned.
    until_committed(keep, attempts=_ATTEMPTS)
    read, kept = found[-1]
    if is_rewritten(spark, path, read, before=kept.version):
        raise _changed(place, "and what was deleted may be there again")
    return kept


def _taken(before: DataFrame, after: DataFrame) -> list[list[str | int | None]]:
    """Return what tells runs apart that lose rows, and how many of each."""
    from pyspark.sql import functions as F

    counts = [frame.select(*RUN, F.lit(n).alias("n")) for frame, n in ((before, 1), (after, -1))]
    lost = counts[0].union(counts[1]).groupBy(*RUN).agg(F.sum("n").alias("n")).where("n <> 0")
    return sorted(([*row] for row in lost.collect()), key=str)


def _changed(place: Target, so: str) -> SourceError:
    return SourceError(
        f"rows of the {place.what} table {place.place.name} were changed while some were moved, "
        f"{so}: compare the tables; {_ABANDON}"
    )


def _read(spark: SparkSession, quarantine: Target, version: int | None = None) -> Resolved:
    assert quarantine.path is not None
    snapshot = read_snapshot(spark, quarantine.path, version)
    return Resolved.of(read_version(spark, snapshot), snapshot, quarantine.place.name)


def _as_it_was(source: Resolved) -> Resolved:
    """Return the rows of a quarantine as they were, without what it says of them."""
    return replace(source, frame=as_they_were(source.frame))


def _runs(table: DataFrame, chosen: Sequence[str]) -> list[tuple[str | None, ...]]:
    """Return what tells the runs apart that a table has rows of, in order.

    Rows of other runs, which are added meanwhile, are not among them.

    Args:
        table: the quarantine.
        chosen: names of runs; all where empty.

    Raises:
        SignatureError: where there are too many.
    """
    from pyspark.sql import functions as F

    if chosen:
        table = table.where(F.col(RUN_ID).isin(*chosen))
    found = table.select(*RUN).distinct().limit(MOST + 1).collect()
    if len(found) > MOST:
        raise SignatureError(
            f"the quarantine has rows of more than {MOST:,} runs", remedy="name some by run_id"
        )
    return sorted((tuple(row) for row in found), key=str)


def _wide(frame: DataFrame, rows: Rows) -> EnforcementPlan:
    """Plan for rows of a quarantine, with the columns that are to stay as they are.

    Raises:
        SignatureError: where the signature would take those columns for data.
    """
    asked = rows.asked
    theirs = [name for name in frame.columns if name.lower() not in ADDED]
    added = [name for name in frame.columns if name.lower() in ADDED]
    # Behind the data, where a signature without names does not reach them.
    names = [*theirs, *(name for name in added if name.lower() not in (VIOLATIONS, SIGNATURE))]
    # What else there is was held to the policy before.
    policy = replace(asked.policy, extra="drop")
    wide = plan_enforcement(
        source_schema(frame.select(*map(quoted, names)).schema),
        asked.signature.side(asked.side),
        policy,
        engine=asked.engine,
        spark=True,
    )
    if [check.path for check in wide.checks] != [check.path for check in rows.plan.checks] or any(
        one != other for one, other in zip(wide.output, rows.plan.output, strict=False)
    ):
        raise SignatureError(
            "the signature takes all columns of a table, and would take those that the quarantine "
            "adds: no row can be moved by it",
            remedy="name its columns",
        )
    return wide


def _report(rows: Rows, tally: Tally, expected: int | None, transfer: Transfer) -> Report:
    asked = rows.asked
    found = Report.of(
        rows.plan,
        tally,
        signature=asked.signature.fingerprint,
        side=asked.side,
        source=rows.source.info,
        expected_rows=expected,
        row_key=asked.row_key,
        schema=asked.signature.side(asked.side),
    )
    return replace(found, transfer=transfer)
