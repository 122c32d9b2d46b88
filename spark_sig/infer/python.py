"""Python values: what is observed of them, level by level.

Every pass is one C loop over all values of a level, never a Python loop over rows.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_sig.casts import RANGES, SIGNIFICAND, Kind
from spark_sig.engines.scalars import class_kind, classes_name
from spark_sig.engines.values import is_row
from spark_sig.infer.numpy import observe_array
from spark_sig.observed import Lengths, Lists, Observed, Records

Items = Sequence[Any] | npt.NDArray[Any]

# Integers that every double holds lie within.
_EXACT = 2**53
_LONG = RANGES[Kind.INT64]
_BEYOND = "integer beyond long"


def observe_values(items: Items) -> Observed:
    """Observe Python values; None, NaT and pd.NA are NULL.

    Example:
        >>> observe_values([1, None, 2.5]).kinds
        {<Kind.INT64: 'long'>: 1, <Kind.FLOAT64: 'double'>: 1}
    """
    if isinstance(items, np.ndarray) and items.dtype != object:
        return observe_array(items)
    classes = Counter(map(type, items))
    kinds: dict[Kind, int] = {}
    nulls = 0
    others, lists, dicts = set(), set(), set()
    for cls, count in classes.items():
        kind = class_kind(cls)
        if kind is Kind.NULL:
            nulls += count
        elif kind is not None:
            kinds[kind] = kinds.get(kind, 0) + count
        elif issubclass(cls, (list, np.ndarray)):
            lists.add(cls)
        elif issubclass(cls, dict) or is_row(cls):
            dicts.add(cls)
        else:
            others.add(cls)
    seen = Observed(
        rows=len(items), nulls=nulls, kinds=kinds, others=frozenset(c.__name__ for c in others)
    )
    if kinds:
        seen = _with_values(seen, items)
    if lists:
        seen = _with_lists(seen, _of(items, lists, classes))
    if dicts:
        seen = _with_records(seen, _of(items, dicts, classes))
    return seen


def _of(items: Items, wanted: set[type], classes: Counter[type]) -> Items:
    return items if wanted == classes.keys() else [x for x in items if type(x) in wanted]


# --- scalars --------------------------------------------------------------------------------------


def _with_values(seen: Observed, items: Items) -> Observed:
    """Add what only the values of scalars say: NaN, large integers, moments with a zone."""
    kinds = dict(seen.kinds)
    if kinds.keys() & SIGNIFICAND.keys():
        # NaN may be a float, or what pandas writes for a missing value: it is of no kind.
        nans: Counter[Kind | None] = Counter(
            class_kind(type(x)) for x in items if isinstance(x, (float, np.floating)) and x != x
        )
        kinds = {k: n - nans[k] for k, n in kinds.items() if n > nans[k]}
        seen = seen._replace(nans=sum(nans.values()), kinds=kinds)
    if Kind.INT64 in kinds or Kind.UINT64 in kinds:
        seen = _with_integers(seen, items)
        kinds = dict(seen.kinds)
    if Kind.TIMESTAMP_NTZ in kinds:
        zoned = sum(isinstance(x, dt.datetime) and x.tzinfo is not None for x in items)
        missing = sum(isinstance(x, np.datetime64) and bool(np.isnat(x)) for x in items)
        kinds[Kind.TIMESTAMP] = zoned
        kinds[Kind.TIMESTAMP_NTZ] -= zoned + missing
        # NaT of NumPy says what it is.
        known = {Kind.TIMESTAMP_NTZ} if missing else set()
        kinds = {kind: count for kind, count in kinds.items() if count or kind in known}
        seen = seen._replace(kinds=kinds, nulls=seen.nulls + missing)
    return seen


def _with_integers(seen: Observed, items: Items) -> Observed:
    none = (bool, np.timedelta64)  # which derive from integers
    found = [x for x in items if isinstance(x, (int, np.integer)) and not isinstance(x, none)]
    # As Python's own: NumPy's overflow beside one that is larger.
    whole = list(map(int, found))
    low, high = min(whole), max(whole)
    if low >= -_EXACT and high <= _EXACT:
        return seen
    seen = seen._replace(inexact=sum(not -_EXACT <= x <= _EXACT for x in whole))
    if low >= _LONG[0] and high <= _LONG[1]:
        return seen
    beyond = Counter(class_kind(type(x)) for x in found if not _LONG[0] <= int(x) <= _LONG[1])
    kinds = {k: n - beyond.get(k, 0) for k, n in seen.kinds.items() if n > beyond.get(k, 0)}
    return seen._replace(kinds=kinds, others=seen.others | {_BEYOND})


# --- lists ----------------------------------------------------------------------------------------


def _with_lists(seen: Observed, cells: Items) -> Observed:
    try:
        lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    except TypeError:
        seen = seen._replace(others=seen.others | {"ndarray without dimensions"})
        long = [c for c in cells if not isinstance(c, np.ndarray) or c.ndim]
        return _with_lists(seen, long) if long else seen
    first = cells[0]
    if isinstance(first, np.ndarray) and all(
        isinstance(c, np.ndarray) and c.dtype == first.dtype and c.ndim == 1 for c in cells
    ):
        flat = np.concatenate(cells)
        # An empty array has a dtype that nobody chose: it says as little as an empty list.
        element = observe_values(flat) if len(flat) else Observed()
    else:
        element = observe_values(list(chain.from_iterable(cells)))
    counted = Lengths(len(cells), int(lengths.min()), int(lengths.max()))
    return seen._replace(lists=Lists(counted, element, _bare(element, cells)))


def _bare(element: Observed, cells: Items) -> int:
    """Count the lists that hold a long integer and no float, where others hold floats."""
    if Kind.INT64 not in element.kinds and _BEYOND not in element.others:
        return 0
    return sum(_is_bare(cell) for cell in cells)


def _is_bare(cell: Any) -> bool:
    kinds = {class_kind(type(item)) for item in cell}
    return Kind.INT64 in kinds and not kinds & SIGNIFICAND.keys()


# --- records --------------------------------------------------------------------------------------


def _with_records(seen: Observed, given: Items) -> Observed:
    dicts = [x if isinstance(x, dict) else x.asDict(True) for x in given]
    names = dict.fromkeys(chain.from_iterable(dicts))
    if strange := {type(name) for name in names if not isinstance(name, str)}:
        found = {f"dict with {classes_name([cls])} keys" for cls in strange}
        seen = seen._replace(others=seen.others | found)
    members = {
        name: observe_values(member_values(dicts, name)) for name in names if isinstance(name, str)
    }
    return seen._replace(records=Records(len(dicts), members))


def member_values(dicts: Sequence[Any], name: Any) -> list[Any]:
    """Return what dicts hold under a name, those left out that hold nothing."""
    try:
        return list(map(itemgetter(name), dicts))
    except KeyError:
        return [d[name] for d in dicts if name in d]
