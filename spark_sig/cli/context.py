"""The context of a command: the flags that were given, and the session that it runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from spark_sig.cli.progress import progress
from spark_sig.cli.session import default_session
from spark_sig.delta.log import first_line, spark_errors
from spark_sig.errors import SourceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def flags_of(context: typer.Context) -> dict[str, Any]:
    """Return the flags that were given, by name, but for those that are no settings."""
    return {
        name: value
        for name, value in context.params.items()
        if name not in ("config", "json") and value not in (None, [], ())
    }


def session_of(context: typer.Context) -> Callable[[], SparkSession]:
    """Return what makes the session."""
    made: Callable[[], SparkSession] = context.obj or default_session
    return made


def started(session: Callable[[], SparkSession]) -> SparkSession:
    """Start the session, once the arguments are found to be right.

    Raises:
        SourceError: where Spark does not start.
    """
    with progress("starting Spark"):
        try:
            return session()
        except spark_errors() as error:
            raise SourceError(
                f"Spark does not start: {first_line(error)}; it needs Java 17 or newer, at "
                "JAVA_HOME or first on PATH"
            ) from error
