"""Settling: the type that says what was observed, or why none does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, TypeAlias

from spark_sig.casts import NATIVE, RANGES, SAFE, SIGNIFICAND, Kind
from spark_sig.errors import SignatureError
from spark_sig.naming import member_path
from spark_sig.observed import Lists, Observed, Records
from spark_sig.types import (
    AnyType,
    Array,
    ColumnType,
    DataType,
    Map,
    Object,
    Property,
    SparkMLVector,
)

# What to do about values that no type holds.
REMEDY = (
    "cast it first, leave it out, or choose on_unsupported='any' to let anything pass there "
    "unchecked"
)

# Scalar types in the order in which they are tried.
_ORDER = (
    DataType.boolean,
    DataType.integer,
    DataType.long,
    DataType.float,
    DataType.double,
    DataType.string,
    DataType.binary,
    DataType.datetime,
)


def _first(kinds: Collection[Kind]) -> DataType | None:
    """Return the first type to which scalars of all kinds may be cast by their types alone."""
    for target in _ORDER:
        if all(kind is NATIVE[target] or kind in SAFE[target] for kind in kinds):
            return target
    return None


_ONE = {kind: _first([kind]) for kind in Kind}


class Settled(NamedTuple):
    """What a signature says of one place.

    Args:
        type: the type.
        nulls: whether there are NULLs, there or among the elements of its lists and maps, which
            share the place's flag.
        nans: whether there is NaN among its floats.
    """

    type: ColumnType
    nulls: bool
    nans: bool

    @property
    def missing(self) -> bool:
        """Whether values may be missing: NULL, or NaN that stands for it."""
        return self.nulls or self.nans


def settle(seen: Observed, path: str, *, alone: bool = False) -> Settled:
    """Return the least type that holds all that was observed.

    Args:
        seen: what was observed.
        path: the place, for errors.
        alone: whether each number has to be of the type by itself, as in a record's member;
            elsewhere integers among floats are floats, as in pandas and NumPy.

    Raises:
        SignatureError: where no type holds it; names the place, what was there, and the options.

    Example:
        >>> settle(Observed(rows=2, nulls=1, kinds={Kind.INT32: 1}), "$.a")
        Settled(type=integer, nulls=True, nans=False)
    """
    if seen.others:
        raise _unsupported(path, _names(seen))
    seen = _without_markers(seen)
    only = _ONE[next(iter(seen.kinds))] if len(seen.kinds) == 1 and seen.is_scalar else None
    if only is not None:
        return Settled(only, seen.nulls > 0, seen.nans > 0)
    found = [make for there, make in _MAKERS if there(seen)]
    nulls, nans = seen.nulls > 0, seen.nans > 0
    empty = _is_empty(seen.lists) or _is_bare(seen.records)
    if not found:
        return Settled(AnyType(), nulls, nans)
    if len(found) > 1 or (empty and not _holds_empty(found[0], seen)):
        raise _mixed(path, seen)
    made, below = found[0](seen, path, alone)
    return Settled(made, nulls or below, nans)


def _without_markers(seen: Observed) -> Observed:
    """Count NaN as NULL where it stands among anything but floats, as pandas writes it there."""
    others = bool(seen.kinds or seen.lists or seen.records or seen.maps)
    if not seen.nans or not others or seen.kinds.keys() & SIGNIFICAND.keys():
        return seen
    return seen._replace(nulls=seen.nulls + seen.nans, nans=0)


def _is_empty(lists: Lists | None) -> bool:
    """Say whether nothing is known of the elements of lists: all are empty."""
    return lists is not None and lists.element == Observed()


def _is_bare(records: Records | None) -> bool:
    """Say whether all records are empty dicts."""
    return records is not None and not records.members and not records.typed


def _holds_empty(make: _Maker, seen: Observed) -> bool:
    """Say whether the empty containers that were seen are of the type that is made."""
    if make is _array:
        return not _is_bare(seen.records)
    return make is _object and not _is_empty(seen.lists)


def _array(seen: Observed, path: str, _: bool) -> tuple[ColumnType, bool]:
    assert seen.lists is not None
    element = seen.lists.element
    if seen.lists.bare and element.kinds.keys() & SIGNIFICAND.keys():
        # A list of integers is none of floats because another one is.
        element = element._replace(inexact=element.inexact + seen.lists.bare)
    below = settle(element, f"{path}[*]")
    return Array(below.type), below.nulls


def _map(seen: Observed, path: str, _: bool) -> tuple[ColumnType, bool]:
    assert seen.maps is not None
    below = settle(seen.maps.value, f"{path}[*]", alone=True)
    return Map(below.type), below.nulls


def _object(seen: Observed, path: str, _: bool) -> tuple[ColumnType, bool]:
    records = seen.records
    assert records is not None
    if not records.members:
        raise _unsupported(path, "a struct without members")
    made = []
    for name, member in records.members.items():
        inside = settle(member, member_path(path, name), alone=True)
        there = records.typed or (member.rows == records.total and not seen.nulls)
        made.append(Property(name, inside.type, there and not inside.missing))
    return Object(made), False


def _vector(seen: Observed, path: str, _: bool) -> tuple[ColumnType, bool]:
    return SparkMLVector(), False


def _scalar(seen: Observed, path: str, alone: bool) -> tuple[ColumnType, bool]:
    """Return the least type that holds scalars of all kinds that were seen."""
    kinds = seen.kinds.keys()
    target = _first(kinds)
    # Moments with and without a zone have no order among each other.
    zoned = seen.kinds.get(Kind.TIMESTAMP, 0)
    if target is not None and not 0 < zoned < sum(seen.kinds.values()):
        return target, False
    floats, whole = kinds & SIGNIFICAND.keys(), kinds & RANGES.keys()
    if floats and whole and kinds == floats | whole and not alone and not seen.inexact:
        return DataType.double, False
    raise _mixed(path, seen) if len(kinds) > 1 else _unsupported(path, _names(seen))


_Maker: TypeAlias = Callable[[Observed, str, bool], tuple[ColumnType, bool]]
_MAKERS: tuple[tuple[Callable[[Observed], bool], _Maker], ...] = (
    (lambda seen: bool(seen.kinds), _scalar),
    (lambda seen: seen.lists is not None and not _is_empty(seen.lists), _array),
    (lambda seen: seen.records is not None and not _is_bare(seen.records), _object),
    (lambda seen: seen.maps is not None, _map),
    (lambda seen: seen.vectors is not None, _vector),
)


# --- errors ---------------------------------------------------------------------------------------


def _names(seen: Observed) -> str:
    """Name what was observed, as reports do."""
    names = {kind.value for kind in seen.kinds} | seen.others
    names |= {"list"} if seen.lists else set()
    names |= {"record"} if seen.records else set()
    names |= {"map"} if seen.maps else set()
    names |= {"vector"} if seen.vectors else set()
    return ("mixed " if len(names) > 1 else "") + " and ".join(sorted(names))


def _unsupported(path: str, observed: str) -> SignatureError:
    return SignatureError(
        "no signature can say what this is", path=path, observed=observed, remedy=REMEDY
    )


def _mixed(path: str, seen: Observed) -> SignatureError:
    return SignatureError(
        "no type of a signature holds all of these values",
        path=path,
        observed=_names(seen),
        remedy=REMEDY,
    )
