"""The whole page of a report."""

from __future__ import annotations

from importlib.resources import files

from spark_sig.render.page.charts import charts
from spark_sig.render.page.elements import el, style, written
from spark_sig.render.page.figures import fields_of
from spark_sig.render.page.origin import footer, notes, origin
from spark_sig.render.page.pictures import patterns
from spark_sig.render.page.summary import banner, headline, tiles
from spark_sig.render.page.table import field_tables
from spark_sig.report import Report

# Nothing is loaded, sent or run, whatever a name in the report looks like.
_SECURITY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def report_page(report: Report) -> str:
    """Return a report as an HTML page that needs no other file, no network and no script.

    Example:
        >>> page = report_page(Report.empty())
        >>> page.startswith("<!DOCTYPE html>"), "Conforms" in page, "<script" in page
        (True, True, False)
    """
    fields = fields_of(report)
    css = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    about = report.source.name or report.source.kind
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_SECURITY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{headline(report)}: {about}"),
        el("link", rel="icon", href="data:,"),
        style(css),
    )
    body = el(
        "body",
        patterns(),
        el("div", banner(report, fields), class_="top"),
        el(
            "main",
            tiles(report, fields),
            charts(report, fields),
            notes(report),
            field_tables(report, fields),
            origin(report),
        ),
        footer(),
    )
    return "<!DOCTYPE html>\n" + written(el("html", head, body, lang="en")) + "\n"
