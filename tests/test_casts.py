"""Casts between types are an order, and casts of values keep what the values say."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spark_sig.casts import (
    NATIVE,
    NUMBERS,
    RANGES,
    SAFE,
    Cast,
    Kind,
    cast_rule,
    kind_of,
    lossless_rule,
    remedy_for,
)
from spark_sig.kernels.batch import run_batch
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Casts, Policy
from spark_sig.schema import ColSpec, Schema
from spark_sig.types import DataType

POLICIES: tuple[Casts, ...] = get_args(Casts)
PAIRS = list(product(Kind, DataType))
KINDS = list(product(Kind, Kind))

# One Arrow type for each kind that a column can be stored as.
STORED: dict[Kind, pa.DataType] = {
    Kind.BOOL: pa.bool_(),
    Kind.INT8: pa.int8(),
    Kind.INT16: pa.int16(),
    Kind.INT32: pa.int32(),
    Kind.INT64: pa.int64(),
    Kind.UINT8: pa.uint8(),
    Kind.UINT16: pa.uint16(),
    Kind.UINT32: pa.uint32(),
    Kind.UINT64: pa.uint64(),
    Kind.FLOAT16: pa.float16(),
    Kind.FLOAT32: pa.float32(),
    Kind.FLOAT64: pa.float64(),
    Kind.DECIMAL: pa.decimal128(38, 10),
    Kind.STRING: pa.string(),
    Kind.BINARY: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    Kind.TIMESTAMP_NTZ: pa.timestamp("us"),
    Kind.NULL: pa.null(),
}
# Signed or not, and bits; the oracle's own account of what integers there are.
WIDTHS = {
    kind: (kind.name.startswith("U"), int(kind.name.strip("UINT")))
    for kind in Kind
    if "INT" in kind.name and kind.name.strip("UINT").isdigit()
}
FORMATS = {Kind.FLOAT16: "<e", Kind.FLOAT32: "<f", Kind.FLOAT64: "<d"}
TARGETS = {
    DataType.integer: Kind.INT32,
    DataType.long: Kind.INT64,
    DataType.float: Kind.FLOAT32,
    DataType.double: Kind.FLOAT64,
}


# --- the table ------------------------------------------------------------------------------------


def test_every_kind_is_stored_as_some_type() -> None:
    assert set(STORED) == set(Kind)
    assert {kind_of(dtype): kind for kind, dtype in STORED.items()} == {k: k for k in Kind}
    assert set(NATIVE) == set(SAFE) == set(DataType)


@pytest.mark.parametrize("casts", POLICIES)
def test_table_is_total(casts: Casts) -> None:
    for kind, target in PAIRS:
        assert isinstance(cast_rule(kind, target, casts), Cast)
        assert target.value in remedy_for(kind, target, casts)
    for left, right in KINDS:
        assert isinstance(lossless_rule(left, right), Cast)


def test_a_stricter_policy_accepts_less() -> None:
    for kind, target in PAIRS:
        exact, safe, lossless = (cast_rule(kind, target, c) for c in ("exact", "safe", "lossless"))
        if exact is not Cast.REFUSED:
            assert safe is exact
        if safe is not Cast.REFUSED:
            assert lossless is safe
        # From types alone: safe never looks at a value, exact never changes one.
        assert safe is not Cast.CHECKED
        assert exact in (Cast.IDENTITY, Cast.REFUSED)


def test_identity_is_always_allowed() -> None:
    for target, kind in NATIVE.items():
        assert {cast_rule(kind, target, casts) for casts in POLICIES} == {Cast.IDENTITY}
    assert all(lossless_rule(kind, kind) is Cast.IDENTITY for kind in Kind)


def always(left: Kind, right: Kind) -> bool:
    """Say whether every value of one kind has an equal in another."""
    return lossless_rule(left, right) in (Cast.IDENTITY, Cast.WIDEN)


def test_widening_is_an_order() -> None:
    for a, b in KINDS:
        if always(a, b) and always(b, a):
            assert a is b
        for c in Kind:
            if always(a, b) and always(b, c):
                assert always(a, c), f"{a} fits {b}, {b} fits {c}"


def test_a_chain_of_casts_may_do_what_each_of_them_may() -> None:
    for a, b, c in product(Kind, repeat=3):
        if Cast.REFUSED not in (lossless_rule(a, b), lossless_rule(b, c)):
            assert lossless_rule(a, c) is not Cast.REFUSED, (a, b, c)


def test_no_number_is_a_flag_a_text_or_a_moment() -> None:
    others = set(Kind) - NUMBERS
    for kind, other in product(NUMBERS, others):
        assert lossless_rule(kind, other) is Cast.REFUSED
        assert lossless_rule(other, kind) is (
            Cast.CHECKED if other is Kind.STRING else Cast.REFUSED
        )


# --- the oracle -----------------------------------------------------------------------------------


def holds(kind: Kind, value: Fraction) -> bool:
    """Say whether a kind has an exact number among its values: asked of struct, not of a table."""
    if kind in WIDTHS:
        unsigned, bits = WIDTHS[kind]
        low, high = (0, 2**bits) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return value.denominator == 1 and low <= value < high
    try:
        stored = struct.unpack(FORMATS[kind], struct.pack(FORMATS[kind], float(value)))[0]
    except OverflowError:
        return False
    return math.isfinite(stored) and Fraction(stored) == value


def edges(kind: Kind) -> list[Any]:
    """Return values of a kind at its own edges, and at those of every other."""
    powers = {sign * 2**n + d for n in range(70) for d in (-1, 0, 1) for sign in (-1, 1)}
    if kind in WIDTHS:
        return sorted(v for v in powers if holds(kind, Fraction(v)))
    if kind in FORMATS:
        exact = [v / 2 for v in powers] + [2.0**n for n in range(-160, 300, 7)] + [0.1, 1e300]
        found = [v for v in exact if holds(kind, Fraction(v))]
        return [*found, 0.0, -0.0, math.inf, -math.inf, math.nan]
    if kind is Kind.DECIMAL:
        tiny = [Decimal("1e-10"), Decimal("0.5"), Decimal("0.1"), Decimal("-2.25")]
        return [*map(Decimal, sorted(powers)), *tiny]
    raise AssertionError(kind)


NUMERIC = [*WIDTHS, *FORMATS, Kind.DECIMAL]


@pytest.mark.parametrize("left", [k for k in NUMERIC if k is not Kind.DECIMAL])
def test_a_cast_widens_exactly_where_every_edge_fits(left: Kind) -> None:
    finite = [Fraction(v) for v in edges(left) if math.isfinite(v)]
    for right in [*WIDTHS, *FORMATS]:
        fits = all(holds(right, value) for value in finite)
        # A float has infinities and NaN, which no integer has, and -0.0.
        fits = fits and (left in WIDTHS or right in FORMATS)
        assert always(left, right) is fits, right


def cast(values: list[Any], stored: pa.DataType, target: DataType, casts: Casts) -> list[Any]:
    """Cast values by the kernels; those that fail come out as "fails"."""
    array = pa.array(values, stored)
    batch = pa.RecordBatch.from_arrays([array], ["v"])
    policy = Policy(casts=casts)
    plan = plan_enforcement(batch.schema, Schema([ColSpec(target, "v")]), policy)
    assert plan.findings == ()
    outcome = run_batch(plan, batch)
    found = outcome.columns[0].to_pylist()
    for row in outcome.violating().tolist():
        found[row] = "fails"
    return found


def says(value: Any) -> Any:
    """Return what a number says, the sign of a zero and NaN included."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # An integer has one zero: it says nothing of a sign.
    minus = isinstance(value, float) and value == 0 and math.copysign(1, value) < 0
    return Fraction(value), minus


@pytest.mark.parametrize("casts", POLICIES)
@pytest.mark.parametrize("kind", NUMERIC)
def test_a_cast_passes_exactly_where_the_target_has_the_value(kind: Kind, casts: Casts) -> None:
    values = edges(kind)
    for target, native in TARGETS.items():
        rule = cast_rule(kind, target, casts)
        if rule is Cast.REFUSED:
            continue
        for before, after in zip(values, cast(values, STORED[kind], target, casts), strict=True):
            told = says(before)
            if isinstance(told, str):
                fits = native in FORMATS
            else:
                fits = holds(native, told[0]) and not (told[1] and native in WIDTHS)
            assert (after != "fails") is fits, (before, target)
            if fits:
                assert says(after) == told, (before, target)
            if rule is not Cast.CHECKED:
                assert fits, "a cast that no value is checked for has failed"


NUMBER_TARGETS = st.sampled_from(list(TARGETS))


@st.composite
def stored_numbers(draw: st.DrawFn) -> tuple[Kind, Any]:
    """Return a kind, and any value of it."""
    kind = draw(st.sampled_from(NUMERIC))
    if kind in WIDTHS:
        unsigned, bits = WIDTHS[kind]
        low = 0 if unsigned else -(2 ** (bits - 1))
        return kind, draw(st.integers(low, low + 2**bits - 1))
    if kind in FORMATS:
        return kind, draw(st.floats(width=8 * struct.calcsize(FORMATS[kind])))  # type: ignore[arg-type]
    digits = draw(st.integers(-(10**20), 10**20))
    return kind, Decimal(digits) / Decimal(10) ** draw(st.integers(0, 6))


@given(stored_numbers(), NUMBER_TARGETS)
def test_what_a_lossless_cast_accepts_comes_back(
    stored: tuple[Kind, Any], target: DataType
) -> None:
    kind, value = stored
    [there] = cast([value], STORED[kind], target, "lossless")
    assume(there != "fails")
    if kind in (Kind.DECIMAL, *(set(NUMERIC) - set(TARGETS.values()))):
        # No signature names the kind: the way back is the oracle's.
        assert says(there) == says(value)
        return
    home = next(name for name, native in TARGETS.items() if native is kind)
    [back] = cast([there], STORED[TARGETS[target]], home, "lossless")
    assert says(back) == says(value)


@given(st.text("0123456789.eE+-", max_size=12), NUMBER_TARGETS)
def test_a_text_becomes_the_number_that_it_spells(text: str, target: DataType) -> None:
    # Python would spell out the zeros of 1e999999999.
    assume(len(text.lower().partition("e")[2].lstrip("+-0")) < 4)
    [there] = cast([text], pa.string(), target, "lossless")
    # Python reads more than our grammar: `.5`, `5.` and `5.e1`.
    digits_all_round = (
        text[-1:].isdigit()
        and text.strip("+-")[:1].isdigit()
        and text.partition(".")[2][:1].isdigit() is ("." in text)
    )
    try:
        spelt = Fraction(text) if digits_all_round else None
    except ValueError:
        spelt = None
    fits = spelt is not None and holds(TARGETS[target], spelt)
    assert (there != "fails") is fits
    if fits:
        assert Fraction(there) == spelt


def test_ranges_are_what_the_names_say() -> None:
    for kind, (unsigned, bits) in WIDTHS.items():
        span = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        assert RANGES[kind] == span
    assert set(RANGES) == set(WIDTHS)
