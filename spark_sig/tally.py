"""Tallies: what was seen of some rows, in a form that adds up to the same whole in any order."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

# A cell of a row key: JSON's own scalars, and those that become text of a fixed, ordered form.
Cell: TypeAlias = "bool | int | float | str | decimal.Decimal | None"
Key: TypeAlias = "tuple[Cell, ...]"

# How many distinct observations a check keeps; the smallest ones, so that any order gives the same.
OBSERVED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One violating row under one check.

    Args:
        key: the row's key, empty where no key was asked for.
        observed: what is there, never a value.
        value: the value as text, only where the policy shows values.
    """

    key: Key
    observed: str
    value: str | None = None

    def order(self) -> tuple[Any, ...]:
        """Return what examples are sorted by: key, observation, value."""
        value = (self.value is not None, self.value or "")
        return tuple(map(_cell_order, self.key)), self.observed, value

    # By order, so that NaN in a key equals itself.
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Example):
            return NotImplemented
        return self.order() == other.order()

    def __hash__(self) -> int:
        return hash(self.order())


@dataclass(frozen=True, slots=True)
class CheckTally:
    """The violations of one check.

    Args:
        count: rows that violate it.
        observed: the smallest distinct observations, sorted.
        examples: the smallest examples, sorted.
    """

    count: int = 0
    observed: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    def plus(self, other: CheckTally, limit: int) -> CheckTally:
        """Add up two tallies of different rows, keeping ``limit`` examples."""
        if not other.count:
            return self
        if not self.count:
            return other
        observed = sorted({*self.observed, *other.observed})[:OBSERVED]
        examples = smallest((*self.examples, *other.examples), limit)
        return CheckTally(self.count + other.count, tuple(observed), examples)


@dataclass(frozen=True, slots=True)
class Tally:
    """What was seen of some rows: a commutative monoid under ``+``.

    Args:
        limit: how many examples a check keeps; the same in all summands.
        rows: rows seen.
        violating: rows that violate any check.
        checks: by check id; checks that nothing violates are left out.

    Example:
        >>> a = Tally(5, 10, 1, {0: CheckTally(1, ("null",), (Example((7,), "null"),))})
        >>> (a + Tally.empty(5) + a).checks[0].count
        2
    """

    limit: int
    rows: int
    violating: int
    checks: dict[int, CheckTally]

    @classmethod
    def empty(cls, limit: int) -> Tally:
        """Return the tally of no rows."""
        return cls(limit, 0, 0, {})

    @classmethod
    def total(cls, tallies: Iterable[Tally], limit: int) -> Tally:
        """Add up any number of tallies."""
        total = cls.empty(limit)
        for tally in tallies:
            total = total + tally
        return total

    def __add__(self, other: Tally) -> Tally:
        if self.limit != other.limit:
            raise ValueError("tallies that keep different numbers of examples do not add up")
        checks = dict(self.checks)
        for check, tally in other.checks.items():
            checks[check] = checks.get(check, CheckTally()).plus(tally, self.limit)
        return Tally(
            self.limit,
            self.rows + other.rows,
            self.violating + other.violating,
            dict(sorted(checks.items())),
        )

    def dumps(self) -> str:
        """Write the tally as JSON text, to travel from an executor as data."""
        return json.dumps(
            {
                "limit": self.limit,
                "rows": self.rows,
                "violating": self.violating,
                "checks": [
                    [
                        check,
                        tally.count,
                        tally.observed,
                        [[[_pack(c) for c in e.key], e.observed, e.value] for e in tally.examples],
                    ]
                    for check, tally in self.checks.items()
                ],
            }
        )

    @classmethod
    def loads(cls, text: str) -> Tally:
        """Read what :meth:`dumps` wrote."""
        data = json.loads(text)
        checks = {
            check: CheckTally(
                count,
                tuple(observed),
                tuple(Example(tuple(map(_unpack, k)), seen, value) for k, seen, value in examples),
            )
            for check, count, observed, examples in data["checks"]
        }
        return cls(data["limit"], data["rows"], data["violating"], checks)


def smallest(examples: Iterable[Example], limit: int) -> tuple[Example, ...]:
    """Return the ``limit`` smallest examples, sorted."""
    return tuple(sorted(examples, key=Example.order)[:limit])


def cell(value: object) -> Cell:
    """Return a row key's value as a cell that sorts as the value does.

    Dates and times become what :func:`date_text` and :func:`time_text` make of them, in UTC where
    they have a zone; bytes become hex; the two zeros become one.
    """
    match value:
        case float():
            return value + 0.0  # -0.0 names the row that 0.0 does, as in Spark's groups
        case None | bool() | int() | str() | decimal.Decimal():
            return value
        case datetime.datetime():
            # In integers: in UTC the first and the last year can become no year of Python's.
            clock = value.replace(tzinfo=None) - _EPOCH - (value.utcoffset() or _NO_TIME)
            return time_text(clock // _MICRO, 1_000_000, value.tzinfo is not None)
        case datetime.date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return str(value)


def date_text(days: int) -> str:
    """Write a day, counted from 1970, as ISO text that sorts as days do, whatever the year.

    Years beyond 9999 are ``Y`` and twelve digits.  Those before 0001 are ``-`` and the twelve
    digits that are left of them below 10**12 (so that an earlier one is a smaller text).

    Example:
        >>> date_text(0), date_text(2_932_897), date_text(-719_163)
        ('1970-01-01', 'Y000000010000-01-01', '-999999999999-12-31')
    """
    cycles, place = divmod(days + _EPOCH.toordinal() - 1, _CYCLE)
    day = datetime.date.fromordinal(place + 1)
    year = day.year + 400 * cycles
    if 1 <= year <= 9999:
        text = f"{year:04}"
    else:
        text = f"Y{year:012}" if year > 0 else f"-{10**12 - 1 + year:012}"
    return f"{text}-{day.month:02}-{day.day:02}"


def time_text(ticks: int, per_second: int, zoned: bool) -> str:
    """Write an instant, counted from 1970, as ISO text that sorts as instants do.

    With microseconds, the digits of nanoseconds behind them where it has any, and the offset of
    UTC where it is ``zoned``.

    Example:
        >>> time_text(1, 1_000, True), time_text(-1, 1_000_000_000, False)
        ('1970-01-01T00:00:00.001000+00:00', '1969-12-31T23:59:59.999999999')
    """
    seconds, fraction = divmod(ticks, per_second)
    days, seconds = divmod(seconds, 86_400)
    micros, nanos = divmod(fraction * 1_000_000_000 // per_second, 1_000)
    minutes, second = divmod(seconds, 60)
    return (
        f"{date_text(days)}T{minutes // 60:02}:{minutes % 60:02}:{second:02}.{micros:06}"
        + (f"{nanos:03}" if nanos else "")
        + ("+00:00" if zoned else "")
    )


_EPOCH = datetime.datetime(1970, 1, 1)
_NO_TIME, _MICRO = datetime.timedelta(0), datetime.timedelta(microseconds=1)
_CYCLE = 146_097  # days in 400 years, after which the calendar repeats


def _cell_order(value: Cell) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    if isinstance(value, float) and value != value:
        return 3, 0  # NaN after every other number, as Spark sorts it
    if isinstance(value, str):
        return 2, value
    return 1, value


def _pack(value: Cell) -> object:
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    return value


def _unpack(value: object) -> Cell:
    if isinstance(value, dict):
        return decimal.Decimal(value["decimal"])
    return value  # type: ignore[return-value]  # JSON's own scalars
