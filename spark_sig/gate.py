"""The gate: one verdict on a whole source, for about the price of its scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow.types as pat

from spark_sig.compile.spark import source_schema
from spark_sig.delta.log import first_line
from spark_sig.engines.catalyst import compile_expressions, numbered, source_columns
from spark_sig.engines.stage import tally_groups, tally_rows
from spark_sig.errors import SignatureError, SourceError, Violation
from spark_sig.naming import SPARK_TYPE, member_path
from spark_sig.plan import EnforcementPlan, FieldPlan, Rung
from spark_sig.planner import Engine, node_checks, plan_enforcement
from spark_sig.policy import Policy, policy_of
from spark_sig.report import Report
from spark_sig.signature import ModelSignature, load_signature
from spark_sig.sources import Resolved, resolve
from spark_sig.tally import Tally

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from spark_sig.signature import SignatureSource
    from spark_sig.sources import Data


def validate(
    data: Data,
    signature: SignatureSource,
    *,
    policy: Policy | None = None,
    side: str = "inputs",
    version: int | None = None,
    timestamp: str | None = None,
    engine: Engine = "auto",
    row_key: str | Sequence[str] = (),
    min_rows: int = 0,
) -> Report:
    """Check every row of a source against a signature.

    Where the data conforms this takes one query, on violations a second one.  Data that does not
    fit by its types alone is reported without a scan.

    Args:
        data: a DataFrame, a path of a Delta table or of Parquet files, or a catalog name.
        signature: a signature, or anything that loads as one.
        policy: the choices that the signature leaves open; the default ones where None.
        side: ``inputs`` or ``outputs``.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.
        engine: ``auto`` sends each check to the cheapest rung that decides it, ``arrow`` all of
            them to Python, ``catalyst`` refuses what needs Python.
        row_key: source columns whose values name a row in the report's examples.
        min_rows: the least number of rows that conforms.

    Returns:
        The report; its ``conforms`` is the verdict.

    Raises:
        SignatureError: where signature, policy or names cannot mean anything.
        SourceError: where the source, or the version, cannot be read.
    """
    loaded = load_signature(signature)
    return validate_source(
        resolve(data, version=version, timestamp=timestamp),
        loaded,
        policy=policy,
        side=side,
        engine=engine,
        row_key=row_key,
        min_rows=min_rows,
    )


def validate_source(
    source: Resolved,
    signature: ModelSignature,
    *,
    policy: Policy | None = None,
    side: str = "inputs",
    engine: Engine = "auto",
    row_key: str | Sequence[str] = (),
    min_rows: int = 0,
    findings: Sequence[Violation] = (),
) -> Report:
    """Check a source that is resolved already; see :func:`validate`.

    ``findings`` are violations found before, such as those of params; with any, no row is read.
    """
    # The gate gives back no rows: what row mode does with them is no part of its verdict.
    policy = replace(policy_of(policy), on_violation="raise")
    row_key = (row_key,) if isinstance(row_key, str) else tuple(row_key)
    schema = signature.side(side)
    plan = plan_enforcement(
        source_schema(source.frame.schema),
        schema,
        policy,
        engine=engine,
        spark=True,
        enforced=source.enforced,
    )
    plan = plan._replace(findings=(*findings, *plan.findings))
    _check_key(plan, row_key)
    tally = Tally.empty(policy.examples)
    if not plan.findings:
        tally = _tally(source, plan, row_key)
    return Report.of(
        plan,
        tally,
        signature=signature.fingerprint,
        side=side,
        source=source.info,
        expected_rows=source.expected_rows,
        min_rows=min_rows,
        row_key=row_key,
        schema=schema,
    )


def _check_key(plan: EnforcementPlan, row_key: Sequence[str]) -> None:
    for name in row_key:
        if not isinstance(name, str) or name not in plan.source.names:
            raise SignatureError(
                f"the row key names no column {name!r}",
                path=member_path("$", str(name)),
                expected=f"one of {', '.join(plan.source.names[:20])}",
            )
        column = plan.source.field(name)
        if column.type.num_fields or (column.metadata or {}).get(SPARK_TYPE):
            raise SignatureError(
                f"a row key must be a scalar column, and {name!r} is not",
                path=member_path("$", name),
            )
        if pat.is_time(column.type):  # Spark groups by it, and ships no group to Python
            raise SignatureError(
                f"a row key of type time cannot be reported, and {name!r} is one",
                path=member_path("$", name),
                remedy="cast it to string first",
            )


def _tally(source: Resolved, plan: EnforcementPlan, row_key: Sequence[str]) -> Tally:
    live = [f for f in plan.fields if any(plan.checks[c].live for c in node_checks(f.node))]
    arrow = [f for f in live if f.rung is Rung.ARROW]
    fused = [f for f in live if f.rung is not Rung.ARROW]
    frame, limit = numbered(source.frame, plan), plan.policy.examples
    try:
        if not live:
            # Nothing depends on a row.  The log of a pinned table says how many there are.
            rows = None if source.info.uncounted else source.expected_rows
            return Tally(limit, frame.count() if rows is None else rows, 0, {})
        if not arrow:
            return _tally_fused(frame, plan, fused, row_key)
        found = compile_expressions(plan, fused, columns=source_columns(plan))
        details = f"CASE WHEN {found.violates} THEN {found.details} END" if found.violates else None
        return tally_rows(frame, plan, arrow, row_key, details)
    except Exception as error:
        raise explained(error) from error


def _tally_fused(
    frame: DataFrame, plan: EnforcementPlan, fields: Sequence[FieldPlan], row_key: Sequence[str]
) -> Tally:
    """Tally rows in Catalyst: one query where all conform, else a second one for the details."""
    limit = plan.policy.examples
    found = compile_expressions(plan, fields, columns=source_columns(plan))
    if found.violates is None:
        return Tally(limit, frame.count(), 0, {})
    row = frame.selectExpr("count(*)", f"count_if({found.violates})").collect()[0]
    if not row[1]:
        return Tally(limit, int(row[0]), 0, {})
    # Conforming rows fall into one group, before anything is shuffled.
    places = [plan.source.names.index(name) for name in row_key]
    key = ", ".join(f"'k{i}', {_exactly(frame, place)}" for i, place in enumerate(places))
    groups = (
        frame.selectExpr(
            f"CASE WHEN {found.violates} THEN named_struct("
            f"'key', named_struct({key}), 'violations', {found.details}) END AS detail"
        )
        .groupBy("detail")
        .count()
    )
    return tally_groups(groups, limit)


def _exactly(frame: DataFrame, place: int) -> str:
    """Write a numbered column so that only equal values fall into one group."""
    collated = frame.schema.fields[place].dataType.simpleString().startswith("string collate")
    return f"c{place} COLLATE UTF8_BINARY" if collated else f"c{place}"


def explained(error: Exception) -> Exception:
    """Return an error of Spark's as one that says what the user can do, where that is known."""
    text = str(error)
    for module in ("pyarrow", "numpy", "spark_sig"):
        if f"No module named '{module}'" in text:
            return SourceError(
                f"the Python of Spark's workers has no {module}: point PYSPARK_PYTHON at one that "
                f"has, or install it there"
            )
    if isinstance(error, (SignatureError, SourceError)):
        return error
    if type(error).__module__.startswith(("pyspark", "py4j", "grpc")):
        return SourceError(f"the source cannot be read: {first_line(error)}")
    return error
