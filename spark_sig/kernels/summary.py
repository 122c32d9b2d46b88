"""Summaries: tallies of batches, and of rows that Spark has grouped already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_sig.casts import Kind, kind_of
from spark_sig.kernels.batch import Outcome, listed_found
from spark_sig.kernels.findings import Found, days, moment_texts
from spark_sig.kernels.layout import WIDTHS, Positions, numbers, plain, validity
from spark_sig.plan import EnforcementPlan
from spark_sig.tally import OBSERVED, CheckTally, Example, Key, Tally, cell, smallest

Counts = npt.NDArray[np.int64]

# From so many rows on it pays to look at the first key alone before any Python object is made.
_MANY = 256

_MOMENTS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_NTZ})


def summarise(plan: EnforcementPlan, outcome: Outcome, keys: Sequence[pa.Array] = ()) -> Tally:
    """Tally one batch; whole and sum of parts are the same.

    Args:
        plan: what the batch was held to.
        outcome: what was found.
        keys: the columns that name rows in examples, each as long as the batch.
    """
    limit = plan.policy.examples
    checks = {
        found.check: _tally(found, len(found.rows), None, keys, limit) for found in outcome.found
    }
    return Tally(limit, outcome.num_rows, len(outcome.violating()), checks)


def summarise_details(limit: int, details: pa.Array, counts: npt.ArrayLike) -> Tally:
    """Tally rows that stand for many: those that share a key and violations.

    Args:
        limit: how many examples to keep.
        details: struct<key: struct<…>, violations: list<struct<check: int32, observed: string>>>;
            violations are NULL or empty where the rows conform.
        counts: how many rows each one stands for.
    """
    weights: Counts = np.asarray(counts, dtype=np.int64)
    found_all = listed_found(details.field("violations"))
    key = details.field("key")
    keys = (
        [key.field(place) for place in range(key.type.num_fields)]
        if pat.is_struct(key.type)
        else []
    )
    hit = np.zeros(len(details), np.bool_)
    checks = {}
    for found in found_all:
        hit[found.rows] = True
        mine = weights[found.rows]
        if count := int(mine.sum()):
            checks[found.check] = _tally(found, count, mine, keys, limit)
    return Tally(limit, int(weights.sum()), int(weights[hit].sum()), checks)


def _tally(
    found: Found, count: int, weights: Counts | None, keys: Sequence[pa.Array], limit: int
) -> CheckTally:
    observed = tuple(sorted(set(found.observed))[:OBSERVED])
    if limit == 0:
        return CheckTally(count, observed)
    examples = _keyed(found, weights, keys, limit) if keys else _unkeyed(found, weights)
    return CheckTally(count, observed, smallest(_repeated(examples, limit), limit))


def _repeated(examples: Iterator[tuple[Example, int]], limit: int) -> Iterator[Example]:
    for example, times in examples:
        for _ in range(min(times, limit)):
            yield example


def _unkeyed(found: Found, weights: Counts | None) -> Iterator[tuple[Example, int]]:
    """Yield the distinct examples of rows that have no key, and how often each occurs."""
    seen: Counter[tuple[str, str | None]] = Counter()
    values = found.values
    pairs: Iterator[Any] = (
        zip(found.observed, values, strict=True)
        if values is not None
        else ((text, None) for text in found.observed)
    )
    if weights is None:
        seen.update(pairs)
    else:
        for pair, times in zip(pairs, weights.tolist(), strict=True):
            seen[pair] += times
    for (observed, value), times in seen.items():
        yield Example((), observed, value), times


def _keyed(
    found: Found, weights: Counts | None, keys: Sequence[pa.Array], limit: int
) -> Iterator[tuple[Example, int]]:
    """Yield examples among which the smallest ones are, and how often each occurs."""
    places = np.arange(len(found.rows))
    if len(places) > _MANY:
        counted = places if weights is None else places[weights > 0]
        places = counted[_candidates(keys[0], found.rows[counted], limit)]
    rows = pa.array(found.rows[places])
    cells = _cells([key.take(rows) for key in keys])
    for key, place in zip(cells, places.tolist(), strict=True):
        value = None if found.values is None else found.values[place]
        times = 1 if weights is None else int(weights[place])
        yield Example(key, found.observed[place], value), times


def _candidates(key: pa.Array, rows: Positions, limit: int) -> Positions:
    """Return the places whose first key is among the ``limit`` smallest, with all their ties.

    Order is that of cells: NULL, then values, then NaN.  What has no cheap order passes whole.
    """
    everything = np.arange(len(rows))
    key = plain(key.take(pa.array(rows)))
    kind = kind_of(key.type)
    valid = validity(key)
    known = everything if valid is None else np.flatnonzero(valid)
    room = limit - (len(rows) - len(known))
    if room <= 0:
        assert valid is not None
        return np.flatnonzero(~valid)
    if len(known) <= room:
        return everything
    if kind is Kind.STRING:
        # Arrow sorts UTF-8 bytes, which is the order of Python's strings.
        order = pc.sort_indices(key)  # NULLs come last
        edge = key[order[room - 1].as_py()]
        small = pc.fill_null(pc.less_equal(key, edge), False).to_numpy(zero_copy_only=False)
    elif kind in WIDTHS or kind is Kind.DATE:
        values = days(key) if kind is Kind.DATE else numbers(key, kind)
        # NumPy too puts NaN after all numbers.
        edge = np.partition(values[known], room - 1)[room - 1]
        small = values <= edge if edge == edge else np.ones(len(values), np.bool_)
    else:
        return everything
    return np.flatnonzero(small if valid is None else small | ~valid)


def _cells(keys: Sequence[pa.Array]) -> list[Key]:
    columns = [list(map(cell, _objects(key))) for key in keys]
    return list(zip(*columns, strict=True))


def _objects(key: pa.Array) -> list[Any]:
    """Return a key's values as Python objects, dates and times as text.

    What a value becomes depends on nothing but itself: on no other value of its batch.
    """
    kind = kind_of(key.type)
    if kind in _MOMENTS:
        return moment_texts(plain(key))
    try:
        return list(key.to_pylist())
    except (ValueError, OverflowError):
        return [_object(value) for value in key]


def _object(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        # Arrow's text, where Python has no such value.
        return str(value)
