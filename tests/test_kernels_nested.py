"""Nested values and tensors, in every Arrow layout, against a walker over Python values."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_sig.errors import Code
from spark_sig.kernels.batch import run_batch
from spark_sig.kernels.layout import repeats_key
from spark_sig.kernels.summary import summarise
from spark_sig.naming import SPARK_TYPE, VECTOR
from spark_sig.plan import Rung
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.tally import Tally
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
from tests.kernels_oracle import dirty, parts, same
from tests.test_kernels_casts import agree, plan_for

NAN, INF = math.nan, math.inf

# (stored as, wanted as, some values): what casts="lossless" lets through in part.
SCALARS: list[tuple[pa.DataType, DataType, list[Any]]] = [
    (pa.int64(), DataType.integer, [0, 1, 2**31, -(2**31), 2**40]),
    (pa.int32(), DataType.long, [0, -1, 2**31 - 1]),
    (pa.int64(), DataType.double, [0, 2**53, 2**53 + 1, -(2**63)]),
    (pa.float64(), DataType.double, [0.0, -0.0, 1.5, NAN, INF]),
    (pa.float64(), DataType.integer, [0.0, -0.0, 1.5, NAN, INF, 3.0, 2.0**31]),
    (pa.float64(), DataType.float, [0.5, 0.1, NAN, 1e300]),
    (pa.string(), DataType.long, ["1", "x", "2.0", "2.5", "1e30"]),
    (pa.string(), DataType.string, ["a", "", "é"]),
    (pa.bool_(), DataType.boolean, [True, False]),
    (pa.binary(), DataType.binary, [b"", b"\x00"]),
]
Shaped = tuple[pa.DataType, ColumnType, "st.SearchStrategy[Any]"]


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, values, values, st.none())


@st.composite
def shaped(draw: st.DrawFn, depth: int = 3) -> Shaped:
    """Return an Arrow type, what it shall become, and values of it."""
    form = draw(st.sampled_from(["scalar", "list", "struct", "map"] if depth else ["scalar"]))
    if form == "scalar":
        dtype, target, values = draw(st.sampled_from(SCALARS))
        return dtype, target, st.sampled_from(values)
    if form == "list":
        item, inner, values = draw(shaped(depth - 1))
        size = draw(st.sampled_from([None, None, 0, 2]))
        if size is not None:
            fixed = st.lists(optional(values), min_size=size, max_size=size)
            return pa.list_(item, size), Array(inner), fixed
        wide = draw(st.booleans())
        return (
            pa.large_list(item) if wide else pa.list_(item),
            Array(inner),
            st.lists(optional(values), max_size=3),
        )
    if form == "map":
        item, inner, values = draw(shaped(depth - 1))
        entries = st.dictionaries(st.sampled_from("abc"), optional(values), max_size=2)
        return pa.map_(pa.string(), item), Map(inner), entries.map(lambda d: list(d.items()))
    names = draw(st.lists(st.sampled_from("xyzw"), min_size=1, max_size=3, unique=True))
    members = [draw(shaped(depth - 1)) for _ in names]
    properties = [
        Property(name, inner, draw(st.booleans()))
        for name, (_, inner, _) in zip(names, members, strict=True)
    ]
    if draw(st.booleans()):
        properties.append(Property("v", DataType.long, False))
    dtype = pa.struct([(name, item) for name, (item, _, _) in zip(names, members, strict=True)])
    record = st.fixed_dictionaries(
        {name: optional(values) for name, (_, _, values) in zip(names, members, strict=True)}
    )
    return dtype, Object(properties), record


@settings(max_examples=250)
@given(data=st.data())
def test_nested_values_agree_with_a_walk(data: st.DataObject) -> None:
    dtype, target, values = data.draw(shaped())
    column = data.draw(st.lists(optional(values), max_size=8))
    policy = Policy(
        casts="lossless",
        nulls=data.draw(st.sampled_from(["reject", "allow"])),
        nan=data.draw(st.sampled_from(["reject", "allow"])),
    )
    # with something under every NULL, which must not count
    build = data.draw(st.sampled_from([dirty, pa.array]))
    batch = pa.RecordBatch.from_arrays([build(column, dtype)], ["a"])
    plan = plan_for(batch, [ColSpec(target, "a", data.draw(st.booleans()))], policy)
    start = data.draw(st.integers(0, 2))
    length = data.draw(st.integers(0, 8))
    agree(plan, batch.slice(start, length), {"a": column[start : start + length]})


@pytest.mark.parametrize("nan", ["allow", "reject"])
def test_what_lies_under_a_null_does_not_count(nan: str) -> None:
    bad = {"n": 2**40, "d": NAN, "l": [NAN, None], "s": {"x": 1.5}}
    dtype = pa.struct(
        [("n", pa.int64()), ("d", pa.float64()), ("l", pa.list_(pa.float64())),
         ("s", pa.struct([("x", pa.float64())]))]
    )  # fmt: skip
    target = Object(
        [Property("n", "integer"), Property("d", "double"), Property("l", Array("double")),
         Property("s", Object([Property("x", "long")]))]
    )  # fmt: skip
    policy = Policy(casts="lossless", nan="reject" if nan == "reject" else "allow")
    column = [bad, None, bad]
    for rows, kind, wanted in (
        (column, dtype, target),
        ([[bad], None, column], pa.list_(dtype), Array(target)),
    ):
        batch = pa.RecordBatch.from_arrays([dirty(list(rows), kind)], ["a"])
        plan = plan_for(batch, [ColSpec(wanted, "a", False)], policy)
        outcome = agree(plan, batch, {"a": list(rows)})
        assert outcome.violating().tolist() == [0, 2]


@pytest.mark.parametrize("start", [0, 1, 7, 8, 63, 64, 65])
def test_nulls_of_neighbours_are_not_a_slices(start: int) -> None:
    column = [None] * 65 + [1, None, *range(100)] + [None] * 65
    batch = pa.RecordBatch.from_arrays([pa.array(column)], ["a"])
    plan = plan_for(batch, [ColSpec("long", "a")])
    for length in (1, 70, 102, 130, len(column)):
        agree(plan, batch.slice(start, length), {"a": column[start : start + length]})


@settings(max_examples=60)
@given(data=st.data())
def test_whole_is_the_sum_of_its_batches(data: st.DataObject) -> None:
    dtype, target, values = data.draw(shaped())
    column = data.draw(st.lists(optional(values), min_size=1, max_size=12))
    keys = data.draw(st.lists(st.sampled_from([None, "a", "b", "é"]), min_size=12, max_size=12))
    policy = Policy(casts="lossless", nan="reject", examples=2, show_values=True)
    batch = pa.RecordBatch.from_arrays(
        [dirty(column, dtype), pa.array(keys[: len(column)])], ["a", "k"]
    )
    plan = plan_for(batch, [ColSpec(target, "a"), ColSpec("string", "k", False)], policy)
    whole = run_batch(plan, batch)
    tally = summarise(plan, whole, [batch.column("k")])
    for sizes in ([1], [2], [3], [5, 1, 2]):
        runs = []
        for start, length in parts(sizes, len(column)):
            piece = batch.slice(start, length)
            runs.append((run_batch(plan, piece), piece.column("k")))
        total = Tally.total((summarise(plan, run, [key]) for run, key in runs), 2)
        assert total == tally
        joined = pa.chunked_array([run.columns[0] for run, _ in runs]).to_pylist()
        assert same(joined) == same(whole.columns[0].to_pylist())


# --- tensors -------------------------------------------------------------------------------------

TENSORS = [
    ((3,), 1), ((-1,), 1), ((0,), 1), ((2, 2), 2), ((2, -1), 2), ((-1, 2), 2), ((-1, -1), 2),
    ((2, 2), 1), ((2, -1), 1), ((0, -1), 1), ((1, 2, 2), 3), ((-1, 1, -1), 3),
]  # fmt: skip


@pytest.mark.parametrize(("dims", "depth"), TENSORS)
@settings(max_examples=40)
@given(data=st.data())
def test_tensors_agree_with_a_walk(dims: tuple[int, ...], depth: int, data: st.DataObject) -> None:
    values: st.SearchStrategy[Any] = st.sampled_from([0.0, 1.5, NAN])
    dtype: pa.DataType = pa.float32()
    fixed = data.draw(st.booleans()) and len(dims) == depth
    for dim in reversed(dims[-depth:]):
        usual = dim if dim >= 0 and len(dims) == depth else math.prod(d for d in dims if d >= 0)
        if fixed and data.draw(st.booleans()):
            dtype = pa.list_(dtype, usual)
            values = st.lists(optional(values), min_size=usual, max_size=usual)
            continue
        dtype = data.draw(st.sampled_from([pa.list_, pa.large_list]))(dtype)
        sizes = st.one_of(st.just(usual), st.just(usual), st.integers(0, 4))
        clean = data.draw(st.booleans())
        values = sizes.flatmap(
            lambda n, v=values, c=clean: st.lists(v if c else optional(v), min_size=n, max_size=n)
        )
    column = data.draw(st.lists(optional(values), max_size=8))
    build = data.draw(st.sampled_from([dirty, pa.array]))
    batch = pa.RecordBatch.from_arrays([build(column, dtype)], ["a"])
    nan = data.draw(st.sampled_from(["reject", "allow"]))
    plan = plan_for(batch, [TensorSpec("float32", (-1, *dims), "a")], Policy(nan=nan))
    start = data.draw(st.integers(0, 2))
    agree(plan, batch.slice(start), {"a": column[start:]})


def test_carried_tensor_elements_are_checked_and_stay() -> None:
    column = [[0, 255], [256, -1], None, [3, None]]
    batch = pa.RecordBatch.from_arrays([pa.array(column, pa.list_(pa.int16()))], ["a"])
    plan = plan_for(batch, [TensorSpec("uint8", (-1, 2), "a")], spark=True)
    outcome = agree(plan, batch, {"a": column})
    assert outcome.columns[0].to_pylist() == [[0, 255], [None, None], None, [3, None]]


VECTOR_TYPE = pa.struct(
    [
        pa.field("type", pa.int8(), False),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.field("element", pa.int32(), False))),
        ("values", pa.list_(pa.field("element", pa.float64(), False))),
    ]
)


def dense(*values: float) -> dict[str, Any]:
    return {"type": 1, "size": None, "indices": None, "values": list(values)}


def sparse(size: int, **places: float) -> dict[str, Any]:
    indices = [int(place[1:]) for place in places]
    return {"type": 0, "size": size, "indices": indices, "values": list(places.values())}


def test_vectors_are_as_long_as_they_say() -> None:
    field = pa.field("a", VECTOR_TYPE, metadata={SPARK_TYPE: VECTOR})
    column = [dense(1, 2, 3), sparse(3, _0=1.0), dense(1), sparse(4), None, dense(), sparse(3)]
    schema = pa.schema([field])
    batch = pa.RecordBatch.from_arrays([pa.array(column, VECTOR_TYPE)], schema=schema)
    spec = Schema([TensorSpec("float64", (-1, 3), "a")])
    plan = plan_enforcement(schema, spec, engine="arrow", spark=True)
    outcome = run_batch(plan, batch)
    assert outcome.columns[0].to_pylist() == [column[0], column[1], *[None] * 4, column[6]]
    null, shape = outcome.found
    assert null.rows.tolist() == [4]
    assert dict(zip(shape.rows.tolist(), shape.observed, strict=True)) == {
        2: "length 1 at axis 1", 3: "length 4 at axis 1", 5: "length 0 at axis 1"
    }  # fmt: skip
    sliced = run_batch(plan, batch.slice(3))
    assert [f.rows.tolist() for f in sliced.found] == [[1], [0, 2]]
    assert sliced.columns[0].to_pylist() == outcome.columns[0].to_pylist()[3:]
    free = Schema([TensorSpec("float64", (-1, -1), "a")])
    loose = run_batch(plan_enforcement(schema, free, engine="arrow", spark=True), batch)
    assert loose.columns[0] is not None
    assert [f.rows.tolist() for f in loose.found] == [[4]]


@pytest.mark.parametrize("start", [0, 1, 4])
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (ColSpec(SparkMLVector(), "a"), "double (required)"),
        (TensorSpec("float64", (-1, 2), "a"), "float64 tensor of shape (2,)"),
    ],
)
def test_a_vector_is_searched_for_nan_where_the_policy_rejects_it(
    spec: ColSpec | TensorSpec, expected: str, start: int
) -> None:
    column = [
        dense(1, 2), dense(1, NAN), None, sparse(2, _0=1.0), sparse(2, _1=NAN), sparse(2),
        dense(NAN, NAN), dense(INF, 1),
    ]  # fmt: skip
    if isinstance(spec, TensorSpec):
        column[0] = dense(NAN)
    field = pa.field("a", VECTOR_TYPE, metadata={SPARK_TYPE: VECTOR})
    schema = pa.schema([field])
    # Something lies under the NULL, which does not count.
    valid = pa.array([row is not None for row in column]).buffers()[1]
    filled = pa.array([dense(NAN) if row is None else row for row in column], VECTOR_TYPE)
    children = [filled.field(i) for i in range(4)]
    stored = pa.Array.from_buffers(VECTOR_TYPE, len(column), [valid], children=children)
    batch = pa.RecordBatch.from_arrays([stored], schema=schema).slice(start)
    plan = plan_enforcement(schema, Schema([spec]), Policy(nan="reject"), spark=True)
    assert plan.fields[0].rung is Rung.ARROW
    outcome = run_batch(plan, batch)
    hit = {plan.checks[f.check].path: f for f in outcome.found if f.observed[0] == "NaN"}
    check = plan.checks[hit["$.a[*]"].check]
    assert (check.code, check.expected, check.rung) == (Code.NULL, expected, Rung.ARROW)
    wrong = [i for i, row in enumerate(column) if row and any(v != v for v in row["values"])]
    assert hit["$.a[*]"].rows.tolist() == [i - start for i in wrong if i >= start]
    kept = [None if i in wrong else row for i, row in enumerate(column)]
    assert outcome.columns[0].to_pylist() == kept[start:]
    loose = plan_enforcement(schema, Schema([spec]), Policy(), spark=True)
    assert all(set(f.observed) != {"NaN"} for f in run_batch(loose, batch).found)


# --- layouts -------------------------------------------------------------------------------------


def views_known() -> bool:
    return hasattr(pa, "list_view") and hasattr(pa, "string_view")


STRINGS = ["1", None, "x", "1", "2.5"]
FLAT = {
    "string": lambda: pa.array(STRINGS),
    "large_string": lambda: pa.array(STRINGS, pa.large_string()),
    "dictionary": lambda: pa.array(STRINGS).dictionary_encode(),
    "null in dictionary": lambda: pa.DictionaryArray.from_arrays(
        pa.array([1, 2, 0, 1, 3], pa.int8()), pa.array(["x", "1", None, "2.5"])
    ),
    "run ends": lambda: pa.RunEndEncodedArray.from_arrays([1, 2, 3, 4, 5], pa.array(STRINGS)),
    "string_view": lambda: pa.array(STRINGS, pa.string_view()),
}


@pytest.mark.parametrize("actual", list(FLAT))
@pytest.mark.parametrize("planned", list(FLAT))
@pytest.mark.parametrize("target", ["string", "long"])
def test_any_layout_of_strings_is_read_alike(planned: str, actual: str, target: str) -> None:
    if "view" in planned + actual and not views_known():
        pytest.skip("this pyarrow has no views")
    schema = pa.RecordBatch.from_arrays([FLAT[planned]()], ["a"]).schema
    spec = Schema([ColSpec(target, "a")])
    plan = plan_enforcement(schema, spec, Policy(casts="lossless"), engine="arrow")
    batch = pa.RecordBatch.from_arrays([FLAT[actual]()], ["a"])
    outcome = run_batch(plan, batch)
    assert outcome.columns[0].type == plan.output.field(0).type
    wanted = STRINGS if target == "string" else [1, None, None, 1, None]
    assert outcome.columns[0].to_pylist() == wanted
    assert [f.rows.tolist() for f in outcome.found] == (
        [[1]] if target == "string" else [[1], [2, 4]]
    )


ROWS = [[1, 2], None, [3, None], [2**40, 4]]


def list_view() -> pa.Array:
    """Views out of order, overlapping, and with something under the NULL."""
    values = pa.array([2**40, 4, 3, None, 1, 2, 7])
    view = pa.ListViewArray.from_arrays(
        pa.array([4, 0, 2, 0], pa.int32()), pa.array([2, 3, 2, 2], pa.int32()), values
    )
    bits = pa.array([True, False, True, True]).buffers()[1]
    return pa.Array.from_buffers(view.type, 4, [bits, *view.buffers()[1:3]], children=[values])


NESTED = {
    "list": lambda: pa.array(ROWS, pa.list_(pa.int64())),
    "dirty": lambda: dirty(ROWS, pa.list_(pa.int64())),
    "large_list": lambda: dirty(ROWS, pa.large_list(pa.int64())),
    "fixed": lambda: dirty(ROWS, pa.list_(pa.int64(), 2)),
    "named": lambda: pa.array(ROWS, pa.list_(pa.field("element", pa.int64(), True))),
    "dictionary": lambda: pa.ListArray.from_arrays(
        pa.array([0, None, 2, 4, 6]),
        pa.array([1, 2, 3, None, 2**40, 4], pa.int64()).dictionary_encode(),
    ),
    "list_view": list_view,
}


@pytest.mark.parametrize("actual", list(NESTED))
@pytest.mark.parametrize("planned", list(NESTED))
@pytest.mark.parametrize("target", ["long", "integer"])
def test_any_layout_of_lists_is_read_alike(planned: str, actual: str, target: str) -> None:
    if "view" in planned + actual and not views_known():
        pytest.skip("this pyarrow has no views")
    schema = pa.RecordBatch.from_arrays([NESTED[planned]()], ["a"]).schema
    spec = Schema([ColSpec(Array(target), "a")])
    plan = plan_enforcement(schema, spec, Policy(casts="lossless"), engine="arrow")
    for start in (0, 1, 2):
        batch = pa.RecordBatch.from_arrays([NESTED[actual]()], ["a"]).slice(start)
        outcome = run_batch(plan, batch)
        assert outcome.columns[0].type == plan.output.field(0).type
        assert str(outcome.columns[0].type) == str(plan.output.field(0).type)
        outcome.columns[0].validate(full=True)
        wanted = ROWS if target == "long" else [*ROWS[:3], [None, 4]]
        assert outcome.columns[0].to_pylist() == wanted[start:]
        rows = [[1], [2]] if target == "long" else [[1], [2], [3]]
        shifted = [[r - start for r in hit if r >= start] for hit in rows]
        assert [f.rows.tolist() for f in outcome.found] == [hit for hit in shifted if hit]


@pytest.mark.parametrize("layout", ["list_view", "fixed", "large_list"])
def test_tensors_in_any_layout_keep_it(layout: str) -> None:
    if "view" in layout and not views_known():
        pytest.skip("this pyarrow has no views")
    batch = pa.RecordBatch.from_arrays([NESTED[layout]()], ["a"])
    for dim, wanted in ((2, [ROWS[0], None, ROWS[2], ROWS[3]]), (3, [None] * 4)):
        outcome = run_batch(plan_for(batch, [TensorSpec("int64", (-1, dim), "a")]), batch)
        assert outcome.columns[0].type == batch.column(0).type
        outcome.columns[0].validate(full=True)
        assert outcome.columns[0].to_pylist() == wanted


def test_members_are_found_by_name() -> None:
    planned = pa.schema([("a", pa.struct([("x", pa.int64()), ("y", pa.int64())]))])
    spec = Schema([ColSpec(Object([Property("y", "long"), Property("x", "long")]), "a")])
    plan = plan_enforcement(planned, spec, engine="arrow")
    swapped = pa.array([{"y": 1, "x": 2}, None], pa.struct([("y", pa.int64()), ("x", pa.int64())]))
    for array in (swapped, swapped.slice(0, 1)):
        (out,) = run_batch(plan, pa.RecordBatch.from_arrays([array], ["a"])).columns
        assert out[0].as_py() == {"x": 2, "y": 1}
        assert out.type == planned.field(0).type


def test_anything_passes_whatever_it_is() -> None:
    for array in (
        pa.array([None, 1]),
        pa.nulls(2),
        pa.array([{"a": [1]}, None]),
        pa.array([b"", None]),
    ):
        batch = pa.RecordBatch.from_arrays([array], ["a"])
        outcome = run_batch(plan_for(batch, [ColSpec(AnyType(), "a")]), batch)
        assert outcome.columns[0] is not None
        assert outcome.columns[0].equals(array)
        assert outcome.violating().tolist() == [
            i for i, v in enumerate(array.to_pylist()) if v is None
        ]


def test_a_column_of_nulls_takes_any_type() -> None:
    batch = pa.RecordBatch.from_arrays([pa.nulls(3)], ["a"])
    outcome = run_batch(plan_for(batch, [ColSpec(Array("long"), "a", False)]), batch)
    assert outcome.columns[0].equals(pa.nulls(3, pa.list_(pa.int64())))
    outcome = run_batch(plan_for(batch, [ColSpec("long", "a")]), batch)
    assert outcome.violating().tolist() == [0, 1, 2]
    # a batch may hold nothing but NULL where the plan expects more
    plan = plan_for(pa.RecordBatch.from_arrays([pa.array([1])], ["a"]), [ColSpec("long", "a")])
    assert run_batch(plan, batch).columns[0].type == pa.int64()


def test_elements_map_to_rows_across_empty_lists() -> None:
    column = [[], [None], [], [], [1, None, None], []]
    batch = pa.RecordBatch.from_arrays([pa.array(column, pa.list_(pa.int64()))], ["a"])
    plan = plan_for(batch, [ColSpec(Array("long"), "a")])
    assert run_batch(plan, batch).violating().tolist() == [1, 4]
    many = pa.RecordBatch.from_arrays([pa.array(column * 5_000, pa.list_(pa.int64()))], ["a"])
    rows = run_batch(plan, many.slice(1)).violating()
    assert rows.tolist() == sorted(
        [6 * i for i in range(5_000)] + [6 * i + 3 for i in range(5_000)]
    )


def test_keys_that_repeat_are_seen_wherever_a_map_lies() -> None:
    plain = pa.map_(pa.string(), pa.int64())
    bad, good = [("a", 1), ("b", 2), ("a", 3)], [("a", 1), ("b", 2)]
    array = pa.array([good, None, bad, good, []], plain)
    assert [repeats_key(array[i : i + 2]) for i in range(4)] == [False, True, True, False]
    for dtype, wrap in (
        (pa.list_(plain), lambda cell: [cell]),
        (pa.struct([("m", plain)]), lambda cell: {"m": cell}),
        (pa.map_(pa.string(), plain), lambda cell: [("k", cell)]),
    ):
        nested = pa.array([wrap(good), wrap(None), wrap(bad), None], dtype)
        assert repeats_key(nested)
        assert not repeats_key(nested[:2])
        assert not repeats_key(nested[3:])
    # what lies under NULL is not there
    hidden = pa.StructArray.from_arrays(
        [array], ["m"], mask=pa.array([False, True, True, *[False] * 2])
    )
    assert not repeats_key(hidden)
