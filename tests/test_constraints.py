"""What CHECK constraints prove, held against what Delta refuses and Spark computes."""

from __future__ import annotations

import json
import math
import random
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_sig.delta.constraints import check_bounds
from spark_sig.delta.log import open_snapshot, read_snapshot, spark_errors
from spark_sig.sqltext import quoted
from spark_sig.stats import Bounds, Place
from tests.conftest import spark_version

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TYPES: dict[Place, str] = {
    ("i",): "integer",
    ("l",): "long",
    ("b",): "byte",
    ("m",): "decimal(10,2)",
    ("w",): "decimal(38,10)",
    ("f",): "float",
    ("d",): "double",
    ("t",): "string",
    ("day",): "date",
    ("flag",): "boolean",
    ("a.b",): "long",
    ("s",): "struct",
    ("s", "x"): "long",
    ("s", "inner"): "struct",
    ("s", "inner", "y z"): "double",
    ("twin",): "struct",
    ("twin", "x"): "long",
    ("twin", "X"): "long",
}

PRESENT, NOTHING, NUMBERS = Bounds(not_null=True), Bounds(), Bounds(no_nan=True)


def bounds(low: object = None, high: object = None) -> Bounds:
    """The range of a place."""
    numbers = [None if number is None else Decimal(str(number)) for number in (low, high)]
    return Bounds(False, *numbers)


def told(found: dict[str, Bounds]) -> dict[str, Bounds]:
    """Leave out the places of which nothing is said."""
    return {place: one for place, one in found.items() if one != NOTHING}


def proven(spark: SparkSession, *texts: str) -> dict[str, Bounds]:
    configuration = {f"delta.constraints.c{at}": text for at, text in enumerate(texts)}
    found = check_bounds(spark, configuration, TYPES)
    return {"/".join(place): one for place, one in found.items()}


# --- one constraint ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i IS NOT NULL", PRESENT),
        ("NOT (i IS NULL)", PRESENT),
        ("! i IS NULL", PRESENT),
        ("((i) IS NOT NULL)", PRESENT),
        ("I is not null", PRESENT),
        ("`i` > 0", bounds(0)),
        ("i > 0", bounds(0)),
        ("i >= -5", bounds(-5)),
        ("i > - 5", bounds(-5)),
        ("i > -(5)", bounds(-5)),
        ("i > +5", bounds(5)),
        ("i < 7", bounds(high=7)),
        ("i <= 7", bounds(high=7)),
        ("i = 7", bounds(7, 7)),
        ("i == 7", bounds(7, 7)),
        ("0 < i", bounds(0)),
        ("0 <= i", bounds(0)),
        ("7 > i", bounds(high=7)),
        ("7 >= i", bounds(high=7)),
        ("7 = i", bounds(7, 7)),
        ("i BETWEEN -1 AND 2", bounds(-1, 2)),
        ("i IN (3, -1, 2)", bounds(-1, 3)),
        ("i > 0.5", bounds("0.5")),
        ("i > CAST(3 AS BIGINT)", bounds(3)),
        ("i > CAST(-3 AS TINYINT)", bounds(-3)),
        ("i > 5L AND i < 9S", bounds(5, 9)),
        ("i < 1e3", bounds(high=1000)),
        # where it is not NULL
        ("i IS NULL OR i BETWEEN -1 AND 2", bounds(-1, 2)),
        ("i > 0 OR I IS NULL", bounds(0)),
        ("i IS NULL OR (i > 0 AND (i < 5 OR l > 0))", bounds(0)),
        ("i IS NULL OR (i IS NULL OR i > 0)", bounds(0)),
        ("i IS NULL OR i IS NOT NULL", NOTHING),
        ("i IS NULL OR l > 0", NOTHING),
        ("i IS NULL OR i > 0 OR l > 0", NOTHING),
        ("i IS NOT NULL OR i > 0", NOTHING),
        ("NOT (i IS NULL OR i > 0)", NOTHING),
        ("NOT isnan(i)", NOTHING),
        # a number that the cast changes, or Spark's comparison may
        ("i > CAST(300 AS TINYINT)", NOTHING),
        ("i > CAST(0.5 AS INT)", NOTHING),
        ("i > -(-5)", NOTHING),
        ("i < 0.5D", NOTHING),
        ("i < 1e9", NOTHING),
        ("i > 1.5 AND i IN (1, 2D)", bounds("1.5", 2)),
        ("i IN (1, 2.5, 1e9)", NOTHING),
        ("i IN (1, NULL)", NOTHING),
        ("i IN (1, '2')", NOTHING),
        ("i IN (1, l)", NOTHING),
        ("i > '0'", NOTHING),
        ("i > NULL", NOTHING),
        ("i > abs(3)", NOTHING),
        ("i > 1 + 1", NOTHING),
        # Spark 3.5 makes two comparisons of it, of which one says something
        ("i BETWEEN 0 AND abs(3)", NOTHING if spark_version() >= (4, 0) else bounds(0)),
    ],
)
def test_one_column_and_its_numbers(spark: SparkSession, text: str, expected: Bounds) -> None:
    assert proven(spark, text) == told({"i": expected})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b > 5", {"b": bounds(5)}),
        ("l <= 9223372036854775807", {"l": bounds(high=2**63 - 1)}),
        ("l >= -9223372036854775808", {"l": bounds(-(2**63))}),
        ("m < 12.345", {"m": bounds(high="12.345")}),
        ("m > 3", {"m": bounds(3)}),
        ("m > 3D", {"m": NOTHING}),
        ("w > 3", {"w": bounds(3)}),
        # 28 digits before the point and 15 after it are more than Spark compares
        ("w > 0.000000000000001", {"w": NOTHING}),
        ("w > -1.0000000000", {"w": bounds("-1")}),
        ("f > 0", {"f": NOTHING}),
        ("f < 3", {"f": NOTHING}),
        ("d <= 0.5", {"d": NOTHING}),
        ("d < 1e3", {"d": NOTHING}),
        ("d = 1", {"d": NOTHING}),
        ("1 > d", {"d": NOTHING}),
        ("1 < d", {"d": NOTHING}),
        ("d IN (1, 2.5)", {"d": NOTHING}),
        ("d BETWEEN 0 AND 1", {"d": NOTHING}),
        ("d < 'NaN'", {"d": NOTHING}),
        ("d = 'NaN'", {"d": NOTHING}),
        ("t > 0", {"t": NOTHING}),
        ("t IN ('a', 'b')", {"t": NOTHING}),
        ("day >= DATE '2020-01-01'", {"day": bounds(18_262)}),
        (
            "day IS NULL OR day BETWEEN DATE'-290308-12-22' AND DATE'+294247-01-10'",
            {"day": bounds(-106_751_991, 106_751_991)},
        ),
        ("day < DATE '1970-01-01' AND day IN (DATE '1969-01-01', NULL)", {"day": bounds(high=0)}),
        ("day >= '2020-01-01'", {"day": NOTHING}),
        ("i > DATE '2020-01-01'", {"i": NOTHING}),
        ("NOT isnan(d)", {"d": NUMBERS}),
        ("NOT ISNAN(s.inner.`y z`) AND f IS NOT NULL", {"s/inner/y z": NUMBERS, "f": PRESENT}),
        ("isnan(d)", {"d": NOTHING}),
        ("NOT isnan(d + 1)", {"d": NOTHING}),
        ("NOT my.isnan(d)", {"d": NOTHING}),
        ("d IS NULL OR NOT isnan(d)", {"d": NUMBERS}),
        ("s IS NULL OR s.x IS NOT NULL", {"s/x": PRESENT}),
        ("s.x IS NOT NULL", {"s/x": PRESENT}),
        ("s IS NULL OR s.inner.`y z` IS NOT NULL", {"s/inner/y z": NOTHING}),
        ("s.inner IS NULL OR (s.inner.`y z` IS NOT NULL)", {"s/inner/y z": PRESENT}),
        ("s.x IS NULL OR s.x > 0", {"s/x": bounds(0)}),
        ("flag", {"flag": NOTHING}),
        ("NOT flag", {"flag": NOTHING}),
        ("flag = true", {"flag": NOTHING}),
        ("`a.b` > 0", {"a.b": bounds(0)}),
        ("s.x > 0", {"s": NOTHING, "s/x": bounds(0)}),
        ("S.`X` > 0", {"s": NOTHING, "s/x": bounds(0)}),
        (
            "s.inner.`y z` < 1",
            {"s": NOTHING, "s/inner": NOTHING, "s/inner/y z": NOTHING},
        ),
        ("s IS NOT NULL", {"s": PRESENT}),
        ("i < l", {"i": NOTHING, "l": NOTHING}),
        ("i = s.x", {"i": NOTHING, "s": NOTHING, "s/x": NOTHING}),
        ("i BETWEEN b AND l", {"i": NOTHING, "b": NOTHING, "l": NOTHING}),
        (
            "i BETWEEN b AND 3",
            {"i": NOTHING if spark_version() >= (4, 0) else bounds(high=3), "b": NOTHING},
        ),
        ("i > 0 AND (l < 5 AND (m = 1)) AND d IS NOT NULL AND true", None),
    ],
)
def test_kinds_of_columns(
    spark: SparkSession, text: str, expected: dict[str, Bounds] | None
) -> None:
    several = {"i": bounds(0), "l": bounds(high=5), "m": bounds(1, 1), "d": PRESENT}
    assert proven(spark, text) == told(expected or several)


@pytest.mark.parametrize(
    "text",
    [
        "i > 0 OR l > 0",
        "i IS NULL",
        "NOT (i IS NOT NULL)",
        "NOT (i > 0)",
        "NOT (i > 0 AND l > 0)",
        "i <> 0",
        "i NOT IN (1, 2)",
        "i NOT BETWEEN 1 AND 2",
        "i <=> 1",
        "(i > 0) IS TRUE",
        "(i > 0) = true",
        "coalesce(i, 0) > 0",
        "i + 1 > 0",
        "CAST(i AS BIGINT) > 0",
        "s['x'] > 0",
        "a.b > 0",
        "nowhere > 0",
        "s.nowhere > 0",
        "i.x > 0",
        "twin.x > 0",
        "1 > 0",
        "true",
        '"i" IS NOT NULL',
        # another day, or another setting, it was something else
        "day >= DATE'today'",
        "day >= DATE ' Yesterday UTC'",
        r"day >= DATE'\u0074oday'",
        "day >= DATE r'today'",
        "day >= DATE /* of the */ 'today'",
        "day >= DATE -- of the\n'today'",
        "day >= DATE'to' 'day'",
        "i > ${spark.least}",
        "i IS NOT NULL AND",
        "",
        "i > 0 AND t = '" + "x" * 10_000 + "'",
        " AND ".join(["i > 0"] * 300),
        "(" * 300 + "i > 0" + ")" * 300,
    ],
)
def test_the_rest_proves_nothing(spark: SparkSession, text: str) -> None:
    assert proven(spark, text) == {}


def test_what_is_not_understood_takes_nothing_from_the_rest(spark: SparkSession) -> None:
    text = "(i > 0 OR l > 0) AND abs(b) < 5 AND m >= 1"
    assert proven(spark, text, "broken (", "d <") == {"m": bounds(1)}


def test_the_tightest_bounds_of_all_constraints_hold(spark: SparkSession) -> None:
    found = proven(spark, "i > 0 AND i < 100", "i BETWEEN -5 AND 50", "i IN (1, 60)")
    assert found == {"i": bounds(1, 50)}


def test_only_constraints_are_read_and_names_of_keys_are_taken_in_any_case(
    spark: SparkSession,
) -> None:
    other = {"delta.appendOnly": "i > 0", "note": "i > 0"}
    assert check_bounds(spark, other, TYPES) == {}
    assert check_bounds(spark, {"Delta.Constraints.c": "i > 0"}, TYPES) == {("i",): bounds(0)}


def test_where_null_passes_a_comparison_only_the_range_is_proven(spark: SparkSession) -> None:
    found = proven(spark, "i > 0", "l IS NOT NULL AND s.x < 5", "d < 1")
    assert found == {
        "i": Bounds(low=Decimal(0)),
        "l": PRESENT,
        "s/x": Bounds(high=Decimal(5)),
    }


def test_the_sessions_reading_of_double_quotes_does_not_matter(spark: SparkSession) -> None:
    # enforced as text, which is never NULL; this session would read a column
    names = {"spark.sql.ansi.enabled": "true", "spark.sql.ansi.doubleQuotedIdentifiers": "true"}
    before = {key: spark.conf.get(key, None) for key in names}
    for key, value in names.items():
        spark.conf.set(key, value)
    try:
        assert proven(spark, '"i" IS NOT NULL') == {}
        assert proven(spark, "i IS NOT NULL") == {"i": PRESENT}
    finally:
        for key, old in before.items():
            spark.conf.unset(key) if old is None else spark.conf.set(key, old)


def test_numbers_with_exponents_count_where_they_are_doubles(spark: SparkSession) -> None:
    setting = "spark.sql.legacy.exponentLiteralAsDecimal.enabled"
    for number in ("9007199254740995e0", "9007199254740995.E0"):  # as a double, one more
        text = f"l <= {number} AND b > 0"
        assert proven(spark, text) == {"b": bounds(0)}
        for value in ("true", "True"):
            spark.conf.set(setting, value)
            try:
                assert proven(spark, text) == {}
            finally:
                spark.conf.unset(setting)


def test_without_a_jvm_nothing_is_proven() -> None:
    class Connect:
        """A session of Spark Connect: no JVM."""

    session: Any = Connect()
    assert check_bounds(session, {"delta.constraints.c": "i > 0"}, TYPES) == {}


# --- what Delta enforces -------------------------------------------------------------------------


def test_a_table_refuses_every_row_that_its_bounds_exclude(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = f"delta.{quoted(str(tmp_path / 't'))}"
    spark.sql(f"CREATE TABLE {table} (v BIGINT, d DOUBLE, s STRUCT<x: INT>) USING delta")
    spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT Range CHECK (v BETWEEN 1 AND 5 AND d < 10)")
    spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT inside CHECK (s.X >= 0)")
    accepted = "(1, 9D, named_struct('x', 0))", "(5, double('-inf'), named_struct('x', 7))"
    spark.sql(f"INSERT INTO {table} VALUES {', '.join(accepted)}")
    struct = "named_struct('x', 1)"
    for values in (
        f"(NULL, 1D, {struct})",
        f"(6, 1D, {struct})",
        f"(1, double('NaN'), {struct})",
        "(1, 1D, NULL)",
        "(1, 1D, named_struct('x', NULL))",
    ):
        with pytest.raises(spark_errors(), match="DELTA_VIOLATE_CONSTRAINT"):
            spark.sql(f"INSERT INTO {table} VALUES {values}")
    metadata = open_snapshot(spark, read_snapshot(spark, str(tmp_path / "t"))).metadata()
    configuration = json.loads(metadata.json())["metaData"]["configuration"]
    types = {("v",): "long", ("d",): "double", ("s",): "struct", ("s", "x"): "integer"}
    assert check_bounds(spark, configuration, types) == {
        ("v",): bounds(1, 5),
        ("s", "x"): bounds(0),
    }


# --- every constraint that is true of a row ------------------------------------------------------

COLUMNS: dict[str, str] = {
    "i": "int",
    "l": "bigint",
    "b": "tinyint",
    "m": "decimal(10,2)",
    "w": "decimal(38,10)",
    "f": "float",
    "d": "double",
    "s.x": "bigint",
}
EDGES = [-(2**53) - 1, -128, -1, 0, 1, 2, 127, 2**24, 2**24 + 1, 2**53, 2**53 + 1]
WHOLE = {"i": 2**31, "l": 2**63, "b": 2**7, "s.x": 2**63}


def cells(column: str) -> list[object]:
    """Values at the edges of what a column may hold, NULL among them."""
    if column in WHOLE:
        return [None, *(n for n in EDGES if abs(n) < WHOLE[column])]
    if column in ("f", "d"):
        return [None, *map(float, EDGES), 0.1, -0.0, math.nan, math.inf, -math.inf]
    fine = "0.0000000001" if column == "w" else "0.01"
    whole = [Decimal(n) for n in EDGES if column == "w" or abs(n) < 10**8]
    return [None, *whole, *(n + Decimal(fine) for n in whole), *(n - Decimal(fine) for n in whole)]


LITERALS = st.one_of(
    st.sampled_from(EDGES).map(str),
    st.sampled_from(EDGES).map(lambda n: f"{n}L"),
    st.sampled_from(["0.5", "-0.01", "1.0", "16777216.5", "0.0000000001", "1e-30BD", "1e25BD"]),
    st.sampled_from(["0.1D", "1e0", "1e3", "9007199254740992D", "0.1F", "16777216F", "3F"]),
    st.sampled_from(["CAST(1 AS BIGINT)", "-(1)", "'1'", "NULL"]),
)
NAMES = st.sampled_from(list(COLUMNS))
OPERATORS = st.sampled_from(["<", "<=", ">", ">=", "=", "<>", "<=>"])
PARTS = st.one_of(
    st.builds("{} {} {}".format, NAMES, OPERATORS, LITERALS),
    st.builds("{} {} {}".format, LITERALS, OPERATORS, NAMES),
    st.builds("{} {} {}".format, NAMES, OPERATORS, NAMES),
    st.builds("{} BETWEEN {} AND {}".format, NAMES, LITERALS, LITERALS),
    st.builds("{} BETWEEN {} AND {}".format, NAMES, NAMES, LITERALS),
    st.builds("{} IN ({}, {}, {})".format, NAMES, LITERALS, LITERALS, LITERALS),
    st.builds("{} IS {}NULL".format, NAMES, st.sampled_from(["", "NOT "])),
    st.builds("{}isnan({})".format, st.sampled_from(["", "NOT "]), st.sampled_from(["d", "f"])),
    st.builds("{0} IS NULL OR {0} {1} {2}".format, NAMES, OPERATORS, LITERALS),
    st.builds("s IS NULL OR {} IS NOT NULL".format, NAMES),
)
TEXTS = st.recursive(
    PARTS,
    lambda inner: st.one_of(
        st.builds("({}) AND ({})".format, inner, inner),
        st.builds("({}) OR ({})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=3,
)


def within(value: object, found: Bounds) -> bool:
    if value is None:
        return not found.not_null
    if isinstance(value, float) and math.isnan(value):
        return found.low is None and found.high is None and not found.no_nan
    if not isinstance(value, (int, float, Decimal)):
        return True  # a struct
    return (found.low is None or value >= found.low) and (found.high is None or value <= found.high)


@settings(max_examples=5)
@given(st.lists(TEXTS, min_size=5, max_size=30), st.integers(0, 2**32))
def test_rows_for_which_a_constraint_is_true_keep_its_bounds(
    spark: SparkSession, texts: list[str], seed: int
) -> None:
    draw, pools = random.Random(seed), [cells(column) for column in COLUMNS]
    rows = [tuple(map(draw.choice, pools)) for _ in range(300)]
    schema = ", ".join(f"c{at} {kind}" for at, kind in enumerate(COLUMNS.values()))
    frame = spark.createDataFrame(rows, schema)
    own = [f"c{at} AS {name}" for at, name in enumerate(COLUMNS) if "." not in name]
    struct = "IF(c7 = 1, NULL, named_struct('x', c7)) AS s"
    named = frame.selectExpr(*own, struct)
    judged = named.selectExpr("*", *(f"({text}) AS v{at}" for at, text in enumerate(texts)))
    collected = judged.collect()
    for at, text in enumerate(texts):
        found = check_bounds(spark, {"delta.constraints.c": text}, TYPES)
        for row in collected:
            if not row[f"v{at}"]:
                continue
            for place, one in found.items():
                value: Any = row
                for name in place[:-1]:
                    value = None if value is None else value[name]
                if value is None:  # of members nothing is said where there is no struct
                    continue
                value = value[place[-1]]
                assert within(value, one), (text, place, value, one)
