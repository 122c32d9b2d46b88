"""Casts of scalar arrays: which values fail, and the array that comes out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_sig.casts import RANGES, SIGNIFICAND, Kind
from spark_sig.errors import assert_never
from spark_sig.kernels import decimals, floats, integers, text
from spark_sig.kernels.layout import WIDTHS, Mask, assemble, numbers, validity, words
from spark_sig.kernels.verdict import Verdicts
from spark_sig.plan import Leaf

# Microseconds.
DAY = 86_400_000_000


def decide(leaf: Leaf, array: pa.Array, valid: Mask | None) -> Verdicts:
    """Carry out a checked cast.

    Args:
        leaf: the kinds of what comes in and goes out.
        array: the values, in a plain layout.
        valid: which of them count; None for all.
    """
    whole = leaf.target in RANGES
    if not whole and leaf.target not in SIGNIFICAND:
        # Of all else only dates and instants are ever checked.
        return _instants(leaf, array, valid)
    match leaf.kind:
        case (
            Kind.INT8
            | Kind.INT16
            | Kind.INT32
            | Kind.INT64
            | Kind.UINT8
            | Kind.UINT16
            | Kind.UINT32
            | Kind.UINT64
        ):
            cast = integers.to_integer if whole else integers.to_float
            return cast(numbers(array, leaf.kind), valid, leaf.target)
        case Kind.FLOAT16 | Kind.FLOAT32 | Kind.FLOAT64:
            narrow = floats.to_integer if whole else floats.to_narrower
            return narrow(numbers(array, leaf.kind), valid, leaf.target)
        case Kind.DECIMAL:
            exact = decimals.to_integer if whole else decimals.to_float
            return exact(array, valid, leaf.target)
        case Kind.STRING:
            parse = text.to_integer if whole else text.to_float
            return parse(array, valid, leaf.target)
        case Kind.BOOL | Kind.BINARY | Kind.DATE | Kind.TIMESTAMP | Kind.TIMESTAMP_NTZ | Kind.NULL:
            raise AssertionError(f"no cast from {leaf.kind} to {leaf.target} is ever checked")
        case _:
            assert_never(leaf.kind)


def _instants(leaf: Leaf, array: pa.Array, valid: Mask | None) -> Verdicts:
    if pat.is_date32(array.type):
        return integers.to_midnights(words(array, np.int32), valid, DAY)
    if pat.is_date64(array.type):
        return integers.to_midnights(words(array, np.int64), valid, 1_000)
    if not pat.is_timestamp(array.type) or array.type.unit != "ns":
        raise AssertionError(f"no cast from {array.type} to {leaf.target} is ever checked")
    return integers.to_microseconds(numbers(array, leaf.kind), valid)


def widen(leaf: Leaf, array: pa.Array) -> pa.Array:
    """Carry out a cast in which every value, plain in layout, has an equal."""
    output = leaf.output
    if pat.is_null(array.type):
        return pa.nulls(len(array), output)
    if pat.is_timestamp(array.type):
        # A wall clock read as UTC, or a zone rewritten: the same numbers under another type.
        return array.view(output)
    if leaf.kind is Kind.FLOAT16:
        # Arrow learnt to cast half floats late.
        values = numbers(array, leaf.kind).astype(WIDTHS[leaf.target])
        return assemble(output, values, validity(array))
    return pc.cast(array, output)
