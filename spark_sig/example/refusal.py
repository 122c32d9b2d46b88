"""Refusals: what is said of something that makes no example."""

from __future__ import annotations

from spark_sig.errors import SignatureError


def refuse(message: str, path: str, value: object, remedy: str = "") -> SignatureError:
    """Return an error that names the class of a value, never what it holds."""
    return SignatureError(message, path=path, observed=type(value).__name__, remedy=remedy)


def keys_label(document: object) -> str:
    """Name the first keys of an object of JSON."""
    if not isinstance(document, dict):
        return "no object"
    return ", ".join(map(repr, list(document)[:8]))[:200]
