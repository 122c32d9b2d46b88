"""Rungs: the cheapest that can do what a node needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spark_sig.casts import SIGNIFICAND, Kind
from spark_sig.errors import assert_never
from spark_sig.plan import (
    Anything,
    Check,
    Leaf,
    ListOf,
    MapOf,
    Node,
    Nulls,
    Rung,
    StructOf,
    TensorOf,
    VectorOf,
    is_identity,
)


def catalyst_decides(kind: Kind, target: Kind) -> bool:
    """Say whether Catalyst can decide and carry out a cast with the very same verdicts.

    Left to Arrow: strings, whose grammar is ours, and decimals to floats, as Spark compares
    those by their shortest decimal text.
    """
    if kind is Kind.STRING and target is not Kind.STRING:
        return False
    return not (kind is Kind.DECIMAL and target in SIGNIFICAND)


def node_checks(node: Node) -> Iterable[int]:
    """Yield the ids of every check that a node makes, its own before those inside it."""
    match node:
        case Leaf():
            found: list[int | None] = [node.null, node.nan, node.failure]
            yield from sorted({check for check in found if check is not None})
        case Anything() | Nulls():
            if node.null is not None:
                yield node.null
        case ListOf():
            if node.null is not None:
                yield node.null
            yield from node_checks(node.item)
        case MapOf():
            if node.null is not None:
                yield node.null
            yield from node_checks(node.value)
        case StructOf():
            if node.null is not None:
                yield node.null
            for member in node.members:
                yield from node_checks(member.node)
        case VectorOf():
            parts = (node.null, node.shape, node.nan)
            yield from (check for check in parts if check is not None)
        case TensorOf():
            own = (node.null, node.inner, node.shape)
            yield from (check for check in own if check is not None)
            yield from node_checks(node.item)
        case _:
            assert_never(node)


def node_rung(node: Node, checks: Sequence[Check]) -> Rung:
    """Find the cheapest rung that makes a node's checks and its output."""
    live = [checks[check].rung for check in node_checks(node) if checks[check].live]
    if Rung.ARROW in live:
        return Rung.ARROW
    if is_identity(node) and not live:
        return Rung.SCHEMA
    if not _addressable(node):
        return Rung.ARROW
    if is_identity(node):
        return Rung.CATALYST
    match node:
        case Leaf():
            decided = catalyst_decides(node.kind, node.target)
            return Rung.CATALYST if decided else Rung.ARROW
        case Nulls():
            return Rung.CATALYST
        case StructOf():
            inner = {node_rung(member.node, checks) for member in node.members}
            return Rung.ARROW if Rung.ARROW in inner else Rung.CATALYST
        case Anything() | ListOf() | MapOf() | VectorOf() | TensorOf():
            return Rung.ARROW
        case _:
            assert_never(node)


def _addressable(node: Node) -> bool:
    """Say whether SQL text can name every member of the structs in a node, under any conf.

    Names that differ in case only are ambiguous by default, and Spark puts variables in place of
    ``${…}`` wherever it stands.
    """
    if not isinstance(node, StructOf):
        return True
    names = [node.source.field(i).name for i in range(node.source.num_fields)]
    return (
        len({name.casefold() for name in names}) == len(names)
        and not any("${" in name for name in names)
        and all(_addressable(member.node) for member in node.members)
    )
