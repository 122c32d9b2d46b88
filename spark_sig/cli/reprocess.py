"""The command ``reprocess``: rows of a quarantine are held to another signature, and moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, VIOLATIONS, told
from spark_sig.cli.context import flags_of, session_of
from spark_sig.cli.reporting import reported
from spark_sig.quarantine import reprocess
from spark_sig.report import Report
from spark_sig.settings.reprocess import ReprocessSettings, reprocess_settings
from spark_sig.signature import ModelSignature, load_signature
from spark_sig.sinks import new_run_id

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def reprocess_command(
    context: typer.Context,
    quarantine: Annotated[
        str | None, typer.Option(help="Delta table of rows that violated.")
    ] = None,
    conformed: options.Conformed = None,
    signature: options.Signature = None,
    side: options.Side = None,
    report: options.Report = None,
    config: options.Config = None,
    json: options.Json = False,
    engine: options.Engine = None,
    row_key: options.RowKey = None,
    run_id: Annotated[
        list[str] | None,
        typer.Option(help="Run whose rows are taken; may be repeated; all where there is none."),
    ] = None,
    abandon: Annotated[
        bool | None,
        typer.Option(
            help="Begin anew where a call cannot be finished (see that no row is in both)."
        ),
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
    """Check the rows of a quarantine again, and move those that conform.

    Exits with 0 where all of them conform, 3 where some stay, 2 where arguments, configuration or
    signature cannot be read, and 1 where it could not be finished: the same call finishes it,
    unless the error says otherwise.

    Examples:

        spark-sig reprocess --quarantine lake.bad --conformed lake.good --signature newer.json
    """
    raise typer.Exit(run_reprocess(flags_of(context), config, session_of(context), json=json))


def run_reprocess(
    flags: dict[str, Any],
    config: str | None,
    session: Callable[[], SparkSession],
    *,
    json: bool = False,
) -> int:
    """Carry one ``reprocess`` out and return the exit code."""
    return told(lambda: _reprocess(reprocess_settings(flags, config), session, json=json))


def _reprocess(
    settings: ReprocessSettings, session: Callable[[], SparkSession], *, json: bool
) -> int:
    signature = load_signature(settings.signature)
    signature.side(settings.side)
    report = reported(
        settings.quarantine,
        lambda _: _moved(settings, signature),
        session,
        settings.report,
        new_run_id(),
        json=json,
    )
    return DONE if report.conforms else VIOLATIONS


def _moved(settings: ReprocessSettings, signature: ModelSignature) -> Report:
    return reprocess(
        settings.quarantine,
        signature,
        conformed=settings.conformed,
        policy=settings.policy,
        side=settings.side,
        engine=settings.engine,
        row_key=settings.row_key,
        run_id=settings.run_id,
        abandon=settings.abandon,
    )
