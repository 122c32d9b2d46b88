"""Reports on a terminal, in a notebook and in files."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as some

from spark_sig.delta.storage import is_folder, write_text
from spark_sig.errors import Code, SignatureError, SourceError
from spark_sig.plan import Rung
from spark_sig.policy import Policy
from spark_sig.render.summary import report_summary
from spark_sig.render.text import cells, cut, printable, report_text
from spark_sig.report import (
    REINFER,
    Audit,
    CheckResult,
    Decided,
    Evidence,
    Lie,
    Report,
    Rows,
    Source,
)
from spark_sig.sinks import new_run_id, report_path, write_report
from spark_sig.tally import Example

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SIGNATURE = "0123456789abcdef" * 4
TABLE = Source("delta", "/data/flights", "id", 3, 12, True)


def null_check(name: str, count: int = 0, *keys: object, rung: Rung = Rung.CATALYST) -> CheckResult:
    examples = tuple(Example((key,), "null") for key in keys)  # type: ignore[arg-type]
    observed = ("null",) if count else ()
    remedy = REINFER if count else ""
    return CheckResult(
        f"$.{name}",
        Code.NULL,
        "long (required)",
        count,
        observed,
        examples,
        remedy,
        (Decided(rung, 336_776),),
    )


FLIGHTS = Report(
    SIGNATURE,
    "inputs",
    Policy(),
    TABLE,
    Rows(336_776, 328_521, 8_255),
    (
        null_check("dep_time", 8_255, 838, 839, 840),
        null_check("arr_time", 8_000, 471),
        null_check("day", rung=Rung.SCHEMA),
        null_check("seats"),
    ),
    336_776,
    row_key=("id",),
    warnings=("2 extra columns are dropped",),
)


def test_a_report_that_does_not_conform() -> None:
    assert (
        report_text(FLIGHTS)
        == """\
DOES NOT CONFORM: 2 checks are violated
  source        delta /data/flights at version 3, 12 files
  signature     0123456789abcdef (inputs)
  rows          336,776: 328,521 valid, 8,255 violating
  completeness  complete: 336,776 of 336,776 rows that the files hold
  policy        default

  path        code  expected         observed   rows  id
  $.dep_time  null  long (required)  null      8,255  838, 839, 840
  $.arr_time  null  long (required)  null      8,000  471

How the checks were decided
  1  by types and constraints alone
  3  on every row, within Spark's scan

Warnings
  2 extra columns are dropped

Remedies
  $.dep_time, $.arr_time: re-infer the signature, or nulls='allow'"""
    )


def test_a_report_that_conforms() -> None:
    report = Report(
        SIGNATURE,
        "outputs",
        Policy(casts="lossless", extra="keep"),
        Source("dataframe"),
        Rows(7, 7, 0),
        (null_check("a"),),
    )
    assert (
        report_text(report)
        == """\
CONFORMS
  source        dataframe, unpinned
  signature     0123456789abcdef (outputs)
  rows          7
  completeness  nothing to reconcile with
  policy        casts=lossless, extra=keep

How the checks were decided
  1  on every row, within Spark's scan"""
    )


def test_a_report_by_types_alone() -> None:
    finding = CheckResult(
        "$.dep_tme", Code.MISSING_COLUMN, "long (required)", None, ("nothing",), (), "did you …?"
    )
    text = report_text(Report(SIGNATURE, "inputs", Policy.strict(), TABLE, checks=(finding,)))
    assert "DOES NOT CONFORM: 1 check is violated" in text
    assert "none read: the types alone decide" in text
    assert re.search(r"\$\.dep_tme +missing_column +long \(required\) +nothing +all$", text, re.M)
    assert "policy        strict" in text
    assert "Warnings" not in text


def test_what_statistics_refute_is_violated_by_some_rows() -> None:
    """Nobody has counted them; --fail-fast ends there."""
    refuted = replace(
        null_check("a"), count=None, observed=("3 nulls",), decided=(Decided(Rung.STATS, 9, 2),)
    )
    other = replace(null_check("b"), decided=(Decided(Rung.CATALYST, 0),))
    report = Report(SIGNATURE, "inputs", Policy(), TABLE, checks=(refuted, other))
    text = report_text(report)
    assert "none read: statistics alone decide" in text
    assert re.search(r"\$\.a +null +long \(required\) +3 nulls +some$", text, re.M)
    assert "<td>some</td>" in report._repr_html_()
    # of the other nobody knows
    assert re.search(r"^How the checks were decided\n +1  .*\n +1  not at all, as no", text, re.M)
    assert "<td></td><td>not checked</td>" in report._repr_html_()
    assert cases(report)["$.a null: long (required)"] == [
        ("failure", "violated by some rows, by statistics")
    ]
    assert cases(report)["$.b null: long (required)"] == [
        ("skipped", "not checked, as no row was read")
    ]
    assert cases(report)["rows"] == [("skipped", "no row was needed")]
    (suite,) = xml.fromstring(report.to_junit())
    assert suite.attrib["skipped"] == "2"


def test_a_report_that_missed_rows() -> None:
    text = report_text(Report(SIGNATURE, source=TABLE, rows=Rows(9, 9, 0), expected_rows=10))
    assert text.startswith("DOES NOT CONFORM: not every row was seen")
    assert "INCOMPLETE: 9 rows seen, where the files hold 10" in text
    twice = report_text(Report(SIGNATURE, source=TABLE, rows=Rows(20, 20), expected_rows=10))
    assert twice.startswith("DOES NOT CONFORM: more rows were seen than the files hold")


def test_rows_that_no_file_counts_are_told_apart() -> None:
    def completeness(rows: Rows) -> str:
        text = report_text(Report(SIGNATURE, source=TABLE, rows=rows, expected_rows=7))
        return next(line for line in text.splitlines() if "completeness" in line).split("  ")[-1]

    besides = "and 2 in files that hold no count"
    assert completeness(Rows(9, 9, 0, 2)) == f"complete: 7 of 7 rows that the files hold, {besides}"
    assert completeness(Rows(8, 8, 0, 2)).startswith("INCOMPLETE: 6 rows seen")


def test_too_few_rows_are_in_the_table() -> None:
    text = report_text(Report(SIGNATURE, source=TABLE, min_rows=5))
    assert re.search(r"\$ +row_count +at least 5 rows +0 rows$", text, re.M)
    assert "there are no rows" in text


def test_values_stand_beside_their_keys() -> None:
    check = CheckResult(
        "$.a", Code.CAST, "long", 1, ("inexact",), (Example((1, None), "inexact", "1.5"),)
    )
    text = report_text(Report(SIGNATURE, rows=Rows(1, 0, 1), checks=(check,)))
    assert text.splitlines()[-4].endswith("(1, null): 1.5")


def test_a_wide_report_stays_short() -> None:
    checks = tuple(null_check(f"a_rather_long_name_of_a_column_{i}", i % 2) for i in range(2_000))
    report = Report(SIGNATURE, rows=Rows(9, 0, 9), checks=checks)
    text = report_text(report)
    assert len(text.splitlines()) < 40
    assert "  ... and 980 more\n" in text
    assert len(report_summary(report)) < 400_000


names = some.text(
    some.one_of(some.characters(), some.sampled_from("날씨\x1b\u202e\x00\n\t\x9b<>&\"'`é́")),
    max_size=60,
)
rows = some.integers(0, 10**12)
results = some.builds(
    CheckResult,
    names,
    some.sampled_from(Code),
    names,
    some.none() | some.integers(0, 10**12),
    some.lists(names, max_size=5).map(tuple),
    some.lists(
        some.builds(Example, some.tuples(names | some.none()), names, some.none() | names),
        max_size=5,
    ).map(tuple),
    names,
    some.lists(
        some.builds(Decided, some.sampled_from(Rung), rows, some.none() | rows), min_size=1
    ).map(tuple),
)
audits = some.builds(
    Audit,
    some.floats(0, 1),
    rows,
    rows,
    some.lists(some.builds(Lie, names, some.sampled_from(Code), names, names)).map(tuple),
)
any_reports = some.builds(
    Report,
    some.just(SIGNATURE),
    checks=some.lists(results, max_size=4).map(tuple),
    source=some.builds(Source, some.just("delta"), names),
    warnings=some.lists(names, max_size=2).map(tuple),
    row_key=some.lists(names, max_size=2).map(tuple),
    audit=some.none() | audits,
    evidence=some.builds(Evidence, names, some.none() | rows, names),
)


@given(any_reports, some.sampled_from([80, 100]))
def test_a_terminal_shows_names_and_does_not_obey_them(report: Report, width: int) -> None:
    text = report_text(report, width=width)
    assert text == "\n".join(printable(line) for line in text.split("\n"))
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith("  path ")), None)
    if start is not None:
        end = lines.index("", start)
        assert max(map(cells, lines[start:end])) <= width


def test_wide_characters_take_two_cells() -> None:
    assert [cells(text) for text in ("ab", "날씨", "e\u0301", "1…")] == [2, 4, 1, 2]
    assert cut("날씨날씨", 6) == "날씨…"


@given(some.text(max_size=20), some.integers(1, 20))
def test_cut_texts_fit(text: str, room: int) -> None:
    found = cut(text, room)
    assert cells(found) <= room
    assert (found == text) == (cells(text) <= room)
    assert found == text or (found[-1] == "…" and text.startswith(found[:-1]))


TAGS = {"div", "style", "details", "summary", "p", "ul", "li", "b"} | {
    "table", "thead", "tbody", "tr", "th", "td", "caption"
}  # fmt: skip


class Reader(HTMLParser):
    """Reads HTML strictly: every tag that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"class", "title"}
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] != "style":
            self.texts.append(data)


@given(any_reports)
def test_html_is_whole_and_escaped(report: Report) -> None:
    html = report_summary(report)
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    assert reader.tags <= TAGS
    shown = "".join(reader.texts)
    assert all(printable(check.path) in shown for check in report.checks if check.violated)
    assert "http" not in html.split("</style>")[0]


def test_html_says_what_the_text_says() -> None:
    html = report_summary(FLIGHTS)
    assert "DOES NOT CONFORM: 2 checks are violated" in html
    assert "<td>$.dep_time</td>" in html
    assert FLIGHTS._repr_html_() == html
    assert FLIGHTS.to_text() == report_text(FLIGHTS)


# --- files --------------------------------------------------------------------------------------


def read(path: Path) -> Report:
    return Report.from_dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}", "file://localhost{}"])
def test_a_report_is_written_whole(tmp_path: Path, form: str) -> None:
    target = tmp_path / "new" / "folder" / "report 1.json"
    written = write_report(FLIGHTS, form.format(target))
    assert written == form.format(target)
    assert read(target) == FLIGHTS
    assert os.listdir(target.parent) == ["report 1.json"]
    write_report(Report.empty(), target)
    assert read(target) == Report.empty()


def test_a_folder_gets_a_file_under_the_run_id(tmp_path: Path) -> None:
    assert write_report(FLIGHTS, tmp_path, run_id="run-7") == f"{tmp_path}/run-7.json"
    assert write_report(FLIGHTS, f"{tmp_path}/new/", run_id="run-7") == f"{tmp_path}/new/run-7.json"
    made = write_report(FLIGHTS, f"file:{tmp_path}")
    assert re.fullmatch(rf"file:{tmp_path}/\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}}\.json", made)
    assert read(tmp_path / "run-7.json") == read(tmp_path / "new/run-7.json") == FLIGHTS
    assert new_run_id() != new_run_id()


def test_what_its_name_ends_in_says_how_a_report_is_written(tmp_path: Path) -> None:
    places = {suffix: tmp_path / f"report{suffix}" for suffix in (".html", ".XML", ".txt")}
    for place in places.values():
        write_report(FLIGHTS, place)
    texts = {suffix: place.read_text(encoding="utf-8") for suffix, place in places.items()}
    assert texts[".html"].startswith("<!DOCTYPE html>")
    assert texts[".XML"].startswith("<?xml ")
    assert read(places[".txt"]) == FLIGHTS


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "a\nb"])
def test_a_run_id_is_a_plain_name(run_id: str) -> None:
    with pytest.raises(SignatureError, match="plain file name"):
        report_path("/tmp/", run_id)


def test_a_path_that_cannot_be_written_is_one_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "report.json", tmp_path / ("x" * 300), "/proc/no/report.json"):
        with pytest.raises(SignatureError, match="cannot write the report") as refused:
            write_report(FLIGHTS, path)
        assert refused.value.path == str(path)
    with pytest.raises(SignatureError, match="cannot write the report"):
        write_report(FLIGHTS, str(tmp_path / "a\0b"))
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_write_that_fails_leaves_the_older_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.json"
    write_report(FLIGHTS, target)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SignatureError, match="No space left on device"):
        write_report(Report.empty(), target)
    assert os.listdir(tmp_path) == ["report.json"]
    assert read(target) == FLIGHTS


def test_other_storage_needs_a_session() -> None:
    with pytest.raises(SignatureError, match="only a Spark session") as refused:
        write_report(FLIGHTS, "s3a://bucket/report.json")
    assert refused.value.path == "s3a://bucket/report.json"
    remote: Any = object()
    with pytest.raises(SourceError, match=r"s3a://bucket/report.json: Spark Connect"):
        write_report(FLIGHTS, "s3a://bucket/report.json", spark=remote)


def test_hadoop_writes_whole_files(spark: SparkSession, tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.json"
    for text in ("old", report_text(FLIGHTS), "날씨"):
        write_text(spark, f"file://{target}", text)
        assert target.read_text(encoding="utf-8") == text
    assert [name for name in os.listdir(target.parent) if not name.endswith(".crc")] == [
        "report.json"
    ]
    assert is_folder(spark, f"file://{tmp_path}")
    assert not is_folder(spark, f"file://{target}")
    assert not is_folder(spark, f"file://{tmp_path}/nothing")


def test_hadoop_storage_that_cannot_be_written(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_text("x")
    for path in (
        f"file://{tmp_path}/file/report.json",
        f"file://{tmp_path}/folder",
        "nosuch://host/report.json",
        "hdfs:report.json",
    ):
        with pytest.raises(SourceError, match=f"^cannot write {re.escape(path)}: ") as refused:
            write_text(spark, path, "text")
        assert "\n" not in str(refused.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    with pytest.raises(SourceError, match="nosuch"):
        write_report(FLIGHTS, "nosuch://host/report.json", spark=spark)


def test_storage_that_cannot_overwrite_in_one_step(spark: SparkSession, tmp_path: Path) -> None:
    # Without this class, Hadoop has its older interface only.
    spark.conf.set("fs.AbstractFileSystem.file.impl", "no.such.Class")
    target = tmp_path / "report.json"
    try:
        for text in ("old", "new"):
            write_text(spark, f"file://{target}", text)
            assert target.read_text() == text
    finally:
        spark.conf.unset("fs.AbstractFileSystem.file.impl")
    assert [name for name in os.listdir(tmp_path) if not name.endswith(".crc")] == ["report.json"]


def test_examples_that_nothing_names_are_no_column() -> None:
    """Where there is no key, and no value is shown."""
    text = report_text(replace(FLIGHTS, row_key=(), checks=(null_check("a", 2, None),)))
    unnamed = Example((), "null")
    check = replace(null_check("a", 2), examples=(unnamed, unnamed))
    bare = report_text(replace(FLIGHTS, row_key=(), checks=(check,)))
    assert "examples" in text
    assert "examples" not in bare
    assert ", ," not in bare


# --- JUnit ----------------------------------------------------------------------------------------


def cases(report: Report) -> dict[str, list[tuple[str, str]]]:
    """What went wrong in each case, by its name."""
    suites = xml.fromstring(report.to_junit())
    (suite,) = suites
    found = {
        case.attrib["name"]: [(part.tag, part.attrib["message"]) for part in case]
        for case in suite.iter("testcase")
    }
    for one in (suites, suite):
        assert one.attrib["tests"] == str(len(found))
        for kind in ("failure", "error"):
            parts = sum(tag == kind for case in found.values() for tag, _ in case)
            assert one.attrib[f"{kind}s"] == str(parts)
    return found


def test_each_check_is_a_case() -> None:
    report = replace(FLIGHTS, checks=(null_check("a"), null_check("b", 7)))
    assert cases(report) == {
        "rows": [],
        "$.a null: long (required)": [],
        "$.b null: long (required)": [("failure", "violated by 7 rows")],
    }
    text = report.to_junit()
    assert "found: null" in text
    assert REINFER in xml.fromstring(text).findtext(".//failure", "")


def test_what_is_wrong_with_the_rows_as_a_whole() -> None:
    few = replace(FLIGHTS, checks=(), expected_rows=FLIGHTS.rows.total, min_rows=10**9)
    assert cases(few)["rows"] == [
        ("failure", f"expected at least 1000000000 rows, found {FLIGHTS.rows.total} rows")
    ]
    unseen = replace(FLIGHTS, checks=(), expected_rows=FLIGHTS.rows.total + 1)
    assert cases(unseen)["rows"] == [("error", "DOES NOT CONFORM: not every row was seen")]


JENKINS = Path(__file__).parent / "schemas" / "junit" / "junit-10.xsd"


def held_to_jenkins(report: Report) -> None:
    """Check a report's XML by the schema that Jenkins' xUnit plugin publishes."""
    xmlschema = pytest.importorskip("xmlschema", reason="an environment of an older Spark")
    global _validator
    _validator = _validator or xmlschema.XMLSchema(str(JENKINS))
    text = report.to_junit()
    _validator.validate(text)
    bad = [part for kind in ("failure", "error") for part in xml.fromstring(text).iter(kind)]
    assert bool(bad) is not report.conforms
    # Jenkins shows the one, GitLab the other
    assert all(part.attrib["message"] and part.text and part.attrib["type"] for part in bad)


_validator: Any = None


@given(any_reports)
def test_every_report_is_what_jenkins_and_gitlab_read(report: Report) -> None:
    held_to_jenkins(report)


def test_what_an_audit_found_is_an_error() -> None:
    lies = tuple(Lie(path, Code.NULL, "no null", "null") for path in ("$.a", "$.\n"))
    report = replace(FLIGHTS, checks=(), audit=Audit(0.5, 1, 10, lies))
    held_to_jenkins(report)
    (error,) = xml.fromstring(report.to_junit()).iter("error")
    assert (error.text or "").splitlines()[1:] == [
        "$.a: null: proven no null, found null",
        r"$.\n: null: proven no null, found null",
    ]


@given(some.text())
def test_any_text_is_xml(text: str) -> None:
    report = replace(FLIGHTS, source=replace(TABLE, name=text), checks=(null_check(text, 1),))
    (suite,) = xml.fromstring(report.to_junit())
    assert suite.attrib["name"] == printable(text or "delta")
