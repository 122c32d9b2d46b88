"""A report as one HTML fragment, for notebooks; :mod:`spark_sig.render.page` is the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from spark_sig.render.text import (
    facts,
    printable,
    remedies,
    rung_counts,
    verdict,
    violation_table,
)
from spark_sig.report import Report

# How many violated checks are shown; the report itself has them all.
SHOWN = 200

_STYLE = """
.spark-sig{font:14px/1.5 system-ui,sans-serif;color:#1f2328;background:#fff;padding:1em;\
max-width:70em;color-scheme:light dark}
.spark-sig h2{font-size:1.2em;margin:0 0 .5em;padding-left:.5em;border-left:.35em solid}
.spark-sig h3{font-size:1em;margin:1.2em 0 .3em}
.spark-sig .good{border-color:#1a7f37}
.spark-sig .bad{border-color:#cf222e}
.spark-sig table{border-collapse:collapse;margin:0}
.spark-sig th,.spark-sig td{text-align:left;vertical-align:top;padding:.2em .8em .2em 0;\
border-bottom:1px solid #d1d9e0;overflow-wrap:anywhere}
.spark-sig code{font:12px/1.5 ui-monospace,monospace}
@media (prefers-color-scheme:dark){.spark-sig{color:#f0f6fc;background:#0d1117}\
.spark-sig th,.spark-sig td{border-color:#3d444d}\
.spark-sig .good{border-color:#3fb950}.spark-sig .bad{border-color:#f85149}}
""".strip()


def report_html(report: Report) -> str:
    """Return a report as HTML that needs nothing else; all text in it is escaped.

    Example:
        >>> html = report_html(Report.empty())
        >>> "CONFORMS" in html, "<script" in html
        (True, False)
    """
    table, more = violation_table(report, SHOWN)
    sections = [_pairs(facts(report))]
    if len(table) > 1:
        sections.append(f"<h3>Violations</h3>{_table(table)}")
        sections.append(f"<p>… and {more:,} more</p>" if more else "")
    if decided := rung_counts(report):
        sections.append(f"<h3>How the checks were decided</h3>{_pairs(decided)}")
    for title, notes in (("Warnings", report.remarks), ("Remedies", remedies(report))):
        if notes:
            items = "".join(f"<li>{_text(note)}</li>" for note in notes)
            sections.append(f"<h3>{title}</h3><ul>{items}</ul>")
    mood = "good" if report.conforms else "bad"
    return (
        f'<section class="spark-sig"><style>{_STYLE}</style>'
        f'<h2 class="{mood}">{_text(verdict(report))}</h2>{"".join(sections)}</section>'
    )


def _text(text: str) -> str:
    return escape(printable(text))


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = (f"<tr><th>{_text(name)}</th><td>{_text(text)}</td></tr>" for name, text in pairs)
    return f"<table>{''.join(rows)}</table>"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in rows[0])
    body = (
        "<tr>" + "".join(f"<td><code>{_text(text)}</code></td>" for text in row) + "</tr>"
        for row in rows[1:]
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
