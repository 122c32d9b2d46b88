"""Inferences: signatures derived from a whole source, and why each field is what it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from spark_sig.report import Source
from spark_sig.signature import ModelSignature


class Basis(str, Enum):
    """What a field's flag rests on, cheapest first."""

    CONSTRAINT = "constraint"  # a NOT NULL constraint that Delta enforces
    STATISTICS = "statistics"  # the log's statistics of every file
    ASSUMED = "assumed"  # a nullable=False flag, by which Spark folds every check away
    SCANNED = "scanned"  # every row
    ASKED = "asked"  # nothing: the user lets the column be of any type

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class FieldEvidence:
    """Why one field is required or optional.

    Args:
        path: its place, such as ``$.orders[*].price``.
        side: ``inputs`` or ``outputs``.
        type: its type, as reports name it.
        required: its flag; None for elements and map values, which share the flag of the field
            around them.
        basis: what the flag rests on.
        why: the same in words, such as ``0 nulls in 8,000,000 rows by statistics of 8 files``.
        note: what the user has to know besides; empty where nothing.
    """

    path: str
    side: str
    type: str
    required: bool | None
    basis: Basis
    why: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Inference:
    """A signature derived from a source.

    Args:
        signature: the signature.
        source: what it was derived from.
        rows: rows of the source; None where nothing had to be counted.
        scanned: names of the columns that were read, in order; the others' data was not touched.
        fields: why each field is what it is, nested ones below their columns.
    """

    signature: ModelSignature
    source: Source
    rows: int | None
    scanned: tuple[str, ...]
    fields: tuple[FieldEvidence, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the inference as JSON-ready values."""
        from spark_sig.render.inference import inference_document

        return inference_document(self)

    def to_json(self) -> str:
        """Return the inference as JSON text."""
        from spark_sig.render.inference import inference_json

        return inference_json(self)

    def to_text(self) -> str:
        """Return the inference as lines for a terminal."""
        from spark_sig.render.inference import inference_text

        return inference_text(self)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # how a terminal of IPython shows it

    def _repr_html_(self) -> str:
        from spark_sig.render.inference import inference_html

        return inference_html(self)
