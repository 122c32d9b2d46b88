"""Statistics: what they can prove, and what has to be proven of a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

# A column, or a member of a struct, as the names that lead to it from the top.
Place: TypeAlias = "tuple[str, ...]"


class Proof(str, Enum):
    """What is known of a check in some files before any of their rows is read.

    The values are the characters that queries write it with; of two files together the greater
    one is known.
    """

    PROVEN = "0"  # statistics prove that no row violates it
    REMEMBERED = "1"  # an earlier run has read these very files and found no row that violates it
    UNKNOWN = "2"
    REFUTED = "3"  # statistics prove that a row violates it

    @property
    def decided(self) -> bool:
        """Whether no row has to be read: where refuted, rows are still counted and shown."""
        return self in (Proof.PROVEN, Proof.REMEMBERED)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What holds for every row at a place.

    Args:
        not_null: whether it is never NULL; a member of a struct, where the struct is present.
        low: no value is less; None where nothing is known.
        high: no value is greater; None where nothing is known.
        no_nan: whether it is never NaN.
    """

    not_null: bool = False
    low: Decimal | None = None
    high: Decimal | None = None
    no_nan: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What would prove that no row violates a check: all of it, for every row.

    Args:
        place: the column or member of a struct that it is about.
        no_null: it must not be NULL; for a member, where the struct around it is present.
        no_nan: it must not be NaN.
        within: values, where there are any, must lie in this closed range.
        strict: whether a value outside of that range violates the check.
        observed: what a row is that violates it, as reports say it.
    """

    place: Place
    no_null: bool = False
    no_nan: bool = False
    within: tuple[int, int] | None = None
    strict: bool = True
    observed: str = ""

    def holds(self, known: Mapping[Place, Bounds]) -> bool:
        """Say whether what is known of all rows of a table makes it hold.

        Args:
            known: by place.
        """
        found = known.get(self.place, Bounds())
        if self.no_null:
            return found.not_null
        if self.no_nan:
            return found.no_nan
        if self.within is None or found.low is None or found.high is None:
            return False
        return self.within[0] <= found.low and found.high <= self.within[1]
