"""Verdicts: what happens to data of one signature under another."""

from __future__ import annotations

from enum import Enum
from functools import total_ordering
from typing import NamedTuple


@total_ordering
class Compatibility(Enum):
    """What happens to data of one signature under the other.  The last is the worst."""

    COMPATIBLE = "compatible"  # passes as it is
    WIDENING = "widening"  # passes, converted without loss
    LOSSY = "lossy"  # the types alone do not let it pass, some of the values could
    BREAKING = "breaking"  # refused

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Compatibility):
            return NotImplemented
        order = list(Compatibility)
        return order.index(self) < order.index(other)

    def __str__(self) -> str:
        return self.value


class Verdict(NamedTuple):
    """What happens at one place in one direction, and why."""

    level: Compatibility
    why: str = ""


FITS = Verdict(Compatibility.COMPATIBLE)
WIDENS = Verdict(Compatibility.WIDENING)
BY_VALUE = Verdict(Compatibility.LOSSY, "by value")
ANYTHING = Verdict(Compatibility.LOSSY, "may be of any type")
REFUSED = Verdict(Compatibility.BREAKING)
MISSING = Verdict(Compatibility.BREAKING, "missing")


def worst(*verdicts: Verdict) -> Verdict:
    """Return the worst of some verdicts, with the reasons of all that are as bad.

    Example:
        >>> worst(FITS, BY_VALUE, WIDENS)
        Verdict(level=<Compatibility.LOSSY: 'lossy'>, why='by value')
    """
    level = max(verdict.level for verdict in verdicts)
    reasons = [v.why for v in verdicts if v.level is level and v.why]
    return Verdict(level, "; ".join(reasons))
