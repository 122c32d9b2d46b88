"""Checked casts of floating-point numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spark_sig.casts import RANGES, Failure, Kind
from spark_sig.kernels.layout import WIDTHS, Mask
from spark_sig.kernels.verdict import BLOCK, CODE, Codes, Verdicts, any_live, same

Floats = npt.NDArray[np.floating[Any]]

# The bits of -0.0: no other double has the least of all int64 as its bits.
_NEGATIVE_ZERO = np.iinfo(np.int64).min


def to_integer(values: Floats, valid: Mask | None, target: Kind) -> Verdicts:
    """Cast floats to an integer type: they have to be whole, in range, and not -0.0."""
    low, high = RANGES[target]
    # Both bounds are powers of two, so exact: high itself may not be.
    bottom, beyond = float(low), float(high + 1)
    bad = np.empty(len(values), np.bool_)
    with np.errstate(all="ignore"):
        for start in range(0, len(values), BLOCK):
            part = values[start : start + BLOCK].astype(np.float64, copy=False)
            good = np.rint(part) == part
            good &= part >= bottom
            good &= part < beyond
            good &= np.ascontiguousarray(part).view(np.int64) != _NEGATIVE_ZERO
            np.logical_not(good, out=bad[start : start + BLOCK])
    codes = _classify(values, bad) if any_live(bad, valid) else None
    return Verdicts(codes, same(values, target))


def to_narrower(values: Floats, valid: Mask | None, target: Kind) -> Verdicts:
    """Cast floats to a format with fewer bits: it has to have an equal value, or NaN for NaN."""
    narrow = WIDTHS[target]
    bad = np.empty(len(values), np.bool_)
    with np.errstate(all="ignore"):
        for start in range(0, len(values), BLOCK):
            part = values[start : start + BLOCK]
            bad[start : start + BLOCK] = (part.astype(narrow) != part) & (part == part)
    if not any_live(bad, valid):
        return Verdicts(None, same(values, target))
    return Verdicts(bad.astype(np.uint8) * np.uint8(CODE[Failure.INEXACT]), same(values, target))


def _classify(values: Floats, bad: Mask) -> Codes:
    codes = np.zeros(len(values), np.uint8)
    places = np.flatnonzero(bad)
    found = values[places].astype(np.float64)
    with np.errstate(all="ignore"):
        codes[places] = np.select(
            [
                np.isnan(found),
                np.isinf(found),
                np.rint(found) != found,
                found == 0,
            ],
            [
                np.uint8(CODE[Failure.NAN]),
                np.uint8(CODE[Failure.INFINITE]),
                np.uint8(CODE[Failure.NON_INTEGRAL]),
                np.uint8(CODE[Failure.NEGATIVE_ZERO]),
            ],
            np.uint8(CODE[Failure.OUT_OF_RANGE]),
        )
    return codes
