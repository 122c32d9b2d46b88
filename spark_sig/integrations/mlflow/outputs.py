"""Outputs in columns: whatever holds predictions, as a frame of a known number of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spark_sig.engines.local import as_frame
from spark_sig.engines.scalars import as_objects
from spark_sig.schema import ColSpec, Schema
from spark_sig.types import DataType, Map, Object

# Python's integers have no width: those that a type holds exactly are taken for it, each by
# itself, whatever stands beside it.
_FLOATS = (DataType.double, DataType.float)
_INT32 = range(-(2**31), 2**31)


def predicted_frame(given: Any, schema: Schema, rows: int) -> pd.DataFrame:
    """Return predictions as a frame, its columns named as the signature names them.

    Args:
        given: a DataFrame, a Series, an array of one or two axes, a list of values, of rows or of
            objects of pydantic's, a dict of columns, a scalar.
        schema: the outputs, columns.
        rows: how many rows the model was given.

    Raises:
        ViolationError: where the values do not make rows and columns.
    """
    frame = _frame(given, schema, rows)
    for spec, label in zip(schema, _labels(frame, schema), strict=True):
        if label is not None and isinstance(spec, ColSpec):
            place = frame.columns.get_loc(label)
            assert isinstance(place, int)
            column = frame.iloc[:, place]
            if column.dtype == object and (settled := _settled(column, spec)) is not None:
                frame = frame.copy(deep=False)
                frame[label] = settled
    return frame


def _labels(frame: pd.DataFrame, schema: Schema) -> list[Any]:
    """Return the label of each output's column; None where it has none, or several."""
    if not frame.columns.is_unique:
        return [None] * len(schema)
    if schema.has_names:
        return [spec.name if spec.name in frame.columns else None for spec in schema]
    labels = list(frame.columns)
    return [labels[at] if at < len(labels) else None for at in range(len(schema))]


def _settled(column: pd.Series[Any], spec: ColSpec) -> pd.Series[Any] | None:
    """Return Python's integers as the numbers that are wanted, where they are exactly that."""
    values = column.tolist()
    if spec.type in _FLOATS:
        if not any(type(value) is int for value in values):
            return None
        made = [_as_float(value) if type(value) is int else value for value in values]
        return pd.Series(as_objects(made), index=column.index, dtype=object)
    if spec.type is DataType.integer:
        whole = (value is None or (type(value) is int and value in _INT32) for value in values)
        if all(whole):
            return pd.Series(pd.array(values, dtype="Int32"), index=column.index)
    return None


def _as_float(value: int) -> float | int:
    try:
        made = float(value)
    except OverflowError:
        return value
    return made if int(made) == value else value


def _frame(given: Any, schema: Schema, rows: int) -> pd.DataFrame:
    name = schema.inputs[0].name
    alone: Any = 0 if name is None else name
    if isinstance(given, pd.DataFrame):
        return given
    if isinstance(given, (pd.Index, pd.Categorical, pd.api.extensions.ExtensionArray)):
        given = pd.Series(given)
    if isinstance(given, pd.Series):
        return given.to_frame(alone) if len(schema) == 1 else given.to_frame()
    if isinstance(given, np.ndarray) and given.ndim == 1 and len(schema) == 1:
        return pd.DataFrame({alone: given})
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return _of_array(given, schema, alone)
    if isinstance(given, tuple):
        given = list(given)
    if isinstance(given, list) and given and all(hasattr(one, "model_dump") for one in given):
        given = [one.model_dump() for one in given]  # objects of pydantic's
    if isinstance(given, list):
        return _of_list(given, schema, alone)
    if isinstance(given, dict) and all(_is_column(value, rows) for value in given.values()):
        return pd.DataFrame({key: _column(value) for key, value in given.items()})
    return as_frame(given, schema)


def _of_array(given: np.ndarray[Any, Any], schema: Schema, alone: Any) -> pd.DataFrame:
    """Return a row for each of an array's: of columns, or of one column of lists."""
    names = [spec.name for spec in schema]
    if len(schema) > 1 and given.shape[1] == len(schema):
        return pd.DataFrame(given, columns=names if schema.has_names else None)
    if len(schema) == 1 and not isinstance(schema.inputs[0].type, DataType):
        return pd.DataFrame({alone: as_objects(list(given))}, dtype=object)
    made = pd.DataFrame(given)
    return made.set_axis([alone], axis="columns") if len(schema) == made.shape[1] == 1 else made


def _of_list(given: list[Any], schema: Schema, alone: Any) -> pd.DataFrame:
    """Return a row for each item: of the columns that it names, or its only value."""
    only = schema.inputs[0] if len(schema) == 1 else None
    if given and all(isinstance(row, dict) for row in given):
        record = only is not None and isinstance(only.type, (Object, Map))
        if not record or (only is not None and all(only.name in row for row in given)):
            names = [spec.name for spec in schema] if schema.has_names else []
            keys = dict.fromkeys([*names, *(key for row in given for key in row)])
            # what a row lacks is NULL, and no NaN
            columns = {key: as_objects([row.get(key) for row in given]) for key in keys}
            return pd.DataFrame(columns, dtype=object)
    if only is None and all(isinstance(row, (list, tuple)) for row in given):
        names = [spec.name for spec in schema]
        if given and all(len(row) == len(schema) for row in given):
            columns = {
                at if name is None else name: as_objects([row[at] for row in given])
                for at, name in enumerate(names)
            }
            return pd.DataFrame(columns, dtype=object)
    return pd.DataFrame({alone: as_objects(given)}, dtype=object)


def _is_column(value: Any, rows: int) -> bool:
    sized = isinstance(value, (list, tuple, np.ndarray, pd.Series)) and np.ndim(value) != 0
    return sized and len(value) == rows


def _column(value: Any) -> Any:
    if isinstance(value, pd.Series):
        return value.array
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value
    return pd.Series(as_objects(list(value)), dtype=object)
