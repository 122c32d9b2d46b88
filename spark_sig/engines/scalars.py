"""Python and NumPy scalars as Arrow arrays, typed by what they are."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from spark_sig.casts import RANGES, SIGNIFICAND, Cast, Kind, cast_rule
from spark_sig.compile.arrow import arrow_type
from spark_sig.policy import Casts
from spark_sig.types import DataType

# What Python's own scalars are, and the markers of a missing value.
_CLASSES: dict[type, Kind | None] = {
    type(None): Kind.NULL,
    type(pd.NA): Kind.NULL,
    type(pd.NaT): Kind.NULL,
    bool: Kind.BOOL,
    np.bool_: Kind.BOOL,
    int: Kind.INT64,
    float: Kind.FLOAT64,
    str: Kind.STRING,
    bytes: Kind.BINARY,
    bytearray: Kind.BINARY,
    decimal.Decimal: Kind.DECIMAL,
    dt.datetime: Kind.TIMESTAMP_NTZ,
    pd.Timestamp: Kind.TIMESTAMP_NTZ,
    np.datetime64: Kind.TIMESTAMP_NTZ,
    dt.date: Kind.DATE,
}
_NUMPY = {name: kind for kind in (*RANGES, *SIGNIFICAND) for name in (kind.name.lower(),)}
_ARROW: dict[Kind, pa.DataType] = {
    Kind.BOOL: pa.bool_(),
    Kind.INT8: pa.int8(),
    Kind.INT16: pa.int16(),
    Kind.INT32: pa.int32(),
    Kind.INT64: pa.int64(),
    Kind.UINT8: pa.uint8(),
    Kind.UINT16: pa.uint16(),
    Kind.UINT32: pa.uint32(),
    Kind.UINT64: pa.uint64(),
    Kind.FLOAT16: pa.float16(),
    Kind.FLOAT32: pa.float32(),
    Kind.FLOAT64: pa.float64(),
    Kind.STRING: pa.string(),
    Kind.BINARY: pa.binary(),
    Kind.DATE: pa.date32(),
}


FLOATS = (DataType.float, DataType.double)


def class_kind(cls: type) -> Kind | None:
    """Return what the instances of a class are, or None where they are no scalars.

    Example:
        >>> class_kind(np.float32), class_kind(tuple)
        (<Kind.FLOAT32: 'float'>, None)
    """
    if cls not in _CLASSES:
        kind = None
        if issubclass(cls, np.generic):
            kind = _NUMPY.get(cls.__name__)
        if kind is None:
            # bool before int, datetime before date: the first that fits is the narrowest
            kind = next((k for base, k in _CLASSES.items() if k and issubclass(cls, base)), None)
        if len(_CLASSES) > 500:  # classes made on the fly must not pile up
            return kind
        _CLASSES[cls] = kind
    return _CLASSES[cls]


def classes_name(classes: Iterable[type]) -> str:
    """Name what values are by their classes, nulls left out."""
    names = set()
    for cls in classes:
        kind = class_kind(cls)
        if kind is not Kind.NULL:
            names.add(cls.__name__ if kind is None else kind.value)
    return ("mixed " if len(names) > 1 else "") + " and ".join(sorted(names))


def read_scalars(
    items: Sequence[Any] | npt.NDArray[Any], target: DataType, casts: Casts, alone: bool
) -> tuple[pa.Array | None, str, bool]:
    """Read scalars that are to be of a type.

    Args:
        items: the scalars.
        target: the type.
        casts: the rule of casts, which each number has to fit by itself ...
        alone: ... also where another is a float: not so in a column or a list, which are of
            floats then, as they are in pandas and NumPy.

    Returns:
        The array, of the type that the scalars have; or None, and a name for what they are.  And
        whether numbers of different kinds were made one.
    """
    if isinstance(items, np.ndarray) and items.dtype != object:
        return *from_numpy(items), False
    classes = set(map(type, items))
    kinds = {class_kind(cls) for cls in classes}
    if None in kinds:
        return None, classes_name(classes), False
    found = {kind for kind in kinds if kind is not None}
    nulls = Kind.NULL in found
    found.discard(Kind.NULL)
    floats = found & SIGNIFICAND.keys()
    if floats and all_nan(items):
        numbers = found <= SIGNIFICAND.keys() | RANGES.keys()
        if not (numbers and target in FLOATS):
            # NaN among other things than floats is how pandas writes a missing value.
            found -= floats
            nulls = True
            if floats != {Kind.FLOAT64}:  # Arrow takes NaN of other widths for a value
                items = [None if isinstance(x, (float, np.floating)) else x for x in items]
    narrow = target is DataType.float and Kind.FLOAT64 in found <= SIGNIFICAND.keys()
    if narrow and all_nan(items, float):
        found = found - {Kind.FLOAT64} | {Kind.FLOAT32}  # NaN is one number in every width
    if len(found) > 1 and not _mixes(found, target, casts, alone):
        return None, classes_name(classes), False
    try:
        array = _array(items, found, target, nulls)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        array = None
    if array is None:
        name = classes_name(classes)
        name = name if name.startswith("mixed") else f"{name} beyond Arrow's range"
        return None, name, False
    return array, "", len(found) > 1


def _mixes(found: set[Kind], target: DataType, casts: Casts, alone: bool) -> bool:
    """Say whether scalars of different kinds may be made one."""
    if target is DataType.datetime:
        return True
    if all(cast_rule(kind, target, casts) is not Cast.REFUSED for kind in found):
        return True
    return target in FLOATS and casts == "safe" and not alone


def missing(items: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    """Find the nulls among values of any kind, or None where there is none.

    NaN is one beside other things than floats, where it is how pandas writes a missing value.

    Example:
        >>> missing(["x", np.nan, None]).tolist(), missing([0.5, np.nan])
        ([False, True, True], None)
    """
    if isinstance(items, np.ndarray) and items.dtype != object:
        nulls = np.isnat(items) if items.dtype.kind in "mM" else np.zeros(0, np.bool_)
        return nulls if bool(nulls.any()) else None
    objects = as_objects(items)
    nulls = pd.isna(objects)
    if not bool(nulls.any()):
        return None
    rest = {class_kind(cls) for cls in set(map(type, objects[~nulls]))}
    markers: tuple[type, ...] = (np.datetime64, np.timedelta64)
    if rest and not rest & SIGNIFICAND.keys():
        markers += (float, np.floating)
    for place in np.flatnonzero(nulls):
        item = objects[place]
        nulls[place] = class_kind(type(item)) is Kind.NULL or isinstance(item, markers)
    return nulls if bool(nulls.any()) else None


def as_objects(items: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values as an array of objects, one for each."""
    if isinstance(items, np.ndarray) and items.dtype == object and items.ndim == 1:
        return items
    made = np.empty(len(items), object)
    for place, item in enumerate(items):  # NumPy would take arrays and lists apart
        made[place] = item
    return made


def lists_mix(cells: Iterable[Iterable[Any]], target: DataType) -> bool:
    """Say whether each list with an integer that is no such float by itself is one of floats."""
    loose = {kind for kind in RANGES if cast_rule(kind, target, "safe") is Cast.REFUSED}
    kinds = ({class_kind(type(item)) for item in cell} for cell in cells)
    return not any(found & loose and not found & SIGNIFICAND.keys() for found in kinds)


def all_nan(
    items: Sequence[Any] | npt.NDArray[Any], classes: tuple[type, ...] | type = (float, np.floating)
) -> bool:
    """Say whether every float of some classes among some values is NaN."""
    return all(x != x for x in items if isinstance(x, classes))


def _array(
    items: Sequence[Any] | npt.NDArray[Any], found: set[Kind], target: DataType, nulls: bool
) -> pa.Array | None:
    """Build the array of scalars of some kinds; None where the kinds do not go together."""
    if not found:
        # Nothing says that a moment which is missing would have a zone.
        missing = pa.timestamp("us") if target is DataType.datetime else arrow_type(target)
        return pa.nulls(len(items), missing)
    if found & {Kind.TIMESTAMP_NTZ, Kind.DATE} and found <= {Kind.TIMESTAMP_NTZ, Kind.DATE}:
        return _moments(items, found)
    if found == {Kind.DECIMAL}:
        return pa.array(items, from_pandas=True)
    kind = _common(found)
    if kind is None:
        return None
    if kind in SIGNIFICAND:
        if nulls:  # Arrow reads pd.NA as null only where it reads NaN as null too
            items = [None if class_kind(type(x)) is Kind.NULL else x for x in items]
        return pa.array(items, _ARROW[kind], from_pandas=False)
    if kind is Kind.STRING:
        return texts(items)
    return pa.array(items, _ARROW[kind], from_pandas=True)


def texts(items: Sequence[Any] | npt.NDArray[Any]) -> pa.Array:
    """Build the array of texts; lone surrogates, which UTF-8 cannot write, stand in it escaped."""
    try:
        return pa.array(items, pa.string(), from_pandas=True)
    except UnicodeEncodeError:
        escaped = [escape(item) if isinstance(item, str) else item for item in items]
        return pa.array(escaped, pa.string(), from_pandas=True)


def escape(text: str) -> str:
    """Return a text that UTF-8 can write: lone surrogates as Python's literals write them.

    Example:
        >>> escape("a\\ud800")
        'a\\\\ud800'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _common(found: set[Kind]) -> Kind | None:
    """Return the kind that holds scalars of some kinds; None where they do not go together.

    Numbers go together as in NumPy, but integers stay integers; one that is too large for the
    kind, or that its floats cannot hold, is refused when the array is made.
    """
    if len(found) == 1:
        return next(iter(found))
    if not found <= RANGES.keys() | SIGNIFICAND.keys():
        return None
    common = _NUMPY[np.result_type(*(kind.name.lower() for kind in found)).name]
    return Kind.INT64 if found <= RANGES.keys() and common in SIGNIFICAND else common


def _moments(items: Sequence[Any] | npt.NDArray[Any], found: set[Kind]) -> pa.Array | None:
    """Build the array of dates, or of datetimes and dates, of one zone or of none.

    None where no unit holds every moment: none is ever cut to fit.
    """
    if found == {Kind.DATE}:
        return pa.array(items, pa.date32(), from_pandas=True)
    zoned: set[bool] = set()
    moments: list[Any] = []
    fine = False
    for item in items:
        if isinstance(item, np.datetime64):
            stamp = pd.Timestamp(item)
            if not np.isnat(item) and stamp.asm8.astype(item.dtype) != item:
                return None
            item = stamp
        if class_kind(type(item)) is Kind.NULL or item is pd.NaT or item != item:
            item = None
        elif isinstance(item, dt.datetime):
            zoned.add(item.tzinfo is not None)
            fine = fine or isinstance(item, pd.Timestamp)
        else:
            item = dt.datetime(item.year, item.month, item.day)
            zoned.add(False)
        moments.append(item)
    if len(zoned) > 1:
        return None
    zone = "UTC" if True in zoned else None
    if fine:
        try:
            return pa.array(moments, pa.timestamp("ns", zone))
        except (pa.ArrowInvalid, OverflowError):  # before 1677 or after 2262
            # Arrow would drop nanoseconds, and read a year that Python has not as another.
            if any(isinstance(moment, pd.Timestamp) and _beyond(moment) for moment in moments):
                return None
    return pa.array(moments, pa.timestamp("us", zone))


def _beyond(moment: pd.Timestamp) -> bool:
    return moment.nanosecond != 0 or not dt.MINYEAR <= moment.year <= dt.MAXYEAR


def from_numpy(values: npt.NDArray[Any]) -> tuple[pa.Array | None, str]:
    """Return the elements of a NumPy array of one dimension in Arrow, NaN as NaN and NaT as null.

    Returns:
        The array, without a copy where Arrow can; or None, and the name of the dtype.
    """
    if values.dtype.kind == "M":
        unit = np.datetime_data(values.dtype)[0]
        if unit in ("Y", "M", "W"):
            values = values.astype("M8[D]")
        elif unit in ("h", "m"):
            values = values.astype("M8[s]")
        elif unit not in ("D", "s", "ms", "us", "ns"):
            return None, str(values.dtype)
    elif values.dtype.kind not in "biufSU" or (
        values.dtype.itemsize > 8 and values.dtype.kind in "f"
    ):
        return None, str(values.dtype)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    if values.dtype.kind in "SU" and _has_nul_inside(values):
        # Arrow reads text up to the first NUL, NumPy up to those at its end.
        items = values.tolist()
        return texts(items) if values.dtype.kind == "U" else pa.array(items, pa.binary()), ""
    return pa.array(np.ascontiguousarray(values), from_pandas=False), ""


def _has_nul_inside(values: npt.NDArray[Any]) -> bool:
    width = np.dtype(np.uint8 if values.dtype.kind == "S" else np.uint32)
    length = values.dtype.itemsize // width.itemsize
    if not len(values) or length < 2:
        return False
    characters = np.ascontiguousarray(values).view(width).reshape(len(values), length)
    return bool(((characters[:, :-1] == 0) & (characters[:, 1:] != 0)).any())
