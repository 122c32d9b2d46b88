"""What the log of a Delta table proves about NULLs, held against the data itself."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_sig.delta.columns import table_columns
from spark_sig.delta.files import count_files, list_files
from spark_sig.delta.log import (
    Snapshot,
    open_snapshot,
    read_snapshot,
    read_version,
    table_metadata,
)
from spark_sig.delta.nulls import NullEvidence, Nulls, not_null_places, null_evidence
from spark_sig.delta.statistics import judged
from spark_sig.errors import SignatureError, SourceError
from spark_sig.sqltext import quoted
from spark_sig.stats import Claim
from tests.conftest import spark_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Place = tuple[str, ...]
NONE, SOME, UNKNOWN = Nulls.NONE, Nulls.SOME, Nulls.UNKNOWN

MAPPED = {"delta.columnMapping.mode": "name"}
VECTORS = {"delta.enableDeletionVectors": "true"}


def places_of(struct: T.StructType, above: Place = ()) -> list[Place]:
    """All columns and members of structs, at any depth."""
    found: list[Place] = []
    for member in struct.fields:
        place = (*above, member.name)
        found.append(place)
        if isinstance(member.dataType, T.StructType):
            found += places_of(member.dataType, place)
    return found


def nulls_in(frame: DataFrame, places: list[Place]) -> dict[Place, int]:
    """Count NULLs in the rows: of a member, where the struct around it is present."""
    counts = []
    for at, place in enumerate(places):
        here = F.col(".".join(quoted(name) for name in place)).isNull()
        if len(place) > 1:
            here &= F.col(".".join(quoted(name) for name in place[:-1])).isNotNull()
        counts.append(F.count_if(here).alias(str(at)))
    return dict(zip(places, frame.agg(*counts).collect()[0], strict=True))


def look(spark: SparkSession, path: Path, version: int | None = None) -> dict[Place, NullEvidence]:
    """Return the evidence for every place of a table, checked against its rows."""
    snapshot = count_files(spark, read_snapshot(spark, str(path), version))
    frame = read_version(spark, snapshot)
    places = places_of(frame.schema)
    evidence = null_evidence(spark, snapshot, places)
    assert list(evidence) == places
    counted = nulls_in(frame, places)
    for place, one in evidence.items():
        if one.nulls is NONE:
            assert counted[place] == 0, place
            assert one.undecided == 0, place
        elif one.nulls is SOME:
            assert counted[place] > 0, place
        else:
            assert 0 < one.undecided <= one.files, place
        assert (one.rows, one.files) == (snapshot.rows, snapshot.files)
    if not snapshot.uncounted:
        assert snapshot.rows == frame.count()
    return evidence


def verdicts(found: dict[Place, NullEvidence]) -> dict[str, Nulls]:
    return {".".join(place): one.nulls for place, one in found.items()}


def write(frame: DataFrame, path: Path, mode: str = "error", *by: str, **options: str) -> None:
    writer = frame.write.format("delta").mode(mode).options(**options)
    (writer.partitionBy(*by) if by else writer).save(str(path))


def rows(spark: SparkSession, *columns: str, start: int = 0, end: int = 10) -> DataFrame:
    """One file's worth of rows, numbered by ``id``."""
    return spark.range(start, end, 1, 1).selectExpr(*columns)


def copy(source: Path, target: Path, edit: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Copy a table, which Delta has not seen there yet, with every file's log entry edited."""
    shutil.copytree(source, target)
    log = target / "_delta_log"
    for checksum in log.glob("*.crc"):
        checksum.unlink()
    for commit in log.glob("*.json"):
        lines = [json.loads(line) for line in commit.read_text().splitlines()]
        for line in lines:
            if edit and "add" in line:
                edit(line["add"])
        commit.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return target


def by_hand(spark: SparkSession, path: Path, places: list[Place]) -> dict[Place, NullEvidence]:
    """Evidence for a table whose log was edited so that its rows, or their number, do not fit."""
    first = (path / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    (table_id,) = [line["metaData"]["id"] for line in map(json.loads, first) if "metaData" in line]
    return null_evidence(spark, Snapshot(str(path), table_id, 0, None, None), places)


@pytest.fixture(scope="module")
def two_files(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 0 has one file of 10 rows, version 1 another of 5."""
    path = tmp_path_factory.mktemp("statistics") / "two files"
    columns = "id AS a", "IF(id = 12, NULL, id) AS b", "CAST(NULL AS string) AS c"
    write(rows(spark, *columns), path)
    write(rows(spark, *columns, start=10, end=15), path, "append")
    return path


# --- counts --------------------------------------------------------------------------------------


def test_one_file_with_nulls_is_enough_for_some_and_none_takes_all(
    spark: SparkSession, two_files: Path
) -> None:
    found = look(spark, two_files)
    assert found == {
        ("a",): NullEvidence(NONE, rows=15, files=2, undecided=0),
        ("b",): NullEvidence(SOME, rows=15, files=2, undecided=0),
        ("c",): NullEvidence(SOME, rows=15, files=2, undecided=0),
    }


def test_an_older_version_is_judged_by_its_own_files(spark: SparkSession, two_files: Path) -> None:
    assert verdicts(look(spark, two_files, version=0)) == {"a": NONE, "b": NONE, "c": SOME}


def test_no_data_file_is_opened(spark: SparkSession, two_files: Path, tmp_path: Path) -> None:
    path = copy(two_files, tmp_path / "t")
    for file in path.glob("*.parquet"):
        file.unlink()
    found = null_evidence(spark, read_snapshot(spark, str(path)), [("a",), ("b",)])
    assert verdicts(found) == {"a": NONE, "b": SOME}


def test_a_table_without_files_has_no_nulls(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    spark.sql(
        f"CREATE TABLE delta.`{path}` (a BIGINT, s STRUCT<x: BIGINT>, l ARRAY<INT>) USING delta"
    )
    assert set(look(spark, path).values()) == {NullEvidence(NONE, 0, 0, 0)}


def test_files_without_statistics_leave_it_open(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(rows(spark, "id AS a", "IF(id = 0, NULL, id) AS b"), path)
    spark.conf.set("spark.databricks.delta.stats.collect", "false")
    try:
        write(rows(spark, "id AS a", "id AS b", end=5), path, "append")
    finally:
        spark.conf.unset("spark.databricks.delta.stats.collect")
    assert look(spark, path) == {
        ("a",): NullEvidence(UNKNOWN, rows=10, files=2, undecided=1),
        ("b",): NullEvidence(SOME, rows=10, files=2, undecided=1),
    }


@pytest.mark.slow
def test_columns_that_no_statistics_cover(spark: SparkSession, tmp_path: Path) -> None:
    wide = rows(spark, *[f"id AS c{at}" for at in range(40)])
    write(wide, tmp_path / "wide")
    found = verdicts(look(spark, tmp_path / "wide"))
    assert [found[f"c{at}"] for at in (0, 31, 32, 39)] == [NONE, NONE, UNKNOWN, UNKNOWN]
    for name, option in (
        ("none", {"delta.dataSkippingNumIndexedCols": "0"}),
        ("named", {"delta.dataSkippingStatsColumns": "b"}),
    ):
        write(rows(spark, "id AS a", "id AS b"), tmp_path / name, **option)
    assert verdicts(look(spark, tmp_path / "none")) == {"a": UNKNOWN, "b": UNKNOWN}
    assert verdicts(look(spark, tmp_path / "named")) == {"a": UNKNOWN, "b": NONE}


def test_a_column_added_later_is_unknown_in_older_files(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    write(rows(spark, "id AS a", "named_struct('x', id) AS s"), path)
    more = rows(spark, "id AS a", "named_struct('x', id, 'y', id) AS s", "id AS n")
    write(more, path, "append", mergeSchema="true")
    found = look(spark, path)
    assert verdicts(found) == {
        "a": NONE,
        "s": NONE,
        "s.x": NONE,
        "s.y": UNKNOWN,
        "n": UNKNOWN,
    }
    assert found["n",].undecided == 1
    write(rows(spark, "id AS a", "CAST(NULL AS bigint) AS n"), path, "append")
    assert verdicts(look(spark, path))["n"] is SOME


# --- statistics that nobody ought to have written ------------------------------------------------


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ('{"numRecords":10,"nullCount":{"b":0}}', NONE),
        ('{"numRecords":10,"nullCount":{"b":1}}', SOME),
        ('{"numRecords":10,"nullCount":{"b":10},"tightBounds":true}', SOME),
        # bounds that are wide
        ('{"numRecords":10,"nullCount":{"b":0},"tightBounds":false}', NONE),
        ('{"numRecords":10,"nullCount":{"b":3},"tightBounds":false}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":10},"tightBounds":false}', SOME),
        ('{"numRecords":10,"nullCount":{"b":3},"tightBounds":"false"}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":3},"tightBounds":0}', UNKNOWN),
        # missing
        (None, UNKNOWN),
        ("", UNKNOWN),
        ("{}", UNKNOWN),
        ('{"nullCount":{"b":0}}', UNKNOWN),
        ('{"nullCount":{"b":1}}', UNKNOWN),
        ('{"numRecords":10}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":null}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"B":0}}', UNKNOWN),
        # no counts at all
        ('{"numRecords":10,"nullCount":{"b":-1}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":11}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":99999999999999999999}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":0.0}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":"0"}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":NaN}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":{"x":0}}}', UNKNOWN),
        ('{"numRecords":10,"nullCount":0}', UNKNOWN),
        ('{"numRecords":-1,"nullCount":{"b":0}}', UNKNOWN),
        ('{"numRecords":-1,"nullCount":{"b":-1}}', UNKNOWN),
        # no JSON
        ('{"numRecords":10,"nullCount":{"b":0', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":0},"tightBounds":tr', UNKNOWN),
        ('{"numRecords":10,"nullCount":{"b":1},"tightBounds":fals}', UNKNOWN),
        ('[{"numRecords":10,"nullCount":{"b":0}}]', UNKNOWN),
        # a file of no rows holds no NULL
        ('{"numRecords":0}', NONE),
        ('{"numRecords":0,"nullCount":{"b":0}}', NONE),
    ],
)
def test_what_a_files_statistics_are_taken_for(
    spark: SparkSession, two_files: Path, tmp_path: Path, stats: str | None, expected: Nulls
) -> None:
    path = copy(two_files, tmp_path / "t", lambda add: add.update(stats=stats))
    found = by_hand(spark, path, [("b",)])["b",]
    assert found.nulls is expected
    assert (found.files, found.undecided) == (1, 1 if expected is UNKNOWN else 0)


def test_numbers_of_rows_beyond_any_table_do_not_overflow(
    spark: SparkSession, two_files: Path, tmp_path: Path
) -> None:
    many = 2**63 - 1
    stats = json.dumps({"numRecords": many, "nullCount": {"b": 0}})
    path = copy(two_files, tmp_path / "t", lambda add: add.update(stats=stats))
    table_id = read_snapshot(spark, str(two_files)).table_id
    found = null_evidence(spark, Snapshot(str(path), table_id, 1, None, None), [("b",)])
    assert found["b",] == NullEvidence(NONE, 2 * many, 2, 0)


def test_what_follows_an_entry_that_is_no_json_is_not_taken_for_absent(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    write(rows(spark, "id AS b", "named_struct('x', id) AS s"), path)
    stats = '{"numRecords":10,"nullCount":{"b":1,"s":{"x":zz}},"tightBounds":false}'
    edited = copy(path, tmp_path / "edited", lambda add: add.update(stats=stats))
    found = by_hand(spark, edited, [("b",), ("s", "x")])
    assert verdicts(found) == {"b": UNKNOWN, "s.x": UNKNOWN}


# --- deletion vectors ----------------------------------------------------------------------------


@pytest.mark.slow
def test_deletion_vectors(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    columns = "id AS a", "IF(id IN (3, 7), NULL, id) AS b", "CAST(NULL AS bigint) AS c"
    write(rows(spark, *columns), path, **VECTORS)
    assert verdicts(look(spark, path)) == {"a": NONE, "b": SOME, "c": SOME}
    # other rows: there still are some, but the count no longer says so
    spark.sql(f"DELETE FROM delta.`{path}` WHERE a = 1")
    assert verdicts(look(spark, path)) == {"a": NONE, "b": UNKNOWN, "c": SOME}
    # exactly the rows with NULL
    spark.sql(f"DELETE FROM delta.`{path}` WHERE b IS NULL")
    found = look(spark, path)
    assert verdicts(found) == {"a": NONE, "b": UNKNOWN, "c": SOME}
    assert found["b",] == NullEvidence(UNKNOWN, rows=7, files=1, undecided=1)
    assert verdicts(look(spark, path, version=0))["b"] is SOME

    tightened = []

    def tighten(add: dict[str, Any]) -> None:
        tightened.append('"tightBounds":false' in add["stats"])
        add["stats"] = add["stats"].replace('"tightBounds":false', '"tightBounds":true')

    # a flag that was lost does not make the old count true
    assert verdicts(look(spark, copy(path, tmp_path / "tight", tighten)))["b"] is UNKNOWN
    assert any(tightened)


def test_a_file_whose_rows_are_all_deleted_holds_no_null(
    spark: SparkSession, two_files: Path, tmp_path: Path
) -> None:
    for name, deleted, expected in (("all", 10, NONE), ("most", 9, SOME), ("more", 11, UNKNOWN)):
        vector = {
            "storageType": "i",
            "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
            "sizeInBytes": 40,
            "cardinality": deleted,
        }
        path = copy(two_files, tmp_path / name, lambda add, v=vector: add.update(deletionVector=v))
        found = by_hand(spark, path, [("c",)])["c",]
        assert (found.nulls, found.files) == (expected, 1)
        assert found.rows == max(10 - deleted, 0)


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_columns_that_were_renamed_dropped_and_added_again(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    write(rows(spark, "id AS a", "IF(id = 1, NULL, id) AS b", "id AS c"), path, **MAPPED)
    for change in ("a TO x", "b TO a", "x TO b"):
        spark.sql(f"ALTER TABLE delta.`{path}` RENAME COLUMN {change}")
    assert verdicts(look(spark, path)) == {"b": NONE, "a": SOME, "c": NONE}
    spark.sql(f"ALTER TABLE delta.`{path}` DROP COLUMN c")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMN c BIGINT")
    write(rows(spark, "id AS b", "id AS a", "id AS c"), path, "append")
    found = look(spark, path)
    assert verdicts(found) == {"b": NONE, "a": SOME, "c": UNKNOWN}
    assert found["c",].undecided == 1
    assert verdicts(look(spark, path, version=0)) == {"a": NONE, "b": SOME, "c": NONE}


def test_a_physical_name_means_nothing_without_column_mapping(
    spark: SparkSession, tmp_path: Path
) -> None:
    def field(name: str, physical: str) -> T.StructField:
        metadata = {"delta.columnMapping.physicalName": physical}
        return T.StructField(name, T.LongType(), metadata=metadata)

    path = tmp_path / "t"
    write(rows(spark, "id AS a", "IF(id = 1, NULL, id) AS b"), path)
    copied = copy(path, tmp_path / "copied")
    commit = copied / "_delta_log" / f"{0:020}.json"
    lines = [json.loads(line) for line in commit.read_text().splitlines()]
    for line in lines:
        if "metaData" in line:
            swapped = T.StructType([field("a", "b"), field("b", "a")])
            line["metaData"]["schemaString"] = swapped.json()
    commit.write_text("\n".join(map(json.dumps, lines)) + "\n")
    found = by_hand(spark, copied, [("a",), ("b",)])
    assert verdicts(found) == {"a": NONE, "b": SOME}


ODD = ["a.b", "`", "it's", 'say "so"', "世界", "two words", "${env:HOME}", "$.x", "Case", "\\n"]


def test_odd_names_at_any_depth(spark: SparkSession, tmp_path: Path) -> None:
    def named(names: list[str]) -> list[Any]:
        here = [F.when(F.col("id") > 2, F.col("id")).alias(name) for name in names[::2]]
        return here + [F.col("id").alias(name) for name in names[1::2]]

    path = tmp_path / "t"
    frame = spark.range(0, 5, 1, 1)
    inner = [F.struct(*named(ODD)).alias("in.ner"), F.struct(*named(ODD)).alias("`")]
    write(frame.select(*named(ODD), F.struct(*inner).alias("out'er")), path, **MAPPED)
    found = look(spark, path)
    for above in ((), ("out'er", "in.ner"), ("out'er", "`")):
        for names, expected in ((ODD[::2], SOME), (ODD[1::2], NONE)):
            assert {found[(*above, name)].nulls for name in names} == {expected}


def test_names_without_column_mapping_are_told_apart_by_case_and_dots(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    write(rows(spark, "IF(id = 1, NULL, id) AS `a.b`", "named_struct('b', id) AS a"), path)
    found = {place: one.nulls for place, one in look(spark, path).items()}
    assert found == {("a.b",): SOME, ("a",): NONE, ("a", "b"): NONE}


def foreign(source: Path, target: Path, stats: str) -> Path:
    """Copy a table as one that delta-rs wrote, with other statistics."""
    copied = copy(source, target, lambda add: add.update(stats=stats))
    for commit in (copied / "_delta_log").glob("*.json"):
        commit.write_text(commit.read_text().replace("Apache-Spark/", "delta-rs:"))
    return copied


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count"),
    [("map('k', id)", "0"), ("array(id)", "0"), ("named_struct('x', array(id))", '{"x":0}')],
)
def test_counts_that_may_be_those_of_a_maps_keys(
    spark: SparkSession, tmp_path: Path, kind: str, count: str
) -> None:
    """delta-rs files them under bare names, which may be those of columns, and any."""
    path = tmp_path / "t"
    write(rows(spark, "IF(id > 0, NULL, id) AS price", "id AS a", f"{kind} AS m"), path)
    mine = verdicts(look(spark, path))
    assert (mine["price"], mine["a"], mine["m"]) == (SOME, NONE, NONE)
    stats = f'{{"numRecords":10,"nullCount":{{"price":0,"a":0,"m":{count}}}}}'
    wrong = foreign(path, tmp_path / "wrong", stats)
    assert set(verdicts(look(spark, wrong)).values()) == {UNKNOWN}
    write(rows(spark, "id AS price"), tmp_path / "flat")
    flat = foreign(tmp_path / "flat", tmp_path / "foreign", stats)
    assert verdicts(look(spark, flat)) == {"price": NONE}


@pytest.mark.slow
def test_counts_of_an_array_that_has_been_dropped_since(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    write(rows(spark, "IF(id > 0, NULL, id) AS price", "id AS a", "array(id) AS m"), path)
    stats = '{"numRecords":10,"nullCount":{"price":0,"a":0}}'
    table = f"delta.{quoted(str(foreign(path, tmp_path / 'wrong', stats)))}"
    mapping = ", ".join(f"'{key}' = '{value}'" for key, value in MAPPED.items())
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ({mapping})")
    spark.sql(f"ALTER TABLE {table} DROP COLUMN m")
    spark.sql(f"ALTER TABLE {table} ADD COLUMN later BIGINT")
    assert set(verdicts(look(spark, tmp_path / "wrong")).values()) == {UNKNOWN}
    # what has a name that Delta made is taken for nothing else
    spark.sql(f"INSERT INTO {table} SELECT 1, 1, 1")
    spark.sql(f"DELETE FROM {table} WHERE later IS NULL")
    assert set(verdicts(look(spark, tmp_path / "wrong")).values()) == {NONE}


# --- partitions ----------------------------------------------------------------------------------


def test_a_file_without_rows_refutes_nothing(spark: SparkSession, tmp_path: Path) -> None:
    """Whatever its partition is, and whether or not it may be gone."""
    write(
        rows(spark, "id AS a", "CAST(NULL AS string) AS p").coalesce(1),
        tmp_path / "t",
        "error",
        "p",
    )
    path = copy(tmp_path / "t", tmp_path / "u", lambda add: add.update(stats='{"numRecords":0}'))
    opened = open_snapshot(spark, read_snapshot(spark, str(path)))
    files, columns = list_files(spark, opened), table_columns(table_metadata(opened))
    claims = [[Claim(("p",), no_null=True)], [Claim(("a",), no_null=True)]]
    gone = files.within("SELECT *, true AS removed FROM {query}", [*files.columns, "removed"])
    for given, pattern in ((files, "000"), (gone, "200")):
        found = judged(given, columns, claims).frame().collect()
        assert [(row["kept"], row["pattern"]) for row in found] == [(0, pattern)]


@pytest.mark.parametrize("options", [{}, MAPPED], ids=["plain", "mapped"])
def test_partition_columns(spark: SparkSession, tmp_path: Path, options: dict[str, str]) -> None:
    path = tmp_path / "t"
    frame = rows(
        spark,
        "id AS a",
        "CASE id WHEN 0 THEN '' WHEN 1 THEN NULL ELSE 'x' END AS p",
        "CAST(id % 2 AS int) AS q",
        "DATE'2024-01-31' AS `d d`",
        "TIMESTAMP'2024-01-31 01:02:03.456' AS t",
        "CAST(1.50 AS decimal(9,2)) AS m",
        "'' AS e",
    )
    if not options:
        frame = frame.withColumnRenamed("d d", "d")
    write(frame, path, "error", *frame.columns[1:], **options)
    found = list(verdicts(look(spark, path)).values())
    # Delta writes '' as NULL
    assert found == [NONE, SOME, NONE, NONE, NONE, NONE, SOME]
    if options:
        spark.sql(f"ALTER TABLE delta.`{path}` RENAME COLUMN p TO x")
        spark.sql(f"ALTER TABLE delta.`{path}` RENAME COLUMN q TO p")
        found = list(verdicts(look(spark, path)).values())
        assert found == [NONE, SOME, NONE, NONE, NONE, NONE, SOME]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "text", "number"),
    [
        ({"p": "x", "q": "1"}, NONE, NONE),
        ({"p": None, "q": None}, SOME, SOME),
        # Spark reads an empty text, the protocol calls it NULL
        ({"p": "", "q": ""}, UNKNOWN, UNKNOWN),
        # Spark reads NULL
        ({"p": "x", "q": "one"}, NONE, UNKNOWN),
        ({}, UNKNOWN, UNKNOWN),
    ],
)
def test_partition_values_that_other_writers_leave(
    spark: SparkSession, tmp_path: Path, values: dict[str, Any], text: Nulls, number: Nulls
) -> None:
    path = tmp_path / "t"
    write(rows(spark, "id AS a", "'x' AS p", "1 AS q"), path, "error", "p", "q")
    edited = copy(path, tmp_path / "edited", lambda add: add.update(partitionValues=values))
    assert verdicts(look(spark, edited)) == {"a": NONE, "p": text, "q": number}


# --- nested --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_members_of_structs(spark: SparkSession, tmp_path: Path) -> None:
    """``whole`` is always there; ``gone`` is NULL in one row; ``bare`` has NULL in each member."""
    path = tmp_path / "t"
    member = "IF(id = 3, NULL, id)"
    frame = rows(
        spark,
        f"named_struct('x', id, 'y', {member}) AS whole",
        "IF(id = 3, NULL, named_struct('x', id, 'y', id)) AS gone",
        f"named_struct('x', {member}) AS bare",
        "named_struct('in', named_struct('x', id), 'out', named_struct('y', IF(id = 1, NULL, id)),"
        " 'half', IF(id = 2, NULL, named_struct('z', id))) AS deep",
        "named_struct('l', array(id), 'm', map('k', id), 'n', IF(id = 5, NULL, array(id))) AS held",
        "IF(id = 5, NULL, named_struct('l', array(id))) AS lost",
    )
    write(frame, path, **{"delta.dataSkippingNumIndexedCols": "-1"})
    assert verdicts(look(spark, path)) == {
        "whole": NONE,
        "whole.x": NONE,
        # the struct is proven to be there by its other member
        "whole.y": SOME,
        # the struct is NULL there or the member is: the log says either
        "gone": UNKNOWN,
        "gone.x": UNKNOWN,
        "gone.y": UNKNOWN,
        "bare": UNKNOWN,
        "bare.x": UNKNOWN,
        "deep": NONE,
        "deep.in": NONE,
        "deep.in.x": NONE,
        "deep.out": UNKNOWN,
        "deep.out.y": UNKNOWN,
        "deep.half": UNKNOWN,
        "deep.half.z": UNKNOWN,
        "held": NONE,
        "held.l": NONE,
        "held.m": NONE,
        "held.n": UNKNOWN,
        "lost": UNKNOWN,
        "lost.l": UNKNOWN,
    }
    # Asked one by one, each gets the same answer.
    snapshot = count_files(spark, read_snapshot(spark, str(path)))
    for place in (("whole", "y"), ("deep",), ("deep", "out", "y")):
        assert null_evidence(spark, snapshot, [place])[place] == look(spark, path)[place]


def test_arrays_maps_and_types_without_bounds(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    frame = rows(
        spark,
        "array(CAST(NULL AS int)) AS l",
        "IF(id = 1, NULL, array(1)) AS holes",
        "CAST(array() AS array<int>) AS empty",
        "map('k', CAST(NULL AS int)) AS m",
        "X'FF' AS bin",
        "IF(id = 1, NULL, true) AS flag",
        "CAST('NaN' AS double) AS nan",
        "parse_json('null') AS v" if spark_version() >= (4, 0) else "1 AS v",
        "NULL AS nothing",
        "named_struct('x', IF(id = 1, NULL, id), 'nothing', NULL) AS s",
    )
    write(frame, path)
    # an older Delta Lake leaves out columns that have no type
    untyped = {"nothing", "s.nothing"} if spark_version() >= (4, 2) else set()
    assert verdicts(look(spark, path)) == dict.fromkeys(untyped, UNKNOWN) | {
        "l": NONE,
        # a count above 0 may be of NULL elements, where the footer of a file was asked
        "holes": UNKNOWN,
        "empty": NONE,
        "m": NONE,
        "bin": NONE,
        "flag": SOME,
        "nan": NONE,
        "v": NONE,
        "s": UNKNOWN,
        "s.x": UNKNOWN,
    }


# --- the log's other shapes ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["classic", pytest.param("v2", marks=pytest.mark.slow)])
def test_a_checkpoint_without_json_statistics(
    spark: SparkSession, tmp_path: Path, policy: str
) -> None:
    path = tmp_path / "t"
    options = {
        "delta.checkpoint.writeStatsAsJson": "false",
        "delta.checkpoint.writeStatsAsStruct": "true",
        "delta.checkpointPolicy": policy,
        "delta.checkpointInterval": "1",
        **VECTORS,
        **MAPPED,
    }
    columns = "id AS a", "IF(id = 3, NULL, id) AS `b b`", "named_struct('x', id, 'y', 1) AS s"
    write(rows(spark, *columns), path, **options)
    write(rows(spark, *columns, end=3), path, "append")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE a = 5")
    log = path / "_delta_log"
    assert [file.name for file in log.glob(f"{2:020}.checkpoint*")]
    copied = copy(path, tmp_path / "copied")
    for commit in (copied / "_delta_log").glob("*.json"):
        if "checkpoint" not in commit.name and not commit.name.startswith(f"{2:020}"):
            commit.unlink()
    inside = ("s", "s.x", "s.y")
    # an older Delta Lake gives no statistics of such a checkpoint; one of 3.5, of no version
    told = NONE if spark_version() >= (4, 2) else UNKNOWN
    plain = {"a": told, "b b": UNKNOWN}
    assert verdicts(look(spark, path)) == plain | dict.fromkeys(inside, told)
    # without the commits nobody knows who counted inside of structs
    assert verdicts(look(spark, copied)) == plain | dict.fromkeys(inside, UNKNOWN)
    assert verdicts(look(spark, path, version=1))["b b"] is (
        SOME if spark_version() >= (4, 0) else UNKNOWN
    )


@pytest.mark.slow
def test_a_shallow_clone(spark: SparkSession, two_files: Path, tmp_path: Path) -> None:
    path = tmp_path / "t"
    spark.sql(f"CREATE TABLE delta.`{path}` SHALLOW CLONE delta.`{two_files}`")
    assert look(spark, path) == look(spark, two_files)


@pytest.mark.skipif(spark_version() < (4, 0), reason="Delta Lake 3 widens no INT to BIGINT")
def test_a_type_that_was_widened(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    narrow = rows(spark, "CAST(id AS int) AS a", "CAST(IF(id = 1, NULL, id) AS int) AS b")
    write(narrow, path, **{"delta.enableTypeWidening": "true"})
    for name in "ab":
        spark.sql(f"ALTER TABLE delta.`{path}` ALTER COLUMN {name} TYPE BIGINT")
    assert verdicts(look(spark, path)) == {"a": NONE, "b": SOME}


# --- constraints ---------------------------------------------------------------------------------


def test_not_null_constraints(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "t"
    spark.sql(
        f"CREATE TABLE delta.`{path}` (a BIGINT NOT NULL, b BIGINT, s STRUCT<x: BIGINT NOT NULL,"
        " y: BIGINT, t: STRUCT<`z.z`: BIGINT NOT NULL> NOT NULL>)"
        " USING delta TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
    )
    good = {"a": "1L", "b": "2L", "x": "3L", "y": "4L", "z": "5L"}

    def append(**values: str) -> None:
        v = good | values
        inner = f"named_struct('z.z', {v['z']})"
        struct = f"named_struct('x', {v['x']}, 'y', {v['y']}, 't', {inner})"
        frame = spark.sql(f"SELECT {v['a']} AS a, {v['b']} AS b, {struct} AS s")
        write(frame, path, "append")

    schema = read_version(spark, read_snapshot(spark, str(path))).schema
    assert not_null_places(schema) == {("a",), ("s", "x"), ("s", "t"), ("s", "t", "z.z")}
    spark.sparkContext.setLogLevel("OFF")
    try:
        for name in "axz":
            with pytest.raises(Exception, match="NOT_NULL_CONSTRAINT_VIOLATED"):
                append(**{name: "CAST(NULL AS bigint)"})
    finally:
        spark.sparkContext.setLogLevel("WARN")
    append(b="CAST(NULL AS bigint)", y="CAST(NULL AS bigint)")
    assert verdicts(look(spark, path))["b"] is SOME


def test_flags_inside_arrays_and_maps_constrain_nothing() -> None:
    inner = T.StructType([T.StructField("x", T.LongType(), nullable=False)])
    schema = T.StructType(
        [
            T.StructField("l", T.ArrayType(inner, containsNull=False)),
            T.StructField("m", T.MapType(T.StringType(), inner, False), nullable=False),
        ]
    )
    assert not_null_places(schema) == {("m",)}


# --- what is refused, and what is out of reach ---------------------------------------------------


def test_places_that_a_table_does_not_have(
    spark: SparkSession, two_files: Path, tmp_path: Path
) -> None:
    write(rows(spark, "array(named_struct('x', id)) AS l"), tmp_path / "l")
    inside = read_snapshot(spark, str(tmp_path / "l"))
    snapshot = read_snapshot(spark, str(two_files))
    for found, place in (
        (snapshot, ("A",)),
        (snapshot, ("a", "x")),
        (snapshot, ()),
        (inside, ("l", "x")),
        (inside, ("l", "element")),
    ):
        with pytest.raises(SignatureError, match="no such column"):
            null_evidence(spark, found, [place])
    assert null_evidence(spark, snapshot, []) == {}
    assert len(null_evidence(spark, snapshot, [("a",), ("a",)])) == 1


def test_another_table_in_the_same_place_is_an_error(
    spark: SparkSession, two_files: Path, tmp_path: Path
) -> None:
    snapshot = read_snapshot(spark, str(two_files))
    with pytest.raises(SourceError, match="another table"):
        null_evidence(spark, replace(snapshot, table_id="other"), [("a",)])
    with pytest.raises(SourceError, match="has no version 9; the newest is 1"):
        null_evidence(spark, replace(snapshot, version=9), [("a",)])


def test_without_a_jvm_nothing_is_known() -> None:
    remote: Any = object()
    snapshot = Snapshot("t", "id", 0, None, None)
    found = null_evidence(remote, snapshot, [("a",)])
    assert found == {("a",): NullEvidence(UNKNOWN, 0, 0, 0)}


# --- any history ---------------------------------------------------------------------------------


def batch(spark: SparkSession, chance: random.Random) -> DataFrame:
    """Rows of which each column holds no NULL, some, or nothing else."""

    def sparse(value: str) -> str:
        return f"IF(id % 7 < {chance.choice([0, 0, 3, 7])}, NULL, {value})"

    struct = f"named_struct('x', {sparse('id')}, 'y', {sparse('id')})"
    return rows(
        spark,
        "id",
        f"{sparse('id')} AS a",
        f"{sparse(struct)} AS s",
        f"{sparse('array(id)')} AS l",
        f"CAST({sparse('id % 2')} AS int) AS p",
        end=chance.choice([1, 14]),
    )


def step(spark: SparkSession, table: str, action: str, chance: random.Random, at: int) -> None:
    new = batch(spark, chance)
    match action:
        case "append":
            write(new, Path(table), "append")
        case "delete":
            what = chance.choice(["a IS NULL", "s IS NULL", "id % 3 = 1", "p IS NULL", "s.x > 2"])
            spark.sql(f"DELETE FROM delta.`{table}` WHERE {what}")
        case "update":
            what = chance.choice(["a = NULL", "a = 1", "s = NULL", "s.x = 5", "s.y = NULL"])
            spark.sql(f"UPDATE delta.`{table}` SET {what} WHERE id % 4 = {chance.randrange(4)}")
        case "merge":
            new.createOrReplaceTempView("incoming")
            spark.sql(
                f"MERGE INTO delta.`{table}` t USING incoming u ON t.id = u.id AND u.id < 3"
                " WHEN MATCHED THEN UPDATE SET t.a = u.a, t.s = NULL"
                " WHEN NOT MATCHED THEN INSERT (id, a, s, l, p) VALUES (id, a, s, l, p)"
            )
        case "add":
            spark.sql(f"ALTER TABLE delta.`{table}` ADD COLUMNS (n{at} BIGINT)")
        case "rename":
            spark.sql(f"ALTER TABLE delta.`{table}` RENAME COLUMN a TO z{at}")
            spark.sql(f"ALTER TABLE delta.`{table}` ADD COLUMN a BIGINT")
        case _:
            spark.sql(f"OPTIMIZE delta.`{table}`")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_sound_after_every_step_of_a_history(
    spark: SparkSession, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    path = tmp_path / "t"
    write(batch(spark, chance), path, "error", "p", **VECTORS, **MAPPED)
    actions = ["append", "delete", "update", "merge", "add", "rename", "optimize", "delete"]
    chance.shuffle(actions)
    decided = 0
    for at, action in enumerate(actions):
        step(spark, str(path), action, chance, at)
        decided += sum(one.nulls is not UNKNOWN for one in look(spark, path).values())
    # a test of nothing but unknowns would show nothing
    assert decided > 2 * len(actions)
