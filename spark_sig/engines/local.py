"""Enforcement on the driver: values in any container in, the same values as declared out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_list_like

from spark_sig.engines.arrays import check_tensor, is_sparse, masked_array, shape_label
from spark_sig.engines.frames import column_names, enforce_frame
from spark_sig.engines.scalars import escape
from spark_sig.engines.tables import enforce_array, enforce_table
from spark_sig.engines.tensor_frames import enforce_tensor_frame
from spark_sig.errors import Code, Violation, ViolationError
from spark_sig.naming import member_path
from spark_sig.params import enforce_params
from spark_sig.planning.matching import match_names, near_miss
from spark_sig.policy import Policy, policy_of
from spark_sig.schema import Schema, TensorSpec
from spark_sig.signature import ModelSignature, SignatureSource
from spark_sig.types import AnyType, Array, DataType, Map, Object

_ARROW = (pa.Table, pa.RecordBatch, pa.Array, pa.ChunkedArray)
# Scalars that are none to NumPy.
_SCALARS = (dt.datetime, dt.date, bytearray, type(pd.NA))


def enforce(
    data: Any,
    signature: SignatureSource,
    *,
    params: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
    side: str = "inputs",
) -> Any:
    """Check every value of some data against a signature, and convert what may be converted.

    The caller's objects are never changed; values that need no change may be shared with what is
    returned.

    Args:
        data: a pandas DataFrame or Series, a NumPy array, a dict, a list, a scalar, a SciPy CSR or
            CSC matrix, an Arrow table, batch or array; or such data and params in a tuple.
        signature: a signature, or whatever loads as one.
        params: the params beside the data.
        policy: the choices; the default policy where None.
        side: ``inputs`` or ``outputs``.

    Returns:
        The data, as a DataFrame for columns, an array or a dict of arrays for tensors, Arrow for
        Arrow.  With params it is a tuple of the data and the completed params.

    Raises:
        ViolationError: lists every violation, of data and params alike.
        SignatureError: where the signature does not load, or has no such side.

    Example:
        >>> signature = {"inputs": '[{"type": "double", "name": "x", "required": true}]'}
        >>> enforce({"x": 1.5}, signature)["x"].tolist()
        [1.5]
    """
    loaded = ModelSignature.load(signature)
    policy = policy_of(policy)
    with_params = params is not None
    if params is None and loaded.params is not None and _is_pair(data):
        data, params = data
        with_params = True
    if not with_params:
        return enforce_values(data, loaded.side(side), policy)
    found: list[Violation] = []
    made: Any = None
    completed: dict[str, Any] = {}
    try:
        made = enforce_values(data, loaded.side(side), policy)
    except ViolationError as error:
        found += error.violations
    try:
        completed = enforce_params(params, loaded.params, policy=policy)
    except ViolationError as error:
        found += error.violations
    if found:
        raise ViolationError(found)
    return made, completed


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], Mapping)


def enforce_values(data: Any, schema: Schema, policy: Policy) -> Any:
    """Hold data to one side of a signature; see :func:`enforce`."""
    if isinstance(data, _ARROW):
        return _arrow(data, schema, policy)
    if isinstance(data, pd.Series):
        data = data.to_frame() if data.name is not None else pd.DataFrame({0: data})
    if schema.is_tensor:
        return _tensors(data, schema, policy)
    frame = data if isinstance(data, pd.DataFrame) else as_frame(data, schema)
    return enforce_frame(frame, schema, policy)


def _refuse(expected: str, observed: str, remedy: str = "", path: str = "$") -> ViolationError:
    return ViolationError([Violation(path, Code.TYPE, expected, observed, remedy)])


def _class(value: object) -> str:
    if isinstance(value, np.ndarray):
        return shape_label(value.dtype, value.shape)
    return "null" if value is None else type(value).__name__


def _arrow(data: Any, schema: Schema, policy: Policy) -> Any:
    if isinstance(data, pa.RecordBatch):
        table = enforce_table(pa.Table.from_batches([data]), schema, policy)
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
    if isinstance(data, pa.Table):
        return enforce_table(data, schema, policy)
    if schema.has_names or len(schema) > 1:
        raise _refuse("named or several columns", "one Arrow array", "give a table")
    return enforce_array(data, schema, policy)


# --- columns --------------------------------------------------------------------------------------


def as_frame(data: Any, schema: Schema) -> pd.DataFrame:
    """Lay out values as a frame, as MLflow does, but let nothing change its type on the way.

    Args:
        data: a dict, a list, an array of at most two axes, or a scalar.
        schema: columns, by which dicts and lists are read.

    Raises:
        ViolationError: where the values do not make rows and columns.
    """
    expected = "columns"
    _refuse_masked(data)
    if np.isscalar(data) or isinstance(data, _SCALARS):
        return pd.DataFrame({0: _objects([data])}, dtype=object)
    if isinstance(data, np.ndarray):
        if data.ndim == 0:
            return pd.DataFrame({0: _objects([data.item()])}, dtype=object)
        if data.ndim > 2:
            raise _refuse(expected, _class(data), "give a frame, or an array of rows and columns")
        return pd.DataFrame(data, dtype=data.dtype if data.dtype == object else None)
    try:
        if isinstance(data, dict):
            return _dict_frame(data, schema)
        if isinstance(data, list):
            return _list_frame(data, schema)
    except (ValueError, TypeError):
        # pandas' own words may quote values.
        observed = f"{_class(data)} whose values do not make rows"
        raise _refuse(expected, observed, "give lists of one length, or single values") from None
    raise _refuse(expected, _class(data), "give a frame, a dict, a list or a scalar")


def _refuse_masked(data: Any) -> None:
    """Refuse masks: pandas would make NaN of what they hide, and floats of the integers beside."""
    given = data.items() if isinstance(data, dict) else [(None, data)]
    found = [
        masked_array("$" if name is None else member_path("$", escape(str(name))), "columns")
        for name, value in given
        if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value)
    ]
    if found:
        raise ViolationError(found)


def _objects(values: list[Any]) -> np.ndarray[Any, Any]:
    made = np.empty(len(values), object)
    for place, value in enumerate(values):  # NumPy would take arrays and lists apart
        made[place] = value
    return made


def _list_frame(data: list[Any], schema: Schema) -> pd.DataFrame:
    """Read a list of dicts or of lists as rows, and any other as one column."""
    only = None if schema.has_names or len(schema) > 1 else schema.inputs[0].type
    if isinstance(only, (Array, Object, Map, AnyType)) or not data:
        return pd.DataFrame({0: _objects(data)}, dtype=object)
    if all(isinstance(row, dict) for row in data):
        names = dict.fromkeys(chain.from_iterable(data))
        # As pandas does, NaN stands for what a row lacks.
        columns = {n: _objects([row.get(n, np.nan) for row in data]) for n in names}
        return pd.DataFrame(columns, dtype=object)
    if all(isinstance(row, (list, tuple)) for row in data):
        width = max(map(len, data))
        rows = [[*row, *[None] * (width - len(row))] for row in data]
        stacked = {i: _objects([row[i] for row in rows]) for i in range(width)}
        return pd.DataFrame(stacked, dtype=object)
    if any(isinstance(row, (dict, list, tuple)) for row in data):
        raise ValueError("rows of different kinds")
    return pd.DataFrame({0: _objects(data)}, dtype=object)


def _dict_frame(data: dict[Any, Any], schema: Schema) -> pd.DataFrame:
    """Read a dict as one row where its values are those of a row, else as columns."""
    nested = any(isinstance(spec.type, (Array, Object, Map)) for spec in schema)
    scalars = {
        spec.name if schema.has_names else name
        for spec, name in zip_longest(schema, data)
        if spec is not None and isinstance(spec.type, DataType)
    }
    values = list(data.values())
    if nested or all(_is_cell(v, alone=name not in scalars) for name, v in data.items()):
        return _one_row(data)
    lengths = {len(v) for v in values if isinstance(v, (list, tuple, np.ndarray, pd.Series))}
    uneven = len(lengths) > 1 or (0 in lengths and any(map(np.isscalar, values)))
    if uneven or (lengths and any(isinstance(value, dict) for value in values)):
        if any(isinstance(spec.type, AnyType) for spec in schema):
            return _one_row(data)
        # pandas would fill up the shorter ones, or lose the single values.
        raise ValueError("lists of different lengths")
    columns = {}
    for name, value in data.items():
        if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 1):
            objects = _objects(value if isinstance(value, list) else value.tolist())
            value = pd.Series(objects, dtype=object)
        columns[name] = value
    return pd.DataFrame(columns)


def _one_row(data: dict[Any, Any]) -> pd.DataFrame:
    plain = {
        n: v.item() if isinstance(v, np.ndarray) and not v.ndim else v for n, v in data.items()
    }
    made = {name: _objects([cell]) for name, cell in plain.items()}
    return pd.DataFrame(made, dtype=object) if made else pd.DataFrame([{}])


def _is_cell(value: Any, *, alone: bool) -> bool:
    """Say whether a value is that of one row.

    Args:
        value: what a dict holds.
        alone: whether a list of texts may be, a dict, and whatever has no order or is empty.
    """
    if isinstance(value, bytearray) or not is_list_like(value):
        return True
    if isinstance(value, np.ndarray):
        return alone and not len(value)
    if isinstance(value, list):
        return alone and all(isinstance(item, str) for item in value)
    return alone and isinstance(value, (dict, set, frozenset, tuple, range))


# --- tensors --------------------------------------------------------------------------------------


def _tensors(data: Any, schema: Schema, policy: Policy) -> Any:
    specs = [spec for spec in schema if isinstance(spec, TensorSpec)]
    if isinstance(data, pd.DataFrame):
        return enforce_tensor_frame(data, schema, policy)
    if specs[0].name is None:
        if not (isinstance(data, np.ndarray) or is_sparse(data)):
            expected = shape_label(specs[0].type, specs[0].shape)
            remedy = "give a NumPy array, a CSR or CSC matrix"
            if type(data).__module__.startswith("scipy.sparse"):
                remedy = "csr_matrix and csc_matrix are taken: scipy.sparse.csr_matrix(x)"
            raise _refuse(expected, _class(data), remedy)
        if found := check_tensor(data, specs[0], "$", policy):
            raise ViolationError(found)
        return data
    if isinstance(data, np.ndarray) and len(specs) == 1:
        data = {specs[0].name: data}
    if not isinstance(data, dict):
        raise _refuse("a dict of NumPy arrays by name", _class(data))
    return _named_tensors(data, schema, policy)


def _named_tensors(data: dict[Any, Any], schema: Schema, policy: Policy) -> dict[str, Any]:
    found: list[Violation] = []
    made: dict[str, Any] = {}
    keys = list(data)
    names = column_names(keys, schema)
    wanted = [spec for spec in schema if isinstance(spec, TensorSpec)]
    places = match_names(policy, [spec.name or "" for spec in wanted], names)
    for spec, place in zip(wanted, places, strict=True):
        name, expected = spec.name or "", shape_label(spec.type, spec.shape)
        path = member_path("$", name)
        if place is None:
            hint = near_miss(name, names)
            found.append(Violation(path, Code.MISSING_COLUMN, expected, "nothing", hint))
            continue
        array = made[name] = data[keys[place]]
        if isinstance(array, np.ndarray):
            found += check_tensor(array, spec, path, policy)
        else:
            remedy = "give a NumPy array"
            found.append(Violation(path, Code.TYPE, expected, _class(array), remedy))
    extras = [place for place in range(len(keys)) if place not in places]
    if policy.extra == "forbid":
        for place in extras:
            path, observed = member_path("$", names[place]), _class(data[keys[place]])
            found.append(Violation(path, Code.EXTRA_COLUMN, "no such tensor", observed))
    if found:
        raise ViolationError(found)
    if policy.extra == "keep":
        made |= {keys[place]: data[keys[place]] for place in extras}
    return made
