"""The command ``show``: a signature, in the form that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, note, say, told
from spark_sig.cli.context import session_of
from spark_sig.cli.loading import loaded
from spark_sig.render.forms import Form, signature_form

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def show_command(
    context: typer.Context,
    signature: Annotated[str, typer.Argument(help=options.ANY_SIGNATURE)],
    form: Annotated[
        Form | None, typer.Option(help="How it is written; table, where none is given.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Show a signature: as a table, JSON, an Arrow schema, Spark's DDL, MLflow's YAML, a contract.

    Of a table it is the signature of its columns as they are declared; no row is read.

    Examples:

        spark-sig show model/MLmodel --form spark

        spark-sig show models:/delays@champion --json

        spark-sig show lake.flights --form odcs
    """
    wanted = options.form_of("--form", form, Form.TABLE, Form.JSON if json else None)
    raise typer.Exit(run_show(signature, wanted, session_of(context)))


def run_show(signature: str, form: Form, session: Callable[[], SparkSession]) -> int:
    """Carry one ``show`` out and return the exit code."""

    def show() -> int:
        found = loaded(signature, session)
        text = signature_form(found.signature, form)
        for loss in found.losses:
            note(f"not said: {loss}")
        say(text)
        return DONE

    return told(show)
