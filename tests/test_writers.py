"""Which files Spark wrote, held against tables that two engines wrote."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deltalake
import pyarrow as pa
import pytest

from spark_sig import ColSpec, ModelSignature, Policy, Schema, infer_table, validate
from spark_sig.delta.log import Snapshot, open_snapshot, read_snapshot
from spark_sig.delta.nulls import imposed_places
from spark_sig.delta.writers import (
    constraints_were_checked,
    is_of_spark,
    written_by_spark,
)
from spark_sig.plan import Rung
from spark_sig.sqltext import quoted
from tests.conftest import spark_version
from tests.test_statistics import copy

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK = "Apache-Spark/4.2.0 Delta-Lake/4.4.0"
RUST = "delta-rs:py-1.6.6"
VECTOR = {"storageType": "u", "pathOrInlineDv": "x", "sizeInBytes": 1, "cardinality": 1}


def found(spark: SparkSession, path: Path, version: int | None = None) -> set[str]:
    """The files that Spark is said to have written."""
    opened = open_snapshot(spark, read_snapshot(spark, str(path), version))
    frame = written_by_spark(spark, opened)
    assert frame is not None
    assert frame.columns == ["path"]
    paths = [row["path"] for row in frame.collect()]
    assert len(paths) == len(set(paths))
    return set(paths)


# --- logs written by hand ------------------------------------------------------------------------


COUNTED = {"numOutputRows": "1"}


def info(engine: object = SPARK, operation: object = "WRITE", **more: object) -> str:
    said = {"engineInfo": engine, "operation": operation, "operationMetrics": COUNTED, **more}
    return json.dumps({"commitInfo": said})


def add(path: str, vector: object = None) -> str:
    action: dict[str, Any] = {
        "path": path,
        "partitionValues": {},
        "size": 1,
        "modificationTime": 1,
        "dataChange": True,
        "stats": '{"numRecords":1,"maxValues":{"d":1.0}}',
    }
    return json.dumps({"add": {**action, **({"deletionVector": vector} if vector else {})}})


def commits(path: Path, *versions: list[str]) -> Path:
    """Write a log; the first commit makes the table."""
    log = path / "_delta_log"
    log.mkdir(parents=True)
    field = {"name": "d", "type": "double", "nullable": True, "metadata": {}}
    metadata = {
        "id": str(uuid.uuid4()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": [field]}),
        "partitionColumns": [],
        "configuration": {},
    }
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, **features}
    start = [json.dumps({"protocol": protocol}), json.dumps({"metaData": metadata})]
    for version, lines in enumerate(([info(), *start], *versions)):
        (log / f"{version:020}.json").write_text("\n".join(lines) + "\n")
    return path


WRITING = [
    "WRITE",
    "STREAMING UPDATE",
    "CREATE TABLE AS SELECT",
    "CREATE OR REPLACE TABLE AS SELECT",
    "REPLACE TABLE AS SELECT",
    "DELETE",
    "UPDATE",
    "MERGE",
    "OPTIMIZE",
]
NOT_WRITING = [
    "CONVERT",
    "CLONE",
    "RESTORE",
    "COMPUTE STATS",
    "ROW TRACKING BACKFILL",
    "Manual Update",
    "write",
]


def test_the_operation_and_the_engine_of_the_commit_decide(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = commits(
        tmp_path / "t",
        *([info(operation=name), add(f"new {at}")] for at, name in enumerate(WRITING)),
        *([info(operation=name), add(f"old {name}")] for name in NOT_WRITING),
        [info(RUST), add("rust")],
        [info("Kernel-4.0.0/Apache-Spark/4.2.0 Delta-Lake/4.4.0"), add("kernel")],
        [info("Apache-Spark/4.2.0"), add("no Delta")],
        [info(None), add("no engine")],
        [info(operation=None), add("no operation")],
        [json.dumps({"commitInfo": {}}), add("nothing said")],
        [info(), info(RUST), add("two engines")],
        [add("no info")],
        # the order of the lines means nothing, nor does a part of a path
        [add("last%20of all/part-0.parquet"), info()],
    )
    expected = {f"new {at}" for at in range(len(WRITING))} | {"last%20of all/part-0.parquet"}
    assert found(spark, path) == expected


def test_what_others_commit_through_delta_s_own_library_is_not_spark_s(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Apache XTable does so: an update of a predicate of its own, which counts no rows."""
    foreign = {"operationParameters": {"predicate": '["xtable-delta-sync"]'}}
    path = commits(
        tmp_path / "t",
        [info(operation="UPDATE", operationMetrics={}), add("not counted")],
        [info(operation="UPDATE", operationMetrics=None), add("nothing said")],
        [info(operation="UPDATE", **foreign), add("of XTable")],
        [info(operation="UPDATE", operationParameters={"predicate": "a = 1"}), add("mine")],
    )
    assert found(spark, path) == {"mine"}


def checked(spark: SparkSession, path: Path, version: int | None = None) -> bool:
    opened = open_snapshot(spark, read_snapshot(spark, str(path), version))
    return constraints_were_checked(spark, opened)


FINE = {"delta.constraints.fine": "d > 0"}


def meta(**configuration: str) -> str:
    """Any metadata: Delta is not to read them."""
    return json.dumps({"metaData": {"id": "1", "configuration": configuration}})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        (info(operation="ADD CONSTRAINT"), True),
        (info(RUST, "ADD CONSTRAINT"), False),
        (info(operation="Manual Update"), False),
        (info(operation="RESTORE"), True),
        (info(RUST, "RESTORE"), False),
        (info(operation="CREATE OR REPLACE TABLE AS SELECT"), False),
        (info(RUST, "CREATE TABLE"), False),
        # what createOrReplace with replaceWhere is called
        (f"{info()}\n{add('a')}", False),
        (info(operation="SET TBLPROPERTIES"), False),
        (info(RUST, "SET TBLPROPERTIES"), False),
        (info(operation="CLONE"), False),
        (info(operation="CONVERT"), False),
        (info(RUST, "CONVERT"), False),
        (info(operation=None), False),
        (info(None), False),
        ("{}", False),
        (info()[:-1], False),
    ],
)
def test_constraints_hold_where_all_rows_were_held_to_them(
    spark: SparkSession, tmp_path: Path, commit: str, expected: bool
) -> None:
    path = commits(tmp_path / "t", [info()], [info()])
    opened = open_snapshot(spark, read_snapshot(spark, str(path)))
    assert constraints_were_checked(spark, opened)
    log = path / "_delta_log"
    (log / f"{1:020}.json").write_text("\n".join([commit, meta(**FINE)]))
    assert constraints_were_checked(spark, opened) is expected
    # rows that no writer of Delta's has seen
    foreign = info(operation="UPDATE", operationParameters={"predicate": "xtable-delta-sync"})
    (log / f"{1:020}.json").write_text(foreign)
    assert not constraints_were_checked(spark, opened)
    # without constraints nothing depends on who made the commit
    (log / f"{1:020}.json").write_text("\n".join([info(operation="CLONE"), meta(other="1")]))
    assert constraints_were_checked(spark, opened)
    # nor where they were there before
    (log / f"{0:020}.json").write_text("\n".join([info(RUST, "CREATE TABLE"), meta(**FINE)]))
    (log / f"{1:020}.json").write_text("\n".join([info(operation=None), meta(**FINE)]))
    assert constraints_were_checked(spark, opened)
    (log / f"{1:020}.json").write_text("\n".join([info(), meta()]))
    assert constraints_were_checked(spark, opened)
    # but they are new where they were dropped
    (log / f"{2:020}.json").write_text("\n".join([info(), meta(**FINE)]))
    assert not constraints_were_checked(spark, opened)
    (log / f"{2:020}.json").write_text(info())
    (log / f"{0:020}.json").write_text("\n".join([info(operation="CLONE"), meta(**FINE)]))
    assert not constraints_were_checked(spark, opened)
    (log / f"{0:020}.json").write_text('{"metaData": {"configuration": {"a": {}}}}')
    assert constraints_were_checked(spark, opened)
    (log / f"{0:020}.json").write_text('{"metaData": {"configuration": []}}')
    assert not constraints_were_checked(spark, opened)
    (log / f"{0:020}.json").write_text(info())
    assert constraints_were_checked(spark, opened)
    (log / f"{0:020}.json").unlink()
    assert not constraints_were_checked(spark, opened)


@pytest.mark.slow
def test_a_clone_s_properties_are_constraints_that_no_row_was_held_to(
    spark: SparkSession, tmp_path: Path
) -> None:
    source, clone = (f"delta.{quoted(str(tmp_path / name))}" for name in ("s", "c"))
    spark.sql("SELECT CAST(NULL AS BIGINT) AS d UNION ALL SELECT 5000000000").write.format(
        "delta"
    ).save(str(tmp_path / "s"))
    spark.sql(f"ALTER TABLE {source} ADD CONSTRAINT other CHECK (d IS NULL OR d <> 7)")
    assert checked(spark, tmp_path / "s")
    options = "TBLPROPERTIES ('delta.constraints.fine' = 'd IS NOT NULL AND d BETWEEN 0 AND 10')"
    spark.sql(f"CREATE TABLE {clone} SHALLOW CLONE {source} {options}")
    assert not checked(spark, tmp_path / "c")
    wanted = ModelSignature(inputs=Schema([ColSpec("integer", "d")]))
    report = validate(tmp_path / "c", wanted, policy=Policy(casts="lossless"))
    assert (report.conforms, report.rows.violating) == (False, 2)


@pytest.mark.slow
def test_rows_that_a_replacement_leaves_were_held_to_none_of_its_constraints(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Delta calls it a WRITE."""
    path = tmp_path / "t"
    rows = spark.range(4).selectExpr("id % 2 AS p", "IF(id % 2 = 0, 5000000000, 1) AS d")
    rows.write.format("delta").partitionBy("p").save(str(path))
    table = f"delta.{quoted(str(path))}"
    replaced = rows.where("p = 1").writeTo(table).using("delta").partitionedBy("p")
    replaced = replaced.tableProperty("delta.constraints.fine", "d < 10")
    replaced.option("replaceWhere", "p = 1").createOrReplace()
    assert spark.read.format("delta").load(str(path)).where("d > 10").count() == 2
    assert not checked(spark, path)
    wanted = ModelSignature(inputs=Schema([ColSpec("long", "p"), ColSpec("integer", "d")]))
    report = validate(path, wanted, policy=Policy(casts="lossless"))
    assert report.rows.violating == 2


@pytest.mark.slow
def test_a_column_that_is_brought_back_was_held_to_no_constraint_of_its_name(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    table = f"delta.{quoted(str(path))}"
    mapped = "TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
    spark.sql(f"CREATE TABLE {table} (a BIGINT, b BIGINT) USING delta {mapped}")
    spark.sql(f"INSERT INTO {table} VALUES (1, 2)")
    spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT fine CHECK (a IS NOT NULL)")
    assert checked(spark, path)
    # Delta holds neither to the constraints that there are
    spark.sql(f"ALTER TABLE {table} REPLACE COLUMNS (b BIGINT)")
    spark.sql(f"ALTER TABLE {table} REPLACE COLUMNS (b BIGINT, a BIGINT)")
    assert spark.read.format("delta").load(str(path)).where("a IS NULL").count() == 1
    assert not checked(spark, path)
    wanted = ModelSignature(inputs=Schema([ColSpec("long", "a"), ColSpec("long", "b")]))
    assert validate(path, wanted).rows.violating == 1
    spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 2")
    assert not checked(spark, path)  # once in doubt, always
    assert checked(spark, path, 2)


def called(*names: tuple[str, str], mode: str = "name", **constraints: str) -> str:
    """Metadata of columns, and of members ``x`` of a struct, given their names in files, too."""
    inner = [{"name": "x", "type": "long", "metadata": {}}]
    fields = [
        {
            "name": name,
            "type": {"type": "struct", "fields": inner} if name == "s" else "long",
            "metadata": {"delta.columnMapping.physicalName": stored},
        }
        for name, stored in names
    ]
    properties = {f"delta.constraints.{name}": text for name, text in constraints.items()}
    metadata = {
        "configuration": {"delta.columnMapping.mode": mode, **properties},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
    }
    return json.dumps({"metaData": metadata})


@pytest.mark.parametrize(
    ("first", "second", "operation", "expected"),
    [
        (("a", "p"), ("a", "p"), "WRITE", True),
        (("a", "p"), ("a", "q"), "WRITE", False),
        (("a", "p"), ("A", "q"), "WRITE", False),
        (("s", "p"), ("s", "q"), "WRITE", False),
        (("other", "p"), ("other", "q"), "WRITE", True),
        (("a", "p"), ("a", "q"), "RESTORE", True),
        (("a", "p"), ("a", "q"), "REMOVE COLUMN MAPPING", True),
    ],
)
def test_a_constraint_is_about_what_files_call_its_columns(
    spark: SparkSession,
    tmp_path: Path,
    first: tuple[str, str],
    second: tuple[str, str],
    operation: str,
    expected: bool,
) -> None:
    fine = {"fine": "`A` > 0 AND S.x > 0"}
    path = commits(tmp_path / "t", [info()], [info()], [info()])
    opened = open_snapshot(spark, read_snapshot(spark, str(path)))
    log = path / "_delta_log"
    (log / f"{0:020}.json").write_text("\n".join([info(), called(first, **fine)]))
    (log / f"{1:020}.json").write_text("\n".join([info(), called(("z", "z"), **fine)]))
    (log / f"{2:020}.json").write_text(
        "\n".join([info(operation=operation), called(second, **fine)])
    )
    assert constraints_were_checked(spark, opened) is expected
    # where nothing is mapped, files have the columns' own names
    for version, names in enumerate((first, second)):
        text = called(names, mode="none", **fine)
        (log / f"{version:020}.json").write_text(f"{info()}\n{text}")
    (log / f"{2:020}.json").write_text(info())
    assert constraints_were_checked(spark, opened)
    # whoever else says what the columns are may call them NOT NULL, and Spark skips the check
    (log / f"{1:020}.json").write_text(f"{info(RUST)}\n{called(second, mode='none', **fine)}")
    assert not constraints_were_checked(spark, opened)


@pytest.mark.slow
def test_a_constraint_over_a_column_that_delta_rs_made_not_null_was_not_checked(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    table = f"delta.{quoted(str(path))}"
    spark.range(2).write.format("delta").save(str(path))
    added = deltalake.Field("n", "long", nullable=False)
    deltalake.DeltaTable(str(path)).alter.add_columns([added])
    spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT fine CHECK (n IS NOT NULL)")
    spark.sql(f"ALTER TABLE {table} ALTER COLUMN n DROP NOT NULL")
    assert not checked(spark, path)
    wanted = ModelSignature(inputs=Schema([ColSpec("long", "id"), ColSpec("long", "n")]))
    assert validate(path, wanted).rows.violating == 2


@pytest.fixture(scope="module")
def replaced(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of which a part is left of another one, whose statistics are of that one.

    delta-rs (0.22 to 1.1) counted an array's elements over a column that is called as they are.
    """

    def of_elements(add: dict[str, Any]) -> None:
        stats = json.loads(add["stats"])
        stats["nullCount"]["price"] = 0
        add["stats"] = json.dumps(stats)

    folder = tmp_path_factory.mktemp("replaced")
    rows = spark.range(0, 4, 1, 1).selectExpr(  # a file for each partition
        "id % 2 AS p", "IF(id = 0, NULL, id) AS price", "array(id) AS l"
    )
    rows.write.format("delta").partitionBy("p").save(str(folder / "whole"))
    path = copy(folder / "whole", folder / "t", of_elements)
    into = spark.range(2).selectExpr("1L AS p", "id AS price").writeTo(f"delta.{quoted(str(path))}")
    into = into.using("delta").partitionedBy("p").option("replaceWhere", "p = 1")
    into.createOrReplace()
    return path


def untimed(spark: SparkSession, source: Path, target: Path) -> None:
    """Copy a table without the time at which it was made, which writers may leave out."""
    copy(source, target)
    for commit in (target / "_delta_log").glob("*.json"):
        lines = [json.loads(line) for line in commit.read_text().splitlines()]
        for line in lines:
            line.get("metaData", {}).pop("createdTime", None)
        commit.write_text("\n".join(map(json.dumps, lines)) + "\n")


def cloned(spark: SparkSession, source: Path, target: Path) -> None:
    into, of = (f"delta.{quoted(str(path))}" for path in (target, source))
    spark.sql(f"CREATE TABLE {into} SHALLOW CLONE {of}")


def cloned_over(spark: SparkSession, source: Path, target: Path) -> None:
    into, of = (f"delta.{quoted(str(path))}" for path in (target, source))
    spark.range(1).write.format("delta").save(str(target))
    spark.sql(f"DELETE FROM {into}")  # a table that has rows is not cloned over
    spark.sql(f"CREATE OR REPLACE TABLE {into} SHALLOW CLONE {of}")


def aged(spark: SparkSession, source: Path, target: Path) -> None:
    """Copy a table, and have its first commit be too old for the log."""
    copy(source, target)
    table = f"delta.{quoted(str(target))}"
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.checkpointInterval' = '1')")
    more = spark.range(1).selectExpr("1L AS p", "id AS price")
    more.write.format("delta").mode("append").save(str(target))
    (target / "_delta_log" / f"{0:020}.json").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    "made",
    [
        *(copy, untimed, cloned),
        *(pytest.param(made, marks=pytest.mark.slow) for made in (cloned_over, aged)),
    ],
)
def test_statistics_of_rows_that_a_replacement_leaves_are_of_other_columns(
    spark: SparkSession, tmp_path: Path, replaced: Path, made: Callable[..., object]
) -> None:
    path = tmp_path / "t"
    if made is copy:
        path = replaced
    else:
        made(spark, replaced, path)
    wanted = ModelSignature(inputs=Schema([ColSpec("long", "p"), ColSpec("long", "price")]))
    report = validate(path, wanted, row_key="p")
    assert report == validate(path, wanted, row_key="p", stats=False)
    assert report.rows.violating == 1
    by_path = {check.path: {part.rung for part in check.decided} for check in report.checks}
    # Spark reads partition values from the log, whatever files hold; without a time, none is young.
    new = set() if made is untimed else {Rung.STATS}
    assert by_path == {"$.p": {Rung.STATS}, "$.price": {Rung.CATALYST} | new}
    inputs = infer_table(path).signature.inputs
    assert inputs is not None
    assert [spec.required for spec in inputs] == [True, False]


@pytest.mark.slow
def test_what_a_replacement_leaves_is_remembered_once_it_was_read(
    spark: SparkSession, tmp_path: Path, replaced: Path
) -> None:
    wanted = ModelSignature(inputs=Schema([ColSpec("integer", "price", required=False)]))
    ledger, policy = tmp_path / "ledger", Policy(casts="lossless")
    reports = [validate(replaced, wanted, policy=policy, ledger=ledger) for _ in range(2)]
    assert [report.conforms for report in reports] == [True, True]
    assert [report.evidence.files_read for report in reports] == [1, 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["item", "value", "element"])
def test_columns_that_are_called_as_elements_are_believed_of_spark_alone(
    spark: SparkSession, tmp_path: Path, name: str
) -> None:
    """delta-rs replaces rows and drops an array: no commit that is sure to be there says so."""

    def of_elements(add: dict[str, Any]) -> None:  # as 1.1.4 has them
        stats = json.loads(add["stats"])
        stats["nullCount"][name] = 0
        stats["minValues"].pop(name, None)
        stats["maxValues"].pop(name, None)
        add["stats"] = json.dumps(stats)

    whole, path = tmp_path / "whole", tmp_path / "t"
    values = pa.array([None, 3, 4], pa.int64())
    table = pa.table({"p": pa.array([0, 0, 1]), name: values, "l": pa.array([[1], [2], [3]])})
    deltalake.write_deltalake(str(whole), table, partition_by=["p"])
    kept = pa.table({"p": pa.array([1, 1]), name: pa.array([1, 2])})
    deltalake.write_deltalake(
        str(whole), kept, mode="overwrite", schema_mode="overwrite", predicate="p = 1"
    )
    copy(whole, path, of_elements)
    wanted = ModelSignature(inputs=Schema([ColSpec("long", name), ColSpec("long", "p")]))
    assert validate(path, wanted).rows.violating == 1
    mine = tmp_path / "mine"
    spark.range(3).withColumnRenamed("id", name).write.format("delta").save(str(mine))
    report = validate(mine, ModelSignature(inputs=Schema([ColSpec("long", name)])))
    assert (report.conforms, report.evidence.files_read) == (True, 0)


@pytest.mark.slow
def test_older_files_of_a_table_that_was_none_else_are_believed(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A converted table is younger than all of its files."""
    path = tmp_path / "t"
    spark.range(3).write.parquet(str(path))
    spark.sql(f"CONVERT TO DELTA parquet.{quoted(str(path))}")
    report = validate(path, ModelSignature(inputs=Schema([ColSpec("long", "id")])))
    assert (report.conforms, report.evidence.files_read) == (True, 0)


def test_who_else_lists_a_file_may_have_changed_its_statistics(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = "kept", "restored", "deleted from", "by rust", "by nobody", "cloned", "foreign"
    path = commits(
        tmp_path / "t",
        [info(), *map(add, files[:-1])],
        [info(RUST), add("foreign")],
        [info(operation="DELETE"), add("deleted from", VECTOR), add("foreign", VECTOR)],
        [info(operation="RESTORE"), add("restored"), add("foreign")],
        [info(RUST), add("by rust")],
        [add("by nobody")],
        [info(operation="CLONE"), add("cloned")],
    )
    assert found(spark, path) == {"kept", "restored", "deleted from"}
    # what comes later says nothing of a version before it
    assert found(spark, path, 1) == set(files[:-1])
    assert found(spark, path, 5) == set(files[:-1]) - {"by rust"}


def test_broken_lines_count_for_nothing(spark: SparkSession, tmp_path: Path) -> None:
    path = commits(tmp_path / "t", [info(), add("whole")], [info(), add("other")])
    opened = open_snapshot(spark, read_snapshot(spark, str(path)))
    log = path / "_delta_log"
    first, second = (log / f"{version:020}.json" for version in (1, 2))
    # Delta has read them; what follows is as if the files had been damaged since
    first.write_text(
        "\n".join(
            [
                info(),
                add("whole"),
                add("cut")[:-1],
                add("cut early")[:40],
                '{"add": "text"}',
                '{"add": {"path": "nested", "deletionVector": {}}}',
                '{"add": {"path": "half"}, "commitInfo": "text"}',
                '{"add": {"size": 1}}',
                "[]",
                "",
            ]
        )
    )
    second.write_text(info()[:-1] + "\n" + add("other"))
    frame = written_by_spark(spark, opened)
    assert frame is not None
    assert {row["path"] for row in frame.collect()} == {"whole"}


def test_only_the_commits_themselves_are_read(spark: SparkSession, tmp_path: Path) -> None:
    path = commits(tmp_path / "[a]*{b} ?%20c", [info(), add("mine")], [info(), add("gone")])
    opened = open_snapshot(spark, read_snapshot(spark, str(path)))
    log = path / "_delta_log"
    text = "\n".join([info(), add("elsewhere")])
    for folder in ("_staged_commits", "_sidecars", "other", "p=1"):
        (log / folder).mkdir(exist_ok=True)
        (log / folder / f"{1:020}.json").write_text(text)
    name = f"{1:020}"
    for other in (f"{name}.{name}.compacted.json", f"{name}.crc", "1.json", f"{name}.json.tmp"):
        (log / other).write_text(text)
    (log / f"{3:020}.json").write_text(text)  # committed after the snapshot was taken
    (log / f"{2:020}.json").unlink()  # cleaned up
    frame = written_by_spark(spark, opened)
    assert frame is not None
    assert {row["path"] for row in frame.collect()} == {"mine"}


@pytest.fixture
def strange_confs(spark: SparkSession) -> Iterator[None]:
    """Confs that change how text and JSON are read elsewhere."""
    confs = {
        "spark.sql.caseSensitive": "true",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.doubleQuotedIdentifiers": "true",
        "spark.sql.columnNameOfCorruptRecord": "path",
        "spark.sql.files.ignoreMissingFiles": "true",
        "spark.sql.files.ignoreCorruptFiles": "true",
        "spark.sql.json.enablePartialResults": "false",
        "spark.sql.parser.escapedStringLiterals": "true",
        "spark.sql.sources.useV1SourceList": "",
        "spark.sql.variable.substitute": "false",
    }
    before = {key: spark.conf.get(key, None) for key in confs}
    for key, value in confs.items():
        spark.conf.set(key, value)
    yield
    for key, old in before.items():
        if old is None:
            spark.conf.unset(key)
        else:
            spark.conf.set(key, old)


@pytest.mark.usefixtures("strange_confs")
def test_the_sessions_confs_do_not_matter(spark: SparkSession, tmp_path: Path) -> None:
    path = commits(tmp_path / "t", [info(), add("mine")], [info(RUST), add("rust")])
    opened = open_snapshot(spark, read_snapshot(spark, str(path)))
    with (path / "_delta_log" / f"{1:020}.json").open("a") as file:
        file.write(add("cut")[:-1])
    frame = written_by_spark(spark, opened)
    assert frame is not None
    assert {row["path"] for row in frame.collect()} == {"mine"}


def test_without_a_jvm_nothing_is_known() -> None:
    class Connect:
        """A session of Spark Connect: no JVM."""

    session: Any = Connect()
    assert written_by_spark(session, None) is None


# --- tables that Spark and another engine wrote --------------------------------------------------


def files_of(spark: SparkSession, path: Path) -> set[str]:
    opened = open_snapshot(spark, read_snapshot(spark, str(path)))
    return {json.loads(line)["path"] for line in opened.allFiles().toDF().toJSON().collect()}


@pytest.mark.slow
def test_files_of_delta_rs_are_never_listed(spark: SparkSession, tmp_path: Path) -> None:

    path = tmp_path / "t"
    table = f"delta.{quoted(str(path))}"
    options = "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    spark.sql(f"CREATE TABLE {table} (id BIGINT) USING delta {options}")

    def by_spark() -> set[str]:
        before = files_of(spark, path)
        spark.range(10).coalesce(1).write.format("delta").mode("append").save(str(path))
        return files_of(spark, path) - before

    mine = by_spark()
    deltalake.write_deltalake(str(path), pa.table({"id": pa.array([1, 2, 3])}), mode="append")
    foreign = files_of(spark, path) - mine
    assert len(mine) == len(foreign) == 1
    assert found(spark, path) == mine

    # both files get deletion vectors, and keep their writers
    spark.sql(f"DELETE FROM {table} WHERE id = 2")
    assert files_of(spark, path) == mine | foreign
    assert found(spark, path) == mine
    # all rows go into a file that Spark writes
    spark.sql(f"OPTIMIZE {table}")
    compact = files_of(spark, path)
    assert compact.isdisjoint(mine | foreign)
    assert found(spark, path) == mine | compact
    spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 2")
    assert files_of(spark, path) == mine | foreign
    assert found(spark, path) == mine | compact


# --- NOT NULL ------------------------------------------------------------------------------------


def described(
    *flags: tuple[str, bool] | tuple[str, bool, str],
    nested: bool = False,
    struct: tuple[str, str] = ("s", "s"),
) -> str:
    """The action that says what the columns are: (name, whether NULL is allowed, name in files)."""
    fields: list[dict[str, Any]] = []
    for name, free, *stored in flags:
        metadata = {"delta.columnMapping.physicalName": stored[0]} if stored else {}
        fields.append({"name": name, "type": "long", "nullable": free, "metadata": metadata})
    if nested:
        inner = {"type": "struct", "fields": fields}
        metadata = {"delta.columnMapping.physicalName": struct[1]}
        fields = [{"name": struct[0], "type": inner, "nullable": True, "metadata": metadata}]
    return said(json.dumps({"type": "struct", "fields": fields}))


def said(schema: str) -> str:
    """The action that says what the columns are, as it is."""
    action = {
        "id": "same",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema,
        "partitionColumns": [],
        "configuration": {},
    }
    return json.dumps({"metaData": action})


XTABLE = {"operationParameters": {"predicate": "xtable-delta-sync"}}
HELD, FREE = ("k", False), ("k", True)
ALL = {("k",), ("n",), ("s", "k")}
IMPOSED: list[tuple[list[list[str]], set[tuple[str, ...]]]] = [
    # what a first commit declares is checked by whoever writes
    ([[info(RUST), described(HELD)]], set()),
    ([[info(), described(HELD)], [info(), described(HELD, ("n", False))]], set()),
    ([[info(RUST), described(FREE)], [info(RUST), described(HELD)]], {("k",)}),
    # one flag comes as another goes
    (
        [[info(RUST), described(HELD)], [info(RUST), described(FREE, ("n", False))]],
        {("n",)},
    ),
    ([[info(), described(HELD)], [info(RUST), described(HELD, ("n", False))]], {("n",)}),
    ([[info(), described(HELD)], [described(HELD, ("n", False))]], {("n",)}),
    # a flag that is repeated is no new one
    ([[info(), described(HELD)], [info(RUST, "SET TBLPROPERTIES"), described(HELD)]], set()),
    ([[info(operation="CLONE"), described(HELD)]], {("k",)}),
    ([[info(**XTABLE), described(HELD)]], {("k",)}),
    # what was declared before says nothing of rows that are brought
    ([[info(), described(HELD)], [info(operation="CLONE"), described(HELD)]], {("k",)}),
    ([[info(), described(HELD)], [info(**XTABLE), described(HELD)]], {("k",)}),
    # a name that is changed is still that of the column
    (
        [
            [info(operation="CLONE"), described(("a", False))],
            [info(), described(("n", False, "a"))],
        ],
        {("n",)},
    ),
    (
        [
            [info(), described(("a", True))],
            [info(RUST), described(("a", False), nested=True)],
            [info(), described(("k", False, "a"), nested=True)],
        ],
        {("s", "k")},
    ),
    ([[info(RUST), described(FREE)], [info(RUST), described(HELD, nested=True)]], {("s", "k")}),
    # a struct that is renamed is still the same
    (
        [
            [info(operation="CLONE"), described(HELD, nested=True, struct=("a", "a"))],
            [info(), described(HELD, nested=True, struct=("s", "a"))],
        ],
        {("s", "k")},
    ),
    # what was dropped, and declared again by another writer
    (
        [[info(), described(HELD)], [info(), described(FREE)], [info(RUST), described(HELD)]],
        {("k",)},
    ),
    # rows of others were never held to it, as far as anybody knows
    ([[info(), described(HELD)], [info(), add("a")]], set()),
    ([[info(), described(HELD, nested=True)], [info(), add("a")]], set()),
    ([[info(), described(HELD)], [info(RUST), add("a")]], {("k",)}),
    ([[info(), described(HELD, nested=True)], [info(RUST), add("a")]], {("s", "k")}),
    ([[info(RUST), described(HELD), add("a")]], {("k",)}),
    ([[info(), described(HELD)], [info(RUST, "RESTORE"), add("a")]], {("k",)}),
    ([[info(), described(HELD)], [info(RUST, "RESTORE")]], set()),
    ([[info(), described(HELD)], [info(operation="RESTORE"), add("a")]], set()),
    ([[info(RUST, "CREATE TABLE"), described(HELD), add("a")]], {("k",)}),
    ([[info(RUST, "CREATE TABLE"), described(HELD)]], set()),
    ([[info(), described(HELD)], [info(None), add("a")]], {("k",)}),
    ([[info(), described(HELD)], [add("a")]], {("k",)}),
    ([[info(), described(HELD)], [info(), info(RUST, "RESTORE"), add("a")]], {("k",)}),
    ([[info(), described(HELD)], [info(), info(None), add("a")]], {("k",)}),
    # of Spark's own only what it is known to write
    ([[info(), described(HELD)], [info(operation="Manual Update"), add("a")]], {("k",)}),
    ([[info(), described(FREE)], [info(operation="Manual Update"), described(HELD)]], {("k",)}),
    ([[info(), described(HELD)], [info(operation=None), add("a")]], {("k",)}),
    ([[info(), described(HELD)], [info(operationMetrics={}), add("a")]], {("k",)}),
    ([[info(), described(HELD)], [info(operation="WRITE"), info(operation="CLONE")]], {("k",)}),
    # what cannot be read, and what says two things
    ([[info(), described(HELD)], ['{"add"']], ALL),
    ([[info(), described(HELD)], [info(RUST), described(FREE), described(HELD)]], ALL),
    ([[info(), described(HELD)], [info(), said("{")]], ALL),
    ([[info(), described(HELD)], [info(), said("{}")]], ALL),
    ([[info(), said("null")]], ALL),
    # what need not be said
    (
        [[info(), said('{"type":"struct","fields":[{"name":"k","type":"long"}]}')]],
        set() if spark_version() >= (4, 0) else ALL,  # Spark 3.5 cannot read it
    ),
    # files written anew without column mapping name the column otherwise
    (
        [
            [info(), described(("k", False, "old"))],
            [info(RUST), add("a")],
            [info(operation="REMOVE COLUMN MAPPING"), described(HELD), add("b")],
        ],
        {("k",)},
    ),
    (
        [
            [info(RUST), described(FREE)],
            [
                info(RUST),
                said('{"type":"struct","fields":[{"name":"k","type":"long","nullable":false}]}'),
            ],
        ],
        {("k",)},
    ),
]


def logged(path: Path, *versions: list[str]) -> Path:
    """Write a log that says itself what the columns are."""
    protocol = json.dumps({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
    log = path / "_delta_log"
    log.mkdir(parents=True)
    for version, lines in enumerate(versions):
        start = [protocol] if version == 0 else []
        (log / f"{version:020}.json").write_text("\n".join([*start, *lines]) + "\n")
    return path


@pytest.mark.parametrize(("versions", "expected"), IMPOSED)
def test_not_null_counts_where_rows_were_held_to_it(
    spark: SparkSession,
    tmp_path: Path,
    versions: list[list[str]],
    expected: set[tuple[str, ...]],
) -> None:
    path = logged(tmp_path / "t", *versions)
    snapshot = Snapshot(str(path), "same", len(versions) - 1)
    assert imposed_places(spark, snapshot, frozenset(ALL)) == expected


@pytest.mark.parametrize(
    ("commits_left", "expected"),
    [
        ([[info(RUST), add("a")]], ALL),
        ([[info(RUST, "RESTORE"), add("a")], [info(), described(HELD)]], ALL),
        ([[info(), described(HELD)], [info(RUST), add("a")]], {("k",)}),
        ([[info(RUST), described(HELD)]], {("k",)}),
        ([[info(), described(HELD)]], set()),
        ([[info(), add("a")]], set()),
    ],
)
def test_not_null_of_commits_that_are_gone_counts_until_another_brings_rows(
    spark: SparkSession,
    tmp_path: Path,
    commits_left: list[list[str]],
    expected: set[tuple[str, ...]],
) -> None:
    whole = described(HELD, ("n", False))
    path = logged(tmp_path / "t", [info(), whole], *commits_left)
    snapshot = read_snapshot(spark, str(path))
    (path / "_delta_log" / f"{0:020}.json").unlink()
    assert imposed_places(spark, snapshot, frozenset(ALL)) == expected


@pytest.mark.slow
def test_a_history_tells_whether_others_have_written(spark: SparkSession, tmp_path: Path) -> None:
    source, clone = tmp_path / "source", tmp_path / "clone"
    spark.range(3).write.format("delta").save(str(source))
    spark.sql(f"CREATE TABLE delta.`{clone}` SHALLOW CLONE delta.`{source}`")
    deltalake.write_deltalake(str(source), pa.table({"id": pa.array([4])}), mode="append")
    assert is_of_spark(spark, str(source), 0)
    assert not is_of_spark(spark, str(source), 1)
    assert not is_of_spark(spark, str(clone), 0)
    strange = tmp_path / "strange"
    spark.range(3).write.format("delta").save(str(strange))
    log = strange / "_delta_log" / f"{0:020}.json"
    whole = log.read_text()
    (log.parent / f".{log.name}.crc").unlink()
    for change in (
        {"engineInfo": None},
        {"operation": "Manual Update"},
        {"operationMetrics": {}},
        {"operationMetrics": None},
        {"operationParameters": {"predicate": "xtable-delta-sync"}},
    ):
        lines = [json.loads(line) for line in whole.splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"].update(change)
        log.write_text("\n".join(map(json.dumps, lines)))
        assert not is_of_spark(spark, str(strange), 0), change
    log.write_text(whole)
    assert is_of_spark(spark, str(strange), 0)
