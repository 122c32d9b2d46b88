"""Reports of a command: printed, and written where they are to go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spark_sig.cli.console import note, say, writing
from spark_sig.cli.context import started
from spark_sig.cli.lineage import Lineage
from spark_sig.cli.progress import progress
from spark_sig.errors import SourceError
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
    lineage: str | None = None,
) -> Report:
    """Start the session, check a table, and print and write the report.

    Args:
        table: what is checked.
        check: checks it.
        session: makes the session, once it is known that the report can be written.
        place: where the report goes; None for nowhere.
        run_id: the name of the run in that place.
        json: whether the report is printed as JSON, and nothing else is.
        lineage: the command, where OpenLineage is told of the run; None where it is not.
    """
    if place is not None:
        refuse_unwritable(place, run_id)
    told = None if lineage is None else Lineage.begin(lineage, table, run_id)
    spark = started(session)
    if place is not None:
        # once more, as only Spark reaches storage that is not local
        refuse_unwritable(place, run_id, spark=spark)
    with progress(f"checking {table}", spark):
        try:
            report = check(spark)
        except SourceError as error:
            if told:
                told.failed(error, spark)
            raise
    # The verdict comes first: what follows may fail.
    say(report.to_json() if json else report.to_text())
    try:
        if place is not None:
            with writing():
                path = write_report(report, place, run_id=run_id, spark=spark)
            (note if json else say)(f"report: {path}")
    finally:
        # wherever the report could not go, what it says is so
        if told:
            told.ended(report, spark)
    return report
