"""Tensors and vectors: shapes, checked on offsets, and elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_sig.casts import Kind
from spark_sig.kernels.findings import Scope, Sink
from spark_sig.kernels.layout import (
    Lists,
    Mask,
    Positions,
    both,
    mask_out,
    numbers,
    validity,
)
from spark_sig.kernels.leaf import NAN, check_nulls, visit_leaf
from spark_sig.plan import TensorOf, VectorOf

# Spark ML's mark of a sparse vector (org.apache.spark.ml.linalg.VectorUDT).
SPARSE = 0


def visit_tensor(
    node: TensorOf, array: pa.Array, live: Mask | None, scope: Scope, sink: Sink
) -> pa.Array:
    """Check slices of a tensor, axis by axis, then their elements."""
    levels: list[tuple[Lists, Mask | None]] = []
    wrong: list[Positions] = []
    level, inner, within = array, live, scope
    for axis in range(1 if node.flat else len(node.dims)):
        valid = validity(level)
        check_nulls(node.inner if axis else node.null, level, valid, inner, within, sink)
        inside = Lists.of(level)
        held = both(valid, inner)
        places = _misshapen(node, axis, inside, held)
        if len(places):
            wrong.append(within.rows(places) if axis else places)
            _report(node, axis, inside, places, level, within, sink)
        levels.append((inside, valid))
        level, inner, within = inside.values, inside.live(held), within.inside(inside.owners)
    elements = visit_leaf(node.item, level, inner, within, sink)
    if not sink.columns:
        return array
    if elements is not level:
        array = _wrap(array.type, levels, elements)
    return _without(array, wrong, scope)


def _misshapen(node: TensorOf, axis: int, inside: Lists, held: Mask | None) -> Positions:
    """Find the lists of one axis whose length is wrong."""
    if node.shape is None:
        return np.empty(0, np.int64)
    if not node.flat:
        wanted = node.dims[axis]
        if wanted < 0 or inside.uniform(wanted):
            return np.empty(0, np.int64)
        bad = inside.lengths() != wanted
    else:
        product = math.prod(dim for dim in node.dims if dim >= 0)
        if -1 not in node.dims or product == 0:
            if inside.uniform(product):
                return np.empty(0, np.int64)
            bad = inside.lengths() != product
        else:
            bad = inside.lengths() % product != 0
    return np.flatnonzero(bad if held is None else bad & held)


def _report(
    node: TensorOf,
    axis: int,
    inside: Lists,
    places: Positions,
    level: pa.Array,
    scope: Scope,
    sink: Sink,
) -> None:
    lengths = inside.lengths()
    tail = "" if node.flat else f" at axis {axis + 1}"
    assert node.shape is not None
    sink.add(node.shape, scope, places, named_lengths(lengths, tail), level)


def named_lengths(
    lengths: npt.NDArray[np.integer[Any]], tail: str
) -> Callable[[Positions], npt.NDArray[np.object_]]:
    """Return the function that names the lengths at some places."""

    def name(places: Positions) -> npt.NDArray[np.object_]:
        # Few lengths differ: each is named once.
        kinds, which = np.unique(lengths[places], return_inverse=True)
        names = np.array([f"length {length}{tail}" for length in kinds], object)
        found: npt.NDArray[np.object_] = names[which.reshape(-1)]
        return found

    return name


def _wrap(
    dtype: pa.DataType, levels: list[tuple[Lists, Mask | None]], elements: pa.Array
) -> pa.Array:
    """Put lists around elements again."""
    types = [dtype]
    for _ in levels[1:]:
        types.append(types[-1].value_type)
    for (inside, valid), kind in zip(reversed(levels), reversed(types), strict=True):
        elements = inside.rebuild(kind, elements, valid)
    return elements


def _without(array: pa.Array, wrong: list[Positions], scope: Scope) -> pa.Array:
    """Return the slices with NULL for those of a wrong shape.

    Tensors are columns, never parts of one, so rows are places in the array.
    """
    if not wrong:
        return array
    assert scope.outer is None
    bad = np.zeros(len(array), np.bool_)
    bad[np.concatenate(wrong)] = True
    return mask_out(array, bad)


def visit_vector(
    node: VectorOf, array: pa.Array, live: Mask | None, scope: Scope, sink: Sink
) -> pa.Array:
    """Check Spark ML vectors: a dense one is as long as its values, a sparse one says its size."""
    valid = validity(array)
    check_nulls(node.null, array, valid, live, scope, sink)
    held = both(valid, live)
    wrong: list[Positions] = []
    if node.shape is not None:
        lengths = vector_lengths(array)
        off: Mask = lengths != node.length
        places = np.flatnonzero(off if held is None else off & held)
        sink.add(node.shape, scope, places, named_lengths(lengths, " at axis 1"), array)
        wrong.append(places)
    if node.nan is not None:
        wrong.append(_vector_nans(node.nan, array, held, scope, sink))
    if not sink.columns or not any(len(places) for places in wrong):
        return array
    bad = np.zeros(len(array), np.bool_)
    bad[np.concatenate(wrong)] = True
    return mask_out(array, bad)


def _vector_nans(
    check: int, array: pa.Array, held: Mask | None, scope: Scope, sink: Sink
) -> Positions:
    """Find NaN among the values that vectors store; what a sparse one leaves out is zero."""
    stored = _part(array, "values")
    inside = Lists.of(stored)
    nan: Mask = np.isnan(numbers(inside.values, Kind.FLOAT64))
    live = both(inside.live(both(validity(stored), held)), validity(inside.values))
    places = np.flatnonzero(nan if live is None else nan & live)
    sink.add(check, scope.inside(inside.owners), places, NAN, inside.values)
    return inside.owners(places)


def vector_lengths(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return how long Spark ML vectors are; anything where they are NULL."""
    sparse = numbers(_part(array, "type"), Kind.INT8) == SPARSE
    sizes = numbers(_part(array, "size"), Kind.INT32)
    dense = Lists.of(_part(array, "values")).lengths()
    return np.where(sparse, sizes, dense).astype(np.int64)


def _part(array: pa.Array, name: str) -> pa.Array:
    names = [array.type.field(i).name for i in range(array.type.num_fields)]
    return array.field(names.index(name))
