"""Constraints of Delta tables: what they refuse, and what the next run takes them for."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from spark_sig import (
    Array,
    ColSpec,
    Map,
    ModelSignature,
    Object,
    Policy,
    Property,
    Schema,
    SignatureError,
    SparkMLVector,
    TensorSpec,
    enforce_signature,
    validate,
)
from spark_sig.cli import app
from spark_sig.ddl import delta_constraints, delta_table
from spark_sig.delta.log import spark_errors
from spark_sig.errors import SourceError, ViolationError
from spark_sig.plan import Rung
from spark_sig.report import Report

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOSSLESS = Policy(casts="lossless", nan="reject")

# Names that break what is careless, and every kind of column of which statistics say anything.
COLUMNS = """
    `a b` BIGINT, `c.d` INT, `e``f` DOUBLE, `G` FLOAT,
    s STRUCT<`x.y`: BIGINT, z: STRUCT<n: DOUBLE, t: STRING>>,
    day DATE, m DECIMAL(38,0), l ARRAY<BIGINT>, p STRING"""
SIGNATURE = ModelSignature(
    Schema(
        [
            ColSpec("integer", "a b"),
            ColSpec("integer", "c.d", required=False),
            ColSpec("double", "e`f", required=False),
            ColSpec("float", "G"),
            ColSpec(
                Object(
                    [
                        Property("x.y", "integer"),
                        Property(
                            "z",
                            Object([Property("n", "double"), Property("t", "string", False)]),
                            required=False,
                        ),
                    ]
                ),
                "s",
                required=False,
            ),
            ColSpec("datetime", "day", required=False),
            ColSpec("long", "m"),
            ColSpec(Array("long"), "l"),
            ColSpec("string", "p"),
        ]
    )
)
GOOD: dict[str, object] = {
    "a b": 1,
    "c.d": 2,
    "e`f": 0.5,
    "G": 1.0,
    "s": (3, (4.0, "t")),
    "day": dt.date(2026, 11, 30),
    "m": Decimal(5),
    "l": [6],
    "p": "q",
}
# Values that may stand in place of the good ones, on both sides of each edge, and whether they fit.
NAN = float("nan")
EDGES: list[tuple[str, object]] = [
    *(("a b", value) for value in (None, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1)),
    *(("c.d", value) for value in (None, 2**31 - 1)),
    *(("e`f", value) for value in (None, NAN, float("inf"), -0.0)),
    *(("G", value) for value in (None, NAN, float("-inf"))),
    *(("s", value) for value in (None, (None, None), (2**31, None), (1, None), (1, (None, None)))),
    *(("s", (1, (value, "t"))) for value in (NAN, 1.0)),
    *(("day", value) for value in (None, dt.date(1, 1, 1), dt.date(9999, 12, 31))),
    *(("m", value) for value in (None, *map(Decimal, (2**63 - 1, 2**63, -(2**63), -(2**63) - 1)))),
    *(("l", value) for value in (None, [])),
    ("p", None),
]


def name_of(folder: Path) -> str:
    return f"delta.`{folder}`"


def made(spark: SparkSession, folder: Path) -> str:
    """Make a table whose columns are mapped, with one row that fits."""
    spark.sql(
        f"CREATE TABLE {name_of(folder)} ({COLUMNS}) USING DELTA PARTITIONED BY (p) "
        "TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
    )
    added(spark, folder, GOOD)
    return str(folder)


def frame_of(spark: SparkSession, *rows: dict[str, object]) -> Any:
    values = [tuple(row.values()) for row in rows]
    return spark.createDataFrame(values, COLUMNS)


def added(spark: SparkSession, folder: Path, *rows: dict[str, object]) -> None:
    frame_of(spark, *rows).write.format("delta").mode("append").save(str(folder))


def proven_by_columns(report: Report) -> list[str]:
    """The checks that the table's own constraints decide."""
    return [f"{c.path} {c.code}" for c in report.checks if c.rung is Rung.SCHEMA]


# --- what they refuse -----------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_enforced_once_is_proven_and_no_row_is_read(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = made(spark, tmp_path / "t")
    before = validate(table, SIGNATURE, policy=LOSSLESS)
    assert before.conforms
    assert proven_by_columns(before) == []
    proposal = delta_constraints(SIGNATURE, table, policy=LOSSLESS)
    assert [one.path for one in proposal.unenforced] == ["$.l[*]"]
    proposal.apply(spark)
    again = delta_constraints(SIGNATURE, table, policy=LOSSLESS)
    assert (again.additions, again.removals) == ((), ())
    assert [one.sql for one in again.present] == [one.sql for one in proposal.missing]
    # statistics are not even asked
    spark.sql(f"ALTER TABLE {name_of(tmp_path / 't')} SET TBLPROPERTIES "
              "('delta.dataSkippingNumIndexedCols' = '0')")  # fmt: skip
    added(spark, tmp_path / "t", GOOD | {"s": None}, GOOD | {"day": None})
    after = validate(table, SIGNATURE, policy=LOSSLESS)
    assert after.conforms
    # of text that it is partitioned by, the table's log knows better
    asked = {f"{c.path} {c.code}" for c in after.checks} - {"$.l[*] null", "$.p null"}
    assert set(proven_by_columns(after)) == asked
    assert len(asked) == len(before.checks) - 2
    for column, value in (("a b", 2**31), ("e`f", NAN), ("m", None), ("s", (1, (None, "t")))):
        with pytest.raises(spark_errors(), match="DELTA_VIOLATE_CONSTRAINT"):
            added(spark, tmp_path / "t", GOOD | {column: value})


def test_they_refuse_the_rows_that_violate_and_no_others(
    spark: SparkSession, tmp_path: Path
) -> None:
    """As the reference has it, row by row."""
    table = made(spark, tmp_path / "t")
    proposal = delta_constraints(SIGNATURE, table, policy=LOSSLESS)
    rows = [GOOD, *(GOOD | {column: value} for column, value in EDGES)]
    frame = frame_of(spark, *rows)
    holds = " AND ".join(f"coalesce({one.sql}, false)" for one in proposal.missing)
    accepted = [row[0] for row in frame.selectExpr(holds).collect()]
    tagging = Policy(casts="lossless", nan="reject", on_violation="tag")
    tagged = frame.transform(enforce_signature(SIGNATURE, policy=tagging, engine="arrow"))
    fits = [not row["_violations"] for row in tagged.select("_violations").collect()]
    differ = [row for row, one, other in zip(rows, accepted, fits, strict=True) if one != other]
    assert differ == []
    assert {True, False} == set(fits)


@pytest.mark.slow
def test_a_row_that_is_there_and_violates_is_told(spark: SparkSession, tmp_path: Path) -> None:
    table = made(spark, tmp_path / "t")
    added(spark, tmp_path / "t", GOOD | {"a b": 2**31 + 12345})
    proposal = delta_constraints(SIGNATURE, table, policy=LOSSLESS)
    with pytest.raises(SourceError, match="DELTA_NEW_CHECK_CONSTRAINT_VIOLATION") as refused:
        proposal.apply(spark)
    assert str(2**31 + 12345) not in str(refused.value)
    assert "a b" in str(refused.value)


# --- what is proposed -----------------------------------------------------------------------------


def simple(spark: SparkSession, folder: Path, columns: str = "a BIGINT, b DOUBLE") -> str:
    spark.sql(f"CREATE TABLE {name_of(folder)} ({columns}) USING DELTA")
    return str(folder)


@pytest.mark.slow
def test_what_others_imply_is_there_and_what_nothing_asks_for_is_stale(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = simple(spark, tmp_path / "t")
    both = ModelSignature(Schema([ColSpec("integer", "a"), ColSpec("double", "b")]))
    spark.sql(f"ALTER TABLE {name_of(tmp_path / 't')} ADD CONSTRAINT own "
              "CHECK (a IS NOT NULL AND a BETWEEN 0 AND 10)")  # fmt: skip
    first = delta_constraints(both, table, policy=LOSSLESS)
    assert [one.sql for one in first.present] == [
        "`a` IS NOT NULL", "`a` IS NULL OR `a` BETWEEN -2147483648 AND 2147483647",
    ]  # fmt: skip
    assert [one.sql for one in first.missing] == ["`b` IS NOT NULL", "NOT isnan(`b`)"]
    first.apply(spark)
    fewer = ModelSignature(Schema([ColSpec("integer", "a")]))
    second = delta_constraints(fewer, table, policy=LOSSLESS)
    assert second.additions == ()
    assert len(second.removals) == 2
    second.apply(spark)
    assert delta_constraints(fewer, table, policy=LOSSLESS).removals == second.removals
    second.apply(spark, drop=True)
    third = delta_constraints(fewer, table, policy=LOSSLESS)
    assert third.removals == ()
    assert len(third.present) == 2  # what somebody else asked for stays


def test_a_constraint_that_says_something_else_is_replaced(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = simple(spark, tmp_path / "t")
    signature = ModelSignature(Schema([ColSpec("integer", "a", required=False)]))
    (wanted,) = delta_constraints(signature, table, policy=LOSSLESS).missing
    spark.sql(f"ALTER TABLE {name_of(tmp_path / 't')} ADD CONSTRAINT {wanted.name.upper()} "
              "CHECK (a > 0)")  # fmt: skip
    proposal = delta_constraints(signature, table, policy=LOSSLESS)
    assert proposal.changed == (wanted.name,)
    drop, _ = proposal.additions
    assert drop.endswith(f"DROP CONSTRAINT `{wanted.name}`")
    proposal.apply(spark)
    (there,) = delta_constraints(signature, table, policy=LOSSLESS).present
    assert there == wanted


def test_what_spark_hides_of_a_table_is_there_all_the_same(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = simple(spark, tmp_path / "t", "url BIGINT, token BIGINT")
    signature = ModelSignature(Schema([ColSpec("long", "url"), ColSpec("long", "token")]))
    first = delta_constraints(signature, table)
    assert len(first.additions) == 2
    first.apply(spark)
    again = delta_constraints(signature, table)
    assert (again.additions, again.present) == ((), first.missing)


def test_what_no_constraint_says_is_listed(spark: SparkSession, tmp_path: Path) -> None:
    columns = "a BIGINT, b DOUBLE, c STRING, l ARRAY<DOUBLE>, m MAP<STRING, BIGINT>, `${x}` INT"
    table = str(tmp_path / "t")
    # no SQL, in which Spark takes the last name for that of a variable
    made = spark.createDataFrame([], columns).write.option("delta.columnMapping.mode", "name")
    made.format("delta").save(table)
    signature = ModelSignature(
        Schema(
            [
                ColSpec("double", "a", False),
                ColSpec("long", "b", False),
                ColSpec("long", "c", False),
                ColSpec(Array("double"), "l"),
                ColSpec(Map("long"), "m"),
                ColSpec("integer", "${x}"),
            ]
        )
    )
    proposal = delta_constraints(signature, table, policy=LOSSLESS)
    assert [one.sql for one in proposal.missing] == ["`l` IS NOT NULL", "`m` IS NOT NULL"]
    told = {(one.path, str(one.code)): one.why for one in proposal.unenforced}
    assert "some of the values beyond a range" in told["$.a", "cast"]
    assert "no range" in told["$.b", "cast"]
    assert "no range" in told["$.c", "cast"]
    assert "arrays and maps" in told["$.l[*]", "null"]
    assert "arrays and maps" in told["$.m[*]", "null"]
    assert "variable" in told["$['${x}']", "null"]


def test_not_null_columns_need_none(spark: SparkSession, tmp_path: Path) -> None:
    table = simple(spark, tmp_path / "t", "a BIGINT NOT NULL")
    proposal = delta_constraints(ModelSignature(Schema([ColSpec("long", "a")])), table)
    assert (proposal.missing, proposal.present, proposal.unenforced) == ((), (), ())


def test_of_a_table_of_others_constraints_prove_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    deltalake = pytest.importorskip("deltalake")
    import pyarrow as pa

    table = str(tmp_path / "t")
    deltalake.write_deltalake(table, pa.table({"a": pa.array([1, 2], pa.int64())}))
    signature = ModelSignature(Schema([ColSpec("long", "a")]))
    proposal = delta_constraints(signature, table)
    assert "written by Spark" in str(proposal)
    proposal.apply(spark)
    assert delta_constraints(signature, table).additions == ()
    assert proven_by_columns(validate(table, signature)) == []


def test_what_is_no_delta_table_or_does_not_fit_is_refused(
    spark: SparkSession, tmp_path: Path
) -> None:
    signature = ModelSignature(Schema([ColSpec("long", "a")]))
    spark.range(1).write.parquet(str(tmp_path / "p"))
    with pytest.raises(SourceError, match="is no Delta table"):
        delta_constraints(signature, tmp_path / "p")
    table = simple(spark, tmp_path / "t", "a STRING")
    proposal = delta_constraints(signature, table)
    assert [one.path for one in proposal.findings] == ["$.a"]
    assert "does not fit: $.a" in str(proposal)
    with pytest.raises(ViolationError):
        proposal.apply(spark)


# --- new tables -----------------------------------------------------------------------------------


def test_a_new_table_refuses_and_proves(spark: SparkSession, tmp_path: Path) -> None:
    inner = Object([Property("x", "long"), Property("y", "double", False)])
    signature = ModelSignature(
        Schema(
            [
                ColSpec("long", "a b"),
                ColSpec("double", "d", False),
                ColSpec(inner, "s"),
                ColSpec(inner, "o", False),
                ColSpec(Array("string"), "l", False),
            ]
        )
    )
    policy = Policy(nan="reject")
    creation = delta_table(signature, tmp_path / "t", policy=policy, spark=spark)
    assert "STRUCT<`x`: BIGINT NOT NULL, `y`: DOUBLE> NOT NULL" in creation.statements[0]
    assert "`o` STRUCT<`x`: BIGINT, `y`: DOUBLE>" in creation.statements[0]
    creation.apply(spark)
    name = name_of(tmp_path / "t")
    spark.sql(f"INSERT INTO {name} VALUES (1, NULL, named_struct('x', 1L, 'y', 1D), NULL, NULL)")
    report = validate(tmp_path / "t", signature, policy=policy)
    assert report.conforms
    assert {c.rung for c in report.checks} == {Rung.SCHEMA}
    assert report.evidence.files_read == 0
    for values in (
        "NULL, NULL, named_struct('x', 1L, 'y', 1D), NULL, NULL",
        "1, double('NaN'), named_struct('x', 1L, 'y', 1D), NULL, NULL",
        "1, NULL, named_struct('x', NULL, 'y', 1D), NULL, NULL",
        "1, NULL, named_struct('x', 1L, 'y', double('NaN')), NULL, NULL",
        "1, NULL, named_struct('x', 1L, 'y', 1D), named_struct('x', NULL, 'y', 1D), NULL",
    ):
        with pytest.raises(spark_errors(), match="CONSTRAINT"):
            spark.sql(f"INSERT INTO {name} VALUES ({values})")
    assert delta_constraints(signature, tmp_path / "t", policy=policy).additions == ()


def test_a_table_of_tensors_lists_what_it_leaves_open(spark: SparkSession, tmp_path: Path) -> None:
    signature = ModelSignature(Schema([TensorSpec("float32", (-1, 2, 3), "image")]))
    creation = delta_table(signature, tmp_path / "t", spark=spark)
    assert "`image` ARRAY<ARRAY<FLOAT>> NOT NULL" in creation.statements[0]
    assert "the lengths of arrays" in str(creation)
    vectors = ModelSignature(Schema([ColSpec(SparkMLVector(), "v")]))
    with pytest.raises(SignatureError, match="SQL has no type for vector"):
        delta_table(vectors, tmp_path / "v", spark=spark)


# --- the command ----------------------------------------------------------------------------------


def run(*arguments: str, session: Any = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["constraints", *arguments], obj=session)
    return done.exit_code, done.stdout, done.stderr


def test_the_command(spark: SparkSession, tmp_path: Path) -> None:
    table, signature = simple(spark, tmp_path / "t"), str(tmp_path / "signature.json")
    ModelSignature(Schema([ColSpec("integer", "a", False)])).save(signature)
    code, said, _ = run(signature, table, session=lambda: spark)
    assert code == 3
    assert "-- does not fit: $.a" in said
    ModelSignature(Schema([ColSpec("long", "a")])).save(signature)
    code, said, _ = run(signature, table, session=lambda: spark)
    assert code == 0
    spark.sql(said.partition(";")[0])  # what is printed is what is carried out
    code, said, _ = run(signature, table, "--json", session=lambda: spark)
    assert (code, json.loads(said)["additions"]) == (0, [])
    assert [one["sql"] for one in json.loads(said)["present"]] == ["`a` IS NOT NULL"]
    ModelSignature(Schema([ColSpec("double", "b")])).save(signature)
    code, said, _ = run(signature, table, "--apply", "--drop", session=lambda: spark)
    assert code == 0
    code, said, _ = run(signature, table, session=lambda: spark)
    assert (code, said) == (0, "-- there already: `b` IS NOT NULL\n")
    code, said, _ = run(signature, str(tmp_path / "new"), "--create", session=lambda: spark)
    assert code == 0
    assert said.startswith("CREATE TABLE")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--drop",), "--drop is for --apply"),
        (("--create", "--apply"), "give no --apply"),
        (("--side", "outputs"), "declares no outputs"),
        (("--policy", "none"), "unknown policy"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    ModelSignature(Schema([ColSpec("long", "a")])).save(tmp_path / "signature.json")

    def none() -> SparkSession:
        raise AssertionError("Spark was started for nothing")

    code, said, wrong = run(str(tmp_path / "signature.json"), "t", *arguments, session=none)
    assert (code, said, wrong.count("\n")) == (2, "", 1)
    assert message in wrong


def test_help_has_examples() -> None:
    code, said, _ = run("--help")
    assert code == 0
    assert "spark-sig constraints signature.json data/flights --apply" in " ".join(said.split())
