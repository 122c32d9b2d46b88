"""The command ``validate``: every row of a table is checked, and the report is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, VIOLATIONS, told
from spark_sig.cli.context import flags_of, session_of
from spark_sig.cli.reporting import reported
from spark_sig.errors import Violation, ViolationError
from spark_sig.gate import validate_source
from spark_sig.params import enforce_params
from spark_sig.quarantine import conform
from spark_sig.quarantine.limit import tolerates
from spark_sig.report import Report, Transfer
from spark_sig.settings.validate import ValidateSettings, validate_settings
from spark_sig.signature import ModelSignature, load_signature
from spark_sig.sinks import new_run_id
from spark_sig.sources import resolve

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def validate_command(
    context: typer.Context,
    table: options.Table = None,
    signature: options.Signature = None,
    version: options.Version = None,
    timestamp: options.Timestamp = None,
    side: options.Side = None,
    params: Annotated[str | None, typer.Option(help="Params to check, as JSON.")] = None,
    report: options.Report = None,
    openlineage: options.Lineage = None,
    config: options.Config = None,
    json: options.Json = False,
    engine: options.Engine = None,
    row_key: options.RowKey = None,
    min_rows: Annotated[int | None, typer.Option(help="Fewer rows are a violation.")] = None,
    run_id: options.RunId = None,
    stats: Annotated[
        bool | None, typer.Option(help="Whether file statistics may decide checks.")
    ] = None,
    fail_fast: Annotated[
        bool | None, typer.Option(help="End where statistics refute a check; read no rows.")
    ] = None,
    audit: Annotated[
        str | None, typer.Option(help="Share of the proven files to read again, such as 5%.")
    ] = None,
    ledger: Annotated[
        str | None, typer.Option(help="Delta table that remembers verdicts on files.")
    ] = None,
    conformed: options.Conformed = None,
    quarantine: Annotated[
        str | None, typer.Option(help="Delta table that rows which violate are written to.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="append, overwrite or replace-partitions.")
    ] = None,
    max_violations: Annotated[
        str | None, typer.Option(help="With more violating rows, N or P%, nothing is written.")
    ] = None,
    policy: options.PolicyName = None,
    casts: options.Casts = None,
    nulls: options.Nulls = None,
    nan: options.Nan = None,
    case: options.Case = None,
    extra: options.Extra = None,
    fill_missing: options.FillMissing = None,
    datetime: options.Datetime = None,
    on_violation: options.OnViolation = None,
    show_values: options.ShowValues = None,
    examples: options.Examples = None,
) -> None:
    """Check every row of a table, and write the report.

    Exits with 0 where the table conforms, 3 where it does not, 2 where arguments, configuration
    or signature cannot be read, and 1 where the check could not be finished.

    Examples:

        spark-sig validate --table lake.flights --signature models:/delays@champion

        spark-sig validate --table data/flights --signature MLmodel --report reports/ --json
    """
    raise typer.Exit(run_validate(flags_of(context), config, session_of(context), json=json))


def run_validate(
    flags: dict[str, Any],
    config: str | None,
    session: Callable[[], SparkSession],
    *,
    json: bool = False,
) -> int:
    """Carry one ``validate`` out and return the exit code."""
    return told(lambda: _validate(validate_settings(flags, config), session, json=json))


def _validate(
    settings: ValidateSettings, session: Callable[[], SparkSession], *, json: bool
) -> int:
    signature = load_signature(settings.signature)
    signature.side(settings.side)
    report = reported(
        settings.table,
        lambda spark: _checked(settings, signature, spark),
        session,
        settings.report,
        new_run_id() if settings.run_id is None else settings.run_id,
        json=json,
        lineage="validate" if settings.openlineage else None,
    )
    return DONE if report.conforms or tolerates(report, settings.max_violations) else VIOLATIONS


def _checked(settings: ValidateSettings, signature: ModelSignature, spark: SparkSession) -> Report:
    findings: tuple[Violation, ...] = ()
    if settings.params is not None:
        try:
            enforce_params(settings.params, signature)
        except ViolationError as error:
            findings = error.violations
    moves = settings.conformed is not None and settings.quarantine is not None
    if moves and not findings:
        return _conformed(settings, signature)
    source = resolve(
        settings.table,
        version=settings.version,
        timestamp=settings.timestamp,
        spark=spark,
        counted=False,
    )
    report = validate_source(
        source,
        signature,
        policy=settings.policy,
        side=settings.side,
        engine=settings.engine,
        row_key=settings.row_key,
        min_rows=settings.min_rows,
        stats=settings.stats,
        fail_fast=settings.fail_fast,
        audit=settings.audit,
        ledger=settings.ledger,
        findings=findings,
    )
    if not moves:
        return report
    refused = Transfer.refused(settings.run_id, settings.mode, "the params do not fit")
    return replace(report, transfer=refused)


def _conformed(settings: ValidateSettings, signature: ModelSignature) -> Report:
    conformed, quarantine = settings.conformed, settings.quarantine
    assert conformed is not None
    assert quarantine is not None
    return conform(
        settings.table,
        signature,
        conformed=conformed,
        quarantine=quarantine,
        mode=settings.mode,
        policy=settings.policy,
        side=settings.side,
        version=settings.version,
        timestamp=settings.timestamp,
        engine=settings.engine,
        row_key=settings.row_key,
        min_rows=settings.min_rows,
        run_id=settings.run_id,
        max_violations=settings.max_violations,
    )
