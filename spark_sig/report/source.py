"""Sources of reports: what was checked, and how many rows it has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """What was checked.

    Args:
        kind: ``delta``, ``parquet``, ``dataframe`` or ``values``.
        name: the path or name as given; empty for a DataFrame.
        table_id: Delta's table id, else None.
        version: the version that every read used, None where there is none.
        files: number of data files at that version, None where unknown.
        pinned: whether every read is of one version.
        uncounted: number of files whose rows the table's log does not count.
    """

    kind: str
    name: str = ""
    table_id: str | None = None
    version: int | None = None
    files: int | None = None
    pinned: bool = False
    uncounted: int = 0

    def __str__(self) -> str:
        if not self.pinned:
            return " ".join(filter(None, (self.kind, self.name))) + ", unpinned"
        at = "" if self.version is None else f" at version {self.version}"
        return f"{self.kind} {self.name}{at}"


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows there were."""

    total: int = 0
    valid: int = 0
    violating: int = 0
    uncounted: int = 0  # those in files whose rows the table's log does not count

    @property
    def counted(self) -> int:
        """Those in files whose rows the table's log counts, of which it promises how many."""
        return self.total - self.uncounted

    def __add__(self, other: Rows) -> Rows:
        return Rows(
            self.total + other.total,
            self.valid + other.valid,
            self.violating + other.violating,
            self.uncounted + other.uncounted,
        )
