"""Casts of scalars, value by value, against exact arithmetic."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_sig.casts import CARRIERS, Kind
from spark_sig.errors import Code
from spark_sig.kernels.batch import Outcome, run_batch
from spark_sig.plan import EnforcementPlan
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.types import DataType
from tests.kernels_oracle import LIMITS, expect, same

EDGES = sorted(
    {
        sign * (2**power) + off
        for power in (0, 7, 8, 11, 15, 16, 24, 25, 31, 32, 53, 54, 62, 63, 64)
        for off in (-3, -2, -1, 0, 1, 2, 3)
        for sign in (-1, 1)
    }
)
FLOATS = [
    *(0.0, -0.0, 0.5, -0.5, 0.1, 1e300, -1e300, 5e-324, 1.1754943508222875e-38, 1e-45, 2**-149),
    *(2.0**-150, 3 * 2.0**-150, 3.4028234663852886e38, 3.4028235677973366e38, 65504.0, 65520.0),
    *(2.0**-24, 2.0**-25, 6.1e-5, float("nan"), float("inf"), float("-inf")),
    *(math.nextafter(2.0**63, 0), 2.0**63, -(2.0**63), math.nextafter(-(2.0**63), -math.inf)),
    *(float(edge) for edge in EDGES),
    *(edge + 0.5 for edge in EDGES if abs(edge) < 2**40),
]


def narrowed(value: float, code: str) -> float:
    try:
        return float(struct.unpack(code, struct.pack(code, value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def integers(kind: str) -> st.SearchStrategy[int]:
    low, high = LIMITS[kind]
    return st.one_of(
        st.sampled_from([edge for edge in EDGES if low <= edge <= high]),
        st.integers(low, high),
        st.builds(
            lambda m, e: max(low, min(high, m << e)), st.integers(low, high), st.integers(0, 62)
        ),
    )


def floats(code: str) -> st.SearchStrategy[float]:
    both = st.one_of(st.sampled_from(FLOATS), st.floats(), st.integers(-(2**66), 2**66).map(float))
    return both.map(lambda value: narrowed(value, code))


def decimals(precision: int, scale: int) -> st.SearchStrategy[decimal.Decimal]:
    top = 10**precision - 1
    # powers at which a power of five, or of ten, stops fitting int64
    turns = [5**27, -(5**27), 3 * 10**18, -(10**18), 9 * 10**18]
    near = [n for n in EDGES + turns if abs(n) <= top]
    scaled = [n * 10**scale for n in EDGES if scale >= 0 and abs(n * 10**scale) <= top]
    dyadic = [
        sign * odd * 5**scale << twos
        for odd in (1, 3, 2**24 - 1, 2**24 + 1, 2**53 - 1, 2**53 + 1)
        for twos in (0, 1, 10, 60)
        for sign in (-1, 1)
        if scale >= 0 and odd * 5**scale << twos <= top
    ]
    unscaled = st.one_of(
        st.sampled_from(near + scaled + dyadic),
        st.integers(-top, top),
        st.integers(-min(top, 999), min(top, 999)),
    )
    with decimal.localcontext(decimal.Context(prec=100)):
        return unscaled.map(
            lambda u: decimal.Decimal((u < 0, tuple(map(int, str(abs(u)))), -scale))
        )


NUMERALS = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.from_regex(r"[+-]?[0-9]{1,3}(\.[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(EDGES).map(str),
    st.sampled_from([f for f in FLOATS if math.isfinite(f)]).map(repr),
    # exact expansions, up to hundreds of digits
    st.sampled_from([f for f in FLOATS if math.isfinite(f)]).map(
        lambda f: format(decimal.Decimal(f), "f")
    ),
    st.sampled_from([f for f in FLOATS if math.isfinite(f)]).map(lambda f: str(decimal.Decimal(f))),
    st.sampled_from(
        ["", " ", "1 ", " 1", "1\n", "+", "-", ".5", "5.", "1e", "1e+", "e5", "0x1", "1_0", "NaN",
         "inf", "Infinity", "nan", "٣", "1.5e3", "15e-1", "-0", "-0.0", "+0", "-0e9", "0e999",
         "1e-400", "1e400", "1e22", "1e23", "0000000000000000000000000007", "1.00000000000000000",
         "9007199254740993", "9007199254740993.0", "9223372036854775807", "9223372036854775808",
         "-9223372036854775808", "-9223372036854775809", "0.5", "0.1", "1e18", "1e19", "1e-1",
         "10e-1", "123456789012345678", "12345678901234567.8", "1,5", "--1", "1.2.3", "1e5.0"]
    ),
    st.text(max_size=4),
)  # fmt: skip

SOURCES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int8": (pa.int8(), integers("int8")),
    "int16": (pa.int16(), integers("int16")),
    "integer": (pa.int32(), integers("integer")),
    "long": (pa.int64(), integers("long")),
    "uint8": (pa.uint8(), integers("uint8")),
    "uint16": (pa.uint16(), integers("uint16")),
    "uint32": (pa.uint32(), integers("uint32")),
    "uint64": (pa.uint64(), integers("uint64")),
    "float16": (pa.float16(), floats("e").map(np.float16)),
    "float": (pa.float32(), floats("f")),
    "double": (pa.float64(), floats("d")),
    "string": (pa.string(), NUMERALS),
    "large_string": (pa.large_string(), NUMERALS),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), NUMERALS),
    **{
        f"decimal({p},{s})": (pa.decimal128(p, s), decimals(p, s))
        for p, s in [(5, 2), (18, 0), (18, 18), (19, 3), (38, 0), (38, 10), (38, 19), (38, 38)]
    },
    "decimal(12,-3)": (pa.decimal128(12, -3), decimals(12, -3)),
    "decimal256(76,0)": (pa.decimal256(76, 0), decimals(76, 0)),
    "decimal256(76,30)": (pa.decimal256(76, 30), decimals(76, 30)),
}
TARGETS = [DataType.integer, DataType.long, DataType.float, DataType.double]


def plan_for(
    batch: pa.RecordBatch, specs: list[Any], policy: Policy | None = None, spark: bool = False
) -> EnforcementPlan:
    plan = plan_enforcement(batch.schema, Schema(specs), policy, engine="arrow", spark=spark)
    assert not plan.findings, plan.findings
    return plan


def agree(plan: EnforcementPlan, batch: pa.RecordBatch, values: dict[str, list[Any]]) -> Outcome:
    """Hold a run to the oracle, values and all; and the run without columns to that with."""
    outcome = run_batch(plan, batch)
    expected = expect(plan, values, batch.num_rows)
    for column, field in zip(outcome.columns, plan.output, strict=True):
        assert column.type == field.type
        column.validate(full=True)
    assert [same(column.to_pylist()) for column in outcome.columns] == same(expected.columns)
    found = {
        f.check: dict(zip(f.rows.tolist(), list(f.observed), strict=True)) for f in outcome.found
    }
    assert found == expected.found
    assert list(found) == sorted(found)
    assert all((np.diff(f.rows) > 0).all() and len(f.rows) for f in outcome.found)
    rows = sorted({row for hits in expected.found.values() for row in hits})
    assert outcome.violating().tolist() == rows
    bare = run_batch(plan, batch, columns=False)
    assert bare.columns == ()
    assert [(f.check, f.rows.tolist(), list(f.observed)) for f in bare.found] == [
        (f.check, f.rows.tolist(), list(f.observed)) for f in outcome.found
    ]
    return outcome


@pytest.mark.parametrize("source", list(SOURCES))
@settings(max_examples=25)
@given(data=st.data())
def test_lossless_casts_agree_with_exact_arithmetic(source: str, data: st.DataObject) -> None:
    dtype, values = SOURCES[source]
    target = data.draw(st.sampled_from(TARGETS))
    column = data.draw(st.lists(st.one_of(values, values, values, st.none()), max_size=25))
    column = [v for v in column if v is None or not isinstance(v, str) or encodable(v)]
    batch = pa.RecordBatch.from_arrays([pa.array(column, dtype)], ["a"])
    required = data.draw(st.booleans())
    nan = data.draw(st.sampled_from(["allow", "reject"]))
    plan = plan_for(batch, [ColSpec(target, "a", required)], Policy(casts="lossless", nan=nan))
    start = data.draw(st.integers(0, 3))
    outcome = agree(plan, batch.slice(start), {"a": column[start:]})
    if start == 0 and not outcome.found and None not in column:
        assert len(outcome.columns[0]) == len(column)


def encodable(text: str) -> bool:
    return not any(0xD800 <= ord(letter) < 0xE000 for letter in text)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("source", ["long", "uint64", "float", "double"])
def test_every_edge_is_decided_exactly(source: str, target: DataType) -> None:
    dtype, _ = SOURCES[source]
    if source in LIMITS:
        low, high = LIMITS[source]
        column: list[Any] = [edge for edge in EDGES if low <= edge <= high]
    else:
        column = [narrowed(value, "f" if source == "float" else "d") for value in FLOATS]
    batch = pa.RecordBatch.from_arrays([pa.array(column, dtype)], ["a"])
    agree(plan_for(batch, [ColSpec(target, "a")], Policy(casts="lossless")), batch, {"a": column})


@settings(max_examples=100)
@given(text=NUMERALS.filter(encodable))
def test_strings_denote_what_they_spell(text: str) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([text])] * 2, ["i", "d"])
    specs = [ColSpec("long", "i"), ColSpec("double", "d")]
    agree(plan_for(batch, specs, Policy(casts="lossless")), batch, {"i": [text], "d": [text]})


# The ends of doubles and floats: largest, first beyond, smallest, half of it, longest expansion.
ENDS = [
    *(float(np.finfo(kind).max) for kind in (np.float32, np.float64)),
    *(5e-324, 2.0**-149, 2.0**-150, 2.0**-1022 - 2.0**-1074, 2.0**-126 - 2.0**-149),
]
SPELT = [format(decimal.Decimal(sign * end), "f") for end in ENDS for sign in (-1, 1)]
SPELT += [str(decimal.Decimal(end)) for end in ENDS]
SPELT += [str(2**1024), str(2**128), str(2**1024 - 2**970), f"{5**1075}e-1075"]
SPELT += [str(edge) for edge in EDGES] + [f"{edge}.0" for edge in EDGES]
SPELT += [f"{edge}e0" for edge in EDGES] + [f"{edge}0e-1" for edge in EDGES]


def test_strings_are_read_to_the_ends_of_every_type() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(SPELT)] * 4, list("abcd"))
    specs = [ColSpec(target, name) for target, name in zip(TARGETS, "abcd", strict=True)]
    plan = plan_for(batch, specs, Policy(casts="lossless"))
    agree(plan, batch, dict.fromkeys("abcd", SPELT))


@pytest.mark.parametrize("scale", range(39))
def test_decimals_of_every_scale(scale: int) -> None:
    units = [10**n * k for n in (17, 18, 19, 20, 30) for k in (1, 3, -9)]
    units += [5**n << k for n in (26, 27, 28, 38) for k in (0, 1, 30)]
    units += [10**scale * k for k in (0, 1, -1, 2**31, 2**24 + 1, 2**53 + 1, 2**63, -(2**63))]
    with decimal.localcontext(decimal.Context(prec=100)):
        column = [decimal.Decimal(u).scaleb(-scale) for u in units if abs(u) < 10**38]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(column, pa.decimal128(38, scale))] * 4, list("abcd")
    )
    specs = [ColSpec(target, name) for target, name in zip(TARGETS, "abcd", strict=True)]
    plan = plan_for(batch, specs, Policy(casts="lossless"))
    agree(plan, batch, dict.fromkeys("abcd", column))


def test_numerals_of_any_length_are_decided_fast() -> None:
    texts = ["9" * 100_000, "0." + "0" * 100_000 + "1", "1e" + "9" * 10_000, "1e-" + "9" * 10_000]
    texts += ["0" * 100_000 + "7", "0e" + "9" * 10_000, "5" + "0" * 100_000 + "e-100000"]
    batch = pa.RecordBatch.from_arrays([pa.array(texts)] * 2, ["i", "d"])
    plan = plan_for(batch, [ColSpec("long", "i"), ColSpec("double", "d")], Policy(casts="lossless"))
    outcome = run_batch(plan, batch)
    assert outcome.columns[0].to_pylist() == [None, None, None, None, 7, 0, 5]
    assert outcome.columns[1].to_pylist() == [None, None, None, None, 7.0, 0.0, 5.0]
    whole, real = (f for f in outcome.found)
    assert list(whole.observed) == [
        "out-of-range string", "non-integral string", "out-of-range string", "non-integral string"
    ]  # fmt: skip
    assert set(real.observed) == {"inexact string"}


@pytest.mark.parametrize(
    ("target", "carrier"), [(t, c) for t, cs in CARRIERS.items() for c in sorted(cs, key=str)]
)
@settings(max_examples=40)
@given(data=st.data())
def test_carriers_are_checked_and_stay(target: Kind, carrier: Kind, data: st.DataObject) -> None:
    name = target.value
    dtype, values = {**SOURCES, "decimal": (pa.decimal128(20, 0), decimals(20, 0))}[carrier.value]
    column = data.draw(st.lists(st.one_of(values, st.none()), max_size=8))
    batch = pa.RecordBatch.from_arrays([pa.array(column, dtype)], ["a"])
    plan = plan_for(batch, [TensorSpec(name, (-1,), "a")], spark=True)
    agree(plan, batch, {"a": column})


@pytest.mark.parametrize("width", [32, 64, 128, 256])
def test_uint64_fits_every_width_of_decimal(width: int) -> None:
    if not hasattr(pa, f"decimal{width}"):
        pytest.skip("this pyarrow has no such decimal")
    precision = {32: 9, 64: 18, 128: 20, 256: 20}[width]
    top = 10**precision - 1
    edges = [n for n in (0, -1, 1, 2**63, 2**64 - 1, 2**64, top, -top) if abs(n) <= top]
    column = [decimal.Decimal(n) for n in edges]
    dtype = getattr(pa, f"decimal{width}")(precision, 0)
    batch = pa.RecordBatch.from_arrays([pa.array(column, dtype)], ["a"])
    agree(plan_for(batch, [TensorSpec("uint64", (-1,), "a")], spark=True), batch, {"a": column})


def test_safe_casts_widen_every_value() -> None:
    edges = {
        "int8": [-128, 127], "int16": [-32768, 32767], "integer": [-(2**31), 2**31 - 1],
        "uint8": [0, 255], "uint16": [0, 65535], "uint32": [0, 2**32 - 1],
        "float16": [np.float16(65504), np.float16(-0.0), np.float16("nan"), np.float16(2**-24)],
        "float": [narrowed(0.1, "f"), -0.0, math.nan, math.inf],
    }  # fmt: skip
    for source, column in edges.items():
        for target in TARGETS:
            dtype, _ = SOURCES[source]
            batch = pa.RecordBatch.from_arrays([pa.array([*column, None], dtype)], ["a"])
            spec = Schema([ColSpec(target, "a", False)])
            plan = plan_enforcement(batch.schema, spec, engine="arrow")
            if not plan.findings:
                agree(plan, batch, {"a": [*column, None]})


def test_nan_becomes_null_in_an_optional_integer_column() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1.0, math.nan, None, 2.5])], ["a"])
    plan = plan_for(batch, [ColSpec("long", "a", False)], Policy(casts="lossless"))
    outcome = agree(plan, batch, {"a": [1.0, math.nan, None, 2.5]})
    assert outcome.columns[0].to_pylist() == [1, None, None, None]
    assert [list(f.observed) for f in outcome.found] == [["non-integral double"]]


def test_garbage_under_null_violates_nothing() -> None:
    values = pa.py_buffer(np.array([1.5, math.nan, 3.0]))
    bits = pa.py_buffer(bytes([0b100]))
    array = pa.Array.from_buffers(pa.float64(), 3, [bits, values])
    batch = pa.RecordBatch.from_arrays([array], ["a"])
    plan = plan_for(batch, [ColSpec("long", "a", False)], Policy(casts="lossless", nan="reject"))
    assert not run_batch(plan, batch).found
    assert run_batch(plan, batch).columns[0].to_pylist() == [None, None, 3]


# --- datetimes -----------------------------------------------------------------------------------

NANOS = [0, 1, -1, 999, 1000, 1001, -999, -1000, -1001, 2**63 - 1, -(2**63), 10**18]


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_nanoseconds_pass_where_they_are_whole_microseconds(zone: str | None) -> None:
    stored = pa.array(NANOS, pa.int64()).view(pa.timestamp("ns", zone))
    batch = pa.RecordBatch.from_arrays([stored], ["t"])
    plan = plan_for(batch, [ColSpec("datetime", "t")], Policy(casts="lossless"))
    outcome = run_batch(plan, batch)
    assert outcome.columns[0].type == pa.timestamp("us", zone)
    out = outcome.columns[0].view(pa.int64()).to_pylist()
    assert out == [n // 1000 if n % 1000 == 0 else None for n in NANOS]
    (found,) = outcome.found
    assert found.rows.tolist() == [i for i, n in enumerate(NANOS) if n % 1000]
    assert set(found.observed) == {"inexact timestamp" if zone else "inexact timestamp_ntz"}


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize(
    "policy", [Policy(), Policy(datetime="timestamp"), Policy(casts="lossless")]
)
def test_instants_in_a_dictionary(policy: Policy, zone: str | None) -> None:
    stored = pa.array([1000, None, 1001, 1000], pa.int64()).view(pa.timestamp("ns", zone))
    batch = pa.RecordBatch.from_arrays([stored.dictionary_encode()], ["t"])
    plan = plan_for(batch, [ColSpec("datetime", "t", False)], policy)
    (out,) = run_batch(plan, batch).columns
    assert out.type == plan.output.field(0).type
    if policy.casts == "lossless":
        assert out.view(pa.int64()).to_pylist() == [1, None, None, 1]
    else:
        decoded = out.dictionary_decode() if pa.types.is_dictionary(out.type) else out
        assert decoded.view(pa.int64()).to_pylist() == [1000, None, 1001, 1000]


def test_a_tensor_fixes_the_precision_of_its_instants() -> None:
    for unit, fits in (("us", True), ("ns", False), ("ms", False)):
        schema = pa.schema([("t", pa.list_(pa.timestamp(unit)))])
        spec = Schema([TensorSpec("datetime64[us]", (-1, -1), "t")])
        assert (not plan_enforcement(schema, spec, engine="arrow").findings) is fits


@pytest.mark.parametrize("policy", [Policy(), Policy(datetime="timestamp")])
def test_dates_and_wall_clocks(policy: Policy) -> None:
    zone = "UTC" if policy.datetime == "timestamp" else None
    days = [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(9999, 12, 31)]
    clock = [dt.datetime(1, 1, 1), dt.datetime(1969, 12, 31, 23, 59, 59, 999999), None, None]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(days), pa.array(clock, pa.timestamp("us"))], ["d", "t"]
    )
    specs = [ColSpec("datetime", "d"), ColSpec("datetime", "t", False)]
    outcome = run_batch(plan_for(batch, specs, policy), batch)
    assert [c.type for c in outcome.columns] == [pa.timestamp("us", zone)] * 2
    epoch = dt.date(1970, 1, 1)
    midnights = [(day - epoch).days * 86_400_000_000 for day in days]
    assert outcome.columns[0].view(pa.int64()).to_pylist() == midnights
    assert outcome.columns[1].view(pa.int64()).equals(batch.column(1).view(pa.int64()))


@pytest.mark.parametrize("policy", [Policy(), Policy(datetime="timestamp")])
@pytest.mark.parametrize("stored", [pa.date32(), pa.date64()])
def test_a_date_that_microseconds_cannot_hold_violates(stored: pa.DataType, policy: Policy) -> None:
    # In microseconds 64 bits end within a day, which they then hold in milliseconds only.
    unit, edge = (86_400_000_000, 106_751_991) if stored == pa.date32() else (1_000, 2**63 // 1_000)
    assert edge * unit < 2**63 <= (edge + 1) * unit
    ends = [-edge - 1, -edge, -1, 0, 1, edge, edge + 1]
    limit = 2**31 if stored == pa.date32() else 2**63
    values = [*ends, None, -limit, limit - 1]
    width = pa.int32() if stored == pa.date32() else pa.int64()
    batch = pa.RecordBatch.from_arrays([pa.array(values, width).view(stored)], ["d"])
    plan = plan_for(batch, [ColSpec("datetime", "d", False)], policy)
    outcome = run_batch(plan, batch)
    (found,) = outcome.found
    assert plan.checks[found.check].code is Code.CAST
    assert found.rows.tolist() == [0, 6, 8, 9]
    assert set(found.observed) == {"out-of-range date"}
    expected = [None if v is None or abs(v) > edge else v * unit for v in values]
    assert outcome.columns[0].view(pa.int64()).to_pylist() == expected
    assert run_batch(plan, batch.slice(1, 5)).found == ()
    shown = plan_for(batch, [ColSpec("datetime", "d", False)], replace(policy, show_values=True))
    (found,) = run_batch(shown, batch).found
    assert found.values is not None
    assert all(text.startswith(("Y", "-")) for text in found.values)


def test_another_zone_is_the_same_instant() -> None:
    stored = pa.array([0, 1, None], pa.timestamp("us", "UTC"))
    plan = plan_for(pa.RecordBatch.from_arrays([stored], ["t"]), [ColSpec("datetime", "t", False)])
    other = stored.view(pa.timestamp("us", "Asia/Tokyo"))
    (out,) = run_batch(plan, pa.RecordBatch.from_arrays([other], ["t"])).columns
    assert out.type == stored.type
    assert out.equals(stored)
    assert out.buffers()[1].address == stored.buffers()[1].address
