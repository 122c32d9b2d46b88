"""Repeats: a run that broke off is taken up again, and one of an older version finished first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from spark_sig.delta.commits import Commit
from spark_sig.delta.log import reraise_cancelled
from spark_sig.errors import SignatureError, SourceError
from spark_sig.gate.scan import explained, explaining
from spark_sig.quarantine.runs import Rules, Runs, TakenUp
from spark_sig.quarantine.staging import STAGED, as_begun, staged
from spark_sig.quarantine.targets import Targets
from spark_sig.report import Report, Written
from spark_sig.sources import Resolved

# What errors of Spark's come to.
_UNWRITTEN = "the rows cannot be read or written"


class Job(Protocol):
    """What a run does with the rows of a source."""

    @property
    def rules(self) -> Rules:
        """What makes another run of it."""
        ...

    def carry_out(
        self, source: Resolved, targets: Targets, run_id: str | None, begun: Commit | None
    ) -> Report:
        """Write what is not written yet, and report on it.

        Args:
            source: the rows, as the run was begun with them.
            targets: the two tables; they may not exist yet.
            run_id: the run's name; None for the one that the rest makes.
            begun: its first commit; None where it has none.
        """
        ...


def carried_out(
    source: Resolved,
    job: Job,
    find: Callable[[], Targets],
    run_id: str | None,
    asked_for: int | None,
) -> Report:
    """Carry out a run, and one of an older version first that was not finished.

    Args:
        source: what to read.
        job: what is done with it.
        find: returns the two tables as they are.
        run_id: the run's name; None for the one that the rest makes.
        asked_for: the version that was asked for by name.

    Raises:
        SignatureError: where tables do not fit, or the run was begun with other rules.
        SourceError: where source or tables cannot be read or written.
    """
    rules = job.rules
    with explaining("the tables cannot be read"):
        targets = find()
        targets.refuse_source(source.identity, source.place)
        runs = Runs.of(source, targets)
        run = runs.taken_up(run_id, asked_for, rules, source.info.version)
    begun, named, found = run.begun, asked_for is not None, source
    try:
        if begun is not None:
            found = _at_first(runs, source, begun, rules, named=named)
        report = job.carry_out(found, targets, run.run_id, begun)
    except Exception as error:
        said = _of_older(explained(error, _UNWRITTEN), runs, run, source)
        if said is error:
            raise
        raise said from error
    older = found.snapshot is not None and found is not source
    if older and run_id is None and report.transfer and report.transfer.conformed:
        first = f"the run {run.run_id}, begun at version {found.info.version}, was finished first"
        then = carried_out(source, job, find, run_id, asked_for)
        return replace(then, warnings=(first, *then.warnings))
    remarks = list(_finished(report, targets))
    if not remarks:
        remarks += _taken_up(run, older=older, named=run_id is not None)
    remarks += _left(runs, run, rules) if run.left else ()
    return replace(report, warnings=(*report.warnings, *remarks)) if remarks else report


def _of_older(error: Exception, runs: Runs, run: TakenUp, source: Resolved) -> Exception:
    """Return an error, saying where it is of another version than the one that was asked for."""
    first = None if run.begun is None else run.begun.record["version"]
    if first is None or first == source.info.version or not isinstance(error, SourceError):
        return error
    if runs.finished(str(run.run_id)):  # its rows are there: another name would write them again
        return error
    return SourceError(
        f"the run {run.run_id}, begun with version {first}, is taken up first, as it was not "
        f"finished, or asked for by its name: {error}; to leave it as it is, give this run an id "
        "of its own (run_id)"
    )


def _finished(report: Report, targets: Targets) -> Iterator[str]:
    """Say that a run was finished before, where it was: the tables may not hold it any more.

    Args:
        report: on the run.
        targets: the tables as they were before it.
    """
    written = report.transfer and report.transfer.conformed
    if report.transfer and written and written.version <= targets.conformed.version:
        yield finished_before(report.transfer.run_id, written)


def finished_before(run_id: str, written: Written) -> str:
    """Say that nothing was written, as a run was finished before."""
    return (
        f"the run {run_id} was finished before, with version {written.version} of "
        f"{written.table}: nothing was written now, whatever has become of its rows since; under "
        "another run id they are written again"
    )


def _taken_up(run: TakenUp, *, older: bool, named: bool) -> Iterator[str]:
    """Say that a run was taken up again.

    Args:
        run: what was carried out.
        older: whether it has read an older version than the one that was asked for.
        named: whether it was asked for by its name.
    """
    version = None if run.begun is None else run.begun.record["version"]
    if run.begun is not None and (older or (version is None and not named)):
        at = "" if version is None else f" at version {version}"
        yield (
            f"the run {run.run_id}, begun{at}, was taken up again: what has come to the source "
            "since is not in it"
        )


def _left(runs: Runs, run: TakenUp, rules: Rules) -> Iterator[str]:
    """Say what of other runs is left to do, as things are after this one."""
    try:
        now = {(one.run_id, one.begun.version): one for one in runs.left()}
    except Exception as error:
        said = explained(error, "the tables cannot be read")
        reraise_cancelled(error)
        if not isinstance(said, SourceError):
            raise
        # this run is finished all the same
        yield f"what other runs from the source have left to do cannot be said: {said}"
        return
    for before in run.left:
        if one := now.get((before.run_id, before.begun.version)):
            # that this one has gone on without it is no reason to keep silent
            found = one._replace(behind=before.behind)
            if remark := found.remark(other=bool(rules.differ(one.begun))):
                yield remark


def _at_first(
    runs: Runs, source: Resolved, begun: Commit, rules: Rules, *, named: bool
) -> Resolved:
    """Return a source as a run was begun with it: an older version, or the copy that was made.

    Args:
        runs: the runs from the source.
        source: the version that was asked for.
        begun: the run's first commit.
        rules: what it does.
        named: whether that version was asked for by name.

    Raises:
        SignatureError: where it was, and is another one.
        SourceError: where the copy is gone.
    """
    run_id = str(begun.record["run_id"])
    if source.snapshot is None:
        # What it is planned by are the copy's columns: a view's may be others now.
        copied = STAGED in begun.record and not runs.finished(run_id)
        run = runs.run(run_id, None, rules)
        return staged(source, as_begun(run, begun, STAGED)) if copied else source
    return at_first(source, begun, named=named)


def at_first(source: Resolved, begun: Commit, *, named: bool) -> Resolved:
    """Return a Delta table at the version that a run was begun with.

    Args:
        source: the version that was asked for.
        begun: the run's first commit.
        named: whether that version was asked for by name.

    Raises:
        SignatureError: where it was, and is another one.
    """
    first = int(begun.record["version"])
    if named and first != source.info.version:
        raise SignatureError(
            f"the run {begun.record['run_id']} was begun at version {first}",
            path="version",
            observed=str(source.info.version),
            remedy="finish it first, or give another run id",
        )
    return source.at(first)
