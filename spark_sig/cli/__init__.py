"""The command line: ``spark-sig``, and the jobs that are doors to its commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from spark_sig.cli.completion import PROGRAM, answer_shells, completion_command
from spark_sig.cli.console import escape_what_no_locale_has, say
from spark_sig.cli.constraints import constraints_command, run_constraints
from spark_sig.cli.diff import diff_command, run_diff
from spark_sig.cli.doctor import doctor_command, run_doctor
from spark_sig.cli.explain import explain_command, run_explain
from spark_sig.cli.infer import infer_command, run_infer
from spark_sig.cli.report import report_app, run_emit, run_render, run_schema
from spark_sig.cli.reprocess import reprocess_command, run_reprocess
from spark_sig.cli.score import run_score, score_command
from spark_sig.cli.show import run_show, show_command
from spark_sig.cli.validate import run_validate, validate_command
from spark_sig.version import __version__

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = [
    "app",
    "main",
    "run_constraints",
    "run_diff",
    "run_doctor",
    "run_emit",
    "run_explain",
    "run_infer",
    "run_render",
    "run_reprocess",
    "run_schema",
    "run_score",
    "run_show",
    "run_validate",
]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        say(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Say which release this is."
        ),
    ] = False,
) -> None:
    """Hold every row of every partition to a model signature, or infer one from them."""


app.command("validate")(validate_command)
app.command("reprocess")(reprocess_command)
app.command("score")(score_command)
app.command("infer")(infer_command)
app.command("show")(show_command)
app.command("diff")(diff_command)
app.command("constraints")(constraints_command)
app.command("explain")(explain_command)
app.add_typer(report_app, name="report")
app.command("doctor")(doctor_command)
app.command("completion")(completion_command)


def main(
    arguments: list[str] | None = None, session: Callable[[], SparkSession] | None = None
) -> None:
    """Run the command line and exit.

    Args:
        arguments: what follows the program's name; those of the process where None.
        session: makes the Spark session, once the arguments are found to be right.
    """
    escape_what_no_locale_has()
    answer_shells()
    app(args=arguments, obj=session, prog_name=PROGRAM)
