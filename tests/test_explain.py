"""Explanations: for every field its rung and why, without a job, as the gate then does it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from spark_sig import (
    Array,
    ColSpec,
    Explanation,
    Map,
    ModelSignature,
    Object,
    ParamSchema,
    ParamSpec,
    Policy,
    Property,
    Report,
    Schema,
    SignatureError,
    SparkMLVector,
    TensorSpec,
    explain,
    preflight,
    validate,
)
from spark_sig.cli import app
from spark_sig.plan import RUNGS, Reason, Rung
from spark_sig.render.explanation import WHY
from spark_sig.render.notebook import SEEN

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEEP = Object(
    [Property("b", Array(Object([Property("c", Map(Array("long"))), Property("n", "string")])))]
)
# Names that HTML, paths, terminals and SQL each read as something else.
HOSTILE = ("<b>bold</b>", "a.b", "new\nline", "`tick`", "${env}", "'quote\"", "价格", "\x1b[31m")


def reasons(found: Explanation) -> dict[tuple[str, str], Reason]:
    return {(one.path, c.code.value): c.reason for one in found.fields for c in one.checks}


class Reader(HTMLParser):
    """What a browser would make of a fragment."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.cells: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        if tag == "tr":
            self.cells.append([])
        elif tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1][-1] += data


TAGS = {"div", "style", "p", "table", "caption", "thead", "tbody", "tr", "th", "td"}
FOLDS = {"details", "summary", "ul", "li"}


def test_each_reason_has_a_rung_and_words() -> None:
    assert set(RUNGS) == set(WHY) == set(Reason)
    assert set(RUNGS.values()) == set(Rung)
    assert len(set(WHY.values())) == len(WHY)


# --- on the driver --------------------------------------------------------------------------------


def test_values_on_the_driver() -> None:
    schema = Schema([ColSpec("long", "a"), ColSpec(Array("double"), "l", False)])
    signature = ModelSignature(inputs=schema)
    table = pa.table({"l": [[1.0]], "a": pa.array([1], pa.int32()), "more": ["x"]})
    frame = pd.DataFrame({"l": [[1.0]], "a": [1], "more": ["x"]})
    for data in (table, table.schema, table.to_batches()[0], frame):
        found = signature.explain(data)
        assert set(reasons(found).values()) == {Reason.DRIVER}
        assert [(one.path, one.rung) for one in found.fields] == [
            ("$.a", Rung.ARROW),
            ("$.l", Rung.SCHEMA),
            ("$.l[*]", Rung.SCHEMA),
            ("$.more", Rung.SCHEMA),
        ]
        assert found.fields[3].why == "not declared; dropped"
        assert found.passes
    with pytest.raises(SignatureError, match="no versions"):
        explain(table, signature, version=3)
    with pytest.raises(SignatureError, match="values of different types") as refused:
        explain(pd.DataFrame({"a": ["secret", 1]}), signature)
    assert "secret" not in str(refused.value)


def test_what_is_refused_is_told_and_not_raised() -> None:
    schema = Schema([ColSpec("double", "<b>"), ColSpec("long", "gone"), ColSpec(DEEP, "d")])
    inner = pa.struct([("b", pa.list_(pa.struct([("c", pa.string()), ("x", pa.int64())])))])
    source = pa.schema([("<b>", pa.int64()), ("gon", pa.int64()), ("d", inner)])
    found = ModelSignature(inputs=schema).explain(source, policy=Policy(extra="forbid"))
    refused = {one.path: one.refused.code.value for one in found.fields if one.refused}
    assert refused == {
        "$['<b>']": "type",
        "$.gone": "missing_column",
        "$.d.b[*].c": "type",
        "$.d.b[*].n": "missing_property",
        "$.d.b[*].x": "extra_property",
        "$.gon": "extra_column",
    }
    assert not found.passes
    assert len(found.refused) == len(refused)
    whys = {one.path: one.why for one in found.fields}
    assert whys["$.gone"] == "missing_column: refused by its type; did you mean 'gon'?"
    for text in (str(found), found._repr_html_()):
        assert "refused by its types, no row is read" in text
        assert "casts=" in text


def test_what_is_told_fits_on_any_page() -> None:
    """Names that are markup, and control characters, are text in every form."""
    specs = [ColSpec("long", name) for name in HOSTILE]
    signature = ModelSignature(
        Schema([*specs, ColSpec(DEEP, "deep")]),
        Schema([TensorSpec("float32", (-1, 3), "<img src=x>")]),
        ParamSchema([ParamSpec("<p>", "string", "</table>")]),
    )
    source = pa.schema([(name, pa.int32()) for name in HOSTILE])
    found = signature.explain(source)
    assert all("\x1b" not in text and "\x1b" not in found._repr_html_() for text in str(found))
    assert len(str(found).splitlines()) == 3 + len(found.fields)
    assert [row["path"] for row in found.to_dict()["fields"]] == [f.path for f in found.fields]
    assert json.loads(found.to_json())["format"] == "spark_sig.explanation/1"
    assert signature.inputs is not None
    assert signature.params is not None
    shown: list[Any] = [found, signature, signature.inputs, signature.outputs, signature.params]
    shown += [signature.diff(ModelSignature(inputs=Schema(specs[:2]))), Report.empty()]
    for value in shown:
        html = value._repr_html_()
        page = Reader(html)
        assert page.tags <= TAGS | FOLDS
        assert "http" not in html
    rows = Reader(found._repr_html_()).cells
    assert ["$['<b>bold</b>']", "long (required)", "integer"] in [row[:3] for row in rows]
    assert any("new\\nline" in row[0] for row in rows)
    assert ["<b>bold</b>", "long", "yes"] in Reader(signature._repr_html_()).cells
    assert ["<p>", "string", "</table>", ""] in Reader(signature.params._repr_html_()).cells


def test_2000_columns_fold() -> None:
    names = [f"column_{at}" for at in range(2_000)]
    signature = ModelSignature(inputs=Schema([ColSpec("long", name) for name in names]))
    source = pa.schema([(name, pa.int32()) for name in names])
    found = signature.explain(source)
    pages = [found._repr_html_(), signature._repr_html_()]
    for html in pages:
        seen, folded = html.split("<details>")
        assert f"{2_000 - SEEN:,} more" in folded
        assert len(Reader(f"{seen}</div>").cells) == SEEN + 1  # and the head
        assert "column_1999" in folded
        assert len(html) < 1_000_000
    wide = Schema([ColSpec("long", f"c{at}") for at in range(10_000)])
    assert len(wide._repr_html_()) < 500_000
    assert "… and 7,975 more" in wide._repr_html_()


# --- on Spark -------------------------------------------------------------------------------------

COLUMNS = """
SELECT id AS whole, CAST(id AS INT) AS widened, CAST(id AS STRING) AS text,
       CAST(id AS DECIMAL(10, 2)) AS price, IF(id > 1, id, NULL) AS maybe,
       array(id) AS list, named_struct('in', IF(id > 1, id, NULL)) AS record,
       array(1D, 2D) AS tensor, IF(id > 2, '1', NULL) AS digits
FROM range(5)
"""
SPECS = Schema(
    [
        ColSpec("long", "whole"),
        ColSpec("long", "widened", False),
        ColSpec("double", "text"),
        ColSpec("double", "price"),
        ColSpec("long", "maybe"),
        ColSpec(Array("double"), "list", False),
        ColSpec(Object([Property("in", "long")]), "record"),
        ColSpec("integer", "digits"),
    ]
)
LOSSLESS = Policy(casts="lossless")


def rungs_of(report: Report) -> dict[tuple[str, str], Rung]:
    return {(check.path, check.code.value): check.rung for check in report.checks}


def test_the_gate_does_what_is_told(spark: SparkSession) -> None:
    """Rung by rung the report says what the explanation has said."""
    frame = spark.sql(COLUMNS)
    signature = ModelSignature(inputs=SPECS)
    for policy in (LOSSLESS, Policy(casts="lossless", show_values=True, nan="reject")):
        found = explain(frame, signature, policy=policy)
        told = {key: reason.rung for key, reason in reasons(found).items()}
        assert told == rungs_of(validate(frame, signature, policy=policy))
    why = reasons(explain(frame, signature, policy=LOSSLESS))
    assert why["$.whole", "null"] is Reason.FLAG
    assert why["$.maybe", "null"] is Reason.SCAN
    assert why["$.text", "cast"] is Reason.TEXT
    assert why["$.price", "cast"] is Reason.DECIMAL
    assert why["$.digits", "cast"] is Reason.TEXT
    assert why["$.digits", "null"] is Reason.COLUMN  # which alone Spark could decide
    assert why["$.list[*]", "cast"] is Reason.ELEMENT
    assert why["$.record.in", "null"] is Reason.SCAN
    shown = reasons(explain(frame, signature, policy=Policy(casts="lossless", show_values=True)))
    assert shown["$.maybe", "null"] is Reason.VALUES
    asked = reasons(explain(frame, signature, policy=LOSSLESS, engine="arrow"))
    assert set(asked.values()) == {Reason.ENGINE, Reason.FLAG}
    converted = {one.path: one.converted for one in explain(frame, signature).fields}
    assert converted["$.widened"] is Reason.SCAN
    assert converted["$.whole"] is None


def test_tensors_and_vectors(spark: SparkSession) -> None:
    from pyspark.ml.functions import array_to_vector

    frame = spark.sql("SELECT IF(id > 0, array(1D, 2D), NULL) AS t, array(1D) AS v FROM range(2)")
    frame = frame.withColumn("v", array_to_vector("v"))
    tensor = ModelSignature(inputs=Schema([TensorSpec("float64", (3, 2), "t")]))
    found = explain(frame, tensor)
    assert reasons(found) == {
        ("$.t", "null"): Reason.COLUMN,
        ("$.t", "shape"): Reason.LENGTH,
        ("$.t[*]", "null"): Reason.FLAG,
    }
    assert found.row_count == 3
    assert "rows: 3" in str(found)
    vector = ModelSignature(inputs=Schema([ColSpec(SparkMLVector(), "v")]))
    told = reasons(explain(frame, vector, policy=Policy(nan="reject")))
    assert told["$.v[*]", "null"] is Reason.VECTOR


def test_names_that_sql_cannot_tell_apart(spark: SparkSession) -> None:
    kind = Object([Property("A", "long"), Property("a", "long")])
    frame = spark.range(2).selectExpr("named_struct('a', CAST(id AS INT), 'A', id) AS s")
    told = explain(frame, ModelSignature(inputs=Schema([ColSpec(kind, "s")])))
    assert {one.converted for one in told.fields} == {None, Reason.NAMES}
    assert WHY[Reason.NAMES] in told.fields[0].why


def test_a_table_tells_what_statistics_do(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    spark.sql(
        f"CREATE TABLE delta.`{path}` (k BIGINT NOT NULL, a INT, b INT, s ARRAY<INT>) USING delta"
    )
    rows = "SELECT id AS k, CAST(id AS INT) AS a, {} AS b, array(1) AS s FROM range({})"
    for sql in (rows.format("CAST(id AS INT)", 4), rows.format("CAST(NULL AS INT)", 3)):
        frame = spark.sql(sql).coalesce(1)
        frame.write.format("delta").mode("append").save(path)
    specs = [ColSpec("long", name) for name in "kab"]
    signature = ModelSignature(inputs=Schema([*specs, ColSpec(Array("long"), "s")]))
    tracker = spark.sparkContext.statusTracker()
    before = set(tracker.getJobIdsForGroup())
    found = explain(path, signature)
    assert set(tracker.getJobIdsForGroup()) == before  # nothing ran
    why = {one.path: one.why for one in found.fields}
    assert why["$.k"] == "null: NOT NULL, which Delta enforces, unless its log shows older rows"
    assert "unless file statistics prove it" in why["$.a"]
    assert "file statistics" not in why["$.s[*]"]
    assert "prove=True" in found.statistics

    proven = explain(path, signature, prove=True)
    fields = {one.path: one for one in proven.fields}
    assert fields["$.k"].why == "null: NOT NULL, which Delta enforces"
    assert fields["$.a"].rung is Rung.STATS
    assert fields["$.a"].why.startswith("null: file statistics prove it, in all 2 files")
    assert fields["$.b"].rung is Rung.CATALYST
    assert "in 1 of 2 files" in fields["$.b"].why
    assert "they refute it: null" in fields["$.b"].why
    assert fields["$.s[*]"].rung is Rung.ARROW
    decided = {c.path: c.decided for c in validate(path, signature).checks}
    for name in ("$.k", "$.a", "$.s[*]"):
        (check,) = fields[name].checks
        assert check.decided == decided[name]

    spark.sql(f"ALTER TABLE delta.`{path}` ADD CONSTRAINT c CHECK (a IS NOT NULL)")
    constrained = explain(path, signature, prove=True)
    (check,) = {one.path: one for one in constrained.fields}["$.a"].checks
    assert (check.reason, check.rung) == (Reason.CONSTRAINT, Rung.SCHEMA)

    code, said = command(spark, str(signature.to_json()), path, "--prove", "--json")
    assert (code, json.loads(said)["passes"]) == (0, True)
    code, said = command(spark, ModelSignature(Schema([ColSpec("string", "a")])).to_json(), path)
    assert code == 3
    assert "refused by its types" in said
    assert command(spark, "{}", path)[0] == 2


def command(spark: SparkSession, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        app, ["explain", *arguments], obj=lambda: spark, prog_name="spark-sig"
    )
    return done.exit_code, done.stdout


def test_other_values_show_themselves(spark: SparkSession) -> None:
    frame = spark.sql("SELECT 1 AS `<i>`, 'x' AS b")
    found = preflight(frame, ModelSignature(inputs=Schema([ColSpec("string", "<i>")])))
    page = Reader(found._repr_html_())
    assert page.tags <= TAGS | FOLDS
    assert ["$['<i>']", "integer", "string (required)", "breaking"] in [r[:4] for r in page.cells]
    report = validate(frame, ModelSignature(inputs=Schema([ColSpec("long", "<i>")])))
    page = Reader(report._repr_html_())
    assert page.tags <= TAGS | FOLDS
    assert ["$['<i>']", "null", "long (required)", "0"] in [r[:4] for r in page.cells]
