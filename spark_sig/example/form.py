"""The form in which an example is kept: a copy, as it comes back from JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from spark_sig.engines.arrays import is_sparse
from spark_sig.engines.series import to_pandas
from spark_sig.errors import SignatureError
from spark_sig.example.columns import make_frame, objects, settled
from spark_sig.example.nulls import without_nans
from spark_sig.example.refusal import refuse
from spark_sig.example.values import normal_array, normal_cell, normal_value
from spark_sig.naming import member_path

_SUPPORTED = (
    "a pandas DataFrame, dict, list, str, bytes, scalar, ndarray, dict of ndarrays, csr_matrix or "
    "csc_matrix"
)


def normal_data(data: Any, keep: bool) -> Any:
    """Return a copy of data in the form that comes back from JSON.

    Args:
        data: what the caller gives.
        keep: keep dicts, lists and scalars as they are, instead of making them a frame.

    Raises:
        SignatureError: where JSON cannot say what is there; names the place.
    """
    if type(data).__module__.startswith("pyspark.") and type(data).__name__ == "DataFrame":
        raise refuse(
            "an example cannot be a Spark DataFrame", "$", data, "draw rows first: "
            "frame.limit(5).toPandas()",
        )  # fmt: skip
    if isinstance(data, pd.DataFrame):
        return _normal_frame(data)
    if isinstance(data, np.ndarray):
        return normal_array(data, "$")
    if is_sparse(data):
        normal_array(data.data, "$.data")
        return data.copy()
    if isinstance(data, dict) and any(isinstance(v, np.ndarray) for v in data.values()):
        return _normal_arrays(data)
    known = (dict, list, str, bytes, bytearray, dt.date, np.datetime64)
    if not isinstance(data, known) and not np.isscalar(data):
        raise SignatureError(
            "this is no example",
            path="$",
            expected=_SUPPORTED,
            observed="null" if data is None else type(data).__name__,
            remedy="call to_frame() first" if isinstance(data, pd.Series) else "",
        )
    if keep or _has_two_readings(data):
        return without_nans([normal_value(data, "$")])[0]
    return _frame_of(data)


def _has_two_readings(data: Any) -> bool:
    """Say whether a list may be rows or one column: a signature decides that, and no frame can."""
    if not isinstance(data, list):
        return False
    nested = sum(isinstance(item, (dict, list, tuple)) for item in data)
    return not data or (nested > 0 and not all(isinstance(item, dict) for item in data))


def normal_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of params in the form that comes back from JSON; arrays become lists."""
    listed = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in params.items()}
    made: dict[str, Any] = normal_value(listed, "$.params")
    return made


def copied(value: Any) -> Any:
    """Return a copy of data or params that are in that form, down to the lists in their cells."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    if isinstance(value, np.ndarray) and value.dtype == object:
        return objects([copied(item) for item in value.ravel()]).reshape(value.shape)
    if isinstance(value, pd.DataFrame):
        columns = {}
        for place, label in enumerate(value.columns.tolist()):
            column = value.iloc[:, place]
            is_object = column.dtype == object
            columns[label] = copied(column.to_numpy()) if is_object else column.array.copy()
        return make_frame(columns, len(value))
    return value.copy() if isinstance(value, np.ndarray) or is_sparse(value) else value


def _normal_arrays(data: dict[Any, Any]) -> dict[str, npt.NDArray[Any]]:
    for name, value in data.items():
        if not isinstance(name, str):
            raise refuse("the name of a tensor must be a string", "$", name)
        if not isinstance(value, np.ndarray):
            remedy = "give arrays only, or lists only"
            raise refuse(
                "a dict of arrays and others is no example", member_path("$", name), value, remedy
            )
    return {name: normal_array(value, member_path("$", name)) for name, value in data.items()}


def _normal_frame(frame: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str | int, Any] = {}
    for place, label in enumerate(frame.columns.tolist()):
        if type(label) not in (str, int):
            raise refuse("the name of a column must be a string or a number", "$", label)
        path = member_path("$", str(label))
        if label in columns:
            raise SignatureError("two columns have one name", path=path)
        columns[label] = _column(frame.iloc[:, place], path)
    return make_frame(columns, len(frame))


def _column(series: pd.Series[Any], path: str) -> Any:
    """Return the values of a column, in NumPy's dtypes where they can hold them."""
    dtype: Any = series.dtype
    if isinstance(dtype, pd.SparseDtype):
        series = pd.Series(np.asarray(series.array))
        dtype = series.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _nanoseconds(series.dt.tz_convert("UTC"))
    if isinstance(dtype, np.dtype):
        if dtype.kind == "M":
            return _nanoseconds(series)
        if dtype.kind == "O":
            cells = [normal_cell(v, f"{path}[{i}]") for i, v in enumerate(series.tolist())]
            return settled(without_nans(cells))
        if dtype.kind in "biuf" and dtype.itemsize <= 8:
            return series.to_numpy()
    elif (array := _arrow(series)) is not None:
        return _from_arrow(array, path)
    raise SignatureError("JSON cannot say what this column holds", path=path, observed=str(dtype))


def _arrow(series: pd.Series[Any]) -> pa.Array | None:
    """Return a column of pandas' own dtypes in Arrow; None where Arrow has no equal for it."""
    dtype: Any = series.dtype
    known = isinstance(dtype, (pd.CategoricalDtype, pd.StringDtype, pd.ArrowDtype))
    if not known and not hasattr(dtype, "numpy_dtype"):
        return None
    try:
        array = pa.array(series)
    except (pa.ArrowException, TypeError):
        return None
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _from_arrow(array: pa.Array, path: str) -> Any:
    if pa.types.is_floating(array.type) and array.null_count:
        numpy = np.dtype(array.type.to_pandas_dtype()).type
        items = [None if v is None else numpy(v) for v in array.to_pylist()]
        return settled([normal_value(item, path, narrow=True) for item in items])
    if pa.types.is_nested(array.type):
        cells = [_with_dicts(value, array.type) for value in array.to_pylist()]
        return _column(pd.Series(objects(cells)), path)
    made = to_pandas(array)
    if isinstance(made, (pd.arrays.IntegerArray, pd.arrays.BooleanArray)):
        # Nulls alone are of no type in JSON.
        return objects([None] * len(made)) if made.isna().all() else made
    return _column(pd.Series(made), path)


def _with_dicts(value: Any, kind: pa.DataType) -> Any:
    """Return a value of Arrow with dicts for its maps, of which Arrow makes lists of pairs."""
    types = pa.types
    if value is None:
        return None
    if types.is_map(kind) and (
        types.is_string(kind.key_type) or types.is_large_string(kind.key_type)
    ):
        made = {key: _with_dicts(item, kind.item_type) for key, item in value}
        return made if len(made) == len(value) else value
    if types.is_struct(kind):
        return {field.name: _with_dicts(value[field.name], field.type) for field in kind}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return [_with_dicts(item, kind.value_type) for item in value]
    return value


def _nanoseconds(series: pd.Series[Any]) -> Any:
    for unit in ("ns", "us"):
        with suppress(pd.errors.OutOfBoundsDatetime):
            return series.dt.as_unit(unit).array
    return series.array


def _frame_of(data: Any) -> pd.DataFrame:
    """Lay out a dict as one row, a list as rows, and a scalar as one value."""
    if isinstance(data, dict):
        rows: list[Any] = [data]
    elif isinstance(data, list):
        rows = data
    else:
        return make_frame({0: settled([normal_cell(data, "$")])}, 1)
    if rows and all(isinstance(row, dict) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        cells = {name: [row.get(name) for row in rows] for name in names}
    else:
        cells = {0: rows}
    made = {}
    for name, values in cells.items():
        if type(name) not in (str, int):
            raise refuse("the name of a column must be a string", "$", name)
        path = member_path("$", name) if isinstance(name, str) else "$"
        items = [normal_value(value, path, narrow=True) for value in values]
        made[name] = settled(without_nans(items))
    return make_frame(made, len(rows))
