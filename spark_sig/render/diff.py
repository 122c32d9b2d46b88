"""Differences of signatures as documents and as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from spark_sig.diff.change import Change, Diff
from spark_sig.diff.verdict import Compatibility
from spark_sig.render.notebook import fragment, line, table
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
    return "\n".join([_facts(diff), *_table(changed)]) if changed else _facts(diff)


def diff_html(diff: Diff) -> str:
    """Return a difference for a notebook: the places that differ; all text in it is escaped."""
    changed = diff.changed
    bad = [at for at, c in enumerate(changed) if Compatibility.BREAKING in (c.forward, c.backward)]
    rows = [(*_cells(change), change.note) for change in changed]
    return fragment(line(_facts(diff)), table(_HEAD, rows, bad=bad) if rows else "")


def _facts(diff: Diff) -> str:
    changed = diff.changed
    verb = "differs" if len(changed) == 1 else "differ"
    count = f"{len(changed)} of {len(diff.changes)} places {verb}"
    return f"forward: {diff.forward}, backward: {diff.backward}; {count}"


def _table(changes: Iterable[Change]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [_HEAD]
    for c in changes:
        rows.append((*(cut(printable(text), _WIDEST) for text in _cells(c)), c.note))
    yield from aligned_rows(rows)


def _cells(c: Change) -> tuple[str, ...]:
    return c.side, c.path, c.before or "-", c.after or "-", c.forward.value, c.backward.value
