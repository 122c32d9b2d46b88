"""Verdicts on reports: what a task says of one, and hands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spark_sig.report import Report

# More lines than these say no more; the report has all.
SHOWN = 20


def findings(report: Report) -> list[str]:
    """Return one line for whatever is wrong with a table; no values of its rows are in it.

    Args:
        report: of a table that does not conform.

    Example:
        >>> from spark_sig.report import Report
        >>> findings(Report(min_rows=1))
        ['$: row_count: expected at least 1 rows, observed 0 rows']
    """
    lines = list(_findings(report))
    more = len(lines) - SHOWN
    return lines if more <= 0 else [*lines[:SHOWN], f"... and {more:,} more, in the report"]


def _findings(report: Report) -> Iterator[str]:
    counts = {(check.path, check.code): check.count for check in report.checks}
    for violation in report.violations:
        count = counts.get((violation.path, violation.code))
        rows = "" if count is None else f" in {count:,} row{'' if count == 1 else 's'}"
        yield str(replace(violation, observed=violation.observed + rows, value=None))
    if not report.complete:
        yield f"{report.rows.counted:,} of {report.expected_rows:,} rows were seen"
    if report.audit is not None:
        yield from map(str, report.audit.lies)


def summary(report: Report, uri: str) -> dict[str, Any]:
    """Return what other tasks may need of a report.

    Args:
        report: the report.
        uri: where it is.

    Returns:
        JSON values: ``conforms``, ``complete``; ``rows`` and ``violating`` rows, ``violations``
        (checks that are violated); the ``version`` that was checked, None where there are none;
        the ``signature``'s fingerprint; the ``report``.
    """
    return {
        "conforms": report.conforms,
        "complete": report.complete,
        "rows": report.rows.total,
        "violating": report.rows.violating,
        "violations": len(report.violations),
        "version": report.source.version,
        "signature": report.signature,
        "report": uri,
    }
