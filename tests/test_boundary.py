"""The Arrow boundary: what the stage gives Spark is what Spark takes back, under any conf.

Each test names its row of the table in FACTS, "mapInArrow in PySpark 4.2, default confs".
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
import pytest
from pyspark.sql import types as T

from spark_sig import (
    AnyType,
    Array,
    ColSpec,
    Map,
    ModelSignature,
    Object,
    Policy,
    Property,
    Schema,
    SignatureError,
    TensorSpec,
    enforce_signature,
    split,
    validate,
)
from spark_sig.compile.spark import output_struct, source_schema
from spark_sig.engines.stage import declared, tagged_struct
from spark_sig.errors import ViolationError
from spark_sig.kernels.tasks import Enforce
from spark_sig.planner import plan_enforcement
from spark_sig.types import SparkMLVector

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ARROW = "spark.sql.execution.arrow"
HOSTILE = {
    f"{ARROW}.pyspark.validateSchema.enabled": "true",
    f"{ARROW}.maxRecordsPerBatch": "1",
    f"{ARROW}.useLargeVarTypes": "true",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.caseSensitive": "true",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.parser.quotedRegexColumnNames": "true",
    "spark.sql.parser.escapedStringLiterals": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.rangeExchange.sampleSizePerPartition": "1",
}
CONFS: dict[str, dict[str, str]] = {
    "default": {},
    "validated": {f"{ARROW}.pyspark.validateSchema.enabled": "true"},
    "one row": {f"{ARROW}.maxRecordsPerBatch": "1"},
    "no limit": {f"{ARROW}.maxRecordsPerBatch": "0"},
    "New York": {"spark.sql.session.timeZone": "America/New_York"},
    "Kolkata": {"spark.sql.session.timeZone": "Asia/Kolkata"},
    "ansi on": {"spark.sql.ansi.enabled": "true"},
    "ansi off": {"spark.sql.ansi.enabled": "false"},
    "case sensitive": {"spark.sql.caseSensitive": "true"},
    "case insensitive": {"spark.sql.caseSensitive": "false"},
    "large": {f"{ARROW}.useLargeVarTypes": "true"},
    "all at once": HOSTILE,
}


@pytest.fixture(params=list(CONFS))
def conf(request: pytest.FixtureRequest, spark: SparkSession) -> Iterator[SparkSession]:
    """The session under one set of confs."""
    yield from under(spark, CONFS[request.param])


@pytest.fixture(params=["default", "all at once"])
def extremes(request: pytest.FixtureRequest, spark: SparkSession) -> Iterator[SparkSession]:
    """The session under its defaults, and under all that is hostile."""
    yield from under(spark, CONFS[request.param])


def under(spark: SparkSession, confs: dict[str, str]) -> Iterator[SparkSession]:
    before = {name: spark.conf.get(name, None) for name in confs}
    for name, value in confs.items():
        spark.conf.set(name, value)
    yield spark
    for name, old in before.items():
        if old is None:
            spark.conf.unset(name)
        else:
            spark.conf.set(name, old)


def inputs(*specs: ColSpec | TensorSpec) -> ModelSignature:
    return ModelSignature(inputs=Schema(list(specs)))


def enforced(df: DataFrame, signature: ModelSignature, **choices: Any) -> DataFrame:
    return df.transform(enforce_signature(signature, policy=Policy(**choices), engine="arrow"))


def pair(required: bool = True) -> Object:
    return Object([Property("x", "long", required), Property("y", "long", required)])


# --- names and types of every level, in one frame ------------------------------------------------

# Nothing here is in the signature's order: columns, members, members of elements and of values.
SOURCE = [
    "'extra' AS more",
    "10 * id AS b",
    "id AS a",
    "named_struct('y', 10 * id, 'x', id) AS st",
    "array(named_struct('y', id + 200, 'x', id + 100), NULL) AS ar",
    "map('k', named_struct('y', id + 400, 'x', CAST(id AS int))) AS mp",
    "named_struct('o', named_struct('y', CAST(id AS tinyint), 'x', id + 7)) AS deep",
    "CAST(id AS int) AS i",
    "CAST(id AS smallint) AS sm",
    "CAST(id AS float) / 4f AS f",
    "CAST(1.259BD AS decimal(10, 3)) AS dec",
    "decode(X'c3a9e4b896f09f8f94', 'UTF-8') AS s",
    "CAST('ab' AS binary) AS bin",
    "id % 2 = 0 AS flag",
    "IF(id = 1, NULL, id) AS n",
    "array(id, NULL) AS an",
    "array(array(1S, 2S), array(CAST(id AS smallint), 255S)) AS img",
    "array(0.5D, CAST(id AS double)) AS v",
]
SIGNATURE = inputs(
    ColSpec("long", "a"),
    ColSpec("long", "b"),
    ColSpec(pair(), "st"),
    ColSpec(Array(pair(False)), "ar", required=False),
    ColSpec(Map(pair()), "mp"),
    ColSpec(Object([Property("o", pair())]), "deep"),
    ColSpec("long", "i"),
    ColSpec("long", "missing", required=False),
    ColSpec("integer", "sm"),
    ColSpec("double", "f"),
    ColSpec(AnyType(), "dec"),
    ColSpec("string", "s"),
    ColSpec("binary", "bin"),
    ColSpec("boolean", "flag"),
    ColSpec("long", "n", required=False),
    ColSpec(Array("long"), "an", required=False),
    ColSpec(Array(Array("integer")), "img"),
    ColSpec(SparkMLVector(), "v"),
)
TYPES = {
    "a": "bigint",
    "b": "bigint",
    "st": "struct<x:bigint,y:bigint>",
    "ar": "array<struct<x:bigint,y:bigint>>",
    "mp": "map<string,struct<x:bigint,y:bigint>>",
    "deep": "struct<o:struct<x:bigint,y:bigint>>",
    "i": "bigint",
    "missing": "bigint",
    "sm": "int",
    "f": "double",
    "dec": "decimal(10,3)",
    "s": "string",
    "bin": "binary",
    "flag": "boolean",
    "n": "bigint",
    "an": "array<bigint>",
    "img": "array<array<int>>",
    "v": "array<double>",
}


def expected(i: int) -> tuple[Any, ...]:
    return (
        i,
        10 * i,
        (i, 10 * i),
        [(i + 100, i + 200), None],
        {"k": (i, i + 400)},
        ((i + 7, i),),
        i,
        None,
        i,
        i / 4,
        decimal.Decimal("1.259"),
        "é世🏔",
        b"ab",
        i % 2 == 0,
        None if i == 1 else i,
        [i, None],
        [[1, 2], [i, 255]],
        [0.5, float(i)],
    )


def plain(value: Any) -> Any:
    """Turn rows into tuples, at every level."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return bytes(value) if isinstance(value, bytearray) else value


def test_every_name_and_type_lands_where_it_belongs(conf: SparkSession) -> None:
    """Renamed or reordered columns and members, extra and missing columns, int32 declared long."""
    out = enforced(conf.range(0, 5, 1, 2).selectExpr(*SOURCE), SIGNATURE)
    assert dict(out.dtypes) == TYPES
    assert list(map(plain, out.collect())) == [expected(i) for i in range(5)]


def test_the_gate_sees_the_same_under_any_conf(conf: SparkSession) -> None:
    frame = conf.range(0, 5, 1, 2).selectExpr(
        *[c for c in SOURCE if not c.endswith((" a", " st"))],
        "IF(id = 3, NULL, id) AS a",
        "named_struct('y', IF(id > 2, NULL, id), 'x', id) AS st",
    )
    report = validate(frame, SIGNATURE, engine="arrow", row_key=["i"])
    assert (report.rows.total, report.rows.violating) == (5, 2)
    found = {c.path: (c.count, [e.key for e in c.examples]) for c in report.checks if c.violated}
    assert found == {"$.a": (1, [(3,)]), "$.st.y": (2, [(3,), (4,)])}


def test_tags_and_what_was_there_before(conf: SparkSession) -> None:
    """In tag mode the source's own struct goes back too, as it came."""
    frame = conf.range(0, 4, 1, 2).selectExpr(
        "IF(id = 2, NULL, id) AS b",
        "id AS a",
        "named_struct('y', id, 'x', IF(id = 1, NULL, -id)) AS st",
        "CAST(id AS smallint) AS extra",
    )
    signature = inputs(ColSpec("double", "a"), ColSpec("long", "b"), ColSpec(pair(), "st"))
    signature = inputs(ColSpec("long", "a"), *list(signature.side("inputs"))[1:])
    tagged = enforced(frame, signature, on_violation="tag")
    good, bad = split(tagged)
    assert dict(bad.dtypes) == {
        "b": "bigint",
        "a": "bigint",
        "st": "struct<y:bigint,x:bigint>",
        "extra": "smallint",
        "_violations": "array<struct<path:string,code:string,expected:string,observed:string>>",
    }
    rows = sorted(map(plain, tagged.collect()))
    assert rows == [
        (0, 0, (0, 0), [], None),
        (
            1,
            1,
            (None, 1),
            [("$.st.x", "null", "long (required)", "null")],
            (1, 1, (1, None), 1),
        ),
        (
            2,
            None,
            (-2, 2),
            [("$.b", "null", "long (required)", "null")],
            (None, 2, (2, -2), 2),
        ),
        (3, 3, (-3, 3), [], None),
    ]
    assert sorted(map(plain, good.collect())) == [(0, 0, (0, 0)), (3, 3, (-3, 3))]
    dropped = enforced(frame, signature, on_violation="drop")
    assert sorted(map(plain, dropped.collect())) == [(0, 0, (0, 0)), (3, 3, (-3, 3))]


def test_the_error_is_ours_under_any_conf(extremes: SparkSession) -> None:
    frame = extremes.range(3).selectExpr("IF(id = 1, NULL, id) AS a")
    with pytest.raises(Exception, match=r"\$\.a: null: expected long \(required\), observed null"):
        enforced(frame, inputs(ColSpec("long", "a"))).collect()


def test_extra_columns_that_stay_keep_their_values(extremes: SparkSession) -> None:
    """An extra column; a decimal that another scale would round."""
    frame = extremes.range(2).selectExpr(
        "CAST(1.259BD AS decimal(10, 3)) AS dec",
        "array(CAST(-0.005BD AS decimal(38, 18))) AS decs",
        "DATE'1582-10-10' AS day",
        "map(CAST(id AS int), 'v') AS other",
        "id AS a",
    )
    out = enforced(frame, inputs(ColSpec("long", "a")), extra="keep")
    assert out.columns == ["a", "dec", "decs", "day", "other"]
    d = decimal.Decimal
    assert list(map(plain, out.collect())) == [
        (i, d("1.259"), [d("-0.005")], datetime.date(1582, 10, 10), {i: "v"}) for i in range(2)
    ]
    rounded = inputs(ColSpec("double", "dec"))
    with pytest.raises(ViolationError, match="decimal"):
        enforced(frame, rounded)


# --- time ----------------------------------------------------------------------------------------

# 02:30 does not exist in New York on that day, and 01:30 is there twice on the other.
CLOCKS = ["0001-01-01 00:00:00.000001", "2024-03-10 02:30:00", "2024-11-03 01:30:00"]
EPOCH = datetime.datetime(1970, 1, 1)


def micros(clock: str) -> int:
    return (datetime.datetime.fromisoformat(clock) - EPOCH) // datetime.timedelta(microseconds=1)


@pytest.mark.parametrize("policy", ["source", "timestamp"])
def test_instants_and_clocks_never_meet_the_session_time_zone(
    conf: SparkSession, policy: str
) -> None:
    """A naive timestamp declared TIMESTAMP, a tz-aware one declared TIMESTAMP_NTZ."""
    rows = ", ".join(f"({i}, '{clock}', {micros(clock)}L)" for i, clock in enumerate(CLOCKS))
    with_clocks = conf.sql(f"SELECT * FROM VALUES {rows} AS t(i, clock, us)")
    frame = with_clocks.selectExpr(
        "CAST(clock AS timestamp_ntz) AS ntz",
        "timestamp_micros(us) AS ts",
        "CAST(substr(clock, 1, 10) AS date) AS day",
        "array(named_struct('t', timestamp_micros(us))) AS inside",
        "i",
    )
    signature = inputs(
        ColSpec("integer", "i"),
        ColSpec("datetime", "ts"),
        ColSpec("datetime", "ntz"),
        ColSpec("datetime", "day"),
        ColSpec(Array(Object([Property("t", "datetime")])), "inside"),
    )
    out = enforced(frame, signature, datetime=policy)
    types = dict(out.dtypes)
    naive = "timestamp_ntz" if policy == "source" else "timestamp"
    assert (types["ts"], types["ntz"], types["day"]) == ("timestamp", naive, naive)

    def clock_of(name: str) -> str:
        # an instant's clock in UTC, without asking the session what its zone is
        return f"unix_micros({name})" if naive == "timestamp" else f"CAST({name} AS string)"

    seen = out.orderBy("i").selectExpr(
        "unix_micros(ts)", "unix_micros(inside[0].t)", clock_of("ntz"), clock_of("day")
    )

    def shown(clock: str) -> int | str:
        return micros(clock) if naive == "timestamp" else clock

    assert list(map(tuple, seen.collect())) == [
        (micros(c), micros(c), shown(c), shown(f"{c[:10]} 00:00:00")) for c in CLOCKS
    ]


# --- nulls and flags -----------------------------------------------------------------------------


def test_nothing_that_may_hold_a_null_is_declared_without(extremes: SparkSession) -> None:
    """Nulls in a column declared non-nullable, where Catalyst would trust the declaration."""
    flat = ["id AS a", "array(id) AS l", "named_struct('x', id, 'y', id) AS st"]
    full = extremes.range(2).selectExpr(*flat)
    assert not full.schema["a"].nullable
    assert not full.schema["l"].dataType.containsNull
    signature = inputs(
        ColSpec("long", "a"),
        ColSpec(Array("long"), "l"),
        ColSpec(pair(), "st"),
        ColSpec("long", "gone", required=False),
    )
    assert "false" not in enforced(full, signature).schema.json().replace('"metadata":{}', "")
    holes = extremes.range(3).selectExpr(
        "IF(id = 1, NULL, id) AS a",
        "IF(id = 2, NULL, array(id, NULL)) AS l",
        "named_struct('x', IF(id = 0, NULL, id), 'y', id) AS st",
    )
    specs = [*list(signature.side("inputs"))[:1], ColSpec(Array("long"), "l", required=False)]
    optional = inputs(*specs, ColSpec(pair(False), "st"))
    out = enforced(holes, optional, nulls="allow").cache()
    try:
        assert out.where("a IS NULL").count() == 1
        assert out.where("l IS NULL").count() == 1
        assert out.where("exists(l, x -> x IS NULL)").count() == 2
        assert out.where("st.x IS NULL").count() == 1
        assert len(out.collect()) == 3
    finally:
        out.unpersist()


def test_a_flag_alone_proves_nothing(extremes: SparkSession) -> None:
    flagged = T.StructType([T.StructField("a", T.LongType(), nullable=False)])
    frame = extremes.createDataFrame([(1,), (None,), (3,)], flagged, verifySchema=False)
    out = enforced(frame, inputs(ColSpec("long", "a")), nulls="allow")
    assert out.schema["a"].nullable
    assert out.count() == 3
    report = validate(frame, inputs(ColSpec("long", "a")), engine="arrow")
    assert [(check.rung.value, check.proven) for check in report.checks] == [("assumed", 0.0)]
    assert report.rows.total == 3


def test_a_column_of_nothing_but_nulls(conf: SparkSession) -> None:
    """pa.null() declared long, in a partition of its own and in a batch of its own."""
    frame = conf.range(0, 4, 1, 4).selectExpr(
        "id", "IF(id < 3, NULL, id) AS a", "IF(id < 3, NULL, array(id)) AS l"
    )
    signature = inputs(
        ColSpec("long", "a", required=False),
        ColSpec(Array("long"), "l", required=False),
        ColSpec(Map("string"), "m", required=False),
        ColSpec("long", "id"),
    )
    out = enforced(frame, signature)
    assert dict(out.dtypes)["m"] == "map<string,string>"
    assert sorted(map(plain, out.collect()), key=lambda row: row[-1]) == [
        (None, None, None, 0),
        (None, None, None, 1),
        (None, None, None, 2),
        (3, [3], None, 3),
    ]
    void = conf.range(1).selectExpr("NULL AS a")
    with pytest.raises(ViolationError, match=r"\$\.a: type: expected long \(optional\)"):
        enforced(void, inputs(ColSpec("long", "a", required=False)))


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["arrow", "auto"])
def test_rows_without_columns_are_still_rows(extremes: SparkSession, engine: str) -> None:
    """Zero columns in: the row count is lost."""
    optional = inputs(ColSpec("long", "a", required=False))
    step = enforce_signature(optional, engine=engine)  # type: ignore[arg-type]
    for frame in (extremes.range(5).select(), extremes.range(5)):
        assert [tuple(r) for r in frame.transform(step).collect()] == [(None,)] * 5
        report = validate(frame, optional, engine=engine)  # type: ignore[arg-type]
        assert (report.rows.total, report.conforms) == (5, True)
    tagging = enforce_signature(
        optional,
        policy=Policy(on_violation="tag"),
        engine=engine,  # type: ignore[arg-type]
    )
    rows = extremes.range(3).select().transform(tagging).collect()
    assert [tuple(r) for r in rows] == [(None, [], None)] * 3
    # Zero columns out.
    narrow = enforce_signature(
        optional,
        policy=Policy(fill_missing=False),
        engine=engine,  # type: ignore[arg-type]
    )
    out = extremes.range(4).transform(narrow)
    assert (out.columns, out.count()) == ([], 4)


def empty_frames(spark: SparkSession) -> dict[str, DataFrame]:
    some = spark.range(0, 6, 1, 3).selectExpr("id AS a", "array(id) AS l")
    # Found to be empty only once its first stage has run: adaptive execution then folds it away.
    never = some.repartition(3).where("rand() > 2")
    return {
        "no files": some.where("false"),
        "empty partitions": some.where("a = 5").repartition(7),
        "filtered": some.where("a > 100"),
        "adaptive": never.groupBy("a").agg({"l": "first"}).toDF("a", "l").repartition(2),
    }


@pytest.mark.parametrize("kind", ["no files", "empty partitions", "filtered", "adaptive"])
def test_empty_input(extremes: SparkSession, kind: str) -> None:
    frame = empty_frames(extremes)[kind]
    signature = inputs(ColSpec("long", "a"), ColSpec(Array("double"), "l"))
    widened = inputs(ColSpec("double", "a"), ColSpec(Array("long"), "l"))
    with pytest.raises(ViolationError):
        enforced(frame, signature)
    out = enforced(frame, widened, casts="lossless")
    assert dict(out.dtypes) == {"a": "double", "l": "array<bigint>"}
    rows = [(5.0, [5])] if kind == "empty partitions" else []
    assert list(map(tuple, out.collect())) == rows
    report = validate(frame, widened, policy=Policy(casts="lossless"), engine="arrow")
    assert (report.rows.total, report.conforms) == (len(rows), True)
    assert any("there are no rows" in remark for remark in report.remarks) is not bool(rows)


def test_vectors_pass_by_identity(spark: SparkSession) -> None:
    from pyspark.ml.linalg import Vectors, VectorUDT

    dense, sparse = Vectors.dense([1.0, -0.0]), Vectors.sparse(2, {1: 3.0})
    struct = T.StructType().add("v", VectorUDT()).add("i", "long")
    frame = spark.createDataFrame([(dense, 1), (sparse, 2), (None, 3)], struct)
    signature = inputs(ColSpec("long", "i"), ColSpec(SparkMLVector(), "v", required=False))
    shaped = inputs(TensorSpec(np.float64, (-1, 2), "v"))
    for name in ("default", "one row", "no limit", "ansi off", "large"):
        for _ in under(spark, CONFS[name]):
            out = enforced(frame, signature)
            assert isinstance(out.schema["v"].dataType, VectorUDT)
            rows = [tuple(r) for r in out.orderBy("i").collect()]
            assert rows == [(1, dense), (2, sparse), (3, None)]
            assert [type(row[1]) for row in rows[:2]] == [type(dense), type(sparse)]
            kept = enforced(frame.where("i < 3").select("v"), shaped)
            assert [row.v for row in kept.collect()] == [dense, sparse]
    # No batch has a vector by Spark's own comparison: better said before the action.
    for _ in under(spark, CONFS["validated"]):
        with pytest.raises(SignatureError, match=r"validateSchema\.enabled"):
            enforced(frame, signature)
        assert validate(frame, signature, engine="arrow").rows.total == 3


def test_what_carries_a_tensor_stays(extremes: SparkSession) -> None:
    """Unsigned and half-precision types are refused as return types: wider ones carry them."""
    frame = extremes.range(2).selectExpr(
        "array(array(0S, 255S), array(CAST(id AS smallint), 1S)) AS u8",
        "CAST(65535 AS int) AS u16",
        "4294967295L AS u32",
        "CAST(18446744073709551615BD AS decimal(20, 0)) AS u64",
        "array(0.5f, 65504f) AS f16",
        "array(1L, 2L, 3L, 4L) AS flat",
    )
    signature = inputs(
        TensorSpec(np.float16, (-1, 2), "f16"),
        TensorSpec(np.uint8, (-1, 2, -1), "u8"),
        TensorSpec(np.uint16, (-1,), "u16"),
        TensorSpec(np.uint32, (-1,), "u32"),
        TensorSpec(np.uint64, (-1,), "u64"),
        TensorSpec(np.int64, (-1, 2, 2), "flat"),
    )
    out = enforced(frame, signature)
    assert [t for _, t in out.dtypes] == [
        "array<float>",
        "array<array<smallint>>",
        "int",
        "bigint",
        "decimal(20,0)",
        "array<bigint>",
    ]
    assert list(map(plain, out.collect())) == [
        ([0.5, 65504.0], [[0, 255], [i, 1]], 65535, 2**32 - 1, 2**64 - 1, [1, 2, 3, 4])
        for i in range(2)
    ]


def test_names_that_spark_could_take_for_something_else(conf: SparkSession) -> None:
    names = ["a.b", "a b", "`", "``x`", "it's", 'say "so"', "世界", "*", "${env}", "(.+)?", "c0"]
    quoted = ["`" + name.replace("`", "``") + "`" for name in names]
    frame = conf.range(2).toDF("i").selectExpr("*")
    frame = frame.select(*[(frame.i + n).alias(name) for n, name in enumerate(names)])
    struct = "named_struct('p.q', CAST(1 AS int), '`', 2, 'y', 3) AS st"
    frame = frame.toDF(*names)
    signature = inputs(*[ColSpec("long", name) for name in reversed(names)])
    out = enforced(frame, signature)
    assert out.columns == names[::-1]
    assert sorted(map(tuple, out.collect())) == [
        tuple(i + n for n in reversed(range(len(names)))) for i in range(2)
    ]
    assert quoted
    members = Object([Property(name, "long") for name in ("p.q", "`", "y")])
    inner = enforced(conf.range(1).selectExpr(struct), inputs(ColSpec(members, "st")))
    row = inner.collect()[0].st
    assert row.asDict() == {"p.q": 1, "`": 2, "y": 3}


def test_names_that_differ_in_case_only(conf: SparkSession) -> None:
    frame = conf.range(2).toDF("x").select()
    frame = conf.range(2).toDF("x")
    frame = frame.select(frame.x.alias("id"), (frame.x + 10).alias("ID"))
    out = enforced(frame, inputs(ColSpec("long", "ID"), ColSpec("long", "id")))
    assert [tuple(r) for r in out.collect()] == [(10, 0), (11, 1)]
    with pytest.raises(SignatureError, match="differ in case only"):
        enforced(frame, inputs(ColSpec("long", "id")), case="insensitive")
    other = conf.range(2).toDF("Id")
    renamed = enforced(other, inputs(ColSpec("long", "iD")), case="insensitive")
    assert (renamed.columns, [row[0] for row in renamed.collect()]) == (["iD"], [0, 1])
    with pytest.raises(ViolationError, match=r"missing_column.*did you mean 'Id'"):
        enforced(other, inputs(ColSpec("long", "iD")))


# --- what only a batch of another making shows: the task itself ----------------------------------

# What Spark refuses to take back.
REFUSED = (
    pat.is_fixed_size_list,
    pat.is_large_list,
    pat.is_list_view,
    pat.is_large_list_view,
    pat.is_string_view,
    pat.is_binary_view,
    pat.is_fixed_size_binary,
    pat.is_dictionary,
    pat.is_run_end_encoded,
    pat.is_unsigned_integer,
    pat.is_float16,
    pat.is_decimal32,
    pat.is_decimal64,
    pat.is_decimal256,
    pat.is_date64,
    lambda t: pat.is_timestamp(t) and t.unit != "us",
    lambda t: pat.is_time(t) and t.unit != "ns",
    lambda t: isinstance(t, pa.BaseExtensionType),
)


def refused(dtype: pa.DataType) -> list[str]:
    """List what Spark would refuse in a type, at any level."""
    found = [str(dtype)] if any(test(dtype) for test in REFUSED) else []
    if pat.is_map(dtype):
        return found + refused(dtype.key_type) + refused(dtype.item_type)
    if pat.is_struct(dtype):
        return found + [t for i in range(dtype.num_fields) for t in refused(dtype.field(i).type)]
    if isinstance(dtype, pa.ListType):
        return found + refused(dtype.value_type)
    return found


def unflagged(field: pa.Field) -> list[str]:
    """List what is declared to hold no null, at any level; keys of maps cannot hold one."""
    found = [] if field.nullable else [str(field)]
    if pat.is_map(field.type):
        return found + unflagged(field.type.item_field)
    inside = [field.type.field(i) for i in range(field.type.num_fields)]
    return found + [t for part in inside for t in unflagged(part)]


def task(source: T.StructType, signature: ModelSignature, **choices: Any) -> Enforce:
    """Make the stage's task for a source, as ``enforce_rows`` does."""
    plan = plan_enforcement(
        source_schema(source),
        signature.side("inputs"),
        Policy(**choices),
        engine="arrow",
        spark=True,
    )
    assert not plan.findings
    struct = output_struct(plan.output, source, plan)
    if plan.policy.on_violation == "tag":
        struct = tagged_struct(struct, source, plan.policy.show_values)
    names = tuple((f"c{i}", name) for i, name in enumerate(plan.source.names))
    return Enforce(plan, names, declared(struct))


def struct_of(ddl: str) -> T.StructType:
    """Read columns from DDL text, without a session."""
    return T._parse_datatype_string(ddl)  # type: ignore[return-value]


def carried_out(made: Enforce, *columns: pa.Array) -> pa.RecordBatch:
    names = [f"c{i}" for i in range(len(columns))]
    (out,) = made([pa.RecordBatch.from_arrays(list(columns), names)])
    # To the letter: names of items, flags and time zones are part of Spark's check.
    assert str(out.schema) == str(made.output)
    assert out.schema.equals(made.output)
    assert [t for field in out.schema for t in refused(field.type)] == []
    assert all(field.nullable for field in out.schema)
    out.validate(full=True)
    return out


WORDS = ["a", None, "ccc"]
TEXTS = {
    "string": pa.array(WORDS),
    "large_string": pa.array(WORDS, pa.large_string()),
    "string_view": pa.array(WORDS, pa.string_view()),
    "dictionary": pa.array(WORDS).dictionary_encode(),
    "run ends": pc.run_end_encode(pa.array(WORDS)),
    "sliced": pa.array(["x", *WORDS, "y"]).slice(1, 3),
    "null first": pa.concat_arrays([pa.nulls(1, pa.string()), pa.array(WORDS)]).slice(1),
}
BYTES = {
    "binary": pa.array([b"ab", None], pa.binary()),
    "large_binary": pa.array([b"ab", None], pa.large_binary()),
    "binary_view": pa.array([b"ab", None], pa.binary_view()),
    "fixed_size_binary": pa.array([b"ab", None], pa.binary(2)),
}
PAIRS = [[1, 2], None]
LISTS = {
    "list": pa.array(PAIRS, pa.list_(pa.int64())),
    "large_list": pa.array(PAIRS, pa.large_list(pa.int64())),
    "fixed_size_list": pa.array(PAIRS, pa.list_(pa.int64(), 2)),
    "list_view": pa.array(PAIRS, pa.list_view(pa.int64())),
    "large_list_view": pa.array(PAIRS, pa.large_list_view(pa.int64())),
    "items not null": pa.array(PAIRS, pa.list_(pa.field("x", pa.int64(), nullable=False))),
    "dictionary inside": pa.array(PAIRS, pa.list_(pa.dictionary(pa.int32(), pa.int64()))),
}
NAIVE = [datetime.datetime(2024, 3, 10, 2, 30), None]
LAYOUTS = [
    *[("string", "string", array, WORDS) for array in TEXTS.values()],
    *[("binary", "binary", array, [b"ab", None]) for array in BYTES.values()],
    *[(Array("long"), "array<bigint>", array, PAIRS) for array in LISTS.values()],
]
# Types with another range: no layout of the one that was planned for.
OTHERS = [
    ("long", "bigint", pa.array([1], pa.int32())),
    ("long", "bigint", pa.array([1], pa.uint64())),
    ("long", "bigint", pa.array(["1"])),
    ("float", "float", pa.array([np.float16(1)], pa.float16())),
    ("datetime", "timestamp_ntz", pa.array(NAIVE, pa.timestamp("us", "UTC"))),
    ("datetime", "timestamp", pa.array(NAIVE, pa.timestamp("us"))),
    *[("datetime", "timestamp_ntz", pa.array(NAIVE, pa.timestamp(u))) for u in ("s", "ms", "ns")],
    (AnyType(), "decimal(10,2)", pa.array([decimal.Decimal("1.25")], pa.decimal64(10, 2))),
    (AnyType(), "decimal(10,2)", pa.array([decimal.Decimal("1.25")], pa.decimal256(10, 2))),
    (AnyType(), "decimal(10,2)", pa.array([decimal.Decimal("1.259")], pa.decimal128(10, 3))),
    (AnyType(), "date", pa.array([datetime.date(2024, 3, 10)], pa.date64())),
]


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("target", "stored", "array", "values"),
    LAYOUTS,
    ids=[f"{stored}-{array.type}" for _, stored, array, _ in LAYOUTS],
)
@pytest.mark.parametrize("mode", ["raise", "tag"])
def test_any_layout_goes_back_as_it_was_declared(
    target: Any, stored: str, array: pa.Array, values: list[Any], mode: str
) -> None:
    """Rejected return types, and a later batch of another type than the first."""
    source = struct_of(f"v {stored}")
    made = task(source, inputs(ColSpec(target, "v", required=False)), on_violation=mode)
    out = carried_out(made, array)
    assert out.column(0).to_pylist() == values


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("target", "stored", "array"), OTHERS, ids=[f"{o[1]}-{o[2].type}" for o in OTHERS]
)
@pytest.mark.parametrize("mode", ["raise", "drop", "tag"])
def test_what_is_no_layout_of_the_planned_type_is_an_error(
    target: Any, stored: str, array: pa.Array, mode: str
) -> None:
    """Never a value that was rounded, shifted or swapped in silence."""
    made = task(struct_of(f"v {stored}"), inputs(ColSpec(target, "v", False)), on_violation=mode)
    with pytest.raises(SignatureError, match=r"\$\.v"):
        carried_out(made, array)


@pytest.mark.usefixtures("spark")
def test_every_batch_goes_back_under_one_schema() -> None:
    source = struct_of("a bigint, st struct<y: bigint, x: int>, s string, l array<double>")
    signature = inputs(
        ColSpec("string", "s", required=False),
        ColSpec(pair(False), "st", required=False),
        ColSpec("long", "a", required=False),
        ColSpec(Array("double"), "l", required=False),
    )
    made = task(source, signature)
    never = pa.struct([pa.field("y", pa.int64(), False), pa.field("x", pa.int32(), False)])
    swapped = pa.struct([("x", pa.int32()), ("y", pa.int64())])
    x, y = pa.array([1, 2], pa.int32()), pa.array([3, 4], pa.int64())
    firsts = {
        "full": [
            pa.array([1, 2]),
            pa.StructArray.from_arrays([y, x], fields=list(never)),
            pa.array(["p", "q"]),
            pa.array([[0.5], []]),
        ],
        "later": [
            pa.nulls(2),
            pa.StructArray.from_arrays([x, y], fields=list(swapped)),
            pa.array(["p", "q"]).dictionary_encode(),
            pa.array([[0.5], []], pa.list_(pa.field("i", pa.float64(), nullable=False))),
        ],
        "nulls": [pa.nulls(2)] * 4,
        "empty": [
            pa.array([], t) for t in (pa.int64(), never, pa.string(), pa.list_(pa.float64()))
        ],
        "sliced": [
            pa.array([0, 1, 2, 3]).slice(1, 2),
            pa.array([None, {"y": 3, "x": 1}, {"y": 4, "x": 2}], swapped).slice(1, 2),
            pa.array(["o", "p", "q"], pa.large_string()).slice(1, 2),
            pa.array([[9.0], [0.5], []]).slice(1, 2),
        ],
    }
    full = [("p", {"x": 1, "y": 3}, 1, [0.5]), ("q", {"x": 2, "y": 4}, 2, [])]
    wanted = {
        "full": full,
        "later": [("p", {"x": 1, "y": 3}, None, [0.5]), ("q", {"x": 2, "y": 4}, None, [])],
        "nulls": [(None,) * 4] * 2,
        "empty": [],
        "sliced": full,
    }
    for name, columns in firsts.items():
        out = carried_out(made, *columns)
        assert [tuple(row.values()) for row in out.to_pylist()] == wanted[name], name


@pytest.mark.usefixtures("spark")
def test_a_batch_without_columns_keeps_its_rows() -> None:
    optional = inputs(ColSpec("long", "a", required=False))
    made = task(T.StructType(), optional)
    one = pa.RecordBatch.from_arrays([pa.nulls(3)], ["none"])
    assert [batch.to_pylist() for batch in made([one])] == [[{"a": None}] * 3]
    bare = task(T.StructType(), optional, fill_missing=False)
    assert [batch.num_rows for batch in bare([one])] == [3]


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("rows", [0, 1, 2, 1_000_000])
def test_batches_of_any_size(rows: int) -> None:
    made = task(
        struct_of("v int, l array<int>"), inputs(ColSpec("long", "v"), ColSpec(Array("long"), "l"))
    )
    values = pa.array(np.arange(rows, dtype=np.int32))
    lists = pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32)), values)
    out = carried_out(made, values, lists)
    assert out.num_rows == rows
    assert out.column(0).to_numpy().tolist() == list(range(rows))
    assert out.column(1).flatten().to_numpy().tolist() == list(range(rows))


@pytest.mark.usefixtures("spark")
def test_the_declared_schema_is_one_that_spark_takes() -> None:
    """Everything that a plan can put out, at every level."""
    source = struct_of(
        "a tinyint, b decimal(38,18), c date, d timestamp, e timestamp_ntz, f char(3), "
        "g map<string, array<struct<p: smallint, q: binary>>>, h array<array<float>>, i varchar(4)"
    )
    specs = [ColSpec(AnyType(), name) for name in source.names]
    for mode in ("raise", "tag"):
        made = task(source, inputs(*specs), on_violation=mode)
        assert [t for field in made.output for t in refused(field.type)] == []
        assert [f for field in made.output for f in unflagged(field)] == []
