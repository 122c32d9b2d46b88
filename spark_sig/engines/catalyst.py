"""The catalyst engine: row mode within Spark's own scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spark_sig.engines.expressions import Expressions, compile_expressions
from spark_sig.plan import EnforcementPlan
from spark_sig.planner import ORIGINAL, VIOLATIONS
from spark_sig.sqltext import literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Expressions", "compile_expressions", "enforce_rows", "numbered", "source_columns"]


def source_columns(plan: EnforcementPlan) -> tuple[str, ...]:
    """Return the names that :func:`numbered` gives to the source's columns, in their order."""
    return tuple(f"c{i}" for i in range(len(plan.source)))


def numbered(df: DataFrame, plan: EnforcementPlan) -> DataFrame:
    """Rename the columns of a source by their place.

    Text can then name any of them without quotes, whatever they are called, whatever the
    session takes for the same name, and whatever the DataFrame's alias.
    """
    return df.toDF(*source_columns(plan))


def enforce_rows(df: DataFrame, plan: EnforcementPlan) -> DataFrame:
    """Return the rows of a DataFrame as a plan wants them, by Catalyst alone.

    Args:
        df: the source that the plan was made for.
        plan: made without findings, and without fields of the arrow rung; its policy says what
            becomes of a row that violates.

    Raises:
        ValueError: where a field needs the arrow rung.
    """
    columns = source_columns(plan)
    found = compile_expressions(plan, columns=columns)
    source = numbered(df, plan)
    names = plan.output.names
    match plan.policy.on_violation:
        case "raise":
            return _raise(source, found).toDF(*names)
        case "drop":
            return _drop(source, found).toDF(*names)
        case "tag":
            original = ", ".join(
                f"{literal(field.name)}, {_nullable(column, field.nullable)}"
                for field, column in zip(plan.source, columns, strict=True)
            )
            untouched = f"CASE WHEN {found.violates or 'false'} THEN named_struct({original}) END"
            tagged = source.selectExpr(*_aliased([*found.values, found.tags, untouched]))
            return tagged.toDF(*names, VIOLATIONS, ORIGINAL)


def violating_rows(df: DataFrame, plan: EnforcementPlan) -> DataFrame:
    """Return the rows that violate a plan, untouched, and why; others cost no more than a check.

    Args:
        df: the source that the plan was made for.
        plan: as for :func:`enforce_rows`, whatever its policy does with such a row.

    Returns:
        The columns of the source, and ``_violations``.
    """
    columns = source_columns(plan)
    found = compile_expressions(plan, columns=columns)
    rows = numbered(df, plan).where(found.violates or "false")
    return rows.selectExpr(*columns, f"{found.tags} AS tags").toDF(*plan.source.names, VIOLATIONS)


def _nullable(column: str, nullable: bool) -> str:
    # Under a NULL struct a member is NULL: toArrow fails where its flag says that it cannot be.
    return column if nullable else f"CASE WHEN {column} IS NOT NULL THEN {column} END"


def _aliased(values: Sequence[str]) -> list[str]:
    return [f"{value} AS v{i}" for i, value in enumerate(values)]


def _raise(source: DataFrame, found: Expressions) -> DataFrame:
    """Project the conforming rows; the first that does not conform ends the query."""
    # raise_error has no type of its own
    return _guarded(source, found, f"CAST(raise_error({found.message}) AS INT)")


def _drop(source: DataFrame, found: Expressions) -> DataFrame:
    """Project the conforming rows; the others are left out."""
    if found.fused and found.violates is not None:
        return source.where(f"NOT {found.violates}").selectExpr(*_aliased(found.conforming))
    # The values stay beside the condition, where they are not fused either.
    return _guarded(source, found, "-1")


def _guarded(source: DataFrame, found: Expressions, otherwise: str) -> DataFrame:
    """Project the conforming rows; one that does not conform makes ``otherwise`` of the guard.

    Nothing that a query does to the rows later is done before the check, as filters, joins and
    aggregates do not move below a projection that is not deterministic, and the projection
    cannot be dropped, as a filter uses what it makes (FACTS, "The row guard").
    """
    values = _aliased(found.conforming)
    if found.violates is None:
        return source.selectExpr(*values)
    guard = f"CASE WHEN {found.violates} THEN {otherwise} ELSE spark_partition_id() END AS guard"
    return source.selectExpr(*values, guard).where("guard >= 0").drop("guard")
