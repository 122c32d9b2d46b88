"""A walk over two signatures side by side, place by place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from spark_sig.diff.change import Change
from spark_sig.diff.values import Place, Rules
from spark_sig.diff.verdict import Verdict
from spark_sig.naming import column_places, label, member_path

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Walk:
    """Yield what two signatures say of the places of one side.

    Args:
        side: ``inputs``, ``outputs`` or ``params``.
        rules: what is held against a value.
    """

    side: str
    rules: Rules

    def values(self, path: str, a: Place | None, b: Place | None) -> Iterator[Change]:
        """Compare a place, and all that is inside."""
        rules = self.rules
        if a is not None and b is not None:
            inside = tuple(self.inside(path, a, b))
            before, after = (_shown(place, bool(inside)) for place in (a, b))
            yield self.change(path, before, after, rules.fits(a, b), rules.fits(b, a))
            yield from inside
        elif a is not None:
            yield self.change(path, _shown(a), None, rules.extra(a.role), rules.missing(a))
        elif b is not None:
            yield self.change(path, None, _shown(b), rules.missing(b), rules.extra(b.role))

    def inside(self, path: str, a: Place, b: Place) -> Iterator[Change]:
        """Compare what is inside two places that are of one class."""
        if type(a.type) is type(b.type):
            yield from self.members(path, a.members, b.members)
            yield from self.values(f"{path}[*]", a.element, b.element)

    def members(
        self, path: str, ours: Mapping[str, Place], theirs: Mapping[str, Place]
    ) -> Iterator[Change]:
        """Compare places that have names."""
        for place, one, other in self.paired(path, ours, theirs):
            yield from self.values(place, one, other)

    def paired(
        self, path: str, ours: Mapping[str, _T], theirs: Mapping[str, _T]
    ) -> Iterator[tuple[str, _T | None, _T | None]]:
        """Match by name: the first side's in its order, then those that only the second has.

        Raises:
            SignatureError: where the policy cannot tell two names of one side apart.
        """
        left, right = self._folded(path, ours), self._folded(path, theirs)
        for key in {**left, **right}:
            name = left[key] if key in left else right[key]
            one = ours[left[key]] if key in left else None
            other = theirs[right[key]] if key in right else None
            yield member_path(path, name), one, other

    def _folded(self, path: str, names: Mapping[str, object]) -> dict[str, str]:
        """Return the names by what the policy compares."""
        return dict(zip(column_places(self.rules.policy, list(names), path), names, strict=True))

    def change(
        self, path: str, before: str | None, after: str | None, forward: Verdict, backward: Verdict
    ) -> Change:
        """Return what is found at a place."""
        if forward.why == backward.why:
            note = forward.why
        else:
            ways = (("forward", forward.why), ("backward", backward.why))
            note = "; ".join(f"{way}: {why}" for way, why in ways if why)
        return Change(path, self.side, before, after, forward.level, backward.level, note)


def _shown(place: Place, opened: bool = False) -> str:
    """Name a place; of one whose inside has rows of its own, only what it is."""
    if not opened:
        return label(place.type, place.required)
    return f"{type(place.type).__name__} ({'required' if place.required else 'optional'})"
