"""Audits: lies in statistics and in the ledger are found, and fail the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import ColSpec, ModelSignature, Policy, Schema, validate
from spark_sig.errors import Code, SignatureError
from spark_sig.plan import Rung
from tests.test_statistics import copy

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LONGS = ModelSignature(inputs=Schema([ColSpec("integer", "a"), ColSpec("integer", "b")]))
LOSSLESS = Policy(casts="lossless")


@pytest.fixture(scope="module")
def honest(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of four files of 25 rows; ``b`` has a NULL, ``big`` is no integer."""
    path = tmp_path_factory.mktemp("audit") / "t"
    frame = spark.range(0, 100, 1, 4).selectExpr(
        "id AS a", "IF(id = 7, NULL, id) AS b", "IF(id = 7, 5000000000, id) AS big"
    )
    frame.write.format("delta").save(str(path))
    return path


def lying(honest: Path, target: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Copy the table, with the statistics of its files edited."""

    def edited(add: dict[str, Any]) -> None:
        stats = json.loads(add["stats"])
        edit(stats)
        add["stats"] = json.dumps(stats)

    return copy(honest, target, edited)


def no_nulls(stats: dict[str, Any]) -> None:
    stats["nullCount"]["b"] = 0


def small(stats: dict[str, Any]) -> None:
    stats["maxValues"]["big"] = min(stats["maxValues"]["big"], 100)


def more_rows(stats: dict[str, Any]) -> None:
    stats["numRecords"] += 1


@pytest.mark.slow
def test_honest_statistics_pass(spark: SparkSession, honest: Path) -> None:
    signature = ModelSignature(inputs=Schema([ColSpec("integer", "a")]))
    report = validate(honest, signature, policy=LOSSLESS, audit=0.5)
    assert report.conforms
    assert report.audit is not None
    assert (report.audit.share, report.audit.files, report.audit.rows) == (0.5, 2, 50)
    assert report.evidence.files_read == 0
    assert "50 rows of 2 proven files read again, nothing wrong" in report.to_text()
    least = validate(honest, signature, policy=LOSSLESS, audit=0.01)
    assert least.audit is not None
    assert least.audit.files == 1


@pytest.mark.parametrize(
    ("edit", "column", "path", "code"),
    [
        (no_nulls, "b", "$.b", Code.NULL),
        (small, "big", "$.big", Code.CAST),
        (more_rows, "a", "$", Code.ROW_COUNT),
    ],
)
def test_a_lie_fails_the_report(
    spark: SparkSession,
    honest: Path,
    tmp_path: Path,
    edit: Callable[[dict[str, Any]], None],
    column: str,
    path: str,
    code: Code,
) -> None:
    table = lying(honest, tmp_path / "t", edit)
    signature = ModelSignature(inputs=Schema([ColSpec("integer", column)]))
    assert validate(table, signature, policy=LOSSLESS).conforms  # nobody looked
    report = validate(table, signature, policy=LOSSLESS, audit=1.0)
    assert not report.conforms
    assert report.audit is not None
    assert {(lie.path, lie.code) for lie in report.audit.lies} == {(path, code)}
    assert report.to_text().startswith("DOES NOT CONFORM: the audit found files")
    assert not validate(table, signature, policy=LOSSLESS, stats=False).conforms


def test_rows_that_are_read_anyway_are_reconciled(
    spark: SparkSession, honest: Path, tmp_path: Path
) -> None:
    table = lying(honest, tmp_path / "t", more_rows)
    report = validate(table, LONGS, policy=LOSSLESS)
    assert not report.complete


def test_what_is_not_proven_is_not_audited(spark: SparkSession, honest: Path) -> None:
    report = validate(honest, LONGS, policy=LOSSLESS, audit=1.0)
    assert report.audit is not None
    assert report.audit.lies == ()
    assert (report.rows.violating, report.audit.files) == (1, 4)
    off = validate(honest, LONGS, policy=LOSSLESS, stats=False, audit=1.0)
    assert off.audit is not None
    assert off.audit.files == 0


def test_what_constraints_prove_is_audited_beside_what_is_read(
    spark: SparkSession, honest: Path, tmp_path: Path
) -> None:
    table = lying(honest, tmp_path / "t", lambda stats: stats.update(nullCount={"a": 0}))
    spark.sql(f"ALTER TABLE delta.`{table}` ADD CONSTRAINT c CHECK (a IS NOT NULL)")
    wanted = ModelSignature(inputs=Schema([ColSpec("long", "a"), ColSpec("long", "b")]))
    report = validate(table, wanted, audit=1.0)
    assert [check.rung for check in report.checks] == [Rung.SCHEMA, Rung.CATALYST]
    assert report.audit is not None
    assert (report.audit.files, report.audit.lies) == (4, ())


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_lies_within_0_and_1(spark: SparkSession, honest: Path, share: float) -> None:
    with pytest.raises(SignatureError, match="share to audit"):
        validate(honest, LONGS, audit=share)
