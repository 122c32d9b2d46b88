"""Row mode: the same enforcement as a lazy step from DataFrame to DataFrame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spark_sig.compile.spark import source_schema
from spark_sig.engines import catalyst, stage
from spark_sig.errors import SignatureError, ViolationError
from spark_sig.plan import EnforcementPlan
from spark_sig.planner import ORIGINAL, VIOLATIONS, Engine, plan_enforcement
from spark_sig.policy import Policy, policy_of
from spark_sig.signature import load_signature
from spark_sig.sources import refuse_values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from spark_sig.signature import SignatureSource


def enforce_signature(
    signature: SignatureSource,
    *,
    policy: Policy | None = None,
    side: str = "inputs",
    engine: Engine = "auto",
) -> Callable[[DataFrame], DataFrame]:
    """Return a transformation that casts and checks every row of a DataFrame, batch or stream.

    What becomes of a row that violates is ``policy.on_violation``: ``raise`` fails the action,
    ``drop`` leaves the row out, ``tag`` keeps every row and adds ``_violations``, an array of
    structs with path, code, expected and observed, and ``_original``, the untouched row where it
    violates.

    Args:
        signature: a signature, or anything that loads as one.
        policy: the choices that the signature leaves open; the default ones where None.
        side: ``inputs`` or ``outputs``.
        engine: as for :func:`spark_sig.validate`.

    Returns:
        A function for ``DataFrame.transform``.  It raises ``ViolationError``, which lists every
        violation, where a DataFrame does not fit by its types, before any action.

    Raises:
        SignatureError: where signature or policy cannot mean anything.
    """
    schema = load_signature(signature).side(side)
    chosen = policy_of(policy)

    def enforce(df: DataFrame) -> DataFrame:
        refuse_values(df)
        plan = plan_enforcement(source_schema(df.schema), schema, chosen, engine=engine, spark=True)
        return enforce_planned(df, plan)

    return enforce


def enforce_planned(df: DataFrame, plan: EnforcementPlan) -> DataFrame:
    """Return the rows of a DataFrame as a plan that was made for it wants them.

    Raises:
        SignatureError: where rows cannot be held to it; see :func:`refuse_misfit`.
    """
    refuse_misfit(plan)
    if plan.arrow_fields:
        return stage.enforce_rows(df, plan)
    return catalyst.enforce_rows(df, plan)


def refuse_misfit(plan: EnforcementPlan) -> None:
    """Refuse a plan to which rows cannot be held one by one.

    Raises:
        ViolationError: where the source does not fit by its types; lists every violation.
        SignatureError: where the plan asks for a number of rows.
    """
    if plan.findings:
        raise ViolationError(plan.findings)
    refuse_row_count(plan)


def refuse_row_count(plan: EnforcementPlan) -> None:
    """Refuse a plan that asks for a number of rows.

    Raises:
        SignatureError: where it does.
    """
    if plan.row_count is not None:
        raise SignatureError(
            f"the tensor's first axis is fixed at {plan.row_count} rows, which no single row "
            "can be held to",
            remedy="check the whole with validate, or make the axis -1",
        )


def split(tagged: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Split rows tagged under ``on_violation="tag"``.

    Args:
        tagged: a DataFrame with the columns ``_violations`` and ``_original``.

    Returns:
        The rows that conform, as enforced; and the rows that do not, as they were before, with
        ``_violations`` saying why.

    Raises:
        SignatureError: where the columns are not there.
    """
    from pyspark.sql import functions as F

    missing = [name for name in (VIOLATIONS, ORIGINAL) if name not in tagged.columns]
    if missing:
        raise SignatureError(
            f"the DataFrame has no column {', '.join(missing)}",
            remedy="enforce with Policy(on_violation='tag') first",
        )
    conforms = F.size(VIOLATIONS) == 0
    conformed = tagged.where(conforms).drop(VIOLATIONS, ORIGINAL)
    rejected = tagged.where(~conforms).select(f"{ORIGINAL}.*", VIOLATIONS)
    return conformed, rejected
