"""pandas columns: what is observed of their values, from the dtype alone where it says enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import infer_dtype

from spark_sig.casts import Kind
from spark_sig.infer.numpy import observe_array
from spark_sig.infer.python import observe_values
from spark_sig.kernels.observe import observe_arrow
from spark_sig.observed import Observed


def observe_series(series: pd.Series[Any]) -> Observed:
    """Observe the values of a column.

    Example:
        >>> observe_series(pd.Series([1, None], dtype="Int64"))._asdict()["nulls"]
        1
    """
    dtype: Any = series.dtype
    if isinstance(dtype, np.dtype):
        values = series.to_numpy()
        return observe_array(values) if dtype.kind != "O" else _observe_objects(values)
    if isinstance(dtype, pd.SparseDtype):
        return observe_series(pd.Series(np.asarray(series.array)))
    if isinstance(dtype, pd.CategoricalDtype):
        return _observe_categories(series)
    if isinstance(dtype, (pd.StringDtype, pd.ArrowDtype, pd.DatetimeTZDtype)) or hasattr(
        dtype, "numpy_dtype"
    ):
        return observe_arrow(pa.array(series))
    return Observed(rows=len(series), others=frozenset({str(dtype)}))


def _observe_objects(values: Any) -> Observed:
    # One pass in C, where all are strings.
    if infer_dtype(values, skipna=False) == "string":
        return Observed(rows=len(values), kinds={Kind.STRING: len(values)})
    seen = observe_values(values.tolist())
    if seen.nans and seen.nulls + seen.nans == seen.rows:
        # In a column NaN alone is a float, as pandas has it.
        return seen._replace(kinds={Kind.FLOAT64: seen.nans})
    return seen


def _observe_categories(series: pd.Series[Any]) -> Observed:
    """Observe categories, each once; those that no row has say nothing."""
    codes = series.cat.codes.to_numpy()
    used, counts = np.unique(codes, return_counts=True)
    categories = series.cat.categories
    seen = observe_series(pd.Series(categories.take(used[used >= 0]), dtype=categories.dtype))
    missing = int(counts[used < 0].sum())
    return seen._replace(rows=len(series), nulls=seen.nulls + missing)
