"""Preflights as documents and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from spark_sig.render.text import aligned_rows, cut, printable

if TYPE_CHECKING:
    from spark_sig.fits import Preflight

# Version of the JSON form.
FORMAT = "spark_sig.preflight/1"

_HEAD = ("path", "observed", "expected", "types", "left to rows", "note")
# How much of a path or a type a row of the table shows.
_WIDEST = 40


def preflight_document(preflight: Preflight) -> dict[str, Any]:
    """Return a preflight as JSON-ready values."""
    return {
        "format": FORMAT,
        "level": preflight.level.value,
        "passes": preflight.passes,
        "refused": [{**asdict(found), "code": found.code.value} for found in preflight.refused],
        "fits": [{**asdict(fit), "level": fit.level.value} for fit in preflight.fits],
    }


def preflight_text(preflight: Preflight) -> str:
    """Return a preflight as lines for a terminal, one for each place."""
    rows = [_HEAD]
    for fit in preflight.fits:
        shown = (fit.path, fit.observed or "-", fit.expected or "-")
        cells = [cut(printable(text), _WIDEST) for text in shown]
        left = ", ".join(fit.checks) or "-"
        rows.append((cells[0], cells[1], cells[2], fit.level.value, left, printable(fit.note)))
    start = "rows may be read" if preflight.passes else "refused by its types"
    # What no place shows, such as names that collide.
    told = {fit.path for fit in preflight.fits if fit.note}
    more = [f"  {found}" for found in preflight.refused if found.path not in told]
    return "\n".join([f"{preflight.level}: {start}", *aligned_rows(rows), *more])
