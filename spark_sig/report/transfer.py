"""Transfers: the rows that a run has written to tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """Rows that were written to a table.

    Args:
        table: its name or path, as given.
        table_id: its own id.
        version: the version that they made.
        rows: how many they are.
    """

    table: str
    table_id: str
    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """What became of the rows, where they were to be written.

    Args:
        run_id: the name of the run; empty where it has none, as nothing was written.
        mode: ``append``, ``overwrite`` or ``replace-partitions``.
        conformed: the rows that conform; None where nothing was written.
        quarantine: the rows that violate; None where nothing was written.
        note: why nothing was written; empty where something was.
    """

    run_id: str
    mode: str
    conformed: Written | None = None
    quarantine: Written | None = None
    note: str = ""

    @classmethod
    def refused(cls, run_id: str | None, mode: str, why: str) -> Transfer:
        """Return what became of rows of which none was written, and say why."""
        return cls(run_id or "", mode, note=f"nothing was written: {why}")

    @property
    def tables(self) -> tuple[Written, ...]:
        """The tables that rows were written to."""
        return tuple(one for one in (self.conformed, self.quarantine) if one is not None)
