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
from spark_sig.engines.arrays import MASKED
from spark_sig.engines.scalars import (
    FLOATS,
    all_nan,
    class_kind,
    classes_name,
    escape,
    lists_mix,
    missing,
    read_scalars,
    texts,
)
from spark_sig.errors import assert_never
from spark_sig.naming import SPARK_TYPE
from spark_sig.policy import Casts
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Values of one level, as they are and as Arrow holds them.

    Args:
        items: the Python values, or the NumPy array that they are.
        array: the same in Arrow; nothing but which are null where they are opaque or of any type.
        opaque: what the values are, where no Arrow type says it; empty elsewhere.
        elements: the level below a list or the values of a map.
        members: the levels below a record, by name.
        joined: whether numbers of different kinds were made one, so that ``array`` holds others
            than ``items``.
    """

    items: Sequence[Any] | npt.NDArray[Any]
    array: pa.Array
    opaque: str = ""
    elements: Values | None = None
    members: tuple[tuple[str, Values], ...] = ()
    joined: bool = False

    def field(self, name: str) -> pa.Field:
        """Return the field that says what the values are."""
        return _field(name, self.array.type, self.opaque)

    @property
    def known(self) -> bool:
        """Whether the type of ``array`` says all that there is to say, at every level."""
        return not self.opaque and all(values.known for values in self.inside)

    @property
    def changed(self) -> bool:
        """Whether anything at any level was joined."""
        return self.joined or any(values.changed for values in self.inside)

    @property
    def inside(self) -> list[Values]:
        """The levels right below."""
        below = [values for _, values in self.members]
        return below if self.elements is None else [*below, self.elements]


def _field(name: str, dtype: pa.DataType, opaque: str) -> pa.Field:
    return pa.field(name, dtype, metadata={SPARK_TYPE: opaque.encode()} if opaque else None)


def read_values(
    items: Sequence[Any] | npt.NDArray[Any],
    target: ColumnType,
    casts: Casts = "safe",
    alone: bool = False,
) -> Values:
    """Read Python values that are to be of a column type.

    Args:
        items: the values; None, NaT, pd.NA, and NaN among anything but floats, are nulls.
        target: the type, which says whether a dict is a record or a map.
        casts: the rule of casts.
        alone: whether each number has to fit that rule by itself; see ``read_scalars``.

    Example:
        >>> read_values([{"a": 1}, None], Map("long")).array.type
        MapType(map<string, int64>)
    """
    match target:
        case AnyType():
            return _anything(items)
        case DataType():
            array, name, joined = read_scalars(items, target, casts, alone)
            return _opaque(items, name) if array is None else Values(items, array, joined=joined)
        case Array():
            return _lists(items, target.dtype, casts)
        case SparkMLVector():
            return _lists(items, DataType.double, casts)
        case Object():
            return _records(items, target, casts)
        case Map():
            return _maps(items, target, casts)
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
    return Values(items, pa.array(np.ones(len(items), np.bool_), mask=missing(items)))


# --- lists, records, maps -------------------------------------------------------------------------


def _is_list(cls: type) -> bool:
    return cls is list or issubclass(cls, (list, np.ndarray))


def is_row(cls: type) -> bool:
    """Say whether a class is Spark's Row, without loading Spark."""
    return cls.__name__ == "Row" and hasattr(cls, "asDict")


def _is_dict(cls: type) -> bool:
    return cls is dict or issubclass(cls, dict)


def _offsets(lengths: Iterable[int], count: int, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int32, count), out=offsets[1:])
    # A null offset makes a null list.
    return pa.array(offsets, mask=None if nulls is None else np.append(nulls, False))


def _lists(items: Sequence[Any] | npt.NDArray[Any], element: ColumnType, casts: Casts) -> Values:
    nulls = _null_places(items, _is_list)
    if isinstance(nulls, str):
        return _opaque(items, nulls)
    if np.ma.MaskedArray in set(map(type, items)) and any(map(np.ma.is_masked, items)):
        return _opaque(items, MASKED)
    cells: Sequence[Any] | npt.NDArray[Any] = items
    if nulls is not None:
        cells = [() if null else x for x, null in zip(items, nulls, strict=True)]
    try:
        offsets = _offsets(map(len, cells), len(items), nulls)
    except TypeError:
        return _opaque(items, "ndarray without dimensions")
    flat = _flatten(cells)
    inside = read_values(flat, element, casts, alone=True)
    if inside.opaque and element in FLOATS and lists_mix(cells, element):
        inside = read_values(flat, element, casts)
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


def _records(items: Sequence[Any] | npt.NDArray[Any], target: Object, casts: Casts) -> Values:
    if any(map(is_row, set(map(type, items)))):  # toPandas of a struct
        items = [x.asDict(True) if is_row(type(x)) else x for x in items]
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
            members.append((wanted.name, read_values(inside, wanted.dtype, casts, alone=True)))
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
        return [d.get(name) for d in dicts], sum(name in d for d in dicts)


def _unasked(dicts: Sequence[Any] | npt.NDArray[Any], names: set[str]) -> list[tuple[str, Values]]:
    """Return what the dicts hold under other names, as fields that the planner refuses."""
    extra: dict[Any, set[type]] = {}
    for one in dicts:
        if len(one) > len(names) or not one.keys() <= names:
            for key in one.keys() - names:
                extra.setdefault(key, set()).add(type(one[key]))
    absent = [None] * len(dicts)
    return [
        (
            escape(key if isinstance(key, str) else repr(key)),
            _opaque(absent, classes_name(c) or "null"),
        )
        for key, c in extra.items()
    ]


def _maps(items: Sequence[Any] | npt.NDArray[Any], target: Map, casts: Casts) -> Values:
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
    flat = list(chain.from_iterable(d.values() for d in dicts))
    inside = read_values(flat, target.value_type, casts, alone=True)
    offsets = _offsets(map(len, dicts), len(items), nulls)
    dtype = pa.map_(pa.string(), inside.field("value"))
    entries = texts(keys)
    return Values(
        items, pa.MapArray.from_arrays(offsets, entries, inside.array, type=dtype), elements=inside
    )
