"""Strict JSON documents: hostile text is refused before it can do harm."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from spark_sig.errors import SignatureError

# A signature of 20,000 columns has about 1 MB, and no column nests 50 levels deep: what is beyond
# these is hostile, and would cost time, memory or Python's stack before it is found to be wrong.
MAX_CHARACTERS = 16 * 2**20
MAX_DEPTH = 100

_TOKENS = re.compile(r'"(?:[^"\\]|\\.|\\\Z)*(?:"|\Z)|[\[\]{}]', re.DOTALL)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MAX_DIGITS = 400


@dataclass(frozen=True)
class Refused:
    """Stands in a parsed document where it holds something that is no JSON."""

    reason: str


def parse_json(text: str | bytes, path: str = "$") -> Any:
    """Read a JSON document strictly.

    Args:
        text: the document; bytes are UTF-8.
        path: where it stands, for errors.

    Raises:
        SignatureError: where it is no JSON, is too large or too deep, repeats a key, or holds NaN
            or an infinity.

    Example:
        >>> parse_json('{"a": [1]}')
        {'a': [1]}
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SignatureError("the document is not UTF-8", path=path) from error
    if not isinstance(text, str):
        raise SignatureError(
            "a JSON document must be a string",
            path=path,
            observed=describe(text),
            remedy="write it with json.dumps" if isinstance(text, (list, dict)) else "",
        )
    if len(text) > MAX_CHARACTERS:
        raise SignatureError(
            "the document is too large",
            path=path,
            expected=f"at most {MAX_CHARACTERS} characters",
            observed=str(len(text)),
        )
    check_depth(text, path)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=lambda name: Refused(f"{name} is no JSON"),
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        raise SignatureError(
            f"the document is no JSON: {error.msg} in line {error.lineno}, column {error.colno}",
            path=path,
        ) from None
    _check_values(document, path)
    return document


def check_depth(text: str, path: str) -> None:
    """Refuse a document that nests too deeply.

    This comes before json.loads, which would recurse: with a raised recursion limit it ends the
    process.
    """
    depth = 0
    for token in _TOKENS.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise SignatureError(
                    "the document nests too deeply",
                    path=path,
                    expected=f"at most {MAX_DEPTH} levels",
                )
        elif first in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        out[key] = Refused("this key is there twice") if key in out else value
    return out


def _integer(digits: str) -> int | Refused:
    return int(digits) if len(digits) < _MAX_DIGITS else Refused("a number with too many digits")


def _check_values(document: Any, path: str) -> None:
    pending = [(document, path)]
    while pending:
        value, place = pending.pop()
        if isinstance(value, Refused):
            raise SignatureError(value.reason, path=place)
        if isinstance(value, dict):
            pending += [(item, member(place, key)) for key, item in value.items()]
        elif isinstance(value, list):
            pending += [(item, f"{place}[{index}]") for index, item in enumerate(value)]


def member(path: str, key: str) -> str:
    """Return the path of a key: ``$.a``, or ``$["a b"]`` where the key is no plain word."""
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{json.dumps(key[:80])}]"


def describe(value: object) -> str:
    """Name a JSON value by its class; a string also by its beginning."""
    match value:
        case None:
            return "null"
        case bool():
            return json.dumps(value)
        case int() | float():
            return f"the number {value}"[:40]
        case str():
            return f"the string {json.dumps(value[:40])}"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return type(value).__name__
