"""The tables of a page: its fields, those that violate open and first, the others folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from spark_sig.render.page.elements import el
from spark_sig.render.page.figures import FAMILIES, Field, Hit, percent
from spark_sig.render.page.pictures import bar, swatch
from spark_sig.render.text import cell_text, count_of
from spark_sig.report import Report

# How many fields stand open at most, and how many a folded group has.
_OPEN, _GROUP = 50, 100
# With no more fields that hold, they stand open too.
_FEW = 20

_HEAD = ("Field", "Expected", "Decided by", "Proven", "Violations")


def field_tables(report: Report, fields: Sequence[Field]) -> Element | None:
    """Return all fields of a report."""
    if not fields:
        return None
    wrong = [field for field in fields if field.hits]
    others = [field for field in fields if not field.hits]
    lied = [field for field in others if field.lied]
    right = [field for field in others if not field.lied and field.rung is not None]
    unreached = [field for field in others if not field.lied and field.rung is None]
    parts = [
        *_wrong(report, wrong),
        *_others(report, lied, "wrongly proven", "Fields that were wrongly proven"),
        *_others(report, right, "hold", "Fields that hold"),
        *_others(report, unreached, "not checked", "Fields not checked, as no row was read"),
    ]
    heading = el("h2", "Fields", id="fields")
    return el("section", heading, parts, class_="fields", aria_labelledby="fields")


def _wrong(report: Report, fields: Sequence[Field]) -> Iterator[Element]:
    if fields:
        caption = f"Violated: {count_of(len(fields), 'field')}"
        yield _table(report, fields[:_OPEN], caption)
        for group in _groups(fields[_OPEN:]):
            yield _folded(report, group, f"{count_of(len(group), 'field')} with fewer violations")


def _others(report: Report, fields: Sequence[Field], state: str, caption: str) -> Iterator[Element]:
    whole = f"{caption}: {len(fields):,}"
    if 0 < len(fields) <= _FEW:
        yield _table(report, fields, whole)
    elif len(fields) <= _GROUP:
        yield from (_folded(report, group, whole) for group in _groups(fields))
    else:
        inner = [
            _folded(report, group, f"{count_of(len(group), 'field')} that {state}"
                    if state == "hold" else f"{count_of(len(group), 'field')} {state}")
            for group in _groups(fields)
        ]  # fmt: skip
        yield el("details", el("summary", whole), el("div", inner), class_="group")


def _groups(fields: Sequence[Field]) -> Iterator[Sequence[Field]]:
    for start in range(0, len(fields), _GROUP):
        yield fields[start : start + _GROUP]


def _folded(report: Report, fields: Sequence[Field], caption: str) -> Element:
    first, last = fields[0].path, fields[-1].path
    span = el("span", el("code", first, dir="ltr"), " to ", el("code", last, dir="ltr"))
    summary = el("summary", caption, " ", span if len(fields) > 1 else None)
    return el("details", summary, _table(report, fields, caption), class_="group")


def _table(report: Report, fields: Sequence[Field], caption: str) -> Element:
    head = [el("th", name, scope="col", role="columnheader") for name in _HEAD]
    # Roles are said, as browsers forget them where a narrow screen lays cells out by a grid.
    return el(
        "table",
        el("caption", caption),
        el("thead", el("tr", head, role="row"), role="rowgroup"),
        el("tbody", [_row(report, field) for field in fields], role="rowgroup"),
        role="table",
    )


def _row(report: Report, field: Field) -> Element:
    decided: list[str | Element] = ["–"]
    if field.rung is not None:
        kind = f"rung-{field.rung.value}"
        decided = [swatch(kind, FAMILIES[field.rung]), field.rung.value]
    share = "–" if field.proven is None else percent(field.proven)
    state = "none" if field.rung is not None else "not checked"
    if field.lied:
        state = "wrongly proven"
    path = el("code", field.path, dir="ltr")
    return el(
        "tr",
        el("th", path, scope="row", role="rowheader"),
        el("td", ", ".join(field.expected), role="cell", class_="expected"),
        el("td", decided, role="cell", class_="rung"),
        el("td", share, el("span", " proven", class_="unit"), role="cell", class_="proven"),
        el(
            "td",
            [_hit(report, field, hit) for hit in field.hits] or state,
            role="cell",
            class_="hits" if field.hits else "none",
        ),
        role="row",
    )


def _hit(report: Report, field: Field, hit: Hit) -> Element:
    total = report.rows.total
    if hit.count is not None:
        number = count_of(hit.count, "row")
    else:
        number = "some rows" if hit.refuted else "the whole source"
    share = hit.share(total)
    told = percent(share) if hit.count is not None and total else ""
    expected = hit.expected if len(field.expected) > 1 else ""
    return el(
        "div",
        el("span", hit.code.value, class_="code"), " ",
        el("strong", number), f" {told}" if told else None,
        bar(share, "violation"),
        el("p", f"expected {expected}", class_="note") if expected else None,
        el("p", f"found {', '.join(hit.observed)}", class_="note") if hit.observed else None,
        _examples(report, hit),
        class_="hit",
    )  # fmt: skip


def _examples(report: Report, hit: Hit) -> Element | None:
    """Return the examples, folded: they hold keys, and values where the policy shows them."""
    named = [example for example in hit.examples if example.key or example.value is not None]
    if not named:
        return None
    lines = []
    for example in named:
        names = [*report.row_key, *[""] * len(example.key)]
        key = [
            el("span", f"{name} = " if name else "", el("code", cell_text(cell), dir="auto"))
            for name, cell in zip(names, example.key, strict=False)
        ]
        value = example.value
        shown = None if value is None else el("span", "value ", el("code", value, dir="auto"))
        lines.append(el("li", key, shown, el("span", example.observed, class_="note")))
    title = count_of(len(named), "example")
    return el("details", el("summary", title), el("ol", lines), class_="examples")
