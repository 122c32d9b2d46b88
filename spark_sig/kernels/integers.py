"""Checked casts of integers, and of instants, which are stored as integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spark_sig.casts import RANGES, SIGNIFICAND, Failure, Kind
from spark_sig.kernels.layout import Mask
from spark_sig.kernels.verdict import CODE, Codes, Verdicts, any_live, same

Integers = npt.NDArray[np.integer[Any]]


def to_integer(values: Integers, valid: Mask | None, target: Kind) -> Verdicts:
    """Cast integers to another integer type: they have to lie in its range."""
    low, high = RANGES[target]
    if _within(values, low, high):
        return Verdicts(None, same(values, target))
    bad = outside(values, low, high)
    return Verdicts(_coded(bad, valid, Failure.OUT_OF_RANGE), same(values, target))


def to_float(values: Integers, valid: Mask | None, target: Kind) -> Verdicts:
    """Cast integers to a floating-point type: it has to have an equal value."""
    edge = 2 ** SIGNIFICAND[target]
    if _within(values, -edge, edge):
        return Verdicts(None, same(values, target))
    bad = outside(values, -edge, edge)
    places = np.flatnonzero(bad)
    bad[places] = ~representable(values[places], SIGNIFICAND[target])
    return Verdicts(_coded(bad, valid, Failure.INEXACT), same(values, target))


def to_microseconds(values: npt.NDArray[np.int64], valid: Mask | None) -> Verdicts:
    """Cast instants in nanoseconds to microseconds: they have to be whole ones."""
    bad = values % 1000 != 0
    return Verdicts(_coded(bad, valid, Failure.INEXACT), lambda: values // 1000)


def to_midnights(values: Integers, valid: Mask | None, unit: int) -> Verdicts:
    """Cast dates to microseconds, in units of so many: 64 bits reach less far than some dates."""
    # Whole units towards zero: the range of 64 bits has an end of its own on either side.
    low, high = -(2**63 // unit), (2**63 - 1) // unit

    def convert() -> npt.NDArray[np.int64]:
        # Out of range it wraps, and does not count.
        return values.astype(np.int64) * np.int64(unit)

    if _within(values, low, high):
        return Verdicts(None, convert)
    bad = outside(values, low, high)
    return Verdicts(_coded(bad, valid, Failure.OUT_OF_RANGE), convert)


def representable(values: Integers, bits: int) -> Mask:
    """Say which integers of up to 64 bits have no more than ``bits`` significant ones.

    That makes them values of every floating-point format with so many bits: all of these reach
    beyond 2**64, but for half precision, which no integer is cast to.
    """
    size = magnitude(values)
    lowest = size & (~size + np.uint64(1))
    # Zero has no lowest bit; any divisor will do.
    odd = size // np.maximum(lowest, np.uint64(1))
    return odd <= np.uint64(2**bits)


def magnitude(values: Integers) -> npt.NDArray[np.uint64]:
    """Return absolute values; that of -2**63 has no room in int64."""
    if values.dtype.kind == "u":
        return values.astype(np.uint64)
    wide = values.astype(np.int64)
    raw = wide.view(np.uint64)
    return np.where(wide < 0, ~raw + np.uint64(1), raw)


def outside(values: Integers, low: int, high: int) -> Mask:
    """Say which integers lie outside a closed range, which may be wider than their type."""
    limits = np.iinfo(values.dtype)
    bad = np.zeros(len(values), np.bool_)
    if low > limits.min:
        bad |= values < values.dtype.type(low)
    if high < limits.max:
        bad |= values > values.dtype.type(high)
    return bad


def _within(values: Integers, low: int, high: int) -> bool:
    # Two passes that write nothing; NULLs hide any value, so a miss proves nothing yet.
    return len(values) == 0 or (low <= int(values.min()) and int(values.max()) <= high)


def _coded(bad: Mask, valid: Mask | None, failure: Failure) -> Codes | None:
    return bad.astype(np.uint8) * np.uint8(CODE[failure]) if any_live(bad, valid) else None
