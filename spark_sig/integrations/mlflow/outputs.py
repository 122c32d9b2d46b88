"""Outputs in columns: whatever holds predictions, as a frame of a known number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from spark_sig.engines.local import as_frame
from spark_sig.engines.scalars import as_objects
from spark_sig.errors import assert_never
from spark_sig.integrations.mlflow.objects import as_dicts
from spark_sig.schema import ColSpec, Schema
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector

# Python's integers have no width: those that a type holds exactly are taken for it, each by
# itself, whatever stands beside it.
_INT32 = range(-(2**31), 2**31)

# Makes of the values of one level what the type wants.
_Settle: TypeAlias = "Callable[[Sequence[Any]], Sequence[Any]]"


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
            settle = _settler(spec.type) if column.dtype == object else None
            if settle is not None:
                settled = as_objects(settle(column.tolist()))
                frame = frame.copy(deep=False)
                frame[label] = pd.Series(settled, index=column.index, dtype=object)
    return frame


def _labels(frame: pd.DataFrame, schema: Schema) -> list[Any]:
    """Return the label of each output's column; None where it has none, or several."""
    if not frame.columns.is_unique:
        return [None] * len(schema)
    if schema.has_names:
        return [spec.name if spec.name in frame.columns else None for spec in schema]
    labels = list(frame.columns)
    return [labels[at] if at < len(labels) else None for at in range(len(schema))]


def _settler(target: ColumnType) -> _Settle | None:
    """Return what makes of Python's integers the numbers that a type wants, at any depth.

    Those that the type does not hold exactly stay what they are, as all else does.

    Returns:
        A function of the values of one level; None where the type wants no such numbers.
    """
    match target:
        case DataType.double | DataType.float:
            return _each_int(_as_float)
        case DataType.integer:
            return _each_int(_as_int32)
        case Array():
            items = _settler(target.dtype)
            return items and _each_cell(lambda cell: _in_list(cell, items))
        case Map():
            values = _settler(target.value_type)
            return values and _each_cell(lambda cell: _in_map(cell, values))
        case Object():
            settlers = {each.name: _settler(each.dtype) for each in target.properties}
            known = {name: settler for name, settler in settlers.items() if settler is not None}
            return _each_cell(lambda cell: _in_record(cell, known)) if known else None
        case DataType() | AnyType() | SparkMLVector():
            return None
        case _:
            assert_never(target)


def _each_int(settle: Callable[[int], Any]) -> _Settle:
    def settled(values: Sequence[Any]) -> Sequence[Any]:
        if int not in set(map(type, values)):
            return values
        return [settle(value) if type(value) is int else value for value in values]

    return settled


def _each_cell(settle: Callable[[Any], Any]) -> _Settle:
    return lambda values: [settle(value) for value in values]


def _in_list(cell: Any, items: _Settle) -> Any:
    # arrays of numbers have a width
    loose = isinstance(cell, list) or (isinstance(cell, np.ndarray) and cell.dtype == object)
    return items(list(cell)) if loose else cell


def _in_map(cell: Any, values: _Settle) -> Any:
    if not isinstance(cell, dict):
        return cell
    return dict(zip(cell, values(list(cell.values())), strict=True))


def _in_record(cell: Any, known: Mapping[str, _Settle]) -> Any:
    if not isinstance(cell, dict):
        return cell
    return cell | {name: known[name]([cell[name]])[0] for name in known if name in cell}


def _as_float(value: int) -> float | int:
    try:
        made = float(value)
    except OverflowError:
        return value
    return made if int(made) == value else value


def _as_int32(value: int) -> np.int32 | int:
    return np.int32(value) if value in _INT32 else value


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
    if isinstance(given, list):
        return _of_list(as_dicts(given), schema, alone)
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
