"""Inferences as documents and as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from spark_sig.render.notebook import fragment, line, table

if TYPE_CHECKING:
    from spark_sig.inference import FieldEvidence, Inference

# Version of the JSON form.
FORMAT = "spark_sig.inference/1"

_HEAD = ("path", "type", "required", "why", "note")
_FLAGS = {True: "required", False: "optional", None: ""}


def inference_document(inference: Inference) -> dict[str, Any]:
    """Return an inference as JSON-ready values."""
    return {
        "format": FORMAT,
        "signature": inference.signature.to_dict(),
        "fingerprint": inference.signature.fingerprint,
        "source": asdict(inference.source),
        "rows": inference.rows,
        "scanned": list(inference.scanned),
        "fields": [{**asdict(field), "basis": field.basis.value} for field in inference.fields],
    }


def inference_json(inference: Inference) -> str:
    """Return an inference as JSON text."""
    return json.dumps(inference_document(inference), indent=2, ensure_ascii=False) + "\n"


def inference_text(inference: Inference) -> str:
    """Return an inference as lines for a terminal: one for each field, aligned."""
    lines = [_title(inference)]
    for side in ("inputs", "outputs"):
        fields = [field for field in inference.fields if field.side == side]
        if not fields:
            continue
        lines.append(f"{side}:")
        cells = [_cells(field) for field in fields]
        widths = [max(len(cell[i]) for cell in cells) for i in range(3)]
        for field, cell in zip(fields, cells, strict=True):
            padded = (text.ljust(width) for text, width in zip(cell, widths, strict=False))
            lines.append(f"  {'  '.join(padded)}  {cell[3]}".rstrip())
            if field.note:
                lines.append(f"    note: {field.note}")
    if inference.signature.params:
        lines.append(f"params: {inference.signature.params!r}")
    lines.append(_read(inference))
    return "\n".join(lines)


def inference_html(inference: Inference) -> str:
    """Return an inference for a notebook; all text in it is escaped."""
    parts = [line(_title(inference))]
    for side in ("inputs", "outputs"):
        rows = [(*_cells(f), f.note) for f in inference.fields if f.side == side]
        if rows:
            parts.append(table(_HEAD, rows, side))
    if inference.signature.params:
        parts.append(line(f"params: {inference.signature.params!r}"))
    return fragment(*parts, line(_read(inference)))


def _title(inference: Inference) -> str:
    rows = "" if inference.rows is None else f", {inference.rows:,} rows"
    return f"signature of {inference.source}{rows}"


def _cells(field: FieldEvidence) -> tuple[str, str, str, str]:
    return field.path, field.type, _FLAGS[field.required], field.why


def _read(inference: Inference) -> str:
    return f"read: {', '.join(inference.scanned) or 'nothing'}"
