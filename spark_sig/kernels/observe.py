"""Observing: what the values of an Arrow array are, and which are NULL, at every level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_sig.casts import Kind, kind_of
from spark_sig.kernels.layout import Lists as Layout
from spark_sig.kernels.layout import Mask, both, validity
from spark_sig.kernels.tensor import vector_lengths
from spark_sig.naming import VECTOR, is_list, spark_type, type_name
from spark_sig.observed import Lengths, Lists, Maps, Observed, Records

# The one column in which observations travel.
OBSERVED = pa.schema([("observed", pa.string())])


def observe_arrow(
    array: pa.Array | pa.ChunkedArray, field: pa.Field | None = None, live: Mask | None = None
) -> Observed:
    """Observe the values of an array; NaN is a value.

    Args:
        array: the values.
        field: what they are taken for: of the array's type, but where that is a decimal; its
            metadata may name a type that only Spark has.  The array's own type where None.
        live: which of them count; None for all.

    Example:
        >>> seen = observe_arrow(pa.array([[1, None], []], pa.list_(pa.int32())))
        >>> seen.lists.lengths, seen.lists.element.nulls
        (Lengths(total=2, shortest=0, longest=2), 1)
    """
    field = pa.field("", array.type) if field is None else field
    if isinstance(array, pa.ChunkedArray):
        chunks = array.chunks or [pa.array([], array.type)]
        return Observed.total(observe_arrow(chunk, field) for chunk in chunks)
    if isinstance(array.type, pa.BaseExtensionType):
        return observe_arrow(array.storage, pa.field("", array.type.storage_type), live)
    valid = validity(array)
    held = both(valid, live)
    rows = _count(live, array)
    seen = Observed(rows=rows, nulls=rows - _count(held, array))
    named = spark_type(field)
    if named is not None and named != VECTOR:
        return seen._replace(others=frozenset({named}))
    if named == VECTOR:
        return seen._replace(vectors=_lengths(vector_lengths(array), held))
    dtype = field.type
    if is_list(dtype):
        inside = Layout.of(array)
        element = observe_arrow(inside.values, dtype.value_field, inside.live(held))
        return seen._replace(lists=Lists(_lengths(inside.lengths(), held), element))
    if pat.is_map(dtype):
        return _maps(seen, array, dtype, held)
    if pat.is_struct(dtype):
        fields = [dtype.field(i) for i in range(dtype.num_fields)]
        members = {f.name: observe_arrow(array.field(i), f, held) for i, f in enumerate(fields)}
        return seen._replace(records=Records(seen.rows - seen.nulls, members, typed=True))
    return _scalars(seen, field)


def _count(mask: Mask | None, array: pa.Array) -> int:
    return len(array) if mask is None else int(np.count_nonzero(mask))


def _lengths(lengths: Any, held: Mask | None) -> Lengths:
    lengths = lengths if held is None else lengths[held]
    if not len(lengths):
        return Lengths()
    return Lengths(len(lengths), int(lengths.min()), int(lengths.max()))


def _maps(seen: Observed, array: pa.Array, dtype: pa.DataType, held: Mask | None) -> Observed:
    if kind_of(dtype.key_type) is not Kind.STRING:
        return seen._replace(others=frozenset({type_name(pa.field("", dtype))}))
    inside = Layout.of(array)
    value = observe_arrow(inside.values.field(1), dtype.item_field, inside.live(held))
    return seen._replace(maps=Maps(seen.rows - seen.nulls, value))


def _scalars(seen: Observed, field: pa.Field) -> Observed:
    kind, count = kind_of(field.type), seen.rows - seen.nulls
    if kind is Kind.NULL:
        return seen
    if kind is None or kind is Kind.DECIMAL:
        return seen._replace(others=frozenset({type_name(field)}))
    return seen._replace(kinds={kind: count}, inexact=count if kind is Kind.INT64 else 0)


# --- on executors ---------------------------------------------------------------------------------


class Observe(NamedTuple):
    """Observe the columns of a partition, as one struct.

    Args:
        source: the columns that come in, under the names they come in by.
    """

    source: pa.Schema

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield one row for all batches, none where there is no row."""
        total = Observed()
        for batch in batches:
            if batch.num_rows:
                columns = {
                    f.name: observe_arrow(batch.column(i), f) for i, f in enumerate(self.source)
                }
                rows = batch.num_rows
                total = total.plus(Observed(rows, records=Records(rows, columns, typed=True)))
        if total.rows:
            yield _batch(total)


class MergeObserved(NamedTuple):
    """Add up observations."""

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield one row for all rows."""
        texts = (text for batch in batches for text in batch.column(0).to_pylist())
        yield _batch(Observed.total(map(Observed.loads, texts)))


def _batch(seen: Observed) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([seen.dumps()], pa.string())], schema=OBSERVED)
