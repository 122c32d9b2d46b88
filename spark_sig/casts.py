"""The cast table: which scalar may become which, under which policy, and how a value can fail."""

from __future__ import annotations

from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_sig.policy import Casts
from spark_sig.types import DataType


class Kind(Enum):
    """A scalar as it is stored, whatever the container.  The value is its name in reports."""

    BOOL = "boolean"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "integer"
    INT64 = "long"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT16 = "float16"
    FLOAT32 = "float"
    FLOAT64 = "double"
    DECIMAL = "decimal"
    STRING = "string"
    BINARY = "binary"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMP_NTZ = "timestamp_ntz"
    NULL = "null"


class Cast(Enum):
    """The verdict on a pair of types."""

    IDENTITY = "identity"  # nothing to do
    WIDEN = "widen"  # every value has an equal in the target
    CHECKED = "checked"  # decided value by value
    REFUSED = "refused"  # never


class Failure(Enum):
    """A class of values that a checked cast turns away, in the order in which they are tried."""

    MALFORMED = "malformed"
    NAN = "NaN"
    INFINITE = "infinite"
    NON_INTEGRAL = "non-integral"
    NEGATIVE_ZERO = "negative zero"
    OUT_OF_RANGE = "out-of-range"
    INEXACT = "inexact"

    def of(self, kind: Kind) -> str:
        """Name the class for reports, such as ``non-integral double``."""
        return f"{self.value} {kind.value}"


# What each scalar type of a signature is when stored as itself.
NATIVE: dict[DataType, Kind] = {
    DataType.boolean: Kind.BOOL,
    DataType.integer: Kind.INT32,
    DataType.long: Kind.INT64,
    DataType.float: Kind.FLOAT32,
    DataType.double: Kind.FLOAT64,
    DataType.string: Kind.STRING,
    DataType.binary: Kind.BINARY,
    DataType.datetime: Kind.TIMESTAMP,
}

# MLflow's safe casts, from types alone (mlflow.models.utils, FACTS "What MLflow does").
SAFE: dict[DataType, frozenset[Kind]] = {
    DataType.boolean: frozenset(),
    DataType.integer: frozenset({Kind.INT8, Kind.INT16, Kind.UINT8, Kind.UINT16}),
    DataType.long: frozenset(
        {Kind.INT8, Kind.INT16, Kind.INT32, Kind.UINT8, Kind.UINT16, Kind.UINT32}
    ),
    DataType.float: frozenset({Kind.FLOAT16}),
    DataType.double: frozenset(
        {
            Kind.INT8,
            Kind.INT16,
            Kind.INT32,
            Kind.UINT8,
            Kind.UINT16,
            Kind.UINT32,
            Kind.FLOAT16,
            Kind.FLOAT32,
        }
    ),
    DataType.string: frozenset(),
    DataType.binary: frozenset(),
    DataType.datetime: frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_NTZ}),
}

# Closed integer ranges.
RANGES: dict[Kind, tuple[int, int]] = {
    Kind.INT8: (-(2**7), 2**7 - 1),
    Kind.INT16: (-(2**15), 2**15 - 1),
    Kind.INT32: (-(2**31), 2**31 - 1),
    Kind.INT64: (-(2**63), 2**63 - 1),
    Kind.UINT8: (0, 2**8 - 1),
    Kind.UINT16: (0, 2**16 - 1),
    Kind.UINT32: (0, 2**32 - 1),
    Kind.UINT64: (0, 2**64 - 1),
}

# Days on either side of 1970 whose midnight a timestamp, 64 bits of microseconds, reaches.
DAYS = (2**63 - 1) // 86_400_000_000

# Bits of the significand, the hidden one included (IEEE 754): integers up to 2**bits are exact.
SIGNIFICAND: dict[Kind, int] = {Kind.FLOAT16: 11, Kind.FLOAT32: 24, Kind.FLOAT64: 53}

NUMBERS = frozenset(RANGES) | frozenset(SIGNIFICAND) | {Kind.DECIMAL}

# NumPy dtypes of tensors whose elements some Arrow type stores as they are.
DTYPES: dict[str, Kind] = {
    "bool": Kind.BOOL,
    "int8": Kind.INT8,
    "int16": Kind.INT16,
    "int32": Kind.INT32,
    "int64": Kind.INT64,
    "uint8": Kind.UINT8,
    "uint16": Kind.UINT16,
    "uint32": Kind.UINT32,
    "uint64": Kind.UINT64,
    "float16": Kind.FLOAT16,
    "float32": Kind.FLOAT32,
    "float64": Kind.FLOAT64,
    "str": Kind.STRING,
    "bytes": Kind.BINARY,
    "datetime64[us]": Kind.TIMESTAMP_NTZ,
}

# Types that Spark has, standing in for dtypes that it lacks; every element is checked.
CARRIERS: dict[Kind, frozenset[Kind]] = {
    Kind.UINT8: frozenset({Kind.INT16, Kind.INT32, Kind.INT64}),
    Kind.UINT16: frozenset({Kind.INT32, Kind.INT64}),
    Kind.UINT32: frozenset({Kind.INT64}),
    Kind.UINT64: frozenset({Kind.DECIMAL}),
    Kind.FLOAT16: frozenset({Kind.FLOAT32}),
}

_KINDS: tuple[tuple[Kind, str], ...] = (
    (Kind.BOOL, "is_boolean"),
    (Kind.INT8, "is_int8"),
    (Kind.INT16, "is_int16"),
    (Kind.INT32, "is_int32"),
    (Kind.INT64, "is_int64"),
    (Kind.UINT8, "is_uint8"),
    (Kind.UINT16, "is_uint16"),
    (Kind.UINT32, "is_uint32"),
    (Kind.UINT64, "is_uint64"),
    (Kind.FLOAT16, "is_float16"),
    (Kind.FLOAT32, "is_float32"),
    (Kind.FLOAT64, "is_float64"),
    (Kind.DECIMAL, "is_decimal"),
    (Kind.STRING, "is_string"),
    (Kind.STRING, "is_large_string"),
    (Kind.STRING, "is_string_view"),
    (Kind.BINARY, "is_binary"),
    (Kind.BINARY, "is_large_binary"),
    (Kind.BINARY, "is_binary_view"),
    (Kind.BINARY, "is_fixed_size_binary"),
    (Kind.DATE, "is_date"),
    (Kind.NULL, "is_null"),
)
_BY_ID: dict[int, Kind] = {}


def kind_of(dtype: pa.DataType) -> Kind | None:
    """Return what a stored scalar is, or None where it is nested or none that is known.

    Dictionaries and run-ends count as what they encode.
    """
    if pat.is_dictionary(dtype) or pat.is_run_end_encoded(dtype):
        return kind_of(dtype.value_type)
    if pat.is_timestamp(dtype):
        return Kind.TIMESTAMP if dtype.tz else Kind.TIMESTAMP_NTZ
    found = _BY_ID.get(dtype.id)
    if found is None:
        for kind, test in _KINDS:
            # pyarrow grew the view types late: an older one has no such test.
            known = getattr(pat, test, None)
            if known is not None and known(dtype):
                _BY_ID[dtype.id] = found = kind
                break
    return found


def cast_rule(source: Kind, target: DataType, casts: Casts) -> Cast:
    """Decide a pair of types under a policy.

    A column that holds nothing but nulls fits every target.

    Example:
        >>> cast_rule(Kind.INT64, DataType.double, "safe")
        <Cast.REFUSED: 'refused'>
        >>> cast_rule(Kind.INT64, DataType.double, "lossless")
        <Cast.CHECKED: 'checked'>
    """
    native = NATIVE[target]
    if target is DataType.datetime and source in (Kind.TIMESTAMP, Kind.TIMESTAMP_NTZ):
        return Cast.IDENTITY
    if source is native:
        return Cast.IDENTITY
    if casts == "exact":
        return Cast.REFUSED
    if source is Kind.NULL or source in SAFE[target]:
        return Cast.WIDEN
    if casts == "safe":
        return Cast.REFUSED
    return lossless_rule(source, native)


def lossless_rule(source: Kind, target: Kind) -> Cast:
    """Decide whether values of a kind may become another where each finds its equal there."""
    if source is target:
        return Cast.IDENTITY
    if target not in NUMBERS or source not in NUMBERS | {Kind.STRING}:
        return Cast.REFUSED
    if source in RANGES:
        low, high = RANGES[source]
        if target in RANGES:
            bottom, top = RANGES[target]
            return Cast.WIDEN if bottom <= low and high <= top else Cast.CHECKED
        if target in SIGNIFICAND and max(-low, high) <= 2 ** SIGNIFICAND[target]:
            return Cast.WIDEN
    if source in SIGNIFICAND and target in SIGNIFICAND:
        return Cast.WIDEN if SIGNIFICAND[source] < SIGNIFICAND[target] else Cast.CHECKED
    return Cast.CHECKED


def remedy_for(source: Kind | None, target: DataType, casts: Casts) -> str:
    """Say what the user of a refused cast can do."""
    if source is None:
        return f"cast the column to {target.value} first"
    if casts != "lossless" and cast_rule(source, target, "lossless") is not Cast.REFUSED:
        return f"cast the column to {target.value}, or choose casts='lossless' to decide by value"
    return f"cast the column to {target.value} first, or change the signature"


def dtype_kind(dtype: np.dtype[np.generic]) -> Kind | None:
    """Return what a tensor's element is when stored in Arrow, None where nothing stores it."""
    return DTYPES.get(dtype.name)
