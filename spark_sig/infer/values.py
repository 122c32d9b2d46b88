"""Schemas of values: one column, or one tensor, for each thing that a container holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from spark_sig.engines.arrays import is_sparse
from spark_sig.errors import SignatureError
from spark_sig.infer.numpy import infer_tensor
from spark_sig.infer.pandas import observe_series
from spark_sig.infer.python import member_values, observe_values
from spark_sig.infer.settle import Settled, settle
from spark_sig.kernels.observe import observe_arrow
from spark_sig.naming import member_path
from spark_sig.observed import Observed
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.types import AnyType, DataType

# What becomes of a column that no signature can say: an error, `any` for that column, or what
# MLflow makes of it, one unnamed `any` for everything.
OnUnsupported: TypeAlias = Literal["raise", "any", "mlflow"]

# Scalars that are none to NumPy.
_SCALARS = (dt.date, bytearray, type(pd.NA), type(None))

# One column to be: its name, its place, and what was observed of it.
_Column: TypeAlias = tuple[str | None, str, Callable[[], Observed]]


def check_choice(given: str, choices: Sequence[str]) -> None:
    """Refuse what is no choice of what becomes of columns that no signature can say.

    Raises:
        SignatureError: names the choices.
    """
    if given not in choices:
        raise SignatureError(
            "unknown choice of what becomes of columns that no signature can say",
            path="on_unsupported",
            expected=f"one of {', '.join(choices)}",
            observed=repr(given),
        )


def infer_schema(data: Any, on_unsupported: OnUnsupported = "raise", root: str = "$") -> Schema:
    """Return the schema of some values.

    Args:
        data: a pandas DataFrame or Series, a NumPy array, a dict, a list, a scalar, a SciPy CSR
            or CSC matrix, an Arrow table, batch or array.
        on_unsupported: what becomes of a column that no signature can say.
        root: the place of the whole, for errors.

    Raises:
        SignatureError: where no signature can say what the data is; names every such column.

    Example:
        >>> infer_schema({"a": 1, "b": ["x", None]})
        ['a': long (required), 'b': Array(string) (optional)]
    """
    if (tensors := _tensors(data, "allow" if on_unsupported == "mlflow" else "reject")) is not None:
        return Schema(tensors)
    if isinstance(data, list) and not data:
        return Schema([ColSpec(DataType.string)])  # as MLflow has it, before it knew `any`
    columns = list(_columns(data, root))
    if not columns:
        raise SignatureError(
            "nothing can be inferred from data without columns", path=root, observed=_name(data)
        )
    return columns_schema(columns, on_unsupported)


def columns_schema(columns: Iterable[_Column], on_unsupported: OnUnsupported) -> Schema:
    """Settle every column, and make them a schema; errors name all columns that cannot be."""
    specs, errors = [], []
    for name, path, observe in columns:
        try:
            specs.append(column_spec(settle(observe(), path), name))
        except SignatureError as error:
            if on_unsupported == "any":
                specs.append(_any(name))
            else:
                errors.append(error)
    if errors:
        raise _all_of(errors)
    return Schema(specs)


def column_spec(settled: Settled, name: str | None) -> ColSpec:
    """Return the column that values settled on."""
    if name is not None:
        return ColSpec(settled.type, name, not settled.missing)
    # No column without a name may be `false`; null says the same, and NaN is a value there.
    return ColSpec(settled.type, None, None if settled.nulls else True)


def _any(name: str | None) -> ColSpec:
    return ColSpec(AnyType(), name, None if name is None else False)


def _all_of(errors: Sequence[SignatureError]) -> SignatureError:
    if len(errors) == 1:
        return errors[0]
    first = errors[0]
    places = "; ".join(f"{error.path}: {error.observed}" for error in errors)
    return SignatureError(
        f"no signature can say what these {len(errors)} are",
        path=first.path,
        observed=places,
        remedy=first.remedy,
    )


# --- tensors --------------------------------------------------------------------------------------


def _tensors(data: Any, nulls: Literal["reject", "allow"]) -> list[TensorSpec] | None:
    """Return the tensors that data is; None where it is none."""
    if isinstance(data, np.ndarray) or is_sparse(data):
        return [infer_tensor(data, nulls=nulls)]
    if isinstance(data, dict) and data and all(isinstance(v, np.ndarray) for v in data.values()):
        _check_names(data, "$")
        return [infer_tensor(array, name, nulls) for name, array in data.items()]
    return None


# --- columns --------------------------------------------------------------------------------------


def _columns(data: Any, root: str) -> Iterable[_Column]:
    if isinstance(data, pd.DataFrame):
        return _frame(data, root)
    if isinstance(data, pd.Series):
        return _frame(data.to_frame() if data.name is not None else pd.DataFrame({0: data}), root)
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return _table(data, root)
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return [(None, root, lambda: observe_arrow(data))]
    if isinstance(data, dict):
        return _dict(data, root)
    if isinstance(data, list):
        if all(isinstance(row, dict) for row in data):
            return _dicts(data, root)
        return [(None, root, lambda: observe_values(data))]
    if np.isscalar(data) or isinstance(data, _SCALARS):
        return [(None, root, lambda: observe_values([data]))]
    raise SignatureError(
        "nothing can be inferred from a container of this kind",
        path=root,
        observed=_name(data),
        remedy="give a DataFrame, an array, a dict, a list, a scalar or an Arrow table",
    )


def _frame(data: pd.DataFrame, root: str) -> list[_Column]:
    labels: list[Any] = data.columns.tolist()
    series = [one for _, one in data.items()]
    if labels == list(range(len(labels))) or labels == [None]:
        # pandas' own numbering: no names, matched by place.
        return [
            (None, f"{root}[{i}]", lambda one=one: observe_series(one))  # type: ignore[misc]
            for i, one in enumerate(series)
        ]
    _check_names(labels, root)
    return [
        (name, member_path(root, name), lambda one=one: observe_series(one))  # type: ignore[misc]
        for name, one in zip(labels, series, strict=True)
    ]


def _table(data: pa.Table, root: str) -> list[_Column]:
    _check_names(data.schema.names, root)
    return [
        (f.name, member_path(root, f.name), lambda i=i, f=f: observe_arrow(data.column(i), f))  # type: ignore[misc]
        for i, f in enumerate(data.schema)
    ]


def _dict(data: dict[Any, Any], root: str) -> list[_Column]:
    """Read a dict as one row; a list in it is a value of its own."""
    _check_names(data, root)

    def observe(value: Any) -> Observed:
        zero_dim = isinstance(value, np.ndarray) and not value.ndim
        seen = observe_values([value.item() if zero_dim else value])
        if seen.lists is not None and seen.lists.element.nans:
            # NaN in the list of a dict makes the column optional, as None does.
            seen = seen._replace(nans=seen.lists.element.nans)
        return seen

    return [
        (name, member_path(root, name), lambda value=value: observe(value))  # type: ignore[misc]
        for name, value in data.items()
    ]


def _dicts(data: list[dict[Any, Any]], root: str) -> list[_Column]:
    """Read a list of dicts as rows; what one of them lacks is missing there."""
    names = dict.fromkeys(chain.from_iterable(data))
    _check_names(names, root)

    def observe(name: str) -> Observed:
        values = member_values(data, name)
        lacking = len(data) - len(values)
        return observe_values(values).plus(Observed(rows=lacking, nulls=lacking))

    return [(name, member_path(root, name), lambda name=name: observe(name)) for name in names]  # type: ignore[misc]


def _check_names(names: Iterable[Any], root: str) -> None:
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str):
            raise SignatureError(
                "the name of a column must be a string",
                path=root,
                observed=f"{type(name).__name__} {name!r}"[:80],
                remedy="rename the columns, such as by df.columns = df.columns.map(str)",
            )
        if name in seen:
            raise SignatureError(
                f"more than one column is named {name!r}",
                path=member_path(root, name),
                remedy="rename or drop the duplicates first",
            )
        seen.add(name)


def _name(data: Any) -> str:
    return type(data).__name__
