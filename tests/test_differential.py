"""The engines hold each other to one behaviour: same findings, same report, same rows out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from spark_sig.casts import Cast, cast_rule, kind_of
from spark_sig.compile.spark import source_schema, spark_struct
from spark_sig.errors import SignatureError
from spark_sig.kernels.batch import run_batch
from spark_sig.kernels.summary import summarise
from spark_sig.planner import plan_enforcement
from spark_sig.policy import OnViolation, Policy
from spark_sig.report import Report, Source
from spark_sig.rows import enforce_signature
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.signature import ModelSignature
from spark_sig.tally import Tally
from spark_sig.types import DataType, SparkMLVector
from tests.conftest import spark_version
from tests.differential import Refused, collected, exact, rows, verdict
from tests.random_frames import SOURCES, Drawn, draw, misfit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
# Shrinking a frame on Spark takes minutes; the seed that is printed draws it again.
sparkly = settings(
    max_examples=200 if NIGHTLY else 4,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
seeds = st.integers(0, 2**32)
ENGINES = ("arrow", "auto", "catalyst")


def frame(spark: SparkSession, table: pa.Table) -> DataFrame:
    """Hand a table to Spark, flags, NaN and -0.0 and all."""
    if spark_version() < (4, 0):  # which takes no tables of Arrow's
        batches = table.combine_chunks().to_batches()
        one = spark.range(0, 1, 1, 1)
        return one.mapInArrow(lambda _: iter(batches), spark_struct(table.schema))
    # without the schema, timestamps without a zone would get one
    return spark.createDataFrame(table, schema=spark_struct(table.schema))


def by_kernels(
    df: DataFrame, table: pa.Table, schema: Schema, policy: Policy, sizes: int | None
) -> Report:
    """Return the report that the kernels give on the driver, in batches of some size."""
    plan = plan_enforcement(source_schema(df.schema), schema, policy, engine="arrow", spark=True)
    tally = Tally.empty(policy.examples)
    for batch in table.combine_chunks().to_batches(max_chunksize=sizes):
        outcome = run_batch(plan, batch, columns=False)
        tally += summarise(plan, outcome, [batch.column("id")])
    return Report.of(
        plan,
        tally,
        signature=ModelSignature(inputs=schema).fingerprint,
        side="inputs",
        source=Source("dataframe"),
        row_key=("id",),
    )


def differences(left: Report, right: Report) -> list[Any]:
    """Return the checks that two reports differ in, for a message one can read."""
    pairs = zip(left.checks, right.checks, strict=False)
    return [(a, b) for a, b in pairs if a != b] or [(left.rows, right.rows), left == right]


def assert_same_reports(df: DataFrame, table: pa.Table, schema: Schema, policy: Policy) -> bool:
    """Compare the reports of all engines and of the kernels; say whether Catalyst took part."""
    policy = replace(policy, on_violation="raise")
    arrow, auto, catalyst = (verdict(df, schema, policy, e, ("id",)) for e in ENGINES)
    assert isinstance(arrow, Report), arrow
    assert isinstance(auto, Report), auto
    assert arrow.rows.total == table.num_rows, "a finding: no row was read"
    assert arrow == auto, differences(arrow, auto)
    kernels = by_kernels(df, table, schema, policy, 7)
    assert arrow == kernels, differences(arrow, kernels)
    if isinstance(catalyst, Refused):
        assert "Catalyst cannot decide" in catalyst.message
        return False
    assert arrow == catalyst, differences(arrow, catalyst)
    return True


def assert_same_rows(
    df: DataFrame, schema: Schema, policy: Policy, mode: OnViolation, other: str
) -> None:
    """Compare the rows that come out of the Arrow engine and another."""
    one, two = (rows(df, schema, policy, mode, engine) for engine in ("arrow", other))  # type: ignore[arg-type]
    assert isinstance(one, list), one
    assert isinstance(two, list), two
    assert [pair for pair in zip(one, two, strict=False) if pair[0] != pair[1]] == []
    assert len(one) == len(two)


def assert_both_raise(df: DataFrame, schema: Schema, policy: Policy, report: Report) -> None:
    """Compare what the engines raise: something, where any row violates, that the report lists."""
    listed = {
        f"{c.path}: {c.code}: expected {c.expected}, observed {observed}"
        for c in report.checks
        for observed in c.observed
    }
    for engine in ("arrow", "catalyst"):
        found = rows(df, schema, policy, "raise", engine)  # type: ignore[arg-type]
        assert isinstance(found, list)
        if not report.rows.violating:
            assert len(found) == report.rows.total
        else:
            assert len(found) == 1, "a row that violates went through"
            assert any(text in found[0] for text in listed), found


# --- every pair of types ----------------------------------------------------------------------


GRID_POLICIES = [
    Policy(casts=casts, nan=nan, datetime=datetime, examples=50)  # type: ignore[arg-type]
    for casts, nan, datetime in [
        ("exact", "allow", "source"),
        ("safe", "reject", "timestamp"),
        ("lossless", "allow", "timestamp"),
        ("lossless", "reject", "source"),
    ]
]


def grid() -> Iterator[tuple[str, ColSpec]]:
    """Yield every stored type with a column that it is to become."""
    for source, target, required in product(SOURCES, DataType, (True, False)):
        name = f"{source} {target.value} {'!' if required else '?'}"
        yield source, ColSpec(target, name, required)


def accepted(casts: str) -> list[tuple[str, ColSpec]]:
    """Return the pairs that a policy does not refuse by their types."""
    found = []
    for source, spec in grid():
        kind = kind_of(SOURCES[source][0])
        assert kind is not None
        assert isinstance(spec.type, DataType)
        if cast_rule(kind, spec.type, casts) is not Cast.REFUSED:  # type: ignore[arg-type]
            found.append((source, spec))
    return found


def schema_of(pairs: list[tuple[str, ColSpec]]) -> Schema:
    return Schema([*(spec for _, spec in pairs), ColSpec("long", "id", True)])


def edges_at_once(pairs: list[tuple[str, ColSpec]]) -> pa.Table:
    """Return rows of edges only, the last all NULL: every row violates many checks."""
    count = max(len(values) for _, values, _ in SOURCES.values()) + 1
    columns = {}
    for source, spec in pairs:
        dtype, values, _ = SOURCES[source]
        columns[spec.name] = pa.array([*values, *[None] * (count - len(values))], dtype)
    return pa.table({**columns, "id": pa.array(range(count), pa.int64())})


def edges_one_by_one(pairs: list[tuple[str, ColSpec]]) -> pa.Table:
    """Return rows with one edge each: what survives says which edges fit."""
    lengths = [len(SOURCES[source][1]) + 1 for source, _ in pairs]
    count, start = sum(lengths), 0
    columns = {}
    for (source, spec), length in zip(pairs, lengths, strict=True):
        dtype, values, fits = SOURCES[source]
        cells = [fits] * count
        cells[start : start + length] = [*values, None]
        start += length
        columns[spec.name] = pa.array(cells, dtype)
    return pa.table({**columns, "id": pa.array(range(count), pa.int64())})


@pytest.mark.parametrize("policy", GRID_POLICIES, ids=lambda p: f"{p.casts}-{p.nan}")
def test_every_pair_of_types_gets_one_verdict(spark: SparkSession, policy: Policy) -> None:
    columns = pa.schema([(spec.name, SOURCES[source][0]) for source, spec in grid()])
    nothing = spark.createDataFrame([], spark_struct(columns))
    specs = Schema([spec for _, spec in grid()])
    reports = [verdict(nothing, specs, policy, engine) for engine in ENGINES]  # type: ignore[arg-type]
    assert reports[0] == reports[1] == reports[2]
    assert isinstance(reports[0], Report)
    refused = {c.path for c in reports[0].checks if c.count is None}
    assert len(refused) == len(columns) - len(accepted(policy.casts))

    pairs = accepted(policy.casts)
    dense = edges_at_once(pairs)
    df = frame(spark, dense)
    back = collected(df)
    assert all(exact(back[name]) == exact(dense[name]) for name in dense.column_names)
    assert_same_reports(df, dense, schema_of(pairs), policy)


@pytest.mark.parametrize("policy", GRID_POLICIES[1:], ids=lambda p: f"{p.casts}-{p.nan}")
def test_every_pair_of_types_gives_one_value(spark: SparkSession, policy: Policy) -> None:
    pairs = accepted(policy.casts)
    dense = edges_at_once(pairs)
    plan = plan_enforcement(dense.schema, schema_of(pairs), policy, spark=True)
    in_python = {field.name for field in plan.arrow_fields}
    fused = [pair for pair in pairs if pair[1].name not in in_python]
    assert len(fused) > 0.6 * len(pairs)
    names = [spec.name for _, spec in fused]
    df = frame(spark, dense.select([*names, "id"]))
    assert_same_rows(df, schema_of(fused), policy, "tag", "catalyst")
    if policy.casts == "lossless":
        sparse = frame(spark, edges_one_by_one(fused))
        assert_same_rows(sparse, schema_of(fused), policy, "drop", "catalyst")


# --- random frames ----------------------------------------------------------------------------


@given(seeds)
@sparkly
def test_engines_agree_on_what_catalyst_decides(spark: SparkSession, seed: int) -> None:
    drawn = draw(seed, fused=True, columns=10)
    note(f"seed {seed}: {drawn.schema} under {drawn.policy}")
    df = frame(spark, drawn.table)
    assert_same_findings(spark, drawn)
    assert assert_same_reports(df, drawn.table, drawn.schema, drawn.policy)
    assert_same_rows(df, drawn.schema, drawn.policy, "tag", "catalyst")
    if seed % 2:
        assert_same_rows(df, drawn.schema, drawn.policy, "drop", "catalyst")
    else:
        report = verdict(df, drawn.schema, drawn.policy, "arrow")
        assert isinstance(report, Report)
        assert_both_raise(df, drawn.schema, drawn.policy, report)


@given(seeds)
@sparkly
def test_engines_agree_on_what_needs_arrow(spark: SparkSession, seed: int) -> None:
    drawn = draw(seed, fused=False)
    note(f"seed {seed}: {drawn.schema} under {drawn.policy}")
    df = frame(spark, drawn.table)
    assert_same_findings(spark, drawn)
    assert_same_reports(df, drawn.table, drawn.schema, drawn.policy)
    assert_same_rows(df, drawn.schema, drawn.policy, ("tag", "drop")[seed % 2], "auto")  # type: ignore[arg-type]


def assert_same_findings(spark: SparkSession, drawn: Drawn) -> None:
    """Compare what the engines say of types that do not fit."""
    struct = spark_struct(misfit(drawn))
    empty = spark.createDataFrame([], struct)
    plans = []
    for engine in ENGINES:
        try:
            plan = plan_enforcement(
                source_schema(empty.schema),
                drawn.schema,
                drawn.policy,
                engine=engine,  # type: ignore[arg-type]
                spark=True,
            )
            plans.append((plan.findings, [(c.path, c.code, c.expected) for c in plan.checks]))
        except SignatureError as error:
            if "Catalyst cannot decide" not in str(error):
                plans.append(((), [str(error)]))
    assert all(plan == plans[0] for plan in plans)


# --- any batches, any partitions --------------------------------------------------------------


@contextmanager
def batches_of(spark: SparkSession, size: int | None) -> Iterator[None]:
    """Cut the batches that Python sees at some size."""
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key)
    if size is not None:
        spark.conf.set(key, size)
    yield
    spark.conf.set(key, before)


CUTS = [(1, 5), (2, 2), (3, 1), (None, 2), (None, 5)]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "fused"), [(2, False), (5, False), (3, True)])
def test_report_is_the_same_however_rows_are_cut(
    spark: SparkSession, seed: int, fused: bool
) -> None:
    drawn = draw(seed, fused=fused)
    policy = replace(drawn.policy, examples=3)
    df = frame(spark, drawn.table).cache()
    whole = by_kernels(df, drawn.table, drawn.schema, policy, None)
    assert whole.rows.violating
    assert whole.rows.valid
    for size in (1, 2, 3):
        assert by_kernels(df, drawn.table, drawn.schema, policy, size) == whole
    for size, partitions in CUTS:
        with batches_of(spark, size):
            for engine in ("arrow", "auto"):
                cut = df.repartition(partitions)
                report = verdict(cut, drawn.schema, policy, engine, ("id",))  # type: ignore[arg-type]
                assert report == whole, (size, partitions, engine)
    df.unpersist()


# --- what they disagreed on once --------------------------------------------------------------


def test_a_cast_that_no_value_fails_is_checked_without_a_condition(spark: SparkSession) -> None:
    df = spark.sql("SELECT CAST(7 AS DECIMAL(9, 0)) AS n, id FROM range(3)")
    schema = Schema([ColSpec("integer", "n", False)])
    for engine in ENGINES:
        report = verdict(df, schema, Policy(casts="lossless"), engine)  # type: ignore[arg-type]
        assert isinstance(report, Report)
        assert report.conforms
        assert report.rows.total == 3


def test_tagged_rows_reach_arrow_and_pandas(spark: SparkSession) -> None:
    # range() flags its column as never NULL, which _original is for rows that conform
    df = spark.range(3).selectExpr("id", "IF(id = 1, NULL, 'a') AS s")
    assert not df.schema["id"].nullable
    signature = ModelSignature(inputs=Schema([ColSpec("long", "id"), ColSpec("string", "s")]))
    tag = Policy(on_violation="tag")
    for engine in ENGINES:
        out = enforce_signature(signature, policy=tag, engine=engine)(df)  # type: ignore[arg-type]
        if spark_version() >= (4, 0):
            original = out.toArrow().sort_by("id")["_original"].to_pylist()
            assert original == [None, {"id": 1, "s": None}, None]
        assert len(out.toPandas()) == 3


def test_the_two_zeros_of_a_row_key_are_one(spark: SparkSession) -> None:
    df = spark.sql("SELECT * FROM VALUES (-0.0D, NULL), (0.0D, NULL) AS t(k, s)")
    df = df.selectExpr("k", "CAST(s AS STRING) AS s")
    schema = Schema([ColSpec("string", "s")])
    shown = set()
    for engine in ENGINES:
        report = verdict(df, schema, Policy(), engine, ("k",))  # type: ignore[arg-type]
        assert isinstance(report, Report)
        shown.add(str([example.key for example in report.checks[0].examples]))
    assert shown == {"[(0.0,), (0.0,)]"}


def test_moments_that_python_has_none_for_are_shown_as_numbers(spark: SparkSession) -> None:
    moments = pa.array([[2**63 - 1], [0], [1, 2], []], pa.list_(pa.timestamp("us")))
    table = pa.table({"v": moments, "id": pa.array(range(4), pa.int64())})
    schema = Schema([TensorSpec("datetime64[us]", (-1, 2), "v")])
    policy = Policy(show_values=True)
    df = frame(spark, table)
    assert_same_reports(df, table, schema, policy)
    report = verdict(df, schema, policy, "auto", ("id",))
    assert isinstance(report, Report)
    shown = [e.value for c in report.checks for e in c.examples]
    assert shown == ["[9223372036854775807]", "[datetime.datetime(1970, 1, 1, 0, 0)]", "[]"]


# --- vectors ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_engines_agree_on_vectors(spark: SparkSession) -> None:
    from pyspark.ml.linalg import Vectors, VectorUDT
    from pyspark.sql import types as T

    nan, inf = float("nan"), float("inf")
    vectors = [
        Vectors.dense([1.0, -0.0]),
        Vectors.dense([nan, inf]),
        Vectors.dense([]),
        Vectors.dense([1.0, 2.0, 3.0]),
        Vectors.sparse(2, {1: 5.0}),
        Vectors.sparse(2, {}),
        Vectors.sparse(3, {0: 1.0}),
        None,
    ]
    names = [f"v{i}" for i in range(4)]
    struct = T.StructType([*(T.StructField(n, VectorUDT()) for n in names)]).add("id", "long")
    df = spark.createDataFrame([(v, v, v, v, i) for i, v in enumerate(vectors)], struct)
    columns = Schema(
        [ColSpec(SparkMLVector(), name, place % 2 == 0) for place, name in enumerate(names)]
        + [ColSpec("long", "id")]
    )
    shapes = [(-1, 2), (-1, -1), (-1, 0), (-1, 3)]
    tensors = Schema(
        [TensorSpec("float64", shape, name) for shape, name in zip(shapes, names, strict=True)]
        + [TensorSpec("int64", (-1,), "id")]
    )
    for schema in (columns, tensors):
        strict = Policy(nan="reject")
        assert_same_reports(df, collected(df), schema, strict)
        report = verdict(df, schema, strict, "auto")
        assert isinstance(report, Report)
        assert any(v.path == "$.v0[*]" and v.observed == "NaN" for v in report.violations)
        assert_same_reports(df, collected(df), schema, Policy())
        report = verdict(df, schema, Policy(), "auto")
        assert isinstance(report, Report)
        assert report.rows.violating
        for mode in ("tag", "drop"):
            assert_same_rows(df, schema, Policy(), mode, "auto")
