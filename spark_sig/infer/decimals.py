"""Decimals: what a signature, which has none, takes them for."""

from __future__ import annotations

from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.naming import is_list

# What decimals with a fraction, or with more digits than a long, become: an error, or a double.
Decimals: TypeAlias = Literal["refuse", "double"]

# Digits that an integer and a long surely hold.
INTEGER_DIGITS, LONG_DIGITS = 9, 18


def without_decimals(field: pa.Field, decimals: Decimals = "refuse") -> pa.Field:
    """Return a field whose decimals are numbers that a signature has.

    Those without a fraction become integers where their digits fit, others doubles where asked
    for; what is left no signature can say.

    Example:
        >>> without_decimals(pa.field("a", pa.list_(pa.decimal128(18, 0)))).type
        ListType(list<item: int64>)
    """
    return field.with_type(_without(field.type, decimals))


def _without(dtype: pa.DataType, decimals: Decimals) -> pa.DataType:
    if pat.is_decimal(dtype):
        if dtype.scale == 0 and dtype.precision <= LONG_DIGITS:
            return pa.int32() if dtype.precision <= INTEGER_DIGITS else pa.int64()
        return pa.float64() if decimals == "double" else dtype
    if is_list(dtype):
        return pa.list_(without_decimals(dtype.value_field, decimals))
    if pat.is_map(dtype):
        return pa.map_(dtype.key_field, without_decimals(dtype.item_field, decimals))
    if pat.is_struct(dtype):
        members = (dtype.field(i) for i in range(dtype.num_fields))
        return pa.struct([without_decimals(member, decimals) for member in members])
    return dtype


def has_decimals(dtype: pa.DataType) -> bool:
    """Say whether there are decimals in a type."""
    if pat.is_map(dtype):
        return has_decimals(dtype.item_type)
    inside = (dtype.field(i).type for i in range(dtype.num_fields))
    return pat.is_decimal(dtype) or any(map(has_decimals, inside))
