"""Signatures of whole tables: from constraints, from the log, from one pass over the rest."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from spark_sig import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Inference,
    Map,
    Object,
    Policy,
    Property,
    Schema,
    SignatureError,
    SparkMLVector,
    TensorSpec,
    infer_signature,
    infer_table,
    validate,
)
from spark_sig.errors import SourceError
from spark_sig.inference import Basis
from tests.conftest import spark_version
from tests.test_gate import executions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OLDER = spark_version() < (4, 0)


def inputs(inference: Inference) -> Schema:
    assert inference.signature.inputs is not None
    return inference.signature.inputs


def why(inference: Inference) -> dict[str, tuple[Basis, str]]:
    return {field.path: (field.basis, field.why) for field in inference.fields}


def save(df: DataFrame, path: Path, *options: tuple[str, str]) -> Path:
    writer = df.write.format("delta")
    for key, value in options:
        writer = writer.option(key, value)
    writer.save(str(path))
    return path


def delta_sql(spark: SparkSession, path: Path, text: str) -> None:
    spark.sql(text.replace("{}", f"delta.`{path}`")).collect()


FLAT = (
    "id",
    "IF(id % 10 = 0, NULL, id * 1.5D) AS x",
    "concat('s', id) AS s",
    "CAST(id AS int) AS i",
    "CAST(id AS float) AS f",
    "id % 2 = 0 AS b",
    "timestamp_micros(id) AS ts",
    "CAST(timestamp_micros(id) AS timestamp_ntz) AS ntz",
    "date_add(DATE '2020-01-01', CAST(id AS int)) AS d",
    "CAST(s AS binary) AS raw",
    "CAST(id AS tinyint) AS t",
)
NESTED = (
    "named_struct('a', id, 'b', IF(id = 3, NULL, 'x'), 'c', named_struct('d', 1L)) AS st",
    "IF(id = 4, NULL, named_struct('a', id)) AS gone",
    "array(id, id + 1) AS arr",
    "IF(id = 5, NULL, array(1.5F)) AS maybe",
    "array(1L, IF(id = 6, NULL, id)) AS holes",
    "map('k', IF(id = 7, NULL, id)) AS m",
    "map('k', array(id)) AS lists",
    "array(named_struct('p', CAST(id AS int), 'q', IF(id = 1, NULL, 1.0F))) AS orders",
    "array_repeat(array(id), 2) AS grid",
)
EXPECTED = Schema(
    [
        ColSpec("long", "id"),
        ColSpec("double", "x", required=False),
        ColSpec("string", "s"),
        ColSpec("integer", "i"),
        ColSpec("float", "f"),
        ColSpec("boolean", "b"),
        ColSpec("datetime", "ts"),
        ColSpec("datetime", "ntz"),
        ColSpec("datetime", "d"),
        ColSpec("binary", "raw"),
        ColSpec("integer", "t"),
        ColSpec(
            Object(
                [
                    Property("a", "long"),
                    Property("b", "string", required=False),
                    Property("c", Object([Property("d", "long")])),
                ]
            ),
            "st",
        ),
        ColSpec(Object([Property("a", "long")]), "gone", required=False),
        ColSpec(Array("long"), "arr"),
        ColSpec(Array("float"), "maybe", required=False),
        ColSpec(Array("long"), "holes", required=False),
        ColSpec(Map("long"), "m", required=False),
        ColSpec(Map(Array("long")), "lists"),
        ColSpec(
            Array(Object([Property("p", "integer"), Property("q", "float", required=False)])),
            "orders",
        ),
        ColSpec(Array(Array("long")), "grid"),
    ]
)


def rows(spark: SparkSession, count: int = 100, partitions: int = 3) -> DataFrame:
    return (
        spark.range(0, count, 1, partitions)
        .selectExpr(*FLAT[:3], "*")
        .selectExpr("id", "x", "s", *FLAT[3:], *NESTED)
    )


# --- what is inferred ----------------------------------------------------------------------------


def test_a_table_a_frame_and_parquet_give_the_same_signature(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = save(rows(spark), tmp_path / "table")
    rows(spark).write.parquet(str(tmp_path / "parquet"))
    assert inputs(infer_table(table)) == EXPECTED
    # nullable=False flags of a frame are taken on trust; these columns hold no NULL anyway
    for frame in (rows(spark), spark.read.format("delta").load(str(table))):
        with pytest.warns(UserWarning, match=r"integer columns \(id, i, t\)"):
            assert infer_signature(frame).inputs == EXPECTED
    assert inputs(infer_table(tmp_path / "parquet")) == EXPECTED


def test_each_field_says_why(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "table"
    columns = "k BIGINT NOT NULL, a BIGINT, b BIGINT, l ARRAY<INT>"
    spark.sql(f"CREATE TABLE delta.`{path}` ({columns}) USING delta")
    df = spark.range(0, 8, 1, 2).selectExpr(
        "id AS k", "id AS a", "IF(id = 3, NULL, id) AS b", "array(IF(id = 1, NULL, 2)) AS l"
    )
    df.write.format("delta").mode("append").save(str(path))
    found = infer_table(path)
    assert why(found) == {
        "$.k": (Basis.CONSTRAINT, "NOT NULL constraint"),
        "$.a": (Basis.STATISTICS, "0 nulls in 8 rows by statistics of 2 files"),
        "$.b": (Basis.STATISTICS, "nulls in 8 rows by statistics of 2 files"),
        "$.l": (Basis.STATISTICS, "0 nulls in 8 rows by statistics of 2 files; nulls inside"),
        "$.l[*]": (Basis.SCANNED, "1 null in 8 values, scanned"),
    }
    assert [f.required for f in found.fields] == [True, True, False, False, None]
    assert found.scanned == ("l",)
    assert (found.rows, found.source.version, found.source.pinned) == (8, 1, True)
    # a clone has the flags of its source, whoever wrote its rows
    spark.sql(f"CREATE TABLE delta.`{tmp_path / 'clone'}` SHALLOW CLONE delta.`{path}`")
    assert why(infer_table(tmp_path / "clone"))["$.k"][0] is Basis.ASSUMED
    frame = infer_table(df.select("k", "b"))
    assert why(frame) == {
        "$.k": (Basis.ASSUMED, "nullable=False, which Spark takes on trust"),
        "$.b": (Basis.SCANNED, "1 null in 8 rows, scanned"),
    }
    text = str(found)
    assert "0 nulls in 8 rows by statistics of 2 files" in text
    assert "read: l" in text
    document = json.loads(found.to_json())
    assert document["signature"] == found.signature.to_dict()
    assert [f["path"] for f in document["fields"]] == list(why(found))


def test_nothing_is_read_where_the_log_decides(spark: SparkSession, tmp_path: Path) -> None:
    path = save(rows(spark).select("id", "x", "s", "st.c"), tmp_path / "table")
    for file in path.glob("*.parquet"):
        file.unlink()
    found = infer_table(path)
    assert found.scanned == ()
    assert [spec.required for spec in inputs(found)] == [True, False, True, True]


def test_only_what_is_undecided_is_read_and_once(spark: SparkSession, tmp_path: Path) -> None:
    df = rows(spark).select("id", "x", "s", "arr")
    path = save(df, tmp_path / "table", ("delta.dataSkippingStatsColumns", "id,s"))
    found: list[Inference] = []
    plans = executions(spark, lambda: found.append(infer_table(path)), "Scan parquet")
    assert found[0].scanned == ("x", "arr")
    assert len(plans) == 1
    schema = plans[0].split("ReadSchema: ")[1].split("\n")[0]
    assert "x:double" in schema
    assert "arr:array" in schema
    assert "s:string" not in schema
    assert why(found[0])["$.x"] == (Basis.SCANNED, "10 nulls in 100 rows, scanned")


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_the_partitioning_is_no_matter(spark: SparkSession, partitions: int) -> None:
    found = infer_table(rows(spark, partitions=1).repartition(partitions))
    assert inputs(found) == EXPECTED
    counts = {f.path: f.why for f in found.fields}
    assert counts["$.orders[*].q"] == "1 null in 100 values, scanned"
    assert counts["$.x"] == "10 nulls in 100 rows, scanned"


def test_many_columns_are_counted_too(spark: SparkSession) -> None:
    df = spark.range(50).selectExpr(*(f"IF(id = {i}, NULL, id) AS c{i}" for i in range(150)))
    required = [bool(spec.required) for spec in inputs(infer_table(df))]
    assert required == [False] * 50 + [True] * 100


def test_no_rows_leave_everything_required(spark: SparkSession, tmp_path: Path) -> None:
    path = save(rows(spark).where("id < 0"), tmp_path / "table")
    found = infer_table(path)
    assert found.rows == 0
    assert all(spec.required for spec in inputs(found))
    assert [repr(spec.type) for spec in inputs(found) if isinstance(spec, ColSpec)] == [
        repr(spec.type).replace("(optional)", "(required)")
        for spec in EXPECTED
        if isinstance(spec, ColSpec)
    ]


# --- statistics and scans agree ------------------------------------------------------------------


def _plain(spark: SparkSession, path: Path) -> None:
    save(rows(spark).select("id", "x", "st", "gone"), path)


def _deleted(spark: SparkSession, path: Path) -> None:
    save(
        rows(spark).select("id", "x", "st", "gone"),
        path,
        ("delta.enableDeletionVectors", "true"),
    )
    delta_sql(spark, path, "DELETE FROM {} WHERE x IS NULL OR gone IS NULL")


def _partly_deleted(spark: SparkSession, path: Path) -> None:
    save(rows(spark).select("id", "x"), path, ("delta.enableDeletionVectors", "true"))
    delta_sql(spark, path, "DELETE FROM {} WHERE id IN (0, 11)")


def _mapped(spark: SparkSession, path: Path) -> None:
    save(rows(spark).select("id", "x", "st"), path, ("delta.columnMapping.mode", "name"))
    delta_sql(spark, path, "ALTER TABLE {} RENAME COLUMN x TO y")
    delta_sql(spark, path, "ALTER TABLE {} RENAME COLUMN id TO x")


def _added(spark: SparkSession, path: Path) -> None:
    save(rows(spark).select("id", "s"), path)
    delta_sql(spark, path, "ALTER TABLE {} ADD COLUMNS (late BIGINT)")
    spark.range(5).selectExpr("id", "'s' AS s", "id AS late").write.format("delta").mode(
        "append"
    ).save(str(path))


def _partitioned(spark: SparkSession, path: Path) -> None:
    df = spark.range(20).selectExpr("id", "IF(id % 4 = 0, NULL, id % 4) AS p", "id % 2 AS q")
    df.write.format("delta").partitionBy("p", "q").save(str(path))


def _updated(spark: SparkSession, path: Path) -> None:
    save(rows(spark).select("id", "x", "gone"), path, ("delta.enableDeletionVectors", "true"))
    delta_sql(spark, path, "UPDATE {} SET x = 1.0 WHERE x IS NULL")
    delta_sql(spark, path, "OPTIMIZE {}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [_plain, _deleted, _partly_deleted, _mapped, _added, _partitioned, _updated]
)
def test_statistics_and_scans_agree(
    spark: SparkSession, tmp_path: Path, make: Callable[[SparkSession, Path], None]
) -> None:
    path = tmp_path / "table"
    make(spark, path)
    by_log = infer_table(path)
    # A frame has no log: everything is read.
    frame = spark.read.format("delta").load(str(path))
    by_scan = infer_table(frame)
    assert by_log.signature == by_scan.signature
    assert {basis for basis, _ in why(by_scan).values()} == {Basis.SCANNED}
    # ... and what Spark counts agrees.
    for spec in inputs(by_log):
        missing = frame.where(f"`{spec.name}` IS NULL").count()
        assert bool(spec.required) == (missing == 0), spec


# --- own data conforms ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_table_conforms_to_what_was_inferred_from_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = save(rows(spark), tmp_path / "table")
    report = validate(path, infer_table(path).signature)
    assert report.conforms, report.to_text()
    # The flags are tight: one more NULL in any required column is a violation.
    nulled = rows(spark).selectExpr(
        *(f"IF(id = 50, NULL, {c}) AS {c}" for c in ("s", "arr", "grid", "st")), "id"
    )
    wanted = infer_table(path, columns=["s", "arr", "grid", "st", "id"]).signature
    assert {c.path for c in validate(nulled, wanted).checks if c.violated} == {
        "$.s",
        "$.arr",
        "$.grid",
        "$.st",
    }


# --- options -------------------------------------------------------------------------------------


def test_columns_are_chosen_left_out_and_given_to_the_outputs(spark: SparkSession) -> None:
    df = rows(spark)
    found = infer_table(df, columns=["id", "x", "s"], exclude=["s"], outputs=["x"]).signature
    assert found.inputs == Schema([ColSpec("long", "id")])
    assert found.outputs == Schema([ColSpec("double", "x", required=False)])
    only = infer_table(df, columns=["id"], outputs=["b"], params={"k": 2}).signature
    assert only.outputs == Schema([ColSpec("boolean", "b")])
    assert only.params is not None
    assert [p.default for p in only.params] == [2]


@pytest.mark.parametrize("option", ["columns", "exclude", "outputs"])
def test_an_unknown_column_is_refused_with_a_hint(spark: SparkSession, option: str) -> None:
    with pytest.raises(SignatureError, match=r"names no column 'idd'.*did you mean 'id'"):
        infer_table(rows(spark), **{option: ["idd"]})  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match="must be a list of names"):
        infer_table(rows(spark), **{option: "id"})  # type: ignore[arg-type]


def test_decimals_are_integers_where_their_digits_fit_and_asked_for_elsewhere(
    spark: SparkSession,
) -> None:
    df = spark.range(3).selectExpr(
        "CAST(id AS decimal(9,0)) AS a",
        "CAST(id AS decimal(18,0)) AS b",
        "array(CAST(id AS decimal(5,0))) AS c",
        "CAST(id AS decimal(19,0)) AS wide",
        "named_struct('p', CAST(id AS decimal(10,2))) AS price",
    )
    found = infer_table(df, exclude=["wide", "price"])
    assert inputs(found) == Schema(
        [ColSpec("integer", "a"), ColSpec("long", "b"), ColSpec(Array("integer"), "c")]
    )
    assert all("casts='lossless'" in f.note for f in found.fields if f.path in ("$.a", "$.b"))
    lossless = Policy(casts="lossless")
    assert validate(df, found.signature, policy=lossless).conforms
    with pytest.raises(SignatureError) as caught:
        infer_table(df)
    assert "$.wide: decimal(19,0)" in str(caught.value)
    assert "$.price.p: decimal(10,2)" in str(caught.value)
    asked = infer_table(df, columns=["wide", "price"], decimals="double")
    assert inputs(asked) == Schema(
        [ColSpec("double", "wide"), ColSpec(Object([Property("p", "double")]), "price")]
    )


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        # PySpark 3.5 knows neither
        *(
            pytest.param(*case, marks=pytest.mark.skipif(OLDER, reason="of Spark 4"))
            for case in (
                ("make_interval(1) AS c", "interval"),
                ("parse_json('1') AS c", "variant"),
            )
        ),
        ("INTERVAL '1' DAY AS c", "interval day"),
        ("NULL AS c", "void"),
        ("map(1, 2) AS c", "map<integer,integer>"),
        ("array(INTERVAL '1' DAY) AS c", "interval day"),
    ],
)
def test_what_no_signature_can_say_is_refused_by_name_before_a_row_is_read(
    spark: SparkSession, sql: str, name: str
) -> None:
    df = spark.sql(f"SELECT {sql}, 1 AS good")
    with pytest.raises(SignatureError, match=name) as caught:
        infer_table(df)
    assert caught.value.path.startswith("$.c")
    assert inputs(infer_table(df, exclude=["c"])) == Schema([ColSpec("integer", "good")])
    anything = inputs(infer_table(df, on_unsupported="any"))
    assert [spec.type for spec in anything] == [AnyType(), DataType.integer]


def test_a_column_of_any_type_is_not_read_and_says_so(spark: SparkSession, tmp_path: Path) -> None:
    df = spark.sql("SELECT map(1, 2) AS m, CAST(0.1 AS decimal(3,1)) AS d, array(1) AS l")
    found = infer_table(save(df, tmp_path / "table"), on_unsupported="any")
    assert found.scanned == ("l",)
    asked = {f.path: (f.type, f.basis, f.why, f.note) for f in found.fields}
    for path in ("$.m", "$.d"):
        assert asked[path] == ("Any", Basis.ASKED, "any type, as asked", "")


def test_decimals_are_told_of_where_only_a_signature_comes_back(spark: SparkSession) -> None:
    df = spark.sql("SELECT CAST(1 AS decimal(18,0)) AS a")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        infer_signature(df)
    assert any("decimal(18,0) taken for long" in str(w.message) for w in caught)
    fractions = spark.sql("SELECT CAST(0.1 AS decimal(3,1)) AS a")
    (field,) = infer_table(fractions, decimals="double").fields
    # No rule of casts takes 0.1 for a double: the note does not promise that one does.
    assert "lossless" not in field.note
    assert "cast the column" in field.note


def test_unknown_choices_are_refused(spark: SparkSession) -> None:
    for choice in ("bogus", "mlflow"):
        with pytest.raises(SignatureError, match="unknown choice"):
            infer_table(spark.range(1), on_unsupported=choice)  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match="unknown choice"):
        infer_signature([1.5], on_unsupported="bogus")  # type: ignore[arg-type]


def test_tensors_of_constant_shape(spark: SparkSession) -> None:
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as F

    df = spark.range(0, 20, 1, 3).selectExpr(
        "id",
        "CAST(id AS float) AS f",
        "transform(sequence(1, 3), i -> CAST(i AS float)) AS flat",
        "array_repeat(array_repeat(id, 2), 4) AS grid",
        "array(1.0D, 2.0D) AS v",
    )
    df = df.withColumn("v", array_to_vector(F.col("v")))
    found = infer_table(df, tensors=True)
    assert inputs(found) == Schema(
        [
            TensorSpec("int64", (-1,), "id"),
            TensorSpec("float32", (-1,), "f"),
            TensorSpec("float32", (-1, 3), "flat"),
            TensorSpec("int64", (-1, 4, 2), "grid"),
            TensorSpec("float64", (-1, 2), "v"),
        ]
    )
    assert validate(df, found.signature).conforms
    assert inputs(infer_table(df.select("v"))) == Schema([ColSpec(SparkMLVector(), "v")])


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("IF(id = 3, array(1L), array(1L, 2L)) AS c", "lengths 1 to 2"),
        ("IF(id = 3, NULL, array(1L)) AS c", "nulls among 20 values"),
        ("array(IF(id = 3, NULL, id)) AS c", "nulls among 20 values"),
        ("named_struct('a', id) AS c", "no tensor"),
        # a tensor's dtype is strict
        ("CAST(id AS decimal(5,0)) AS c", "no signature can say"),
        ("array(CAST(id AS decimal(5,0))) AS c", "no signature can say"),
    ],
)
def test_what_is_no_tensor_is_refused(spark: SparkSession, sql: str, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        infer_table(spark.range(20).selectExpr(sql), tensors=True)


def test_arrays_of_vectors_are_no_tensor(spark: SparkSession) -> None:
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as F

    vector = array_to_vector(F.expr("array(1.0D, 2.0D)"))
    df = spark.range(3).select(F.array(vector, vector).alias("c"))
    with pytest.raises(SignatureError, match="a vector in an array"):
        infer_table(df, tensors=True)


def test_a_version_is_what_was_there_then(spark: SparkSession, tmp_path: Path) -> None:
    path = save(spark.range(5).selectExpr("id"), tmp_path / "table")
    spark.range(1).selectExpr("CAST(NULL AS bigint) AS id").write.format("delta").mode(
        "append"
    ).save(str(path))
    assert inputs(infer_table(path, version=0)) == Schema([ColSpec("long", "id")])
    assert inputs(infer_table(path)) == Schema([ColSpec("long", "id", required=False)])
    with pytest.raises(SourceError, match="has no version 7"):
        infer_table(path, version=7)


def test_duplicate_names_are_refused_unless_left_out(spark: SparkSession) -> None:
    df = spark.sql("SELECT 1 AS a, 2.0D AS a, 3 AS b")
    with pytest.raises(SignatureError, match="more than one column is named 'a'"):
        infer_table(df)
    assert inputs(infer_table(df, exclude=["a"])) == Schema([ColSpec("integer", "b")])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.b", "a b", "a`b", "a'b", "日", "$.x", "A"])
def test_odd_names(spark: SparkSession, tmp_path: Path, name: str) -> None:
    quoted = "`" + name.replace("`", "``") + "`"
    df = spark.range(4).selectExpr(
        f"IF(id = 1, NULL, id) AS {quoted}", "named_struct('x', id) AS s"
    )
    path = save(df, tmp_path / "table", ("delta.columnMapping.mode", "name"))
    for source in (path, df):
        found = inputs(infer_table(source))
        assert found == Schema(
            [
                ColSpec("long", name, required=False),
                ColSpec(Object([Property("x", "long")]), "s"),
            ]
        )


def test_keys_of_maps_do_not_reach_the_driver(spark: SparkSession) -> None:
    from spark_sig.infer.scan import scan

    df = spark.range(0, 5000, 1, 4).selectExpr("map(CAST(id AS string), id) AS c0")
    field = pa.field("m", pa.map_(pa.string(), pa.int64()))
    found = scan(df, [], [("c0", field)])
    assert found.rows == 5000
    # Whatever its keys, a map is one count and its values.
    assert len(found.columns["m"].dumps()) < 300


def test_a_scan_that_saw_other_rows_than_the_log_promises_is_an_error(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(rows(spark).select("id", "arr"), tmp_path / "table")
    from spark_sig.infer import table as module

    real: Callable[..., Any] = module.scan

    def short(*given: Any) -> Any:
        return real(*given)._replace(rows=99)

    monkeypatch.setattr(module, "scan", short)
    with pytest.raises(SourceError, match="saw 99 rows, and its files promise 100"):
        infer_table(path)
    shutil.rmtree(path)
