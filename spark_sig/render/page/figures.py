"""Figures: what a page shows of a report, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from spark_sig.errors import Code
from spark_sig.plan import Rung
from spark_sig.report import CheckResult, Report
from spark_sig.tally import Example

_RUNGS = list(Rung)
# The share of rows of which nobody knows more than that there are some.
_SOME = 1e-9


class Family(Enum):
    """What a rung's word is worth."""

    PROVEN = "proven"  # without a row being read
    ASSUMED = "assumed"
    READ = "read"


FAMILIES: dict[Rung, Family] = {
    Rung.SCHEMA: Family.PROVEN,
    Rung.ASSUMED: Family.ASSUMED,
    Rung.STATS: Family.PROVEN,
    Rung.LEDGER: Family.PROVEN,
    Rung.CATALYST: Family.READ,
    Rung.ARROW: Family.READ,
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A check that is violated.

    Args:
        code: what is wrong.
        expected: what the signature asks for.
        observed: what is there.
        count: rows that violate it; None where the whole source does, or some of it.
        refuted: whether it is some of it, as statistics alone say.
        examples: some of them.
    """

    code: Code
    expected: str
    observed: tuple[str, ...]
    count: int | None
    examples: tuple[Example, ...] = ()
    refuted: bool = False

    def share(self, rows: int) -> float:
        """Return the share of so many rows that violate it, 0 to 1; what is unknown is least."""
        if self.count is None:
            return _SOME if self.refuted else 1.0
        return self.count / rows if rows else 0.0


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a row, with all that was checked there.

    Args:
        path: the place; ``$`` for the rows as a whole.
        expected: what its checks ask for, each once.
        rung: the dearest rung that was needed; None where nothing decided a check there.
        proven: the share of the rows that no scan was needed for, of the check with least.
        hits: the checks that are violated, worst first.
        lied: whether an audit found that what proved one of its checks is wrong.
    """

    path: str
    expected: tuple[str, ...]
    rung: Rung | None = None
    proven: float | None = None
    hits: tuple[Hit, ...] = ()
    lied: bool = False

    def share(self, rows: int) -> float:
        """Return the share of so many rows that violate its worst check, 0 to 1."""
        return max((hit.share(rows) for hit in self.hits), default=0.0)


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How often one thing is wrong.

    Args:
        code: what is wrong.
        fields: the places where it is.
        rows: rows, added up over those places; None where the whole source violates.
    """

    code: Code
    fields: int
    rows: int | None


def fields_of(report: Report) -> list[Field]:
    """Return the places that a report is on: worst first, then in the order of its checks.

    Those that types alone settle come last.
    """
    by_path: dict[str, list[CheckResult]] = {}
    for check in report.checks:
        by_path.setdefault(check.path, []).append(check)
    found = [_field(report, path, checks) for path, checks in by_path.items()]
    found += [Field(field.path, (field.expected,), Rung.SCHEMA, 1.0) for field in report.settled]
    # A wrong number of rows is a violation that no check has.
    extra = report.violations[sum(check.violated for check in report.checks) :]
    found += [
        Field(v.path, (v.expected,), hits=(Hit(v.code, v.expected, (v.observed,), None),))
        for v in extra
    ]
    return sorted(found, key=lambda field: _badness(field.hits))


def _field(report: Report, path: str, checks: Sequence[CheckResult]) -> Field:
    hits = [
        Hit(check.code, check.expected, check.observed, check.count, check.examples, check.refuted)
        for check in checks
        if check.violated
    ]
    decided = [decisions(report, check) for check in checks]
    whole = all(decided)
    return Field(
        path,
        tuple(dict.fromkeys(check.expected for check in checks)),
        max((rung for rungs in decided for rung in rungs), key=_RUNGS.index) if whole else None,
        min(map(proven, decided)) if whole else None,
        tuple(sorted(hits, key=lambda hit: _badness((hit,)))),
        report.audit is not None and any(lie.path == path for lie in report.audit.lies),
    )


def decisions(report: Report, check: CheckResult) -> Mapping[Rung, float]:
    """Return what decided a check, as shares of the rows that add up to one.

    Nothing did where types or statistics of other checks gave the verdict first.
    """
    if check.refuter is not None:
        return {check.refuter: 1.0}
    if rows := sum(part.rows for part in check.decided):
        shares = dict.fromkeys((part.rung for part in check.decided if part.rows), 0.0)
        for part in check.decided:
            if part.rows:
                shares[part.rung] += part.rows / rows
        return shares
    if report.skipped(check):
        return {}
    return {check.rung: 1.0}


def proven(decided: Mapping[Rung, float]) -> float:
    """Return the share that no row was read for."""
    return sum(share for rung, share in decided.items() if FAMILIES[rung] is Family.PROVEN)


def _badness(hits: Iterable[Hit]) -> tuple[bool, int]:
    counts = [hit.count for hit in hits]
    return None not in counts, -max((count or 0 for count in counts), default=0)


def code_counts(fields: Iterable[Field]) -> list[CodeCount]:
    """Return how often each code is violated, the most frequent first."""
    hits: dict[Code, list[int | None]] = {}
    for field in fields:
        for hit in field.hits:
            hits.setdefault(hit.code, []).append(hit.count)
    found = [
        CodeCount(code, len(counts), None if None in counts else sum(filter(None, counts)))
        for code, counts in hits.items()
    ]
    return sorted(found, key=lambda one: (one.rows is not None, -(one.rows or 0), -one.fields))


def rung_shares(report: Report) -> Mapping[Rung, float]:
    """Return what each rung decided, as shares of all checks that add up to one, cheapest first."""
    decided = [found for check in report.checks if (found := decisions(report, check))]
    shares = {rung: sum(one.get(rung, 0.0) for one in decided) for rung in Rung}
    return {rung: share / len(decided) for rung, share in shares.items() if share}


def percent(share: float) -> str:
    """Return a share as text that says 0% of nothing alone, and 100% of all alone.

    Example:
        >>> [percent(share) for share in (0, 1e-7, 0.0245, 0.5, 0.99999, 1)]
        ['0%', '<0.01%', '2.45%', '50%', '>99.99%', '100%']
    """
    if share in (0, 1):
        return f"{share:.0%}"
    if share < 0.0001:
        return "<0.01%"
    if share > 0.9999:
        return ">99.99%"
    digits = 1 if 0.1 <= share <= 0.99 else 2
    return f"{100 * share:.{digits}f}".rstrip("0").rstrip(".") + "%"
