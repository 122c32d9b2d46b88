"""The ledger in use: what a later run does not read again, and what it must."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

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
from spark_sig.delta.files import grouped, list_files
from spark_sig.delta.log import open_snapshot, read_snapshot
from spark_sig.errors import SourceError
from spark_sig.plan import Rung
from tests.conftest import spark_version

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# No statistics decide whether the elements of an array are NULL.
LISTS = ModelSignature(inputs=Schema([ColSpec("long", "a"), ColSpec(Array("long"), "l")]))
CHECK = "$.l[*]"


class Table:
    """A table whose files hold ten rows each, and a ledger beside it."""

    def __init__(self, spark: SparkSession, folder: Path, **options: str) -> None:
        self.spark, self.path, self.ledger = spark, folder / "t", folder / "ledger"
        self._options, self._next = options, 0

    def append(self, files: int = 1, null: bool = False) -> None:
        start, self._next = self._next, self._next + 10 * files
        frame = self.spark.range(start, self._next, 1, files).selectExpr(
            "id AS a", f"array(id, IF({null} AND id = {start}, NULL, id)) AS l"
        )
        frame.write.format("delta").mode("append").options(**self._options).save(str(self.path))

    def run(self, text: str) -> None:
        self.spark.sql(text.format(t=f"delta.`{self.path}`"))

    def check(self, signature: ModelSignature = LISTS, **choices: Any) -> Report:
        """Validate with the ledger, and without; both have to say the same."""
        choices.setdefault("row_key", "a")
        report = validate(self.path, signature, ledger=self.ledger, **choices)
        choices["stats"] = False
        assert report == validate(self.path, signature, **choices)
        return report

    def facts(self) -> int:
        return self.spark.read.format("delta").load(str(self.ledger)).count()


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    """Two files, of rows that conform."""
    made = Table(spark, tmp_path, **{"delta.enableDeletionVectors": "true"})
    made.append(2)
    return made


def parts(report: Report, path: str = CHECK) -> dict[Rung, tuple[int, int | None]]:
    (check,) = [check for check in report.checks if check.path == path]
    return {part.rung: (part.rows, part.files) for part in check.decided}


def test_what_conformed_is_not_read_again(table: Table) -> None:
    assert parts(table.check()) == {Rung.ARROW: (20, 2)}
    again = table.check()
    assert parts(again) == {Rung.LEDGER: (20, 2)}
    assert (again.evidence.files_read, again.rows.total, again.complete) == (0, 20, True)
    assert table.facts() == 2


def test_only_new_files_are_read(table: Table) -> None:
    table.check()
    table.append()
    assert parts(table.check()) == {Rung.LEDGER: (20, 2), Rung.ARROW: (10, 1)}
    assert parts(table.check()) == {Rung.LEDGER: (30, 3)}


def test_a_violation_in_a_new_file_is_found_and_never_remembered(table: Table) -> None:
    table.check()
    table.append(null=True)
    for _ in range(2):
        report = table.check()
        assert (report.rows.violating, report.conforms) == (1, False)
        assert parts(report) == {Rung.LEDGER: (20, 2), Rung.ARROW: (10, 1)}


@pytest.mark.slow
def test_other_checks_of_a_file_that_violates_one_are_remembered(table: Table) -> None:
    table.append(null=True)
    first, second = table.check(stats=False), table.check(stats=False)
    assert parts(first, "$.a") == {Rung.CATALYST: (30, 3)}
    assert parts(second, "$.a") == {Rung.LEDGER: (30, 3)}
    assert parts(second) == {Rung.ARROW: (30, 3)}


@pytest.mark.slow
def test_what_statistics_proved_is_not_remembered_as_read(table: Table) -> None:
    table.check()
    report = table.check(stats=False)
    assert parts(report, "$.a") == {Rung.CATALYST: (20, 2)}
    assert parts(report) == {Rung.LEDGER: (20, 2)}
    assert table.check(stats=False).evidence.files_read == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM {t} WHERE a = 3",
        pytest.param("UPDATE {t} SET l = array(a) WHERE a = 3", marks=pytest.mark.slow),
        pytest.param(
            "MERGE INTO {t} USING (SELECT 3 AS k) ON a = k "
            "WHEN MATCHED THEN UPDATE SET l = array(1L)",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_files_with_another_deletion_vector_are_read(table: Table, text: str) -> None:
    table.check()
    table.run(text)
    report = table.check()
    assert parts(report)[Rung.LEDGER] == (10, 1)
    assert parts(report)[Rung.ARROW][0] >= 9
    assert parts(table.check()).keys() == {Rung.LEDGER}


@pytest.mark.slow
def test_rewritten_files_are_read_and_restored_ones_are_not(table: Table) -> None:
    table.check()
    table.run("OPTIMIZE {t}")
    assert parts(table.check()) == {Rung.ARROW: (20, 1)}
    table.run("RESTORE TABLE {t} TO VERSION AS OF 0")
    assert parts(table.check()) == {Rung.LEDGER: (20, 2)}


@pytest.mark.slow
def test_older_versions_are_told_apart(table: Table) -> None:
    table.append(null=True)
    table.check()
    report = table.check(version=0)
    assert report.conforms
    assert parts(report) == {Rung.ARROW: (20, 2)}
    assert parts(table.check(version=0)) == {Rung.LEDGER: (20, 2)}
    assert not table.check().conforms


@pytest.mark.slow
def test_a_version_whose_files_are_gone_cannot_be_checked(table: Table) -> None:
    table.check()
    table.run("OPTIMIZE {t}")
    assert table.check(version=0).evidence.files_read == 2  # counted, as they may be gone
    frame = table.spark.read.format("delta").load(str(table.path))
    newest = {Path(name).name for name in frame.inputFiles()}
    for file in table.path.glob("*.parquet"):
        if file.name not in newest:
            file.unlink()
    for choices in ({"ledger": table.ledger}, {"stats": False}, {}):
        with pytest.raises(SourceError):
            validate(table.path, LISTS, version=0, **choices)


@pytest.mark.slow
def test_vacuum_takes_versions_and_leaves_facts(table: Table) -> None:
    table.check()
    table.run("DELETE FROM {t} WHERE a = 3")
    table.run("OPTIMIZE {t}")
    assert table.check().evidence.files_read == 1
    name = "spark.databricks.delta.retentionDurationCheck.enabled"
    table.spark.conf.set(name, "false")
    try:
        table.run("VACUUM {t} RETAIN 0 HOURS")
    finally:
        table.spark.conf.unset(name)
    assert parts(table.check()) == {Rung.LEDGER: (19, 1)}
    with pytest.raises(SourceError):
        validate(table.path, LISTS, version=0, ledger=table.ledger)


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        {"signature": ModelSignature(inputs=Schema([ColSpec(Array("long"), "l")]))},
        {"policy": Policy(nulls="allow")},
        {"policy": Policy(extra="forbid")},
    ],
)
def test_another_signature_or_policy_knows_nothing(table: Table, other: dict[str, Any]) -> None:
    table.check()
    report = table.check(**other)
    assert all(Rung.LEDGER not in parts(report, check.path) for check in report.checks)


@pytest.mark.slow
def test_choices_of_the_report_do_not_matter(table: Table) -> None:
    table.check()
    report = table.check(policy=Policy(examples=1, on_violation="tag"))
    assert parts(report) == {Rung.LEDGER: (20, 2)}


@pytest.mark.slow
@pytest.mark.skipif(spark_version() < (4, 0), reason="Delta Lake 3 widens no INT to BIGINT")
def test_a_column_of_another_type_is_read_again(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(spark, tmp_path, **{"delta.enableTypeWidening": "true"})
    frame = spark.range(0, 10, 1, 1).selectExpr("id AS a", "CAST(id AS int) AS n", "array(id) AS l")
    frame.write.format("delta").options(**table._options).save(str(table.path))
    signature = ModelSignature(inputs=Schema([ColSpec("long", "n"), ColSpec(Array("long"), "l")]))
    table.check(signature)
    table.run("ALTER TABLE {t} ADD COLUMN more int")
    assert table.check(signature).evidence.files_read == 0
    table.run("ALTER TABLE {t} ALTER COLUMN n TYPE bigint")
    assert parts(table.check(signature)) == {Rung.ARROW: (10, 1)}


@pytest.mark.slow
def test_a_nested_column_that_took_another_s_name_is_read(
    spark: SparkSession, tmp_path: Path
) -> None:
    mapped = {"delta.columnMapping.mode": "name"}
    table = Table(spark, tmp_path, **mapped)
    frame = spark.range(5).selectExpr("id AS a", "array(named_struct('x', id, 'y', id)) AS o")
    frame.write.format("delta").options(**mapped).save(str(table.path))
    orders = Array(Object([Property("x", "long"), Property("y", "long")]))
    signature = ModelSignature(inputs=Schema([ColSpec("long", "a"), ColSpec(orders, "o")]))
    assert table.check(signature).conforms
    assert table.check(signature).evidence.files_read == 0
    table.run("ALTER TABLE {t} DROP COLUMN o.element.y")
    table.run("ALTER TABLE {t} ADD COLUMNS (o.element.y bigint)")
    assert table.check(signature).rows.violating == 5


@pytest.mark.slow
def test_files_of_many_patterns_are_all_remembered(spark: SparkSession, tmp_path: Path) -> None:
    """Each file leaves another column open; more patterns than are told apart."""
    table = Table(spark, tmp_path)
    names = [f"c{at}" for at in range(20)]
    for at in range(20):
        values = [f"IF({at} = {i}, NULL, id) AS {name}" for i, name in enumerate(names)]
        frame = spark.range(0, 5, 1, 1).selectExpr(*values, "array(id) AS l")
        frame.write.format("delta").mode("append").save(str(table.path))
    wanted = ModelSignature(
        inputs=Schema([ColSpec(Array("long"), "l"), *(ColSpec("long", name) for name in names)])
    )
    first = validate(table.path, wanted, ledger=table.ledger)
    assert parts(first, "$.l[*]") == {Rung.ARROW: (100, 20)}
    second = validate(table.path, wanted, ledger=table.ledger)
    assert second == first
    assert parts(second, "$.l[*]").get(Rung.LEDGER, (0, 0))[1] == 20


@pytest.mark.slow
def test_rows_that_nobody_counted_do_not_stand_for_rows_that_are_missing(
    spark: SparkSession, table: Table
) -> None:
    missing = "spark.sql.files.ignoreMissingFiles"
    spark.conf.set("spark.databricks.delta.stats.collect", "false")
    try:
        table.append()
    finally:
        spark.conf.unset("spark.databricks.delta.stats.collect")
    log = (table.path / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    adds = [line["add"]["path"] for line in map(json.loads, log) if "add" in line]
    (table.path / adds[0]).unlink()
    spark.conf.set(missing, "true")
    try:
        report = validate(table.path, LISTS, ledger=table.ledger)
    finally:
        spark.conf.unset(missing)
    assert (report.rows.total, report.complete) == (20, False)
    assert table.facts() == 0


@pytest.mark.slow
def test_rows_that_nobody_counted_stay_apart_among_many_patterns(
    spark: SparkSession, table: Table
) -> None:
    """Else a file that is missing may be made up for by one that does not say what it holds."""
    spark.conf.set("spark.databricks.delta.stats.collect", "false")
    try:
        table.append()
    finally:
        spark.conf.unset("spark.databricks.delta.stats.collect")
    opened = open_snapshot(spark, read_snapshot(spark, str(table.path)))
    files = list_files(spark, opened)
    (one,) = files.ask("SELECT min(path) FROM {query} WHERE stats IS NOT NULL").collect()[0]
    patterns = f"CASE WHEN stats IS NULL THEN '322' WHEN path = '{one}' THEN '020' ELSE '002' END"
    judged = files.within(
        f"SELECT IF(stats IS NULL, NULL, 10) AS kept, {patterns} AS pattern FROM {{query}}",
        ["kept", "pattern"],
    )
    apart, mixed = grouped(judged, 2)
    assert (apart.pattern, apart.files, apart.rows, apart.uncounted) == ("322", 1, 0, 1)
    assert (mixed.pattern, mixed.files, mixed.rows, mixed.uncounted) == ("022", 2, 20, 0)


@pytest.mark.slow
def test_the_reference_engine_takes_nothing_from_the_ledger(table: Table) -> None:
    table.check()
    report = table.check(engine="arrow")
    assert report.evidence.ledger == "not used: the arrow engine reads every row"
    assert {rung for check in report.checks for rung in parts(report, check.path)} == {Rung.ARROW}


@pytest.mark.slow
def test_a_ledger_that_is_lost_costs_time_only(table: Table) -> None:
    table.check()
    shutil.rmtree(table.ledger)
    table.spark.sql("CLEAR CACHE")
    assert parts(table.check()) == {Rung.ARROW: (20, 2)}
    assert parts(table.check()) == {Rung.LEDGER: (20, 2)}


@pytest.mark.slow
def test_a_table_that_replaces_another_is_read(table: Table) -> None:
    table.check()
    shutil.rmtree(table.path)
    table.append(1, null=True)
    report = table.check()
    assert not report.conforms
    assert parts(report) == {Rung.ARROW: (10, 1)}


def test_what_cannot_be_believed_is_not_remembered(table: Table) -> None:
    """A file that holds fewer rows than the log says."""
    log = table.path / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('\\"numRecords\\":10', '\\"numRecords\\":11'))
    for checksum in (table.path / "_delta_log").glob("*.crc"):
        checksum.unlink()
    (table.path / "_delta_log" / f".{0:020}.json.crc").unlink(missing_ok=True)
    report = validate(table.path, LISTS, ledger=table.ledger)
    assert not report.complete
    assert "nothing added" in report.evidence.ledger
    assert table.facts() == 0
