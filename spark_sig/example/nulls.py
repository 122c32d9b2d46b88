"""Nulls: what NaN stands for among values that are not floats."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any

import numpy as np


def without_nans(items: list[Any]) -> list[Any]:
    """Put None in place of each NaN that stands for a missing value, at every level.

    pandas writes NaN for what is missing among values of any kind.  It is a number among floats,
    be there integers or None beside them, and where there is nothing else.

    Args:
        items: the values of one level, a column for one, in the form that JSON can say.  What their
            lists hold is one level below, and so is what their dicts hold under one key.

    Example:
        >>> nan = float("nan")
        >>> without_nans(["x", nan]), without_nans([{"a": [1, nan]}]), without_nans([1.5, nan])
        (['x', None], [{'a': [1, None]}], [1.5, nan])
    """
    missing = not _are_floats(items)
    out = [None if missing and _is_nan(item) else item for item in items]
    _lists(out)
    _dicts(out)
    return out


def _is_nan(item: Any) -> bool:
    return isinstance(item, (float, np.floating)) and bool(item != item)


def _are_floats(items: list[Any]) -> bool:
    """Say whether values are numbers with a float among them, or nothing but NaN and None."""
    classes = {type(item) for item in items if item is not None and not _is_nan(item)}
    numbers = all(issubclass(c, (int, float, np.number)) and c is not bool for c in classes)
    floats = any(issubclass(c, (float, np.floating)) for c in classes)
    return numbers and (floats or not classes)


def _lists(out: list[Any]) -> None:
    """Replace lists; arrays have a say in what their level is, and stay."""
    places = [place for place, item in enumerate(out) if isinstance(item, (list, np.ndarray))]
    if not places:
        return
    made = iter(without_nans(list(chain.from_iterable(out[place] for place in places))))
    for place in places:
        part = list(islice(made, len(out[place])))
        if isinstance(out[place], list):
            out[place] = part


def _dicts(out: list[Any]) -> None:
    levels: dict[str, list[dict[str, Any]]] = {}
    for place, item in enumerate(out):
        if isinstance(item, dict):
            out[place] = copy = dict(item)
            for key in copy:
                levels.setdefault(key, []).append(copy)
    for key, holders in levels.items():
        for holder, value in zip(holders, without_nans([d[key] for d in holders]), strict=True):
            holder[key] = value
