"""Reports of a command: printed, and written where they are to go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spark_sig.cli.console import note, say, writing
from spark_sig.cli.context import started
from spark_sig.cli.progress import progress
from spark_sig.report import Report
from spark_sig.sinks import refuse_unwritable, write_report

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def reported(
    table: str,
    check: Callable[[SparkSession], Report],
    session: Callable[[], SparkSession],
    place: str | None,
    run_id: str,
    *,
    json: bool = False,
) -> Report:
    """Start the session, check a table, and print and write the report.

    Args:
        table: what is checked.
        check: checks it.
        session: makes the session, once it is known that the report can be written.
        place: where the report's JSON goes; None for nowhere.
        run_id: the name of the run in that place.
        json: whether the report is printed as JSON, and nothing else is.
    """
    if place is not None:
        refuse_unwritable(place, run_id)
    spark = started(session)
    if place is not None:
        # once more, as only Spark reaches storage that is not local
        refuse_unwritable(place, run_id, spark=spark)
    with progress(f"checking {table}", spark):
        report = check(spark)
    # The verdict comes first: what follows may fail.
    say(report.to_json() if json else report.to_text())
    if place is not None:
        with writing():
            path = write_report(report, place, run_id=run_id, spark=spark)
        (note if json else say)(f"report: {path}")
    return report
