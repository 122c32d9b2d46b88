"""Reports: a monoid, a verdict and a document, whatever the rows were split into."""

from __future__ import annotations

import copy
import decimal
import json
import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from itertools import groupby
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from spark_sig.errors import Code, SignatureError, Violation
from spark_sig.plan import Check, EnforcementPlan, Reason, Rung
from spark_sig.policy import Policy
from spark_sig.render.document import (
    report_document,
    report_from_document,
    report_json,
    report_schema,
)
from spark_sig.report import (
    FORMAT,
    NO_ROWS,
    REINFER,
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
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.settled import Settled, settled_fields
from spark_sig.tally import OBSERVED, CheckTally, Example, Tally, cell
from spark_sig.types import Array, Map, Object, Property

SCHEMA = json.loads((files("spark_sig.render") / "report.schema.json").read_text())
SIGNATURE = "0123456789abcdef" * 4
TABLE = Source("delta", "/t", "id", 3, 2, True)
CHECKS = (
    Check("$.a", Code.NULL, "long (required)", Reason.SCAN),
    Check("$.a", Code.CAST, "long (required)", Reason.COLUMN),
    Check("$.b[*]", Code.NULL, "double (required)", Reason.ELEMENT),
    Check("$.c", Code.NULL, "string (required)", Reason.NOT_NULL),
)
SPECS = Schema([ColSpec("long", "a"), ColSpec(Array("double"), "b"), ColSpec("string", "c")])


def plan_of(
    checks: Sequence[Check] = CHECKS,
    findings: Sequence[Violation] = (),
    policy: Policy | None = None,
    row_count: int | None = None,
) -> EnforcementPlan:
    nothing = pa.schema([])
    return EnforcementPlan(
        nothing, nothing, (), tuple(checks), tuple(findings), policy or Policy(), row_count
    )


def report_of(tally: Tally, plan: EnforcementPlan | None = None, **more: Any) -> Report:
    more = {"signature": SIGNATURE, "side": "inputs", "source": TABLE, "schema": SPECS} | more
    return Report.of(plan or plan_of(), tally, **more)


# --- rows, counted naively ----------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row: its key, and what is wrong with it by check."""

    key: tuple[Any, ...]
    wrong: dict[int, str]


cells = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-(2**63), 2**63 - 1),
    some.floats(),
    some.text(max_size=3),
    some.decimals(allow_nan=False, allow_infinity=False, places=3),
)
rows = some.lists(
    some.builds(
        Row,
        some.tuples(some.sampled_from([None, math.nan, 1.5, -2.0, 7.0])),
        some.dictionaries(
            some.integers(0, 3), some.sampled_from(["null", "NaN", *"abcdefgh"]), max_size=2
        ),
    ),
    max_size=12,
)


def counted(rows: Sequence[Row], limit: int) -> Tally:
    checks = {}
    for check in sorted({check for row in rows for check in row.wrong}):
        mine = [row for row in rows if check in row.wrong]
        found = sorted(
            (Example(row.key, row.wrong[check]) for row in mine), key=lambda e: e.order()
        )
        observed = tuple(sorted({row.wrong[check] for row in mine})[:OBSERVED])
        checks[check] = CheckTally(len(mine), observed, tuple(found[:limit]))
    return Tally(limit, len(rows), sum(bool(row.wrong) for row in rows), checks)


@given(rows, some.lists(some.integers(0, 3), min_size=12, max_size=12), some.integers(0, 6))
def test_the_whole_is_the_sum_of_its_parts(rows: list[Row], places: list[int], limit: int) -> None:
    plan = plan_of(policy=Policy(examples=limit))
    whole = report_of(counted(rows, limit), plan, expected_rows=len(rows))
    placed = sorted(zip(places, rows, strict=False), key=lambda pair: pair[0])
    parts = [[row for _, row in group] for _, group in groupby(placed, lambda pair: pair[0])]
    for order in (parts, parts[::-1]):
        total = Report.empty()
        for part in order:
            total = total + report_of(counted(part, limit), plan, expected_rows=len(part))
        assert total == whole or not rows
        assert Tally.total((counted(part, limit) for part in order), limit) == counted(rows, limit)


reports = rows.map(lambda found: report_of(counted(found, 3), plan_of(policy=Policy(examples=3))))


@given(reports, reports, reports)
def test_reports_are_a_commutative_monoid(a: Report, b: Report, c: Report) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Report.empty() == a == Report.empty() + a


@given(rows)
def test_what_travels_comes_back(rows: list[Row]) -> None:
    tally = counted(rows, 5)
    assert Tally.loads(tally.dumps()) == tally
    report = report_of(tally)
    assert pickle.loads(pickle.dumps(report)) == report
    assert copy.deepcopy(report) == report


def test_few_observations_are_kept_and_those_the_smallest() -> None:
    tallies = [counted([Row((1.0,), {0: letter})], 1) for letter in "hgfedcba"]
    assert Tally.total(tallies, 1).checks[0].observed == ("a", "b", "c", "d", "e")


def test_nan_in_a_key_equals_itself() -> None:
    assert Example((float("nan"),), "null") == Example((float("nan"),), "null")
    assert len({Example((float("nan"),), "null"), Example((float("nan"),), "null")}) == 1
    assert Example((1,), "null", None) != Example((1,), "null", "")
    assert Example((1,), "null") != "null"


def test_evidence_is_no_part_of_equality() -> None:
    report = report_of(counted([Row((1.0,), {0: "null"})], 5))
    elsewhere = replace(
        report, checks=tuple(replace(c, decided=(Decided(Rung.ARROW, 9),)) for c in report.checks)
    )
    assert elsewhere == report
    assert elsewhere.to_dict() != report.to_dict()


def test_evidence_adds_up() -> None:
    base = report_of(Tally(5, 3, 0, {}))
    other = report_of(Tally(5, 1, 0, {}))
    proven = replace(
        other, checks=tuple(replace(c, decided=(Decided(Rung.STATS, 1),)) for c in other.checks)
    )
    total = base + proven
    assert [c.rung for c in total.checks] == [Rung.CATALYST, Rung.ARROW, Rung.ARROW, Rung.STATS]
    assert [c.proven for c in total.checks] == [0.25, 0.25, 0.25, 1.0]


@pytest.mark.parametrize(
    "other",
    [
        {"signature": "f" * 64},
        {"side": "outputs"},
        {"source": Source("dataframe")},
        {"min_rows": 3},
        {"row_key": ("id",)},
    ],
    ids=str,
)
def test_reports_on_different_things_do_not_add_up(other: dict[str, Any]) -> None:
    tally = Tally.empty(5)
    with pytest.raises(ValueError, match=f"differ in {next(iter(other))}"):
        report_of(tally) + report_of(tally, **other)


def test_reports_on_different_checks_do_not_add_up() -> None:
    tally = Tally.empty(5)
    finding = Violation("$.a", Code.TYPE, "long (required)", "string")
    for checks, findings in (
        (CHECKS[:2], []),
        ((CHECKS[0]._replace(expected="long (optional)"), *CHECKS[1:]), []),
        (CHECKS, [finding]),
    ):
        with pytest.raises(ValueError, match="different checks"):
            report_of(tally) + report_of(tally, plan_of(checks, findings))
    one = report_of(tally, plan_of(CHECKS, [finding]))
    assert one + one == one


# --- the verdict --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "more", "complete", "conforms"),
    [
        (10, {}, True, True),
        (10, {"expected_rows": 10}, True, True),
        (9, {"expected_rows": 10}, False, False),
        (11, {"expected_rows": 10}, False, False),
        (10, {"min_rows": 10}, True, True),
        (9, {"min_rows": 10}, True, False),
        (0, {}, True, True),
        (0, {"min_rows": 1}, True, False),
    ],
)
def test_verdict_of_rows_that_do_not_violate(
    rows: int, more: dict[str, Any], complete: bool, conforms: bool
) -> None:
    report = report_of(Tally(5, rows, 0, {}), **more)
    assert (report.complete, report.conforms) == (complete, conforms)
    assert [v.code for v in report.violations] == [Code.ROW_COUNT] * (complete and not conforms)


def test_rows_of_a_fixed_first_axis() -> None:
    plan = plan_of((), row_count=5)
    assert report_of(Tally(5, 5, 0, {}), plan).conforms
    wrong = report_of(Tally(5, 4, 0, {}), plan)
    assert not wrong.conforms
    assert wrong.violations == (Violation("$", Code.ROW_COUNT, "5 rows", "4 rows"),)


def test_a_violating_row_is_enough() -> None:
    report = report_of(counted([Row((), {1: "non-integral double"}), Row((), {})], 5))
    assert not report.conforms
    assert report.rows == Rows(2, 1, 1)
    assert report.violations == (
        Violation("$.a", Code.CAST, "long (required)", "non-integral double"),
    )


def test_a_finding_by_types_needs_no_rows() -> None:
    finding = Violation("$.x", Code.MISSING_COLUMN, "long (required)", "nothing", "did you mean y?")
    plan = plan_of(findings=[finding], row_count=5)
    report = report_of(Tally.empty(5), plan, expected_rows=10, min_rows=1)
    assert report.complete
    assert not report.conforms
    assert report.violations == (finding,)
    assert report.remarks == ()
    assert report.checks[0].violated
    assert not report.checks[1].violated


def test_no_rows_conform_with_a_warning_that_no_sum_keeps() -> None:
    nothing = report_of(Tally.empty(5), warnings=("b", "a", "b"))
    assert nothing.conforms
    assert nothing.remarks == ("a", "b", NO_ROWS)
    assert nothing.warnings == ("a", "b")
    assert Report.empty().remarks == ()
    assert NO_ROWS not in (nothing + report_of(Tally(5, 1, 0, {}))).remarks


def test_a_signature_without_optional_fields_is_suspected() -> None:
    tally = counted([Row((1.0,), {0: "null"}), Row((2.0,), {1: "inexact decimal"})], 5)
    assert [c.remedy for c in report_of(tally).checks] == [REINFER, "", "", ""]
    optional = Schema([*SPECS, ColSpec("long", "d", None)])
    assert {c.remedy for c in report_of(tally, schema=optional).checks} == {""}
    assert {c.remedy for c in report_of(tally, schema=None).checks} == {""}
    # Where NaN violates as well, nothing says which of the two it was.
    for policy in (Policy(nulls="allow"), Policy(nan="reject")):
        allowed = report_of(tally, plan_of(policy=policy))
        assert {c.remedy for c in allowed.checks} == {""}


@pytest.mark.parametrize(
    ("schema", "all_of_it"),
    [
        (SPECS, True),
        (Schema([ColSpec("long", "a", False)]), False),
        (Schema([ColSpec("long", "a", None)]), False),
        (Schema([ColSpec(Map(Array(Object([Property("x", "long", False)]))), "a")]), False),
        (Schema([ColSpec(Map(Array(Object([Property("x", "long")]))), "a")]), True),
        (Schema([TensorSpec("float32", (-1, 2), "t")]), False),
    ],
    ids=str,
)
def test_signatures_without_optional_fields(schema: Schema, all_of_it: bool) -> None:
    assert schema.all_required is all_of_it


# --- the document -------------------------------------------------------------------------------

sources = some.builds(
    Source,
    some.sampled_from(["delta", "parquet", "dataframe", "values"]),
    some.text(max_size=4),
    some.none() | some.text(max_size=4),
    some.none() | some.integers(0, 2**40),
    some.none() | some.integers(0, 2**40),
    some.booleans(),
)
policies = some.builds(
    Policy,
    casts=some.sampled_from(["safe", "lossless", "exact"]),
    nulls=some.sampled_from(["reject", "allow"]),
    fill_missing=some.booleans(),
    show_values=some.booleans(),
    examples=some.integers(0, 9),
)
numbers = some.integers(0, 2**63)
texts = some.text(max_size=5)
examples = some.builds(
    Example, some.lists(cells, max_size=3).map(tuple), texts, some.none() | texts
)
results = some.builds(
    CheckResult,
    texts,
    some.sampled_from(Code),
    texts,
    some.none() | numbers,
    some.lists(texts, max_size=2).map(tuple),
    some.lists(examples, max_size=3).map(tuple),
    texts,
    some.lists(
        some.builds(Decided, some.sampled_from(Rung), numbers, some.none() | numbers),
        min_size=1,
        max_size=3,
    ).map(tuple),
)
lies = some.builds(Lie, texts, some.sampled_from(Code), texts, texts)
audits = some.builds(
    Audit, some.floats(0, 1), numbers, numbers, some.lists(lies, max_size=2).map(tuple)
)
modes = some.sampled_from(["append", "overwrite", "replace-partitions"])
written = some.none() | some.builds(Written, texts, texts, numbers, numbers)
any_reports = some.builds(
    Report,
    some.just(SIGNATURE) | some.just(""),
    some.sampled_from(["inputs", "outputs"]),
    policies,
    sources,
    some.builds(Rows, numbers, numbers, numbers, numbers),
    some.lists(results, max_size=3).map(tuple),
    some.none() | numbers,
    numbers,
    some.none() | numbers,
    some.lists(texts, max_size=2).map(tuple),
    some.lists(texts, max_size=2, unique=True).map(lambda found: tuple(sorted(found))),
    some.none() | audits,
    some.builds(Evidence, texts, some.none() | numbers, texts),
    some.none() | some.builds(Transfer, texts, modes, written, written, texts),
    settled=some.lists(some.builds(Settled, texts, texts), max_size=2).map(tuple),
)


@given(any_reports)
def test_a_report_comes_back_from_its_document(report: Report) -> None:
    text = report_json(report)
    text.encode()
    found = report_from_document(json.loads(text, parse_constant=pytest.fail))
    assert found == report
    # By text, which tells NaN, decimals and -0.0 apart; evidence included.
    assert repr(found) == repr(report)
    assert report_json(found) == text


def test_fields_that_nothing_is_checked_in_are_settled() -> None:
    free = [ColSpec("long", "d", required=False), ColSpec(Array("long"), "d e", required=False)]
    report = report_of(Tally.empty(5), schema=Schema([*SPECS, *free]))
    assert report.settled == (
        Settled("$.d", "long (optional)"),
        Settled("$['d e']", "Array(long) (optional)"),
    )
    assert (report + report).settled == report.settled
    finding = Violation("$.d", Code.TYPE, "long (optional)", "string")
    plan = plan_of(findings=[finding])
    found = report_of(Tally.empty(5), plan=plan, schema=Schema([*SPECS, *free]))
    assert [field.path for field in found.settled] == ["$['d e']"]


def test_settled_fields_are_those_without_a_check_at_any_depth() -> None:
    unnamed = Schema([ColSpec(Array("long")), ColSpec("string")])
    assert [field.path for field in settled_fields(unnamed, ["$[0][*]"])] == ["$[1]"]
    outputs = settled_fields(unnamed, ["$outputs[1]"], root="$outputs")
    assert [field.path for field in outputs] == ["$outputs[0]"]
    inside = Schema([ColSpec(Object([Property("x", "long")]), "a"), ColSpec("long", "ab")])
    assert [field.path for field in settled_fields(inside, ["$.a.x"])] == ["$.ab"]
    assert settled_fields(Schema([TensorSpec("float32", (-1, 2))]), []) == ()


def test_a_report_of_an_older_release_has_no_settled_fields() -> None:
    document = report_of(Tally.empty(5)).to_dict()
    del document["settled"]
    jsonschema.validate(document, SCHEMA, jsonschema.Draft202012Validator)
    assert Report.from_dict(document).settled == ()


@given(any_reports)
def test_every_document_fits_the_published_schema(report: Report) -> None:
    jsonschema.validate(report_document(report), SCHEMA, jsonschema.Draft202012Validator)


def test_the_published_schema_is_one_and_knows_every_choice() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    version = FORMAT.rpartition("/")[2]
    assert SCHEMA["$id"] == f"urn:spark-sig:report:{version}"
    assert SCHEMA["properties"]["format"] == {"const": FORMAT}
    assert json.loads(report_schema()) == SCHEMA
    policy = SCHEMA["$defs"]["policy"]
    assert policy["required"] == [f.name for f in fields(Policy)] == list(policy["properties"])
    for name in ("default", "mlflow", "strict"):
        jsonschema.validate(Policy.named(name).to_dict(), policy)
    assert SCHEMA["$defs"]["code"]["enum"] == [code.value for code in Code]
    assert SCHEMA["$defs"]["rung"]["enum"] == [r.value for r in Rung]


@pytest.mark.parametrize("member", ["rows", "checks", "policy"])
def test_the_published_schema_refuses_what_is_no_report(member: str) -> None:
    document = report_document(report_of(Tally.empty(5)))
    for wrong in ({k: v for k, v in document.items() if k != member}, {**document, "more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)


def test_what_a_document_says() -> None:
    tally = counted([Row((decimal.Decimal("1.10"), None), {0: "null"}), Row((), {})], 5)
    report = report_of(tally, expected_rows=2, row_key=("price", "id"))
    document = report.to_dict()
    assert document["conforms"] is False
    assert document["complete"] is True
    assert document["source"]["text"] == "delta /t at version 3"
    assert document["checks"][0] == {
        "path": "$.a",
        "code": "null",
        "expected": "long (required)",
        "count": 1,
        "observed": ["null"],
        "examples": [{"key": [{"decimal": "1.10"}, None], "observed": "null"}],
        "remedy": REINFER,
        "rung": "catalyst",
        "proven": 0.0,
        "decided": [{"rung": "catalyst", "rows": 2, "files": 2}],
    }
    assert document["violations"] == [
        {
            "path": "$.a",
            "code": "null",
            "expected": "long (required)",
            "observed": "null",
            "remedy": REINFER,
        }
    ]
    unpinned = report_of(tally, source=Source("dataframe")).to_dict()
    assert unpinned["source"]["text"] == "dataframe, unpinned"
    assert json.loads(report.to_json(indent=None)) == document
    assert Report.from_dict(document) == report


def test_cells_that_json_lacks_are_objects_with_one_key() -> None:
    key = (math.nan, math.inf, -math.inf, decimal.Decimal("1E+3"), None, True, 1, "1")
    tally = Tally(5, 1, 1, {0: CheckTally(1, ("null",), (Example(key, "null"),))})
    document = report_of(tally).to_dict()
    assert document["checks"][0]["examples"][0]["key"] == [
        {"float": "nan"},
        {"float": "inf"},
        {"float": "-inf"},
        {"decimal": "1E+3"},
        None,
        True,
        1,
        "1",
    ]
    assert repr(Report.from_dict(document).checks[0].examples[0].key) == repr(key)


def test_values_are_there_only_where_they_are_shown() -> None:
    shown = Example((1,), "null", "x")
    tally = Tally(5, 1, 1, {0: CheckTally(1, ("null",), (shown,))})
    assert report_of(tally).to_dict()["checks"][0]["examples"][0]["value"] == "x"
    hidden = Tally(5, 1, 1, {0: CheckTally(1, ("null",), (Example((1,), "null"),))})
    assert "value" not in report_of(hidden).to_dict()["checks"][0]["examples"][0]


def test_names_that_are_no_utf_8_are_escaped() -> None:
    report = report_of(Tally.empty(5), source=Source("delta", "\ud800 날씨"))
    assert report_from_document(json.loads(report.to_json().encode())) == report
    assert "날씨" in report_of(Tally.empty(5), source=Source("delta", "날씨")).to_json()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "spark_sig.report/1"}, r"\$\.format \(expected spark_sig.report/3"),
        ({"rows": {"total": 1, "more": 2}}, "malformed"),
        ({"checks": [{}]}, "malformed"),
        ({"checks": None}, "malformed"),
        ({"policy": {"casts": "wild"}}, "policy.casts"),
    ],
)
def test_what_is_no_report_is_refused(change: dict[str, Any], words: str) -> None:
    document = report_document(report_of(Tally.empty(5))) | change
    with pytest.raises(SignatureError, match=words):
        report_from_document(document)
    for nothing in ([], None, {}):
        with pytest.raises(SignatureError, match="no report"):
            report_from_document(nothing)  # type: ignore[arg-type]


def test_keys_become_cells_that_json_has() -> None:
    report = report_of(
        Tally(5, 1, 1, {0: CheckTally(1, ("null",), (Example((cell(b"\x00a"),), "null"),))})
    )
    assert report.to_dict()["checks"][0]["examples"][0]["key"] == ["0061"]
