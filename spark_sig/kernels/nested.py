"""Lists, maps and structs: checked and rebuilt around what becomes of their parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa

from spark_sig.kernels.findings import Scope, Sink
from spark_sig.kernels.layout import Lists, Mask, both, rebuild_map, struct, validity
from spark_sig.kernels.leaf import check_nulls
from spark_sig.plan import ListOf, MapOf, Node, StructOf

# Checks an array against a node: (node, array, which values count, their rows, sink).
Visit: TypeAlias = "Callable[[Node, pa.Array, Mask | None, Scope, Sink], pa.Array]"


def visit_list(
    node: ListOf, array: pa.Array, live: Mask | None, scope: Scope, sink: Sink, visit: Visit
) -> pa.Array:
    """Check lists and their elements."""
    valid = validity(array)
    check_nulls(node.null, array, valid, live, scope, sink)
    inside = Lists.of(array)
    held = both(valid, live)
    values = visit(node.item, inside.values, inside.live(held), scope.inside(inside.owners), sink)
    if values is inside.values or not sink.columns:
        return array
    return inside.rebuild(node.output, values, valid)


def visit_map(
    node: MapOf, array: pa.Array, live: Mask | None, scope: Scope, sink: Sink, visit: Visit
) -> pa.Array:
    """Check maps and their values."""
    valid = validity(array)
    check_nulls(node.null, array, valid, live, scope, sink)
    inside = Lists.of(array)
    held = both(valid, live)
    keys, items = inside.values.field(0), inside.values.field(1)
    values = visit(node.value, items, inside.live(held), scope.inside(inside.owners), sink)
    if values is items or not sink.columns:
        return array
    return rebuild_map(inside, node.output, keys, values, valid)


def visit_struct(
    node: StructOf, array: pa.Array, live: Mask | None, scope: Scope, sink: Sink, visit: Visit
) -> pa.Array:
    """Check structs and their members; what lies under a NULL struct does not count."""
    valid = validity(array)
    check_nulls(node.null, array, valid, live, scope, sink)
    held = both(valid, live)
    children = []
    untouched = node.output == node.source
    for member in node.members:
        if member.source is None:
            children.append(pa.nulls(len(array), member.node.output))
            continue
        before = array.field(member.source)
        after = visit(member.node, before, held, scope, sink)
        untouched = untouched and after is before
        children.append(after)
    if untouched or not sink.columns:
        return array
    return struct(node.output, len(array), children, valid)
