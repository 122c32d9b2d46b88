"""Conditions: SQL that says which rows are of some runs, or of some partitions, however many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spark_sig.sqltext import literal, quoted


class Term(NamedTuple):
    """A column that tells rows apart.

    Args:
        name: the column's.
        kind: its type in SQL.
        blank: whether an empty text is NULL there, as in the values of Delta's partitions.
    """

    name: str
    kind: str = "string"
    blank: bool = False

    def among(self, values: Sequence[str | None]) -> str:
        """Write the condition that the column has one of some values, given as text."""
        name = quoted(self.name)
        known = [value for value in values if value is not None and (value or not self.blank)]
        parts = []
        if known:
            listed = ", ".join(map(self._constant, known))
            parts.append(f"{name} IN ({listed})")
        if len(known) < len(values):
            empty = f" OR CAST({name} AS string) = ''" if self.blank else ""
            parts.append(f"{name} IS NULL{empty}")
        return f"({' OR '.join(parts)})"

    def _constant(self, value: str) -> str:
        return literal(value) if self.kind == "string" else f"CAST({literal(value)} AS {self.kind})"


def condition(terms: Sequence[Term], rows: Iterable[Sequence[str | None]]) -> str:
    """Write the condition that the columns have the values of one of some rows.

    Those that differ in one column alone are one list, which Spark looks up in a hash table: a
    condition of thousands of alternatives it cannot compile.  It is the column of most values.

    Example:
        >>> condition([Term("a"), Term("b")], [("x", "1"), ("x", "2"), ("y", None)])
        "((`a` IN ('x')) AND (`b` IN ('1', '2'))) OR ((`a` IN ('y')) AND (`b` IS NULL))"
        >>> condition([Term("a")], [])
        'false'
    """
    columns = list(zip(*rows, strict=True)) or [() for _ in terms]
    order = sorted(range(len(terms)), key=lambda place: len(set(columns[place])))
    groups: dict[tuple[str | None, ...], list[str | None]] = {}
    for *first, last in zip(*(columns[place] for place in order), strict=True):
        groups.setdefault(tuple(first), []).append(last)
    *leading, inner = (terms[place] for place in order)
    parts = [
        " AND ".join(
            [
                *(term.among([value]) for term, value in zip(leading, first, strict=True)),
                inner.among(last),
            ]
        )
        for first, last in groups.items()
    ]
    return " OR ".join(f"({part})" for part in parts) or "false"
