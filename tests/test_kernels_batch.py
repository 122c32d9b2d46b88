"""Whole batches: what is not touched, what is found where, and how it adds up."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import math
import mmap
import pickle
import random
import resource
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from spark_sig.errors import Code, SignatureError
from spark_sig.kernels.batch import Found, Outcome, merge_found, row_violations, run_batch
from spark_sig.kernels.summary import summarise, summarise_details
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.tally import Example, Tally, cell, date_text, smallest
from spark_sig.types import Array, Object, Property
from tests.test_kernels_casts import plan_for


def addresses(array: pa.Array) -> list[int | None]:
    return [None if buffer is None else buffer.address for buffer in array.buffers()]


UNTOUCHED = {
    "long": (pa.array([1, 2, 3, 4]), ColSpec("long", "a")),
    "long with a null": (pa.array([1, None, 3, 4]), ColSpec("long", "a")),
    "string": (pa.array(["a", "b", None, ""]), ColSpec("string", "a")),
    "dictionary": (pa.array(list("abab")).dictionary_encode(), ColSpec("string", "a")),
    "datetime": (pa.array([0, 1, 2, 3], pa.timestamp("us", "UTC")), ColSpec("datetime", "a")),
    "list": (pa.array([[1.0], [], None, [2.0]]), ColSpec(Array("double"), "a")),
    "fixed list": (pa.array([[1.0]] * 4, pa.list_(pa.float64(), 1)), ColSpec(Array("double"), "a")),
    "struct": (pa.array([{"x": [1]}, {"x": None}, None, {"x": [None]}]),
               ColSpec(Object([Property("x", Array("long"))]), "a")),
    "tensor": (pa.array([[1.0, 2.0]] * 4, pa.list_(pa.float32())),
               TensorSpec("float32", (-1, 2), "a")),
    "tensor with a null": (pa.array([[1.0, None], None] * 2, pa.list_(pa.float32())),
                           TensorSpec("float32", (-1, -1), "a")),
}  # fmt: skip


@pytest.mark.parametrize("case", list(UNTOUCHED))
def test_a_column_that_needs_nothing_is_not_copied(case: str) -> None:
    array, spec = UNTOUCHED[case]
    batch = pa.RecordBatch.from_arrays([array], ["a"])
    plan = plan_for(batch, [spec])
    for piece in (batch, batch.slice(1, 2)):
        (out,) = run_batch(plan, piece).columns
        assert addresses(out) == addresses(array)
        assert out.offset == piece.column(0).offset


def test_columns_go_out_in_the_order_of_the_signature() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"x": pa.array([1], pa.int32()), "b": pa.array(["s"]), "a": pa.array([2])}
    )
    specs = [ColSpec("long", "a"), ColSpec("double", "c", False), ColSpec("string", "b")]
    plan = plan_for(batch, specs, Policy(extra="keep"))
    outcome = run_batch(plan, batch)
    out = pa.RecordBatch.from_arrays(list(outcome.columns), schema=plan.output)
    assert out.to_pydict() == {"a": [2], "c": [None], "b": ["s"], "x": [1]}
    some = [plan.fields[2], plan.fields[0]]
    fewer = run_batch(plan, batch.select(["b", "a"]), fields=some)
    assert [c.to_pylist() for c in fewer.columns] == [["s"], [2]]
    assert [f.name for f in pickle.loads(pickle.dumps(plan)).fields] == ["a", "c", "b", "x"]


def test_no_rows_and_no_columns() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "a": pa.array([], pa.float64()),
            "s": pa.array([], pa.string()),
            "d": pa.array([], pa.decimal128(38, 3)),
            "l": pa.array([], pa.list_(pa.struct([("x", pa.float64())]))),
            "t": pa.array([], pa.list_(pa.list_(pa.float32()))),
        }
    )
    specs = [
        ColSpec("long", "a"),
        ColSpec("double", "s"),
        ColSpec("float", "d"),
        ColSpec(Array(Object([Property("x", "integer")])), "l"),
    ]
    plan = plan_for(batch, specs, Policy(casts="lossless", nan="reject"))
    outcome = run_batch(plan, batch)
    assert (outcome.num_rows, outcome.found) == (0, ())
    assert [c.type for c in outcome.columns] == plan.output.types
    assert summarise(plan, outcome) == Tally.empty(5)
    tensor = plan_for(batch, [TensorSpec("float32", (-1, 2, 2), "t")])
    assert run_batch(tensor, batch).found == ()
    # Arrow forgets how many rows a batch without columns has.
    spec = Schema([ColSpec("long", "z", False)])
    bare = plan_enforcement(pa.schema([]), spec, engine="arrow")
    nothing = pa.RecordBatch.from_arrays([], [])
    assert run_batch(bare, nothing, rows=3).columns[0].to_pylist() == [None] * 3


def test_a_batch_that_was_not_planned_for_is_refused() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1]})
    plan = plan_for(batch, [ColSpec("long", "a")])
    with pytest.raises(SignatureError, match=r"lacks a column .*\$\.a"):
        run_batch(plan, pa.RecordBatch.from_pydict({"b": [1]}))
    for other in (pa.array([1], pa.int32()), pa.array(["1"]), pa.array([[1]])):
        with pytest.raises(SignatureError, match="planned for"):
            run_batch(plan, pa.RecordBatch.from_arrays([other], ["a"]))
    clock = pa.array([0], pa.timestamp("us"))
    timed = plan_for(pa.RecordBatch.from_arrays([clock], ["t"]), [ColSpec("datetime", "t")])
    for other in (clock.view(pa.timestamp("us", "UTC")), clock.cast(pa.timestamp("ns"))):
        with pytest.raises(SignatureError, match="planned for"):
            run_batch(timed, pa.RecordBatch.from_arrays([other], ["t"]))


def test_a_row_lists_its_violations_in_the_order_of_the_checks() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "a": pa.array([1.5, None, 1.0, math.nan]),
            "b": pa.array([[1, None, 2**40], [2**40, None], [1], None]),
        }
    )
    specs = [ColSpec("long", "a"), ColSpec(Array("integer"), "b")]
    plan = plan_for(batch, specs, Policy(casts="lossless", show_values=True))
    outcome = run_batch(plan, batch)
    rows = row_violations(plan, outcome)
    assert list(rows) == [0, 1, 3]
    listed = {row: [(v.path, v.code, v.observed, v.value) for v in vs] for row, vs in rows.items()}
    assert listed == {
        0: [("$.a", Code.CAST, "non-integral double", "1.5"), ("$.b[*]", Code.NULL, "null", "null"),
            ("$.b[*]", Code.CAST, "out-of-range long", str(2**40))],
        1: [("$.a", Code.NULL, "null", "null"), ("$.b[*]", Code.NULL, "null", "null"),
            ("$.b[*]", Code.CAST, "out-of-range long", str(2**40))],
        3: [("$.a", Code.CAST, "NaN double", "nan"), ("$.b", Code.NULL, "null", "null")],
    }  # fmt: skip
    plain = run_batch(plan_for(batch, specs, Policy(casts="lossless")), batch)
    assert all(found.values is None for found in plain.found)
    assert {v.value for vs in row_violations(plan, plain).values() for v in vs} == {None}


def test_long_values_are_cut() -> None:
    batch = pa.RecordBatch.from_pydict({"a": ["x" * 10_000]})
    plan = plan_for(batch, [ColSpec("long", "a")], Policy(casts="lossless", show_values=True))
    (found,) = run_batch(plan, batch).found
    assert found.values is not None
    assert len(found.values[0]) == 200


def test_values_of_instants_beyond_pythons_are_shown() -> None:
    stored = pa.array([1, 2**63 - 1, None], pa.int64()).view(pa.timestamp("ns", "UTC"))
    batch = pa.RecordBatch.from_arrays([stored], ["t"])
    policy = Policy(casts="lossless", show_values=True)
    outcome = run_batch(plan_for(batch, [ColSpec("datetime", "t")], policy), batch)
    shown = [list(f.values) for f in outcome.found if f.values is not None]
    assert shown == [["null"], ["1970-01-01 00:00:00.000000001Z", "2262-04-11 23:47:16.854775807Z"]]


# --- tallies -------------------------------------------------------------------------------------


def naive(plan: Any, outcome: Outcome, keys: list[list[Any]], limit: int) -> dict[int, Any]:
    """Tally by sorting everything."""
    checks = {}
    for found in outcome.found:
        examples = [
            Example(
                tuple(cell(key[row]) for key in keys),
                found.observed[place],
                None if found.values is None else found.values[place],
            )
            for place, row in enumerate(found.rows.tolist())
        ]
        observed = tuple(sorted(set(found.observed))[:5])
        checks[found.check] = (len(found.rows), observed, smallest(examples, limit))
    return checks


KEYS: dict[str, list[Any]] = {
    "integers": [5, None, -1, 3],
    "floats": [0.5, math.nan, None, -1.0, -0.0, math.inf],
    "only NaN": [math.nan],
    "only null": [None, None],
    "strings": ["b", "a", None, "é", "Z", ""],
    "dates": [dt.date(2020, 1, 1), dt.date(1, 1, 1), None],
    "times": [dt.datetime(2020, 1, 1), dt.datetime(1969, 1, 1, 0, 0, 0, 1), None],
    "decimals": [decimal.Decimal("1.50"), decimal.Decimal("-3.00"), None],
    "bytes": [b"a", b"", None],
    "booleans": [True, False, None],
}


@pytest.mark.parametrize("kind", list(KEYS))
@pytest.mark.parametrize("count", [3, 40, 3_000])
@pytest.mark.parametrize("limit", [0, 2, 7])
def test_examples_are_the_smallest_by_key(kind: str, count: int, limit: int) -> None:
    chance = random.Random(count)
    first = [chance.choice(KEYS[kind]) for _ in range(count)]
    second = [chance.randrange(10**6) for _ in range(count)]
    column = [chance.choice([1.0, None, 1.5, math.inf, 1e300]) for _ in range(count)]
    kinds = {"only null": pa.string(), "integers": pa.int64(), "dates": pa.date32()}
    keys = [pa.array(first, kinds.get(kind)), pa.array(second)]
    batch = pa.RecordBatch.from_arrays([pa.array(column)], ["a"])
    policy = Policy(casts="lossless", examples=limit, show_values=True)
    plan = plan_for(batch, [ColSpec("long", "a")], policy)
    outcome = run_batch(plan, batch)
    tally = summarise(plan, outcome, keys)
    assert tally.rows == count
    assert tally.violating == sum(value != 1.0 for value in column)
    found = {c: (t.count, t.observed, t.examples) for c, t in tally.checks.items()}
    assert repr(found) == repr(naive(plan, outcome, [k.to_pylist() for k in keys], limit))
    unkeyed = summarise(plan, outcome)
    found = {c: (t.count, t.observed, t.examples) for c, t in unkeyed.checks.items()}
    assert found == naive(plan, outcome, [], limit)


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@pytest.mark.parametrize(
    "dtype",
    [
        pa.date32(),
        pa.date64(),
        *(pa.timestamp(unit, zone) for unit in UNITS for zone in (None, "Asia/Tokyo")),
    ],
    ids=str,
)
def test_a_keys_text_depends_on_no_neighbour_and_sorts_as_the_key(dtype: pa.DataType) -> None:
    narrow = dtype == pa.date32()
    top = 2 ** (31 if narrow else 63)
    day = {pa.date32(): 1, pa.date64(): 86_400_000}.get(dtype) or 86_400 * UNITS[dtype.unit]
    chance = random.Random(0)
    values = {0, 1, -1, -top, top - 1, *(chance.randrange(-top, top) for _ in range(60))}
    values |= {day * chance.randrange(-(10**5), 10**5) for _ in range(20)}
    # where the calendars of Python begin and end
    values |= {day * edge for edge in (-719_163, -719_162, 2_932_896, 2_932_897)}
    values = {value for value in values if -top <= value < top}
    if dtype == pa.date64():
        values = {value // day * day for value in values if value >= day - top}
    ordered = sorted(values)
    key = pa.array(ordered, pa.int32() if narrow else pa.int64()).view(dtype)
    batch = pa.RecordBatch.from_arrays([pa.nulls(len(key), pa.int64())], ["a"])
    plan = plan_for(batch, [ColSpec("long", "a")], Policy(examples=len(key)))

    def texts(part: pa.Array) -> list[Any]:
        outcome = run_batch(plan, batch.slice(0, len(part)))
        return [e.key[0] for e in summarise(plan, outcome, [part]).checks[0].examples]

    whole = texts(key)
    assert [text for i in range(len(key)) for text in texts(key.slice(i, 1))] == whole
    assert whole == sorted(set(whole))
    assert texts(key.dictionary_encode()) == whole
    for value, text in zip(ordered, whole, strict=True):
        with contextlib.suppress(OverflowError, ValueError):
            assert text == cell(as_python(value, dtype))


def as_python(value: int, dtype: pa.DataType) -> dt.date:
    if dtype == pa.date32():
        return dt.date(1970, 1, 1) + dt.timedelta(days=value)
    if dtype == pa.date64():
        return dt.date(1970, 1, 1) + dt.timedelta(milliseconds=value)
    unit = UNITS[dtype.unit]
    if value * 10**6 % unit:
        raise ValueError("nanoseconds")
    zone = dt.timezone.utc if dtype.tz else None
    return dt.datetime(1970, 1, 1, tzinfo=zone) + dt.timedelta(microseconds=value * 10**6 // unit)


def test_times_at_the_ends_of_pythons_calendar_are_cells() -> None:
    east, west = (dt.timezone(dt.timedelta(hours=h)) for h in (9, -9))
    first, last = dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23)
    assert cell(first) == "0001-01-01T00:00:00.000000"
    assert cell(first.replace(tzinfo=west)) == "0001-01-01T09:00:00.000000+00:00"
    assert cell(first.replace(tzinfo=east)) == "-999999999999-12-31T15:00:00.000000+00:00"
    assert cell(last.replace(tzinfo=west)) == "Y000000010000-01-01T08:00:00.000000+00:00"


@pytest.mark.parametrize("count", [3, 700])
def test_the_smallest_dates_are_found_among_many(count: int) -> None:
    days = [random.Random(place).randrange(-(2**31), 2**31) for place in range(count)]
    key = pa.array(days, pa.int32()).view(pa.date32())
    batch = pa.RecordBatch.from_arrays([pa.nulls(count, pa.int64())], ["a"])
    plan = plan_for(batch, [ColSpec("long", "a")], Policy(examples=2))
    whole = summarise(plan, run_batch(plan, batch), [key])
    cut = Tally.total(
        (summarise(plan, run_batch(plan, batch.slice(i, 9)), [key.slice(i, 9)])
         for i in range(0, count, 9)), 2
    )  # fmt: skip
    assert whole == cut
    assert [e.key for e in whole.checks[0].examples] == [(date_text(d),) for d in sorted(days)[:2]]


@pytest.mark.parametrize("nulls", [0, 1, 2, 3, 4])
def test_rare_null_keys_come_first(nulls: int) -> None:
    first: list[Any] = [*range(1_000, 0, -1)]
    for place in range(nulls):
        first[100 * place] = None
    for key in (first, [None if k is None else f"{k:04}" for k in first]):
        batch = pa.RecordBatch.from_arrays([pa.nulls(1_000, pa.int64())], ["a"])
        plan = plan_for(batch, [ColSpec("long", "a")], Policy(examples=3))
        outcome = run_batch(plan, batch)
        tally = summarise(plan, outcome, [pa.array(key)])
        found = {c: (t.count, t.observed, t.examples) for c, t in tally.checks.items()}
        assert found == naive(plan, outcome, [key], 3)


DETAILS = pa.list_(pa.struct([("check", pa.int32()), ("observed", pa.string())]))


def test_what_catalyst_found_merges_by_row() -> None:
    outcome = Outcome(5, (), (Found(1, np.array([0, 3]), ["null", "null"]),))
    hit = {"check": 0, "observed": "null"}
    other = {"check": 1, "observed": "NaN"}
    details = pa.array([None, [hit], [], [hit, other], [other]], DETAILS)
    merged = merge_found(outcome, details)
    assert [(f.check, f.rows.tolist(), list(f.observed)) for f in merged.found] == [
        (0, [1, 3], ["null", "null"]),
        (1, [0, 3, 4], ["null", "null", "NaN"]),
    ]
    assert merged.violating().tolist() == [0, 1, 3, 4]
    tail = merge_found(Outcome(2, (), ()), details.slice(3))
    assert [f.rows.tolist() for f in tail.found] == [[0], [0, 1]]
    for nothing in (pa.nulls(5), pa.nulls(5, DETAILS), pa.array([[]] * 5, DETAILS)):
        assert merge_found(outcome, nothing).found == outcome.found
    with pytest.raises(ValueError, match="4 rows of details"):
        merge_found(outcome, pa.nulls(4))


def test_grouped_rows_count_as_often_as_they_are() -> None:
    hit, other = {"check": 0, "observed": "null"}, {"check": 7, "observed": "NaN"}
    rows = [
        {"key": {"k": 2, "n": "b"}, "violations": [hit, other]},
        {"key": {"k": 1, "n": None}, "violations": [hit]},
        {"key": {"k": None, "n": "a"}, "violations": None},
        {"key": {"k": 3, "n": "c"}, "violations": []},
    ]
    dtype = pa.struct(
        [("key", pa.struct([("k", pa.int64()), ("n", pa.string())])), ("violations", DETAILS)]
    )
    details, counts = pa.array(rows, dtype), [3, 1, 100, 10]
    tally = summarise_details(3, details, pa.array(counts))
    assert (tally.rows, tally.violating) == (114, 4)
    assert tally.checks[0].count == 4
    assert [e.key for e in tally.checks[0].examples] == [(1, None), (2, "b"), (2, "b")]
    assert tally.checks[7].count == 3
    assert tally.checks[7].observed == ("NaN",)
    parts = [summarise_details(3, details.slice(i, 1), counts[i : i + 1]) for i in range(4)]
    assert Tally.total(parts, 3) == tally
    assert Tally.loads(tally.dumps()) == tally
    keyless = pa.array(
        [{"key": {}, "violations": [hit]}], pa.struct([("key", pa.struct([])), dtype[1]])
    )
    assert summarise_details(2, keyless, [9]).checks[0].examples == (Example((), "null"),) * 2
    assert summarise_details(2, details.slice(0, 0), []) == Tally.empty(2)


# --- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 9, 10, 500_000, 999_999])
def test_one_row_in_a_million_is_found(place: int) -> None:
    count = 1_000_000
    hole = np.zeros(count, np.bool_)
    hole[place] = True
    numbers = np.arange(count, dtype=np.float64)
    numbers[place] += 0.5
    lengths = np.full(count, 2)
    lengths[place] = 1
    ends = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    elements = pa.array(np.zeros(2 * count - 1, np.float32))
    batch = pa.RecordBatch.from_pydict(
        {
            "null": pa.array(np.arange(count), mask=hole),
            "cast": pa.array(numbers),
            "element": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(count), mask=hole), 1),
            "shape": pa.ListArray.from_arrays(ends, elements),
        }
    )
    specs = [ColSpec("long", "null"), ColSpec("long", "cast"), ColSpec(Array("long"), "element")]
    plan = plan_for(batch, specs, Policy(casts="lossless"))
    outcome = run_batch(plan, batch)
    assert [f.rows.tolist() for f in outcome.found] == [[place]] * 3
    assert outcome.columns[1].null_count == 1
    tensor = plan_for(batch, [TensorSpec("float32", (-1, 2), "shape")])
    assert [f.rows.tolist() for f in run_batch(tensor, batch).found] == [[place]]


def test_clean_columns_cost_no_pass_over_their_rows() -> None:
    """Counts that Arrow knows are all that is read: the system maps no page of the values."""
    rows = 2_000_000
    values = pa.py_buffer(mmap.mmap(-1, 8 * rows))
    column = pa.Array.from_buffers(pa.int64(), rows, [None, values])
    large = pa.RecordBatch.from_arrays([column], ["a"])
    plan = plan_for(large, [ColSpec("long", "a")])
    run_batch(plan, large.slice(0, 10))
    before = pages_touched()
    run_batch(plan, large)
    touched = pages_touched() - before
    assert touched < 8 * rows / mmap.PAGESIZE / 10


def pages_touched() -> int:
    """Pages that this process was given at first touch, and found in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
