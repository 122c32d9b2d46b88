"""Unions of signatures: a lattice by its laws, and wide enough for the data of every part."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from spark_sig import enforce
from spark_sig.errors import SignatureError
from spark_sig.join import join_params, join_schemas, join_types
from spark_sig.params import ParamSchema, ParamSpec
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
from tests.conforming import arrow_tables

T = TypeVar("T")
ANY = AnyType()
NUMBERS = [DataType.integer, DataType.long, DataType.float, DataType.double]
NARROWER = {
    DataType.integer: [DataType.integer],
    DataType.long: [DataType.long, DataType.integer],
    DataType.float: [DataType.float],
    DataType.double: [DataType.double, DataType.float, DataType.integer],
}


def obj(**members: Any) -> Object:
    """Return an object; a member is a type, or a type and a flag."""
    pairs = {n: m if isinstance(m, tuple) else (m, True) for n, m in members.items()}
    return Object(Property(name, kind, flag) for name, (kind, flag) in pairs.items())


def columns(**members: Any) -> Schema:
    pairs = {n: m if isinstance(m, tuple) else (m, True) for n, m in members.items()}
    return Schema(ColSpec(kind, name, flag) for name, (kind, flag) in pairs.items())


# --- parts of one whole ---------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "c", "x y"])
WHOLES = ours.nested(st.one_of(ours.scalars, st.sampled_from(NUMBERS), ours.vectors), KEYS)


def part_of_type(draw: st.DrawFn, kind: ColumnType) -> ColumnType:
    """Draw what inference might say of a part of the data; now and then something else."""
    if draw(st.integers(0, 9)) == 0:
        return ANY
    if draw(st.integers(0, 29)) == 0:
        return draw(ours.scalars)
    match kind:
        case DataType():
            return draw(st.sampled_from(NARROWER.get(kind, [kind])))
        case Array(inner):
            return Array(part_of_type(draw, inner))
        case Map(inner):
            return Map(part_of_type(draw, inner))
        case Object(properties):
            kept = [p for p in properties if draw(st.integers(0, 3))] or properties
            return Object(
                Property(p.name, part_of_type(draw, p.dtype), draw(ours.flags)) for p in kept
            )
    return kind


def part_of_schema(draw: st.DrawFn, schema: Schema) -> Schema:
    specs: list[Any] = list(schema)
    if schema.is_tensor:
        shapes = [[draw(st.sampled_from([dim, -1])) for dim in s.shape] for s in specs]
        specs = [TensorSpec(s.type, shape, s.name) for s, shape in zip(specs, shapes, strict=True)]
    else:
        if schema.has_names and draw(st.booleans()):
            specs = [s for s in specs if draw(st.booleans())] or specs
        flags = ours.flags if schema.has_names else st.sampled_from([True, None])
        specs = [ColSpec(part_of_type(draw, s.type), s.name, draw(flags)) for s in specs]
    return Schema(draw(st.permutations(specs)) if schema.has_names else specs)


@st.composite
def parts_of_types(draw: st.DrawFn, count: int) -> tuple[ColumnType, ...]:
    whole = draw(WHOLES)
    return tuple(part_of_type(draw, whole) for _ in range(count))


@st.composite
def parts(draw: st.DrawFn, count: int) -> tuple[ModelSignature, ...]:
    """Draw signatures that have a union more often than not."""
    kinds = ours.column_schemas(WHOLES, KEYS, 3), ours.tensor_schemas()
    inputs, outputs = draw(st.one_of(*kinds)), draw(st.one_of(*kinds))
    params = list(draw(ours.param_schemas()))
    made = []
    for _ in range(count):
        ours_in = part_of_schema(draw, inputs) if draw(st.booleans()) else None
        theirs = part_of_schema(draw, outputs) if ours_in is None or draw(st.booleans()) else None
        kept = [spec for spec in draw(st.permutations(params)) if draw(st.booleans())]
        given = draw(st.sampled_from([ParamSchema(kept), None]))
        made.append(ModelSignature(ours_in, theirs, given))
    return tuple(made)


def outcome(make: Callable[[], T]) -> T | None:
    """Return what is made, None where there is no union."""
    try:
        return make()
    except SignatureError:
        return None


def obeys_the_laws(join: Callable[[T, T], T], a: T, b: T, c: T) -> None:
    assert join(a, a) == a
    one, other = outcome(lambda: join(a, b)), outcome(lambda: join(b, a))
    assert one == other
    left = outcome(lambda: join(join(a, b), c))
    right = outcome(lambda: join(a, join(b, c)))
    event("no union" if left is None else "a union")
    assert left == right
    if one is not None:
        assert join(one, a) == one  # the union of all parts already holds each


# --- laws -----------------------------------------------------------------------------------------


@given(parts_of_types(3))
def test_types_form_a_lattice(kinds: tuple[ColumnType, ColumnType, ColumnType]) -> None:
    obeys_the_laws(join_types, *kinds)


SAMPLES: list[ColumnType] = [
    *DataType,
    ANY,
    SparkMLVector(),
    Array("integer"),
    Array(ANY),
    Map("float"),
    Map(ANY),
    Array("double"),
    obj(p="integer"),
    obj(p=(ANY, None), q="long"),
    obj(p=("double", False)),
    obj(q=(obj(r="long"), None)),
    obj(q=ANY),
]


def test_every_triple_of_some_types_obeys_the_laws() -> None:
    for triple in itertools.product(SAMPLES, repeat=3):
        left = outcome(lambda t=triple: join_types(join_types(t[0], t[1]), t[2]))
        right = outcome(lambda t=triple: join_types(t[0], join_types(t[1], t[2])))
        assert left == right, triple
    for a, b in itertools.product(SAMPLES, repeat=2):
        assert outcome(lambda x=a, y=b: join_types(x, y)) == outcome(
            lambda x=a, y=b: join_types(y, x)
        )


@given(parts(3))
def test_signatures_form_a_lattice(
    signatures: tuple[ModelSignature, ModelSignature, ModelSignature],
) -> None:
    obeys_the_laws(ModelSignature.join, *signatures)


@given(ours.signatures, ours.signatures, ours.signatures)
def test_any_three_signatures_obey_the_laws(
    a: ModelSignature, b: ModelSignature, c: ModelSignature
) -> None:
    obeys_the_laws(ModelSignature.join, a, b, c)


# --- scalars --------------------------------------------------------------------------------------

# Values at the edges of each number, as what they are exactly.
INTEGERS = {DataType.integer: [-(2**31), 2**31 - 1], DataType.long: [-(2**63), 2**63 - 1]}
FLOATS = {DataType.float: np.float32, DataType.double: np.float64}


def edges(kind: DataType) -> list[Fraction]:
    if kind in INTEGERS:
        low, high = INTEGERS[kind]
        # Just inside, where the gaps of floats are widest.
        return [Fraction(v) for v in (low, low + 1, 0, high - 1, high)]
    info = np.finfo(FLOATS[kind])
    return [Fraction(float(v)) for v in (info.max, info.smallest_subnormal, info.eps, 1 + info.eps)]


def holds(kind: DataType, value: Fraction) -> bool:
    if kind in INTEGERS:
        low, high = INTEGERS[kind]
        return value.denominator == 1 and low <= value <= high
    with np.errstate(over="ignore"):
        stored = float(FLOATS[kind](float(value)))
    return np.isfinite(stored) and Fraction(stored) == value


@pytest.mark.parametrize("a", NUMBERS)
@pytest.mark.parametrize("b", NUMBERS)
def test_the_union_of_numbers_is_the_least_that_holds_both(a: DataType, b: DataType) -> None:
    values = edges(a) + edges(b)
    fitting = [kind for kind in NUMBERS if all(holds(kind, value) for value in values)]
    joined = outcome(lambda: join_types(a, b))
    if not fitting:
        assert joined is None
    else:
        # the least: all that it holds, every other fitting type holds
        assert joined in fitting
        assert all(holds(kind, v) for kind in fitting for v in edges(joined))


def test_other_scalars_are_united_with_themselves_alone() -> None:
    for a, b in itertools.product(DataType, repeat=2):
        if a is b:
            assert join_types(a, b) is a
        elif not (a in NUMBERS and b in NUMBERS):
            assert outcome(lambda x=a, y=b: join_types(x, y)) is None


# --- rules ----------------------------------------------------------------------------------------


def test_any_gives_way_and_leaves_properties_optional() -> None:
    assert join_types(ANY, ANY) == ANY
    for kind in [*DataType, SparkMLVector(), Array("long"), Map(obj(p="long"))]:
        assert join_types(ANY, kind) == join_types(kind, ANY) == kind
    deep = obj(p=(obj(q="long"), True), r=("string", None))
    loose = obj(p=(obj(q="long"), False), r=("string", False))
    assert join_types(ANY, deep) == join_types(deep, ANY) == loose
    assert join_types(Array(ANY), Array(deep)) == Array(loose)
    assert join_types(Map(deep), Map(ANY)) == Map(loose)
    assert join_types(obj(o=ANY), obj(o=deep)) == obj(o=loose)
    # a property that is not there says nothing of its value's members
    assert join_types(obj(o=deep), obj(x="long")) == obj(o=(deep, False), x=("long", False))


@pytest.mark.parametrize(
    ("one", "other", "looser"),
    [
        (True, True, True),
        (True, None, None),
        (True, False, False),
        (None, None, None),
        (None, False, False),
        (False, False, False),
    ],
)
def test_the_looser_flag_holds(one: bool | None, other: bool | None, looser: bool | None) -> None:
    for a, b in ((one, other), (other, one)):
        record = join_types(obj(p=("long", a)), obj(p=("long", b)))
        assert record == obj(p=("long", looser))
        assert join_schemas(columns(p=("long", a)), columns(p=("long", b))) == columns(
            p=("long", looser)
        )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Array("long"), Map("long")),
        (Array("long"), obj(p="long")),
        (Array("double"), SparkMLVector()),
        (Map("long"), obj(p="long")),
        (DataType.double, SparkMLVector()),
        (DataType.long, Array("long")),
        (DataType.string, obj(p="string")),
    ],
)
def test_kinds_do_not_mix(a: ColumnType, b: ColumnType) -> None:
    for x, y in ((a, b), (b, a)):
        with pytest.raises(SignatureError, match="no type holds both"):
            join_types(x, y)


def test_columns_are_united_by_name() -> None:
    one = columns(b="long", a=("integer", None))
    assert join_schemas(one, columns(b="integer", a="float")) == columns(
        b="long", a=("double", None)
    )
    # names in one order keep it, others are sorted
    assert join_schemas(one, columns(a="integer", b="long")) == columns(
        a=("integer", None), b="long"
    )
    assert join_schemas(one, columns(b="long", c="string")) == columns(
        a=("integer", False), b="long", c=("string", False)
    )


def test_columns_without_names_go_by_position() -> None:
    one = Schema([ColSpec("integer"), ColSpec("string", required=None)])
    other = Schema([ColSpec("long", required=None), ColSpec("string")])
    assert join_schemas(one, other) == Schema(
        [ColSpec("long", required=None), ColSpec("string", required=None)]
    )
    with pytest.raises(SignatureError, match="as many on both sides"):
        join_schemas(one, Schema([ColSpec("integer")]))
    with pytest.raises(SignatureError, match="with and without names"):
        join_schemas(one, columns(a="integer", b="string"))
    with pytest.raises(SignatureError) as caught:
        join_schemas(one, Schema([ColSpec("integer"), ColSpec("long")]))
    assert caught.value.path == "$[1]"


def test_tensors_keep_the_dimensions_that_agree() -> None:
    def tensor(*shape: int, dtype: str = "int64", name: str | None = None) -> Schema:
        return Schema([TensorSpec(dtype, shape, name)])

    assert join_schemas(tensor(5, 28, -1), tensor(6, 28, 3)) == tensor(-1, 28, -1)
    for other in (tensor(5, 28), tensor(5, 28, 3, dtype="int32")):
        with pytest.raises(SignatureError, match="one dtype and one number of dimensions"):
            join_schemas(tensor(5, 28, 3), other)
    with pytest.raises(SignatureError, match="columns and tensors"):
        join_schemas(tensor(-1), columns(a="long"))
    with pytest.raises(SignatureError, match="with and without names"):
        join_schemas(tensor(-1), tensor(-1, name="a"))
    with pytest.raises(SignatureError, match="never optional"):
        join_schemas(tensor(-1, name="a"), tensor(-1, name="b"))
    x, y = TensorSpec("int8", (-1,), "x"), TensorSpec("int8", (-1, 2), "y")
    assert join_schemas(Schema([y, x]), Schema([x, y])) == Schema([x, y])
    assert join_schemas(Schema([y, x]), Schema([y, x])) == Schema([y, x])


def test_params_of_one_name_must_be_equal() -> None:
    n, s, t = (ParamSpec(name, "long", 1) for name in "nst")
    assert join_params(ParamSchema([s, n]), ParamSchema([s, n])) == ParamSchema([s, n])
    assert join_params(ParamSchema([t, n]), ParamSchema([s])) == ParamSchema([n, s, t])
    for other in (
        ParamSpec("s", "long", 2),
        ParamSpec("s", "integer", 1),
        ParamSpec("s", "long", [1], (-1,)),
    ):
        with pytest.raises(SignatureError, match="param 's'") as caught:
            join_params(ParamSchema([s, n]), ParamSchema([other]))
        assert caught.value.path == "$.params.s"


def test_a_side_that_one_lacks_is_the_others() -> None:
    ins, outs = columns(b="long", a="long"), columns(y="double")
    params = ParamSchema([ParamSpec("t", "long", 1), ParamSpec("n", "long", 1)])
    whole = ModelSignature(ins, outs, params)
    assert ModelSignature(ins).join(ModelSignature(None, outs, params)) == whole
    assert whole.join(ModelSignature(ins, params=ParamSchema([]))) == whole
    assert whole.join(whole.to_dict()) == whole
    with pytest.raises(SignatureError):
        whole.join(7)  # type: ignore[arg-type]


# --- errors ---------------------------------------------------------------------------------------


def test_an_error_says_where_and_what_to_do() -> None:
    orders = [Array(obj(price=price, n="long")) for price in ("long", "double")]
    with pytest.raises(SignatureError) as caught:
        ModelSignature(columns(orders=orders[0])).join(ModelSignature(columns(orders=orders[1])))
    error = caught.value
    assert error.path == "$.orders[*].price"
    assert error.observed == "long and double"
    assert "cast one of them first" in error.remedy
    assert "declare the type yourself" in error.remedy
    assert "@ $.orders[*].price" in str(error)
    for kind in (Map("long"), Array("long")):
        with pytest.raises(SignatureError) as caught:
            join_types(kind, type(kind)("string"), "$['x y']")
        assert caught.value.path == "$['x y'][*]"


def test_all_places_without_a_union_are_named() -> None:
    one = ModelSignature(
        columns(a="long", b="string", c=obj(p="long")),
        columns(y="long"),
        ParamSchema([ParamSpec("n", "long", 1)]),
    )
    other = ModelSignature(
        columns(a="double", b="string", c=obj(p="binary")),
        columns(y="float"),
        ParamSchema([ParamSpec("n", "long", 2)]),
    )
    with pytest.raises(SignatureError) as caught:
        one.join(other)
    error = caught.value
    lines = str(error).splitlines()
    assert len(lines) == 5
    assert "4 reasons" in lines[0]
    for line, path in zip(lines[1:], ("$.a", "$.c.p", "$.y", "$.params.n"), strict=True):
        assert f"@ {path} " in line
    assert ["in the outputs" in line for line in lines[1:]] == [False, False, True, False]
    assert error.path == "$.a"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# --- data -----------------------------------------------------------------------------------------


def nulls_only(kind: ColumnType) -> ColumnType:
    """Return a type in which every property of which nothing was seen is optional."""
    match kind:
        case Array(inner):
            return Array(nulls_only(inner))
        case Map(inner):
            return Map(nulls_only(inner))
        case Object(properties):
            return Object(
                Property(p.name, nulls_only(p.dtype), False if p.dtype == ANY else p.required)
                for p in properties
            )
    return kind


@given(st.data())
def test_data_of_a_part_fits_the_union(data: st.DataObject) -> None:
    whole = data.draw(ours.column_schemas(WHOLES, KEYS, 3))

    def part() -> Schema:
        specs = part_of_schema(data.draw, whole)
        loose = False if specs.has_names else None
        return Schema(
            ColSpec(nulls_only(s.type), s.name, loose if s.type == ANY else s.required)
            for s in specs
            if isinstance(s, ColSpec)
        )

    one, other = part(), part()
    joined = outcome(lambda: join_schemas(one, other))
    assume(joined is not None)
    assert joined is not None
    for schema in (one, other):
        table = data.draw(arrow_tables(schema, any_is_empty=True))
        enforce(table, ModelSignature(schema))
        enforce(table, ModelSignature(joined))
