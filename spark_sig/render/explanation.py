"""Explanations as documents, as text and in notebooks, and their reasons in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from spark_sig.errors import Violation
from spark_sig.explanation import ExplainedCheck, ExplainedField, Explanation
from spark_sig.plan import Reason, Rung
from spark_sig.render.notebook import fragment, line, lines, table
from spark_sig.render.text import aligned_rows, cut, printable

# Version of the JSON form.
FORMAT = "spark_sig.explanation/1"

# Each reason in words.
WHY: dict[Reason, str] = {
    Reason.TYPES: "no value of this type violates",
    Reason.NOT_NULL: "NOT NULL, which Delta enforces",
    Reason.CONSTRAINT: "a CHECK constraint, which Delta enforces",
    Reason.FLAG: "Spark calls it nullable=False and folds the check away: nobody makes it",
    Reason.STATISTICS: "file statistics prove it",
    Reason.REMEMBERED: "an earlier run found it so of the same files",
    Reason.SCAN: "Spark's own scan decides it on the way",
    Reason.DRIVER: "the values are on the driver, and are checked one by one",
    Reason.ENGINE: "engine='arrow' was asked for",
    Reason.VALUES: "values are to be shown, which Arrow alone renders",
    Reason.ELEMENT: "inside an array or a map, which Arrow checks at less cost",
    Reason.LENGTH: "the shape of a tensor, which Arrow reads from its offsets",
    Reason.VECTOR: "inside a Spark ML vector, which SQL cannot look into",
    Reason.TEXT: "numbers in text, which Spark reads by another grammar",
    Reason.DECIMAL: "decimals as floats, which Spark compares by their shortest text",
    Reason.COLUMN: "another check of its column needs Arrow, which then makes all of them",
    Reason.NAMES: "SQL cannot tell the names of its members apart",
    Reason.REBUILT: "its elements are converted, and Arrow builds it anew",
}

_HEAD = ("path", "expected", "observed", "rung", "why")
# How much of a path or a type a line shows.
_WIDEST = 40


def why(field: ExplainedField) -> str:
    """Say why a field is decided on the rung that it is."""
    parts = [field.note]
    if field.expected is not None and field.observed is None and not field.checks:
        parts = ["missing, which it may be"]
    if field.refused is not None:
        remedy = f"; {field.refused.remedy}" if field.refused.remedy else ""
        return f"{field.refused.code}: refused by its type{remedy}"
    parts += _grouped(field.checks)
    if field.observed is not None and field.expected is not None and not field.checks:
        parts.append(WHY[Reason.TYPES])
    if field.converted is not None:
        parts.append(_converted(field.converted, field.checks))
    return "; ".join(filter(None, parts))


def _grouped(checks: tuple[ExplainedCheck, ...]) -> Iterator[str]:
    """Yield why each check is where it is, those that are there for one reason together."""
    told: dict[str, list[str]] = {}
    for check in checks:
        told.setdefault(_check(check), []).append(check.code.value)
    for text, codes in told.items():
        yield f"{', '.join(dict.fromkeys(codes))}: {text}"


def _check(check: ExplainedCheck) -> str:
    text = WHY[check.reason]
    if check.provable and check.reason is Reason.NOT_NULL:
        return f"{text}, unless its log shows older rows"
    if check.provable:
        return f"{text}, unless file statistics prove it"
    proven = sum(part.files or 0 for part in check.decided if part.rung is Rung.STATS)
    files = sum(part.files or 0 for part in check.decided)
    refuted = f"; they refute it: {check.refuted}" if check.refuted else ""
    if check.decided and proven == files:
        return (
            f"{WHY[Reason.STATISTICS]}, in {'its file' if files == 1 else f'all {files:,} files'}"
        )
    if proven:
        return f"{WHY[Reason.STATISTICS]} in {proven:,} of {files:,} files, else {text}{refuted}"
    return text + (f"; statistics refute it: {check.refuted}" if check.refuted else "")


def _converted(reason: Reason, checks: tuple[ExplainedCheck, ...]) -> str:
    where = "in Arrow" if reason.rung is Rung.ARROW else "within Spark's scan"
    known = reason in (Reason.SCAN, Reason.COLUMN) or any(c.reason is reason for c in checks)
    return f"converted {where}" + ("" if known else f": {WHY[reason]}")


def explanation_document(found: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON-ready values."""
    return {
        "format": FORMAT,
        "source": found.source,
        "statistics": found.statistics,
        "passes": found.passes,
        "row_count": found.row_count,
        "refused": [_violation(violation) for violation in found.refused],
        "fields": [_field(field) for field in found.fields],
    }


def _violation(violation: Violation) -> dict[str, Any]:
    return {**asdict(violation), "code": violation.code.value}


def _field(field: ExplainedField) -> dict[str, Any]:
    return {
        "path": field.path,
        "expected": field.expected,
        "observed": field.observed,
        "rung": field.rung.value,
        "why": field.why,
        "converted": None if field.converted is None else field.converted.value,
        "refused": None if field.refused is None else field.refused.code.value,
        "checks": [
            {
                "code": check.code.value,
                "rung": check.rung.value,
                "reason": check.reason.value,
                "provable": check.provable,
                "refuted": check.refuted,
                "decided": [{**asdict(part), "rung": part.rung.value} for part in check.decided],
            }
            for check in field.checks
        ],
    }


def explanation_text(found: Explanation) -> str:
    """Return an explanation as lines for a terminal, one for each field."""
    rows: list[tuple[str, ...]] = [_HEAD]
    for field in found.fields:
        path, expected, observed, rung, reason = map(printable, _cells(field))
        rows.append((*(cut(text, _WIDEST) for text in (path, expected, observed)), rung, reason))
    more = [f"  {printable(text)}" for text in _untold(found)]
    return "\n".join([*map(printable, _facts(found)), *aligned_rows(rows), *more])


def explanation_html(found: Explanation) -> str:
    """Return an explanation for a notebook; all text in it is escaped."""
    first, *others = _facts(found)
    bad = [at for at, field in enumerate(found.fields) if field.refused is not None]
    return fragment(
        line(first, bad=not found.passes),
        *map(line, others),
        table(_HEAD, [_cells(field) for field in found.fields], bad=bad),
        lines("Besides", _untold(found)),
    )


def _facts(found: Explanation) -> Iterator[str]:
    verdict = "rows may be read" if found.passes else "refused by its types, no row is read"
    yield f"{found.source}: {verdict}"
    yield f"statistics: {found.statistics}"
    if found.row_count is not None:
        yield f"rows: {found.row_count:,}, by a tensor's fixed first axis; all are counted"


def _untold(found: Explanation) -> list[str]:
    """Return what is refused and no field shows, such as names that collide."""
    told = {field.refused for field in found.fields}
    return [str(violation) for violation in found.refused if violation not in told]


def _cells(field: ExplainedField) -> tuple[str, ...]:
    return field.path, field.expected or "-", field.observed or "-", field.rung.value, field.why
