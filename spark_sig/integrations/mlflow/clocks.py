"""Clocks: instants as wall clock of the session's time zone, and back, at any depth."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_sig.errors import SignatureError
from spark_sig.kernels.layout import Lists, rebuild_map, struct, validity
from spark_sig.naming import is_list

# Releases of Arrow before 22 know no zone that is called by its offset.
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d)")


def refuse_zone(zone: str) -> None:
    """Refuse a time zone that Spark knows and Arrow does not.

    Raises:
        SignatureError: where it is one.
    """
    if _offset(zone) is not None:
        return
    try:
        pc.local_timestamp(pa.array([0], pa.timestamp("us", zone)))
    except pa.ArrowInvalid:
        raise SignatureError(
            f"Arrow knows no time zone {zone!r}",
            path="spark.sql.session.timeZone",
            remedy="name a region, such as Asia/Seoul, or an offset, such as +09:00",
        ) from None


def wall_clock(array: pa.Array, zone: str) -> pa.Array:
    """Return instants as the wall clock of a time zone, as Spark's functions in pandas see them."""
    offset = _offset(zone)

    def local(moments: pa.Array) -> pa.Array:
        if moments.type.tz is None:
            return moments
        if offset is not None:
            return pc.add_checked(
                moments.cast(pa.timestamp(moments.type.unit)), _by(offset, moments)
            )
        return pc.local_timestamp(moments.cast(pa.timestamp(moments.type.unit, zone)))

    return _each(array, local)


def instants(array: pa.Array, zone: str) -> pa.Array:
    """Return wall clock of a time zone as instants: the way back of :func:`wall_clock`.

    Of two instants that clocks show alike the first is meant; what they skip is the end of the gap.
    """
    offset = _offset(zone)

    def moved(moments: pa.Array) -> pa.Array:
        if moments.type.tz is not None:
            return moments
        utc = pa.timestamp(moments.type.unit, "UTC")
        if offset is not None:
            return pc.subtract_checked(moments, _by(offset, moments)).cast(utc)
        known = pc.assume_timezone(moments, zone, ambiguous="earliest", nonexistent="latest")
        return known.cast(utc)

    return _each(array, moved)


def _offset(zone: str) -> timedelta | None:
    """Return how far clocks of a zone are ahead of UTC, where its name says so: ``+05:30``."""
    found = _OFFSET.fullmatch(zone)
    if found is None:
        return None
    ahead = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"]))
    return -ahead if found["sign"] == "-" else ahead


def _by(offset: timedelta, moments: pa.Array) -> pa.Scalar:
    """Return an offset in the unit of the timestamps that it is added to, which they then keep."""
    return pa.scalar(offset, pa.duration(moments.type.unit))


def _each(array: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return an array with all timestamps in it changed."""
    dtype = array.type
    if pat.is_timestamp(dtype):
        return change(array)
    if pat.is_struct(dtype):
        members = [_each(array.field(place), change) for place in range(dtype.num_fields)]
        fields = [dtype.field(place) for place in range(dtype.num_fields)]
        typed = [f.with_type(one.type) for f, one in zip(fields, members, strict=True)]
        return struct(pa.struct(typed), len(array), members, validity(array))
    if is_list(dtype):
        inside = Lists.of(array)
        values = _each(inside.values, change)
        same = values.type == dtype.value_type
        return array if same else inside.rebuild(pa.list_(values.type), values, validity(array))
    if pat.is_map(dtype):
        inside = Lists.of(array)
        keys, values = inside.values.field(0), _each(inside.values.field(1), change)
        if values.type == dtype.item_type:
            return array
        target = pa.map_(dtype.key_type, values.type)
        return rebuild_map(inside, target, keys, values, validity(array))
    return array
