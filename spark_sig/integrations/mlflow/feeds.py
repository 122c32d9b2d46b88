"""Feeds: enforced Arrow columns as a model takes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_sig.casts import Kind
from spark_sig.engines.series import to_pandas
from spark_sig.errors import Code, Violation, ViolationError
from spark_sig.integrations.mlflow.clocks import wall_clock
from spark_sig.kernels.layout import Lists, numbers, repeats_key
from spark_sig.kernels.tensor import SPARSE, vector_lengths
from spark_sig.naming import is_list
from spark_sig.plan import EnforcementPlan, FieldPlan, TensorOf, VectorOf
from spark_sig.schema import Schema, TensorSpec


def feed(plan: EnforcementPlan, schema: Schema, columns: Sequence[pa.Array], zone: str) -> Any:
    """Return rows that conform as a model takes them.

    Args:
        plan: made for the source and the schema.
        schema: the inputs that the model declares.
        columns: one array for each of the plan's fields, as enforcement gives them, without rows
            that violate.
        zone: the session's time zone.

    Returns:
        A DataFrame for columns, in NumPy's dtypes where they hold the values (integers with nulls
        in pandas' own), with a Python dict for each object, an array for each list; instants as
        wall clock of the session's time zone, as Spark's own functions in pandas see them.  For a
        tensor one contiguous array, for named ones a dict of them.

    Raises:
        ViolationError: where a map has a key twice, of which a dict would hold one; or an element
            of a tensor of text ends in NUL, which NumPy would cut off.
    """
    if schema.is_tensor:
        return _tensors(plan, schema, columns)
    names = [field.name for field in plan.fields]
    block = _block(columns)
    if block is not None:
        return pd.DataFrame(block.T, columns=names, copy=False)
    made = {
        name: _cells(field, column, zone)
        for name, field, column in zip(names, plan.fields, columns, strict=True)
    }
    return pd.DataFrame(made, copy=False)


def _block(columns: Sequence[pa.Array]) -> npt.NDArray[Any] | None:
    """Lay numbers of one type out in one block, which pandas and models need not gather again."""
    if not columns:
        return None
    first = columns[0].type
    if not (pat.is_floating(first) or pat.is_integer(first)):
        return None
    if any(column.null_count or column.type != first for column in columns):
        return None
    block = np.empty((len(columns), len(columns[0])), first.to_pandas_dtype())
    for place, column in enumerate(columns):
        block[place] = column.to_numpy()
    return block


def _cells(field: FieldPlan, column: pa.Array, zone: str) -> Any:
    if isinstance(field.node, VectorOf):
        return _objects(_vectors(column))
    return cells_of(wall_clock(column, zone), field.path)


def cells_of(array: pa.Array, path: str) -> Any:
    """Return values as pandas holds them; nested ones as arrays and dicts, integers as they are.

    Args:
        array: the values of a column.
        path: its place, for the error.

    Raises:
        ViolationError: where a map has a key twice, of which a dict would hold one.
    """
    if not pat.is_nested(array.type):
        return to_pandas(array)
    try:
        return array.to_pandas(maps_as_pydicts="strict", integer_object_nulls=True).to_numpy()
    except pa.ArrowException:
        refuse_repeated(array, path)
        raise


def refuse_repeated(array: pa.Array, path: str) -> None:
    """Refuse maps that have a key twice.

    Raises:
        ViolationError: where there is one, at any level.
    """
    if repeats_key(array):
        raise ViolationError([Violation(path, Code.TYPE, "each key of a map once", "a key twice")])


# --- tensors --------------------------------------------------------------------------------------


def _tensors(
    plan: EnforcementPlan, schema: Schema, columns: Sequence[pa.Array]
) -> npt.NDArray[Any] | dict[str, npt.NDArray[Any]]:
    specs = [spec for spec in schema if isinstance(spec, TensorSpec)]
    if specs[0].name is not None:
        wanted = {spec.name: spec for spec in specs}
        return {
            field.name: _tensor(field, column, wanted[field.name].type)
            for field, column in zip(plan.fields, columns, strict=True)
            if field.name in wanted
        }
    dtype = specs[0].type
    if len(specs[0].shape) == 2 and not isinstance(plan.fields[0].node, (TensorOf, VectorOf)):
        # Columns that stand side by side for the second axis; text has no width before it is seen.
        parts = zip(plan.fields, columns, strict=True)
        return np.stack([_tensor(field, column, dtype) for field, column in parts], axis=1)
    return _tensor(plan.fields[0], columns[0], dtype)


def _tensor(field: FieldPlan, column: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a column of slices as one contiguous array; ragged ones as an array of arrays."""
    if dtype.kind in "SU":
        _refuse_cut(field, column, dtype)
    match field.node:
        case VectorOf():
            return _stacked(_vectors(column), dtype)
        case TensorOf() as node:
            shape, elements = _flattened(node, column)
            if elements is None:
                return _objects([_ragged(cell, node, dtype) for cell in column])
            return _scalars(elements, dtype).reshape(shape)
        case _:
            return _scalars(column, dtype)


def _refuse_cut(field: FieldPlan, column: pa.Array, dtype: np.dtype[Any]) -> None:
    """Refuse text that ends in NUL: NumPy takes it for padding, and cuts it off.

    Raises:
        ViolationError: where there is one.
    """
    elements = column
    while is_list(elements.type):
        elements = Lists.of(elements).values
    if pc.any(pc.ends_with(elements, "\0")).as_py():
        remedy = "cut it off first, or declare a tensor of objects"
        found = Violation(field.path, Code.CAST, dtype.name, "text that ends in NUL", remedy)
        raise ViolationError([found])


def _flattened(node: TensorOf, column: pa.Array) -> tuple[tuple[int, ...], pa.Array | None]:
    """Return the shape of a column of slices and their elements; None where slices differ."""
    level, lengths = column, list[int]()
    for _ in range(1 if node.flat else len(node.dims)):
        inside = Lists.of(level)
        length = int(inside.lengths()[0]) if inside.count else 0
        if not inside.uniform(length):
            return (), None
        lengths.append(length)
        level = inside.values
    if node.flat:
        lengths = list(_dims(node, lengths[0]))
    elif not len(column):
        lengths = [max(dim, 0) for dim in node.dims]
    return (len(column), *lengths), level


def _dims(node: TensorOf, length: int) -> tuple[int, ...]:
    """Return the axes of a slice that lies in one list; one of them at most is free."""
    known = math.prod(dim for dim in node.dims if dim >= 0)
    free = length // known if known else 0
    return tuple(free if dim < 0 else dim for dim in node.dims)


def _ragged(cell: pa.Scalar, node: TensorOf, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return one slice among others of another shape."""
    inside = cell.values
    if node.flat:
        return _scalars(inside, dtype).reshape(_dims(node, len(inside)))
    rest = node._replace(dims=node.dims[1:])
    if not rest.dims:
        return _scalars(inside, dtype)
    shape, elements = _flattened(rest, inside)
    if elements is None:
        return _objects([_ragged(part, rest, dtype) for part in inside])
    return _scalars(elements, dtype).reshape(shape)


def _scalars(column: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return elements in a tensor's dtype, in memory of their own: models may write into it."""
    if dtype.kind == "O":
        return _objects(column.to_pylist())
    if pat.is_decimal(column.type):  # uint64, which Spark has no type for
        return np.array([int(value) for value in column.to_pylist()], dtype)
    given: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return given.astype(dtype, copy=not given.flags.writeable)


def _vectors(column: pa.Array) -> list[npt.NDArray[np.float64] | None]:
    """Return Spark ML vectors as dense arrays, whatever they are stored as; None for NULL."""
    sizes = vector_lengths(column).tolist()
    kinds, indices, values = (
        pc.struct_field(column, name) for name in ("type", "indices", "values")
    )
    inside = Lists.of(values)
    stored, ends = numbers(inside.values, Kind.FLOAT64), np.cumsum(inside.lengths())
    made: list[npt.NDArray[np.float64] | None] = []
    start = 0
    for row, (kind, size, end) in enumerate(
        zip(kinds.to_pylist(), sizes, ends.tolist(), strict=True)
    ):
        part, start = stored[start:end], end
        if kind is None:
            made.append(None)
        elif kind == SPARSE:
            dense = np.zeros(size)
            dense[indices[row].values.to_numpy()] = part
            made.append(dense)
        else:
            made.append(part.copy())
    return made


def _stacked(rows: Sequence[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if len({len(row) for row in rows}) > 1:
        return _objects(rows)
    return np.array(rows, dtype)


def _objects(cells: Sequence[Any]) -> npt.NDArray[Any]:
    made = np.empty(len(cells), object)
    for place, cell in enumerate(cells):  # NumPy would take lists and arrays apart
        made[place] = cell
    return made
