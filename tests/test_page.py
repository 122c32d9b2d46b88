"""Reports as pages: as a parser reads them, and as people see them in a browser."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from spark_sig import ColSpec, ModelSignature, Schema, validate
from spark_sig.errors import Code
from spark_sig.plan import Rung
from spark_sig.policy import Policy
from spark_sig.render import notebook
from spark_sig.render.page.figures import (
    FAMILIES,
    Family,
    code_counts,
    fields_of,
    percent,
    rung_shares,
)
from spark_sig.render.page.words import MEANINGS
from spark_sig.render.text import printable
from spark_sig.report import (
    Audit,
    CheckResult,
    Decided,
    Evidence,
    Lie,
    Report,
    Rows,
    Source,
    Transfer,
    Written,
)
from spark_sig.settled import Settled
from spark_sig.tally import Example
from tests.report_pages import CONTRASTS, OUTLINE, Node, outline, read_page
from tests.test_render import FLIGHTS, SIGNATURE, TABLE, any_reports, null_check

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pyspark.sql import SparkSession

NASTY = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(2)>",
    "שלום <b>עולם</b>",
    "a\nb\x1b[31m\u202e\x00",
    "🚀 날씨 &amp; \"quoted\" 'name'",
    "x" * 600,
]


def wide_report(columns: int) -> Report:
    """A report on many columns: all rungs, some codes, and some fields that violate."""
    rows, rungs = 1_000_000, list(Rung)
    checks = []
    for at in range(columns):
        count = 10 ** (at % 7) if at % 17 == 2 else 0
        code = (Code.NULL, Code.CAST, Code.SHAPE)[at % 3]
        examples = tuple(Example((at, f"row-{i}"), "null") for i in range(5 if count else 0))
        part = Decided(rungs[at % len(rungs)], rows, 8)
        decided = (Decided(Rung.STATS, 400_000, 3), Decided(Rung.CATALYST, 600_000, 5))
        checks.append(
            CheckResult(
                f"$.feature_{at:04d}",
                code,
                "double (required)",
                count,
                ("null",) if count else (),
                examples,
                "re-infer the signature, or nulls='allow'" if count else "",
                decided if count else (part,),
            )
        )
    return Report(
        SIGNATURE,
        "inputs",
        Policy(casts="lossless"),
        TABLE,
        Rows(rows, rows - 700_000, 700_000),
        tuple(checks),
        rows,
        row_key=("day", "id"),
        warnings=("12 extra columns are dropped",),
        evidence=Evidence("the table's log", 5, "3 files remembered, 5 added"),
    )


def nasty_report() -> Report:
    checks = tuple(
        CheckResult(f"$['{name}']", Code.CAST, name, 7, (name,), (Example((name,), name, name),))
        for name in NASTY
    )
    source = Source("delta", NASTY[0], "id", 1, 2, True)
    written = Written(NASTY[1], "id", 2, 7)
    return Report(
        SIGNATURE,
        policy=Policy(show_values=True),
        source=source,
        rows=Rows(9, 2, 7),
        checks=checks,
        expected_rows=9,
        row_key=(NASTY[2],),
        warnings=tuple(NASTY),
        audit=Audit(0.5, 1, 1, (Lie(NASTY[3], Code.NULL, NASTY[4], NASTY[5]),)),
        evidence=Evidence(NASTY[0], 1, NASTY[1]),
        transfer=Transfer(NASTY[2], "append", written, written, NASTY[0]),
    )


FINDING = CheckResult(
    "$.dep_tme", Code.MISSING_COLUMN, "long (required)", None, ("nothing",), (), "did you …?"
)
CONFORMING = replace(FLIGHTS, rows=Rows(7, 7), expected_rows=7, checks=(null_check("a"),))
# As --fail-fast leaves it: in two files some rows are NULL, and the others were not looked at.
REFUTED = replace(
    null_check("dep_time"), count=None, observed=("3 nulls",), decided=(Decided(Rung.STATS, 9, 2),)
)
# Every kind of report that a run ends in, and the verdict that it has at a glance.
KINDS: dict[str, tuple[Report, str]] = {
    "conforming": (CONFORMING, "Conforms"),
    "violating": (FLIGHTS, "Does not conform"),
    "nothing": (Report.empty(), "Conforms"),
    "no rows": (replace(CONFORMING, rows=Rows(), expected_rows=0), "Conforms"),
    "too few rows": (replace(CONFORMING, min_rows=8), "Does not conform"),
    "rows unseen": (replace(CONFORMING, expected_rows=9), "Not complete"),
    "more rows than there are": (replace(CONFORMING, expected_rows=5), "Not complete"),
    "rows unseen, some violate": (replace(FLIGHTS, expected_rows=400_000), "Does not conform"),
    "uncounted": (replace(CONFORMING, rows=Rows(9, 9, 0, 2)), "Conforms"),
    "types": (
        replace(
            FLIGHTS,
            rows=Rows(),
            checks=(FINDING, replace(null_check("a"), decided=(Decided(Rung.CATALYST, 0),))),
        ),
        "Does not conform",
    ),
    "statistics": (
        replace(
            FLIGHTS,
            rows=Rows(),
            checks=(REFUTED, replace(null_check("a"), decided=(Decided(Rung.CATALYST, 0),))),
        ),
        "Does not conform",
    ),
    "a lie": (
        replace(CONFORMING, audit=Audit(0.1, 2, 5, (Lie("$.a", Code.NULL, "no null", "3"),))),
        "Does not conform",
    ),
    "written": (
        replace(
            FLIGHTS,
            transfer=Transfer(
                "run-7", "append", Written("good", "g", 4, 328_521), Written("bad", "b", 5, 8_255)
            ),
        ),
        "Does not conform",
    ),
    "refused": (
        replace(FLIGHTS, transfer=Transfer("", "append", note="nothing, as too many rows violate")),
        "Does not conform",
    ),
    "a dataframe": (
        replace(CONFORMING, source=Source("dataframe"), expected_rows=None),
        "Conforms",
    ),
    "wide": (wide_report(300), "Does not conform"),
    "nasty": (nasty_report(), "Does not conform"),
}
KIND = pytest.mark.parametrize("kind", KINDS)


def check_accessible(page: Node) -> None:
    """What makes a page fit for those who do not see it, as far as its source tells."""
    named = [one for one in page.walk() if "id" in one.attributes]
    texts = {one.attributes["id"]: one.text for one in named}
    assert len(texts) == len(named)

    def labels(node: Node) -> list[str]:
        return [texts[name] for name in node.attributes["aria-labelledby"].split()]

    assert page.attributes["lang"] == "en"
    headings = [one.tag for one in page.all("h1", "h2", "h3", "h4")]
    assert headings[0] == "h1"
    assert set(headings[1:]) == {"h2"}
    assert len(page.all("h1")) == len(page.all("main")) == 1
    for table in page.all("table"):
        assert table.all("caption")[0].text.strip()
        assert {one.attributes["scope"] for one in table.all("th")} == {"col", "row"}
        assert {len(one.children) for one in table.all("tr")} == {5}
        roles = {one.attributes.get("role") for one in (table, *table.all("tr", "th", "td"))}
        assert roles == {"table", "row", "columnheader", "rowheader", "cell"}
    for section in page.all("section"):
        assert all(labels(section))
    for picture in page.all("svg"):
        if "aria-hidden" not in picture.attributes:
            assert picture.attributes["role"] == "img"
            title, told = labels(picture)
            assert title
            assert re.search(r"\d", told)


def check_self_contained(page: Node) -> None:
    """Nothing in it is run, fetched or sent."""
    used = {one.tag for one in page.all()}
    assert not used & {"script", "img", "iframe", "object", "form", "a", "base", "video", "image"}
    for one in page.all():
        for name, value in one.attributes.items():
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "style", "action", "xlink:href")
            assert name != "href" or value == "data:,"
    [style] = page.all("style")
    css = "".join(one for one in style.children if isinstance(one, str))
    assert "@import" not in css
    assert re.findall(r"url\(", css) == []
    [policy] = [one for one in page.all("meta") if "http-equiv" in one.attributes]
    assert "default-src 'none'" in policy.attributes["content"]


@KIND
def test_every_kind_of_report_is_a_page(kind: str) -> None:
    report, verdict = KINDS[kind]
    page = read_page(report.to_html())
    check_accessible(page)
    check_self_contained(page)
    assert [one.text for one in page.all("h1")] == [verdict]
    title = page.all("head")[0].all("title")[0]
    assert title.text.startswith(f"{verdict}: ")
    shown = page.text
    for check in report.checks:
        assert printable(check.path) in shown
        assert printable(check.expected) in shown
        assert check.count is None or not check.violated or f"{check.count:,}" in shown
        assert all(printable(text) in shown for text in check.observed)
        assert check.rung.value in shown or not check.decided[0].rows
    for text in (*report.warnings, report.signature, *report.row_key, report.evidence.ledger):
        assert printable(text) in shown


@given(any_reports)
def test_no_text_of_a_report_is_markup(report: Report) -> None:
    page = read_page(report.to_html())
    check_accessible(page)
    check_self_contained(page)
    shown = page.text
    assert all(printable(check.path) in shown for check in report.checks)


def test_a_name_that_is_markup_is_shown_as_it_is() -> None:
    page = read_page(nasty_report().to_html())
    paths = [one.text for one in page.all("th") if one.attributes["scope"] == "row"]
    assert paths == [f"$['{printable(name)}']" for name in NASTY]
    assert printable(NASTY[3]) == "a\\nb\\x1b[31m\\u202e\\x00"


def rows_of(page: Node) -> list[list[str]]:
    """The cells of all fields, in the order of the page."""
    return [
        [cell.text for cell in row.all("th", "td")]
        for table in page.all("table")
        for row in table.all("tbody")[0].all("tr")
    ]


def test_fields_stand_worst_first_with_their_rung_and_what_is_proven() -> None:
    report = replace(
        FLIGHTS,
        checks=(
            null_check("good", rung=Rung.LEDGER),
            null_check("some", 10),
            null_check("most", 336_000),
            replace(
                null_check("part"),
                decided=(Decided(Rung.STATS, 84_194, 1), Decided(Rung.ARROW, 252_582, 3)),
            ),
        ),
    )
    found = [row[:4] for row in rows_of(read_page(report.to_html()))]
    assert found == [
        ["$.most", "long (required)", "catalyst", "0% proven"],
        ["$.some", "long (required)", "catalyst", "0% proven"],
        ["$.good", "long (required)", "ledger", "100% proven"],
        ["$.part", "long (required)", "arrow", "25% proven"],
    ]
    # its own rows were not read, as the types gave the verdict before
    types, _ = KINDS["types"]
    assert [row[2:] for row in rows_of(read_page(types.to_html()))] == [
        ["schema", "100% proven", "missing_column the whole sourcefound nothing"],
        ["–", "– proven", "not checked"],
    ]


def test_what_statistics_refute_is_violated_by_some_rows_and_not_by_all() -> None:
    report, _ = KINDS["statistics"]
    [hit] = read_page(report.to_html()).of("hit")
    assert hit.all("strong")[0].text == "some rows"
    assert float(hit.all("rect")[0].attributes["width"].rstrip("%")) < 2
    assert "of 1 checked" in [one.text for one in read_page(report.to_html()).of("remark")]


def test_the_map_says_no_number_of_rows_where_nobody_has_counted() -> None:
    report, _ = KINDS["statistics"]
    _, other = report.checks
    others = [replace(other, path=f"$.a{at}") for at in range(30)]
    legend = read_page(replace(report, checks=(REFUTED, *others)).to_html()).of("wide")[0].all("li")
    assert [one.text for one in legend] == ["no violation known30", "some rows, by statistics1"]


def test_fields_that_types_settle_are_fields_too() -> None:
    free = Settled("$.free", "long (optional)")
    page = read_page(replace(FLIGHTS, settled=(free,)).to_html())
    assert rows_of(page)[-1] == ["$.free", "long (optional)", "schema", "100% proven", "none"]


def test_a_field_that_was_wrongly_proven_does_not_hold() -> None:
    lie = Lie("$.a", Code.NULL, "0 rows violate it", "3 rows: null")
    checks = (null_check("a", rung=Rung.STATS), null_check("b", rung=Rung.STATS))
    page = read_page(replace(CONFORMING, checks=checks, audit=Audit(0.1, 2, 5, (lie,))).to_html())
    assert [one.text for one in page.all("caption")] == [
        "Fields that were wrongly proven: 1",
        "Fields that hold: 1",
    ]
    assert [row[-1] for row in rows_of(page)] == ["wrongly proven", "none"]
    [told] = page.of("lies")
    assert [one.text for one in told.all("li")] == [
        "$.a: null: proven 0 rows violate it, found 3 rows: null"
    ]


def test_examples_are_folded_and_nothing_else_holds_them() -> None:
    secret = Example(("secret-key",), "null", "secret-value")
    report = replace(FLIGHTS, checks=(replace(null_check("a", 1), examples=(secret,)),))
    page = read_page(report.to_html())
    [folded] = page.of("examples")
    assert folded.tag == "details"
    assert "open" not in folded.attributes
    assert "secret-key" in folded.text
    assert "secret-value" in folded.text
    assert page.text.count("secret") == folded.text.count("secret") == 2
    assert read_page(replace(FLIGHTS, checks=(null_check("a", 1),)).to_html()).of("examples") == []


def tiles_of(report: Report) -> dict[str, str]:
    return {
        tile.all("dt")[0].text: tile.of("number")[0].text
        for tile in read_page(report.to_html()).of("tile")
    }


def test_tiles() -> None:
    assert tiles_of(FLIGHTS) == {
        "Rows": "336,776",
        "Valid": "328,521",
        "Violating": "8,255",
        "Uncounted": "0",
        "Proven": "25%",
        "Fields violated": "2",
    }
    assert tiles_of(KINDS["rows unseen"][0])["Not seen"] == "2"
    assert tiles_of(KINDS["uncounted"][0])["Uncounted"] == "2"
    types = tiles_of(KINDS["types"][0])
    assert types["Rows"] == types["Valid"] == "–"


def test_the_verdict_says_why() -> None:
    def why(kind: str) -> list[str]:
        return [one.text for one in read_page(KINDS[kind][0].to_html()).of("why")]

    assert why("violating") == [
        "2 checks are violated.",
        "8,255 of 336,776 rows violate, 2.45% of them.",
        "Complete: 336,776 of 336,776 rows that the files hold.",
        "Worst: $.dep_time, $.arr_time.",
    ]
    assert why("rows unseen") == [
        "Nothing is wrong with what was seen, but 2 rows of the files' were not.",
        "INCOMPLETE: 7 rows seen, where the files hold 9.",
    ]
    assert why("more rows than there are")[0] == "More rows were seen than the files hold."
    assert why("uncounted")[1] == (
        "Complete: 7 of 7 rows that the files hold, and 2 in files that hold no count."
    )
    assert why("too few rows")[1:] == [
        "Complete: 7 of 7 rows that the files hold.",
        "Expected at least 8 rows, found 7 rows.",
    ]
    assert why("a lie")[::2] == [
        "The audit found files that were wrongly proven.",
        "Wrongly proven: $.a.",
    ]
    assert why("types")[1] == "No row was read: the types alone decide."
    assert why("refused")[-1] == "Written: nothing, as too many rows violate."
    assert why("wide")[-1].endswith(" and 15 more.")


@given(any_reports)
def test_shares_of_rungs_add_up(report: Report) -> None:
    shares = rung_shares(report)
    assert not shares or sum(shares.values()) == pytest.approx(1)
    fields = fields_of(report)
    hits = [hit for field in fields for hit in field.hits]
    assert sum(one.fields for one in code_counts(fields)) == len(hits)
    assert len(hits) == len(report.violations)


@given(some.floats(0, 1))
def test_no_share_is_rounded_to_nothing_or_to_all(share: float) -> None:
    assert (percent(share) == "0%") == (share == 0)
    assert (percent(share) == "100%") == (share == 1)


def test_each_rung_and_each_code_has_its_words_and_colours() -> None:
    assert set(FAMILIES) == set(Rung)
    assert set(MEANINGS) == set(Code)
    css = files("spark_sig.render.page").joinpath("page.css").read_text()
    assert all(f".rung-{rung.value} {{" in css for rung in Rung)
    proven = {rung for rung, family in FAMILIES.items() if family is Family.PROVEN}
    for rung in Rung:
        assert replace(null_check("a", rung=rung)).proven == (rung in proven)


def test_two_thousand_columns_stay_small_and_folded() -> None:
    html = wide_report(2_000).to_html()
    assert len(html.encode()) < 1_500_000
    page = read_page(html)
    assert len(rows_of(page)) == 2_000
    shut = sum(len(rows_of(one)) for one in page.of("fields")[0].children if one.tag == "details")
    assert 2_000 - shut <= 50


# --- in a browser ---------------------------------------------------------------------------------


PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium, without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is in dev.txt alone")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium: make chromium")
    # its sandbox is not for root
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as started:
        found = started.chromium.launch(executable_path=program, args=arguments)
        yield found
        found.close()


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Shows a report at a width, and looks for what no page may do."""
    context = browser.new_context()
    asked: list[str] = []
    said: list[str] = []

    def show(report: Report, width: int, scheme: str = "light") -> Page:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.set_viewport_size({"width": width, "height": 844 if width < 700 else 800})
        page.emulate_media(color_scheme=scheme)
        place = tmp_path / "report.html"
        place.write_text(report.to_html(), encoding="utf-8")
        page.goto(place.as_uri())
        return page

    yield show
    context.close()
    assert {url for url in asked if not url.startswith("data:")} == {
        (tmp_path / "report.html").as_uri()
    }
    assert said == []


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.scrollingElement.scrollWidth - innerWidth")


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


REPORTS = {3: replace(FLIGHTS, checks=FLIGHTS.checks[:3]), 2_000: wide_report(2_000)}
WIDTHS = pytest.mark.parametrize("width", [390, 1280])
COLUMNS = pytest.mark.parametrize("columns", REPORTS)
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.mark.slow
@WIDTHS
@COLUMNS
def test_a_page_at_a_glance(shown: Any, width: int, columns: int) -> None:
    report = REPORTS[columns]
    start = time.monotonic()
    page = shown(report, width)
    page.screenshot()
    print(f"{columns} columns at {width}: {time.monotonic() - start:.1f} s")
    assert page.evaluate(OUTLINE) == outline(read_page(report.to_html()))
    for place in ("h1", ".why >> nth=0", ".tile >> nth=2"):
        box = page.locator(place).bounding_box()
        assert box
        assert box["y"] + box["height"] <= page.viewport_size["height"]
    assert overflow(page) <= 0
    # the fields that violate come first, and can be seen; those that hold are folded where many
    rows = page.locator("tbody tr")
    assert rows.count() == columns
    assert rows.first.is_visible()
    assert rows.last.is_visible() == (columns == 3)
    examples = page.locator(".examples li")
    assert examples.count() > 0
    assert not examples.first.is_visible()
    open_all(page)
    assert examples.first.is_visible()
    assert rows.last.is_visible()
    assert overflow(page) <= 0


@pytest.mark.slow
@COLUMNS
def test_the_page_of_a_real_run(spark: SparkSession, shown: Any, columns: int) -> None:
    # of every three columns one has NULL where it must not, and one may have it
    names = [f"c{at}" for at in range(columns)]
    values = [
        f"{'nullif(id, 0)' if at % 3 < 2 else 'id'} AS {name}" for at, name in enumerate(names)
    ]
    specs = [ColSpec("long", name, required=at % 3 != 1) for at, name in enumerate(names)]
    signature = ModelSignature(inputs=Schema(specs))
    report = validate(spark.range(4).selectExpr("id", *values), signature, row_key="id")
    wrong = -(-columns // 3)
    assert len(report.violations) == wrong
    for width in (390, 1280):
        page = shown(report, width)
        assert page.locator("h1").inner_text() == "Does not conform"
        paths = page.locator("th[scope=row]").all_text_contents()
        assert sorted(paths) == sorted(f"$.{name}" for name in names)
        assert paths[:wrong] == [f"$.{name}" for name in names[::3]]
        assert overflow(page) <= 0


@pytest.mark.slow
@SCHEMES
@WIDTHS
@COLUMNS
def test_every_text_and_picture_can_be_told_from_its_ground(
    shown: Any, width: int, columns: int, scheme: str
) -> None:
    page = shown(REPORTS[columns], width, scheme)
    if columns == 3:
        open_all(page)
    found = page.evaluate(CONTRASTS)
    assert len(found) > 50
    assert found[0][0] >= 4.5, found[:5]


@pytest.mark.slow
@SCHEMES
def test_every_mood_has_its_contrast(shown: Any, scheme: str) -> None:
    for report, _ in KINDS.values():
        found = shown(report, 1280, scheme).evaluate(CONTRASTS)
        assert found[0][0] >= 4.5, found[:5]


@pytest.mark.slow
def test_the_dark_scheme_is_dark_and_paper_is_not(shown: Any) -> None:
    page = shown(FLIGHTS, 1280)
    colour = (
        "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color"
    )
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(colour)
    assert light != dark
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate(colour).startswith("rgb(255, 255, 255)")
    assert page.evaluate(CONTRASTS)[0][0] >= 4.5


@pytest.mark.slow
def test_all_fields_are_on_paper_and_examples_only_where_opened(shown: Any) -> None:
    page = shown(wide_report(300), 1280)
    page.emulate_media(media="print")
    seen = "all => all.filter(one => one.checkVisibility({contentVisibilityAuto: true})).length"
    assert page.locator("tbody tr").evaluate_all(seen) == 300
    examples = page.locator(".examples li")
    assert examples.count() > 0
    assert examples.evaluate_all(seen) == 0
    page.locator(".examples").first.evaluate("one => one.open = true")
    assert examples.evaluate_all(seen) == 5
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert len(paper) > 50_000


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 1280])
def test_no_name_runs_or_widens_the_page(shown: Any, width: int) -> None:
    page = shown(nasty_report(), width)
    open_all(page)
    assert overflow(page) <= 0
    assert page.evaluate(OUTLINE) == outline(read_page(nasty_report().to_html()))
    names = page.locator("th[scope=row] code").all_inner_texts()
    assert names == [f"$['{printable(name)}']" for name in NASTY]


@pytest.mark.slow
@SCHEMES
@WIDTHS
@pytest.mark.parametrize("kind", ["violating", "conforming", "types", "written", "wide"])
def test_axe_finds_nothing(shown: Any, kind: str, width: int, scheme: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is in dev.txt alone"
    )
    page = shown(KINDS[kind][0], width, scheme)
    if kind != "wide":
        open_all(page)
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


@pytest.mark.slow
def test_examples_open_by_the_keyboard_and_focus_is_seen(shown: Any) -> None:
    page = shown(FLIGHTS, 390)
    page.keyboard.press("Tab")
    focus = "getComputedStyle(document.activeElement)"
    assert page.evaluate("document.activeElement.textContent") == "3 examples"
    assert page.evaluate(f"{focus}.outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator(".examples li").first.is_visible()


@pytest.mark.slow
def test_tables_of_notebooks_break_long_names_and_no_words(browser: Browser) -> None:
    words = ["inputs", "$.price", "string (required)", "catalyst", "compatible"]
    long = "$." + "x" * 200
    rows = [[*words, "why it is that " * 20], [long, *words[1:], "-"]]
    page = browser.new_page(viewport={"width": 900, "height": 800})
    # what Jupyter sets of its own
    style = "<style>td, th { max-width: none !important; white-space: normal; }</style>"
    made = notebook.table(["side", "path", "type", "rung", "forward", "why"], rows)
    page.set_content(style + notebook.fragment(made))
    assert overflow(page) <= 0
    rects = (
        "all => all.map(one => { const range = document.createRange();"
        "range.selectNodeContents(one); return range.getClientRects().length; })"
    )
    seen = page.locator("tbody tr >> nth=0").locator("td").evaluate_all(rects)
    # a type may break between its words
    assert [seen[at] for at in (0, 1, 3, 4)] == [1, 1, 1, 1]
    assert page.locator("thead th").evaluate_all(rects) == [1] * 6
    assert page.locator("tbody td.long").evaluate_all(rects)[0] > 1
    box = page.locator("table").bounding_box()
    assert box
    assert box["width"] <= 900
    page.close()


@pytest.mark.slow
@WIDTHS
def test_a_screen_reader_meets_tables_at_any_width(shown: Any, width: int) -> None:
    """Where cells are laid out by a grid, their roles are still those of a table."""
    page = shown(FLIGHTS, width)
    tree = page.locator(".fields").aria_snapshot()
    assert 'table "Violated: 2 fields"' in tree
    assert 'rowheader "$.dep_time"' in tree
    assert 'columnheader "Decided by"' in tree
    [picture] = re.findall(r'img "What|img "Rungs.*', page.locator("main").aria_snapshot())
    assert "catalyst: 75%" in picture
