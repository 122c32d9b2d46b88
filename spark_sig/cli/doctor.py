"""The command ``doctor``: what keeps checks from running here, and what helps."""

from __future__ import annotations

import json as json_
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, VIOLATIONS, say, told
from spark_sig.cli.context import session_of, started
from spark_sig.cli.progress import progress
from spark_sig.diagnosis import (
    Health,
    Symptom,
    diagnose_machine,
    diagnose_session,
    diagnose_table,
)
from spark_sig.errors import SourceError
from spark_sig.render.diagnosis import diagnosis_document, diagnosis_text

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def doctor_command(
    context: typer.Context,
    table: Annotated[
        list[str] | None, typer.Option(help="Table to look at, too; may be repeated.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Look at Java, Spark, Delta Lake, workers, confs and tables, and say what helps.

    Exits with 0 where checks run, 3 where they do not.

    Examples:

        spark-sig doctor

        spark-submit --properties-file conf/spark-defaults.conf jobs/doctor.py --table lake.flights
    """
    raise typer.Exit(run_doctor(table or [], session_of(context), json=json))


def run_doctor(
    tables: list[str], session: Callable[[], SparkSession], *, json: bool = False
) -> int:
    """Carry one ``doctor`` out and return the exit code."""

    def look() -> int:
        found = [*diagnose_machine(), *_session(tables, session)]
        if json:
            say(json_.dumps(diagnosis_document(found), indent=2))
        else:
            say(diagnosis_text(found))
        broken = any(one.health is Health.BROKEN for one in found)
        return VIOLATIONS if broken else DONE

    return told(look)


def _session(tables: list[str], session: Callable[[], SparkSession]) -> list[Symptom]:
    try:
        spark = started(session)
    except SourceError as error:
        return [Symptom("Spark", Health.BROKEN, str(error), "mend what is broken above")]
    with progress("looking at the session", spark):
        return [*diagnose_session(spark), *(one for name in tables for one in _table(name))]


def _table(name: str) -> list[Symptom]:
    try:
        return diagnose_table(name)
    except SourceError as error:  # what was found before is said all the same
        remedy = "give the path of a Delta table, or its name in the catalog"
        return [Symptom(f"table {name}", Health.BROKEN, str(error), remedy)]
