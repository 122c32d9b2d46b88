"""Results: what became of one check."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from spark_sig.errors import Code
from spark_sig.plan import Check, Rung
from spark_sig.report.evidence import Decided
from spark_sig.tally import CheckTally, Example, smallest

# What may be wrong with the signature itself: MLflow's inference from Spark has no optional field.
REINFER = "re-infer the signature, or nulls='allow'"

_RUNGS = list(Rung)
_UNREAD = frozenset({Rung.SCHEMA, Rung.STATS, Rung.LEDGER})


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What became of one check.

    Args:
        path: place in a row.
        code: what is wrong where it fails.
        expected: what the signature asks for.
        count: rows that violate it; None for a finding, which types decide, or statistics.
        observed: the smallest distinct observations.
        examples: the smallest examples by key.
        remedy: what the user can do; empty where nothing is known to help.
        decided: what decided it, for how many rows each.  Evidence, not verdict: equality leaves
            it out.
    """

    path: str
    code: Code
    expected: str
    count: int | None
    observed: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    remedy: str = ""
    decided: tuple[Decided, ...] = field(default=(Decided(Rung.SCHEMA, 0),), compare=False)

    @property
    def violated(self) -> bool:
        """Whether anything violates it."""
        return self.count is None or self.count > 0

    @property
    def refuter(self) -> Rung | None:
        """What refutes it without a count of rows, types or statistics; None where rows count."""
        if self.count is not None:
            return None
        types = all(part.rung is Rung.SCHEMA for part in self.decided)
        return Rung.SCHEMA if types else Rung.STATS

    @property
    def refuted(self) -> bool:
        """Whether statistics alone refute it, as some row violates, and nobody counted how many."""
        return self.refuter is Rung.STATS

    @property
    def rung(self) -> Rung:
        """The dearest rung that was needed to decide it."""
        return max((part.rung for part in self.decided), key=_RUNGS.index)

    @property
    def reached(self) -> bool:
        """Whether anything decides it where no row is read."""
        rows = any(part.rows for part in self.decided)
        return self.count is None or rows or self.rung in _UNREAD

    @property
    def proven(self) -> float:
        """The share of the rows that no scan was needed for."""
        rows = sum(part.rows for part in self.decided)
        if not rows:
            return float(self.rung in _UNREAD)
        return sum(part.rows for part in self.decided if part.rung in _UNREAD) / rows

    @classmethod
    def of(
        cls,
        check: Check,
        tally: CheckTally,
        *,
        suspect: bool,
        decided: tuple[Decided, ...],
        refuted: str | None,
    ) -> CheckResult:
        """Say what became of a check.

        Args:
            check: the check.
            tally: what was seen of the rows that violate it.
            suspect: whether NULLs may be the signature's fault.
            decided: what decided it.
            refuted: what statistics have observed that refutes it, no row having been read.
        """
        by_nulls = check.code is Code.NULL and (tally.count > 0 or refuted is not None)
        return cls(
            check.path,
            check.code,
            check.expected,
            tally.count if refuted is None else None,
            tally.observed if refuted is None else (refuted,),
            tally.examples,
            REINFER if suspect and by_nulls else "",
            decided,
        )

    @property
    def asked(self) -> tuple[object, ...]:
        """What a check asked, with the answer of a finding; all parts of a source have the same."""
        finding = (self.observed, self.remedy) if self.count is None else None
        return self.path, self.code, self.expected, finding

    def plus(self, other: CheckResult, limit: int) -> CheckResult:
        """Add what became of the check in another part of the source.

        Args:
            other: that.
            limit: how many examples are kept.
        """
        if self.count is None or other.count is None:
            return self
        both = CheckTally(self.count, self.observed, self.examples).plus(
            CheckTally(other.count, other.observed, other.examples), limit
        )
        return replace(
            self,
            count=both.count,
            observed=both.observed,
            examples=smallest(both.examples, limit),
            remedy=self.remedy or other.remedy,
            decided=_plus_decided(self.decided, other.decided),
        )


def _plus_decided(a: tuple[Decided, ...], b: tuple[Decided, ...]) -> tuple[Decided, ...]:
    """Add up what decided a check in two parts of a source; files may lie in both."""
    rows = {part.rung: 0 for part in (*a, *b)}
    for part in (*a, *b):
        rows[part.rung] += part.rows
    return tuple(Decided(rung, rows[rung]) for rung in _RUNGS if rung in rows)
