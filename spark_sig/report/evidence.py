"""Evidence: what decided a check, and what a verdict rests on besides rows."""

from __future__ import annotations

from dataclasses import dataclass

from spark_sig.errors import Code
from spark_sig.plan import Rung


@dataclass(frozen=True, slots=True)
class Decided:
    """What decided a check for some of the rows.

    Args:
        rung: what decided it.
        rows: how many rows.
        files: how many data files they lie in; None where files are not known.
    """

    rung: Rung
    rows: int
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Lie:
    """A check that an audit found violated in files that had been proven.

    Args:
        path: place in a row; ``$`` where the number of rows is wrong.
        code: what is wrong.
        claimed: what had been proven.
        found: what the audit found.
    """

    path: str
    code: Code
    claimed: str
    found: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.path}: {self.code}: proven {self.claimed}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Audit:
    """What became of proven files that were read nevertheless.

    Args:
        share: the share of the proven files that was asked for, 0 to 1.
        files: files read.
        rows: rows read.
        lies: what was wrong.
    """

    share: float
    files: int
    rows: int
    lies: tuple[Lie, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on besides rows.

    Args:
        statistics: which statistics were asked, or why none were.
        files_read: data files that rows were read of; None where files are not known.
        ledger: what the ledger gave and took; empty where there is none.
    """

    statistics: str = ""
    files_read: int | None = None
    ledger: str = ""
