"""Validation: from a source and a signature to a report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow.types as pat

from spark_sig.compile.spark import source_schema
from spark_sig.delta.ledger import open_ledger
from spark_sig.errors import SignatureError, Violation
from spark_sig.gate.audit import audit_proofs
from spark_sig.gate.memory import Memory
from spark_sig.gate.prove import proving
from spark_sig.gate.scan import tally_parts
from spark_sig.naming import SPARK_TYPE, member_path
from spark_sig.plan import EnforcementPlan
from spark_sig.planner import Engine, plan_enforcement
from spark_sig.policy import Policy, policy_of
from spark_sig.report import Evidence, Report, least_rows
from spark_sig.signature import ModelSignature, load_signature
from spark_sig.sources import Resolved, resolve
from spark_sig.tally import Tally

if TYPE_CHECKING:
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
    stats: bool = True,
    fail_fast: bool = False,
    audit: float = 0.0,
    ledger: str | os.PathLike[str] | None = None,
) -> Report:
    """Check every row of a source against a signature.

    What the log of a Delta table proves is not read; where all of the rest conforms this takes
    one query, on violations a second one.  Data that does not fit by its types alone is reported
    without a scan.

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
        stats: whether file statistics may decide checks; the verdict is the same either way.
        fail_fast: whether to end where statistics refute a check, with no row read, counted or
            shown.
        audit: the share of the files that need not be read that are read nevertheless, 0 to 1,
            chosen at random; at least one.  What was wrongly proven makes the report one that
            does not conform.
        ledger: path or name of the Delta table in which verdicts on files are remembered, made
            where there is none; files that an earlier run found to conform are not read again.

    Returns:
        The report; its ``conforms`` is the verdict.

    Raises:
        SignatureError: where signature, policy or names cannot mean anything.
        SourceError: where the source, the version or the ledger cannot be read.
    """
    loaded = load_signature(signature)
    return validate_source(
        resolve(data, version=version, timestamp=timestamp, counted=False),
        loaded,
        policy=policy,
        side=side,
        engine=engine,
        row_key=row_key,
        min_rows=min_rows,
        stats=stats,
        fail_fast=fail_fast,
        audit=audit,
        ledger=ledger,
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
    stats: bool = True,
    fail_fast: bool = False,
    audit: float = 0.0,
    ledger: str | os.PathLike[str] | None = None,
    findings: Sequence[Violation] = (),
) -> Report:
    """Check a source that is resolved already; see :func:`validate`.

    ``findings`` are violations found before, such as those of params; with any, no row is read.
    """
    # The gate gives back no rows: what row mode does with them is no part of its verdict.
    policy = replace(policy_of(policy), on_violation="raise")
    if not isinstance(audit, (int, float)) or not 0 <= audit <= 1:
        raise SignatureError(
            "the share to audit lies outside of 0 to 1", path="audit", observed=repr(audit)
        )
    least = least_rows(min_rows)
    row_key = (row_key,) if isinstance(row_key, str) else tuple(row_key)
    schema = signature.side(side)
    plan = plan_enforcement(
        source_schema(source.frame.schema, source.imposed()),
        schema,
        policy,
        engine=engine,
        spark=True,
        enforced=source.enforced,
    )
    plan = plan._replace(findings=(*findings, *plan.findings))
    _check_key(plan, row_key)
    report = partial(
        Report.of,
        signature=signature.fingerprint,
        side=side,
        min_rows=least,
        row_key=row_key,
        schema=schema,
    )
    nothing = Tally.empty(policy.examples)
    if plan.findings:
        source = source.counted()
        return report(plan, nothing, source=source.info, expected_rows=source.expected_rows)
    # The arrow engine is the reference that nothing else is to stand in for.
    asked = stats and engine != "arrow"
    if audit and source.snapshot is None:
        asked = False  # files without a log are not audited, and so nothing is proven of them
    memory = None
    if ledger is not None and engine != "arrow":
        opened = open_ledger(source.frame.sparkSession, ledger)
        memory = Memory(opened, signature.fingerprint, side)
    with proving(source, plan, stats=asked, memory=memory) as proofs:
        report = partial(
            report,
            proofs.plan,
            source=proofs.source.info,
            expected_rows=proofs.source.expected_rows,
        )
        refuted = proofs.refuted
        if fail_fast and refuted:
            return report(
                nothing,
                decided=proofs.refutations(refuted),
                refuted=refuted,
                evidence=Evidence(proofs.statistics, 0, "nothing added" if memory else ""),
            )
        dirty = bool(refuted)
        tallied = partial(tally_parts, limit=policy.examples, row_key=row_key, dirty=dirty)
        seen = tallied(proofs.parts(counted=True))
        # Apart, as they must not make up for rows of the others that are missing.
        others = tallied(proofs.parts(counted=False))
        tally = seen + others
        tally = replace(tally, rows=tally.rows + proofs.rows_proven)
        found = report(
            tally,
            uncounted=others.rows,
            decided=proofs.decided(tally.rows),
            audit=audit_proofs(proofs, audit) if audit else None,
            evidence=Evidence(proofs.statistics, proofs.files_read),
        )
        if ledger is None:
            return found
        told = "not used: the arrow engine reads every row"
        if memory is not None:
            told = memory.told(proofs, tally, trustworthy=found.sound)
        return replace(found, evidence=replace(found.evidence, ledger=told))


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
