"""Checked casts of decimals: an unscaled integer and a power of ten."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_sig.casts import RANGES, SIGNIFICAND, Failure, Kind
from spark_sig.kernels.integers import outside, representable
from spark_sig.kernels.layout import WIDTHS, Mask, words
from spark_sig.kernels.verdict import CODE, FLOATS, Codes, Float, Verdicts, any_live

Int64s = npt.NDArray[np.int64]

# The powers that an int64 holds.  A higher one divides no int64 but 0.
_TENS = np.array([10**n for n in range(19)], np.int64)
_FIVES = np.array([5**n for n in range(28)], np.int64)


def to_integer(array: pa.Array, valid: Mask | None, target: Kind) -> Verdicts:
    """Cast decimals to an integer type: they have to be whole and in range."""
    if target is Kind.UINT64 and array.type.scale == 0:
        return _to_uint64(array, valid)
    unscaled, wide = _unscaled(array, valid)
    scale = array.type.scale
    if scale < 0:
        # Rare (Spark has none): exact Python integers.
        wide = np.ones(len(array), np.bool_)
    whole, codes = integers(unscaled, max(scale, 0), target)
    values = whole.astype(WIDTHS[target])
    for place, number in _exact(array, wide, valid):
        value, rest = divmod(number, 10**scale) if scale >= 0 else (number * 10**-scale, 0)
        codes[place] = _integer_code(value, rest, target)
        if codes[place] == 0:
            values[place] = value
    return Verdicts(codes if any_live(codes != 0, valid) else None, lambda: values)


def to_float(array: pa.Array, valid: Mask | None, target: Kind) -> Verdicts:
    """Cast decimals to a floating-point type: it has to have an equal value."""
    unscaled, wide = _unscaled(array, valid)
    scale = array.type.scale
    if scale < 0:
        wide = np.ones(len(array), np.bool_)
    values, codes = floats(unscaled, max(scale, 0), target)
    for place, number in _exact(array, wide, valid):
        value = exact_float(number, -scale, FLOATS[target])
        codes[place] = 0 if value is not None else CODE[Failure.INEXACT]
        values[place] = value or 0.0
    return Verdicts(
        codes if any_live(codes != 0, valid) else None, lambda: values.astype(WIDTHS[target])
    )


def integers(
    unscaled: Int64s, scale: int | npt.NDArray[np.integer[Any]], target: Kind
) -> tuple[Int64s, Codes]:
    """Decide whether ``unscaled / 10**scale`` is an integer of some type, and return it."""
    unit = _TENS[np.minimum(scale, len(_TENS) - 1)]
    whole = unscaled // unit
    broken = unscaled != whole * unit
    broken |= (np.asarray(scale) >= len(_TENS)) & (unscaled != 0)
    codes = np.zeros(len(unscaled), np.uint8)
    low, high = RANGES[target]
    codes[outside(whole, low, min(high, 2**63 - 1))] = CODE[Failure.OUT_OF_RANGE]
    codes[broken] = CODE[Failure.NON_INTEGRAL]
    return whole, codes


def floats(
    unscaled: Int64s, scale: int | npt.NDArray[np.integer[Any]], target: Kind
) -> tuple[npt.NDArray[np.float64], Codes]:
    """Decide whether ``unscaled / 10**scale`` is a float of some type, and return it.

    ``u / 10**s`` is ``(u / 5**s) / 2**s``: a dyadic number only if ``5**s`` divides ``u``, and
    then exact if what is left has few enough significant bits.  With ``s`` under 100 no float or
    double gets near the ends of its exponents.
    """
    exponent = np.asarray(scale)
    fives = _FIVES[np.minimum(exponent, len(_FIVES) - 1)]
    quotient = unscaled // fives
    good = unscaled == quotient * fives
    good &= (exponent < len(_FIVES)) | (unscaled == 0)
    good &= representable(quotient, SIGNIFICAND[target])
    codes = np.where(good, np.uint8(0), np.uint8(CODE[Failure.INEXACT]))
    return np.ldexp(quotient.astype(np.float64), -exponent.astype(np.int32)), codes


def exact_float(number: int, ten: int, target: Float) -> float | None:
    """Return ``number * 10**ten`` where a floating-point format has that very value, else None."""
    if number == 0:
        return 0.0
    size = abs(number)
    if ten >= 0:
        # The odd part holds 5**ten: beyond the significand there is nothing to compute.
        if ten > target.bits:
            return None
        odd = size * 5**ten
    else:
        if -ten * 2 > size.bit_length():
            return None
        odd, rest = divmod(size, 5**-ten)
        if rest:
            return None
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    if not target.holds(odd, twos + ten):
        return None
    value = math.ldexp(odd, twos + ten)
    return -value if number < 0 else value


def _integer_code(value: int, rest: int, target: Kind) -> int:
    low, high = RANGES[target]
    if rest:
        return CODE[Failure.NON_INTEGRAL]
    return 0 if low <= value <= high else CODE[Failure.OUT_OF_RANGE]


def _to_uint64(array: pa.Array, valid: Mask | None) -> Verdicts:
    """Cast decimals without a fraction to uint64: no bit above the 64th, the sign included."""
    parts = _words(array)
    bad = parts[:, 0] < 0 if parts.shape[1] == 1 else (parts[:, 1:] != 0).any(axis=1)
    codes = bad.astype(np.uint8) * np.uint8(CODE[Failure.OUT_OF_RANGE])
    return Verdicts(
        codes if any_live(bad, valid) else None, lambda: parts[:, 0].view(np.uint64).copy()
    )


def _unscaled(array: pa.Array, valid: Mask | None) -> tuple[Int64s, Mask]:
    """Return the unscaled values, and which of them do not fit int64."""
    parts = _words(array)
    low = parts[:, 0]
    if parts.shape[1] == 1:
        return low, np.zeros(len(low), np.bool_)
    return low, (parts[:, 1:] != (low >> 63)[:, None]).any(axis=1)


def _words(array: pa.Array) -> Int64s:
    """View values as rows of 64-bit words, the least significant first."""
    width = array.type.bit_width
    if width == 32:
        return words(array, np.int32).astype(np.int64)[:, None]
    count = width // 64
    return words(array, np.int64, count).reshape(len(array), count)


def _exact(array: pa.Array, wide: Mask, valid: Mask | None) -> list[tuple[int, int]]:
    """List place and value of those that need exact Python integers."""
    places = np.flatnonzero(wide if valid is None else wide & valid)
    rows = _words(array)[places]
    return [
        (int(place), int.from_bytes(row.tobytes(), "little", signed=True))
        for place, row in zip(places, rows, strict=True)
    ]
