"""Lineage: what a command tells OpenLineage of its run, where it is asked to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from spark_sig.cli.console import note
from spark_sig.delta.log import first_line, spark_errors
from spark_sig.delta.names import is_path
from spark_sig.errors import SourceError
from spark_sig.report import Report
from spark_sig.sources import Resolved, resolve

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Lineage:
    """A run that OpenLineage is told of; a server that does not answer changes no verdict.

    Args:
        command: the command.
        table: the data, as it was called.
        run: the name of the run.
        client: what sends the events.
        began: when it began.
    """

    command: str
    table: str
    run: str
    client: Any
    began: datetime = field(default_factory=_now)

    @classmethod
    def begin(cls, command: str, table: str, run: str) -> Lineage:
        """Begin a run.

        Raises:
            SignatureError: where the client is not installed, or nothing says where events go.
        """
        from spark_sig.integrations.openlineage import configured_client

        return cls(command, table, run, configured_client())

    def ended(self, report: Report, spark: SparkSession) -> None:
        """Tell what a run ended with."""
        from spark_sig.integrations.openlineage import events

        source = _found(self.table, report.source.version, spark)
        tables = () if report.transfer is None else report.transfer.tables
        found = events(
            report,
            run=self.run,
            began=self.began,
            command=self.command,
            place=_place(self.table, source),
            schema=None if source is None else source.frame.schema,
            # a report has them by their names, under which nobody finds them as a source again
            written={
                one.table: _place(one.table, _found(one.table, one.version, spark))
                for one in tables
            },
        )
        self._send(found)

    def failed(self, error: Exception, spark: SparkSession) -> None:
        """Tell that a run could not be finished."""
        from spark_sig.integrations.openlineage import failure_events

        # the data and the job are called what they are called where it can be
        place = _place(self.table, _found(self.table, None, spark))
        found = failure_events(
            place, first_line(error), run=self.run, began=self.began, command=self.command
        )
        self._send(found)

    def _send(self, found: list[Any]) -> None:
        from spark_sig.integrations.openlineage import emit

        try:
            emit(found, client=self.client)
            self.client.close()
        except SourceError as error:
            note(f"warning: {error}")


def _found(name: str, version: int | None, spark: SparkSession) -> Resolved | None:
    """Find data by its name, as a report does not say where it lies; None where it is not there."""
    gone: tuple[type[Exception], ...] = (SourceError, *spark_errors())
    try:
        return resolve(name, version=version, spark=spark, counted=False)
    except gone:
        return None


def _place(name: str, found: Resolved | None) -> str:
    """Return where data lies, in full; its name where only a catalog knows."""
    return found.place if found is not None and is_path(found.place) else name
