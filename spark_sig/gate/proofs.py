"""Proofs: what is known of each check, in each group of files, before any row is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spark_sig.delta.columns import Column
from spark_sig.delta.files import Group, read_groups
from spark_sig.delta.log import spark_errors
from spark_sig.delta.query import Query
from spark_sig.gate.scan import explained
from spark_sig.plan import EnforcementPlan, Reason, Rung
from spark_sig.report import Decided
from spark_sig.sources import Resolved
from spark_sig.stats import Claim, Proof

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# What a report says of statistics that were not asked.
OFF = "off"

_REASONS = {Proof.PROVEN: Reason.STATISTICS, Proof.REMEMBERED: Reason.REMEMBERED}


@dataclass(frozen=True, slots=True)
class Proofs:
    """What is known of each check in each group of files.

    Args:
        source: the source, its files and rows counted where its log is in reach.
        asked: the plan.
        plan: the same, with the rungs of the checks that constraints prove.
        statistics: which statistics were asked, or why none were.
        checks: ids of the checks that rows, or what is known of files, have to decide.
        groups: the files; None where there is no list of them.
        claims: what would prove each check, by its id; none where nothing would.
        columns: the table's columns, by their logical names.
        opened: Delta's own snapshot.
        files: the files, judged.
        note: why the ledger was not read; empty where it was, or where there is none.
    """

    source: Resolved
    asked: EnforcementPlan
    plan: EnforcementPlan
    statistics: str
    checks: tuple[int, ...] = ()
    groups: tuple[Group, ...] | None = None
    claims: Mapping[int, Sequence[Claim]] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    opened: Any = None
    files: Query | None = None
    note: str = ""

    def known(self, group: Group) -> Mapping[int, Proof]:
        """Return what is known of each check in a group of files."""
        return {check: group.proof(at) for at, check in enumerate(self.checks)}

    @property
    def recalled(self) -> bool:
        """Whether the files bear what a ledger knows of them (``mask``)."""
        return self.files is not None and "mask" in self.files.columns

    @property
    def files_remembered(self) -> int:
        """Data files of which the ledger knows something that statistics do not."""
        return sum(group.files for group in self.groups or () if group.has(Proof.REMEMBERED))

    @property
    def files_read(self) -> int | None:
        """Data files that rows have to be read of."""
        if self.groups is None:
            return self.source.info.files
        return sum(group.files for group in self.groups if group.is_read)

    @property
    def rows_proven(self) -> int:
        """Rows that need not be read."""
        return sum(group.rows for group in self.groups or () if not group.is_read)

    def _is_apart(self, group: Group) -> bool:
        """Say whether a log does not count all rows of a group; nothing counts without one."""
        return self.opened is not None and group.uncounted > 0

    @property
    def refuted(self) -> dict[int, str]:
        """The checks that statistics refute, and what they observe."""
        found = {
            check
            for group in self.groups or ()
            if group.has(Proof.REFUTED)
            for check, proof in self.known(group).items()
            if proof is Proof.REFUTED
        }
        return {
            check: " or ".join(claim.observed for claim in self.claims[check])
            for check in sorted(found)
        }

    def parts(self, *, counted: bool) -> list[tuple[DataFrame, EnforcementPlan]]:
        """Return the rows that have to be read, with plans that say which checks are left.

        Args:
            counted: whether to return those of files that say how many rows they hold, or those
                of the others.

        Raises:
            SourceError: where the log or the source cannot be read.
        """
        try:
            return self._parts(counted=counted)
        except spark_errors() as error:
            raise explained(error) from error

    def _parts(self, *, counted: bool) -> list[tuple[DataFrame, EnforcementPlan]]:
        if self.groups is None:
            return [(self.source.frame, self.plan)] if counted else []
        read = [
            place
            for place, group in enumerate(self.groups)
            if group.is_read and counted is not self._is_apart(group)
        ]
        plans = [self.plan_for(self.groups[place]) for place in read]
        if len(read) == len(self.groups) == 1 and any(check.scanned for check in plans[0].checks):
            return [(self.source.frame, plans[0])]
        if not read:
            return []
        assert self.files is not None
        frames = read_groups(self.opened, self.files, self.groups, read)
        return list(zip(frames, plans, strict=True))

    def plan_for(self, group: Group) -> EnforcementPlan:
        """Return the plan for a group of files: what is known of them is not live."""
        checks = list(self.plan.checks)
        for check, proof in self.known(group).items():
            if proof.decided:
                checks[check] = checks[check]._replace(reason=_REASONS[proof])
        return self.plan._replace(checks=tuple(checks))

    def refutations(self, refuted: Iterable[int]) -> dict[int, tuple[Decided, ...]]:
        """Return what decides the checks that statistics refute, and those proven in all files."""
        groups = self.groups or ()
        whole = self.decided(sum(group.rows for group in groups)) or {}
        found = {
            check: whole[check]
            for at, check in enumerate(self.checks)
            if all(group.proof(at).decided for group in groups)
        }
        for check in refuted:
            at = self.checks.index(check)
            mine = [group for group in groups if group.proof(at) is Proof.REFUTED]
            rows, files = sum(g.rows for g in mine), sum(g.files for g in mine)
            found[check] = (Decided(Rung.STATS, rows, files),)
        return found

    def decided(self, total: int) -> dict[int, tuple[Decided, ...]] | None:
        """Return what decides each check, given the rows that there are in all."""
        if self.groups is None:
            return None
        files = sum(group.files for group in self.groups)
        found: dict[int, tuple[Decided, ...]] = {
            at: (Decided(check.rung, total, files),) for at, check in enumerate(self.plan.checks)
        }
        for place, at in enumerate(self.checks):
            parts = []
            for proof, reason in _REASONS.items():
                if mine := [group for group in self.groups if group.proof(place) is proof]:
                    rows = sum(group.rows for group in mine)
                    parts.append(Decided(reason.rung, rows, sum(group.files for group in mine)))
            if left := files - sum(part.files or 0 for part in parts):
                # Where a log lies there may be fewer rows than were proven.
                rows = max(0, total - sum(part.rows for part in parts))
                parts.append(Decided(self.plan.checks[at].rung, rows, left))
            # Of no files, statistics say that nothing violates; without them a scan does.
            empty = self.plan.checks[at].rung if self.statistics == OFF else Rung.STATS
            found[at] = tuple(parts) or (Decided(empty, 0, 0),)
        return found
