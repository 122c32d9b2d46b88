"""Differences of signatures as documents and as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from spark_sig.diff.change import Change, Diff
from spark_sig.render.text import aligned_rows, cut, printable

# Version of the JSON form.
FORMAT = "spark_sig.diff/1"

_HEAD = ("side", "path", "before", "after", "forward", "backward", "note")
# How much of a path or a type a row of the table shows.
_WIDEST = 40


def diff_document(diff: Diff) -> dict[str, Any]:
    """Return a difference as JSON-ready values."""
    return {
        "format": FORMAT,
        "forward": diff.forward.value,
        "backward": diff.backward.value,
        "changes": [
            {**asdict(change), "forward": change.forward.value, "backward": change.backward.value}
            for change in diff.changes
        ],
    }


def diff_text(diff: Diff) -> str:
    """Return a difference as lines for a terminal: one for each place that differs, aligned."""
    changed = diff.changed
    verb = "differs" if len(changed) == 1 else "differ"
    count = f"{len(changed)} of {len(diff.changes)} places {verb}"
    head = f"forward: {diff.forward}, backward: {diff.backward}; {count}"
    return "\n".join([head, *_table(changed)]) if changed else head


def _table(changes: Iterable[Change]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [_HEAD]
    for c in changes:
        shown = (c.side, c.path, c.before or "-", c.after or "-", c.forward.value, c.backward.value)
        rows.append((*(cut(printable(text), _WIDEST) for text in shown), c.note))
    yield from aligned_rows(rows)
