"""Claims: what statistics would have to say for a check to need no row."""

from __future__ import annotations

from collections.abc import Iterator

from spark_sig.casts import DAYS, RANGES, SIGNIFICAND, Failure, Kind
from spark_sig.errors import assert_never
from spark_sig.plan import (
    Anything,
    EnforcementPlan,
    Leaf,
    ListOf,
    MapOf,
    Node,
    Nulls,
    StructOf,
    TensorOf,
    VectorOf,
)
from spark_sig.stats import Claim, Place


def check_claims(plan: EnforcementPlan) -> dict[int, tuple[Claim, ...]]:
    """Return what would prove each check of a plan, by its id.

    A check is proven where all its claims hold; checks that no statistics prove are left out:
    what lies inside arrays and maps, text, and whether a number has a fraction.

    Example:
        >>> import pyarrow as pa
        >>> from spark_sig.planner import plan_enforcement
        >>> from spark_sig.schema import ColSpec, Schema
        >>> plan = plan_enforcement(pa.schema([("a", pa.int32())]), Schema([ColSpec("long", "a")]))
        >>> claim, = check_claims(plan)[0]
        >>> claim.place, claim.observed
        (('a',), 'null')
    """
    found: dict[int, list[Claim] | None] = {}
    for field in plan.fields:
        if field.source is not None:
            for check, claim in _claims(field.node, (plan.source.names[field.source],)):
                claims = found.setdefault(check, [])
                if claim is None:
                    found[check] = None
                elif claims is not None:
                    claims.append(claim)
    return {check: tuple(claims) for check, claims in found.items() if claims}


def _claims(node: Node, place: Place) -> Iterator[tuple[int, Claim | None]]:
    """Yield checks and their claims; None where nothing would prove one."""
    match node:
        case Leaf():
            if node.null is not None:
                yield node.null, Claim(place, no_null=True, observed="null")
            if node.nan is not None:
                yield node.nan, Claim(place, no_nan=True, observed="NaN")
            if node.failure is not None:
                yield node.failure, _range(node, place)
        case StructOf():
            if node.null is not None:
                yield node.null, Claim(place, no_null=True, observed="null")
            for member in node.members:
                if member.source is not None:
                    name = node.source.field(member.source).name
                    yield from _claims(member.node, (*place, name))
        case Anything() | ListOf() | MapOf() | VectorOf() | TensorOf():
            if node.null is not None:
                yield node.null, Claim(place, no_null=True, observed="null")
        case Nulls():
            if node.null is not None:
                yield node.null, None
        case _:
            assert_never(node)


def _range(node: Leaf, place: Place) -> Claim | None:
    """Claim a range in which every value passes a checked cast; None where there is none."""
    kind, target = node.kind, node.target
    whole = kind in RANGES or (kind is Kind.DECIMAL and node.source.scale == 0)
    outside = Failure.OUT_OF_RANGE.of(kind)
    if kind is Kind.DATE:
        return Claim(place, within=(-DAYS, DAYS), observed=outside)
    if whole and target in RANGES:
        return Claim(place, within=RANGES[target], observed=outside)
    if whole and target in SIGNIFICAND:
        # Every integer up to there is exact, and some beyond.
        most: int = 2 ** SIGNIFICAND[target]
        return Claim(place, within=(-most, most), strict=False)
    return None
