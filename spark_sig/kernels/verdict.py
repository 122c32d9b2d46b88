"""Verdicts: what a checked cast decided about each value of an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spark_sig.casts import SIGNIFICAND, Failure, Kind
from spark_sig.kernels.layout import WIDTHS, Mask

# A failure's code is its place in the enum, plus one; 0 passes.
Codes = npt.NDArray[np.uint8]
CODE: dict[Failure, int] = {failure: place for place, failure in enumerate(Failure, 1)}

# Values are decided in blocks that stay in the processor's cache.
BLOCK = 1 << 15


class Verdicts(NamedTuple):
    """The outcome of a checked cast.

    Args:
        codes: one for each value; None where all pass.  Codes of values that do not count (NULL,
            or under a NULL parent) mean nothing.
        convert: makes the values in the target's type, anything where the code is not 0.
    """

    codes: Codes | None
    convert: Callable[[], npt.NDArray[Any]]


class Float(NamedTuple):
    """A binary floating-point format (IEEE 754).

    Args:
        bits: of its significand, the hidden one included.
        least: exponent of its smallest subnormal, a power of two.
        top: exponent of the first power of two beyond its largest value.
    """

    bits: int
    least: int
    top: int

    def holds(self, odd: int, exponent: int) -> bool:
        """Say whether ``odd * 2**exponent`` is one of its values; ``odd`` is odd and positive."""
        length = odd.bit_length()
        return length <= self.bits and exponent >= self.least and length + exponent <= self.top


FLOATS: dict[Kind, Float] = {
    Kind.FLOAT16: Float(SIGNIFICAND[Kind.FLOAT16], -24, 16),
    Kind.FLOAT32: Float(SIGNIFICAND[Kind.FLOAT32], -149, 128),
    Kind.FLOAT64: Float(SIGNIFICAND[Kind.FLOAT64], -1074, 1024),
}


def any_live(bad: Mask, valid: Mask | None) -> bool:
    """Say whether any value that counts is bad."""
    return bool(bad.any() if valid is None else (bad & valid).any())


def same(values: npt.NDArray[Any], target: Kind) -> Callable[[], npt.NDArray[Any]]:
    """Return a conversion of values that all have an equal in the target."""

    def convert() -> npt.NDArray[Any]:
        # What lies under a NULL may be anything, and warns of nothing.
        with np.errstate(all="ignore"):
            return values.astype(WIDTHS[target], copy=False)

    return convert
