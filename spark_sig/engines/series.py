"""Columns of pandas frames: into Arrow, and back."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.types as pat
from pandas.api.extensions import ExtensionDtype

from spark_sig.engines.rebuild import rebuild
from spark_sig.engines.scalars import from_numpy, missing, texts
from spark_sig.engines.values import Values, read_values
from spark_sig.naming import SPARK_TYPE
from spark_sig.plan import Anything, Leaf, Node, Nulls
from spark_sig.policy import Casts
from spark_sig.types import ColumnType, DataType

_STRINGS = pa.field("", pa.string())


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of a frame.

    Args:
        given: what came in, as pandas holds it.
        field: what it is; made only where a plan has to be.
        arrow: makes its values in Arrow; called only where they have to be looked at.
        key: what stands for ``field`` among plans already made; None where nothing does.
        nullable: whether any value may be null.
        values: its Python values as they were read; None where its dtype says what they are.
    """

    given: Any
    field: Callable[[], pa.Field]
    arrow: Callable[[], pa.Array]
    key: Hashable
    nullable: bool
    values: Values | None = None

    @property
    def dtype(self) -> Any:
        """The dtype under which pandas holds it."""
        return self.given.dtype


def is_settled(dtype: Any) -> bool:
    """Say whether a dtype alone tells all that a plan asks: numbers of NumPy have no null."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


@lru_cache(maxsize=256)
def numpy_field(dtype: np.dtype[Any]) -> pa.Field:
    """Return the field of a column of a NumPy dtype other than object."""
    array, opaque = from_numpy(np.empty(0, dtype))
    if array is None:
        return pa.field("", pa.bool_(), metadata={SPARK_TYPE: opaque.encode()})
    return pa.field("", array.type)


def read_column(series: pd.Series[Any], target: ColumnType, casts: Casts) -> Column:
    """Read a column that is to become of a type; its dtype says how."""
    dtype: Any = series.dtype
    if isinstance(dtype, np.dtype):
        values = series.to_numpy()
        return _read_objects(values, target, casts) if dtype.kind == "O" else _typed(values)
    if isinstance(dtype, pd.SparseDtype):
        return read_column(pd.Series(np.asarray(series.array)), target, casts)
    if isinstance(dtype, pd.CategoricalDtype):
        return _read_categories(series, target, casts)
    return _extension(series, dtype)


def _typed(values: npt.NDArray[Any]) -> Column:
    """Read a column whose NumPy dtype says all; only NaT is a null, NaN is a value."""

    def arrow() -> pa.Array:
        array, _ = from_numpy(values)
        return _present(len(values), missing(values)) if array is None else array

    dtype = values.dtype
    nullable = dtype.kind in "mM" and bool(np.isnat(values).any())
    return Column(values, lambda: numpy_field(dtype), arrow, dtype, nullable)


def _present(count: int, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
    """Say which values are there, of a type that Arrow has no equal for."""
    return pa.array(np.ones(count, np.bool_), mask=nulls)


def _read_objects(objects: npt.NDArray[Any], target: ColumnType, casts: Casts) -> Column:
    # One pass in C that looks at every value, and sees None as well.
    if target is DataType.string and pd.api.types.infer_dtype(objects, skipna=False) == "string":
        return Column(objects, lambda: _STRINGS, lambda: texts(objects), "string", False)
    values = read_values(objects, target, casts)
    field = values.field("")
    key = ("object", field.type) if values.known and not values.changed else None
    nullable = bool(values.array.null_count)
    return Column(objects, lambda: field, lambda: values.array, key, nullable, values)


def _read_categories(series: pd.Series[Any], target: ColumnType, casts: Casts) -> Column:
    """Read a categorical column by its categories, each once."""
    categories = series.cat.categories
    codes = series.cat.codes.to_numpy()
    inner = read_column(pd.Series(categories, dtype=categories.dtype), target, casts)
    nullable = bool((codes < 0).any()) or inner.nullable

    def arrow() -> pa.Array:
        return inner.arrow().take(pa.array(codes, mask=codes < 0))

    key = None if inner.key is None else ("category", inner.key)
    return Column(series.array, inner.field, arrow, key, nullable)


def _extension(series: pd.Series[Any], dtype: ExtensionDtype) -> Column:
    """Read a column of one of pandas' own dtypes, or of Arrow's."""

    known = isinstance(dtype, (pd.StringDtype, pd.ArrowDtype, pd.DatetimeTZDtype))
    known = known or hasattr(dtype, "numpy_dtype")

    def arrow() -> pa.Array:
        if not known:
            return _present(len(series), series.isna().to_numpy())
        if isinstance(dtype, pd.StringDtype) and dtype.storage == "python":
            return texts(series.to_numpy(dtype=object)).cast(field().type)
        array = pa.array(series)
        return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array

    def field() -> pa.Field:
        if known:
            return pa.field("", pa.array(series.iloc[:0]).type)
        return pa.field("", pa.bool_(), metadata={SPARK_TYPE: str(dtype).encode()})

    if isinstance(dtype, pd.ArrowDtype):
        made = pa.array(series)
        chunks = made.chunks if isinstance(made, pa.ChunkedArray) else [made]
        nullable = any(map(_may_be_null, chunks))
    else:
        nullable = bool(series.hasnans)
    return Column(series.array, field, arrow, dtype, nullable)


def _may_be_null(array: pa.Array) -> bool:
    """Say whether an array counts a null, among the values that it encodes as well."""
    if pat.is_dictionary(array.type):
        return bool(array.null_count) or _may_be_null(array.dictionary)
    if pat.is_run_end_encoded(array.type):
        return _may_be_null(array.values)
    return bool(array.null_count)


# --- columns out ----------------------------------------------------------------------------------


def write_column(column: Column, node: Node, new: pa.Array | None) -> Any:
    """Return a column as it goes out: as NumPy holds it wherever NumPy can.

    Args:
        column: what came in.
        node: what was done with it.
        new: the values that came of it; None where they stay what they are.

    Returns:
        ``column.given`` itself where nothing changes, or a new array.
    """
    dtype = column.dtype
    scalar = isinstance(node, (Leaf, Nulls)) and not pat.is_nested(node.output)
    if new is None and not scalar and column.values is not None and column.values.changed:
        new = column.values.array
    if new is not None and not scalar and column.values is not None:
        cells = np.empty(len(column.given), object)
        for place, cell in enumerate(rebuild(column.values, node, new)):
            cells[place] = cell
        return cells
    if new is not None:
        moments = isinstance(dtype, np.dtype) and dtype.kind == "M"
        return to_pandas(new, nanoseconds=not moments)
    if isinstance(node, Anything) or (isinstance(dtype, np.dtype) and dtype.kind != "O"):
        return column.given
    if not scalar or isinstance(dtype, (pd.CategoricalDtype, pd.DatetimeTZDtype, pd.StringDtype)):
        return column.given
    return _plain(column, node)


def _plain(column: Column, node: Node) -> Any:
    """Return conforming objects, nullable or Arrow-backed values in NumPy where it holds them."""
    output, is_object = node.output, column.dtype == object
    if is_object and (pat.is_string(output) or pat.is_binary(output)):
        return column.given
    if column.nullable and pat.is_boolean(output):
        return column.given
    if column.nullable and not is_object and pat.is_integer(output):
        return column.given
    return to_pandas(column.arrow())


def to_pandas(array: pa.Array, *, nanoseconds: bool = True) -> Any:
    """Return an Arrow array as pandas holds it: in NumPy's dtypes where they can hold it.

    Args:
        array: the values.
        nanoseconds: whether datetimes take pandas' usual unit where they fit.
    """
    dtype = array.type
    if pat.is_dictionary(dtype):
        return to_pandas(array.dictionary_decode(), nanoseconds=nanoseconds)
    if array.null_count and (pat.is_integer(dtype) or pat.is_boolean(dtype)):
        mask = np.array(array.is_null())
        filled = array.fill_null(False if pat.is_boolean(dtype) else 0)
        data = np.array(filled.to_numpy(zero_copy_only=False))
        if pat.is_boolean(dtype):
            return pd.arrays.BooleanArray(data, mask)
        return pd.arrays.IntegerArray(data, mask)
    if pat.is_timestamp(dtype):
        if nanoseconds and dtype.unit != "ns":
            with suppress(pa.ArrowInvalid):  # before 1677 or after 2262
                array = array.cast(pa.timestamp("ns", dtype.tz))
        return array.to_pandas().array
    if pat.is_nested(dtype) or pat.is_null(dtype):
        made = np.empty(len(array), object)
        made[:] = array.to_pylist()
        return made
    given = array.to_numpy(zero_copy_only=False)
    return given if given.flags.writeable else given.copy()
