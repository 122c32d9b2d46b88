"""The planner: from a source's schema, a signature's schema and a policy to a plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pyarrow as pa

from spark_sig.compile.arrow import arrow_type
from spark_sig.errors import Code, SignatureError
from spark_sig.naming import member_path
from spark_sig.plan import Anything, EnforcementPlan, FieldPlan, Nulls, Reason
from spark_sig.planning.draft import Draft, Engine
from spark_sig.planning.matching import (
    HINTS,
    ORIGINAL,
    VIOLATIONS,
    match_columns,
    near_miss,
    refuse_duplicates,
    refuse_reserved,
)
from spark_sig.planning.rungs import node_checks
from spark_sig.planning.tensors import fixed_rows, plan_tensor, stacked_columns
from spark_sig.planning.values import plan_value
from spark_sig.policy import Policy, policy_of
from spark_sig.schema import ColSpec, Schema, Spec, TensorSpec

__all__ = [
    "ORIGINAL",
    "VIOLATIONS",
    "Engine",
    "node_checks",
    "plan_enforcement",
]


def plan_enforcement(
    source: pa.Schema,
    schema: Schema,
    policy: Policy | None = None,
    *,
    engine: Engine = "auto",
    spark: bool = False,
    enforced: bool = False,
) -> EnforcementPlan:
    """Plan how a source is made to fit a schema.

    Data that does not fit by its types is no error: it is listed in ``findings``.

    Args:
        source: columns of the source.  Nullable flags count as assumptions with ``spark``, and
            as nothing elsewhere.
        schema: what they have to fit.
        policy: the choices; the default policy where None.
        engine: ``arrow`` sends every check to the arrow rung, ``catalyst`` refuses what only
            that rung can decide.
        spark: whether the source is a Spark DataFrame.
        enforced: whether the source is a table that enforces its NOT NULL flags (Delta does,
            outside of arrays and maps).

    Raises:
        SignatureError: where names are ambiguous or reserved, or the engine cannot do it.

    Example:
        >>> plan = plan_enforcement(
        ...     pa.schema([("b", pa.int32()), ("a", pa.string())]),
        ...     Schema([ColSpec("string", "a"), ColSpec("long", "b")]),
        ... )
        >>> [(f.name, f.source, f.rung.value) for f in plan.fields]
        [('a', 1, 'catalyst'), ('b', 0, 'catalyst')]
        >>> [str(c.path) + " " + c.code.value for c in plan.checks]
        ['$.a null', '$.b null']
    """
    policy = policy_of(policy)
    if engine not in get_args(Engine):
        raise SignatureError(
            f"unknown engine {engine!r}", expected=f"one of {', '.join(get_args(Engine))}"
        )
    refuse_duplicates(source)
    draft = Draft(policy, engine, spark, enforced)
    stacked = stacked_columns(source, schema)
    if stacked is not None:
        schema = stacked
    fields = tuple(_columns(draft, source, schema))
    if policy.on_violation == "tag":
        refuse_reserved((*source.names, *(f.name for f in fields)))
    row_count = fixed_rows(schema)
    output = pa.schema([pa.field(f.name, f.node.output) for f in fields])
    plan = EnforcementPlan(
        source, output, fields, tuple(draft.checks), tuple(draft.findings), policy, row_count
    )
    if engine == "catalyst" and plan.arrow_fields and not plan.findings:
        names = ", ".join(f.path for f in plan.arrow_fields)
        raise SignatureError(
            f"Catalyst cannot decide {names}", remedy="use engine='auto' or engine='arrow'"
        )
    return plan


def _columns(draft: Draft, source: pa.Schema, schema: Schema) -> Iterator[FieldPlan]:
    """Plan every column that comes out, in order."""
    matches, extras = match_columns(draft, source, schema)
    taken = set()
    for index, (spec, place) in enumerate(zip(schema, matches, strict=True)):
        if spec.name is not None:
            name, path = spec.name, member_path("$", spec.name)
        else:
            # Output names are the source's; a missing column has none.
            name = f"[{index}]" if place is None else source.names[place]
            path = f"$[{index}]"
        planned = (
            _missing(draft, source, spec, name, path)
            if place is None
            else _column(draft, source, spec, name, path, place)
        )
        if planned is not None:
            taken.add(name)
            yield planned
    for place in extras:
        kept = source.field(place)
        path = member_path("$", kept.name)
        if kept.name in taken:
            raise SignatureError(f"an extra column repeats the name {kept.name!r}", path=path)
        node = Anything(kept.type, kept.type)
        yield FieldPlan(kept.name, path, place, kept.name, node, draft.settle(node))


def _missing(draft: Draft, source: pa.Schema, spec: Spec, name: str, path: str) -> FieldPlan | None:
    if spec.required:
        unnamed = (
            TensorSpec(spec.type, spec.shape)
            if isinstance(spec, TensorSpec)
            else ColSpec(spec.type)
        )
        hint = near_miss(name, source.names) if len(draft.findings) < HINTS else ""
        draft.find(path, Code.MISSING_COLUMN, repr(unnamed), "nothing", hint)
    elif draft.policy.fill_missing and isinstance(spec, ColSpec):
        output = arrow_type(spec.type)
        return FieldPlan(name, path, None, "", Nulls(pa.null(), output), Reason.TYPES)
    return None


def _column(
    draft: Draft, source: pa.Schema, spec: Spec, name: str, path: str, place: int
) -> FieldPlan | None:
    column = source.field(place)
    node = (
        plan_tensor(draft, column, spec, path)
        if isinstance(spec, TensorSpec)
        else plan_value(draft, column, spec.type, bool(spec.required), path)
    )
    if node is None:
        return None
    return FieldPlan(name, path, place, column.name, node, draft.settle(node))
