"""Summaries: a report in a notebook, its violated checks first."""

from __future__ import annotations

from spark_sig.render.notebook import SEEN, UNFOLDED, fold, fragment, line, lines, table
from spark_sig.render.text import facts, remedies, rows_of, rung_counts, verdict, violation_table
from spark_sig.report import CheckResult, Report

_HEAD = ("path", "check", "expected", "rows", "decided by")


def report_summary(report: Report) -> str:
    """Return a report for a notebook: the verdict, what is wrong, and every check below a fold.

    Example:
        >>> html = report_summary(Report.empty())
        >>> "CONFORMS" in html, "<script" in html
        (True, False)
    """
    limit = SEEN + UNFOLDED
    (head, *violated), more = violation_table(report, limit)
    parts = [line(verdict(report), bad=not report.conforms), table((), facts(report))]
    if violated:
        whole = len(violated) + more
        parts.append(table(head, violated, "violations", total=whole))
    if report.checks:
        rows = [_cells(report, check) for check in report.checks[:limit]]
        made = table(_HEAD, rows, total=len(report.checks))
        parts.append(fold(f"{len(report.checks):,} checks", made))
    if decided := rung_counts(report):
        parts.append(table(("checks", "decided"), decided))
    parts.append(lines("Warnings", report.remarks))
    parts.append(lines("Remedies", remedies(report)))
    return fragment(*parts)


def _cells(report: Report, check: CheckResult) -> tuple[str, ...]:
    if report.skipped(check):
        return check.path, check.code.value, check.expected, "", "not checked"
    rungs = dict.fromkeys(part.rung.value for part in check.decided)
    return check.path, check.code.value, check.expected, rows_of(check), ", ".join(rungs)
