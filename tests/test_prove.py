"""The prover beyond the log: footers, what it leaves out, and what it says of itself."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_sig import (
    Array,
    ColSpec,
    ModelSignature,
    Object,
    Policy,
    Property,
    Report,
    Schema,
    validate,
)
from spark_sig.compile.spark import source_schema
from spark_sig.delta.columns import schema_columns
from spark_sig.errors import SourceError
from spark_sig.gate import proofs, prove
from spark_sig.kernels.footers import FOOTER
from spark_sig.plan import Rung
from spark_sig.planner import plan_enforcement
from spark_sig.report import Decided
from spark_sig.stats import Claim
from tests.conftest import RAISED
from tests.test_statistics import copy

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOSSLESS = Policy(casts="lossless")
COLUMNS = [
    *(f"id + {i} AS c{i}" for i in range(33)),
    "id % 2 AS p",
    "IF(id = 5, 5000000000, id) AS late",
    "named_struct('x', IF(id = 7, NULL, id)) AS s",
    "array(id) AS l",
    "id / 2D AS d",
]
SPECS = {
    "c32": ColSpec("integer", "c32"),
    "p": ColSpec("long", "p"),
    "late": ColSpec("integer", "late"),
    "s": ColSpec(Object([Property("x", "long")]), "s"),
    "l": ColSpec(
        Array(
            "long",
        ),
        "l",
    ),
    "d": ColSpec("double", "d"),
}


def signature(*names: str) -> ModelSignature:
    return ModelSignature(inputs=Schema([SPECS[name] for name in names]))


@pytest.fixture(scope="module")
def delta(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of 38 columns, of which the log covers the first 32; one row is deleted."""
    path = tmp_path_factory.mktemp("prove") / "a table"
    writer = spark.range(0, 40, 1, 2).selectExpr(*COLUMNS).write.format("delta")
    writer.partitionBy("p").option("delta.enableDeletionVectors", "true").save(str(path))
    spark.sql(f"DELETE FROM delta.`{path}` WHERE c0 = 11")
    return path


@pytest.fixture(scope="module")
def parquet(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prove") / "some files"
    spark.range(0, 40, 1, 2).selectExpr(*COLUMNS).write.parquet(str(path))
    return path


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Footers are read, however few rows they stand for."""
    monkeypatch.setattr(prove, "VALUES_A_FOOTER", 0)
    monkeypatch.setattr(prove, "VALUES_A_STAGE", 0)
    monkeypatch.setattr(prove, "BYTES_A_STAGE", 0)


def both(path: Path | str, wanted: ModelSignature, key: str = "c0") -> Report:
    report = validate(path, wanted, policy=LOSSLESS, row_key=key)
    assert report == validate(path, wanted, policy=LOSSLESS, row_key=key, stats=False)
    return report


def rungs(report: Report) -> dict[str, set[Rung]]:
    found: dict[str, set[Rung]] = {}
    for check in report.checks:
        found.setdefault(check.path, set()).update(part.rung for part in check.decided)
    return found


@pytest.mark.usefixtures("eager")
def test_footers_prove_columns_that_the_log_does_not_cover(delta: Path) -> None:
    report = both(delta, signature("c32", "p"))
    assert report.conforms
    assert rungs(report) == {"$.c32": {Rung.STATS}, "$.p": {Rung.STATS}}
    assert report.evidence.files_read == 0
    assert report.evidence.statistics == prove.BOTH


@pytest.mark.usefixtures("eager")
def test_only_files_that_footers_leave_open_are_read(delta: Path) -> None:
    report = both(delta, signature("c32", "late", "s", "l"))
    counts = {(c.path, c.code.value): c.count for c in report.checks if c.count}
    assert counts == {("$.late", "cast"): 1, ("$.s.x", "null"): 1}
    parts = {(c.path, c.code.value): c.decided for c in report.checks}
    for check in (("$.late", "cast"), ("$.s.x", "null")):
        assert [(part.rung, part.files) for part in parts[check]] == [
            (Rung.STATS, 3),
            (Rung.CATALYST, 1),
        ]
    assert [(part.rung, part.files) for part in parts["$.l[*]", "null"]] == [(Rung.ARROW, 4)]


def test_footers_are_left_alone_where_reading_rows_is_cheaper(delta: Path) -> None:
    report = both(delta, signature("c32"))
    assert rungs(report) == {"$.c32": {Rung.CATALYST}}
    assert report.evidence.statistics == prove.LOG


@pytest.mark.usefixtures("eager")
def test_columns_that_are_found_by_id_are_none_of_a_footer(
    spark: SparkSession, tmp_path: Path
) -> None:
    for mode in ("ID", "name"):
        path = tmp_path / mode
        writer = spark.range(0, 40, 1, 2).selectExpr("id AS c0", "id AS p").write.format("delta")
        writer = writer.option("delta.columnMapping.mode", mode)
        writer.option("delta.dataSkippingNumIndexedCols", "0").save(str(path))
        asked = {"ID": prove.LOG, "name": prove.BOTH}[mode]
        assert both(path, signature("p")).evidence.statistics == asked


@pytest.mark.usefixtures("eager")
def test_a_footer_of_another_number_of_rows_proves_nothing(
    spark: SparkSession, delta: Path, tmp_path: Path
) -> None:
    def fewer(add: dict[str, object]) -> None:
        stats = json.loads(str(add["stats"]))
        add["stats"] = json.dumps({**stats, "numRecords": stats["numRecords"] + 1})

    report = validate(copy(delta, tmp_path / "t", fewer), signature("c32"), policy=LOSSLESS)
    assert rungs(report) == {"$.c32": {Rung.CATALYST}}
    assert not report.complete


@pytest.mark.usefixtures("eager")
def test_footers_of_parquet_files(parquet: Path) -> None:
    report = both(parquet, signature("c32", "d"))
    assert report.conforms
    assert rungs(report) == {"$.c32": {Rung.STATS}, "$.d": {Rung.STATS}}
    assert (report.rows.total, report.evidence.statistics) == (40, prove.FOOTERS)
    mixed = both(parquet, signature("c32", "late", "s", "l"))
    assert {path: rungs(mixed)[path] for path in ("$.c32", "$.s.x", "$.l[*]")} == {
        "$.c32": {Rung.STATS},
        "$.s.x": {Rung.CATALYST},
        "$.l[*]": {Rung.ARROW},
    }
    assert mixed.rows.violating == 2


@pytest.mark.usefixtures("eager")
def test_a_folder_s_value_is_not_what_a_file_says(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    for folder in ("p=5000000000", "p=__HIVE_DEFAULT_PARTITION__"):  # a long, as in the files
        spark.range(0, 3, 1, 1).selectExpr("id AS c0", "1L AS p").write.parquet(str(path / folder))
    report = both(path, signature("p"))
    assert report.rows.violating == 3


@pytest.mark.usefixtures("eager")
def test_a_folder_s_name_is_escaped_twice(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    for value in ("5000000000", "__HIVE_DEFAULT_PARTITION__"):  # a long, as in the files
        rows = spark.range(0, 3, 1, 1).selectExpr("id AS c0", "1L AS `a:b`")
        rows.write.parquet(str(path / f"a%3Ab={value}"))
    assert [row[0] for row in spark.read.parquet(str(path)).select("`a:b`").collect()].count(
        None
    ) == 3
    wanted = ModelSignature(inputs=Schema([ColSpec("long", "a:b")]))
    assert both(path, wanted).rows.violating == 3


@pytest.mark.usefixtures("eager")
def test_a_catalog_says_what_partitions_are_and_where_they_lie(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Two of them may lie in one folder, whatever its name; there may be none."""
    files, table = tmp_path / "files", "parts"
    spark.range(0, 3, 1, 1).selectExpr("id AS v", "1L AS p").write.parquet(str(files))
    spark.sql(
        f"CREATE TABLE {table} (v BIGINT, p BIGINT) USING parquet PARTITIONED BY (p) "
        f"LOCATION '{tmp_path / table}'"
    )
    try:
        wanted = ModelSignature(inputs=Schema([ColSpec("long", "v"), ColSpec("long", "p")]))
        assert both(table, wanted, "v").rows.total == 0
        for value in ("NULL", "5"):
            spark.sql(f"ALTER TABLE {table} ADD PARTITION (p = {value}) LOCATION '{files}'")
        report = both(table, wanted, "v")
        assert (report.rows.total, report.rows.violating) == (6, 3)
        assert report.evidence.statistics == prove.BY_CATALOG
    finally:
        spark.sql(f"DROP TABLE {table}")


@pytest.mark.usefixtures("eager")
def test_of_no_files_there_are_no_footers(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE TABLE nothing (c0 BIGINT) USING parquet LOCATION '{tmp_path / 'none'}'")
    try:
        assert both("nothing", ModelSignature(inputs=Schema([ColSpec("long", "c0")]))).conforms
    finally:
        spark.sql("DROP TABLE nothing")


@pytest.mark.usefixtures("eager")
def test_columns_that_spark_finds_by_their_ids_are_not_asked_for_by_name(
    spark: SparkSession, tmp_path: Path
) -> None:
    """One file has them under each other's names: in ``a``, one of the NULLs in ``b`` is found."""
    for a, b in [(1, 2), (2, 1)]:
        ids = [("a", a), ("b", b)]
        schema = T.StructType(
            [T.StructField(n, T.LongType(), True, {"parquet.field.id": i}) for n, i in ids]
        )
        rows = spark.createDataFrame([(1, None)], schema).coalesce(1)
        rows.write.mode("append").parquet(str(tmp_path / "t"))
    wanted = ModelSignature(inputs=Schema([ColSpec("long", "a"), ColSpec("long", "b", False)]))
    # as Delta sets it for the whole session, whenever it is used first
    spark.range(1).write.format("delta").save(str(tmp_path / "delta"))
    assert spark.conf.get("spark.sql.parquet.fieldId.read.enabled") == "true"
    report = both(tmp_path / "t", wanted, "a")
    assert report.rows.violating == 1
    assert (report.rows.total, report.evidence.statistics) == (2, prove.BY_ID)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", ["delta", "parquet"])
def test_footers_that_cannot_be_read_leave_it_to_the_rows(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = prove.footers_of

    def broken(*given: Any) -> Any:
        return real(*given).withColumn(
            FOOTER, F.expr("CAST(raise_error('no pyarrow here') AS string)")
        )

    monkeypatch.setattr(prove, "footers_of", broken)
    report = validate(request.getfixturevalue(kind), signature("c32"), policy=LOSSLESS)
    assert rungs(report) == {"$.c32": {Rung.CATALYST}}
    assert report.conforms
    assert "footers of the files cannot be read" in report.evidence.statistics
    # its text may be about values
    assert RAISED in report.evidence.statistics


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", ["delta", "parquet"])
@pytest.mark.parametrize(
    ("message", "goes_on"),
    [("no pyarrow here", True), ("[SPARK_JOB_CANCELLED] Job 3 cancelled", False)],
)
def test_footers_that_are_not_asked_at_all(
    kind: str,
    message: str,
    goes_on: bool,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*given: Any) -> Any:
        raise PySparkException(message)

    monkeypatch.setattr(prove, "footers_of", broken)
    path = request.getfixturevalue(kind)
    with nullcontext() if goes_on else pytest.raises(PySparkException, match="cancelled"):
        report = validate(path, signature("c32"), policy=LOSSLESS)
        assert rungs(report) == {"$.c32": {Rung.CATALYST}}
        assert message in report.evidence.statistics


def test_claims_are_dropped_where_there_are_too_many() -> None:
    columns = schema_columns(
        json.dumps(
            {
                "type": "struct",
                "fields": [
                    {"name": f"c{i}", "type": "long", "nullable": True, "metadata": {}}
                    for i in range(200)
                ],
            }
        )
    )
    costly = [(Claim((f"c{i}",), within=(0, 9)),) for i in range(200)]
    nothing: list[tuple[Claim, ...]] = [()] * 500
    kept = prove._affordable([*nothing, *reversed(costly)], columns)
    assert kept == [
        *nothing,
        *[()] * (200 - prove.MOST_CLAIMS),
        *costly[prove.MOST_CLAIMS - 1 :: -1],
    ]


def test_a_member_that_nothing_holds_to_not_null_is_assumed_alone() -> None:
    inner = T.StructType([T.StructField("x", T.LongType(), False)])
    struct = T.StructType([T.StructField("s", inner, False), T.StructField("u", inner, False)])
    schema = Schema([ColSpec(Object([Property("x", "long")]), name) for name in ("s", "u")])
    plan = plan_enforcement(source_schema(struct, {("s", "x")}), schema, spark=True, enforced=True)
    assert {check.path: check.rung.value for check in plan.checks} == {
        "$.s": "schema",
        "$.s.x": "assumed",
        "$.u": "schema",
        "$.u.x": "schema",
    }


def test_rows_that_cannot_be_read_are_said_to_be(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = spark.range(0, 10, 1, 2).selectExpr("IF(id = 5, NULL, id) AS p")
    frame.write.format("delta").save(str(tmp_path / "t"))

    def broken(*given: Any) -> Any:
        return spark.sql("SELECT raise_error('the commit is gone')").collect()

    monkeypatch.setattr(proofs, "read_groups", broken)
    with pytest.raises(SourceError, match=re.escape(RAISED)):
        validate(tmp_path / "t", signature("p"), policy=LOSSLESS)


def test_small_parquet_files_are_just_read(parquet: Path) -> None:
    report = both(parquet, signature("c32"))
    assert (rungs(report), report.evidence.statistics) == ({"$.c32": {Rung.CATALYST}}, prove.SMALL)


def test_nothing_is_proven_of_a_frame_that_was_handed_over(
    spark: SparkSession, delta: Path
) -> None:
    frame = spark.read.format("delta").load(str(delta))
    report = validate(frame, signature("p"), policy=LOSSLESS)
    assert (rungs(report), report.evidence.statistics) == (
        {"$.p": {Rung.CATALYST}},
        prove.UNPINNED,
    )


def test_no_data_file_is_opened_where_all_is_proven(
    spark: SparkSession, delta: Path, tmp_path: Path
) -> None:
    path = copy(delta, tmp_path / "t")
    for file in path.rglob("*.parquet"):
        file.unlink()
    report = validate(path, signature("p"), policy=LOSSLESS)
    assert (report.conforms, report.rows.total, report.evidence.files_read) == (True, 39, 0)


def test_a_refutation_ends_a_hasty_check_without_a_row_read(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    frame = spark.range(0, 10, 1, 2).selectExpr("IF(id = 5, NULL, id) AS a", "id AS b", "id AS c")
    writer = frame.write.format("delta").option("delta.dataSkippingNumIndexedCols", "2")
    writer.save(str(path))
    for file in path.glob("*.parquet"):
        file.unlink()
    wanted = ModelSignature(inputs=Schema([ColSpec("long", name) for name in "abc"]))
    report = validate(path, wanted, fail_fast=True)
    assert [check.reached for check in report.checks] == [True, True, False]
    assert [check.decided for check in report.checks][:2] == [
        (Decided(Rung.STATS, 5, 1),),
        (Decided(Rung.STATS, 10, 2),),
    ]
    assert [(v.path, v.code.value, v.observed) for v in report.violations] == [
        ("$.a", "null", "null")
    ]
    assert (report.conforms, report.complete, report.evidence.files_read) == (False, True, 0)
    assert "none read: statistics alone decide" in report.to_text()
    assert Report.from_dict(report.to_dict()) == report


def test_a_constraint_proves_what_statistics_do_not_cover(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    writer = spark.range(10).selectExpr("id AS a").write.format("delta")
    writer.option("delta.dataSkippingNumIndexedCols", "0").save(str(path))
    spark.sql(f"ALTER TABLE delta.`{path}` ADD CONSTRAINT c CHECK (a IS NOT NULL AND a < 99)")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD CONSTRAINT d CHECK (a >= 0)")
    wanted = ModelSignature(inputs=Schema([ColSpec("integer", "a")]))
    report = validate(path, wanted, policy=LOSSLESS)
    assert rungs(report) == {"$.a": {Rung.SCHEMA}}
    assert (report.rows.total, report.evidence.files_read) == (10, 0)
    off = validate(path, wanted, policy=LOSSLESS, stats=False)
    assert (off == report, rungs(off)) == (True, {"$.a": {Rung.CATALYST}})


@pytest.mark.slow
def test_a_version_whose_deletion_vectors_may_be_gone_is_opened(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    writer = spark.range(0, 10, 1, 1).selectExpr("id AS c0", "id AS p").write.format("delta")
    writer.option("delta.enableDeletionVectors", "true").save(str(path))
    for row in (3, 5):
        spark.sql(f"DELETE FROM delta.`{path}` WHERE c0 = {row}")
    assert validate(path, signature("p"), version=1).evidence.files_read == 1
    newest = validate(path, signature("p"))
    assert (newest.evidence.files_read, newest.rows.total) == (0, 8)


def test_statistics_that_are_off_count_no_file_out(spark: SparkSession, tmp_path: Path) -> None:
    def empty(add: dict[str, object]) -> None:
        add["stats"] = json.dumps({"numRecords": 0})

    path = tmp_path / "t"
    spark.range(0, 10, 1, 1).selectExpr("id AS c0", "id AS p").write.format("delta").save(str(path))
    for engine in ("auto", "arrow"):
        lying = copy(path, tmp_path / engine, empty)
        report = validate(lying, signature("p"), stats=False, engine=engine)  # type: ignore[arg-type]
        assert (report.rows.total, report.complete) == (10, False)


def test_only_spark_s_bounds_tell_that_there_is_no_nan(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    spark.range(10).selectExpr("id / 2D AS d").write.format("delta").save(str(path))
    wanted, strict = signature("d"), Policy(nan="reject")
    assert rungs(validate(path, wanted, policy=strict)) == {"$.d": {Rung.STATS}}
    log = next(copy(path, tmp_path / "u").glob(f"_delta_log/{0:020}.json"))
    log.write_text(log.read_text().replace("Apache-Spark/", "delta-rs/"))
    assert rungs(validate(tmp_path / "u", wanted, policy=strict)) == {"$.d": {Rung.CATALYST}}
