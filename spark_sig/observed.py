"""Observations: what was seen of the values at one place, and below it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from spark_sig.casts import Kind


class Lengths(NamedTuple):
    """How long lists or vectors are.

    Args:
        total: how many there are.
        shortest: the least length; 0 where there is none.
        longest: the greatest; 0 where there is none.
    """

    total: int = 0
    shortest: int = 0
    longest: int = 0

    def plus(self, other: Lengths) -> Lengths:
        """Add up two."""
        if not self.total or not other.total:
            return other if other.total else self
        return Lengths(
            self.total + other.total,
            min(self.shortest, other.shortest),
            max(self.longest, other.longest),
        )

    @property
    def constant(self) -> int | None:
        """The length that all have; None where they differ, or there is none."""
        return self.longest if self.total and self.shortest == self.longest else None


class Lists(NamedTuple):
    """What was seen of lists.

    Args:
        lengths: how long they are.
        element: what was seen in all of them.
        bare: how many hold a long integer and no float.
    """

    lengths: Lengths
    element: Observed
    bare: int = 0

    def plus(self, other: Lists) -> Lists:
        """Add up two."""
        return Lists(
            self.lengths.plus(other.lengths),
            self.element.plus(other.element),
            self.bare + other.bare,
        )


class Records(NamedTuple):
    """What was seen of records.

    Args:
        total: how many there are.
        members: what was seen of each member; its ``rows`` are the records that have it.
        typed: whether the container says what a record's members are, so that none is missing.
    """

    total: int
    members: Mapping[str, Observed]
    typed: bool = False

    def plus(self, other: Records) -> Records:
        """Add up two."""
        members = dict(self.members)
        for name, seen in other.members.items():
            members[name] = members[name].plus(seen) if name in members else seen
        return Records(self.total + other.total, members, self.typed and other.typed)


class Maps(NamedTuple):
    """What was seen of maps.

    Args:
        total: how many there are.
        value: what was seen of the values in all of them.
    """

    total: int
    value: Observed

    def plus(self, other: Maps) -> Maps:
        """Add up two."""
        return Maps(self.total + other.total, self.value.plus(other.value))


class Observed(NamedTuple):
    """What was seen at one place: a commutative monoid under :meth:`plus`.

    Args:
        rows: values seen, NULLs included.
        nulls: NULLs among them.
        nans: NaN among them, where NaN may stand for a missing value; 0 where it is a value.
        kinds: how many scalars of each kind; 0 where only the container says that they are of it.
        inexact: integers that a double may not hold.
        lists: what was seen of lists; None where there is none, as below.
        records: ... of records.
        maps: ... of maps.
        vectors: ... of Spark ML vectors.
        others: names of what no signature can say, such as ``timedelta``.

    Example:
        >>> some = Observed(rows=2, nulls=1, kinds={Kind.INT64: 1})
        >>> whole = some.plus(Observed(rows=1, kinds={Kind.FLOAT64: 1}))
        >>> whole.rows, whole.nulls, sorted(kind.value for kind in whole.kinds)
        (3, 1, ['double', 'long'])
    """

    rows: int = 0
    nulls: int = 0
    nans: int = 0
    kinds: Mapping[Kind, int] = {}  # never changed
    inexact: int = 0
    lists: Lists | None = None
    records: Records | None = None
    maps: Maps | None = None
    vectors: Lengths | None = None
    others: frozenset[str] = frozenset()

    @property
    def is_scalar(self) -> bool:
        """Whether nothing but scalars was seen."""
        return (self.lists, self.records, self.maps, self.vectors) == (None,) * 4

    def plus(self, other: Observed) -> Observed:
        """Add up what was seen of different values."""
        kinds = dict(self.kinds)
        for kind, count in other.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
        return Observed(
            self.rows + other.rows,
            self.nulls + other.nulls,
            self.nans + other.nans,
            kinds,
            self.inexact + other.inexact,
            _plus(self.lists, other.lists),
            _plus(self.records, other.records),
            _plus(self.maps, other.maps),
            _plus(self.vectors, other.vectors),
            self.others | other.others,
        )

    @classmethod
    def total(cls, parts: Iterable[Observed]) -> Observed:
        """Add up any number of observations."""
        total = cls()
        for part in parts:
            total = total.plus(part)
        return total

    def dumps(self) -> str:
        """Write what was seen as JSON text, to travel from an executor as data."""
        return json.dumps(_pack(self))

    @classmethod
    def loads(cls, text: str) -> Observed:
        """Read what :meth:`dumps` wrote."""
        return _unpack(json.loads(text))


def _plus(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return one if other is None else other
    return one.plus(other)


def _pack(seen: Observed) -> dict[str, Any]:
    lists, records, maps = seen.lists, seen.records, seen.maps
    packed = {
        "rows": seen.rows,
        "nulls": seen.nulls,
        "nans": seen.nans,
        "kinds": {kind.name: count for kind, count in seen.kinds.items()},
        "inexact": seen.inexact,
        "lists": lists and [lists.lengths, _pack(lists.element), lists.bare],
        "records": records
        and [records.total, {n: _pack(m) for n, m in records.members.items()}, records.typed],
        "maps": maps and [maps.total, _pack(maps.value)],
        "vectors": seen.vectors,
        "others": sorted(seen.others),
    }
    # Most are empty at most places.
    return {key: value for key, value in packed.items() if value}


def _unpack(packed: Mapping[str, Any]) -> Observed:
    lists, records, maps = (packed.get(key) for key in ("lists", "records", "maps"))
    vectors = packed.get("vectors")
    return Observed(
        rows=packed.get("rows", 0),
        nulls=packed.get("nulls", 0),
        nans=packed.get("nans", 0),
        kinds={Kind[name]: count for name, count in packed.get("kinds", {}).items()},
        inexact=packed.get("inexact", 0),
        lists=lists and Lists(Lengths(*lists[0]), _unpack(lists[1]), lists[2]),
        records=records
        and Records(records[0], {n: _unpack(m) for n, m in records[1].items()}, records[2]),
        maps=maps and Maps(maps[0], _unpack(maps[1])),
        vectors=None if vectors is None else Lengths(*vectors),
        others=frozenset(packed.get("others", ())),
    )
