"""Differences of signatures: what they say is what the planner and the checks then do."""

from __future__ import annotations

import copy
import itertools
import json
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import event, given, reject
from hypothesis import strategies as st

from spark_sig import enforce, enforce_params
from spark_sig.compile.arrow import to_arrow
from spark_sig.diff import Change, Compatibility, Diff
from spark_sig.errors import SignatureError, ViolationError
from spark_sig.naming import SPARK_TYPE, VECTOR
from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.signature import ModelSignature
from spark_sig.types import (
    AnyType,
    Array,
    ColumnType,
    DataType,
    Map,
    Object,
    Property,
    SparkMLVector,
)
from tests import strategies as ours
from tests.conforming import EDGES, arrow_tables

COMPATIBLE, WIDENING = Compatibility.COMPATIBLE, Compatibility.WIDENING
LOSSY, BREAKING = Compatibility.LOSSY, Compatibility.BREAKING
ANY = AnyType()


def obj(**members: Any) -> Object:
    pairs = {n: m if isinstance(m, tuple) else (m, True) for n, m in members.items()}
    return Object(Property(name, kind, flag) for name, (kind, flag) in pairs.items())


def signature(**columns: Any) -> ModelSignature:
    pairs = {n: m if isinstance(m, tuple) else (m, True) for n, m in columns.items()}
    return ModelSignature(Schema(ColSpec(kind, n, flag) for n, (kind, flag) in pairs.items()))


def unnamed(*kinds: Any) -> ModelSignature:
    return ModelSignature(Schema(ColSpec(kind) for kind in kinds))


def tensors(*specs: TensorSpec) -> ModelSignature:
    return ModelSignature(Schema(specs))


def params(*specs: ParamSpec) -> ModelSignature:
    return ModelSignature(params=ParamSchema(specs))


def verdicts(diff: Diff) -> dict[str, tuple[Compatibility, Compatibility]]:
    return {change.path: (change.forward, change.backward) for change in diff.changes}


def only(diff: Diff) -> Change:
    (change,) = diff.changes
    return change


# --- scalars --------------------------------------------------------------------------------------


@pytest.mark.parametrize("casts", ["safe", "lossless", "exact"])
def test_scalars_are_judged_as_their_values_fare(casts: Any) -> None:
    """Hold the edges of every type to every other: all pass, some do, or none."""
    for source, target in itertools.product(DataType, repeat=2):
        fate = only(signature(a=source).diff(signature(a=target), Policy(casts=casts))).forward
        held = to_arrow(signature(a=source).side("inputs"))
        lossless = [passes(held, v, target, "lossless") for v in EDGES[source]]
        if source is target:
            assert fate is COMPATIBLE
        elif all(passes(held, v, target, casts) for v in EDGES[source]):
            assert fate is WIDENING, (source, target)
        elif casts != "exact" and any(lossless):
            assert fate is LOSSY, (source, target)
        else:
            assert fate is BREAKING, (source, target)


def passes(held: pa.Schema, value: Any, target: DataType, casts: Any) -> bool:
    table = pa.table([pa.array([value], held.field("a").type)], schema=held)
    try:
        enforce(table, signature(a=target), policy=Policy(casts=casts))
    except ViolationError:
        return False
    return True


# --- the planner, and the checks ------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "A", "x y"])
LEAVES = st.one_of(
    st.sampled_from([DataType.integer, DataType.long, DataType.double, DataType.string]),
    ours.leaves,
    ours.vectors,
)
KINDS = ours.nested(LEAVES, KEYS, max_leaves=4)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        casts=draw(st.sampled_from(["safe", "lossless", "exact"])),
        nulls=draw(st.sampled_from(["reject", "allow"])),
        extra=draw(st.sampled_from(["drop", "keep", "forbid"])),
        fill_missing=draw(st.booleans()),
        case=draw(st.sampled_from(["sensitive", "insensitive"])),
    )


def retyped(draw: st.DrawFn, kind: ColumnType) -> ColumnType:
    """Draw a type that differs a little."""
    if draw(st.integers(0, 5)) == 0:
        return draw(LEAVES)
    match kind:
        case DataType():
            return draw(st.sampled_from([kind, kind, *DataType]))
        case Array(inner):
            vector = inner is DataType.double and draw(st.booleans())
            return SparkMLVector() if vector else Array(retyped(draw, inner))
        case Map(inner):
            return Map(retyped(draw, inner))
        case Object(properties):
            kept = [p for p in properties if draw(st.integers(0, 4))] or properties
            flags = [p.required if draw(st.booleans()) else draw(ours.flags) for p in kept]
            return Object(
                Property(p.name, retyped(draw, p.dtype), flag)
                for p, flag in zip(kept, flags, strict=True)
            )
        case SparkMLVector():
            return draw(st.sampled_from([kind, Array("double")]))
    return kind


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Schema, Schema]:
    """Draw two schemas of columns that differ a little."""
    first = draw(ours.column_schemas(KINDS, KEYS, 3))
    specs: list[ColSpec] = [s for s in first if isinstance(s, ColSpec)]
    if not first.has_names:
        kinds = [retyped(draw, s.type) for s in specs][: draw(st.integers(1, len(specs)))]
        flags = st.sampled_from([True, None])
        return first, Schema(ColSpec(kind, None, draw(flags)) for kind in kinds)
    kept = [s for s in specs if draw(st.integers(0, 4))]
    flags = ours.flags
    second = [
        ColSpec(retyped(draw, s.type), s.name, draw(st.one_of(st.just(s.required), flags)))
        for s in kept
    ]
    if not second or draw(st.booleans()):
        second.append(ColSpec(draw(KINDS), "new", draw(flags)))
    pair = first, Schema(draw(st.permutations(second)))
    return pair if draw(st.booleans()) else (pair[1], pair[0])


def as_spark_has_it(source: pa.Field, kind: ColumnType) -> pa.Field:
    """Return the field with ML vectors as Spark stores them."""
    match kind:
        case SparkMLVector():
            stored = pa.struct([("type", pa.int8()), ("values", pa.list_(pa.float64()))])
            return pa.field(source.name, stored, source.nullable, {SPARK_TYPE: VECTOR})
        case Array(inner):
            return source.with_type(pa.list_(as_spark_has_it(source.type.value_field, inner)))
        case Map(inner):
            item = as_spark_has_it(source.type.item_field, inner)
            return source.with_type(pa.map_(pa.string(), item))
        case Object(properties):
            fields = [source.type.field(p.name) for p in properties]
            members = [as_spark_has_it(f, p.dtype) for f, p in zip(fields, properties, strict=True)]
            return source.with_type(pa.struct(members))
    return source


def told_apart(a: ModelSignature, b: ModelSignature, policy: Policy) -> Diff:
    """Return the difference, unless the policy cannot tell two names of one side apart."""
    try:
        return a.diff(b, policy)
    except SignatureError as error:
        if policy.case == "sensitive" or "differ in case only" not in str(error):
            raise
        reject()


def found_by_types(source: Schema, target: Schema, policy: Policy) -> set[str]:
    """Return where the planner refuses, with vectors stored in either way."""
    arrow = to_arrow(source).remove_metadata()
    specs = [s for s in source if isinstance(s, ColSpec)]
    spark = pa.schema(as_spark_has_it(f, s.type) for f, s in zip(arrow, specs, strict=True))
    plans = [plan_enforcement(form, target, policy) for form in (arrow, spark)]
    return {folded(violation.path, policy) for plan in plans for violation in plan.findings}


def folded(path: str, policy: Policy) -> str:
    return path.lower() if policy.case == "insensitive" else path


def by_nulls(change: Change) -> bool:
    """Whether rows decide, not types."""
    return "may be null" in change.note or "missing" in change.note or "be null" in change.note


@given(neighbours(), policies())
def test_the_planner_refuses_what_is_called_breaking(
    pair: tuple[Schema, Schema], policy: Policy
) -> None:
    one, other = (ModelSignature(schema) for schema in pair)
    diff = told_apart(one, other, policy)
    ways = ("forward", *pair), ("backward", *pair[::-1])
    for way, source, target in ways:
        found = found_by_types(source, target, policy)
        levels = {folded(c.path, policy): getattr(c, way) for c in diff.changes}
        # by position, a column that is too much has a name in the source alone
        found = {re.sub(r"^\$\['(\[\d+\])'\]$", r"$\1", path) for path in found}
        event(f"the worst: {getattr(diff, way)}")
        # a vector that is stored as a list is looked into
        doubtful = tuple(path for path, level in levels.items() if level >= LOSSY)
        assert all(path.startswith(doubtful) for path in found - {*levels})
        assert all(path in doubtful for path in found & {*levels})
        for change in diff.changes:
            if getattr(change, way) is BREAKING and not by_nulls(change):
                assert folded(change.path, policy) in found, change


@given(neighbours(), policies(), st.data())
def test_data_passes_where_the_difference_says_so(
    pair: tuple[Schema, Schema], policy: Policy, data: st.DataObject
) -> None:
    one, other = (ModelSignature(schema) for schema in pair)
    diff = told_apart(one, other, policy)
    event(f"forward: {diff.forward}")
    if diff.forward <= WIDENING:
        # Data that is held to the one by the default policy is no less by any other.
        table = data.draw(arrow_tables(pair[0]))
        if policy.extra == "forbid":
            table = table.drop_columns([n for n in ("other",) if n in table.column_names])
        if table.num_columns:
            enforce(table, other, policy=policy)


@given(ours.signatures, policies())
def test_a_signature_does_not_differ_from_itself(same: ModelSignature, policy: Policy) -> None:
    diff = told_apart(same, copy.deepcopy(same), policy)
    assert diff.changed == ()
    assert diff.forward is diff.backward is COMPATIBLE


@given(ours.signatures, ours.signatures)
def test_backward_is_forward_the_other_way_round(a: ModelSignature, b: ModelSignature) -> None:
    there, back = a.diff(b), b.diff(a)
    assert {(c.side, c.path, c.forward, c.backward) for c in there.changes} == {
        (c.side, c.path, c.backward, c.forward) for c in back.changes
    }
    assert (there.forward, there.backward) == (back.backward, back.forward)
    every = [c.forward for c in there.changes]
    assert there.forward is sorted(every, key=list(Compatibility).index)[-1]


# --- rules ----------------------------------------------------------------------------------------


def test_flags() -> None:
    there = signature(a="long").diff(signature(a=("long", False)))
    assert verdicts(there) == {"$.a": (COMPATIBLE, BREAKING)}
    assert only(there).note == "backward: may be null or missing"
    assert only(there).before == "long (required)"
    assert only(there).after == "long (optional)"
    # With nulls allowed a required column has to be there all the same, an element has not.
    mlflow = signature(a=Array("long")).diff(signature(a=(Array("long"), None)), Policy.mlflow())
    assert verdicts(mlflow) == {"$.a": (COMPATIBLE, BREAKING), "$.a[*]": (COMPATIBLE, COMPATIBLE)}
    maps = signature(m=Map("long")).diff(signature(m=(Map("long"), False)))
    assert verdicts(maps) == {"$.m": (COMPATIBLE, BREAKING), "$.m[*]": (COMPATIBLE, BREAKING)}
    values = signature(m=Map("long")).diff(signature(m=(Map("long"), False)), Policy.mlflow())
    assert verdicts(values)["$.m[*]"] == (COMPATIBLE, BREAKING)
    lists = signature(a=Array(ANY)).diff(signature(a=Array("long")), Policy.mlflow())
    assert verdicts(lists) == {"$.a": (BREAKING, COMPATIBLE), "$.a[*]": (LOSSY, COMPATIBLE)}
    same = signature(a=("long", None)).diff(signature(a=("long", False)))
    assert same.changed == ()


@pytest.mark.parametrize(
    ("policy", "extra", "filled"),
    [
        (Policy(), (COMPATIBLE, "dropped"), "filled with nulls"),
        (Policy(extra="keep", fill_missing=False), (COMPATIBLE, "kept"), "left out"),
        (Policy(extra="forbid"), (BREAKING, "no such column"), "filled with nulls"),
    ],
)
def test_columns_that_one_side_lacks(
    policy: Policy, extra: tuple[Compatibility, str], filled: str
) -> None:
    level, why = extra
    one = signature(a="long", gone="long", maybe=("long", False))
    required, optional = one.diff(signature(a="long"), policy).changed
    assert (required.path, required.before, required.after) == ("$.gone", "long (required)", None)
    assert (required.forward, required.backward) == (level, BREAKING)
    assert required.note == f"forward: {why}; backward: missing"
    assert (optional.forward, optional.backward) == (level, COMPATIBLE)
    assert optional.note == f"forward: {why}; backward: {filled}"
    new = signature(a="long").diff(one, policy).changed[0]
    assert (new.before, new.after, new.forward) == (None, "long (required)", BREAKING)


def test_properties_that_one_side_lacks() -> None:
    one = signature(o=obj(x="long", y="long", z=("long", False)))
    there = one.diff(signature(o=obj(x="long")))
    assert verdicts(there) == {
        "$.o": (COMPATIBLE, COMPATIBLE),
        "$.o.x": (COMPATIBLE, COMPATIBLE),
        "$.o.y": (BREAKING, BREAKING),
        "$.o.z": (BREAKING, COMPATIBLE),
    }
    assert [c.path for c in there.changed] == ["$.o.y", "$.o.z"]


def test_paths_reach_into_types() -> None:
    deep = Array(Map(obj(**{"unit price": "float"})))
    wide = Array(Map(obj(**{"unit price": "double"})))
    assert verdicts(signature(a=deep).diff(signature(a=wide))) == {
        "$.a": (COMPATIBLE, COMPATIBLE),
        "$.a[*]": (COMPATIBLE, COMPATIBLE),
        "$.a[*][*]": (COMPATIBLE, COMPATIBLE),
        "$.a[*][*]['unit price']": (WIDENING, LOSSY),
    }
    kinds: list[Any] = [Array("long"), Map("long"), obj(p="long"), "string", SparkMLVector()]
    for one, other in itertools.permutations(kinds, 2):
        change = only(signature(a=one).diff(signature(a=other)))
        assert (change.forward, change.backward) == (BREAKING, BREAKING)
    for kind in kinds:
        change = only(signature(a=kind).diff(signature(a=ANY)))
        assert (change.forward, change.backward) == (COMPATIBLE, LOSSY)


def test_a_list_of_doubles_may_stand_for_a_vector_but_no_vector_for_a_list() -> None:
    vector = signature(v=SparkMLVector())
    assert verdicts(signature(v=Array("double")).diff(vector)) == {"$.v": (COMPATIBLE, BREAKING)}
    assert signature(v=Array("float")).diff(vector).forward is BREAKING
    loose = signature(v=(Array("double"), False))
    assert "elements may be null" in only(loose.diff(signature(v=(SparkMLVector(), False)))).note


def test_names_may_differ_in_case_where_the_policy_says_so() -> None:
    one, other = signature(Name=obj(X="long")), signature(name=obj(x="long"))
    assert one.diff(other).forward is BREAKING
    assert one.diff(other, Policy(case="insensitive")).forward is COMPATIBLE
    both = signature(a="long", A="long")
    with pytest.raises(SignatureError, match="differ in case only"):
        both.diff(one, Policy(case="insensitive"))


def test_columns_without_names_go_by_position() -> None:
    there = unnamed("integer", "string").diff(unnamed("long"))
    assert verdicts(there) == {"$[0]": (WIDENING, LOSSY), "$[1]": (COMPATIBLE, BREAKING)}
    mixed = signature(a="integer").diff(unnamed("long"))
    assert verdicts(mixed) == {"$": (COMPATIBLE, BREAKING), "$[0]": (WIDENING, LOSSY)}


@pytest.mark.parametrize(
    ("one", "other", "fate"),
    [
        (((5, 3), "int64"), ((5, 3), "int64"), (COMPATIBLE, COMPATIBLE)),
        (((5, 3), "int64"), ((-1, 3), "int64"), (COMPATIBLE, LOSSY)),
        (((5, -1), "int64"), ((-1, 3), "int64"), (LOSSY, LOSSY)),
        (((5, -1), "int64"), ((6, 3), "int64"), (BREAKING, BREAKING)),
        (((5, 3), "int64"), ((5, 3, 1), "int64"), (BREAKING, BREAKING)),
        (((5, 3), "int64"), ((5, 3), "int32"), (BREAKING, BREAKING)),
        (((), "int64"), ((), "int64"), (COMPATIBLE, COMPATIBLE)),
    ],
)
@pytest.mark.parametrize("name", [None, "t"])
def test_tensors(one: Any, other: Any, fate: Any, name: str | None) -> None:
    a, b = (tensors(TensorSpec(dtype, shape, name)) for shape, dtype in (one, other))
    assert verdicts(a.diff(b)) == {"$" if name is None else "$.t": fate}


@given(st.lists(st.sampled_from([-1, 0, 1, 2]), max_size=3), st.data())
def test_arrays_pass_where_the_difference_says_so(shape: list[int], data: st.DataObject) -> None:
    other = [data.draw(st.sampled_from([dim, dim, -1, 2])) for dim in shape]
    diff = tensors(TensorSpec("int8", shape)).diff(tensors(TensorSpec("int8", other)))
    lengths = [data.draw(st.integers(0, 2)) if dim == -1 else dim for dim in shape]
    try:
        enforce(np.zeros(lengths, np.int8), tensors(TensorSpec("int8", other)))
    except ViolationError:
        assert diff.forward >= LOSSY
    else:
        assert diff.forward <= LOSSY


def test_tensors_by_name_and_against_columns() -> None:
    x, y = TensorSpec("int8", (-1,), "x"), TensorSpec("int8", (-1,), "y")
    assert verdicts(tensors(x, y).diff(tensors(x))) == {
        "$.x": (COMPATIBLE, COMPATIBLE),
        "$.y": (COMPATIBLE, BREAKING),
    }
    assert tensors(x, y).diff(tensors(x), Policy(extra="forbid")).forward is BREAKING
    alone = tensors(TensorSpec("int8", (-1,)))
    for other in (tensors(x), signature(x="long")):
        assert verdicts(alone.diff(other)) == {"$": (BREAKING, BREAKING)}


def test_sides() -> None:
    a, b = Schema([ColSpec("long", "a")]), Schema([ColSpec("string", "a")])
    diff = ModelSignature(a, a).diff(ModelSignature(a, b))
    assert [(c.side, c.forward) for c in diff.changes] == [
        ("inputs", COMPATIBLE),
        ("outputs", BREAKING),
    ]
    half = ModelSignature(a, a).diff(ModelSignature(a)).changed
    assert [(c.side, c.path, c.before, c.after) for c in half] == [
        ("outputs", "$", "1 column with names", None)
    ]
    assert (half[0].forward, half[0].backward) == (COMPATIBLE, LOSSY)


# --- params ---------------------------------------------------------------------------------------


def native(kind: DataType, value: Any) -> Any:
    """Return a param's value in its own NumPy type, where it has one."""
    makers = {
        DataType.integer: np.int32,
        DataType.long: np.int64,
        DataType.float: np.float32,
        DataType.double: np.float64,
    }
    with np.errstate(over="ignore"):
        return makers[kind](value) if kind in makers else value


PARAM_EDGES: dict[DataType, list[Any]] = {
    **{kind: values for kind, values in EDGES.items() if kind is not DataType.binary},
    DataType.string: ["", "x", "2020-01-01"],
}


def test_params_are_judged_as_their_values_fare() -> None:
    for source, target in itertools.product(PARAM_EDGES, repeat=2):
        fate = only(params(ParamSpec("p", source, None)).diff(params(ParamSpec("p", target, None))))
        wanted = params(ParamSpec("p", target, None))
        typed = [param_passes(native(source, v), wanted) for v in PARAM_EDGES[source]]
        plain = [param_passes(v, wanted) for v in PARAM_EDGES[source]]
        if source is target:
            assert fate.forward is COMPATIBLE
        elif not any(typed):  # what a NumPy type may not be, some of Python's values may
            assert fate.forward is BREAKING, (source, target)
        else:
            fared = WIDENING if all(typed + plain) else LOSSY
            assert fate.forward is fared, (source, target)


def param_passes(value: Any, wanted: ModelSignature) -> bool:
    try:
        enforce_params({"p": value}, wanted)
    except ViolationError:
        return False
    return True


def test_params_by_name() -> None:
    n, s = ParamSpec("n", "long", 1), ParamSpec("s", "string", "x")
    diff = params(n).diff(params(n, s))
    assert verdicts(diff) == {"$.n": (COMPATIBLE, COMPATIBLE), "$.s": (COMPATIBLE, COMPATIBLE)}
    assert [(c.path, c.before, c.note) for c in diff.changed] == [
        ("$.s", None, "forward: default; backward: ignored")
    ]
    listed = only(params(n).diff(params(ParamSpec("n", "long", [1], (-1,)))))
    assert (listed.forward, listed.backward) == (BREAKING, BREAKING)
    other = only(params(n).diff(params(ParamSpec("n", "long", 2))))
    assert (other.forward, other.backward, other.same) == (COMPATIBLE, COMPATIBLE, False)
    assert (other.before, other.after) == ("long (default: 1)", "long (default: 2)")


def test_params_that_are_objects() -> None:
    one = params(ParamSpec("o", obj(x="integer", y=("long", False)), {"x": 1}))
    other = params(ParamSpec("o", obj(x="long", y="long"), {"x": 1, "y": 2}))
    lists = [
        params(ParamSpec("o", obj(v=(Array("long"), flag)), {"v": [1]})) for flag in (False, True)
    ]
    assert verdicts(lists[0].diff(lists[1], Policy.mlflow()))["$.o.v[*]"] == (BREAKING, COMPATIBLE)
    # Neither the rule for casts nor that for nulls is the policy's here.
    for policy in (None, Policy.mlflow(), Policy.strict()):
        assert verdicts(one.diff(other, policy)) == {
            "$.o": (COMPATIBLE, COMPATIBLE),
            "$.o.x": (WIDENING, BREAKING),
            "$.o.y": (BREAKING, COMPATIBLE),
        }


@given(st.data())
def test_object_params_pass_where_the_difference_says_so(data: st.DataObject) -> None:
    keys = st.sampled_from(["a", "b"])
    kinds = ours.objects(ours.nested(ours.JSON_SCALARS, keys, 3), keys, 2)
    one = data.draw(kinds)
    other = retyped_object(data.draw, one)
    diff = params(ParamSpec("p", one, data.draw(ours.object_values(one)))).diff(
        params(ParamSpec("p", other, data.draw(ours.object_values(other))))
    )
    event(f"forward: {diff.forward}")
    if diff.forward <= WIDENING:
        value = data.draw(ours.object_values(one))
        default = data.draw(ours.object_values(other))
        with warnings.catch_warnings():
            enforce_params({"p": value}, params(ParamSpec("p", other, default)))


def retyped_object(draw: st.DrawFn, kind: Object) -> Object:
    wider = {
        DataType.integer: ["integer", "long", "float", "double"],
        DataType.float: ["float", "double"],
    }

    def one(member: Property) -> ColumnType:
        if isinstance(member.dtype, Object):
            return retyped_object(draw, member.dtype)
        if isinstance(member.dtype, DataType):
            return DataType(draw(st.sampled_from(wider.get(member.dtype, [str(member.dtype)]))))
        return member.dtype

    flags = st.sampled_from([True, False])
    return Object(Property(p.name, one(p), draw(flags) and p.required) for p in kind.properties)


# --- the value itself -----------------------------------------------------------------------------


def test_levels_are_ordered() -> None:
    assert COMPATIBLE < WIDENING < LOSSY < BREAKING
    assert max(BREAKING, COMPATIBLE, LOSSY) is BREAKING
    assert str(LOSSY) == "lossy"
    with pytest.raises(TypeError):
        _ = LOSSY < "breaking"  # type: ignore[operator]


def test_the_documents() -> None:
    diff = signature(a="integer", b="long").diff(signature(a="long", b="long"))
    assert json.loads(diff.to_json()) == diff.to_dict()
    assert diff.to_dict() == {
        "format": "spark_sig.diff/1",
        "forward": "widening",
        "backward": "lossy",
        "changes": [
            {
                "path": "$.a",
                "side": "inputs",
                "before": "integer (required)",
                "after": "long (required)",
                "forward": "widening",
                "backward": "lossy",
                "note": "backward: by value, under casts='lossless'",
            },
            {
                "path": "$.b",
                "side": "inputs",
                "before": "long (required)",
                "after": "long (required)",
                "forward": "compatible",
                "backward": "compatible",
                "note": "",
            },
        ],
    }
    assert hash(diff) == hash(replace(diff))
    with pytest.raises(AttributeError):
        diff.changes = ()  # type: ignore[misc]
    assert diff  # a difference is no truth value, and has no length
    assert signature(a="long").diff(signature(a="long"))


def test_the_table_is_aligned_and_plain() -> None:
    wide = signature(**{"列列\n": obj(**{f"p{i}": "long" for i in range(20)}), "b": "long"})
    other = signature(b="long", c="string")
    text = str(wide.diff(other))
    head, *table = text.splitlines()
    assert head == "forward: breaking, backward: breaking; 2 of 3 places differ"
    assert len(table) == 3
    assert "\x1b" not in text
    assert "…" in table[1]
    # In cells of a terminal, where those two take two each.
    starts = [table[0].index("forward"), table[1].index("compatible") + 2, table[2].index("break")]
    assert len(set(starts)) == 1
    assert str(other.diff(other)) == (
        "forward: compatible, backward: compatible; 0 of 2 places differ"
    )


def test_what_is_no_signature_is_refused() -> None:
    with pytest.raises(SignatureError):
        signature(a="long").diff(7)  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match="must be a Policy"):
        signature(a="long").diff(signature(a="long"), "strict")  # type: ignore[arg-type]
    assert signature(a="long").diff(signature(a="long").to_dict()).changed == ()
