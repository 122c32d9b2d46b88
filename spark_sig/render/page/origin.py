"""The origin of a page's verdict: source, signature, policy, evidence, and what was written."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from spark_sig.render.page.elements import el
from spark_sig.render.text import facts, remedies
from spark_sig.report import FORMAT, Audit, Report

# How many lies of statistics, and how many remedies, are shown.
_SHOWN = 50


def notes(report: Report) -> list[Element]:
    """Return what to do, and what else a reader has to know."""
    found = []
    for name, title, texts in (
        ("lies", "Wrongly proven", _lies(report.audit)),
        ("remedies", "What helps", remedies(report, _SHOWN)),
        ("warnings", "Warnings", list(report.remarks)),
    ):
        if texts:
            items = el("ul", [el("li", text) for text in texts])
            heading = el("h2", title, id=name)
            found.append(el("section", heading, items, class_=f"card {name}", aria_labelledby=name))
    return found


def _lies(audit: Audit | None) -> list[str]:
    lines = [str(lie) for lie in audit.lies] if audit is not None else []
    left = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"... and {left:,} more"] if left > 0 else lines


def origin(report: Report) -> Element:
    """Return what the report is on, and how it was made."""
    pairs = [(name, text) for name, text in _pairs(report) if text]
    policy = [(name, str(value)) for name, value in report.policy.to_dict().items()]
    return el(
        "section",
        el("h2", "This run", id="run"),
        _list(pairs),
        el("details", el("summary", "All choices of the policy"), _list(policy)),
        class_="card", aria_labelledby="run",
    )  # fmt: skip


def footer() -> Element:
    """Return what made the page."""
    return el("footer", el("p", f"{FORMAT} · the report itself is the JSON that this page shows"))


def _pairs(report: Report) -> Iterator[tuple[str, str]]:
    for name, text in facts(report):
        if name == "signature":
            yield name, f"{report.signature} ({report.side})"
        elif name != "rows":
            yield name, text
    source, evidence = report.source, report.evidence
    yield "table id", source.table_id or ""
    if evidence.files_read is not None:
        yield "files read", f"{evidence.files_read:,}"
    yield "row key", ", ".join(report.row_key)
    if report.min_rows:
        yield "least rows", f"{report.min_rows:,}"
    if report.row_count is not None:
        yield "rows asked for", f"{report.row_count:,}"
    if report.transfer is not None:
        for written in report.transfer.tables:
            yield f"table id of {written.table}", written.table_id


def _list(pairs: list[tuple[str, str]]) -> Element:
    return el("dl", [el("div", el("dt", name), el("dd", text)) for name, text in pairs])
