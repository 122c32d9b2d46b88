"""Python values made anew from the Arrow arrays that enforcement gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spark_sig.engines.values import Values
from spark_sig.errors import assert_never
from spark_sig.plan import (
    Anything,
    Leaf,
    ListOf,
    MapOf,
    Node,
    Nulls,
    StructOf,
    TensorOf,
    VectorOf,
    is_identity,
)


def rebuild(values: Values, node: Node, out: pa.Array) -> Sequence[Any] | npt.NDArray[Any]:
    """Return the values as enforcement leaves them.

    Containers stay of their kind: a list comes out as a list, an array as an array, a dict as a
    dict without the keys that it lacked.  What does not change is the caller's own object, what
    changes is a new one.

    Args:
        values: what came in.
        node: what was done with it.
        out: what came of it.
    """
    if is_identity(node) and not values.changed:
        return values.items
    match node:
        case Leaf() | Nulls():
            return to_python(out)
        case ListOf():
            assert values.elements is not None
            return _lists(values, rebuild(values.elements, node.item, out.values), out)
        case MapOf():
            assert values.elements is not None
            return _maps(values, rebuild(values.elements, node.value, out.items))
        case StructOf():
            return _records(values, node, out)
        case Anything() | VectorOf() | TensorOf():
            return values.items
        case _:
            assert_never(node)


def to_python(array: pa.Array) -> list[Any]:
    """Return Python scalars; nanoseconds as NumPy's, which Python's own cannot hold."""
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns" and array.type.tz is None:
        moments = array.to_numpy(zero_copy_only=False)
        return [None if np.isnat(moment) else moment for moment in moments]
    return list(array.to_pylist())


def _numpy(items: Sequence[Any] | npt.NDArray[Any], out: pa.Array) -> npt.NDArray[Any]:
    """Return elements as one array of the dtype that they came out as."""
    if out.null_count == 0 and not pa.types.is_nested(out.type):
        return np.asarray(out.to_numpy(zero_copy_only=False))
    made = np.empty(len(items), object)
    made[:] = items
    return made


def _lists(values: Values, items: Sequence[Any] | npt.NDArray[Any], out: pa.Array) -> list[Any]:
    made: list[Any] = []
    as_array: npt.NDArray[Any] | None = None
    start = 0
    for cell in values.items:
        if not isinstance(cell, (list, np.ndarray)):
            made.append(None)
            continue
        stop = start + len(cell)
        if isinstance(cell, np.ndarray):
            as_array = _numpy(items, out.values) if as_array is None else as_array
            made.append(as_array[start:stop].copy())
        else:
            made.append(list(items[start:stop]))
        start = stop
    return made


def _maps(values: Values, items: Sequence[Any] | npt.NDArray[Any]) -> list[Any]:
    made: list[Any] = []
    rest = iter(items)
    for cell in values.items:
        made.append({key: next(rest) for key in cell} if isinstance(cell, dict) else None)
    return made


def _records(values: Values, node: StructOf, out: pa.Array) -> list[Any]:
    inside = dict(values.members)
    fresh = {
        member.name: rebuild(inside[member.name], member.node, pc.struct_field(out, [place]))
        for place, member in enumerate(node.members)
        if member.source is not None
        and (inside[member.name].changed or not is_identity(member.node))
    }
    made: list[Any] = []
    for index, cell in enumerate(values.items):
        if hasattr(cell, "asDict"):
            cell = cell.asDict(True)
        if not isinstance(cell, dict):
            made.append(None)
            continue
        made.append({k: fresh[k][index] if k in fresh else v for k, v in cell.items()})
    return made
