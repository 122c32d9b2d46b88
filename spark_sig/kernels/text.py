"""Checked casts of strings to numbers.

The grammar is ``[+-]?digits[.digits][e[+-]digits]``, in ASCII, with nothing around it.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spark_sig.casts import RANGES, Failure, Kind
from spark_sig.kernels.decimals import exact_float, floats, integers
from spark_sig.kernels.layout import WIDTHS, Mask, unpack
from spark_sig.kernels.verdict import CODE, FLOATS, Codes, Verdicts, any_live

_PLAIN = r"\A[+-]?[0-9]+(?:\.[0-9]+)?\z"
_GRAMMAR = r"([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?"
_NUMBER = re.compile(_GRAMMAR)
# So many characters hold no more digits than an int64 does.
_SHORT = 18
# More significant digits than any double has (767): nothing with so many is one.
_LONGEST = 800
# An exponent of ten that takes every number out of every range, whatever its digits.
_HUGE = 10**10


def to_integer(array: pa.Array, valid: Mask | None, target: Kind) -> Verdicts:
    """Cast strings to an integer type: they have to denote a whole number in its range."""
    plain, codes = _plain(array)
    values = np.zeros(len(array), np.int64)
    unscaled, scale = _digits(array, plain)
    values[plain], codes[plain] = integers(unscaled, scale, target)
    for place, text in _others(array, plain | (codes != 0), valid):
        codes[place], values[place] = _integer(text, target)
    return Verdicts(
        codes if any_live(codes != 0, valid) else None, lambda: values.astype(WIDTHS[target])
    )


def to_float(array: pa.Array, valid: Mask | None, target: Kind) -> Verdicts:
    """Cast strings to a floating-point type: it has to have the very value that they denote."""
    plain, codes = _plain(array)
    values = np.zeros(len(array), np.float64)
    unscaled, scale = _digits(array, plain)
    values[plain], codes[plain] = floats(unscaled, scale, target)
    # Both zeros equal what "-0" says; only one keeps its sign.
    places = np.flatnonzero(plain)[unscaled == 0]
    if len(places):
        signed = _flags(pc.starts_with(array.take(pa.array(places)), "-"))
        values[places[signed]] = -0.0
    for place, text in _others(array, plain | (codes != 0), valid):
        codes[place], values[place] = _float(text, target)
    return Verdicts(
        codes if any_live(codes != 0, valid) else None, lambda: values.astype(WIDTHS[target])
    )


def _plain(array: pa.Array) -> tuple[Mask, Codes]:
    """Say which strings are short and without exponent, and which are no numbers at all.

    The former are decided all at once, the latter are by this; few are neither.
    """
    plain = _flags(pc.match_substring_regex(array, _PLAIN))
    codes = np.zeros(len(array), np.uint8)
    if not plain.all():
        malformed = ~plain
        left = array.filter(pa.array(malformed))
        malformed[malformed] = ~_flags(pc.match_substring_regex(left, rf"\A(?:{_GRAMMAR})\z"))
        codes[malformed] = CODE[Failure.MALFORMED]
    if len(array):
        plain &= _flags(pc.less_equal(pc.binary_length(array), _SHORT))
    return plain, codes


def _digits(array: pa.Array, plain: Mask) -> tuple[npt.NDArray[np.int64], Any]:
    """Read plain strings as integers, and count the digits after their points."""
    if not plain.all():
        array = array.filter(pa.array(plain))
    points = pc.find_substring(array, ".").to_numpy(zero_copy_only=False)
    scale: Any = 0
    if (points >= 0).any():
        lengths = pc.binary_length(array).to_numpy(zero_copy_only=False)
        scale = np.where(points >= 0, lengths - points - 1, 0)
        array = pc.replace_substring(array, ".", "")
    array = pc.utf8_ltrim(array, "+")
    return pc.cast(array, pa.int64()).to_numpy(zero_copy_only=False), scale


def _others(array: pa.Array, decided: Mask, valid: Mask | None) -> list[tuple[int, str]]:
    rest = ~decided if valid is None else ~decided & valid
    places = np.flatnonzero(rest)
    return list(zip(places.tolist(), array.take(pa.array(places)).to_pylist(), strict=True))


def _integer(text: str, target: Kind) -> tuple[int, int]:
    negative, digits, ten = _parse(text)
    if ten < 0:
        return CODE[Failure.NON_INTEGRAL], 0
    if digits and len(digits) + ten > 20:
        return CODE[Failure.OUT_OF_RANGE], 0
    value = int(digits or "0") * 10 ** (ten if digits else 0)
    value = -value if negative else value
    low, high = RANGES[target]
    return (0, value) if low <= value <= high else (CODE[Failure.OUT_OF_RANGE], 0)


def _float(text: str, target: Kind) -> tuple[int, float]:
    negative, digits, ten = _parse(text)
    if len(digits) > _LONGEST:
        return CODE[Failure.INEXACT], 0.0
    value = exact_float(int(digits or "0"), ten if digits else 0, FLOATS[target])
    if value is None:
        return CODE[Failure.INEXACT], 0.0
    return 0, -value if negative else value


def _parse(text: str) -> tuple[bool, str, int]:
    """Take a number apart into its sign, significant digits (none for 0) and power of ten."""
    found = _NUMBER.fullmatch(text)
    assert found is not None
    sign, whole, fraction, turn, power = found.groups(default="")
    digits = (whole + fraction).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return sign == "-", "", 0
    power = power.lstrip("0")
    # Python refuses to read thousands of digits, and nothing needs them.
    ten = int(power or "0") if len(power) < 10 else _HUGE
    ten = (-ten if turn == "-" else ten) - len(fraction) + len(digits) - len(kept)
    return sign == "-", kept, ten


def _flags(mask: pa.Array) -> Mask:
    """Read booleans; NULL is false."""
    flags = mask.fill_null(False)
    if len(flags) == 0:
        return np.zeros(0, np.bool_)
    return unpack(flags.buffers()[1], flags.offset, len(flags))
