"""The rules by which a scalar of one signature is cast to that of another."""

from __future__ import annotations

from collections.abc import Callable

from spark_sig.casts import NATIVE, Cast, Kind, cast_rule, lossless_rule
from spark_sig.diff.verdict import BY_VALUE, FITS, REFUSED, WIDENS, Compatibility, Verdict
from spark_sig.errors import assert_never
from spark_sig.params import READINGS
from spark_sig.policy import Casts
from spark_sig.types import DataType

ScalarRule = Callable[[DataType, DataType], Verdict]

_LOSSLESS = Verdict(Compatibility.LOSSY, "by value, under casts='lossless'")


def column_cast(casts: Casts, source: DataType, target: DataType) -> Verdict:
    """Judge a scalar of a column, under the casts that a policy allows."""
    rule = cast_rule(NATIVE[source], target, casts)
    match rule:
        case Cast.IDENTITY:
            return FITS
        case Cast.WIDEN:
            return WIDENS
        case Cast.CHECKED:
            return BY_VALUE
        case Cast.REFUSED:
            lossless = lossless_rule(NATIVE[source], NATIVE[target]) is not Cast.REFUSED
            return _LOSSLESS if lossless and casts == "safe" else REFUSED
        case _:
            assert_never(rule)


def param_cast(source: DataType, target: DataType) -> Verdict:
    """Judge a scalar among params, which know one rule."""
    if source is target:
        return FITS
    if DataType.datetime in (source, target):
        # A moment may be given as text.
        texts = (DataType.string, DataType.binary)
        return BY_VALUE if source in texts else REFUSED
    if not READINGS[source].numpy <= READINGS[target].numpy:
        return REFUSED
    # A float among params is Python's, a double.
    held = Kind.FLOAT64 if READINGS[target].make is float else NATIVE[target]
    return WIDENS if lossless_rule(NATIVE[source], held) is Cast.WIDEN else BY_VALUE
