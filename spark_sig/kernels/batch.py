"""Batches: one Arrow batch held to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_sig.errors import SignatureError, Violation, assert_never
from spark_sig.kernels.findings import Found, Scope, Sink, full, merge
from spark_sig.kernels.layout import Lists, Mask, Positions, normalise, plain, validity
from spark_sig.kernels.leaf import check_nulls, visit_leaf
from spark_sig.kernels.nested import visit_list, visit_map, visit_struct
from spark_sig.kernels.tensor import visit_tensor, visit_vector
from spark_sig.plan import (
    Anything,
    EnforcementPlan,
    FieldPlan,
    Leaf,
    ListOf,
    MapOf,
    Node,
    Nulls,
    StructOf,
    TensorOf,
    VectorOf,
)

__all__ = ["Found", "Outcome", "merge_found", "row_violations", "run_batch"]

_ROWS = Scope()


class Outcome(NamedTuple):
    """What became of one batch.

    Args:
        num_rows: rows in it.
        columns: what comes out, one array for each field; NULL where a value violates.  Empty
            where no columns were asked for.
        found: the violations by check, sorted; checks that nothing violates are left out.
    """

    num_rows: int
    columns: tuple[pa.Array, ...]
    found: tuple[Found, ...]

    def violating(self) -> Positions:
        """Return the rows that violate anything, sorted, each once."""
        if not self.found:
            return np.empty(0, np.int64)
        if len(self.found) == 1:
            return self.found[0].rows
        hit = np.zeros(self.num_rows, np.bool_)
        for found in self.found:
            hit[found.rows] = True
        return np.flatnonzero(hit)


def run_batch(
    plan: EnforcementPlan,
    batch: pa.RecordBatch,
    *,
    columns: bool = True,
    fields: Sequence[FieldPlan] | None = None,
    rows: int | None = None,
) -> Outcome:
    """Check and cast every row of a batch: a pure function of plan and batch.

    Args:
        plan: what to do; its findings are none of this function's business.
        batch: the source's columns, found by name; their layout may differ from the plan's.
        columns: whether to make the columns that come out; without, only checks are made.
        fields: the fields to carry out; None for all of them.
        rows: how many rows there are; None for the batch's own count, which Arrow loses where
            there is no column.

    Raises:
        SignatureError: where the batch lacks a column, or holds one of another type.

    Example:
        >>> from spark_sig.planner import plan_enforcement
        >>> from spark_sig.schema import ColSpec, Schema
        >>> batch = pa.RecordBatch.from_pydict({"a": pa.array([1, None], pa.int32())})
        >>> plan = plan_enforcement(batch.schema, Schema([ColSpec("long", "a")]))
        >>> outcome = run_batch(plan, batch)
        >>> outcome.columns[0].type, outcome.violating().tolist()
        (DataType(int64), [1])
    """
    rows = batch.num_rows if rows is None else rows
    sink = Sink(plan.policy.show_values, columns)
    chosen = plan.fields if fields is None else fields
    out = [_field(field, batch, rows, sink) for field in chosen]
    return Outcome(rows, tuple(out) if columns else (), sink.close())


def _field(field: FieldPlan, batch: pa.RecordBatch, rows: int, sink: Sink) -> pa.Array | None:
    if field.source is None:
        return pa.nulls(rows, field.node.output) if sink.columns else None
    place = batch.schema.get_field_index(field.source_name)
    if place < 0:
        raise SignatureError(
            "a batch lacks a column that it was planned for",
            path=field.path,
            expected=repr(field.source_name),
            observed=", ".join(batch.schema.names) or "no column at all",
        )
    array = normalise(batch.column(place), field.node.source, field.path)
    return visit(field.node, array, None, _ROWS, sink)


def visit(node: Node, array: pa.Array, live: Mask | None, scope: Scope, sink: Sink) -> pa.Array:
    """Check an array against a node and return what comes out.

    Args:
        node: what to do.
        array: values of type ``node.source``.
        live: which of them count (others lie under a NULL parent); None for all.
        scope: the rows that they belong to.
        sink: takes what is found.

    Returns:
        The array itself where nothing changes, or where the sink wants no columns.
    """
    match node:
        case Leaf():
            return visit_leaf(node, array, live, scope, sink)
        case Anything():
            if node.null is not None:
                check_nulls(node.null, array, validity(array), live, scope, sink)
            return array
        case Nulls():
            check_nulls(node.null, array, validity(array), live, scope, sink)
            if not sink.columns or node.output == node.source:
                return array
            return pa.nulls(len(array), node.output)
        case ListOf():
            return visit_list(node, array, live, scope, sink, visit)
        case StructOf():
            return visit_struct(node, array, live, scope, sink, visit)
        case MapOf():
            return visit_map(node, array, live, scope, sink, visit)
        case VectorOf():
            return visit_vector(node, array, live, scope, sink)
        case TensorOf():
            return visit_tensor(node, array, live, scope, sink)
        case _:
            assert_never(node)


def row_violations(plan: EnforcementPlan, outcome: Outcome) -> dict[int, list[Violation]]:
    """List each violating row's violations, in the order of the checks; rows in order."""
    listed: dict[int, list[Violation]] = {row: [] for row in outcome.violating().tolist()}
    for found in outcome.found:
        check = plan.checks[found.check]
        values = full(len(found.rows), "") if found.values is None else found.values
        shown = found.values is not None
        for row, observed, value in zip(found.rows.tolist(), found.observed, values, strict=True):
            listed[row].append(
                Violation(
                    check.path,
                    check.code,
                    check.expected,
                    observed,
                    value=value if shown else None,
                )
            )
    return listed


def merge_found(outcome: Outcome, details: pa.Array) -> Outcome:
    """Add to an outcome what another engine found in the very same rows.

    Args:
        outcome: of a batch.
        details: for each of its rows the violations found elsewhere, as
            list<struct<check: int32, observed: string>>; NULL or empty where there are none.
    """
    if len(details) != outcome.num_rows:
        raise ValueError(f"{len(details)} rows of details for a batch of {outcome.num_rows}")
    parts: dict[int, list[Found]] = {found.check: [found] for found in outcome.found}
    for found in listed_found(details):
        parts.setdefault(found.check, []).append(found)
    merged = tuple(merge(found) for _, found in sorted(parts.items()))
    return outcome._replace(found=merged)


def listed_found(details: pa.Array) -> tuple[Found, ...]:
    """Turn violations listed by row into findings by check."""
    if pat.is_null(details.type) or len(details) == 0:
        return ()
    inside = Lists.of(details)
    if len(inside.values) == 0:
        return ()
    live = inside.live(validity(details))
    checks = plain(inside.values.field("check"))
    places = np.arange(len(checks)) if live is None else np.flatnonzero(live)
    ids = np.asarray(checks.take(pa.array(places)))
    # Observations are classes and lengths: a few texts, named over and over.
    seen = plain(inside.values.field("observed")).take(pa.array(places)).dictionary_encode()
    names = np.array(seen.dictionary.to_pylist(), object)
    observed = names[np.asarray(seen.indices)] if len(places) else np.empty(0, object)
    rows = inside.owners(places)
    found = []
    for check in np.unique(ids).tolist():
        mine = np.flatnonzero(ids == check)
        numbers, first = np.unique(rows[mine], return_index=True)
        found.append(Found(check, numbers, observed[mine[first]]))
    return tuple(found)
