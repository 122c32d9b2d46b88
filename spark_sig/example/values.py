"""Values in the one form that comes back from JSON."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spark_sig.documents import MAX_DEPTH
from spark_sig.errors import SignatureError
from spark_sig.example.refusal import refuse
from spark_sig.naming import member_path

# NumPy scalars that Python's own cannot stand for, under the rule of safe casts.
NARROW = frozenset(
    {"int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64", "float16", "float32"}
)


def normal_value(
    value: Any, path: str, *, narrow: bool = False, arrays: bool = False, depth: int = 0
) -> Any:
    """Return a copy of a value that JSON can say.

    Args:
        value: anything.
        path: where it stands.
        narrow: whether NumPy's narrow scalars stay what they are.
        arrays: whether arrays may stand for lists.
        depth: how many lists and dicts it stands in.
    """
    if depth > MAX_DEPTH:
        raise SignatureError("the example nests too deeply", path=path[:300])

    def inside(item: Any, place: str) -> Any:
        if arrays and isinstance(item, np.ndarray):
            return normal_cell(item, place)
        return normal_value(item, place, narrow=narrow, arrays=arrays, depth=depth + 1)

    if isinstance(value, (list, tuple)):
        return [inside(item, f"{path}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise refuse("the key of an object must be a string", path, key)
        return {str(key): inside(item, member_path(path, key)) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        raise refuse("an array inside a list or dict", path, value, "call tolist() first")
    if narrow and isinstance(value, np.generic) and value.dtype.name in NARROW:
        return value
    made = normal_scalar(value)
    if made is not NotImplemented:
        return made
    remedy = "convert it to float or str" if type(value).__name__ == "Decimal" else ""
    raise refuse("JSON cannot say this", path, value, remedy)


def normal_scalar(value: Any) -> Any:
    """Return a scalar as Python's own; NotImplemented where JSON has none for it."""
    if value is pd.NA:
        return None
    if isinstance(value, (dt.date, np.datetime64)):
        return read_moment(value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, (bool, int, float, str)):
        return json.loads(json.dumps(value))  # A member of an enum, for one.
    return NotImplemented


def read_moment(value: Any) -> Any:
    """Return a moment as pandas' own, in UTC; NotImplemented where it is none that pandas holds."""
    try:
        made: Any = pd.Timestamp(value)
    except (ValueError, OverflowError):
        return NotImplemented
    if made is pd.NaT:
        return made
    return made if made.tzinfo is None else made.tz_convert("UTC")


def normal_cell(value: Any, path: str) -> Any:
    """Return a value of an object column or array, where arrays stand for lists."""
    if not isinstance(value, np.ndarray):
        return normal_value(value, path, narrow=True, arrays=True)
    made = normal_array(value, path)
    return made if made.dtype.name in NARROW and made.ndim else normal_value(made.tolist(), path)


def normal_array(array: npt.NDArray[Any], path: str) -> npt.NDArray[Any]:
    """Return a copy of an array, in the machine's byte order."""
    if array.dtype.kind == "O":
        out = np.empty(array.shape, object)
        for place in np.ndindex(array.shape):
            out[place] = normal_cell(array[place], f"{path}{list(place)}")
        return out
    if array.dtype.kind not in "biufMmSU" or (array.dtype.kind == "f" and array.itemsize > 8):
        raise SignatureError(
            "JSON cannot say what this array holds", path=path, observed=str(array.dtype)
        )
    return np.array(array, dtype=array.dtype.newbyteorder("="))
