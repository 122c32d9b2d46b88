"""Inferences as documents and as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spark_sig.inference import Inference

# Version of the JSON form.
FORMAT = "spark_sig.inference/1"


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
    rows = "" if inference.rows is None else f", {inference.rows:,} rows"
    lines = [f"signature of {inference.source}{rows}"]
    for side in ("inputs", "outputs"):
        fields = [field for field in inference.fields if field.side == side]
        if not fields:
            continue
        lines.append(f"{side}:")
        flags = {True: "required", False: "optional", None: ""}
        cells = [(f.path, f.type, flags[f.required], f.why) for f in fields]
        widths = [max(len(cell[i]) for cell in cells) for i in range(3)]
        for field, cell in zip(fields, cells, strict=True):
            padded = (text.ljust(width) for text, width in zip(cell, widths, strict=False))
            lines.append(f"  {'  '.join(padded)}  {cell[3]}".rstrip())
            if field.note:
                lines.append(f"    note: {field.note}")
    if inference.signature.params:
        lines.append(f"params: {inference.signature.params!r}")
    scanned = ", ".join(inference.scanned) or "nothing"
    lines.append(f"read: {scanned}")
    return "\n".join(lines)
