"""Rungs: the cheapest that can do what a node needs, and why it is that one."""

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
    Reason,
    Rung,
    StructOf,
    TensorOf,
    VectorOf,
    is_identity,
)


def null_reason(path: str, *, assumed: bool, enforced: bool) -> Reason:
    """Say why the check that a value is not null goes to the cheapest rung that decides it.

    Args:
        path: the value's place.
        assumed: whether Spark calls the place nullable=False, and folds every check of it away.
        enforced: whether somebody enforces that flag, outside of arrays and maps.
    """
    inside = "[*]" in path
    if assumed:
        return Reason.NOT_NULL if enforced and not inside else Reason.FLAG
    return Reason.ELEMENT if inside else Reason.SCAN


def row_reason(path: str, kind: Kind, target: Kind) -> Reason:
    """Say why a cast goes to the cheapest rung that decides it and carries it out."""
    return Reason.ELEMENT if "[*]" in path else cast_reason(kind, target)


def cast_reason(kind: Kind, target: Kind) -> Reason:
    """Say why a cast of a value that SQL can name goes to its rung.

    Left to Arrow is what Catalyst would not decide with the very same verdicts: strings, whose
    grammar is ours, and decimals to floats, as Spark compares those by their shortest decimal
    text.
    """
    if kind is Kind.STRING and target is not Kind.STRING:
        return Reason.TEXT
    if kind is Kind.DECIMAL and target in SIGNIFICAND:
        return Reason.DECIMAL
    return Reason.SCAN


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


def decide(node: Node, checks: Sequence[Check]) -> Reason:
    """Find the cheapest rung that makes a node's checks and its output, and say why it is that."""
    live = [checks[check] for check in node_checks(node) if checks[check].live]
    for check in live:
        if check.rung is Rung.ARROW:
            return check.reason
    if is_identity(node) and not live:
        return Reason.TYPES
    if not _addressable(node):
        return Reason.NAMES
    if is_identity(node):
        return Reason.SCAN
    match node:
        case Leaf():
            return cast_reason(node.kind, node.target)
        case Nulls():
            return Reason.SCAN
        case StructOf():
            inner = [decide(member.node, checks) for member in node.members]
            return next((r for r in inner if r.rung is Rung.ARROW), Reason.SCAN)
        case Anything() | ListOf() | MapOf() | VectorOf() | TensorOf():
            return Reason.REBUILT
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
