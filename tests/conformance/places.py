"""Where a case's values meet its schema: read from the case alone, with code of its own."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from tests.conformance.corpus import Case
from tests.conformance.recipe import build

_NOTHING = object()


@dataclass(frozen=True)
class Place:
    """One value and what it is to be.

    Args:
        kind: the name of the type in the document, such as ``long`` or ``array``.
        document: the rest of the type.
        value: the value; for a column of a dtype that is not object, the whole column.
        inside: ``column``, ``array``, ``map`` or ``object``.
        required: the flag that counts here.
        group: the values that MLflow would look at together.
    """

    kind: str
    document: dict[str, Any]
    value: Any
    inside: str
    required: bool
    group: tuple[Any, ...] = ()


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or NA."""
    return value is None or value is pd.NA or value is pd.NaT or is_nan(value)


def is_list(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def is_single(value: Any) -> bool:
    return isinstance(value, np.float32)


def is_number(value: Any) -> bool:
    return is_integer(value) or isinstance(value, (float, np.floating))


def is_nan(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def is_tensor(case: Case) -> bool:
    return any(spec["type"] == "tensor" for spec in case["schema"])


def columns(case: Case) -> Iterator[tuple[dict[str, Any], pd.Series[Any]]]:
    """Yield each column that the schema asks for, with its spec; objects where values are loose."""
    value = build(case["input"])
    if is_tensor(case):
        return
    nested = any(spec["type"] in ("array", "object", "map") for spec in case["schema"])
    for index, spec in enumerate(case["schema"]):
        found = _column(value, spec.get("name"), index, spec["type"], nested)
        if found is not None:
            yield spec, found


def _column(
    value: Any, name: str | None, index: int, kind: str, nested: bool
) -> pd.Series[Any] | None:
    if isinstance(value, pd.Series):
        value = value.to_frame()
    if isinstance(value, np.ndarray):
        value = pd.DataFrame(value) if value.ndim in (1, 2) else pd.DataFrame()
    if isinstance(value, pd.DataFrame):
        if name is not None:
            found = value[name] if name in value.columns else None
            return found if isinstance(found, pd.Series) else None
        return value.iloc[:, index] if index < value.shape[1] else None
    if isinstance(value, dict):
        if name is None:
            values = list(value.values())
            loose = values[index] if index < len(values) else _NOTHING
        else:
            loose = value.get(name, _NOTHING)
        if loose is _NOTHING:
            return None
        if isinstance(loose, np.ndarray) and loose.ndim == 0:
            loose = loose.item()
        texts = is_list(loose) and all(isinstance(item, str) for item in loose)
        if nested or (kind == "any" and texts):
            return _loose([loose])
        if isinstance(loose, np.ndarray) and loose.ndim == 1 and loose.dtype != object:
            return pd.Series(loose)
        if isinstance(loose, dict):
            return _loose(list(loose.values()))
        return _loose(list(loose) if is_list(loose) else [loose])
    if isinstance(value, list):
        if value and all(isinstance(row, dict) for row in value):
            keys = list(dict.fromkeys(key for row in value for key in row))
            key = name if name is not None else (keys[index] if index < len(keys) else None)
            return _loose([row.get(key, np.nan) for row in value]) if key in keys else None
        rows = [row if isinstance(row, (list, tuple)) else [row] for row in value]
        if name is not None or any(len(row) <= index for row in rows):
            return None
        return _loose([row[index] for row in rows])
    return None if name is not None or index else _loose([value])


def _loose(values: list[Any]) -> pd.Series[Any]:
    made = np.empty(len(values), object)
    made[:] = values
    return pd.Series(made)


def places(case: Case) -> Iterator[Place]:
    """Yield every value of every level, the columns of Python objects taken apart."""
    for spec, column in columns(case):
        required = bool(spec.get("required", True))
        if column.dtype != object:
            yield Place(spec["type"], spec, column, "column", required)
            continue
        group = tuple(column)
        for value in group:
            yield from _walk(spec, value, "column", required, group)


def _walk(
    document: dict[str, Any], value: Any, inside: str, required: bool, group: tuple[Any, ...]
) -> Iterator[Place]:
    kind = "array" if document["type"] == "sparkml_vector" else document["type"]
    yield Place(kind, document, value, inside, required, group)
    if kind == "array" and is_list(value):
        items = document.get("items", {"type": "double"})
        for item in value:
            yield from _walk(items, item, "array", required, tuple(value))
    elif kind == "map" and isinstance(value, dict):
        for item in value.values():
            yield from _walk(document["values"], item, "map", required, (item,))
    elif kind == "object" and isinstance(value, dict):
        for name, inner in document["properties"].items():
            if name in value:
                flag = bool(inner.get("required", True))
                yield from _walk(inner, value[name], "object", flag, (value[name],))


CLASSES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "binary": (bytes, bytearray),
    "boolean": (bool, np.bool_),
}


def is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_text_or_flag(value: Any) -> bool:
    return isinstance(value, (str, bool, np.bool_, Decimal, bytes, bytearray))


def is_moment(value: Any) -> bool:
    return isinstance(value, (dt.date, np.datetime64)) and value is not pd.NaT


# NumPy's letter for a dtype -> the types whose values it can hold.
_LETTERS = {
    "b": {"boolean"},
    "i": {"integer", "long", "float", "double"},
    "u": {"integer", "long", "float", "double"},
    "f": {"float", "double"},
    "M": {"datetime"},
    "U": {"string"},
    "S": {"binary"},
}


def is_sound(place: Place) -> bool:
    """Return whether a value is of the class that its type asks for, the least to be asked."""
    value, kind = place.value, place.kind
    if kind == "any":
        return True
    if isinstance(value, pd.Series):
        return not len(value) or _sound_column(value, kind)
    if is_missing(value):
        return True
    match kind:
        case "array":
            return is_list(value)
        case "map":
            return isinstance(value, dict) and all(isinstance(key, str) for key in value)
        case "object":
            return isinstance(value, dict) and _right_keys(value, place.document["properties"])
        case "datetime":
            return is_moment(value)
        case "integer" | "long":
            return is_integer(value)
        case "float" | "double":
            return is_number(value)
        case _:
            return isinstance(value, CLASSES[kind])


def _right_keys(value: dict[Any, Any], properties: dict[str, Any]) -> bool:
    required = {name for name, inner in properties.items() if inner.get("required", True)}
    return required <= value.keys() <= properties.keys()


def _sound_column(column: pd.Series[Any], kind: str) -> bool:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        column = pd.Series(dtype.categories)
        if column.dtype != object:
            return _sound_column(column, kind)
        return all(is_sound(Place(kind, {}, value, "column", True)) for value in column)
    if isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    letter = getattr(dtype, "kind", "O")
    if isinstance(dtype, pd.StringDtype):
        letter = "U"
    elif isinstance(dtype, pd.ArrowDtype) and "binary" in str(dtype):
        letter = "S"
    elif isinstance(dtype, pd.ArrowDtype) and "date32" in str(dtype):
        letter = "M"
    return kind in _LETTERS.get(letter, set())


# --- what came out --------------------------------------------------------------------------------


def differences(recorded: Any, ours: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the leaves in which two values differ, whatever wraps them.

    A NumPy scalar equals Python's own, a Timestamp the datetime, one missing value any other.
    """
    if isinstance(recorded, pd.DataFrame) and isinstance(ours, pd.DataFrame):
        if list(recorded.columns) != list(ours.columns) or not recorded.index.equals(ours.index):
            yield recorded, ours
            return
        for place in range(recorded.shape[1]):
            yield from differences(list(recorded.iloc[:, place]), list(ours.iloc[:, place]))
    elif isinstance(recorded, (list, np.ndarray)) and isinstance(ours, (list, np.ndarray)):
        if type(recorded) is not type(ours) or len(recorded) != len(ours):
            yield recorded, ours
            return
        for left, right in zip(recorded, ours, strict=True):
            yield from differences(left, right)
    elif isinstance(recorded, dict) and isinstance(ours, dict):
        if recorded.keys() != ours.keys():
            yield recorded, ours
            return
        for key, left in recorded.items():
            yield from differences(left, ours[key])
    elif not (is_missing(recorded) and is_missing(ours)) and not _equal(recorded, ours):
        yield recorded, ours


def _equal(left: Any, right: Any) -> bool:
    if is_moment(left) and is_moment(right):
        left, right = pd.Timestamp(left), pd.Timestamp(right)
        return (left.tz is None) is (right.tz is None) and bool(left == right)
    if isinstance(left, np.generic):
        left = left.item()
    if isinstance(right, np.generic):
        right = right.item()
    return type(left) is type(right) and bool(left == right)
