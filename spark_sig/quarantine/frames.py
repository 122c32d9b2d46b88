"""Frames: the rows that go to each of the two tables, as they are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.engines import catalyst, stage
from spark_sig.errors import SignatureError
from spark_sig.naming import member_path
from spark_sig.plan import EnforcementPlan
from spark_sig.planner import VIOLATIONS
from spark_sig.rows import split
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# What the quarantine says of each row besides what it was and its violations.
SIGNATURE, SOURCE, SOURCE_ID = "_signature", "_source", "_source_id"
SOURCE_VERSION, TARGET_ID, RUN_ID = "_source_version", "_target_id", "_run_id"
ADDED = (VIOLATIONS, SIGNATURE, SOURCE, SOURCE_ID, SOURCE_VERSION, TARGET_ID, RUN_ID)
# What tells the rows of one run from those of others, which may go by its name.
RUN = (SOURCE_ID, TARGET_ID, RUN_ID)


class Origin(NamedTuple):
    """What the quarantine says of all rows that a run writes.

    Args:
        signature: fingerprint of the signature that they violate.
        source: what their source was called.
        source_id: what tells it from others.
        version: the source's version; None where it has none.
        target_id: the id of the table that the run's other rows go to.
        run_id: the name of the run.
    """

    signature: str
    source: str
    source_id: str
    version: int | None
    target_id: str
    run_id: str


def refuse_added(names: Iterable[str]) -> None:
    """Refuse source columns of names that the quarantine adds.

    Raises:
        SignatureError: where there is one.
    """
    for name in names:
        if name.lower() in ADDED:
            raise SignatureError(
                f"there is a column {name!r}, and the quarantine adds one of that name",
                path=member_path("$", name),
                remedy="rename it first",
            )


def conforming_rows(frame: DataFrame, plan: EnforcementPlan) -> DataFrame:
    """Return the rows that conform, as the plan wants them."""
    wanted = plan._replace(policy=replace(plan.policy, on_violation="drop"))
    if plan.arrow_fields:
        return stage.enforce_rows(frame, wanted)
    return catalyst.enforce_rows(frame, wanted)


def violating_rows(frame: DataFrame, plan: EnforcementPlan, origin: Origin) -> DataFrame:
    """Return the rows that violate, as they are, and what the quarantine says of each.

    Args:
        frame: the source that the plan was made for.
        plan: what its rows are held to.
        origin: what is said of all of them.
    """
    return marked(_explained(frame, plan), origin)


def marked(rows: DataFrame, origin: Origin) -> DataFrame:
    """Return rows with what the quarantine says of each, besides its violations."""
    from pyspark.sql import functions as F

    said = {
        SIGNATURE: F.lit(origin.signature),
        SOURCE: F.lit(origin.source),
        SOURCE_ID: F.lit(origin.source_id),
        SOURCE_VERSION: F.lit(origin.version).cast("bigint"),
        TARGET_ID: F.lit(origin.target_id),
        RUN_ID: F.lit(origin.run_id),
    }
    return rows.withColumns(said)


def _explained(frame: DataFrame, plan: EnforcementPlan) -> DataFrame:
    """Return the rows that violate, as they are, with ``_violations``."""
    if not plan.arrow_fields:
        return catalyst.violating_rows(frame, plan)
    # The rows themselves are there: the table needs no values beside them.
    tagged = replace(plan.policy, on_violation="tag", show_values=False)
    return split(stage.enforce_rows(frame, plan._replace(policy=tagged)))[1]


def still_violating(frame: DataFrame, plan: EnforcementPlan, signature: str) -> DataFrame:
    """Return the rows of a quarantine that violate a plan, and why, the rest of them as it was.

    Args:
        frame: rows of the quarantine.
        plan: made for its columns but for ``_violations`` and ``_signature``.
        signature: fingerprint of the signature that they are held to.
    """
    from pyspark.sql import functions as F

    columns = frame.select(*map(quoted, plan.source.names))
    return _explained(columns, plan).withColumn(SIGNATURE, F.lit(signature))


def as_they_were(quarantined: DataFrame) -> DataFrame:
    """Return rows of a quarantine as they were in their source."""
    names = [name for name in quarantined.columns if name.lower() not in ADDED]
    return quarantined.select(*map(quoted, names))


def rows_of(
    quarantined: DataFrame,
    plan: EnforcementPlan,
    source_id: str,
    target_id: str,
    run_id: str | None = None,
) -> DataFrame:
    """Return the rows of a source in the quarantine, or of one of its runs, as they were."""
    from pyspark.sql import functions as F

    mine = quarantined.where((F.col(SOURCE_ID) == source_id) & (F.col(TARGET_ID) == target_id))
    if run_id is not None:
        mine = mine.where(F.col(RUN_ID) == run_id)
    # The table may have them in another order, and others.
    return mine.select(*map(quoted, plan.source.names))
