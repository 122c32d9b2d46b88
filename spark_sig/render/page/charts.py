"""The charts of a page: what decided the checks, what is wrong, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from xml.etree.ElementTree import Element

from spark_sig.errors import Code
from spark_sig.plan import Rung
from spark_sig.render.page.elements import el
from spark_sig.render.page.figures import (
    FAMILIES,
    CodeCount,
    Family,
    Field,
    code_counts,
    decisions,
    percent,
    rung_shares,
)
from spark_sig.render.page.pictures import Part, bar, field_map, stacked, swatch
from spark_sig.render.page.words import MEANINGS
from spark_sig.render.text import DECIDED, count_of
from spark_sig.report import Report

# With fewer fields the table is its own map.
_MAPPED = 25

# How many shades tell codes apart; they are named beside them.
_SHADES = 4

# How many rows a field may have violating for each mark of the map, as shares, and all beyond.
_LEVELS = (0.0, 0.01, 0.1, 0.999999)
_LEGEND = (
    "no violation",
    "up to 1% of the rows",
    "up to 10% of the rows",
    "more than 10% of the rows",
    "all rows, or the type",
)
# What the first two mean where no row was read: nobody has counted.
_UNCOUNTED = ("no violation known", "some rows, by statistics")

_WORTH: dict[Family, str] = {
    Family.PROVEN: "no row read",
    Family.ASSUMED: "not checked",
    Family.READ: "rows read",
}


def charts(report: Report, fields: Sequence[Field]) -> Element | None:
    """Return the charts that a report has numbers for."""
    found = [*_codes(fields), *_rungs(report), *_map(report, fields)]
    return el("div", found, class_="charts") if found else None


def _codes(fields: Iterable[Field]) -> Iterator[Element]:
    counts = code_counts(fields)
    if not counts:
        return
    sized = [one.fields if _by_fields(counts) else one.rows or 0 for one in counts]
    most, whole = max(sized), sum(sized) or 1
    lines = [
        el(
            "li",
            el(
                "span",
                el("span", one.code.value, class_="code"), " ", MEANINGS[one.code],
                class_="what",
            ),
            el("span", _size(one), class_="size"),
            bar(size / (most or 1), f"share-{at % _SHADES}"),
        )
        for at, (one, size) in enumerate(zip(counts, sized, strict=True))
    ]  # fmt: skip
    unit = "fields" if _by_fields(counts) else "violations"
    shares = [size / whole for size in sized]
    told = ", ".join(
        f"{one.code}: {percent(share)}" for one, share in zip(counts, shares, strict=True)
    )
    title = f"Codes by their share of all {unit}"
    kinds = [Part(share, f"share-{at % _SHADES}") for at, share in enumerate(shares)]
    note = "" if _by_fields(counts) else "A row counts once for each field that it violates."
    yield el(
        "section",
        el("h2", "What is wrong", id="codes"),
        stacked("codes-bar", kinds, title, told) if len(counts) > 1 else None,
        el("ul", lines, class_="bars"),
        el("p", note, class_="note") if note else None,
        class_="card", aria_labelledby="codes",
    )  # fmt: skip


def _size(one: CodeCount) -> list[str | Element | None]:
    fields = count_of(one.fields, "field")
    if one.code is Code.ROW_COUNT:
        return [el("strong", "the rows as a whole")]
    if one.rows is None:
        return [el("strong", fields), ", by type or statistics"]
    return [el("strong", count_of(one.rows, "violation")), f" in {fields}"]


def _by_fields(counts: Iterable[CodeCount]) -> bool:
    """Say whether no rows were counted, so that there are but places to count."""
    return all(not one.rows for one in counts)


def _rungs(report: Report) -> Iterator[Element]:
    shares = rung_shares(report)
    if not shares:
        return
    parts = [Part(share, f"rung-{rung.value}", FAMILIES[rung]) for rung, share in shares.items()]
    told = ", ".join(f"{rung}: {percent(share)}" for rung, share in shares.items())
    yield el(
        "section",
        el("h2", "What decided the checks", id="rungs"),
        stacked("rungs-bar", parts, "Rungs by the share of all checks that each decided", told),
        el("ul", [_rung(report, rung, share) for rung, share in shares.items()], class_="legend"),
        class_="card", aria_labelledby="rungs",
    )  # fmt: skip


def _rung(report: Report, rung: Rung, share: float) -> Element:
    checks = sum(rung in decisions(report, check) for check in report.checks)
    return el(
        "li",
        swatch(f"rung-{rung.value}", FAMILIES[rung]),
        el(
            "span",
            el("strong", rung.value), f" {DECIDED[rung]}",
            el("span", f"{_WORTH[FAMILIES[rung]]} · {count_of(checks, 'check')}", class_="note"),
        ),
        el("strong", percent(share), class_="number"),
    )  # fmt: skip


def _map(report: Report, fields: Sequence[Field]) -> Iterator[Element]:
    if len(fields) < _MAPPED or not any(field.hits for field in fields):
        return
    order = {path: at for at, path in enumerate(dict.fromkeys(c.path for c in report.checks))}
    placed = sorted(fields, key=lambda field: order.get(field.path, len(order)))
    levels = [_level(field, report.rows.total) for field in placed]
    named = (*_UNCOUNTED, *_LEGEND[2:]) if report.unread else _LEGEND
    counted = [(text, levels.count(at)) for at, text in enumerate(named)]
    told = ", ".join(f"{text}: {count_of(count, 'field')}" for text, count in counted if count)
    legend = [
        el("li", swatch(f"level-{at}"), el("span", text), el("strong", f"{count:,}"))
        for at, (text, count) in enumerate(counted)
        if count
    ]
    yield el(
        "section",
        el("h2", "Where it is wrong", id="map"),
        field_map("fields-map", levels, "Fields in the order of their checks", told),
        el(
            "div",
            el("ul", legend, class_="legend"),
            el("p", "A mark for each field, in the order of its checks.", class_="note"),
            el("p", "The more rows violate, the larger it is.", class_="note"),
        ),
        class_="card wide", aria_labelledby="map",
    )  # fmt: skip


def _level(field: Field, rows: int) -> int:
    share = field.share(rows)
    return next((level for level, most in enumerate(_LEVELS) if share <= most), len(_LEVELS))
