"""Events: a run's report as OpenLineage's clients and servers know it."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from spark_sig.errors import Code, SignatureError
from spark_sig.integrations.openlineage.datasets import DatasetName, dataset_name
from spark_sig.naming import column_of, member_path
from spark_sig.plan import Rung
from spark_sig.report import CheckResult, Report
from spark_sig.version import __version__

try:
    from openlineage.client import event_v2 as events_of
    from openlineage.client import facet_v2 as facets_of

    from spark_sig.integrations.openlineage.fields import schema_fields
    from spark_sig.integrations.openlineage.verdict import VerdictRunFacet
except ImportError as error:
    raise SignatureError(
        "OpenLineage's client is not installed", remedy="pip install 'spark-sig[openlineage]'"
    ) from error

if TYPE_CHECKING:
    from pyspark.sql import types as T

    from spark_sig.report import Written
    from spark_sig.schema import Schema

# Who says what events say: a facet names its producer.
_PRODUCER = f"urn:spark-sig:{__version__}"

# Names run ids that are derived from something else (RFC 9562, section 5.5).
_RUNS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:spark-sig:run")

# How the label of an optional column ends (:func:`spark_sig.naming.label`).
OPTIONAL = "(optional)"

# What the checks are called where OpenLineage has a word for them.
_ASSERTIONS = {Code.NULL: "not_null", Code.TYPE: "type", Code.ROW_COUNT: "row_count"}


def run_uuid(name: str) -> str:
    """Return the id of a run: its name where that is a UUID, else one that is derived from it.

    Example:
        >>> run_uuid("nightly-1") == run_uuid("nightly-1") != run_uuid("nightly-2")
        True
    """
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return str(uuid.uuid5(_RUNS, name))


def events(
    report: Report,
    *,
    run: str | None = None,
    began: datetime | None = None,
    ended: datetime | None = None,
    command: str = "validate",
    job: str | None = None,
    namespace: str | None = None,
    place: str | None = None,
    catalog: str = "spark_catalog",
    schema: T.StructType | Schema | None = None,
    written: Mapping[str, str] | None = None,
) -> list[events_of.RunEvent]:
    """Return the events of a run that ended with a report: START, and COMPLETE with the verdict.

    The run is complete whether the data conforms or not: what it found are the assertions, one for
    each check.  No value of the data is among them.

    Args:
        report: what the run ended with.
        run: the name of the run; derived from the report where None, so that the same report is
            the same run.
        began: when it began; when it ended, where None.
        ended: when it ended; now where None.
        command: what the run did, for the job's name.
        job: what the job is called; made of the command and the data's name where None.
        namespace: where the job lives; ``OPENLINEAGE_NAMESPACE``, or ``default``, where None.
        place: where the data lies, in full; the name in the report where None.
        catalog: the namespace of tables of which the name alone is known.
        schema: the columns of the data; left out where None.
        written: where tables lie that rows were written to, in full, by their names in the report;
            those names for all others.
    """
    source = report.source
    where = _name_of(source.name if place is None else place, catalog)
    ended = ended or datetime.now(timezone.utc)
    asked = events_of.Run(run_uuid(report.to_json() if run is None else run))
    known = events_of.Run(asked.runId, facets={"sparkSig_verdict": _verdict(report)})
    told = events_of.InputDataset(
        *where,
        facets=dict(_dataset_facets(source.version, schema)),
        inputFacets={
            "dataQualityMetrics": _metrics(report),
            "dataQualityAssertions": _assertions(report),
        },
    )
    plain = events_of.InputDataset(*where)
    outputs = list(_outputs(report, catalog, written or {}))
    make = _maker(_job(where, command, job, namespace))
    return [
        make(events_of.RunState.START, began or ended, asked, [plain], []),
        make(events_of.RunState.COMPLETE, ended, known, [told], outputs),
    ]


def failure_events(
    place: str,
    message: str,
    *,
    run: str,
    began: datetime,
    ended: datetime | None = None,
    command: str = "validate",
    job: str | None = None,
    namespace: str | None = None,
    catalog: str = "spark_catalog",
) -> list[events_of.RunEvent]:
    """Return the events of a run that could not be finished: START, and FAIL with the reason.

    Args:
        place: the data that was to be checked.
        message: why it was not, in one line; values of the data must not be in it.
        run: the name of the run.
        began: when it began.
        ended: when it ended; now where None.
        command: what the run did, for the job's name.
        job: what the job is called; made of the command and the data's name where None.
        namespace: where the job lives; ``OPENLINEAGE_NAMESPACE``, or ``default``, where None.
        catalog: the namespace of tables of which the name alone is known.
    """
    where = _name_of(place, catalog)
    why = facets_of.error_message_run.ErrorMessageRunFacet(message, "PYTHON", producer=_PRODUCER)
    asked = events_of.Run(run_uuid(run))
    failed = events_of.Run(asked.runId, facets={"errorMessage": why})
    make, inputs = _maker(_job(where, command, job, namespace)), [events_of.InputDataset(*where)]
    return [
        make(events_of.RunState.START, began, asked, inputs, []),
        make(events_of.RunState.FAIL, ended or datetime.now(timezone.utc), failed, inputs, []),
    ]


def _name_of(place: str, catalog: str) -> DatasetName:
    return dataset_name(place, catalog=catalog)


def _maker(job: events_of.Job) -> Any:
    def make(
        state: events_of.RunState,
        at: datetime,
        run: events_of.Run,
        inputs: list[events_of.InputDataset],
        outputs: list[events_of.OutputDataset],
    ) -> events_of.RunEvent:
        return events_of.RunEvent(
            eventType=state,
            eventTime=at.astimezone(timezone.utc).isoformat(),
            run=run,
            job=job,
            inputs=inputs,
            outputs=outputs,
            producer=_PRODUCER,
        )

    return make


def _job(where: DatasetName, command: str, job: str | None, namespace: str | None) -> events_of.Job:
    kind = facets_of.job_type_job.JobTypeJobFacet(
        "BATCH", "SPARK_SIG", jobType="VALIDATION", producer=_PRODUCER
    )
    shown = re.sub(r"[^\w.-]+", "_", where.name).strip("_")
    return events_of.Job(
        namespace or os.environ.get("OPENLINEAGE_NAMESPACE") or "default",
        job or f"spark_sig.{command}.{shown}",
        facets={"jobType": kind},
    )


def _dataset_facets(
    version: int | None, schema: T.StructType | Schema | None
) -> Iterator[tuple[str, Any]]:
    if version is not None:
        made = facets_of.dataset_version_dataset.DatasetVersionDatasetFacet(
            str(version), producer=_PRODUCER
        )
        yield "version", made
    if schema is not None:
        fields = schema_fields(schema)
        yield (
            "schema",
            facets_of.schema_dataset.SchemaDatasetFacet(fields=fields, producer=_PRODUCER),
        )


def _outputs(
    report: Report, catalog: str, places: Mapping[str, str]
) -> Iterator[events_of.OutputDataset]:
    """Yield the tables that rows were written to."""
    if report.transfer is None:
        return
    for written in report.transfer.tables:
        place = places.get(written.table, written.table)
        yield _output(written, _name_of(place, catalog))


def _output(written: Written, where: DatasetName) -> events_of.OutputDataset:
    counted = facets_of.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=written.rows, producer=_PRODUCER
    )
    return events_of.OutputDataset(
        *where,
        facets=dict(_dataset_facets(written.version, None)),
        outputFacets={"outputStatistics": counted},
    )


# --- what a report says --------------------------------------------------------------------------


def _metrics(report: Report) -> Any:
    """Return the numbers that a report knows, and no others."""
    module = facets_of.data_quality_metrics_input_dataset
    counts = dict(_null_counts(report))
    return module.DataQualityMetricsInputDatasetFacet(
        columnMetrics={name: module.ColumnMetrics(nullCount=n) for name, n in counts.items()},
        rowCount=None if report.unread or not report.complete else report.rows.total,
        fileCount=report.source.files,
        producer=_PRODUCER,
    )


def _null_counts(report: Report) -> Iterator[tuple[str, int]]:
    """Yield the columns whose NULLs all rows were asked for, and how many there are.

    Where NaN violates, NULL and NaN are one check: only that there is none of either is known, and
    of optional columns, whose NULLs are no violations, not even that.
    """
    if not report.sound:
        return
    alike = report.policy.nan == "reject"
    for check in report.checks:
        name = column_of(check.path)
        if name is None or check.code is not Code.NULL or check.count is None:
            continue
        if report.skipped(check):
            continue
        whole = check.path == member_path("$", name) and check.rung is not Rung.ASSUMED
        if whole and not (alike and (check.count or check.expected.endswith(OPTIONAL))):
            yield name, check.count


def _assertions(report: Report) -> Any:
    module = facets_of.data_quality_assertions_dataset
    told = "no row was needed" if report.unread else "every row was seen, or proven"
    complete = module.Assertion("complete", report.sound, description=told)
    others = report.violations[sum(check.violated for check in report.checks) :]
    made = [
        complete,
        # of what nothing decided nothing is said
        *(_assertion(check) for check in report.checks if not report.skipped(check)),
        *(  # of the number of rows
            module.Assertion(
                _ASSERTIONS.get(one.code, one.code.value),
                success=False,
                expected=one.expected,
                actual=one.observed,
            )
            for one in others
        ),
    ]
    return module.DataQualityAssertionsDatasetFacet(assertions=made, producer=_PRODUCER)


def _assertion(check: CheckResult) -> Any:
    params: dict[str, Any] = {"decidedBy": check.rung.value, "proven": check.proven}
    if check.count is not None:
        params["violatingRows"] = check.count
    return facets_of.data_quality_assertions_dataset.Assertion(
        _ASSERTIONS.get(check.code, check.code.value),
        success=not check.violated,
        column=column_of(check.path),
        name=f"{check.path} {check.code}",
        expected=check.expected,
        actual=", ".join(check.observed) or None,
        params=params,
    )


def _verdict(report: Report) -> Any:
    """Return what no facet of OpenLineage's own says: which signature, and what came of it."""
    return VerdictRunFacet(
        signature=report.signature,
        side=report.side,
        conforms=report.conforms,
        complete=report.complete,
        violatingRows=None if report.unread else report.rows.violating,
        producer=_PRODUCER,
    )
