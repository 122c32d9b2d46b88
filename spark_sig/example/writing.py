"""The JSON that stands for an example, in its file and as a server takes it."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spark_sig.documents import MAX_CHARACTERS
from spark_sig.errors import SignatureError, assert_never
from spark_sig.example.kinds import ExampleType

DATA, PARAMS, SPLIT = "inputs", "params", "dataframe_split"

_CONSTANTS = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity', re.DOTALL)
_INFINITE = {"NaN": '"NaN"', "Infinity": "1e999", "-Infinity": "-1e999"}


def data_tree(data: Any, served: bool = False) -> Any:
    """Return the tree of JSON that stands for data, in a file of ours or as a server takes it."""
    kind = ExampleType.of(data)
    match kind:
        case ExampleType.DATAFRAME:
            return _split(data, served)
        case ExampleType.NDARRAY:
            if isinstance(data, dict):
                return {name: tensor_tree(array) for name, array in data.items()}
            return tensor_tree(data)
        case ExampleType.CSR | ExampleType.CSC:
            places = {"indices": data.indices.tolist(), "indptr": data.indptr.tolist()}
            return {"data": tensor_tree(data.data), **places, "shape": list(map(int, data.shape))}
        case ExampleType.JSON:
            return value_tree(data, served)
        case _:
            assert_never(kind)


def _split(frame: pd.DataFrame, served: bool) -> dict[str, Any]:
    columns = [value_tree(frame.iloc[:, place].tolist(), served) for place in range(frame.shape[1])]
    rows = [list(row) for row in zip(*columns, strict=True)] if columns else [[]] * len(frame)
    return (
        {"data": rows} if is_numbered(frame) else {"columns": frame.columns.tolist(), "data": rows}
    )


def is_numbered(frame: pd.DataFrame) -> bool:
    """Say whether the columns of a frame have their places for names."""
    labels: list[Any] = frame.columns.tolist()
    return labels == list(range(len(labels)))


def tensor_tree(array: npt.NDArray[Any]) -> Any:
    """Write a tensor; NaN and NaT are null, as nothing else in it can be."""
    match array.dtype.kind:
        case "f":
            shown: Any = array
        case "M":
            shown = np.datetime_as_string(array)
        case "m":
            shown = array.astype(np.int64)
        case _:
            return value_tree(array.tolist())
    out = np.array(shown, object)
    out[np.isnan(array)] = None
    return out.tolist()


def value_tree(value: Any, served: bool = False) -> Any:
    """Write a value in the form in which examples are kept."""
    if isinstance(value, dict):
        return {key: value_tree(item, served) for key, item in value.items()}
    if isinstance(value, list):
        return [value_tree(item, served) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value_tree(value.tolist(), served)
    if isinstance(value, float) and math.isnan(value):
        return None if served else "NaN"
    if isinstance(value, bytes):
        return base64.encodebytes(value).decode("ascii")
    if value is pd.NaT:
        return None if served else "NaT"
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return None if value is pd.NA else value


def strict_text(tree: Any, indent: int | None = None) -> str:
    """Return a tree as strict JSON.

    Raises:
        SignatureError: where it holds what Python's module cannot write.
    """
    try:
        text = json.dumps(tree, indent=indent)
    except (ValueError, RecursionError):  # A number with thousands of digits.
        raise SignatureError("JSON cannot say this example", path="$") from None
    return without_constants(text) if "Infinity" in text else text


def without_constants(text: str) -> str:
    """Put strict JSON in place of the constants that Python's module writes for floats."""
    return _CONSTANTS.sub(lambda found: _INFINITE.get(found.group(), found.group()), text)


def dense(matrix: Any) -> npt.NDArray[Any]:
    """Return a sparse matrix as an array.

    Raises:
        SignatureError: where it is too large to be served.
    """
    rows, width = map(int, matrix.shape)
    if 2 * rows * width > MAX_CHARACTERS:
        raise SignatureError(
            "the matrix is too large to be served, as servers take dense rows only",
            path="$",
            expected=f"at most {MAX_CHARACTERS // 2} elements",
            observed=f"{rows} x {width}",
            remedy="give fewer rows",
        )
    return np.asarray(matrix.toarray())
