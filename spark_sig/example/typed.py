"""Values of JSON objects, read as a signature types them."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from spark_sig.errors import SignatureError, assert_never
from spark_sig.example.columns import CLASSES, DTYPES, cast_column
from spark_sig.example.values import read_moment
from spark_sig.naming import member_path
from spark_sig.params import ParamSchema
from spark_sig.schema import ColSpec, Schema
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector


def read_object(document: Any, inputs: Schema | None, path: str) -> Any:
    """Give the values of a JSON object the types that JSON has no values for."""
    if inputs is None or inputs.is_tensor:
        return document
    columns = [spec for spec in inputs if isinstance(spec, ColSpec)]
    types = {spec.name: spec.type for spec in columns if spec.name is not None}
    only = columns[0].type if len(columns) == 1 else AnyType()
    if isinstance(document, list):
        places = ((row, f"{path}[{i}]") for i, row in enumerate(document))
        if types and all(isinstance(row, dict) for row in document):
            return [_named(row, types, place) for row, place in places]
        return [read_value(row, only, place) for row, place in places]
    if types and isinstance(document, dict):
        return _named(document, types, path)
    return read_value(document, only, path)


def read_params(params: dict[str, Any], schema: ParamSchema | None, path: str) -> dict[str, Any]:
    """Give the values of params the types that JSON has no values for."""
    types = {spec.name: spec.dtype for spec in schema or ()}
    return _named(params, types, path)


def _named(row: dict[str, Any], types: Mapping[str, ColumnType], path: str) -> dict[str, Any]:
    out = {}
    for name, value in row.items():
        kind = types.get(name, AnyType())
        place = member_path(path, name)
        if isinstance(value, list) and isinstance(kind, DataType):  # A column, not a value.
            out[name] = [read_value(item, kind, f"{place}[{i}]") for i, item in enumerate(value)]
        else:
            out[name] = read_value(value, kind, place)
    return out


def read_value(value: Any, kind: ColumnType, path: str, cells: bool = False) -> Any:
    """Read a value of a column type from what JSON has for it; what does not fit it stays.

    Args:
        value: what JSON has.
        kind: the type.
        path: where it stands.
        cells: whether lists of narrow numbers become arrays, as they are in frames.
    """
    match kind:
        case DataType.binary:
            return read_base64(value, path) if isinstance(value, str) else value
        case DataType.datetime:
            return _instant(value, path) if isinstance(value, str) else value
        case DataType.double | DataType.float:
            return read_float(value)
        case DataType() | AnyType():
            return value
        case SparkMLVector():
            return [read_float(item) for item in value] if isinstance(value, list) else value
        case Array(dtype):
            if not isinstance(value, list):
                return value
            made = [read_value(v, dtype, f"{path}[{i}]", cells) for i, v in enumerate(value)]
            return _narrow(made, dtype) if cells else made
        case Map(value_type):
            if not isinstance(value, dict):
                return value
            return {
                k: read_value(v, value_type, member_path(path, k), cells) for k, v in value.items()
            }
        case Object(properties):
            if not isinstance(value, dict):
                return value
            types = {p.name: p.dtype for p in properties}
            return {
                k: read_value(v, types.get(k, AnyType()), member_path(path, k), cells)
                for k, v in value.items()
            }
        case _:
            assert_never(kind)


def _narrow(items: list[Any], kind: ColumnType) -> Any:
    """Make an array of a list of numbers that Python's own are too wide for."""
    while isinstance(kind, Array):
        kind = kind.dtype
    if kind not in (DataType.integer, DataType.float) or not items:
        return items
    dtype = DTYPES[kind]
    if all(isinstance(item, np.ndarray) for item in items):
        return np.stack(items) if len({item.shape for item in items}) == 1 else items
    if any(type(item) not in CLASSES[dtype.kind] for item in items):
        return items
    made = cast_column(items, dtype)
    return made if made.dtype == dtype else items


def read_float(value: Any) -> Any:
    """Return NaN for the text that stands for it."""
    return math.nan if isinstance(value, str) and value == "NaN" else value


def read_base64(text: str, path: str) -> bytes:
    """Return the bytes that a text stands for, be it in lines or not.

    Raises:
        SignatureError: where it is no base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError(
            "a binary value must be base64", path=path, observed="another string"
        ) from None


def _instant(text: str, path: str) -> Any:
    made = read_moment(text) if text == "NaT" or text[:1].isdigit() else NotImplemented
    if made is NotImplemented:
        raise SignatureError("a datetime must be in ISO 8601", path=path, observed="another string")
    return made
