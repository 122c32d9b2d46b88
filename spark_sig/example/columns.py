"""Columns of a frame, made of the values that they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spark_sig.example.values import NARROW
from spark_sig.types import DataType

# What a column of each type is in pandas; NumPy has nothing for the others.
DTYPES: Mapping[DataType, np.dtype[Any]] = {
    DataType.boolean: np.dtype(np.bool_),
    DataType.integer: np.dtype(np.int32),
    DataType.long: np.dtype(np.int64),
    DataType.float: np.dtype(np.float32),
    DataType.double: np.dtype(np.float64),
}
# The classes of what JSON has for a number, by the kind of its dtype.
CLASSES: Mapping[str, tuple[type, ...]] = {
    "b": (bool,),
    "i": (int,),
    "u": (int,),
    "f": (int, float),
}


def make_frame(columns: Mapping[Any, Any], rows: int) -> pd.DataFrame:
    """Make a frame of columns by their labels; it has rows even without columns."""
    index = pd.RangeIndex(rows)
    # Objects stay objects: pandas would make datetimes of those that are.
    made = {
        label: pd.Series(values, index=index, dtype=object if values.dtype == object else None)
        for label, values in columns.items()
    }
    return pd.DataFrame(made, index=index, columns=pd.Index(list(columns)) if columns else None)


def objects(cells: Sequence[Any]) -> npt.NDArray[Any]:
    """Return values as an array of objects, one element for each."""
    made = np.empty(len(cells), object)
    for place, cell in enumerate(cells):  # NumPy would take lists apart.
        made[place] = cell
    return made


def settled(cells: list[Any]) -> Any:
    """Return values as the column that their classes make: of one class, and nulls among it."""
    classes = set(map(type, cells))
    gaps = type(None) in classes
    classes.discard(type(None))
    only = next(iter(classes)) if len(classes) == 1 else None
    if only is bool:
        return pd.array(cells, dtype="boolean") if gaps else np.array(cells, np.bool_)
    if only is int:
        return _integers(cells, gaps)
    if not gaps and only is not None and issubclass(only, (float, np.generic)):
        return np.array(cells)
    if not gaps and classes and classes <= {pd.Timestamp, type(pd.NaT)}:
        return _moments(cells)
    return objects(cells)


def _integers(cells: list[Any], gaps: bool) -> Any:
    numbers = [cell for cell in cells if cell is not None]
    for dtype in ("Int64", "UInt64"):
        limits = np.iinfo(dtype.lower())
        if limits.min <= min(numbers) and max(numbers) <= limits.max:
            return pd.array(cells, dtype=dtype) if gaps else np.array(cells, limits.dtype)
    return objects(cells)


def _moments(cells: list[Any]) -> Any:
    zones = {cell.tzinfo is not None for cell in cells if cell is not pd.NaT}
    if len(zones) > 1:
        return objects(cells)
    plain = [cell.tz_localize(None) for cell in cells]
    unit = "ns"
    try:
        plain = [cell.as_unit(unit) for cell in plain]
    except pd.errors.OutOfBoundsDatetime:
        if any(getattr(cell, "nanosecond", 0) for cell in plain):
            return objects(cells)
        unit = "us"
    index = pd.DatetimeIndex(np.array([cell.asm8 for cell in plain], f"M8[{unit}]"))
    return (index.tz_localize("UTC") if True in zones else index).array


def cast_column(cells: list[Any], dtype: np.dtype[Any]) -> Any:
    """Give numbers a dtype; they stay what they are where they do not fit it."""
    there = [cell for cell in cells if cell is not None]
    if not there or any(type(cell) not in CLASSES[dtype.kind] for cell in there):
        return settled(cells)
    if dtype.kind in "iu":  # NumPy 1 wraps what does not fit
        limits = np.iinfo(dtype)
        if min(there) < limits.min or max(there) > limits.max:
            return settled(cells)
    try:
        with np.errstate(over="ignore"):
            made = np.array(there, dtype)
    except OverflowError:
        return settled(cells)
    if dtype.kind == "f" and (np.isinf(made) != np.isinf(np.array(there, np.float64))).any():
        return settled(cells)
    if len(there) == len(cells):
        return made
    if dtype.kind == "f":
        scalars: Iterator[Any] = iter(made if dtype.name in NARROW else made.tolist())
        return objects([None if cell is None else next(scalars) for cell in cells])
    gaps = np.array([cell is None for cell in cells])
    data = np.zeros(len(cells), dtype)
    data[~gaps] = made
    return (pd.arrays.BooleanArray if dtype.kind == "b" else pd.arrays.IntegerArray)(data, gaps)
