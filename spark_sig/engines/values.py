"""Python values as Arrow arrays, typed by what the values are and shaped by a column type.

Level by level: every pass is one C loop over all values of a level, never a Python loop over
rows.  A level that fits no Arrow type becomes *opaque*: its field carries the name of what was
found (as fields from Spark do), so that the planner refuses it like any other wrong type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_sig.casts import SIGNIFICAND, Kind
from spark_sig.engines.scalars import all_nan, class_kind, classes_name, read_scalars
from spark_sig.errors import assert_never
from spark_sig.naming import SPARK_TYPE
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector

_ABSENT = object()


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Values of one level, as they are and as Arrow holds them.

    Args:
        items: the Python values, or the NumPy array that they are.
        array: the same in Arrow; nothing but which are null where they are opaque or of any type.
        opaque: what the values are, where no Arrow type says it; empty elsewhere.
        elements: the level below a list or the values of a map.
        members: the levels below a record, by name.
    """

    items: Sequence[Any] | npt.NDArray[Any]
    array: pa.Array
    opaque: str = ""
    elements: Values | None = None
    members: tuple[tuple[str, Values], ...] = ()

    def field(self, name: str) -> pa.Field:
        """Return the field that says what the values are."""
        return _field(name, self.array.type, self.opaque)

    @property
    def known(self) -> bool:
        """Whether the type of ``array`` says all that there is to say, at every level."""
        inside = [values for _, values in self.members]
        inside += [] if self.elements is None else [self.elements]
        return not self.opaque and all(values.known for values in inside)


def _field(name: str, dtype: pa.DataType, opaque: str) -> pa.Field:
    return pa.field(name, dtype, metadata={SPARK_TYPE: opaque.encode()} if opaque else None)


def read_values(items: Sequence[Any] | npt.NDArray[Any], target: ColumnType) -> Values:
    """Read Python values that are to be of a column type.

    Args:
        items: the values; None, NaT, pd.NA, and NaN among anything but floats, are nulls.
        target: the type, which says whether a dict is a record or a map.

    Example:
        >>> read_values([{"a": 1}, None], Object([Property("a", "long")])).array.type
        StructType(struct<a: int64>)
    """
    match target:
        case AnyType():
            return _anything(items)
        case DataType():
            array, name = read_scalars(items, target)
            return Values(items, array) if array is not None else _opaque(items, name)
        case Array():
            return _lists(items, target.dtype)
        case SparkMLVector():
            return _lists(items, DataType.double)
        case Object():
            return _records(items, target)
        case Map():
            return _maps(items, target)
        case _:
            assert_never(target)


# --- nulls ----------------------------------------------------------------------------------------


def _null_places(
    items: Sequence[Any] | npt.NDArray[Any], fits: Callable[[type], bool]
) -> npt.NDArray[np.bool_] | str | None:
    """Find the nulls among values that are no scalars.

    Returns:
        Where they are; None where there is none; what is there where a value does not fit.
    """
    classes = set(map(type, items))
    if all(map(fits, classes)):
        return None
    others = {cls for cls in classes if not fits(cls)}
    kinds = {class_kind(cls) for cls in others}
    nan = kinds & SIGNIFICAND.keys()
    if not kinds <= {Kind.NULL} | nan or (nan and not all_nan(items)):
        return classes_name(classes)
    return np.fromiter((not fits(type(x)) for x in items), np.bool_, len(items))


def _opaque(items: Sequence[Any] | npt.NDArray[Any], name: str) -> Values:
    return replace(_anything(items), opaque=name)


def _anything(items: Sequence[Any] | npt.NDArray[Any]) -> Values:
    """Keep which values are null, and nothing else."""
    valid = np.fromiter((class_kind(type(x)) is not Kind.NULL for x in items), np.bool_, len(items))
    return Values(items, pa.array(valid, mask=~valid))


# --- lists, records, maps -------------------------------------------------------------------------


def _is_list(cls: type) -> bool:
    return cls is list or issubclass(cls, (list, np.ndarray))


def _is_dict(cls: type) -> bool:
    return cls is dict or issubclass(cls, dict)


def _offsets(lengths: Iterable[int], count: int, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int32, count), out=offsets[1:])
    # A null offset makes a null list.
    return pa.array(offsets, mask=None if nulls is None else np.append(nulls, False))


def _lists(items: Sequence[Any] | npt.NDArray[Any], element: ColumnType) -> Values:
    nulls = _null_places(items, _is_list)
    if isinstance(nulls, str):
        return _opaque(items, nulls)
    cells: Sequence[Any] | npt.NDArray[Any] = items
    if nulls is not None:
        cells = [() if null else x for x, null in zip(items, nulls, strict=True)]
    try:
        offsets = _offsets(map(len, cells), len(items), nulls)
    except TypeError:
        return _opaque(items, "ndarray without dimensions")
    inside = read_values(_flatten(cells), element)
    dtype = pa.list_(inside.field("item"))
    return Values(
        items, pa.ListArray.from_arrays(offsets, inside.array, type=dtype), elements=inside
    )


def _flatten(cells: Sequence[Any] | npt.NDArray[Any]) -> Sequence[Any] | npt.NDArray[Any]:
    """Return the elements of all cells; as one NumPy array where they are arrays of one dtype."""
    first = next((cell for cell in cells if len(cell)), None)
    if isinstance(first, np.ndarray) and first.dtype != object and first.ndim == 1:
        full = [cell for cell in cells if len(cell)]
        if all(isinstance(c, np.ndarray) and c.dtype == first.dtype and c.ndim == 1 for c in full):
            return np.concatenate(full)
    return list(chain.from_iterable(cells))


def _records(items: Sequence[Any] | npt.NDArray[Any], target: Object) -> Values:
    if any(cls.__name__ == "Row" for cls in set(map(type, items))):  # toPandas of a struct
        items = [x.asDict(True) if type(x).__name__ == "Row" else x for x in items]
    nulls = _null_places(items, _is_dict)
    if isinstance(nulls, str):
        return _opaque(items, nulls)
    dicts: Sequence[Any] | npt.NDArray[Any] = items
    if nulls is not None:
        dicts = [{} if null else x for x, null in zip(items, nulls, strict=True)]
    count = len(items) - (0 if nulls is None else int(nulls.sum()))
    seen = 0
    members: list[tuple[str, Values]] = []
    for wanted in target.properties:
        inside, present = _member(dicts, wanted.name)
        seen += present
        if present == count or not wanted.required:
            members.append((wanted.name, read_values(inside, wanted.dtype)))
        # Else it is left out, and the planner misses it.
    if sum(map(len, dicts)) != seen:
        members += _unasked(dicts, {wanted.name for wanted in target.properties})
    fields = [values.field(name) for name, values in members]
    if not fields:
        empty = pa.array([{}] * len(items), pa.struct([]))
        return Values(items, empty)
    array = pa.StructArray.from_arrays(
        [values.array for _, values in members],
        fields=fields,
        mask=None if nulls is None else pa.array(nulls),
    )
    return Values(items, array, members=tuple(members))


def _member(dicts: Sequence[Any] | npt.NDArray[Any], name: str) -> tuple[list[Any], int]:
    """Return what every dict holds under a name, None where nothing, and how many hold anything."""
    try:
        return list(map(itemgetter(name), dicts)), len(dicts)
    except KeyError:
        found = [d.get(name, _ABSENT) for d in dicts]
        absent = found.count(_ABSENT)
        return [None if x is _ABSENT else x for x in found], len(dicts) - absent


def _unasked(dicts: Sequence[Any] | npt.NDArray[Any], names: set[str]) -> list[tuple[str, Values]]:
    """Return what the dicts hold under other names, as fields that the planner refuses."""
    extra: dict[Any, set[type]] = {}
    for one in dicts:
        if len(one) > len(names) or not one.keys() <= names:
            for key in one.keys() - names:
                extra.setdefault(key, set()).add(type(one[key]))
    absent = [None] * len(dicts)
    return [
        (key if isinstance(key, str) else repr(key), _opaque(absent, classes_name(c) or "null"))
        for key, c in extra.items()
    ]


def _maps(items: Sequence[Any] | npt.NDArray[Any], target: Map) -> Values:
    nulls = _null_places(items, _is_dict)
    if isinstance(nulls, str):
        return _opaque(items, nulls)
    dicts: Sequence[Any] | npt.NDArray[Any] = items
    if nulls is not None:
        dicts = [{} if null else x for x, null in zip(items, nulls, strict=True)]
    keys = list(chain.from_iterable(dicts))
    classes = set(map(type, keys))
    if not all(issubclass(cls, str) for cls in classes):
        return _opaque(items, f"map with {classes_name(classes)} keys")
    inside = read_values(list(chain.from_iterable(d.values() for d in dicts)), target.value_type)
    offsets = _offsets(map(len, dicts), len(items), nulls)
    dtype = pa.map_(pa.string(), inside.field("value"))
    entries = pa.array(keys, pa.string())
    return Values(
        items, pa.MapArray.from_arrays(offsets, entries, inside.array, type=dtype), elements=inside
    )
