"""The command ``infer``: a signature is derived from a table, and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, note, say, told, writing
from spark_sig.cli.context import flags_of, session_of, started
from spark_sig.cli.destination import Destination
from spark_sig.cli.progress import progress
from spark_sig.errors import SignatureError
from spark_sig.example import InputExample
from spark_sig.infer.example import draw_example
from spark_sig.infer.params import infer_params
from spark_sig.infer.table import infer_table
from spark_sig.inference import Inference
from spark_sig.settings.infer import InferSettings, infer_settings
from spark_sig.sinks import new_run_id, refuse_unwritable, write_report

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What errors of the library advise, and the flags that do it.
_FLAGS = (
    ("leave it out", "leave it out (--exclude)"),
    ("leave the column out", "leave the column out (--exclude)"),
    ("on_unsupported='any'", "--on-unsupported any"),
    ("infer columns in place of tensors", "infer columns in place of tensors (--no-tensors)"),
)


def infer_command(
    context: typer.Context,
    table: options.Table = None,
    version: options.Version = None,
    timestamp: options.Timestamp = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(help="Column to take; may be repeated; all where there is none."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Column to leave out; may be repeated.")
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option(help="Column of the model's outputs; may be repeated.")
    ] = None,
    params: Annotated[
        str | None, typer.Option(help="Params with their defaults, as a JSON object.")
    ] = None,
    tensors: Annotated[
        bool | None, typer.Option(help="Whether columns become tensors of one shape.")
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="What decimals with a fraction become: refuse or double.")
    ] = None,
    on_unsupported: Annotated[
        str | None, typer.Option(help="What a column becomes that nothing fits: raise or any.")
    ] = None,
    out: Annotated[str | None, typer.Option(help="JSON file for the signature.")] = None,
    into: Annotated[
        str | None, typer.Option(help="MLmodel, or its folder, whose signature is replaced.")
    ] = None,
    report: Annotated[
        str | None, typer.Option(help="Where the evidence goes; a folder gets RUN_ID.json.")
    ] = None,
    run_id: options.RunId = None,
    example: Annotated[
        int | None, typer.Option(help="Draw an input example of this many rows.")
    ] = None,
    example_dir: Annotated[
        str | None,
        typer.Option(help="Folder of the example; else the model's, or that of --out."),
    ] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Infer a signature from every row of a table, and write it.

    Without --out and --into the signature is the last line that is printed.  Exits with 0 where
    it is written, 2 where arguments, configuration or MLmodel cannot be read or no signature can
    say what the columns are, and 1 where it could not be finished.

    Examples:

        spark-sig infer --table lake.flights --out signature.json

        spark-sig infer --table data/flights --into model/MLmodel --example 5
    """
    raise typer.Exit(run_infer(flags_of(context), config, session_of(context), json=json))


def run_infer(
    flags: dict[str, Any],
    config: str | None,
    session: Callable[[], SparkSession],
    *,
    json: bool = False,
) -> int:
    """Carry one ``infer`` out and return the exit code."""
    return told(lambda: _infer(infer_settings(flags, config), session, json=json))


def _infer(settings: InferSettings, session: Callable[[], SparkSession], *, json: bool) -> int:
    infer_params(settings.params)  # refuses before Spark starts
    run_id = new_run_id() if settings.run_id is None else settings.run_id
    destination = Destination.of(settings)
    _refuse_unwritable(settings, destination, run_id)
    spark = started(session)
    # once more, as only Spark reaches storage that is not local
    _refuse_unwritable(settings, destination, run_id, spark)
    with progress(f"inferring from {settings.table}", spark):
        inference = _inferred(settings, spark)
    example = _drawn(settings, inference, spark)
    # What was found comes first: what follows may fail.
    say(inference.to_json().rstrip() if json else inference.to_text())
    tell = note if json else say
    with writing():
        if settings.report is not None:
            path = write_report(inference, settings.report, run_id=run_id, spark=spark)
            tell(f"report: {path}")
        for line in destination.write(inference.signature, example, spark):
            tell(line)
    return DONE


def _refuse_unwritable(
    settings: InferSettings,
    destination: Destination,
    run_id: str,
    spark: SparkSession | None = None,
) -> None:
    if settings.report is not None:
        refuse_unwritable(settings.report, run_id, spark=spark)
    destination.refuse_unwritable(spark)


def _inferred(settings: InferSettings, spark: SparkSession) -> Inference:
    try:
        return infer_table(
            settings.table,
            version=settings.version,
            timestamp=settings.timestamp,
            columns=settings.columns,
            exclude=settings.exclude,
            outputs=settings.outputs,
            params=settings.params,
            tensors=settings.tensors,
            decimals=settings.decimal,
            on_unsupported=settings.on_unsupported,
            spark=spark,
        )
    except SignatureError as error:
        raise _with_flags(error, settings) from error


def _drawn(
    settings: InferSettings, inference: Inference, spark: SparkSession
) -> InputExample | None:
    if settings.example is None:
        return None
    with progress(f"drawing {settings.example:,} rows", spark):
        return draw_example(
            settings.table, inference, settings.example, params=settings.params, spark=spark
        )


def _with_flags(error: SignatureError, settings: InferSettings) -> SignatureError:
    """Return an error whose remedy names flags where the library names arguments."""
    remedy = error.remedy
    for words, flags in _FLAGS:
        remedy = remedy.replace(words, flags)
    if remedy != error.remedy and settings.decimal == "refuse" and "decimal" in error.observed:
        remedy += "; --decimal double takes decimals for doubles"
    return SignatureError(
        error.message,
        path=error.path,
        expected=error.expected,
        observed=error.observed,
        remedy=remedy,
    )
