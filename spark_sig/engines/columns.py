"""Columns on the driver: values of one length, held to a schema by the arrow kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from spark_sig.errors import Code, Violation, ViolationError
from spark_sig.kernels.batch import run_batch
from spark_sig.kernels.findings import Found
from spark_sig.plan import Anything, EnforcementPlan, FieldPlan, Leaf, is_identity
from spark_sig.planner import plan_enforcement
from spark_sig.planning.rungs import node_checks
from spark_sig.policy import Policy
from spark_sig.schema import Schema


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A plan, and what of it is left to do for columns of some types.

    Args:
        plan: the plan.
        work: places in ``plan.fields`` whose values have to be looked at or changed.
        changes: whether any of them changes values.
    """

    plan: EnforcementPlan
    work: tuple[int, ...]
    changes: bool


def prepare(
    source: pa.Schema, schema: Schema, policy: Policy, nullable: Sequence[bool] | None = None
) -> Prepared:
    """Plan what is to be done with columns of some types.

    Args:
        source: what the columns are.
        schema: what they have to fit.
        policy: the choices.
        nullable: for each column whether any value may be null; None where that is not known.
    """
    # Rows are raised, dropped and tagged elsewhere; here nothing but raising makes sense.
    policy = policy if policy.on_violation == "raise" else replace(policy, on_violation="raise")
    plan = plan_enforcement(source, schema, policy, engine="arrow")
    work = tuple(place for place, f in enumerate(plan.fields) if _has_work(f, nullable))
    return Prepared(plan, work, any(_changes(plan.fields[place]) for place in work))


def _changes(field: FieldPlan) -> bool:
    """Say whether a field's values are others than those that came in, if any did."""
    return field.source is None or not is_identity(field.node)


def _has_work(field: FieldPlan, nullable: Sequence[bool] | None) -> bool:
    """Say whether a field's values have to be looked at, or change."""
    if field.source is None or _changes(field):
        return True
    node = field.node
    known = nullable is not None and not nullable[field.source]
    if known and isinstance(node, (Leaf, Anything)):
        others = (node.nan, node.failure) if isinstance(node, Leaf) else ()
        return any(check is not None for check in others)
    return any(True for _ in node_checks(node))


def carry_out(
    prepared: Prepared,
    rows: int,
    arrow: Callable[[int], pa.Array],
    advise: Callable[[Violation], Violation],
) -> dict[int, pa.Array]:
    """Check columns, and convert those that change.

    Args:
        prepared: what to do.
        rows: how many rows each column has.
        arrow: makes the values of a column of the source, by its place.
        advise: may add a remedy that only the container knows.

    Returns:
        New values by place in ``plan.fields``; the others are the source's own.

    Raises:
        ViolationError: lists every violation.
    """
    plan = prepared.plan
    found = [advise(violation) for violation in plan.findings]
    changed: dict[int, pa.Array] = {}
    if prepared.work:
        fields = [plan.fields[place] for place in prepared.work]
        wanted = {f.source: f.source_name for f in fields if f.source is not None}
        batch = _batch([arrow(place) for place in wanted], list(wanted.values()), rows)
        outcome = run_batch(plan, batch, columns=prepared.changes, fields=fields)
        found += violations_of(plan, [outcome.found])
        if prepared.changes:
            changed = {
                place: array
                for place, array in zip(prepared.work, outcome.columns, strict=True)
                if _changes(plan.fields[place])
            }
    if plan.row_count is not None and rows != plan.row_count:
        found.append(row_count_violation(plan.row_count, rows))
    if found:
        raise ViolationError(found)
    return changed


def _batch(arrays: list[pa.Array], names: list[str], rows: int) -> pa.RecordBatch:
    if arrays:
        return pa.RecordBatch.from_arrays(arrays, names)
    # A batch without columns has to say how many rows it stands for.
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


def violations_of(plan: EnforcementPlan, batches: Iterable[tuple[Found, ...]]) -> list[Violation]:
    """Return one violation for each check that some rows of some batches violate."""
    seen: dict[int, set[str]] = {}
    shown: dict[int, str] = {}
    for batch in batches:
        for found in batch:
            seen.setdefault(found.check, set()).update(np.unique(found.observed).tolist())
            if found.values is not None and len(found.values):
                shown.setdefault(found.check, str(found.values[0]))
    return [
        Violation(
            plan.checks[check].path,
            plan.checks[check].code,
            plan.checks[check].expected,
            ", ".join(sorted(seen[check])),
            value=shown.get(check),
        )
        for check in sorted(seen)
    ]


def row_count_violation(expected: int, observed: int) -> Violation:
    """Return the violation of a fixed number of rows."""
    return Violation("$", Code.ROW_COUNT, f"{expected} rows", f"{observed} rows")
