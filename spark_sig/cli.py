"""The command line: ``spark-sig validate``, and the job that is a door to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from spark_sig.delta.log import first_line, spark_errors
from spark_sig.errors import SignatureError, SourceError, ViolationError
from spark_sig.gate import validate_source
from spark_sig.params import enforce_params
from spark_sig.report import Report
from spark_sig.settings import ValidateSettings, validate_settings
from spark_sig.signature import load_signature
from spark_sig.sinks import new_run_id, refuse_unwritable, write_report
from spark_sig.sources import resolve

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What the process answers; see DESIGN, "Jobs".
CONFORMS, UNFINISHED, MISUSED, VIOLATIONS = 0, 1, 2, 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hold every row of every partition to a model signature.",
)


@app.callback()
def _root() -> None:
    """Hold every row of every partition to a model signature."""


@app.command("validate")
def validate_command(
    context: typer.Context,
    table: Annotated[
        str | None, typer.Option(help="Path of a Delta table or Parquet, or a catalog name.")
    ] = None,
    signature: Annotated[
        str | None, typer.Option(help="Signature: JSON file, MLmodel, its folder, JSON text.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="Version of a Delta table.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Time to take the table at.")] = None,
    side: Annotated[str | None, typer.Option(help="inputs or outputs.")] = None,
    params: Annotated[str | None, typer.Option(help="Params to check, as JSON.")] = None,
    report: Annotated[
        str | None, typer.Option(help="Where the report's JSON goes; a folder gets RUN_ID.json.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file with these settings.")] = None,
    policy: Annotated[str | None, typer.Option(help="default, mlflow or strict.")] = None,
    engine: Annotated[str | None, typer.Option(help="auto, catalyst or arrow.")] = None,
    row_key: Annotated[
        list[str] | None, typer.Option(help="Column that names a row; may be repeated.")
    ] = None,
    min_rows: Annotated[int | None, typer.Option(help="Fewer rows are a violation.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Name of this run.")] = None,
    casts: Annotated[str | None, typer.Option(help="safe, lossless or exact.")] = None,
    nulls: Annotated[str | None, typer.Option(help="reject or allow.")] = None,
    nan: Annotated[str | None, typer.Option(help="allow or reject.")] = None,
    case: Annotated[str | None, typer.Option(help="sensitive or insensitive.")] = None,
    extra: Annotated[str | None, typer.Option(help="drop, keep or forbid.")] = None,
    fill_missing: Annotated[
        bool | None, typer.Option(help="Whether missing optional columns are nulls.")
    ] = None,
    datetime: Annotated[str | None, typer.Option(help="source or timestamp.")] = None,
    on_violation: Annotated[str | None, typer.Option(help="raise, drop or tag.")] = None,
    show_values: Annotated[
        bool | None, typer.Option(help="Whether values may stand in the report.")
    ] = None,
    examples: Annotated[int | None, typer.Option(help="Examples per check.")] = None,
) -> None:
    """Check every row of a table, and write the report.

    Exits with 0 where the table conforms, 3 where it does not, 2 where arguments, configuration
    or signature cannot be read, and 1 where the check could not be finished.
    """
    flags = {
        name: value
        for name, value in context.params.items()
        if name != "config" and value not in (None, [], ())
    }
    session: Callable[[], SparkSession] = context.obj or default_session
    raise typer.Exit(run_validate(flags, config, session))


def run_validate(
    flags: dict[str, Any], config: str | None, session: Callable[[], SparkSession]
) -> int:
    """Carry one ``validate`` out and return the exit code."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        settings = validate_settings(flags, config)
        signature = load_signature(settings.signature)
        signature.side(settings.side)
    except SignatureError as error:
        console.print(f"error: {error}", markup=False)
        return MISUSED
    run_id = new_run_id() if settings.run_id is None else settings.run_id
    try:
        if settings.report is not None:
            refuse_unwritable(settings.report, run_id)
        with _progress(console, "starting Spark"):
            spark = _started(session)
        if settings.report is not None:
            # once more, as only Spark reaches storage that is not local
            refuse_unwritable(settings.report, run_id, spark=spark)
        with _progress(console, f"checking {settings.table}"):
            report = _checked(settings, signature, spark)
    except SignatureError as error:
        console.print(f"error: {error}", markup=False)
        return MISUSED
    except (SourceError, OSError) as error:
        console.print(f"error: {error}", markup=False)
        return UNFINISHED
    # The verdict comes first: what follows may fail.
    sys.stdout.write(report.to_text() + "\n")
    sys.stdout.flush()
    if settings.report is not None:
        try:
            path = write_report(report, settings.report, run_id=run_id, spark=spark)
        except (SignatureError, SourceError, OSError) as error:
            console.print(f"error: {error}", markup=False)
            return UNFINISHED
        sys.stdout.write(f"report: {path}\n")
    return CONFORMS if report.conforms else VIOLATIONS


def _progress(console: Console, text: str) -> Progress:
    """Show what is going on and for how long, on a terminal; nothing elsewhere."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    if not console.is_terminal:
        console = _behind_submit() or console
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task(escape(text), total=None)
    return progress


def _behind_submit() -> Console | None:
    """Return the terminal that spark-submit runs on: it gives its program pipes instead."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    try:
        return Console(file=open("/dev/tty", "w"), highlight=False)
    except OSError:  # none: a scheduler's run
        return None


def _started(session: Callable[[], SparkSession]) -> SparkSession:
    try:
        return session()
    except spark_errors() as error:
        raise SourceError(
            f"Spark does not start: {first_line(error)}; it needs Java 17 or newer, at JAVA_HOME "
            "or first on PATH"
        ) from error


def _checked(settings: ValidateSettings, signature: Any, spark: SparkSession) -> Report:
    source = resolve(
        settings.table, version=settings.version, timestamp=settings.timestamp, spark=spark
    )
    findings: tuple[Any, ...] = ()
    if settings.params is not None:
        try:
            enforce_params(settings.params, signature)
        except ViolationError as error:
            findings = error.violations
    return validate_source(
        source,
        signature,
        policy=settings.policy,
        side=settings.side,
        engine=settings.engine,
        row_key=settings.row_key,
        min_rows=settings.min_rows,
        findings=findings,
    )


def default_session() -> SparkSession:
    """Return the running Spark session, or one with Spark's own defaults."""
    from pyspark.sql import SparkSession

    return SparkSession.builder.appName("spark-sig").getOrCreate()


def main(
    arguments: list[str] | None = None, session: Callable[[], SparkSession] | None = None
) -> None:
    """Run the command line and exit.

    Args:
        arguments: what follows the program's name; those of the process where None.
        session: makes the Spark session, once the arguments are found to be right.
    """
    app(args=arguments, obj=session, prog_name="spark-sig")
