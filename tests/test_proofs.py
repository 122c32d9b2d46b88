"""Proofs: whatever writers, deletions, names, types and logs do to a table, no verdict changes."""

from __future__ import annotations

import json
import math
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import types as T

from spark_sig import ColSpec, ModelSignature, Policy, Report, Schema, validate
from spark_sig.errors import SourceError
from tests.histories import (
    LOSSLESS,
    NAN,
    Held,
    checkpoint,
    compare,
    deciders,
    held,
    refuted,
    setting,
    violated,
)
from tests.test_statistics import MAPPED, VECTORS, copy, rows, write

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BIG = 2**40  # beyond a signature's integer


def on(path: Path) -> str:
    return f"delta.`{path}`"


def table_schema(spark: SparkSession, path: Path) -> T.StructType:
    return spark.read.format("delta").load(str(path)).schema


def signature(*columns: tuple[str, str, bool], policy: Policy = LOSSLESS) -> Held:
    """A signature of a few columns: (name, type, whether required)."""
    specs = [ColSpec(kind, name, required) for name, kind, required in columns]
    return Held(ModelSignature(inputs=Schema(specs)), policy)


def unread(report: Report) -> bool:
    return report.evidence.files_read == 0 and all(c.proven == 1.0 for c in report.checks)


ROWS = (
    "id",
    "IF(id IN (3, 13), NULL, id) AS a",
    f"IF(id IN (4, 14), {BIG}, id) AS b",
    "IF(id < 10, CAST(NULL AS int), 1) AS c",
)


# --- deletion vectors ----------------------------------------------------------------------------

WITHOUT_BAD = {
    "delete": "DELETE FROM {t} WHERE id IN (3, 4)",
    "update": "UPDATE {t} SET a = 0, b = 0 WHERE id IN (3, 4)",
    "merge": (
        "MERGE INTO {t} t USING (SELECT explode(array(3, 4)) AS k) u ON t.id = u.k"
        " WHEN MATCHED AND k = 4 THEN DELETE WHEN MATCHED THEN UPDATE SET a = 5"
    ),
}


def dirty_table(spark: SparkSession, path: Path, **options: str) -> Path:
    """Two files of ten rows, each with one NULL in ``a`` and one value too great in ``b``."""
    write(rows(spark, *ROWS), path, **options)
    write(rows(spark, *ROWS, start=10, end=20), path, "append")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("action", ["delete", "update", "merge"])
def test_deletion_vectors(spark: SparkSession, tmp_path: Path, action: str) -> None:
    path = dirty_table(spark, tmp_path / "t", **VECTORS)
    one = signature(("id", "integer", True), ("a", "long", True), ("b", "integer", True))
    bad = {("$.a", "null"): 2, ("$.b", "cast"): 2}
    assert violated(compare(spark, path, one)) == bad
    assert refuted(path, one) == bad.keys()
    statement = WITHOUT_BAD[action].replace("{t}", on(path))
    spark.sql(statement)
    spark.sql(statement.replace("3, 4", "13, 14").replace("k = 4", "k = 14"))
    assert list(path.glob("deletion_vector*.bin"))
    report = compare(spark, path, one)
    # counts and bounds are still those of the rows that are gone
    assert report.conforms
    found = deciders(report)
    assert found["$.id null"].keys() == found["$.id cast"].keys() == {"stats"}
    assert found["$.a null"]["catalyst"] == found["$.b cast"]["catalyst"] == 2
    assert found["$.b null"].keys() == {"stats"}
    # their number is not: nothing is read, and no deleted row counted
    report = compare(spark, path, signature(("id", "integer", True), ("b", "long", True)))
    assert unread(report)
    assert report.rows.total == {"delete": 16, "update": 20, "merge": 18}[action]
    assert violated(compare(spark, path, one, version=1)) == bad


@pytest.mark.slow
def test_counts_that_mean_something_under_wide_bounds(spark: SparkSession, tmp_path: Path) -> None:
    path = dirty_table(spark, tmp_path / "t", **VECTORS)
    spark.sql(f"DELETE FROM {on(path)} WHERE id IN (0, 10)")
    one = signature(("c", "integer", True), ("a", "long", True), ("b", "integer", False))
    report = compare(spark, path, one)
    # all rows were NULL, so those that are left are
    assert refuted(path, one) == {("$.c", "null")}
    assert violated(report) == {("$.c", "null"): 9, ("$.a", "null"): 2, ("$.b", "cast"): 2}
    assert deciders(report)["$.c null"] == {"stats": 1, "catalyst": 1}


@pytest.mark.slow
def test_whole_files_and_all_rows_deleted(spark: SparkSession, tmp_path: Path) -> None:
    path = dirty_table(spark, tmp_path / "t", **VECTORS)
    one = signature(("a", "long", True), ("b", "integer", True))
    spark.sql(f"DELETE FROM {on(path)} WHERE id < 10")
    report = compare(spark, path, one)
    assert (report.source.files, report.rows.total) == (1, 10)
    spark.sql(f"DELETE FROM {on(path)} WHERE id IN (13, 14)")
    assert compare(spark, path, one).conforms
    spark.sql(f"DELETE FROM {on(path)}")
    report = compare(spark, path, one)
    assert (report.source.files, report.rows.total) == (0, 0)
    assert unread(report)
    for version, bad in ((0, 1), (1, 2), (2, 1)):
        report = compare(spark, path, one, version=version)
        assert violated(report) == {("$.a", "null"): bad, ("$.b", "cast"): bad}
    spark.sql(f"RESTORE TABLE {on(path)} TO VERSION AS OF 2")
    assert violated(compare(spark, path, one)) == violated(compare(spark, path, one, version=2))


@pytest.mark.slow
def test_vectors_are_merged_into_files_and_forgotten(spark: SparkSession, tmp_path: Path) -> None:
    """OPTIMIZE and PURGE write the files anew: their statistics are exact again."""
    path = dirty_table(spark, tmp_path / "t", **VECTORS)
    one = signature(("a", "long", True), ("b", "integer", True))
    spark.sql(f"DELETE FROM {on(path)} WHERE id IN (3, 4, 13)")
    spark.sql(f"REORG TABLE {on(path)} APPLY (PURGE)")
    assert refuted(path, one) == {("$.b", "cast")}
    assert compare(spark, path, one).checks[0].proven == 1.0
    spark.sql(f"DELETE FROM {on(path)} WHERE id = 14")
    assert deciders(compare(spark, path, one))["$.b cast"] == {"catalyst": 1}
    spark.sql(f"REORG TABLE {on(path)} APPLY (PURGE)")
    report = compare(spark, path, one)
    assert unread(report)
    assert (report.source.files, report.rows.total) == (1, 16)
    spark.sql(f"ALTER TABLE {on(path)} SET TBLPROPERTIES ('delta.enableDeletionVectors' = false)")
    spark.sql(f"DELETE FROM {on(path)} WHERE id = 1")
    assert unread(compare(spark, path, one))


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", [pytest.param("name", marks=pytest.mark.slow), "id"])
def test_columns_renamed_dropped_and_added_again(
    spark: SparkSession, tmp_path: Path, mode: str
) -> None:
    """The names of good columns and of bad ones are swapped, with rows that nobody read since."""
    path = tmp_path / "t"
    columns = (
        "id",
        "id AS good",
        f"IF(id = 2, NULL, {BIG} + id) AS bad",
        "id AS again",
        "named_struct('x', id, 'y', IF(id = 1, NULL, id)) AS s",
    )
    write(rows(spark, *columns), path, **{"delta.columnMapping.mode": mode})
    for change in ("good TO spare", "bad TO good", "spare TO bad", "s.x TO z", "s.y TO x"):
        spark.sql(f"ALTER TABLE {on(path)} RENAME COLUMN {change}")
    spark.sql(f"ALTER TABLE {on(path)} RENAME COLUMN s.z TO y")
    spark.sql(f"ALTER TABLE {on(path)} DROP COLUMN again")
    spark.sql(f"ALTER TABLE {on(path)} ADD COLUMN again BIGINT")
    report = compare(spark, path)
    assert violated(report) == {
        ("$.good", "null"): 1,
        ("$.good", "cast"): 9,
        ("$.again", "null"): 10,
        ("$.s.x", "null"): 1,
    }
    found = deciders(report)
    for proven in ("$.bad null", "$.bad cast", "$.s.y null", "$.s.y cast"):
        assert found[proven] == {"stats": 1}
    # what the older file says of the dropped column is not said of the new one
    assert found["$.again null"] == found["$.again cast"] == {"catalyst": 1}
    assert violated(compare(spark, path, version=0)) == {
        ("$.bad", "null"): 1,
        ("$.bad", "cast"): 9,
        ("$.s.y", "null"): 1,
    }


@pytest.mark.slow
def test_names_mapped_on_a_table_that_was_without(spark: SparkSession, tmp_path: Path) -> None:
    path = dirty_table(spark, tmp_path / "t")
    spark.sql(
        f"ALTER TABLE {on(path)} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name',"
        " 'delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '5')"
    )
    for change in ("id TO x", "a TO id", "x TO a"):
        spark.sql(f"ALTER TABLE {on(path)} RENAME COLUMN {change}")
    report = compare(spark, path, signature(("id", "long", True), ("a", "integer", True)))
    assert violated(report) == {("$.id", "null"): 2}
    assert deciders(report)["$.a null"] == {"stats": 2}


# --- types that were widened ---------------------------------------------------------------------


@pytest.mark.slow
def test_types_that_were_widened(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    columns = (
        "id",
        "CAST(IF(id = 1, NULL, 127) AS tinyint) AS i",
        "CAST(id AS int) AS l",
        "CAST(id AS int) AS m",
        "CAST(id + 0.1BD AS float) AS f",
        "DATE'2024-01-31' AS d",
        "CAST(99999 AS decimal(5,0)) AS p",
        "CAST(id AS smallint) AS s",
        "CAST(id AS int) AS g",
    )
    write(rows(spark, *columns), path, **{"delta.enableTypeWidening": "true"})
    wider = {
        **{"i": "INT", "l": "BIGINT", "m": "DECIMAL(20,0)", "f": "DOUBLE", "d": "TIMESTAMP_NTZ"},
        **{"p": "DECIMAL(38,0)", "s": "INT", "g": "DOUBLE"},
    }
    spark.sql(
        f"ALTER TABLE {on(path)} SET TBLPROPERTIES ('delta.feature.timestampNtz' = 'supported')"
    )
    for name, kind in wider.items():
        spark.sql(f"ALTER TABLE {on(path)} ALTER COLUMN {name} TYPE {kind}")
    targets = {"m": "integer", "p": "integer", "i": "integer", "s": "integer"}
    one = held(table_schema(spark, path), targets=targets)
    report = compare(spark, path, one)
    assert violated(report) == {("$.i", "null"): 1}
    for proven in ("$.l cast", "$.m cast", "$.p cast", "$.s null", "$.g null", "$.d null"):
        assert deciders(report)[proven] == {"stats": 1}, proven
    spark.sql(f"ALTER TABLE {on(path)} ALTER COLUMN i TYPE BIGINT")
    more = (
        "id",
        f"{BIG} AS i",
        f"{BIG} AS l",
        "99999999999999999999BD AS m",
        "CAST('NaN' AS double) AS f",
        "TIMESTAMP_NTZ'2024-01-31 00:00:00.000001' AS d",
        "99999999999999999999999999999999999999BD AS p",
        "70000 AS s",
        "0.5D AS g",
    )
    write(rows(spark, *more, end=1), path, "append")
    one = held(table_schema(spark, path), targets=targets)
    report = compare(spark, path, one)
    assert violated(report) == {
        ("$.i", "null"): 1,
        **{(f"$.{name}", "cast"): 1 for name in "ilmp"},
    }
    assert refuted(path, one) == violated(report).keys()
    floats = {"f": "double", "g": "long"}
    rejecting = held(table_schema(spark, path), targets=floats, optional=["f"], policy=NAN)
    report = compare(spark, path, rejecting)
    assert violated(report)["$.f", "null"] == 1
    assert violated(report)["$.g", "cast"] == 1
    compare(spark, path, version=0)


# --- columns that came later, and statistics that do not cover all -------------------------------


@pytest.mark.slow
def test_columns_that_older_files_lack(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(rows(spark, "id", "named_struct('x', id) AS s"), path)
    more = ("id", "named_struct('x', id, 'y', id) AS s", "id AS n")
    write(rows(spark, *more, start=10, end=13), path, "append", mergeSchema="true")
    report = compare(spark, path)
    assert violated(report) == {("$.n", "null"): 10, ("$.s.y", "null"): 10}
    assert deciders(report)["$.n null"] == {"stats": 1, "catalyst": 1}
    # no entry proves nothing: it does not refute either, though a scan would
    assert not refuted(path, held(table_schema(spark, path)))
    optional = held(table_schema(spark, path), optional=["n", "s.y"])
    assert compare(spark, path, optional).conforms


@pytest.mark.slow
def test_more_columns_than_statistics_cover(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    columns = ["id", *(f"id AS c{at}" for at in range(1, 33)), f"IF(id = 1, NULL, {BIG}) AS c33"]
    write(rows(spark, *columns, end=4), path, **VECTORS)
    bad = signature(("c31", "integer", True), ("c32", "integer", True), ("c33", "integer", True))
    report = compare(spark, path, bad)
    assert violated(report) == {("$.c33", "null"): 1, ("$.c33", "cast"): 3}
    found = deciders(report)
    assert found["$.c31 null"] == found["$.c31 cast"] == {"stats": 1}
    assert found["$.c32 null"] == found["$.c32 cast"] == {"catalyst": 1}
    # what the footer counts is of rows that are gone, too
    spark.sql(f"DELETE FROM {on(path)} WHERE c33 IS NULL")
    report = compare(spark, path, bad)
    assert violated(report) == {("$.c33", "cast"): 3}


PROPERTIES = "ALTER TABLE {t} SET TBLPROPERTIES ('delta.{name}' = '{value}')"


@pytest.mark.slow
def test_what_is_covered_is_settled_when_a_file_is_written(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    columns = ("id", "id AS a", "id AS b", "named_struct('x', id) AS s")
    one = held(rows(spark, *columns).schema)

    def changed(name: str, value: str) -> None:
        spark.sql(PROPERTIES.format(t=on(path), name=name, value=value))
        write(rows(spark, *columns, end=2), path, "append")

    def by_statistics() -> dict[str, int]:
        found = deciders(compare(spark, path, one))
        assert found["$.a null"] == found["$.a cast"]
        return {
            name: found[f"$.{name} null"].get("stats", 0) for name in ("id", "a", "b", "s", "s.x")
        }

    write(rows(spark, *columns), path, **{"delta.dataSkippingStatsColumns": "a"})
    assert by_statistics() == {"id": 0, "a": 1, "b": 0, "s": 0, "s.x": 0}
    changed("dataSkippingStatsColumns", "b,s.x")
    assert by_statistics() == {"id": 0, "a": 1, "b": 1, "s": 1, "s.x": 1}
    spark.sql(f"ALTER TABLE {on(path)} UNSET TBLPROPERTIES ('delta.dataSkippingStatsColumns')")
    changed("dataSkippingNumIndexedCols", "0")
    assert by_statistics() == {"id": 0, "a": 1, "b": 1, "s": 1, "s.x": 1}
    changed("dataSkippingNumIndexedCols", "-1")
    assert by_statistics() == {"id": 1, "a": 2, "b": 2, "s": 2, "s.x": 2}
    with setting(spark, "spark.databricks.delta.stats.collect", "false"):
        write(rows(spark, *columns, end=2), path, "append")
    assert by_statistics() == {"id": 1, "a": 2, "b": 2, "s": 2, "s.x": 2}


@pytest.mark.slow
def test_no_statistics_at_all(spark: SparkSession, tmp_path: Path) -> None:
    with setting(spark, "spark.databricks.delta.stats.collect", "false"):
        path = dirty_table(spark, tmp_path / "t")
    report = compare(spark, path, signature(("a", "long", True), ("b", "integer", True)))
    assert (report.expected_rows, report.source.uncounted) == (0, 2)
    assert report.evidence.files_read == 2
    # nothing to decide: the rows have to be counted all the same
    assert compare(spark, path, signature(("a", "long", False))).evidence.files_read == 2


# --- partitions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, pytest.param(MAPPED, marks=pytest.mark.slow)])
def test_partitions(spark: SparkSession, tmp_path: Path, options: dict[str, str]) -> None:
    path = tmp_path / "t"
    odd = ["a/b", "%2F", "=", " ", "世界", "__HIVE_DEFAULT_PARTITION__", "\\n", '"', "null"]
    texts = ", ".join(f"'{text}'" for text in odd)
    frame = rows(
        spark,
        "id",
        f"CASE id WHEN 0 THEN '' WHEN 1 THEN NULL ELSE array({texts})[id - 2] END AS p",
        f"IF(id = 2, {BIG}, IF(id = 3, NULL, id)) AS q",
        "IF(id = 4, NULL, DATE'2024-01-31') AS d",
        "id AS fine",
        end=11,
    )
    write(frame, path, "error", "p", "q", "d", **options)
    one = held(frame.schema, optional=["d"])
    report = compare(spark, path, one)
    assert report.source.files == 11
    texts_read = [row.p for row in spark.read.format("delta").load(str(path)).collect()]
    assert violated(report) == {
        ("$.p", "null"): texts_read.count(None),
        ("$.q", "null"): 1,
        ("$.q", "cast"): 1,
    }
    assert refuted(path, one) == violated(report).keys()
    found = deciders(report)
    assert found["$.q null"] == {"stats": 10, "catalyst": 1}
    assert found["$.q cast"] == {"stats": 10, "catalyst": 1}
    assert found["$.d cast"] == found["$.fine null"] == {"stats": 11}
    assert unread(compare(spark, path, signature(("d", "datetime", False), ("q", "long", False))))
    if options:
        for change in ("q TO x", "fine TO q", "x TO fine"):
            spark.sql(f"ALTER TABLE {on(path)} RENAME COLUMN {change}")
        assert violated(compare(spark, path, one))["$.fine", "cast"] == 1


@pytest.mark.slow
def test_partitions_of_every_type(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    edges = {
        "f": ("DOUBLE", ["'NaN'", "'Infinity'", "'-0.0'", "'0.1'", "NULL"]),
        "g": ("FLOAT", ["'NaN'", "'-Infinity'", "'3.4028235E38'", "'1E-45'", "'-NaN'"]),
        "m": ("DECIMAL(38,0)", [f"'{9 * 10**37}'", f"'{-(2**63)}'", f"'{2**63}'", "'0'", "NULL"]),
        "n": ("DECIMAL(9,2)", ["'1.00'", "'0.01'", "'-1.00'", "NULL", "'0'"]),
        "l": ("BIGINT", [f"'{2**53}'", f"'{2**53 + 1}'", f"'{-(2**63)}'", f"'{2**63 - 1}'", "'0'"]),
        "t": (
            "TIMESTAMP",
            [
                "'1969-12-31 23:59:59.999999'",
                "'0001-01-01'",
                "NULL",
                "'9999-12-31'",
                "'2024-03-10'",
            ],
        ),
        "b": ("BOOLEAN", ["'true'", "'false'", "NULL", "'true'", "'true'"]),
        "k": ("TINYINT", ["'127'", "'-128'", "NULL", "'0'", "'1'"]),
        "d": (
            "DATE",
            ["'0001-01-01'", "'9999-12-31'", "'1582-10-04'", "'+294247-01-10'", "'+294247-01-11'"],
        ),
    }
    columns = [
        f"CAST(array({', '.join(texts)})[id] AS {kind}) AS {name}"
        for name, (kind, texts) in edges.items()
    ]
    frame = rows(spark, "CAST(id AS int) AS id", *columns, end=5)
    write(frame, path, "error", *edges)
    for policy in (LOSSLESS, NAN):
        report = compare(spark, path, held(frame.schema, targets={"l": "double"}, policy=policy))
    assert violated(report)["$.f", "null"] == violated(report)["$.g", "null"] == 2
    assert violated(report)["$.m", "cast"] == 2
    assert violated(report)["$.l", "cast"] == 2
    assert violated(report)["$.n", "cast"] == 1
    assert violated(report)["$.d", "cast"] == 1
    found = deciders(report)
    assert found["$.k null"] == {"stats": 4, "catalyst": 1}
    assert found["$.m cast"] == {"stats": 3, "catalyst": 2}
    assert found["$.d cast"] == {"stats": 4, "catalyst": 1}
    optional = held(frame.schema, optional=["f", "g"], policy=NAN)
    found = deciders(compare(spark, path, optional))
    assert found["$.f null"] == {"stats": 4, "catalyst": 1}
    assert found["$.g null"] == {"stats": 3, "catalyst": 2}


@pytest.mark.slow
def test_partitions_that_are_replaced(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(rows(spark, *ROWS, "id % 2 AS p", end=20), path, "error", "p")
    one = signature(("a", "long", True), ("b", "integer", True), ("p", "integer", True))
    assert len(violated(compare(spark, path, one))) == 2
    good = rows(spark, "id", "id AS a", "id AS b", "1 AS c", "id * 0 AS p", end=3)
    write(good, path, "overwrite", replaceWhere="p = 0")
    report = compare(spark, path, one)
    assert violated(report) == {("$.a", "null"): 2}
    write(
        good.selectExpr("id", "a", "b", "c", "p + 1 AS p"),
        path,
        "overwrite",
        partitionOverwriteMode="dynamic",
    )
    report = compare(spark, path, one)
    assert unread(report)
    assert report.rows.total == 6
    write(
        rows(spark, "id", "'x' AS b", "CAST(id AS double) AS a"),
        path,
        "overwrite",
        overwriteSchema="true",
    )
    assert compare(spark, path).rows.total == 10


# --- values at the edges -------------------------------------------------------------------------


@pytest.mark.slow
def test_floats(spark: SparkSession, tmp_path: Path) -> None:
    """One file for each set of values, so that the bounds of each stand alone."""
    path = tmp_path / "t"
    sets = [
        [1.5, -1.5],
        [0.0, -0.0],
        [math.nan, 1.0],
        [math.nan, math.nan],
        [math.inf, -math.inf],
        [None, None],
        [math.nan, None],
        [-math.inf, math.nan],
        [2.0**63, -(2.0**63)],
        [1e300, 5e-324],
        [3.0, 2.0**31],
    ]
    # a list of rows, as Arrow would make NULL of NaN
    schema = T.StructType(
        [
            T.StructField("id", T.LongType()),
            T.StructField("x", T.DoubleType()),
            T.StructField("y", T.FloatType()),
        ]
    )
    mode = "error"
    for at, values in enumerate(sets):
        single = [v if v is None or math.isnan(v) or abs(v) < 1e300 else 0.0 for v in values]
        # Spark sums it up by itself: -0.0 stays
        found = [(2 * at + i, v, s) for i, (v, s) in enumerate(zip(values, single, strict=True))]
        write(spark.createDataFrame(found, schema).coalesce(1), path, mode)
        mode = "append"
    for targets in ({}, {"x": "long"}, {"x": "float", "y": "double"}, {"y": "integer"}):
        for policy in (LOSSLESS, NAN):
            report = compare(spark, path, held(schema, targets=targets, policy=policy))
    rejecting = held(schema, optional=["x", "y"], policy=NAN)
    report = compare(spark, path, rejecting)
    assert violated(report) == {("$.x", "null"): 5, ("$.y", "null"): 5}
    # nothing but NULL holds no NaN, whoever wrote it
    assert deciders(report)["$.x null"].get("stats", 0) >= 1
    assert deciders(compare(spark, path, held(schema)))["$.x null"] == {"stats": 9, "catalyst": 2}


@pytest.mark.slow
def test_integers_and_decimals(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    nines = 10**38 - 1
    longs = [2**31 - 1, -(2**31), 2**31, -(2**31) - 1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
    wholes = [*longs, nines, -nines, 2**63, -(2**63) - 1]
    mode = "error"
    for at, whole in enumerate(wholes):
        frame = rows(
            spark,
            f"{at}L + id AS id",
            # the file's other value is 0: one bound is as good as the other
            f"IF(id = 0, CAST('{longs[at % len(longs)]}' AS bigint), 0) AS l",
            f"IF(id = 0, CAST('{longs[at % len(longs)]}' AS bigint), 0) AS m",
            f"CAST(IF(id = 0, '{whole}', '0') AS decimal(38,0)) AS d",
            f"CAST(IF(id = 0, '{whole}', '0') AS decimal(38,0)) AS e",
            f"CAST(IF(id = 0, '{whole % 10**9}.00', '0.01') AS decimal(20,2)) AS f",
            "CAST(IF(id = 0, 2147483647, -2147483648) AS int) AS i",
            end=2,
        ).selectExpr(f"id + {at} AS id", "* EXCEPT (id)")
        write(frame, path, mode)
        mode = "append"
    schema = table_schema(spark, path)
    report = compare(spark, path, held(schema, targets={"m": "double", "e": "integer"}))
    assert violated(report) == {
        ("$.l", "cast"): 8,
        ("$.m", "cast"): 2,
        ("$.d", "cast"): 4,
        ("$.e", "cast"): 10,
        ("$.f", "cast"): 12,
        ("$.i", "cast"): 12,
    }
    found = deciders(report)
    assert found["$.l cast"] == {"stats": 4, "catalyst": 8}
    # 2**53 + 1 and 2**63 - 1 violate; -2**63 does not, yet a range does not say so
    assert found["$.m cast"] == {"stats": 9, "catalyst": 3}
    assert found["$.d cast"] == {"stats": 8, "catalyst": 4}
    assert found["$.e cast"] == {"stats": 2, "catalyst": 10}
    # that a bound is whole says nothing of the values between
    assert found["$.f cast"] == {"catalyst": 12}
    compare(spark, path, held(schema, targets={"d": "double", "e": "float", "l": "float"}))


@pytest.mark.slow
def test_times_and_texts(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    days = 106_751_991  # the last that has its midnight among microseconds
    long = "x" * 32
    for at, (day, time, text) in enumerate(
        [
            (0, "1969-12-31 23:59:59.999999", "a"),
            (days, "1970-01-01 00:00:00.000999", long),
            (-days, "9999-12-31 23:59:59.999999", long + "y"),
            (days + 1, "0001-01-01 00:00:00.000001", long + "世界"),
            (-days - 1, "2024-03-10 02:30:00.123456", ""),
        ]
    ):
        frame = rows(
            spark,
            f"id + {2 * at} AS id",
            f"IF(id = 0, date_from_unix_date({day}), DATE'2000-01-01') AS d",
            f"IF(id = 0, TIMESTAMP'{time}', NULL) AS t",
            f"TIMESTAMP_NTZ'{time}' AS n",
            f"'{text}' AS s",
            f"IF(id = 0, NULL, CAST('{text}' AS binary)) AS b",
            "IF(id = 1, NULL, true) AS o",
            end=2,
        )
        write(frame, path, "append" if at else "error")
    for policy in (LOSSLESS, Policy(casts="lossless", datetime="timestamp", examples=3)):
        report = compare(spark, path, held(frame.schema, policy=policy))
        assert violated(report) == {("$.d", "cast"): 2} | {
            (f"$.{name}", "null"): 5 for name in "tbo"
        }
        found = deciders(report)
        assert found["$.d null"] == found["$.n null"] == found["$.s null"] == {"stats": 5}
        # bounds that no longer are dates to Spark prove nothing
        assert found["$.d cast"]["catalyst"] >= 2
        assert found["$.d cast"].get("stats", 0) >= 1


# --- nested --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_structs(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"

    def frame(null: str, x: str, y: str, start: int) -> DataFrame:
        inner = f"named_struct('x', {x}, 'in', named_struct('y', {y}))"
        return rows(spark, "id", f"IF({null}, NULL, {inner}) AS s", start=start, end=start + 10)

    write(frame("false", "id", "id", 0), path)
    one = held(table_schema(spark, path), optional=["s.in"])
    assert unread(compare(spark, path, one))
    write(frame("id = 13", "id", "id", 10), path, "append")
    # the struct is NULL or its members are: the log says either, and so nothing
    report = compare(spark, path, one)
    assert violated(report) == {("$.s", "null"): 1}
    assert not refuted(path, one)
    assert {
        part["catalyst"]
        for name, part in deciders(report).items()
        if "null" in name and name != "$.id null"
    } == {1}
    write(frame("false", "IF(id = 23, NULL, id)", f"IF(id = 24, {BIG}, id)", 20), path, "append")
    report = compare(spark, path, one)
    assert violated(report) == {
        ("$.s", "null"): 1,
        ("$.s.x", "null"): 1,
        ("$.s.in.y", "cast"): 1,
    }
    # another member proves that the struct is there: the NULL is the member's own
    assert refuted(path, one) == {("$.s.x", "null"), ("$.s.in.y", "cast")}
    lost = held(table_schema(spark, path), optional=["s", "s.x", "s.in"])
    report = compare(spark, path, lost)
    assert violated(report) == {("$.s.in.y", "cast"): 1}


@pytest.mark.slow
def test_arrays_and_maps(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    columns = (
        "id",
        "array(id, id) AS good",
        "array(id, IF(id = 1, NULL, id)) AS bad",
        f"array(IF(id = 2, {BIG}, id)) AS wide",
        "IF(id = 3, NULL, array(named_struct('x', id))) AS gone",
        "map('k', IF(id = 4, NULL, id)) AS m",
        "named_struct('l', array(IF(id = 5, NULL, id)), 'y', IF(id = 6, NULL, id)) AS s",
        "CAST(array() AS array<int>) AS nothing",
    )
    write(rows(spark, *columns), path)
    report = compare(spark, path)
    assert violated(report) == {
        ("$.bad[*]", "null"): 1,
        ("$.wide[*]", "cast"): 1,
        ("$.gone", "null"): 1,
        ("$.m[*]", "null"): 1,
        ("$.s.l[*]", "null"): 1,
        ("$.s.y", "null"): 1,
    }
    found = deciders(report)
    assert found["$.good null"] == found["$.bad null"] == found["$.m null"] == {"stats": 1}
    # there are counts of arrays and maps, not of what is inside
    for name in ("good[*] null", "bad[*] null", "wide[*] cast", "m[*] null", "s.l[*] null"):
        assert found[f"$.{name}"] == {"arrow": 1}
    # a count above 0 may be that of NULL elements, where a footer was asked
    assert ("$.gone", "null") not in refuted(path, held(table_schema(spark, path)))


# --- shapes of the log ---------------------------------------------------------------------------


CHECKPOINTS: dict[str, dict[str, str]] = {
    "classic": {},
    "struct": {
        "delta.checkpoint.writeStatsAsJson": "false",
        "delta.checkpoint.writeStatsAsStruct": "true",
    },
    "neither": {
        "delta.checkpoint.writeStatsAsJson": "false",
        "delta.checkpoint.writeStatsAsStruct": "false",
    },
    "v2": {"delta.checkpointPolicy": "v2"},
    "v2 struct": {
        "delta.checkpointPolicy": "v2",
        "delta.checkpoint.writeStatsAsJson": "false",
        "delta.checkpoint.writeStatsAsStruct": "true",
    },
}


@pytest.mark.parametrize(
    "shape", [pytest.param(name, marks=pytest.mark.slow) for name in CHECKPOINTS]
)
def test_checkpoints(spark: SparkSession, tmp_path: Path, shape: str) -> None:
    path = tmp_path / "t"
    columns = (
        *ROWS,
        "IF(id = 5, CAST('NaN' AS double), CAST(id AS double)) AS x",
        f"CAST(IF(id = 6, '{2**63}', '{2**63 - 1}') AS decimal(38,0)) AS d",
        "named_struct('x', IF(id = 7, NULL, id), 'y', id) AS s",
        "IF(id = 8, NULL, DATE'2024-01-31') AS day",
        "TIMESTAMP'2024-01-31 00:00:00.000999' AS t",
        "array(id) AS l",
        "CAST(id % 2 AS int) AS p",
        f"{BIG} AS dropped",
    )
    options = {**CHECKPOINTS[shape], **VECTORS, **MAPPED}
    write(rows(spark, *columns), path, "error", "p", **options)
    write(rows(spark, *columns, start=20, end=23), path, "append")
    spark.sql(f"DELETE FROM {on(path)} WHERE id IN (3, 22)")
    spark.sql(f"ALTER TABLE {on(path)} DROP COLUMN dropped")
    spark.sql(f"ALTER TABLE {on(path)} ADD COLUMN dropped BIGINT")
    before = compare(spark, path)
    checkpoint(spark, path)
    # A copy that Delta has not seen: it has to read the checkpoint, as nothing else is left.
    copied = copy(path, tmp_path / "copied")
    log = copied / "_delta_log"
    assert list(log.glob("*.checkpoint*"))
    newest = max(log.glob("*[0-9].json"))
    for commit in log.glob("*[0-9].json"):
        if commit != newest and "checkpoint" not in commit.name:
            commit.unlink()
    report = compare(spark, copied)
    assert [(c.path, c.code, c.count) for c in report.checks] == [
        (c.path, c.code, c.count) for c in before.checks
    ]
    if shape != "neither":
        assert deciders(report)["$.id null"].keys() == {"stats"}
        found, there = deciders(report), deciders(before)
        plain = {c for c in there if c.endswith(" null") and not c.startswith("$.s")}
        assert {c: found[c] for c in plain} == {c: there[c] for c in plain}
        # Without the commits nobody knows who wrote the files, two of which were given vectors,
        # after which bounds are believed of Spark's alone, as is what lies inside of structs.
        assert there["$.id cast"] == there["$.s.y null"] == {"stats": 4}
        assert found["$.id cast"] == {"stats": 2, "catalyst": 2}
        assert found["$.s.y null"] == {"catalyst": 4}
    # what is appended later stands in the commits alone
    write(rows(spark, *columns, start=30, end=33), copied, "append", mergeSchema="true")
    compare(spark, copied)


@pytest.mark.slow
def test_a_checkpoint_in_several_parts(spark: SparkSession, tmp_path: Path) -> None:
    path = dirty_table(spark, tmp_path / "t")
    for start in (20, 30):
        write(rows(spark, *ROWS, start=start, end=start + 5), path, "append")
    with setting(spark, "spark.databricks.delta.checkpoint.partSize", "2"):
        checkpoint(spark, path)
    parts = list((path / "_delta_log").glob("*.checkpoint.*.*.parquet"))
    assert len(parts) > 1
    copied = copy(path, tmp_path / "copied")
    for version in range(3):
        (copied / "_delta_log" / f"{version:020}.json").unlink()
    report = compare(spark, copied, signature(("a", "long", True), ("b", "integer", True)))
    assert violated(report) == {("$.a", "null"): 2, ("$.b", "cast"): 2}
    assert deciders(report)["$.a null"] == {"stats": 2, "catalyst": 2}


@pytest.mark.slow
def test_a_log_that_was_compacted(spark: SparkSession, tmp_path: Path) -> None:
    """PROTOCOL, section Log Compaction Files: versions 1 to 3 in one file, a removed one gone."""
    path = dirty_table(spark, tmp_path / "t", **VECTORS)
    spark.sql(f"DELETE FROM {on(path)} WHERE id IN (3, 13)")
    spark.sql(f"DELETE FROM {on(path)} WHERE id = 14")
    copied = copy(path, tmp_path / "copied")
    log = copied / "_delta_log"
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for version in (1, 2, 3):
        for text in (log / f"{version:020}.json").read_text().splitlines():
            for kind, action in json.loads(text).items():
                if kind in ("add", "remove"):
                    vector = (action.get("deletionVector") or {}).get("pathOrInlineDv", "")
                    last[action["path"], vector] = {kind: action}
    compacted = log / f"{1:020}.{3:020}.compacted.json"
    compacted.write_text("\n".join(map(json.dumps, last.values())) + "\n")
    one = signature(("a", "long", True), ("b", "integer", True))
    report = compare(spark, copied, one)
    entry: Any = spark._jvm.org.apache.spark.sql.delta.DeltaLog  # type: ignore[union-attr]
    segment = entry.forTableWithSnapshot(spark._jsparkSession, str(copied))._2().logSegment()
    assert "compacted" in str(segment.deltas().toString())
    assert violated(report) == {("$.b", "cast"): 1}
    assert report.rows.total == 17
    assert deciders(report)["$.a null"] == {"catalyst": 2}
    for version in (0, 1, 2):
        compare(spark, copied, one, version=version)


@pytest.mark.slow
def test_older_versions_and_files_that_are_gone(spark: SparkSession, tmp_path: Path) -> None:
    path = dirty_table(spark, tmp_path / "t", **VECTORS)
    one = signature(("a", "long", True), ("b", "integer", True))
    fine = signature(("id", "integer", True))
    write(rows(spark, "id", "id AS a", "id AS b", "1 AS c"), path, "overwrite")
    assert unread(compare(spark, path, one))
    assert violated(compare(spark, path, one, version=1)) == {
        ("$.a", "null"): 2,
        ("$.b", "cast"): 2,
    }
    assert compare(spark, path, fine, version=1).rows.total == 20
    gone = shutil.copytree(path, tmp_path / "gone")
    with setting(spark, "spark.databricks.delta.retentionDurationCheck.enabled", "false"):
        spark.sql(f"VACUUM {on(gone)} RETAIN 0 HOURS")
    assert unread(compare(spark, gone, one))
    for asked in (one, fine):
        for stats in (True, False):
            with pytest.raises(SourceError):
                validate(gone, asked.signature, policy=asked.policy, version=1, stats=stats)


# --- constraints ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_constraints_come_and_go(spark: SparkSession, tmp_path: Path) -> None:
    path = dirty_table(spark, tmp_path / "t", **{"delta.dataSkippingNumIndexedCols": "0"})
    one = signature(("a", "long", True), ("b", "integer", True))
    bad = {("$.a", "null"): 2, ("$.b", "cast"): 2}
    assert violated(compare(spark, path, one)) == bad
    spark.sql(f"DELETE FROM {on(path)} WHERE a IS NULL OR b > 100")
    fine = "a IS NOT NULL AND b IS NOT NULL AND b BETWEEN 0 AND 99"
    spark.sql(f"ALTER TABLE {on(path)} ADD CONSTRAINT fine CHECK ({fine})")
    report = compare(spark, path, one)
    assert unread(report)
    assert {check.rung.value for check in report.checks} == {"schema"}
    # a constraint says nothing of the versions before it
    assert violated(compare(spark, path, one, version=1)) == bad
    spark.sql(f"RESTORE TABLE {on(path)} TO VERSION AS OF 1")
    assert violated(compare(spark, path, one)) == bad
    spark.sql(f"RESTORE TABLE {on(path)} TO VERSION AS OF 3")
    assert unread(compare(spark, path, one))
    spark.sql(f"ALTER TABLE {on(path)} DROP CONSTRAINT fine")
    write(rows(spark, *ROWS), path, "append")
    assert violated(compare(spark, path, one)) == {("$.a", "null"): 1, ("$.b", "cast"): 1}


@pytest.mark.parametrize("kind", ["STRING", "BINARY"])
@pytest.mark.parametrize("rule", [pytest.param("declared", marks=pytest.mark.slow), "constraint"])
def test_partitions_make_null_of_what_was_none_when_it_was_held_to_the_table_s_rules(
    spark: SparkSession, tmp_path: Path, kind: str, rule: str
) -> None:
    path = tmp_path / "t"
    column = f"p {kind} NOT NULL" if rule == "declared" else f"p {kind}"
    spark.sql(f"CREATE TABLE {on(path)} (id BIGINT, {column}) USING delta PARTITIONED BY (p)")
    if rule == "constraint":
        spark.sql(f"ALTER TABLE {on(path)} ADD CONSTRAINT fine CHECK (p IS NOT NULL)")
    one = signature(("id", "long", False), ("p", kind.lower(), True))
    spark.sql(f"INSERT INTO {on(path)} VALUES (1, CAST('x' AS {kind}))")
    assert unread(compare(spark, path, one))
    setting = "spark.databricks.delta.convertEmptyToNullForStringPartitionCol"
    spark.conf.set(setting, "false")
    try:
        spark.sql(f"INSERT INTO {on(path)} VALUES (2, CAST('' AS {kind}))")
    finally:
        spark.conf.unset(setting)
    if rule == "declared":
        for stats in (True, False):
            with pytest.raises(SourceError, match="NOT NULL and holds NULL"):
                validate(path, one.signature, policy=one.policy, stats=stats)
        spark.sql(f"ALTER TABLE {on(path)} ALTER COLUMN p DROP NOT NULL")
    assert violated(compare(spark, path, one)) == {("$.p", "null"): 1}


# --- what other writers leave --------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """A data file and what the log says of it.

    Args:
        table: its rows.
        stats: its statistics: text, or JSON values; None where there are none.
        more: other fields of its entry.
    """

    table: pa.Table
    stats: str | Mapping[str, Any] | None = None
    more: Mapping[str, Any] | None = None


def written_by_hand(path: Path, schema: T.StructType, files: Sequence[File]) -> Path:
    """Write a Delta table of Parquet files by pyarrow, whose footers hold no statistics."""
    log = path / "_delta_log"
    log.mkdir(parents=True)
    metadata = {
        "id": str(uuid.uuid4()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.json(),
        "partitionColumns": [],
        "configuration": {},
        "createdTime": 0,
    }
    lines: list[dict[str, Any]] = [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": metadata},
    ]
    for at, file in enumerate(files):
        name = f"part-{at:05}.parquet"
        pq.write_table(file.table, path / name, write_statistics=False)
        stats = file.stats
        add = {
            "path": name,
            "partitionValues": {},
            "size": (path / name).stat().st_size,
            "modificationTime": 0,
            "dataChange": True,
            **({} if stats is None else {"stats": _text(stats)}),
            **(file.more or {}),
        }
        lines.append({"add": add})
    (log / f"{0:020}.json").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def _text(stats: str | Mapping[str, Any]) -> str:
    return stats if isinstance(stats, str) else json.dumps(stats)


def schema_of(**columns: T.DataType) -> T.StructType:
    return T.StructType([T.StructField(name, kind) for name, kind in columns.items()])


def long_table(at: int, *values: int | None) -> pa.Table:
    ids = pa.array([10 * at + i for i in range(len(values))], pa.int64())
    return pa.table({"id": ids, "a": pa.array(values, pa.int64())})


LONGS = schema_of(id=T.LongType(), a=T.LongType())
CLEAN, DIRTY = (1, 2, 3), (1, None, BIG)
SURE = {"numRecords": 3, "nullCount": {"id": 0, "a": 0}}

# Nothing of this is a count of NULLs: rows that hold some must be found.
NO_COUNTS: list[str | dict[str, Any] | None] = [
    None,
    "",
    "{}",
    "null",
    "[]",
    {"nullCount": {"a": 0}},
    {"numRecords": 3},
    {"numRecords": 3, "nullCount": None},
    {"numRecords": 3, "nullCount": {}},
    {"numRecords": 3, "nullCount": {"A": 0, "id": 0}},
    {"numRecords": 3, "nullCount": {"a": -1}},
    {"numRecords": 3, "nullCount": {"a": 4}},
    {"numRecords": 3, "nullCount": {"a": None}},
    {"numRecords": -3, "nullCount": {"a": 0}},
    {"numRecords": "3", "nullCount": {"a": 0}},
    {"numRecords": 2**64, "nullCount": {"a": 0}},
    '{"numRecords": 3, "nullCount": {"a": 0}',
    '{"numRecords": 3, "nullCount": {"a": 0}, "minValues": {"a": 1',
    '[{"numRecords": 3, "nullCount": {"a": 0}}]',
    # counts that are not exact
    {"numRecords": 3, "nullCount": {"a": 1}, "tightBounds": False},
    {"numRecords": 3, "nullCount": {"a": 2}, "tightBounds": "false"},
    {"numRecords": 3, "nullCount": {"a": 2}, "tightBounds": 0},
]

# Nor is a count that is no integer.
NO_INTEGERS: list[dict[str, Any]] = [
    {"numRecords": 3, "nullCount": {"a": count}} for count in ("0", 0.0, False, [0])
]

# Nothing of this bounds a column.
NO_BOUNDS: list[dict[str, Any]] = [
    {},
    {"minValues": {"a": 1}},
    {"maxValues": {"a": 1}},
    {"minValues": {"a": 3}, "maxValues": {"a": 1}},
    {"minValues": {"a": 1}, "maxValues": {"a": None}},
    {"minValues": {"a": 1}, "maxValues": {"a": "three"}},
    {"minValues": {"a": 0.5}, "maxValues": {"a": 3.5}},
    {"minValues": {"a": 1}, "maxValues": {"a": 1e3}},
    {"minValues": {"a": True}, "maxValues": {"a": True}},
    {"minValues": {"a": [1]}, "maxValues": {"a": {"x": 3}}},
    {"minValues": {"A": 1}, "maxValues": {"A": 3}},
    {"minValues": {"a": 2**64}, "maxValues": {"a": 2**65}},
    {"minValues": {"a": -(2**64)}, "maxValues": {"a": 3}},
    {"minValues": {"a": ""}, "maxValues": {"a": ""}},
    # bounds that are too wide to refute, or none at all
    {"minValues": {"a": 1}, "maxValues": {"a": BIG}, "tightBounds": False},
    {"minValues": {"a": -BIG}, "maxValues": {"a": 3}, "tightBounds": "no"},
    {"minValues": {"a": BIG + 1}, "maxValues": {"a": BIG}},
]


@pytest.mark.slow
@pytest.mark.parametrize("values", [DIRTY, pytest.param(CLEAN, marks=pytest.mark.slow)])
def test_statistics_that_say_nothing_of_nulls(
    spark: SparkSession, tmp_path: Path, values: tuple[int | None, ...]
) -> None:
    files = [File(long_table(at, *values), stats) for at, stats in enumerate(NO_COUNTS)]
    path = written_by_hand(tmp_path / "t", LONGS, files)
    one = signature(("a", "long", True))
    report = compare(spark, path, one)
    assert deciders(report)["$.a null"] == {"catalyst": len(files)}
    assert report.rows.total == 3 * len(files)
    assert not refuted(path, one)


def no_integers(path: Path) -> Path:
    files = [File(long_table(at, *DIRTY), stats) for at, stats in enumerate(NO_INTEGERS)]
    return written_by_hand(path, LONGS, files)


@pytest.mark.slow
def test_counts_that_are_no_integers(spark: SparkSession, tmp_path: Path) -> None:
    path = no_integers(tmp_path / "t")
    one = signature(("a", "long", True))
    for stats in (True, False):
        report = validate(path, one.signature, policy=one.policy, stats=stats)
        assert violated(report) == {("$.a", "null"): 4}
        assert (report.rows.total, report.complete) == (12, True)
    assert not refuted(path, one)


@pytest.mark.slow
def test_counts_that_are_no_integers_are_the_same_with_the_rung_and_without(
    spark: SparkSession, tmp_path: Path
) -> None:
    compare(spark, no_integers(tmp_path / "t"), signature(("a", "long", True)))


@pytest.mark.slow
@pytest.mark.parametrize("values", [DIRTY, CLEAN])
def test_statistics_that_say_nothing_of_ranges(
    spark: SparkSession, tmp_path: Path, values: tuple[int | None, ...]
) -> None:
    files = [File(long_table(at, *values), {**SURE, **more}) for at, more in enumerate(NO_BOUNDS)]
    path = written_by_hand(tmp_path / "t", LONGS, files)
    one = signature(("a", "integer", False))
    report = compare(spark, path, one)
    assert deciders(report)["$.a cast"] == {"catalyst": len(files)}
    assert not refuted(path, one)


@pytest.mark.slow
def test_deletion_vectors_that_delete_more_than_there_is(
    spark: SparkSession, tmp_path: Path
) -> None:
    """The number of rows is none, so that nothing else is believed."""
    path = dirty_table(spark, tmp_path / "t", **VECTORS)
    spark.sql(f"DELETE FROM {on(path)} WHERE id IN (3, 4)")

    def fewer(add: dict[str, Any]) -> None:
        stats = json.loads(add["stats"])
        if add.get("deletionVector"):
            add["stats"] = json.dumps({**stats, "numRecords": 1})

    edited = copy(path, tmp_path / "edited", fewer)
    report = compare(spark, edited, signature(("id", "long", True), ("a", "long", True)))
    assert (report.source.uncounted, report.rows.total) == (1, 18)
    assert deciders(report)["$.id null"]["catalyst"] == 1


@pytest.mark.slow
def test_many_files_with_patterns_of_their_own(spark: SparkSession, tmp_path: Path) -> None:
    """Five columns, each covered or not in each file: more groups than are told apart."""
    names = [f"c{bit}" for bit in range(5)]
    schema = schema_of(id=T.LongType(), **{name: T.LongType() for name in names})
    files = []
    for at in range(32):
        known = [bit for bit in range(5) if at >> bit & 1]
        values = {
            name: pa.array([7, None if bit in known and at % 3 == 0 else 8, 9])
            for bit, name in enumerate(names)
        }
        ids = pa.array([3 * at, 3 * at + 1, 3 * at + 2])
        counts = {f"c{bit}": int(at % 3 == 0) for bit in known}
        stats = {"numRecords": 3, "nullCount": {"id": 0, **counts}}
        files.append(File(pa.table({"id": ids, **values}), stats))
    path = written_by_hand(tmp_path / "t", schema, files)
    one = held(schema, targets=dict.fromkeys(schema.names, "long"))
    report = compare(spark, path, one)
    assert report.rows.total == 96
    expected = {
        (f"$.c{bit}", "null"): sum(at % 3 == 0 and at >> bit & 1 for at in range(32))
        for bit in range(5)
    }
    assert violated(report) == expected
    assert report.checks[0].proven == 1.0
    assert report.evidence.files_read == 31  # the last has all counts, and no NULL
    # the groups that are kept apart keep what is proven of them
    assert deciders(report)["$.c0 null"].get("stats", 0) > 0


@pytest.mark.slow
def test_floats_by_a_writer_that_leaves_nan_out(spark: SparkSession, tmp_path: Path) -> None:
    schema = schema_of(id=T.LongType(), x=T.DoubleType())
    sets = [[1.0, math.nan], [math.nan, math.nan], [1.0, 2.0], [math.inf, 1.0], [None, None]]
    files = []
    for at, values in enumerate(sets):
        finite = [v for v in values if v is not None and math.isfinite(v)]
        stats = {
            "numRecords": 2,
            "nullCount": {"id": 0, "x": values.count(None)},
            **(
                {"minValues": {"x": min(finite)}, "maxValues": {"x": max(finite)}} if finite else {}
            ),
        }
        ids = pa.array([2 * at, 2 * at + 1])
        files.append(File(pa.table({"id": ids, "x": pa.array(values, pa.float64())}), stats))
    path = written_by_hand(tmp_path / "t", schema, files)
    one = held(schema, optional=["x"], policy=NAN)
    report = compare(spark, path, one)
    assert violated(report) == {("$.x", "null"): 3}
    # only where all is NULL
    assert deciders(report)["$.x null"] == {"stats": 1, "catalyst": 4}
    assert not refuted(path, one)
    # Spark appends to it, and takes the foreign files' word for nothing
    write(rows(spark, "id + 90 AS id", "CAST(id AS double) AS x"), path, "append")
    report = compare(spark, path, one)
    assert violated(report) == {("$.x", "null"): 3}


@pytest.mark.slow
def test_files_without_rows(spark: SparkSession, tmp_path: Path) -> None:
    empty = long_table(0).cast(pa.schema([("id", pa.int64()), ("a", pa.int64())]))
    files = [
        File(empty, {"numRecords": 0}),
        File(empty, {"numRecords": 0, "nullCount": {"a": 0}}),
        File(empty, {"numRecords": 0, "nullCount": {"a": 5}, "maxValues": {"a": BIG}}),
        File(empty, None),
        File(long_table(1, *CLEAN), {**SURE, "minValues": {"a": 1}, "maxValues": {"a": 3}}),
    ]
    one = signature(("a", "integer", True))
    path = written_by_hand(tmp_path / "t", LONGS, files)
    report = compare(spark, path, one)
    assert report.conforms
    assert (report.rows.total, report.evidence.files_read) == (3, 1)
    path = written_by_hand(tmp_path / "none", LONGS, files[:3])
    report = compare(spark, path, one)
    assert (report.rows.total, report.source.files) == (0, 3)
    assert unread(report)
    path = written_by_hand(tmp_path / "nothing", LONGS, [])
    report = compare(spark, path, one)
    assert (report.rows.total, report.source.files) == (0, 0)
    assert unread(report)


@pytest.mark.slow
def test_a_table_converted_from_parquet(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.mkdir()
    values = {"x": pa.array([1.0, math.nan, 2.0]), "a": pa.array([1, None, BIG])}
    pq.write_table(pa.table({"id": pa.array([0, 1, 2]), **values}), path / "one.parquet")
    pq.write_table(
        pa.table({"id": pa.array([3]), "x": pa.array([3.0]), "a": pa.array([4])}),
        path / "two.parquet",
    )
    spark.sql(f"CONVERT TO DELTA parquet.`{path}`")
    for policy in (LOSSLESS, NAN):
        one = held(table_schema(spark, path), optional=["x"], policy=policy)
        report = compare(spark, path, one)
    assert violated(report) == {
        ("$.x", "null"): 1,
        ("$.a", "null"): 1,
        ("$.a", "cast"): 1,
    }


@pytest.mark.slow
def test_a_table_that_delta_rs_wrote(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    for at in range(3):
        table = pa.table(
            {
                "id": pa.array([3 * at, 3 * at + 1, 3 * at + 2]),
                "a": pa.array([1, None if at == 1 else 2, BIG if at == 2 else 3]),
                "x": pa.array([1.0, math.nan, 2.0]),
                "l": pa.array([[1], [], [None, 2]]),
                "s": pa.array([{"x": 1}, None, {"x": None}]),
                "d": pa.array([Decimal(10) ** 37] * 3, pa.decimal128(38, 0)),
            }
        )
        deltalake.write_deltalake(str(path), table, mode="append")
    for policy in (LOSSLESS, NAN):
        compare(spark, path, held(table_schema(spark, path), policy=policy))
    spark.sql(f"DELETE FROM {on(path)} WHERE a IS NULL")
    compare(spark, path)


DECIMALS = {
    "d15": (15, [999_999_999_999_999, -5]),
    "d18": (18, [2**53 + 1, 5]),
    "d19": (19, [2**53 + 1, 2**63]),
    "d20": (20, [2**64, 5]),
    "d38": (38, [10**30, 5]),
}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["long", "double"])
def test_decimals_that_delta_rs_bounded_in_64_bits(
    spark: SparkSession, tmp_path: Path, target: str
) -> None:
    path = tmp_path / "t"
    columns = {
        name: pa.array([Decimal(value) for value in values], pa.decimal128(digits, 0))
        for name, (digits, values) in DECIMALS.items()
    }
    table = pa.table({"id": pa.array([0, 1]), "a": pa.array([1, 2]), **columns})
    deltalake.write_deltalake(str(path), table)
    deltalake.write_deltalake(
        str(path), table.slice(1).append_column("n", [[7]]), mode="append", schema_mode="merge"
    )
    one = held(table_schema(spark, path), targets=dict.fromkeys(DECIMALS, target))
    report = compare(spark, path, one)
    found = deciders(report)
    # what they are right about is believed: the bounds of integers and of what doubles hold
    assert found["$.a cast"] == found["$.d15 cast"] == {"stats": 2}
    assert found["$.d38 cast"] == {"stats": 1, "catalyst" if target == "long" else "arrow": 1}


def test_a_column_that_delta_rs_made_not_null_later(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    spark.sql(f"CREATE TABLE {on(path)} (k BIGINT NOT NULL) USING delta")
    spark.sql(f"INSERT INTO {on(path)} VALUES (1), (2)")
    keys = ModelSignature(inputs=Schema([ColSpec("long", "k")]))
    report = validate(path, keys)
    assert [check.rung.value for check in report.checks] == ["schema"]
    table = deltalake.DeltaTable(str(path))
    table.alter.add_columns([deltalake.Field("n", "long", nullable=False)])
    found = spark.read.format("delta").load(str(path))
    with pytest.raises(Exception, match=r"FAILED_READ_FILE|column is missing in data file"):
        found.collect()  # Spark refuses a file without a column that is not NULL
    columns = [ColSpec("long", "k"), ColSpec("long", "n")]
    report = validate(path, ModelSignature(inputs=Schema(columns)))
    # Spark skips the check, without a look at the files: at least nobody is told that it was made
    assert [check.rung.value for check in report.checks] == ["schema", "assumed"]
    assert "not checked for NULL" in report.to_text()


def test_not_null_of_rows_that_delta_rs_wrote(spark: SparkSession, tmp_path: Path) -> None:
    """It lists files that it has not read, in a commit that looks like any other of its own."""
    path = tmp_path / "t"
    spark.sql(f"CREATE TABLE {on(path)} (k BIGINT NOT NULL) USING delta")
    spark.sql(f"INSERT INTO {on(path)} VALUES (1), (2)")
    rows = pa.table({"k": pa.array([3])}, pa.schema([pa.field("k", pa.int64(), False)]))
    deltalake.write_deltalake(str(path), rows, mode="append")
    report = validate(path, ModelSignature(inputs=Schema([ColSpec("long", "k")])))
    assert [check.rung.value for check in report.checks] == ["assumed"]
    assert "not checked for NULL" in report.to_text()


def nested_texts(path: Path, *strings: str | None) -> Path:
    """A Parquet file with a struct of a text that Arrow writes as a dictionary."""
    path.mkdir()
    text = pa.dictionary(pa.int32(), pa.string())
    struct = pa.array([s and {"x": s} for s in strings], pa.struct([("x", text)]))
    table = pa.table({"id": pa.array(range(len(strings))), "s": struct})
    pq.write_table(table, path / "one.parquet")
    counts = pq.read_metadata(path / "one.parquet").row_group(0).column(1).statistics
    assert counts.null_count == 0  # a lie
    return path


@pytest.mark.slow
def test_texts_in_structs_that_arrow_counted(spark: SparkSession, tmp_path: Path) -> None:
    path = nested_texts(tmp_path / "t", "a", None, "b", "c")
    spark.sql(f"CONVERT TO DELTA parquet.`{path}` NO STATISTICS")
    spark.sql(f"ALTER TABLE {on(path)} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM {on(path)} WHERE id = 3")
    assert null_counts(path, 2)["s"] == {"x": 0}  # Spark repeats it
    report = compare(spark, path)
    assert violated(report) == {("$.s", "null"): 1}
    spark.sql(f"ALTER TABLE {on(path)} ADD CONSTRAINT c CHECK (s.x IS NOT NULL)")
    assert violated(compare(spark, path)) == {("$.s", "null"): 1}


@pytest.mark.slow
def test_texts_in_structs_that_delta_rs_converted(spark: SparkSession, tmp_path: Path) -> None:
    path = nested_texts(tmp_path / "t", "a", None, "b")
    deltalake.convert_to_deltalake(str(path))
    assert null_counts(path, 0)["s"] == {"x": 0}
    assert violated(compare(spark, path)) == {("$.s", "null"): 1}


def null_counts(path: Path, version: int) -> dict[str, Any]:
    """The counts of NULLs of the one file that a commit adds."""
    log = (path / "_delta_log" / f"{version:020}.json").read_text()
    (added,) = [json.loads(line)["add"] for line in log.splitlines() if "add" in json.loads(line)]
    return dict(json.loads(added["stats"])["nullCount"])


@pytest.mark.slow
def test_unsigned_numbers_whose_bounds_come_from_a_footer(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    path.mkdir()
    values = {
        "id": pa.array([0, 1, 2]),
        "a": pa.array([3_000_000_000, 4_000_000_000, 1], pa.uint32()),
        "b": pa.array([2**64 - 10, 2**64 - 1, 2**64 - 5], pa.uint64()),
    }
    pq.write_table(pa.table(values), path / "one.parquet")
    spark.sql(f"CONVERT TO DELTA parquet.`{path}` NO STATISTICS")
    spark.sql(f"ALTER TABLE {on(path)} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM {on(path)} WHERE id = 2")
    report = compare(spark, path)
    assert violated(report) == {("$.a", "cast"): 2, ("$.b", "cast"): 2}


@pytest.mark.slow
def test_bounds_of_floats_that_come_from_a_footer(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    frame = rows(spark, "id", "IF(id = 1, double('NaN'), double(id)) AS x", end=20_000)
    with (
        setting(spark, "spark.databricks.delta.stats.collect", "false"),
        setting(spark, "parquet.block.size", "1024"),
        setting(spark, "parquet.page.size", "1024"),
    ):
        write(frame, path, **VECTORS)
    (file,) = path.glob("*.parquet")
    assert pq.read_metadata(file).num_row_groups > 1
    spark.sql(f"DELETE FROM {on(path)} WHERE id = 0")
    assert '"x\\":19999.0' in (path / "_delta_log" / "00000000000000000001.json").read_text()
    report = compare(spark, path, held(table_schema(spark, path), policy=NAN))
    assert violated(report) == {("$.x", "null"): 1}
