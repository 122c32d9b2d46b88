"""Diagnoses as documents and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from spark_sig.render.text import aligned_rows, cut, printable

if TYPE_CHECKING:
    from spark_sig.diagnosis.symptom import Symptom

# Version of the JSON form.
FORMAT = "spark_sig.diagnosis/1"

# How much of what was found a line shows.
_WIDEST = 90


def diagnosis_document(symptoms: Sequence[Symptom]) -> dict[str, Any]:
    """Return a diagnosis as JSON-ready values."""
    found = [
        {"name": one.name, "health": one.health.value, "found": one.found, "remedy": one.remedy}
        for one in symptoms
    ]
    return {"format": FORMAT, "symptoms": found}


def diagnosis_text(symptoms: Sequence[Symptom]) -> str:
    """Return a diagnosis as lines for a terminal; a remedy stands below what it is for."""
    rows = [
        (one.health.value, printable(one.name), cut(printable(one.found), _WIDEST))
        for one in symptoms
    ]
    return "\n".join(_lines(rows, symptoms))


def _lines(rows: Sequence[tuple[str, ...]], symptoms: Sequence[Symptom]) -> Iterator[str]:
    for line, one in zip(aligned_rows(rows), symptoms, strict=True):
        yield line.strip()
        if one.remedy:
            yield f"        {printable(one.remedy)}"
