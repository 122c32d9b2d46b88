"""The command ``score``: a model is called on every row of a table, inputs and outputs enforced."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, VIOLATIONS, say, told
from spark_sig.cli.context import flags_of, session_of, started
from spark_sig.cli.progress import progress
from spark_sig.cli.reporting import reported
from spark_sig.diff.verdict import Compatibility
from spark_sig.fits import preflight
from spark_sig.integrations.mlflow.tables import score_table
from spark_sig.quarantine.limit import tolerates
from spark_sig.report import Report
from spark_sig.settings.score import ScoreSettings, score_settings
from spark_sig.sinks import new_run_id

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def score_command(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="Model: models:/NAME@ALIAS, runs:/…, m-…, or a folder.")
    ] = None,
    table: options.Table = None,
    out: Annotated[
        str | None, typer.Option(help="Delta table that predictions are written to.")
    ] = None,
    params: Annotated[str | None, typer.Option(help="Params of the model, as JSON.")] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Column that stays beside the predictions; may be repeated; else all."),
    ] = None,
    prediction: Annotated[
        str | None, typer.Option(help="Name of a prediction that the signature gives none.")
    ] = None,
    version: options.Version = None,
    timestamp: options.Timestamp = None,
    quarantine: Annotated[
        str | None, typer.Option(help="Delta table that rows which violate are written to.")
    ] = None,
    mode: Annotated[str | None, typer.Option(help="append or overwrite.")] = None,
    max_violations: Annotated[
        str | None,
        typer.Option(help="With more rows that violate, N or P%, nothing is written."),
    ] = None,
    stats: Annotated[
        bool | None, typer.Option(help="Whether file statistics may decide checks.")
    ] = None,
    ledger: Annotated[
        str | None, typer.Option(help="Delta table that remembers verdicts on files.")
    ] = None,
    run_id: options.RunId = None,
    preflight: Annotated[
        bool | None, typer.Option("--preflight", help="Compare types alone; no job runs.")
    ] = None,
    report: options.Report = None,
    openlineage: options.Lineage = None,
    config: options.Config = None,
    json: options.Json = False,
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
    """Call a model on every row of a table, and write its predictions to another.

    Exits with 0 where all rows and predictions conform, 3 where some do not (without a quarantine
    nothing is written then), 2 where arguments, configuration, model or params cannot be read, and
    1 where it could not be finished.

    Examples:

        spark-sig score --model models:/delays@champion --table lake.flights --preflight

        spark-sig score --model models:/delays@champion --table lake.flights --out lake.delays
    """
    raise typer.Exit(run_score(flags_of(context), config, session_of(context), json=json))


def run_score(
    flags: dict[str, Any],
    config: str | None,
    session: Callable[[], SparkSession],
    *,
    json: bool = False,
) -> int:
    """Carry one ``score`` out and return the exit code."""
    return told(lambda: _score(score_settings(flags, config), session, json=json))


def _score(settings: ScoreSettings, session: Callable[[], SparkSession], *, json: bool) -> int:
    if settings.preflight:
        return _compared(settings, session, json=json)
    report = reported(
        settings.table,
        lambda _: _scored(settings),
        session,
        settings.report,
        new_run_id() if settings.run_id is None else settings.run_id,
        json=json,
        lineage="score" if settings.openlineage else None,
    )
    tolerated = tolerates(report, settings.max_violations)
    return DONE if report.conforms or tolerated else VIOLATIONS


def _compared(settings: ScoreSettings, session: Callable[[], SparkSession], *, json: bool) -> int:
    spark = started(session)
    with progress(f"comparing {settings.table}", spark):
        found = preflight(
            settings.table,
            settings.model,
            policy=settings.policy,
            version=settings.version,
            timestamp=settings.timestamp,
        )
    say(found.to_json() if json else str(found))
    return VIOLATIONS if found.level is Compatibility.BREAKING or not found.passes else DONE


def _scored(settings: ScoreSettings) -> Report:
    assert settings.out is not None
    return score_table(
        settings.table,
        settings.model,
        settings.out,
        quarantine=settings.quarantine,
        mode=settings.mode,
        params=settings.params,
        policy=settings.policy,
        keep=settings.keep,
        prediction=settings.prediction,
        version=settings.version,
        timestamp=settings.timestamp,
        stats=settings.stats,
        ledger=settings.ledger,
        max_violations=settings.max_violations,
        run_id=settings.run_id,
    )
