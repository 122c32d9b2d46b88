"""Preflights as documents and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from spark_sig.render.notebook import fragment, line, lines, table
from spark_sig.render.text import aligned_rows, cut, printable

if TYPE_CHECKING:
    from spark_sig.fits import Fit, Preflight

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
        path, observed, expected, level, left, note = map(printable, _cells(fit))
        cells = [cut(text, _WIDEST) for text in (path, observed, expected)]
        rows.append((cells[0], cells[1], cells[2], level, left, note))
    more = [f"  {text}" for text in _untold(preflight)]
    return "\n".join([_verdict(preflight), *aligned_rows(rows), *more])


def preflight_html(preflight: Preflight) -> str:
    """Return a preflight for a notebook; all text in it is escaped."""
    bad = [at for at, fit in enumerate(preflight.fits) if fit.level.value == "breaking"]
    return fragment(
        line(_verdict(preflight), bad=not preflight.passes),
        table(_HEAD, [_cells(fit) for fit in preflight.fits], bad=bad),
        lines("Besides", _untold(preflight)),
    )


def _verdict(preflight: Preflight) -> str:
    start = "rows may be read" if preflight.passes else "refused by its types"
    return f"{preflight.level}: {start}"


def _cells(fit: Fit) -> tuple[str, ...]:
    left = ", ".join(fit.checks) or "-"
    return fit.path, fit.observed or "-", fit.expected or "-", fit.level.value, left, fit.note


def _untold(preflight: Preflight) -> list[str]:
    """Return what is refused and no place shows, such as names that collide."""
    told = {fit.path for fit in preflight.fits if fit.note}
    return [str(found) for found in preflight.refused if found.path not in told]
