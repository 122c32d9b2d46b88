"""Catalyst's SQL text decides and casts as exact arithmetic does, whatever the session's confs."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from spark_sig.compile.spark import source_schema, spark_struct
from spark_sig.engines.catalyst import (
    compile_expressions,
    enforce_rows,
    numbered,
    source_columns,
)
from spark_sig.engines.expressions import literal
from spark_sig.errors import ROW_ERROR, Code
from spark_sig.plan import EnforcementPlan, Rung
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.types import AnyType, Array, Map, Object, Property

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NAN, INF = math.nan, math.inf
LOSSLESS = Policy(casts="lossless")

HOSTILE: list[dict[str, str]] = [
    {"spark.sql.ansi.enabled": "true", "spark.sql.session.timeZone": "America/New_York"},
    {
        "spark.sql.ansi.enabled": "false",
        "spark.sql.caseSensitive": "true",
        "spark.sql.session.timeZone": "Pacific/Apia",
        "spark.sql.parser.escapedStringLiterals": "true",
        "spark.sql.parser.quotedRegexColumnNames": "true",
    },
    {
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.enforceReservedKeywords": "true",
        "spark.sql.ansi.doubleQuotedIdentifiers": "true",
        "spark.sql.legacy.exponentLiteralAsDecimal.enabled": "true",
    },
]


@contextlib.contextmanager
def confs(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    before = {key: spark.conf.get(key, None) for key in settings}
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)


def planned(df: DataFrame, specs: Schema | Sequence[ColSpec], policy: Policy) -> EnforcementPlan:
    schema = specs if isinstance(specs, Schema) else Schema(specs)
    plan = plan_enforcement(source_schema(df.schema), schema, policy, spark=True)
    assert plan.findings == ()
    return plan


def found(df: DataFrame, plan: EnforcementPlan) -> list[Any]:
    """Evaluate all expressions, the values as ``v0``, ``v1``, …"""
    e = compile_expressions(plan, columns=source_columns(plan))
    columns = [f"{value} AS v{i}" for i, value in enumerate(e.values)]
    columns += [f"{value} AS w{i}" for i, value in enumerate(e.conforming)]
    columns += [f"{e.violates or 'false'} AS bad", f"{e.tags} AS tags"]
    columns += [f"{e.details or 'NULL'} AS details", f"{e.message or 'NULL'} AS message"]
    return numbered(df, plan).selectExpr(*columns).collect()


# --- casts, against exact arithmetic -------------------------------------------------------------

BITS = {"float": 24, "double": 53, "float16": 11}
LEAST = {"float": -149, "double": -1074, "float16": -24}
GREATEST = {"float": 127, "double": 1023, "float16": 15}
LIMITS = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)} | {
    f"uint{n}": (0, 2**n - 1) for n in (8, 16, 32, 64)
}


def representable(exact: Fraction, target: str) -> bool:
    """Say whether a binary format has a number: by its digits, not by rounding."""
    if exact == 0:
        return True
    power = exact.denominator.bit_length() - 1
    if exact.denominator != 1 << power:
        return False
    mantissa = abs(exact.numerator)
    trailing = (mantissa & -mantissa).bit_length() - 1
    lowest = trailing - power
    highest = mantissa.bit_length() - 1 - power
    return (
        highest - lowest < BITS[target] and lowest >= LEAST[target] and highest <= GREATEST[target]
    )


def judged(value: float | int | Decimal, kind: str, target: str) -> str | None:
    """Name the failure of a lossless cast, None where there is none."""
    if isinstance(value, float) and not math.isfinite(value):
        if target in BITS:
            return None
        return f"NaN {kind}" if math.isnan(value) else f"infinite {kind}"
    exact = Fraction(value)
    if target in BITS:
        return None if representable(exact, target) else f"inexact {kind}"
    if exact.denominator != 1:
        return f"non-integral {kind}"
    if isinstance(value, float) and exact == 0 and math.copysign(1, value) < 0:
        return f"negative zero {kind}"
    low, high = LIMITS[target]
    return None if low <= exact <= high else f"out-of-range {kind}"


def single(value: float) -> float:
    return float(np.float32(value))


def around(*values: float) -> list[float]:
    near = [[math.nextafter(v, -INF), v, math.nextafter(v, INF)] for v in values]
    return [v for three in near for v in three]


def around_single(*values: float) -> list[float]:
    near = [np.nextafter(np.float32(v), np.float32(e)) for v in values for e in (-INF, INF)]
    return [float(v) for v in near] + [single(v) for v in values]


SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1e-320, -1e-320, 3.0, 2.5]
TINY = np.finfo(np.float32).smallest_subnormal
DOUBLES = [
    *SPECIAL,
    *around(2.0**31, -(2.0**31), 2.0**31 - 1, 2.0**53, -(2.0**53), 2.0**63, -(2.0**63)),
    *around(2.0**24, 2.0**24 + 1, 0.1, single(0.1), 1e300, float(np.finfo(np.float32).max)),
    *around(2.0**-149, 2.0**-150, 2.0**-126, 3 * 2.0**-149, 2.0**128),
]
SINGLES = [
    *(single(v) for v in SPECIAL if abs(v) != 1e-320),
    *around_single(2.0**31, -(2.0**31), 2.0**63, -(2.0**63), 2.0**24, 0.1, float(TINY)),
]
HALVES = [
    *(single(v) for v in SPECIAL if abs(v) != 1e-320),
    *around_single(65504.0, 65520.0, 65536.0, 2.0**-24, 2.0**-25, 2.0**-14, 3 * 2.0**-25, 0.1),
    *around_single(float(np.float16(0.1)), 2049.0, 2050.0, 1e30, float(TINY)),
]
LONGS = sorted(
    {
        sign * 2**power + step
        for power in (0, 7, 8, 15, 16, 24, 25, 31, 32, 53, 54, 62, 63)
        for sign in (-1, 1)
        for step in (-2, -1, 0, 1, 2)
        if -(2**63) <= sign * 2**power + step < 2**63
    }
    | {2**63 - 2**k for k in range(0, 12)}
    | {2**24 * 3, 2**53 * 3, 2**62 + 2**38, 2**62 + 2**39}
)
INTS = [v for v in LONGS if -(2**31) <= v < 2**31]


def decimals(precision: int, scale: int) -> list[Decimal]:
    top = 10**precision - 1
    edges = {0, 1, 10**scale, 5 * 10**scale // 2, top, top - top % 10**scale}
    for limit in (2**31, 2**63, 2**64):
        edges |= {(limit + step) * 10**scale + part for step in (-2, -1, 0, 1) for part in (0, 1)}
    fits = sorted({sign * e for e in edges if e <= top for sign in (-1, 1)})
    return [Decimal(f"{e}E-{scale}") for e in fits]


DECIMALS = [(38, 0), (38, 18), (38, 20), (38, 38), (20, 1), (19, 0), (10, 0), (9, 0), (5, 2)]
CASTS: dict[str, tuple[str, str, list[Any], list[str]]] = {
    "double": ("double", "double", DOUBLES, ["integer", "long", "float"]),
    "float": ("float", "float", SINGLES, ["integer", "long", "double"]),
    "half": ("float", "float", HALVES, ["float16"]),
    "long": ("bigint", "long", LONGS, ["integer", "float", "double", "uint8", "uint16", "uint32"]),
    "int": ("int", "integer", INTS, ["long", "float", "double", "uint8", "uint16"]),
    "short": ("smallint", "int16", [-(2**15), -1, 0, 255, 256, 2**15 - 1], ["uint8", "integer"]),
    **{
        f"decimal({p},{s})": (f"decimal({p},{s})", "decimal", decimals(p, s), ["integer", "long"])
        for p, s in DECIMALS
    },
    "uint64": ("decimal(20,0)", "decimal", decimals(20, 0), ["uint64"]),
}


def same(left: object, right: object) -> bool:
    """Compare bit by bit, so that -0.0 differs from 0.0 and NaN equals NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return (left != left and right != right) or struct.pack("d", left) == struct.pack(
            "d", right
        )
    return type(left) is type(right) and left == right


@pytest.mark.parametrize("ansi", ["true", "false"])
@pytest.mark.parametrize("case", CASTS)
def test_a_cast_passes_exactly_where_the_target_has_an_equal(
    spark: SparkSession, case: str, ansi: str
) -> None:
    sql, kind, values, targets = CASTS[case]
    rows = spark.createDataFrame([(v,) for v in [*values, None]], f"x {sql}")
    # One half is evaluated while the query is optimised, the other by generated code.
    df = rows.unionAll(rows.repartition(1))
    found = []
    for target in targets:
        plan = planned(df, Schema([spec_of(target)]), LOSSLESS)
        assert plan.fields[0].rung is Rung.CATALYST
        e = compile_expressions(plan)
        found.append(f"struct({e.values[0]} AS v, {e.conforming[0]} AS w, {e.violates} AS bad, "
                     f"transform({e.details}, d -> d.observed) AS seen)")  # fmt: skip
    with confs(spark, {"spark.sql.ansi.enabled": ansi}):
        got = df.selectExpr("x", *found).collect()
    assert len(got) == 2 * len(values) + 2
    for value, *results in got:
        for target, (v, w, bad, seen) in zip(targets, results, strict=True):
            shown = f"{value!r} as {target}: {v!r}, {w!r}, {bad}, {seen}"
            failure = "null" if value is None else judged(value, kind, target)
            assert seen == ([] if failure is None else [failure]), shown
            assert bad == (failure is not None), shown
            if failure is not None:
                assert v is None, shown
                continue
            carried = isinstance(spec_of(target), TensorSpec)
            wanted = value if carried else (int if target in LIMITS else float)(value)
            assert same(v, wanted), shown
            assert same(w, wanted), shown


def spec_of(target: str) -> ColSpec | TensorSpec:
    """Return a column, or a tensor where only those have the type."""
    if target in ("integer", "long", "float", "double"):
        return ColSpec(target, "x")
    return TensorSpec(target, (-1,), "x")


def test_every_half_precision_number_is_told_from_its_neighbours(spark: SparkSession) -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)].astype(np.float32)
    random = np.random.default_rng(0).integers(0, 2**32, 20_000, np.uint64).astype(np.uint32)
    values = np.concatenate(
        [
            halves,
            np.nextafter(halves, np.float32(INF)),
            np.nextafter(halves, np.float32(-INF)),
            random.view(np.float32),
        ]
    )
    values = values[np.isfinite(values)]
    frame = pd.DataFrame({"i": np.arange(len(values)), "x": values})
    table = spark.createDataFrame(frame, "i bigint, x float")
    plan = planned(table.select("x"), Schema([TensorSpec("float16", (-1,), "x")]), Policy())
    e = compile_expressions(plan, columns=("x",))
    got = table.where(e.violates or "").select("i").toPandas()["i"].to_numpy()
    with np.errstate(over="ignore"):
        wanted = np.flatnonzero(values.astype(np.float16).astype(np.float32) != values)
    assert len(wanted) > 10_000
    assert np.array_equal(np.sort(got), wanted)


def test_safe_casts_widen_without_a_check(spark: SparkSession) -> None:
    df = spark.createDataFrame(
        [(1, 2, 3, 0.1), (-128, -(2**15), -(2**31), -0.0)], "a tinyint, b smallint, c int, d float"
    )
    specs = [ColSpec("integer", "a"), ColSpec("long", "b"), ColSpec("double", "c")]
    plan = planned(df, [*specs, ColSpec("double", "d")], Policy(nulls="allow"))
    e = compile_expressions(plan)
    assert e.violates is None
    out = df.selectExpr(*e.values).collect()
    assert [tuple(r) for r in out] == [(1, 2, 3.0, single(0.1)), (-128, -(2**15), -(2.0**31), -0.0)]
    assert same(out[1][3], -0.0)


# --- NULL and NaN --------------------------------------------------------------------------------


def test_null_and_nan_are_one_check_where_the_policy_rejects_nan(spark: SparkSession) -> None:
    df = spark.createDataFrame([(1.0, 1.0), (None, None), (NAN, NAN)], "r double, o float")
    specs = [ColSpec("double", "r"), ColSpec("float", "o", False)]
    plan = planned(df, specs, Policy(nan="reject"))
    rows = found(df, plan)
    assert [[(d.check, d.observed) for d in r.details] for r in rows] == [
        [],
        [(0, "null")],
        [(0, "NaN"), (1, "NaN")],
    ]
    assert [r.bad for r in rows] == [False, True, True]
    assert (rows[2].v0, rows[2].v1) == (None, None)


def test_nan_becomes_null_in_an_optional_integer_field_only(spark: SparkSession) -> None:
    df = spark.createDataFrame([(NAN, NAN), (1.5, None), (2.0, 2.0)], "o double, r float")
    plan = planned(df, [ColSpec("long", "o", False), ColSpec("long", "r")], LOSSLESS)
    rows = found(df, plan)
    assert [[(t.path, t.code, t.observed) for t in r.tags] for r in rows] == [
        [("$.r", "cast", "NaN float")],
        [("$.o", "cast", "non-integral double"), ("$.r", "null", "null")],
        [],
    ]
    assert [(r.v0, r.v1) for r in rows] == [(None, None), (None, None), (2, 2)]


# --- datetimes -----------------------------------------------------------------------------------

MOMENTS = [
    dt.datetime(1, 1, 1),
    dt.datetime(1582, 10, 10, 1, 2, 3, 4),  # a day that the Julian calendar lacks
    dt.datetime(1883, 11, 18, 12, 3, 57, 999_999),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999_999),
    dt.datetime(1970, 1, 1),
    dt.datetime(1970, 1, 1, 0, 0, 0, 1),
    dt.datetime(2011, 12, 30, 12),  # a day that Samoa lacks
    dt.datetime(2024, 2, 29, 23, 59, 59, 1),
    dt.datetime(2024, 3, 10, 2, 30),  # in New York's gap
    dt.datetime(2024, 11, 3, 1, 30),  # in its overlap
    dt.datetime(2024, 3, 31, 1, 30),  # in London's gap
    dt.datetime(9999, 12, 31, 23, 59, 59, 999_999),
]
EPOCH = dt.datetime(1970, 1, 1)


@pytest.mark.parametrize(
    "zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Europe/London"]
)
def test_dates_and_zoneless_times_are_read_as_utc_in_any_session_zone(
    spark: SparkSession, zone: str
) -> None:
    rows = [(m, m.date()) for m in MOMENTS] + [(None, None)]
    data = spark.createDataFrame(rows, "t timestamp_ntz, d date")
    df = data.unionAll(data.repartition(1))
    specs = [ColSpec("datetime", "t", False), ColSpec("datetime", "d", False)]
    with confs(spark, {"spark.sql.session.timeZone": zone}):
        plan = planned(df, specs, Policy(datetime="timestamp"))
        e = compile_expressions(plan)
        got = df.selectExpr(
            "t", "d", *(f"unix_micros({v}) AS m{i}" for i, v in enumerate(e.values))
        )
        for row in got.collect():
            midnight = None if row.d is None else dt.datetime(row.d.year, row.d.month, row.d.day)
            assert (row.m0, row.m1) == (micros(row.t), micros(midnight))
        kept = planned(df, specs, Policy())
        for row in df.selectExpr("t", "d", *compile_expressions(kept).values).collect():
            assert row[2] == row.t
            assert row[3] == (None if row.d is None else dt.datetime(*row.d.timetuple()[:3]))


@pytest.mark.parametrize("ansi", ["true", "false"])
@pytest.mark.parametrize("policy", [Policy(), Policy(datetime="timestamp")])
def test_a_date_that_a_timestamp_cannot_hold_violates_and_never_raises(
    spark: SparkSession, policy: Policy, ansi: str
) -> None:
    edge = (2**63 - 1) // 86_400_000_000
    days = [-(2**31), -edge - 1, -edge, 0, edge, edge + 1, 2**31 - 1]
    batches = [(day,) for day in days] + [(None,)]
    data = spark.createDataFrame(batches, "n int")
    # A literal would be folded on the driver; rows of an RDD are not.
    df = data.selectExpr(
        "date_from_unix_date(n) AS d", "named_struct('d', date_from_unix_date(n)) AS s"
    )
    inside = Object([Property("d", "datetime", False)])
    specs = [ColSpec("datetime", "d", False), ColSpec(inside, "s")]
    zone = {"spark.sql.ansi.enabled": ansi, "spark.sql.session.timeZone": "America/New_York"}
    with confs(spark, zone):
        plan = planned(df, specs, policy)
        assert {field.rung for field in plan.fields} == {Rung.CATALYST}
        e = compile_expressions(plan, columns=source_columns(plan))
        got = numbered(df, plan).selectExpr(
            *(f"date_diff(CAST({v} AS DATE), DATE'1970-01-01') IS NULL AS gone{i}"
              if policy.datetime == "source" else f"unix_micros({v}) AS gone{i}"
              for i, v in enumerate((e.values[0], e.conforming[0]))),
            f"{e.values[0]} IS NULL AS v", f"({e.values[1]}).d IS NULL AS s",
            f"{e.violates} AS bad", f"{e.details} AS details",
        )  # fmt: skip
        rows = got.collect()
        kept = enforce_rows(df, planned(df, specs, replace(policy, on_violation="drop"))).count()
        with pytest.raises(Exception, match="out-of-range date"):
            enforce_rows(df, plan).collect()
    assert kept == 4
    for day, row in zip([*days, None], rows, strict=True):
        wrong = day is not None and abs(day) > edge
        assert row.bad is wrong
        assert row.v is row.s is (wrong or day is None)
        seen = [(f.check, f.observed) for f in row.details]
        casts = [i for i, check in enumerate(plan.checks) if check.code is Code.CAST]
        assert seen == ([(i, "out-of-range date") for i in casts] if wrong else [])
        if policy.datetime == "timestamp":
            assert row.gone0 == row.gone1 == (None if row.v else day * 86_400_000_000)
        else:
            assert row.gone0 is row.gone1 is row.v


def micros(moment: dt.datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // dt.timedelta(microseconds=1)


def test_a_timestamp_keeps_its_instant(spark: SparkSession) -> None:
    df = spark.range(1).selectExpr("timestamp_micros(1234567890123456) AS t")
    with confs(spark, {"spark.sql.session.timeZone": "Asia/Kolkata"}):
        for choice in ("source", "timestamp"):
            plan = planned(df, [ColSpec("datetime", "t")], Policy(datetime=choice))
            out = enforce_rows(df, plan).selectExpr("unix_micros(t)").collect()
            assert out == [(1234567890123456,)]


# --- structs -------------------------------------------------------------------------------------


def test_members_count_only_where_every_parent_is_there(spark: SparkSession) -> None:
    df = spark.createDataFrame(
        [
            (((1, 2.0), "x"),),
            ((None, "x"),),
            (None,),
            (((None, 2.5), None),),
        ],
        "s struct<inner: struct<a: int, b: double>, c: string>",
    )
    inner = Object([Property("a", "long"), Property("b", "integer"), Property("z", "long", False)])
    target = Object([Property("inner", inner), Property("c", "string")])
    plan = planned(df, [ColSpec(target, "s")], LOSSLESS)
    rows = found(df, plan)
    assert [[(t.path, t.code, t.observed) for t in r.tags] for r in rows] == [
        [],
        [("$.s.inner", "null", "null")],
        [("$.s", "null", "null")],
        [
            ("$.s.c", "null", "null"),
            ("$.s.inner.a", "null", "null"),
            ("$.s.inner.b", "cast", "non-integral double"),
        ],
    ]
    # members come out in the signature's order, sorted by name, a missing one as NULL
    assert rows[0].v0.asDict(True) == {"c": "x", "inner": {"a": 1, "b": 2, "z": None}}
    assert rows[1].v0.asDict(True) == {"c": "x", "inner": None}
    assert rows[2].v0 is None
    assert rows[3].v0.asDict(True) == {"c": None, "inner": {"a": None, "b": None, "z": None}}


def test_a_struct_that_needs_no_cast_passes_untouched_unless_a_member_fails(
    spark: SparkSession,
) -> None:
    df = spark.createDataFrame([((1.0,),), ((NAN,),)], "s struct<x: double>")
    specs = [ColSpec(Object([Property("x", "double")]), "s")]
    assert compile_expressions(planned(df, specs, Policy())).values == ("`s`",)
    rows = found(df, planned(df, specs, Policy(nan="reject")))
    assert [r.v0 for r in rows] == [(1.0,), (None,)]


@pytest.mark.parametrize("names", [("a", "A"), ("${env:HOME}", "b")])
def test_structs_that_text_cannot_address_are_left_to_arrow(
    spark: SparkSession, names: tuple[str, str]
) -> None:
    source = pa.schema([("s", pa.struct([(name, pa.int32()) for name in names]))])
    target = Object([Property(name, "long") for name in names])
    plan = plan_enforcement(source, Schema([ColSpec(target, "s")]), spark=True)
    assert plan.fields[0].rung is Rung.ARROW
    with pytest.raises(ValueError, match="cannot decide"):
        compile_expressions(plan)


# --- names and confs -----------------------------------------------------------------------------

NAMES = [
    *("plain", "a.b", "a b", "it's", 'say "so"', "back`tick", "b\\s", "列", "select", "", "%s"),
    *("c0", "v1", "guard", "check", "${env:HOME}", "<errorMessage>", "a\nb", "x", "X"),
    *("price{usd}", "us$"),
]


@pytest.mark.slow
@pytest.mark.parametrize("settings", HOSTILE)
@pytest.mark.parametrize("mode", ["raise", "drop", "tag"])
def test_any_name_works_under_any_conf(
    spark: SparkSession, settings: dict[str, str], mode: Literal["raise", "drop", "tag"]
) -> None:
    members = [name for name in NAMES if name not in ("X", "${env:HOME}")]
    if "spark.sql.parser.quotedRegexColumnNames" in settings:
        # a member whose name has to stand in backquotes: Spark then says so and stops
        members = [name for name in members if "'" not in name and "\\" not in name]
    data = tuple(range(len(NAMES)))
    inside = pa.struct([(name, pa.int32()) for name in members])
    flat = pa.schema([*((name, pa.int32()) for name in NAMES), ("s", inside)])
    rows = [
        (*data, tuple(range(len(members)))),
        *((*(None if i == j else v for j, v in enumerate(data)), None) for i in data),
    ]
    target = Object([Property(name, "long") for name in members])
    with confs(spark, settings):
        df = spark.createDataFrame(rows, spark_struct(flat)).alias("plain")
        specs = [*(ColSpec("long", name) for name in reversed(NAMES)), ColSpec(target, "s", False)]
        specs.append(ColSpec(Map(target), "missing", False))
        plan = planned(df, specs, Policy(on_violation=mode))
        if mode == "raise":
            good = enforce_rows(df.limit(1), plan)
            assert good.columns == plan.output.names
            assert good.count() == 1
            for i, name in list(enumerate(NAMES))[1::4]:
                with pytest.raises(Exception, match="does not fit") as raised:
                    enforce_rows(spark.createDataFrame([rows[i + 1]], df.schema), plan).collect()
                path = next(f.path for f in plan.fields if f.name == name)
                text = f"{ROW_ERROR}{path}: null: expected long (required), observed null"
                assert text in str(raised.value)
            return
        out = enforce_rows(df, plan).collect()
        whole = out[0]
        assert tuple(whole)[: len(NAMES)] == data[::-1]
        assert whole["missing"] is None
        inner = whole[len(NAMES)]
        assert dict(zip(inner.__fields__, inner, strict=True)) == {
            name: i for i, name in enumerate(members)
        }
        if mode == "drop":
            assert len(out) == 1
            return
        assert whole["_violations"] == []
        assert whole["_original"] is None
        for i, row in enumerate(out[1:]):
            path = next(f.path for f in plan.fields if f.name == NAMES[i])
            assert row["_violations"] == [(path, "null", "long (required)", "null")]
            assert row["_original"].__fields__ == [*NAMES, "s"]
            assert tuple(row["_original"]) == rows[i + 1]


@pytest.mark.parametrize("text", ["", "a", "it's", "\\", "\\'", "a\n", "${env:HOME}", "é'列", '"'])
@pytest.mark.parametrize("settings", HOSTILE)
def test_a_literal_reads_back_as_it_was(
    spark: SparkSession, text: str, settings: dict[str, str]
) -> None:
    with confs(spark, settings):
        assert spark.range(1).selectExpr(literal(text)).collect() == [(text,)]


def test_source_names_are_the_default_columns(spark: SparkSession) -> None:
    df = spark.createDataFrame([(1, None)], "`a.b` int, `c``d` int")
    plan = planned(df, [ColSpec("long", "c`d"), ColSpec("long", "a.b")], Policy())
    e = compile_expressions(plan)
    assert df.selectExpr(*e.values, e.violates or "").collect() == [(None, 1, True)]
    one = compile_expressions(plan, plan.fields[1:])
    assert len(one.values) == 1
    assert df.selectExpr(one.violates or "").collect() == [(False,)]


# --- modes ---------------------------------------------------------------------------------------


def test_tag_mode_tells_every_violation_and_keeps_the_row(spark: SparkSession) -> None:
    df = spark.createDataFrame(
        [(1, 2.0, "keep"), (None, 2.5, "all"), (2**40, -0.0, None)],
        "a long, b double, extra string",
    )
    specs = [ColSpec("integer", "b"), ColSpec("integer", "a")]
    plan = planned(df, specs, Policy(casts="lossless", on_violation="tag"))
    out = enforce_rows(df, plan)
    assert out.columns == ["b", "a", "_violations", "_original"]
    rows = out.collect()
    assert [(r.b, r.a) for r in rows] == [(2, 1), (None, None), (None, None)]
    assert [r._violations for r in rows] == [
        [],
        [
            ("$.b", "cast", "integer", "non-integral double"),
            ("$.a", "null", "integer (required)", "null"),
        ],
        [
            ("$.b", "cast", "integer", "negative zero double"),
            ("$.a", "cast", "integer", "out-of-range long"),
        ],
    ]
    assert [r._original for r in rows] == [None, (None, 2.5, "all"), (2**40, -0.0, None)]


def test_raise_mode_names_the_first_check_in_the_plans_order(spark: SparkSession) -> None:
    df = spark.createDataFrame([(None, 2.5)], "a long, b double")
    plan = planned(df, [ColSpec("integer", "b"), ColSpec("integer", "a")], LOSSLESS)
    with pytest.raises(Exception, match="does not fit") as raised:
        enforce_rows(df, plan).collect()
    text = f"{ROW_ERROR}$.b: cast: expected integer, observed non-integral double"
    assert text in str(raised.value)


def test_details_come_in_the_order_of_the_checks(spark: SparkSession) -> None:
    df = spark.createDataFrame([(None, None, None)], "a long, b double, c string")
    plan = planned(
        df, [ColSpec("string", "c"), ColSpec("long", "a"), ColSpec("long", "b")], LOSSLESS
    )
    e = compile_expressions(plan, tuple(reversed(plan.fields)))
    details = df.selectExpr(e.details or "").collect()[0][0]
    assert [d.check for d in details] == sorted(d.check for d in details)
    assert len(details) == 3


@pytest.mark.parametrize("mode", ["raise", "drop", "tag"])
def test_no_row_is_lost_without_columns(
    spark: SparkSession, mode: Literal["raise", "drop", "tag"]
) -> None:
    bare = spark.range(3).select()
    optional = [ColSpec("long", "a", False), ColSpec(AnyType(), "b", False)]
    filled = enforce_rows(bare, planned(bare, optional, Policy(on_violation=mode)))
    assert filled.drop("_violations", "_original").collect() == [(None, None)] * 3
    policy = Policy(on_violation=mode, fill_missing=False)
    for df in (bare, spark.range(3)):
        plan = planned(df, optional, policy)
        assert plan.fields == ()
        out = enforce_rows(df, plan)
        assert out.count() == 3
        assert out.drop("_violations", "_original").columns == []


def test_a_plan_without_live_checks_is_a_plain_projection(spark: SparkSession) -> None:
    df = spark.range(3)
    plan = planned(df, [ColSpec("long", "id", False)], Policy())
    e = compile_expressions(plan)
    assert (e.violates, e.details, e.message) == (None, None, None)
    assert df.selectExpr(e.tags).collect() == [([],)] * 3
    assert [r.id for r in enforce_rows(df, plan).collect()] == [0, 1, 2]


def test_what_arrow_decides_is_refused(spark: SparkSession) -> None:
    source = pa.schema([("a", pa.list_(pa.int32())), ("b", pa.string())])
    schema = Schema([ColSpec(Array("long"), "a"), ColSpec("string", "b")])
    plan = plan_enforcement(source, schema, spark=True)
    with pytest.raises(ValueError, match=r"\$\.a"):
        compile_expressions(plan)
    assert compile_expressions(plan, plan.fields[1:]).violates == "coalesce((`b` IS NULL), false)"


@pytest.mark.parametrize(
    ("columns", "source", "target"), [(40, "double", "long"), (80, "bigint", "long")]
)
def test_generated_code_stays_small_enough_to_be_compiled(
    spark: SparkSession, columns: int, source: str, target: str, tmp_path: Path
) -> None:
    ddl = ", ".join(f"x{i} {source}" for i in range(columns))
    spark.createDataFrame([], ddl).write.parquet(str(tmp_path / "data"))
    df = spark.read.schema(ddl).parquet(str(tmp_path / "data"))
    specs = [ColSpec(target, f"x{i}") for i in range(columns)]
    with confs(spark, {"spark.sql.adaptive.enabled": "false"}):
        queries = [
            enforce_rows(df, planned(df, specs, Policy(casts="lossless", on_violation=mode)))
            for mode in ("raise", "drop", "tag")
        ]
        plan = planned(df, specs, LOSSLESS)
        violates = compile_expressions(plan, columns=source_columns(plan)).violates
        queries.append(numbered(df, plan).selectExpr("count(*)", f"count_if({violates})"))
        # HotSpot interprets methods of more bytes: -XX:HugeMethodLimit
        assert [method_bytes(query) < 8_000 for query in queries] == [True] * 4


def method_bytes(df: DataFrame) -> int:
    """Return the size of the greatest method that whole-stage code generation makes."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        df.explain("codegen")
    return max(map(int, re.findall(r"maxMethodCodeSize:(\d+)", shown.getvalue())))
