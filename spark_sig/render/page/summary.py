"""The summary of a page: the verdict, how complete it is, and the numbers it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from xml.etree.ElementTree import Element

from spark_sig.errors import Code, assert_never
from spark_sig.render.page.elements import el
from spark_sig.render.page.figures import Field, decisions, percent, proven
from spark_sig.render.page.pictures import Part, stacked
from spark_sig.render.text import count_of, cut, facts, printable, verdict
from spark_sig.report import Report

# How many fields the verdict names, and how much of each name.
_NAMED, _WIDEST = 3, 40


class Mood(Enum):
    """What a verdict is, at a glance."""

    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"


# The verdict's sign, on a field of 24 by 24: a tick, a cross, a question mark.
_SIGNS: dict[Mood, str] = {
    Mood.GOOD: "M5 12.5l4.5 4.5L19 7.5",
    Mood.BAD: "M6.5 6.5l11 11M17.5 6.5l-11 11",
    Mood.UNSURE: "M8.5 9a3.5 3.5 0 1 1 5.2 3c-1.2.7-1.7 1.2-1.7 2.5M12 18.4v.2",
}


def mood_of(report: Report) -> Mood:
    """Return the mood of a verdict: one that nothing speaks against but rows unseen is unsure."""
    if report.conforms:
        return Mood.GOOD
    lies = report.audit is not None and report.audit.lies
    return Mood.BAD if report.violations or lies else Mood.UNSURE


def headline(report: Report) -> str:
    """Return the verdict in two or three words."""
    mood = mood_of(report)
    match mood:
        case Mood.GOOD:
            return "Conforms"
        case Mood.BAD:
            return "Does not conform"
        case Mood.UNSURE:
            return "Not complete"
        case _:
            assert_never(mood)


def banner(report: Report, fields: Sequence[Field]) -> Element:
    """Return the verdict, why it is that, and what it is about."""
    sign = el(
        "svg",
        el("path", d=_SIGNS[mood_of(report)]),
        class_="sign", viewBox="0 0 24 24", aria_hidden="true",
    )  # fmt: skip
    known = dict(facts(report))
    about: list[str | Element | None] = [el("code", known["source"], dir="ltr")]
    if "signature" in known:
        about += [" against signature ", el("code", known["signature"], dir="ltr")]
    return el(
        "header",
        sign,
        el(
            "div",
            el("h1", headline(report)),
            [el("p", reason, class_="why") for reason in _reasons(report, fields)],
            el("p", about, class_="about"),
            class_="verdict",
        ),
        class_=f"banner {mood_of(report).value}",
    )


def _reasons(report: Report, fields: Sequence[Field]) -> Iterator[str]:
    rows, violated = report.rows, len(report.violations)
    if report.conforms:
        yield (
            f"{count_of(rows.total, 'row')}, and no violation."
            if rows.total
            else "There are no rows: nothing was checked but types."
        )
    elif mood_of(report) is Mood.UNSURE and (unseen := _unseen(report)):
        rest = count_of(unseen, "row")
        yield f"Nothing is wrong with what was seen, but {rest} of the files' were not."
    else:
        yield _sentence(verdict(report).partition(": ")[2])
    known = dict(facts(report))
    if report.unread:
        yield f"No row was read: {known['rows'].partition(': ')[2]}."
    elif rows.violating and violated:
        share = percent(rows.violating / rows.total)
        yield f"{rows.violating:,} of {count_of(rows.total, 'row')} violate, {share} of them."
    if not report.unread:
        yield _sentence(known["completeness"])
    for found in report.violations:
        if found.code is Code.ROW_COUNT:
            yield f"Expected {found.expected}, found {found.observed}."
    # what is wrong with whole rows has no name
    if wrong := [field.path for field in fields if field.hits and field.path != "$"]:
        yield f"Worst: {_first(wrong)}."
    if report.audit is not None and report.audit.lies:
        yield f"Wrongly proven: {_first(dict.fromkeys(lie.path for lie in report.audit.lies))}."
    if report.transfer is not None and report.transfer.note:
        yield _sentence(f"written: {report.transfer.note}")


def _first(paths: Iterable[str]) -> str:
    names = [cut(printable(path), _WIDEST) for path in paths]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def tiles(report: Report, fields: Sequence[Field]) -> Element:
    """Return the numbers that a reader looks for first, and rows as a bar."""
    return el(
        "section",
        el("h2", "At a glance", id="glance"),
        el("dl", [_tile(*tile) for tile in _numbers(report, fields)], class_="tiles"),
        _rows_bar(report),
        aria_labelledby="glance",
    )


def _numbers(report: Report, fields: Sequence[Field]) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, number, remark and kind of each tile."""
    rows, read = report.rows, not report.unread
    total = rows.total

    def counted(number: int) -> tuple[str, str]:
        if not read:
            return "–", "none read"
        return f"{number:,}", percent(number / total) if total else ""

    expected = report.expected_rows
    promised = "no files say how many" if expected is None else f"of {expected:,} in the files"
    yield "Rows", f"{total:,}" if read else "–", promised if read else "none read", ""
    yield "Valid", *counted(rows.valid), "good" if rows.valid else ""
    yield "Violating", *counted(rows.violating), "bad" if rows.violating else ""
    if unseen := _unseen(report):
        yield "Not seen", f"{unseen:,}", percent(unseen / (expected or 1)), "unsure"
    yield (
        "Uncounted",
        *((f"{rows.uncounted:,}", "in files that hold no count") if read else counted(0)),
        "",
    )
    decided = [found for check in report.checks if (found := decisions(report, check))]
    if decided and read:
        share = sum(map(proven, decided)) / len(decided)
        yield "Proven", percent(share), "of the checks, without reading", ""
    wrong = sum(bool(field.hits) for field in fields)
    checked = sum(bool(field.hits) or field.rung is not None for field in fields)
    kind = "bad" if wrong else ""
    yield "Fields violated", f"{wrong:,}", f"of {checked:,} checked", kind


def _tile(name: str, number: str, remark: str, kind: str) -> Element:
    value = el("dd", el("span", number, class_="number"), el("span", remark, class_="remark"))
    return el("div", el("dt", name), value, class_=f"tile {kind}".strip())


def _unseen(report: Report) -> int:
    if report.complete or report.expected_rows is None:
        return 0
    return max(report.expected_rows - report.rows.counted, 0)


def _rows_bar(report: Report) -> Element | None:
    rows, unseen = report.rows, _unseen(report)
    parts = [("valid", rows.valid), ("violating", rows.violating), ("not seen", unseen)]
    whole = sum(number for _, number in parts)
    if not whole or report.unread:
        return None
    kinds = ("row-valid", "row-violating", "row-unseen")
    drawn = [Part(n / whole, kind) for (_, n), kind in zip(parts, kinds, strict=True)]
    told = ", ".join(f"{n:,} {name} ({percent(n / whole)})" for name, n in parts if n)
    return stacked("rows-bar", drawn, "Valid and violating rows", told)
