"""What the planner refuses, finds, and sends to which rung; no Spark needed."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from spark_sig import (
    Array,
    ColSpec,
    Object,
    Policy,
    Property,
    Schema,
    SignatureError,
    TensorSpec,
    enforce,
    enforce_params,
)
from spark_sig.errors import Code
from spark_sig.plan import EnforcementPlan, Rung
from spark_sig.planner import plan_enforcement
from spark_sig.planning.matching import match_names

LONGS = pa.schema([("a", pa.int64()), ("b", pa.int64())])


def plan(source: pa.Schema, specs: list[Any], **choices: Any) -> EnforcementPlan:
    options = {k: choices.pop(k) for k in ("engine", "spark", "enforced") if k in choices}
    return plan_enforcement(source, Schema(specs), Policy(**choices), **options)


def rungs(made: EnforcementPlan) -> dict[tuple[str, str], Rung]:
    return {(check.path, check.code.value): check.rung for check in made.checks}


# --- refused ---------------------------------------------------------------------------------


def test_one_column_is_not_two_that_differ_in_case() -> None:
    with pytest.raises(SignatureError, match="differ in case only"):
        plan(LONGS, [ColSpec("long", "a"), ColSpec("long", "A")], case="insensitive")
    record = pa.schema([("o", pa.struct([("x", pa.int64())]))])
    both = Object([Property("x", "long"), Property("X", "long", False)])
    with pytest.raises(SignatureError, match="differ in case only"):
        plan(record, [ColSpec(both, "o")], case="insensitive")
    assert not plan(LONGS, [ColSpec("long", "A")], case="insensitive").findings
    # Spark folds no letters: a sharp s stays one.
    street = pa.schema([("straße", pa.int64())])
    (finding,) = plan(street, [ColSpec("long", "strasse")], case="insensitive").findings
    assert finding.code is Code.MISSING_COLUMN


def test_names_are_matched_by_one_rule() -> None:
    fold = Policy(case="insensitive")
    assert match_names(fold, ["B", "x"], ["a", "b"]) == [1, None]
    assert match_names(Policy(), ["B"], ["a", "b"]) == [None]
    # as Spark compares them: these differ by more than case
    assert match_names(fold, ["ß", "ss"], ["SS", "ß"]) == [1, 0]
    with pytest.raises(SignatureError, match="differ in case only"):
        match_names(fold, ["a"], ["A", "a"])


def test_tensors_of_two_lengths_share_no_table() -> None:
    specs = [TensorSpec("int64", (3,), "a"), TensorSpec("int64", (5,), "b")]
    with pytest.raises(SignatureError, match="different lengths"):
        plan(LONGS, specs)
    assert plan(LONGS, [specs[0], TensorSpec("int64", (-1,), "b")]).row_count == 3


@pytest.mark.parametrize("name", ["_violations", "_original", "_Violations"])
def test_names_that_tagging_adds_are_refused(name: str) -> None:
    source = pa.schema([("a", pa.int64()), (name, pa.int64())])
    with pytest.raises(SignatureError, match="tagging adds"):
        plan(source, [ColSpec("long", "a")], on_violation="tag")
    optional = [ColSpec("long", "a"), ColSpec("long", name, required=False)]
    with pytest.raises(SignatureError, match="tagging adds"):
        plan(pa.schema([("a", pa.int64())]), optional, on_violation="tag")
    assert not plan(source, [ColSpec("long", "a")]).findings


def test_an_unknown_engine_is_no_engine() -> None:
    with pytest.raises(SignatureError, match="one of auto, catalyst, arrow"):
        plan(LONGS, [ColSpec("long", "a")], engine="arow")


def test_catalyst_alone_refuses_what_needs_python() -> None:
    lists = pa.schema([("v", pa.list_(pa.int64()))])
    with pytest.raises(SignatureError, match=r"Catalyst cannot decide \$\.v"):
        plan(lists, [ColSpec(Array("long"), "v")], engine="catalyst", spark=True)


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb"])
def test_a_name_must_be_text(name: str) -> None:
    with pytest.raises(SignatureError, match="is no text"):
        ColSpec("long", name)
    with pytest.raises(SignatureError, match="is no text"):
        Property(name, "long")


def test_the_doors_refuse_what_is_no_policy() -> None:
    signature = {"inputs": '[{"type": "long", "name": "a", "required": true}]'}
    with pytest.raises(SignatureError, match="must be a Policy"):
        enforce({"a": 1}, signature, policy="strict")  # type: ignore[arg-type]
    assert enforce({"a": 1}, signature, policy=None)["a"].tolist() == [1]


def test_params_take_whatever_loads_as_a_signature() -> None:
    signature = {"params": '[{"name": "n", "type": "long", "default": 1, "shape": null}]'}
    assert enforce_params({}, signature) == {"n": 1}


def test_many_properties_are_read_in_linear_time() -> None:
    # Quadratic, this takes minutes and the suite's time limit ends it.
    members = [Property(f"p{i}", "long") for i in range(50_000)]
    assert len(Object(members).properties) == 50_000
    with pytest.raises(SignatureError, match=r"repeat the names \['p7'\]"):
        Object([*members, Property("p7", "long")])


# --- found -----------------------------------------------------------------------------------


def test_findings_list_everything_at_once() -> None:
    source = pa.schema([("prise", pa.float64()), ("b", pa.string()), ("z", pa.int64())])
    made = plan(
        source,
        [ColSpec("double", "price"), ColSpec("long", "b"), ColSpec("long", "gone", False)],
        extra="forbid",
    )
    found = {(v.path, v.code): v for v in made.findings}
    assert set(found) == {
        ("$.price", Code.MISSING_COLUMN),
        ("$.b", Code.TYPE),
        ("$.prise", Code.EXTRA_COLUMN),
        ("$.z", Code.EXTRA_COLUMN),
    }
    assert found["$.price", Code.MISSING_COLUMN].remedy == "did you mean 'prise'?"
    assert found["$.b", Code.TYPE].observed == "string"


def test_members_of_records_are_found_missing_and_extra() -> None:
    source = pa.schema([("o", pa.struct([("x", pa.int64()), ("y", pa.int64())]))])
    wanted = Object([Property("x", "long"), Property("w", "long"), Property("v", "long", False)])
    found = {(v.path, v.code) for v in plan(source, [ColSpec(wanted, "o")]).findings}
    assert found == {("$.o.w", Code.MISSING_PROPERTY), ("$.o.y", Code.EXTRA_PROPERTY)}


# --- rungs -----------------------------------------------------------------------------------


def test_each_check_goes_to_the_cheapest_rung() -> None:
    source = pa.schema(
        [
            pa.field("a", pa.int32()),
            pa.field("b", pa.int64(), nullable=False),
            pa.field("c", pa.list_(pa.int64())),
            pa.field("d", pa.string()),
        ]
    )
    specs = [
        ColSpec("long", "a"),
        ColSpec("long", "b"),
        ColSpec(Array("long"), "c"),
        ColSpec("string", "d", required=False),
    ]
    assert rungs(plan(source, specs, spark=True)) == {
        ("$.a", "null"): Rung.CATALYST,
        ("$.b", "null"): Rung.ASSUMED,
        ("$.c", "null"): Rung.ARROW,
        ("$.c[*]", "null"): Rung.ARROW,
    }
    enforced = rungs(plan(source, specs, spark=True, enforced=True))
    assert enforced["$.b", "null"] is Rung.SCHEMA
    alone = rungs(plan(source, specs, spark=True, engine="arrow"))
    assert set(alone.values()) == {Rung.ARROW, Rung.ASSUMED}


def test_nothing_is_read_where_nothing_can_fail() -> None:
    source = pa.schema([pa.field("a", pa.int64()), pa.field("v", pa.list_(pa.int64()))])
    specs = [ColSpec("long", "a", False), ColSpec(Array("long"), "v", False)]
    made = plan(source, specs, spark=True)
    assert not made.live
    assert {field.rung for field in made.fields} == {Rung.SCHEMA}


def test_values_are_shown_by_the_reference_rung_alone() -> None:
    made = plan(LONGS, [ColSpec("integer", "a")], casts="lossless", show_values=True, spark=True)
    assert set(rungs(made).values()) == {Rung.ARROW}
