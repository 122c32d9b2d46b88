"""Findings: which rows of a batch violate which check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_sig.kernels.layout import Positions, plain, validity, words
from spark_sig.naming import is_list
from spark_sig.tally import date_text, time_text

Texts: TypeAlias = "Sequence[str] | npt.NDArray[np.object_]"

# Longest value that a report shows.
SHOWN = 200

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class Found(NamedTuple):
    """The rows that violate one check.

    Args:
        check: its id.
        rows: their numbers, strictly increasing.
        observed: what is there, for each row's first offending element.
        values: that element as text; None where the policy shows no values.
    """

    check: int
    rows: Positions
    observed: Texts
    values: Texts | None = None


class Scope(NamedTuple):
    """Where the elements of an array belong: maps their places to rows of the batch.

    The map never decreases, so elements in order give rows in order.
    """

    outer: Scope | None = None
    owners: Callable[[Positions], Positions] | None = None

    def rows(self, places: Positions) -> Positions:
        """Return the rows that hold the elements at some places."""
        if self.owners is not None:
            places = self.owners(places)
        return places if self.outer is None else self.outer.rows(places)

    def inside(self, owners: Callable[[Positions], Positions]) -> Scope:
        """Return the scope of elements that belong to this one's."""
        return Scope(self, owners)


@dataclass(slots=True)
class Sink:
    """What one run has found so far.

    Args:
        show_values: whether to keep offending values.
        columns: whether the run makes output at all.
    """

    show_values: bool
    columns: bool
    found: dict[int, list[Found]] = field(default_factory=dict)

    def add(
        self,
        check: int,
        scope: Scope,
        places: Positions,
        observed: str | Callable[[Positions], npt.NDArray[np.object_]],
        array: pa.Array,
    ) -> None:
        """Note offending elements; of each row only the first is kept.

        Args:
            check: the check that they violate.
            scope: where they belong.
            places: their places in the array, increasing.
            observed: what is there, or the function that names it for some of the places.
            array: the values.
        """
        if len(places) == 0:
            return
        rows = scope.rows(places)
        if scope.outer is not None:
            first = np.ones(len(rows), np.bool_)
            np.not_equal(rows[1:], rows[:-1], out=first[1:])
            rows, places = rows[first], places[first]
        names = full(len(rows), observed) if isinstance(observed, str) else observed(places)
        values = texts(array, places) if self.show_values else None
        self.found.setdefault(check, []).append(Found(check, rows, names, values))

    def close(self) -> tuple[Found, ...]:
        """Return all findings by check; what was noted first of a row stands."""
        return tuple(merge(parts) for _, parts in sorted(self.found.items()))


def merge(parts: Sequence[Found]) -> Found:
    """Merge findings of one check; for a row in several of them the first one stands."""
    if len(parts) == 1:
        return parts[0]
    rows, places = np.unique(np.concatenate([part.rows for part in parts]), return_index=True)
    observed = np.concatenate([np.asarray(part.observed, object) for part in parts])[places]
    values = None
    if any(part.values is not None for part in parts):
        none = [
            np.full(len(part.rows), None, object)
            if part.values is None
            else np.asarray(part.values, object)
            for part in parts
        ]
        values = np.concatenate(none)[places]
    return Found(parts[0].check, rows, observed, values)


def full(count: int, text: str) -> npt.NDArray[np.object_]:
    """Return one text many times."""
    found = np.empty(count, object)
    found.fill(text)
    return found


def texts(array: pa.Array, places: Positions) -> npt.NDArray[np.object_]:
    """Return some values as text, cut where they are long."""
    chosen = array.take(pa.array(places))
    found = np.empty(len(places), object)
    found[:] = [_shown(value) for value in _scalars(chosen)]
    return found


def days(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return dates, plain in layout, as days from 1970."""
    if pat.is_date32(array.type):
        return words(array, np.int32).astype(np.int64)
    return words(array, np.int64) // 86_400_000


def moment_texts(array: pa.Array) -> list[str | None]:
    """Return dates or times, plain in layout, as the text that a row key has of them."""
    valid = validity(array)
    live = [True] * len(array) if valid is None else valid.tolist()
    if pat.is_date(array.type):
        dates = zip(days(array).tolist(), live, strict=True)
        return [date_text(value) if known else None for value, known in dates]
    per_second, zoned = _PER_SECOND[array.type.unit], array.type.tz is not None
    times = zip(words(array, np.int64).tolist(), live, strict=True)
    return [time_text(value, per_second, zoned) if known else None for value, known in times]


def _scalars(array: pa.Array) -> list[Any]:
    array = array if pat.is_nested(array.type) else plain(array)
    if pat.is_timestamp(array.type):
        # Python's own datetimes have no nanoseconds, and end with year 9999.
        zone = "Z" if array.type.tz else ""
        clock = pc.cast(array.view(pa.timestamp(array.type.unit)), pa.string())
        return [None if text is None else text + zone for text in clock.to_pylist()]
    if pat.is_date(array.type):
        return list(moment_texts(array))
    try:
        return list(array.to_pylist())
    except (ValueError, OverflowError):
        return [_readable(value) for value in array]


def _readable(value: pa.Scalar) -> Any:
    """Return what ``as_py`` does, with the number in place of a moment that Python has none for."""
    dtype = value.type
    if not value.is_valid:
        return None
    if pat.is_struct(dtype):
        members = range(dtype.num_fields)
        return {dtype.field(i).name: _readable(value[i]) for i in members}
    if pat.is_map(dtype):
        return [(_readable(pair[0]), _readable(pair[1])) for pair in value.values]
    if is_list(dtype):
        return [_readable(item) for item in value.values]
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return value.value


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
