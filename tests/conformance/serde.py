"""Replays of documents: read, written back, and shown."""

from __future__ import annotations

from typing import Any

from spark_sig.codec import params_from_json, params_to_json, schema_from_json, schema_to_json
from spark_sig.errors import SignatureError
from spark_sig.signature import ModelSignature
from tests.conformance.corpus import Case, Ours, Outcome, Replayer, Versions

READERS: dict[str, tuple[Any, Any]] = {
    "schema": (schema_from_json, schema_to_json),
    "params": (params_from_json, params_to_json),
    "signature": (ModelSignature.from_json, ModelSignature.to_dict),
}


def replay(case: Case, versions: Versions) -> Outcome:
    """Read the document, and compare what is written back and shown with what MLflow gives."""
    read, write = READERS[case["kind"]]
    recorded = case["outcome"]
    try:
        value = read(case["document"])
    except SignatureError as error:
        ours = Ours(False, error=str(error))
        return Outcome(ours, "refused here, accepted by MLflow" if recorded["ok"] else "")
    written = write(value)
    ours = Ours(True, {"to_json": written, "repr": repr(value)})
    if not recorded["ok"]:
        return Outcome(ours, "accepted here, refused by MLflow")
    for key, got in ours.value.items():
        if got != recorded[key]:
            return Outcome(ours, f"{key} is {got!r}, recorded {recorded[key]!r}")
    again = ModelSignature.from_dict(written) if case["kind"] == "signature" else read(written)
    if again != value or write(again) != written:
        return Outcome(ours, "what is written does not read back as the same")
    return Outcome(ours)


REPLAYER = Replayer("serde", lambda case: {"kind", "document"} <= set(case), replay)
