"""Operators that submit jobs, and judge a table by the reports that these write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from spark_sig.integrations.airflow.flags import flags
from spark_sig.integrations.airflow.links import CONNECTION, ReportLink
from spark_sig.integrations.airflow.names import TaskRun
from spark_sig.integrations.airflow.reports import read_report, report_uri
from spark_sig.integrations.airflow.verdicts import findings, summary

if TYPE_CHECKING:
    from spark_sig.report import Report

# What spark-submit runs; whoever has it elsewhere names it.
PROGRAM = Path(__file__).parents[2] / "cli" / "submit" / "program.py"


class ReportingOperator(SparkSubmitOperator):  # type: ignore[misc]  # Airflow comes without types
    """Submit a job that writes a report, and let the report decide on the task.

    Each try has a report of its own, so that none is taken for another's.  Violations fail the
    task for good (``AirflowFailException``).  Without a report the job is not known to have
    finished: the task fails, and is tried again where it has retries.  XCom gets a summary, with
    violations as well; each of its items has a key of its own, too.

    Args:
        reports: the folder that reports go to, as Hadoop and this worker write it: a local path,
            or a URI that Airflow's ``ObjectStoragePath`` reaches.
        reports_conn_id: the connection to that storage; its default one where None.
        reports_url: where a browser finds that folder, for the link; where None, the link leads
            to a page of Airflow's server, which then must reach the folder, too.
        min_rows: with fewer rows the table violates; an empty one does, unless this is 0.
        max_violations: with no more violating rows, N or P%, all of them in the quarantine, the
            task succeeds.
        run_id: the name that rows are written under, once for each; the task's in its run of the
            DAG where None, whatever number of tries that takes.
        settings: the command's other settings, by name.
        application: the program that takes the command and its flags.
        kwargs: what ``SparkSubmitOperator`` takes.
    """

    command: ClassVar[str]
    # Arguments that are settings of the command.
    own: ClassVar[tuple[str, ...]]
    template_fields: Sequence[str] = (
        *(name for name in SparkSubmitOperator.template_fields if name != "application_args"),
        "reports",
        "reports_url",
        "min_rows",
        "max_violations",
        "run_id",
        "settings",
    )
    operator_extra_links = (ReportLink(),)

    def __init__(
        self,
        *,
        reports: str,
        reports_conn_id: str | None = None,
        reports_url: str | None = None,
        min_rows: int | str = 1,
        max_violations: int | str | None = None,
        run_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
        application: str = str(PROGRAM),
        name: str = "spark_sig",
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("durable") or kwargs.get("reconnect_on_retry"):
            raise ValueError("each try submits a job and reads its report: durable must be False")
        super().__init__(
            application=application, name=name, multiple_outputs=multiple_outputs, **kwargs
        )
        # set here, as older Airflows warn of the argument
        self.durable = False
        self.reports = reports
        self.reports_conn_id = reports_conn_id
        self.reports_url = reports_url
        self.min_rows = min_rows
        self.max_violations = max_violations
        self.run_id = run_id
        self.settings = settings or {}
        self.report_file = ""
        arguments = {*self.own, "run_id", "report"}
        if isinstance(settings, Mapping) and (twice := sorted(arguments & {*settings})):
            raise ValueError(f"no settings, but arguments of the operator: {', '.join(twice)}")

    def execute(self, context: Any) -> dict[str, Any]:
        """Submit the job, read its report, and judge.

        Returns:
            A summary of the report; see :func:`~spark_sig.integrations.airflow.verdicts.summary`.

        Raises:
            AirflowFailException: where the table does not conform.
            AirflowException: where there is no report, or none that can be read.
        """
        if not self.reports:
            raise ValueError("there is no folder for reports")
        ti = context["ti"]
        mapped = -1 if ti.map_index is None else ti.map_index
        task = TaskRun(ti.dag_id, ti.task_id, ti.run_id, mapped)
        file = task.report(ti.try_number)
        path = f"{self.reports.rstrip('/')}/{file}"
        own = {name: getattr(self, name) for name in self.own}
        given = {**self.settings, **own, "run_id": self.run_id or task.name, "report": path}
        self.application_args = [self.command, *flags(given)]
        failure = self._submitted(context)
        report = self._report(path, failure)
        self.report_file = file
        told = summary(report, report_uri(path))
        if self.reports_conn_id:
            ti.xcom_push(key=CONNECTION, value=self.reports_conn_id)
        if not self._passes(report):
            # a task that fails returns nothing
            for key, value in {"return_value": told, **told}.items():
                ti.xcom_push(key=key, value=value)
            raise AirflowFailException(self._complaint(report))
        if failure is not None:
            self.log.warning("the job has ended badly after its report was written: %s", failure)
        return told

    def _submitted(self, context: Any) -> Exception | None:
        """Run the job; return what has gone wrong, as the report may be there all the same."""
        try:
            super().execute(context)
        except (AirflowException, RuntimeError) as error:
            # violations too; exit codes get lost on some ways, so that they decide nothing
            return error
        return None

    def _report(self, path: str, failure: Exception | None) -> Report:
        try:
            report = read_report(path, self.reports_conn_id)
        except Exception as error:  # storages have errors of their own
            raise AirflowException(
                f"no report of this try at {path} ({error}); the job has "
                + (f"failed: {failure}" if failure else "ended: does this worker reach that place?")
            ) from error
        # not every command has this setting
        return replace(report, min_rows=max(report.min_rows, int(self.min_rows or 0)))

    def _passes(self, report: Report) -> bool:
        from spark_sig.quarantine.limit import tolerates

        enough = report.rows.total >= report.min_rows
        return report.conforms or (enough and tolerates(report, self.max_violations))

    def _complaint(self, report: Report) -> str:
        lines = findings(report)
        return "\n  ".join([f"{report.source} does not conform:", *lines])


class ValidateOperator(ReportingOperator):
    """Check every row of a table, and stop what follows where some violate.

    Args:
        table: path of a Delta table or of Parquet files, or a catalog name.
        signature: path of a signature, an MLmodel or its folder, the URI of a model, or JSON text.
        version: the version of a Delta table.
        timestamp: the time to take a Delta table at, in place of a version.
        kwargs: what :class:`ReportingOperator` takes.

    Example:
        >>> check = ValidateOperator(
        ...     task_id="check",
        ...     table="lake.flights",
        ...     signature="models:/delays@champion",
        ...     timestamp="{{ dag_run.run_after }}",
        ...     reports="s3a://reports/",
        ... )  # doctest: +SKIP
        >>> check.output["version"]  # the version that was checked, for what follows
        ... # doctest: +SKIP
    """

    command = "validate"
    own = ("table", "signature", "version", "timestamp", "min_rows", "max_violations")
    template_fields = tuple(dict.fromkeys((*ReportingOperator.template_fields, *own)))

    def __init__(
        self,
        *,
        table: str,
        signature: str,
        version: int | str | None = None,
        timestamp: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.signature = signature
        self.version = version
        self.timestamp = timestamp


class ScoreOperator(ReportingOperator):
    """Call a model on every row of a table, and write its predictions to another, once a run.

    Args:
        model: URI of a model of MLflow's, or its folder.
        table: path of a Delta table or of Parquet files, or a catalog name.
        out: path or name of the table of predictions.
        version: the version of a Delta table: the one that was checked, say.
        timestamp: the time to take a Delta table at, in place of a version.
        quarantine: path or name of the table that rows which violate are written to.
        kwargs: what :class:`ReportingOperator` takes.
    """

    command = "score"
    own = ("model", "table", "out", "version", "timestamp", "quarantine", "max_violations")
    template_fields = tuple(dict.fromkeys((*ReportingOperator.template_fields, *own)))

    def __init__(
        self,
        *,
        model: str,
        table: str,
        out: str,
        version: int | str | None = None,
        timestamp: str | None = None,
        quarantine: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.table = table
        self.out = out
        self.version = version
        self.timestamp = timestamp
        self.quarantine = quarantine
