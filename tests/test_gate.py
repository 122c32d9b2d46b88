"""The gate: what ``validate`` reads, counts, pins and says."""

from __future__ import annotations

import decimal
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.sql import types as pyspark_types

from spark_sig import (
    Array,
    ColSpec,
    Map,
    ModelSignature,
    Object,
    Policy,
    Property,
    Report,
    Schema,
    SignatureError,
    TensorSpec,
    gate,
    validate,
)
from spark_sig.errors import SourceError
from spark_sig.gate import scan
from spark_sig.sources import resolve
from tests.test_statistics import copy

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ENGINES = ["catalyst", "arrow", "auto"]


def inputs(*specs: ColSpec | TensorSpec) -> ModelSignature:
    return ModelSignature(inputs=Schema(list(specs)))


FLAT = inputs(ColSpec("long", "a"), ColSpec("double", "x"))
NESTED = inputs(ColSpec("long", "a"), ColSpec("double", "x"), ColSpec(Array("long"), "l"))


def violated(report: Report) -> dict[tuple[str, str], int | None]:
    return {(c.path, c.code.value): c.count for c in report.checks if c.violated}


def keys(report: Report) -> dict[str, list[Any]]:
    return {c.path: [e.key for e in c.examples] for c in report.checks if c.violated}


def executions(spark: SparkSession, action: Callable[[], object], reads: str) -> list[str]:
    """Return the plans of an action's SQL executions that name what is read."""
    bus = spark.sparkContext._jsc.sc().listenerBus()
    store = spark._jsparkSession.sharedState().statusStore()
    bus.waitUntilEmpty()
    # by id, as the store forgets all but the newest
    before = max((one.executionId() for one in _listed(store)), default=-1)
    action()
    bus.waitUntilEmpty()
    new = [one for one in _listed(store) if one.executionId() > before]
    assert len(new) < 900
    texts = [str(one.physicalPlanDescription()) for one in new]
    return [text for text in texts if reads in text]


def _listed(store: Any) -> list[Any]:
    listed = store.executionsList()
    return [listed.apply(i) for i in range(listed.size())]


# --- how often rows are read ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "signature", "clean", "dirty"),
    [
        ("catalyst", FLAT, 1, 2),
        ("auto", FLAT, 1, 2),
        ("auto", NESTED, 1, 1),
        ("arrow", FLAT, 1, 1),
        ("arrow", NESTED, 1, 1),
    ],
)
def test_one_query_where_the_data_conforms_and_two_at_most_where_not(
    spark: SparkSession,
    tmp_path: Path,
    engine: Any,
    signature: ModelSignature,
    clean: int,
    dirty: int,
) -> None:
    good, bad = str(tmp_path / "good"), str(tmp_path / "bad")
    columns = ["id AS a", "CAST(id AS float) AS x", "array(id) AS l"]
    spark.range(0, 100, 1, 3).selectExpr(*columns).write.parquet(good)
    spark.range(0, 100, 1, 3).selectExpr("IF(id = 7, NULL, id) AS a", *columns[1:]).write.parquet(
        bad
    )
    reports: list[Report] = []
    for path, times in ((good, clean), (bad, dirty)):
        found = executions(
            spark,
            lambda path=path: reports.append(validate(path, signature, engine=engine)),
            "Scan parquet",
        )
        assert len(found) == times
    assert [r.conforms for r in reports] == [True, False]
    assert [(r.rows.total, r.rows.violating) for r in reports] == [(100, 0), (100, 1)]


def test_no_row_is_read_where_the_types_alone_decide(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    spark.range(10).selectExpr(
        "id AS a", "'1' AS x", "CAST(id AS decimal(9,2)) AS l"
    ).write.parquet(path)
    spec = inputs(
        ColSpec("long", "a"),
        ColSpec("double", "x"),
        ColSpec("long", "l"),
        ColSpec("long", "gone"),
        ColSpec("long", "A_"),
    )
    reports: list[Report] = []
    assert not executions(spark, lambda: reports.append(validate(path, spec)), "Scan parquet")
    (report,) = reports
    assert violated(report) == {
        ("$.x", "type"): None,
        ("$.l", "type"): None,
        ("$.gone", "missing_column"): None,
        ("$.A_", "missing_column"): None,
    }
    assert (report.conforms, report.complete, report.rows.total) == (False, True, 0)
    assert "there are no rows" not in " ".join(report.remarks)


def test_no_row_is_read_where_nothing_is_left_to_decide(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = str(tmp_path / "t")
    spark.sql(
        f"CREATE TABLE delta.`{path}` (a BIGINT NOT NULL, st STRUCT<x: BIGINT NOT NULL> NOT NULL,"
        " o BIGINT) USING delta"
    )
    spark.range(10).selectExpr(
        "id AS a", "named_struct('x', id) AS st", "CAST(NULL AS bigint) AS o"
    ).write.format("delta").mode("append").save(path)
    spec = inputs(
        ColSpec("long", "a"),
        ColSpec(Object([Property("x", "long")]), "st"),
        ColSpec("double", "o", required=False),
    )
    spec = inputs(*list(spec.side("inputs"))[:2], ColSpec("long", "o", required=False))
    reports: list[Report] = []
    found = executions(spark, lambda: reports.append(validate(path, spec)), f"{path}]")
    assert [text for text in found if "_delta_log" not in text] == []
    (report,) = reports
    assert (report.rows.total, report.expected_rows, report.complete) == (10, 10, True)
    assert report.conforms
    assert {c.path: (c.rung.value, c.proven) for c in report.checks} == {
        "$.a": ("schema", 1.0),
        "$.st": ("schema", 1.0),
        "$.st.x": ("schema", 1.0),
    }


def test_what_proves_that_there_is_no_null(spark: SparkSession, tmp_path: Path) -> None:
    """NOT NULL where Delta enforces it; a flag of a DataFrame or of Parquet is an assumption."""
    frame = spark.range(5).selectExpr("id AS a", "array(id) AS l")
    assert not frame.schema["a"].nullable
    spec = inputs(ColSpec("long", "a"), ColSpec(Array("long"), "l"))
    report = validate(frame, spec)
    assert {c.rung.value for c in report.checks} == {"assumed"}
    assert report.rows.total == 5
    path = str(tmp_path / "t")
    frame.write.format("delta").save(path)
    # Delta relaxes the flag on save: nothing is enforced, so every row is looked at.
    assert {c.path: c.rung.value for c in validate(path, spec, stats=False).checks} == {
        "$.a": "catalyst",
        "$.l": "arrow",
        "$.l[*]": "arrow",
    }
    strict = str(tmp_path / "strict")
    spark.sql(f"CREATE TABLE delta.`{strict}` (a BIGINT NOT NULL, l ARRAY<BIGINT>) USING delta")
    assert {c.path: c.rung.value for c in validate(strict, spec).checks} == {
        "$.a": "schema",
        "$.l": "stats",
        "$.l[*]": "stats",
    }
    # What the table enforces is no longer said of rows that were read from it.
    loaded = spark.read.format("delta").load(strict)
    assert {c.path: c.rung.value for c in validate(loaded, spec).checks}["$.a"] == "assumed"


# --- one report, however the rows are cut --------------------------------------------------------


def dirty(spark: SparkSession) -> DataFrame:
    return spark.range(0, 40, 1, 2).selectExpr(
        "id",
        "IF(id % 7 = 3, NULL, id) AS a",
        "IF(id IN (0, 9, 39), NULL, CAST(id AS float)) AS x",
        "IF(id % 10 = 4, array(id, NULL), array(id)) AS l",
        "IF(id = 20, 0.5D, CAST(id AS double)) AS n",
    )


def test_any_partitioning_and_batching_gives_the_same_report(spark: SparkSession) -> None:
    spec = inputs(*NESTED.side("inputs"), ColSpec("integer", "n"))
    policy = Policy(casts="lossless", examples=3)
    # No lossless cast from float to double can fail, so there is none to violate.
    seen = []
    for parts, batch in ((1, "10000"), (2, "1"), (7, "3"), (1, "3")):
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", batch)
        try:
            frame = dirty(spark).repartition(parts)
            for engine in ("auto", "arrow"):
                seen.append(
                    validate(
                        frame,
                        spec,
                        policy=policy,
                        engine=engine,  # type: ignore[arg-type]
                        row_key=["id"],
                    )
                )
        finally:
            spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    first = seen[0]
    assert violated(first) == {
        ("$.a", "null"): 6,
        ("$.x", "null"): 3,
        ("$.l[*]", "null"): 4,
        ("$.n", "cast"): 1,
    }
    assert keys(first) == {
        "$.a": [(3,), (10,), (17,)],
        "$.x": [(0,), (9,), (39,)],
        "$.l[*]": [(4,), (14,), (24,)],
        "$.n": [(20,)],
    }
    # 3 10 17 24 31 38, 0 9 39, 4 14 24 34, 20: 24 is there twice
    assert (first.rows.total, first.rows.violating, first.rows.valid) == (40, 13, 27)
    assert all(report == first for report in seen[1:])
    assert all(report.to_dict()["rows"] == first.to_dict()["rows"] for report in seen)


@pytest.mark.parametrize("engine", ["catalyst", "arrow"])
def test_row_keys_of_every_type(spark: SparkSession, engine: Any) -> None:
    frame = spark.sql(
        """
        SELECT * FROM VALUES
          (NULL, 'b', DATE'2024-03-10', TIMESTAMP'2024-03-10 07:30:00Z', 1.50BD, true, X'FF',
           CAST('NaN' AS double), TIMESTAMP_NTZ'2024-03-10 02:30:00', 1Y),
          (NULL, 'a', DATE'0001-01-01', TIMESTAMP'1969-12-31 23:59:59.999999Z', -0.01BD, false,
           X'00', -0.5D, TIMESTAMP_NTZ'1582-10-10 00:00:00', -1Y),
          (NULL, CAST(NULL AS string), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
        AS t(a, s, d, ts, dec, flag, bin, f, ntz, tiny)
        """
    )
    names = [name for name in frame.columns if name != "a"]
    frame = frame.selectExpr("CAST(a AS bigint) AS a", *names)
    d = decimal.Decimal
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        report = validate(frame, inputs(ColSpec("long", "a")), engine=engine, row_key=names)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    (check,) = report.checks
    assert report.row_key == tuple(names)
    shown = [tuple(e.key) for e in check.examples]
    assert shown[:2] == [
        (None,) * len(names),
        (
            "a",
            "0001-01-01",
            "1969-12-31T23:59:59.999999+00:00",
            d("-0.01"),
            False,
            "00",
            -0.5,
            "1582-10-10T00:00:00.000000",
            -1,
        ),
    ]
    last = list(shown[2])
    assert np.isnan(last.pop(6))
    assert last == [
        "b",
        "2024-03-10",
        "2024-03-10T07:30:00.000000+00:00",
        d("1.50"),
        True,
        "ff",
        "2024-03-10T02:30:00.000000",
        1,
    ]
    assert json.loads(report.to_json())["rows"]["violating"] == 3


def test_keys_that_spark_groups_as_one_name_their_own_rows(spark: SparkSession) -> None:
    if not hasattr(pyspark_types.StringType(), "collation"):
        pytest.skip("this Spark has no collations")
    frame = spark.sql(
        "SELECT id, k, CAST(NULL AS int) AS v FROM VALUES (1, 'A' COLLATE UTF8_LCASE), "
        "(2, 'a' COLLATE UTF8_LCASE), (3, 'a' COLLATE UTF8_LCASE) AS t(id, k)"
    )
    for engine in ("auto", "arrow"):
        report = validate(frame, inputs(ColSpec("long", "v")), row_key="k", engine=engine)  # type: ignore[arg-type]
        assert keys(report) == {"$.v": [("A",), ("a",), ("a",)]}


@pytest.mark.parametrize("engine", ["auto", "catalyst", "arrow"])
def test_a_time_is_no_row_key_on_any_engine(spark: SparkSession, engine: Any) -> None:
    if not hasattr(pyspark_types, "TimeType"):
        pytest.skip("this Spark has no type of times")
    frame = spark.sql("SELECT TIME'12:00:00' AS k, CAST(NULL AS int) AS v")
    with pytest.raises(SignatureError, match="row key") as refused:
        validate(frame, inputs(ColSpec("long", "v")), row_key="k", engine=engine)
    assert refused.value.path == "$.k"


def test_a_row_key_has_to_be_there_and_a_scalar(spark: SparkSession) -> None:
    frame = spark.range(1).selectExpr("id AS a", "array(id) AS l", "INTERVAL 1 DAY AS i")
    for name in ("gone", "l", "i", "A"):
        with pytest.raises(SignatureError, match="row key"):
            validate(frame, inputs(ColSpec("long", "a")), row_key=[name])


# --- which rows: versions, deletions, files without statistics -----------------------------------


@pytest.fixture(scope="module")
def table(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Delta table: 10 rows at version 0, 5 more with a NULL at 1, and 14 after a delete at 2."""
    path = str(tmp_path_factory.mktemp("delta") / "t")
    spark.range(0, 10, 1, 2).selectExpr("id AS a").write.format("delta").option(
        "delta.enableDeletionVectors", "true"
    ).save(path)
    spark.range(10, 15, 1, 1).selectExpr("IF(id = 12, NULL, id) AS a").write.format("delta").mode(
        "append"
    ).save(path)
    spark.sql(f"DELETE FROM delta.`{path}` WHERE a = 3")
    return path


LONG = inputs(ColSpec("long", "a"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "rows", "bad", "engine"),
    [(0, 10, 0, "auto"), (1, 15, 1, "arrow"), (2, 14, 1, "auto"), (2, 14, 1, "arrow")],
)
def test_every_read_is_of_one_version(
    table: str, version: int, rows: int, bad: int, engine: Any
) -> None:
    report = validate(table, LONG, version=version, engine=engine)
    assert (report.rows.total, report.rows.violating) == (rows, bad)
    assert (report.expected_rows, report.complete) == (rows, True)
    assert report.conforms is (bad == 0)
    source = report.source
    assert (source.kind, source.name, source.version) == ("delta", table, version)
    assert source.pinned
    assert len(source.table_id or "") == 36
    assert f"at version {version}" in report.to_text()


@pytest.mark.parametrize("vectors", [pytest.param("true", marks=pytest.mark.slow), "false"])
def test_deleted_rows_do_not_count(spark: SparkSession, tmp_path: Path, vectors: str) -> None:
    path = str(tmp_path / "t")
    frame = spark.range(0, 100, 1, 2).selectExpr("IF(id % 2 = 0, NULL, id) AS a", "id")
    frame.write.format("delta").option("delta.enableDeletionVectors", vectors).save(path)
    spark.sql(f"DELETE FROM delta.`{path}` WHERE a IS NULL AND id > 9")
    files = spark.read.format("delta").load(path).inputFiles()
    for engine in ("auto", "arrow"):
        report = validate(path, LONG, engine=engine, row_key=["id"])  # type: ignore[arg-type]
        assert (report.rows.total, report.expected_rows, report.rows.violating) == (55, 55, 5)
        assert report.complete
        assert keys(report) == {"$.a": [(0,), (2,), (4,), (6,), (8,)]}
    assert report.source.files == len(files)
    used = list(Path(path).glob("deletion_vector*"))
    assert bool(used) is (vectors == "true")


def test_rows_that_are_appended_meanwhile_are_not_seen(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "t")
    spark.range(10).selectExpr("IF(id = 5, NULL, id) AS a").write.format("delta").save(path)
    original, appended = scan.tally_few, []

    def later(*arguments: Any) -> Any:
        """Append between the first query and the second."""
        more = spark.range(100).selectExpr("CAST(NULL AS bigint) AS a")
        more.write.format("delta").mode("append").save(path)
        appended.append(True)
        return original(*arguments)

    monkeypatch.setattr(scan, "tally_few", later)
    report = validate(path, LONG)
    assert appended
    assert (report.rows.total, report.rows.violating, report.complete) == (10, 1, True)
    assert report.source.version == 0
    source = resolve(path)
    spark.range(3).selectExpr("id AS a").write.format("delta").mode("append").save(path)
    report = gate.validate_source(source, LONG, policy=Policy(), engine="arrow")
    assert (report.rows.total, report.source.version, report.complete) == (110, 1, True)


@pytest.mark.slow
def test_a_time_names_a_version(spark: SparkSession, table: str) -> None:
    history = spark.sql(f"DESCRIBE HISTORY delta.`{table}`").orderBy("version")
    times = [row[0] for row in history.selectExpr("CAST(timestamp AS string)").collect()]
    for version, time in enumerate(times):
        assert validate(table, LONG, timestamp=time).source.version == version
    # Later commits may still come before that time: two runs would not mean the same version.
    with pytest.raises(SourceError, match="yet to come"):
        validate(table, LONG, timestamp="2999-01-01")
    with pytest.raises(SourceError, match="no version at or before"):
        validate(table, LONG, timestamp="2000-01-01 00:00:00")
    for text in ("soon", "'; DROP TABLE t"):
        with pytest.raises(SourceError, match="is not a time"):
            validate(table, LONG, timestamp=text)
    with pytest.raises(SourceError, match="not both"):
        validate(table, LONG, version=0, timestamp=times[0])


@pytest.mark.parametrize("more", [-1, 1])
def test_what_the_log_promises_and_no_scan_finds_is_incomplete(
    spark: SparkSession, tmp_path: Path, more: int
) -> None:
    honest = tmp_path / "honest"
    spark.range(0, 10, 1, 1).selectExpr("id AS a").write.format("delta").save(str(honest))

    def lie(add: dict[str, Any]) -> None:
        add["stats"] = json.dumps({"numRecords": 10 + more})

    report = validate(copy(honest, tmp_path / "t", lie), LONG)
    assert (report.rows.total, report.complete, report.conforms) == (10, False, False)


def test_files_without_statistics_count_as_seen(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    spark.range(6).selectExpr("id AS a").write.format("delta").save(path)
    spark.conf.set("spark.databricks.delta.stats.collect", "false")
    try:
        spark.range(0, 4, 1, 1).selectExpr("IF(id = 1, NULL, id) AS a").write.format("delta").mode(
            "append"
        ).save(path)
    finally:
        spark.conf.unset("spark.databricks.delta.stats.collect")
    log = (Path(path) / "_delta_log" / f"{1:020}.json").read_text()
    assert "numRecords" not in log
    report = validate(path, LONG)
    assert (report.rows.total, report.rows.violating) == (10, 1)
    # the log speaks for the first file only
    assert (report.expected_rows, report.source.uncounted, report.rows.uncounted) == (6, 1, 4)
    assert (report.complete, report.conforms) == (True, False)
    # Where nothing is left to decide, those rows have to be counted all the same.
    assert validate(path, inputs(ColSpec("long", "a", required=False))).rows.total == 10


# --- numbers of rows -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows_conform_with_a_warning(spark: SparkSession, tmp_path: Path, engine: Any) -> None:
    empty = dirty(spark).where("id < 0")
    path = str(tmp_path / "t")
    if engine == "auto":
        empty.write.format("delta").save(path)
    for source in (empty, path) if engine == "auto" else (empty,):
        report = validate(source, FLAT, engine=engine)
        assert (report.conforms, report.rows.total) == (True, 0)
        assert report.remarks == ("there are no rows: nothing was checked but types",)
        strict = validate(source, FLAT, engine=engine, min_rows=1)
        assert not strict.conforms
        (violation,) = strict.violations
        assert (violation.code.value, violation.expected, violation.observed) == (
            "row_count",
            "at least 1 rows",
            "0 rows",
        )


def test_a_tensor_may_fix_the_number_of_rows(spark: SparkSession) -> None:
    frame = spark.range(3).selectExpr("array(1f, 2f) AS t")
    for rows, fits in ((3, True), (2, False), (4, False), (-1, True)):
        report = validate(frame, inputs(TensorSpec(np.float32, (rows, 2), "t")))
        assert report.conforms is fits
        codes = [v.code.value for v in report.violations]
        assert codes == ([] if fits else ["row_count"])
    nothing = validate(frame.where("false"), inputs(TensorSpec(np.float32, (2, 2), "t")))
    assert not nothing.conforms


# --- names ---------------------------------------------------------------------------------------


def test_columns_by_position(spark: SparkSession) -> None:
    frame = spark.range(4).selectExpr(
        "CAST(id AS int) AS p", "IF(id = 2, NULL, 'x') AS q", "id AS r"
    )
    unnamed = inputs(ColSpec("long"), ColSpec("string"))
    report = validate(frame, unnamed, row_key=["r"])
    assert violated(report) == {("$[1]", "null"): 1}
    assert keys(report) == {"$[1]": [(2,)]}
    forbidding = validate(frame, unnamed, policy=Policy(extra="forbid"))
    assert violated(forbidding) == {("$.r", "extra_column"): None}
    longer = inputs(*unnamed.side("inputs"), ColSpec("long"), ColSpec("double"))
    assert violated(validate(frame, longer)) == {("$[3]", "missing_column"): None}


def test_case_and_extra_columns(spark: SparkSession) -> None:
    frame = spark.range(2).selectExpr("IF(id = 0, NULL, id) AS Price", "id AS other")
    spec = inputs(ColSpec("long", "price"))
    (missing,) = validate(frame, spec).violations
    assert missing.code.value == "missing_column"
    assert missing.remedy == "did you mean 'Price'?"
    loose = validate(frame, spec, policy=Policy(case="insensitive"))
    assert violated(loose) == {("$.price", "null"): 1}
    kept = validate(frame, spec, policy=Policy(case="insensitive", extra="keep"))
    assert violated(kept) == {("$.price", "null"): 1}
    both = Policy(case="insensitive", extra="forbid")
    (extra,) = validate(frame, spec, policy=both).violations
    assert (extra.path, extra.code.value) == ("$.other", "extra_column")


@pytest.mark.parametrize("engine", ["auto", "arrow"])
def test_values_are_shown_only_where_they_are_asked_for(spark: SparkSession, engine: Any) -> None:
    frame = spark.range(3).selectExpr("IF(id = 1, 'secret', '1') AS a", "IF(id = 2, 0.5D, 1D) AS n")
    spec = inputs(ColSpec("long", "a"), ColSpec("long", "n"))
    for shown in (False, True):
        policy = Policy(casts="lossless", show_values=shown)
        report = validate(frame, spec, policy=policy, engine=engine)
        assert violated(report) == {("$.a", "cast"): 1, ("$.n", "cast"): 1}
        everywhere = (report.to_json(), report.to_text(), report.to_html(), repr(report))
        assert all(("secret" in text) is shown for text in everywhere)
        values = [e.value for c in report.checks for e in c.examples]
        assert values == (["secret", "0.5"] if shown else [None, None])


def test_a_signature_that_calls_all_required_gets_a_remedy(spark: SparkSession) -> None:
    frame = spark.range(2).selectExpr("IF(id = 0, NULL, id) AS a", "id AS b")
    (violation,) = validate(frame, LONG).violations
    assert violation.remedy == "re-infer the signature, or nulls='allow'"
    mixed = inputs(ColSpec("long", "a"), ColSpec("long", "b", required=False))
    (violation,) = validate(frame, mixed).violations
    assert violation.remedy == ""
    assert validate(frame, LONG, policy=Policy(nulls="allow")).conforms


# --- sources -------------------------------------------------------------------------------------


def test_parquet_is_read_and_not_pinned(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "some files"
    spark.range(4).selectExpr("IF(id = 2, NULL, id) AS a").write.parquet(str(path))
    for given in (path, str(path), f"file:{path}"):
        report = validate(given, LONG)
        assert violated(report) == {("$.a", "null"): 1}
        assert (report.source.kind, report.source.version) == ("parquet", None)
        assert not report.source.pinned
        assert (report.expected_rows, report.complete) == (None, True)
    for options in ({"version": 0}, {"timestamp": "2024-01-01"}):
        with pytest.raises(SourceError, match="has no versions"):
            validate(path, LONG, **options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_names_of_the_catalog(spark: SparkSession) -> None:
    spark.sql("CREATE DATABASE IF NOT EXISTS `12`")
    frame = spark.range(3).selectExpr("IF(id = 2, NULL, id) AS a")
    try:
        frame.write.format("delta").saveAsTable("plain_one")
        frame.write.format("delta").saveAsTable("`12`.`34`")
        frame.write.format("parquet").saveAsTable("`12`.files")
        frame.createOrReplaceTempView("seen_view")
        frame.createOrReplaceGlobalTempView("everywhere")
        spark.sql("CREATE VIEW `12`.kept AS SELECT * FROM `12`.`34`")
        for name, kind, version in (
            ("plain_one", "delta", 0),
            ("spark_catalog.default.plain_one", "delta", 0),
            ("`12`.`34`", "delta", 0),
            ("`12`.files", "parquet", None),
            ("seen_view", "view", None),
            ("global_temp.everywhere", "view", None),
            ("`12`.kept", "view", None),
        ):
            info = resolve(name).info
            assert (info.kind, info.name, info.version) == (kind, name, version)
            assert info.pinned is (kind == "delta")
            if kind != "delta":
                with pytest.raises(SourceError, match="has no versions"):
                    resolve(name, version=0)
        for name in ("`12`.`34`", "seen_view"):
            report = validate(name, LONG)
            assert violated(report) == {("$.a", "null"): 1}
            assert report.source == resolve(name).info
        frame.write.format("delta").mode("append").saveAsTable("plain_one")
        assert validate("plain_one", LONG, version=0).rows.total == 3
        assert validate("plain_one", LONG).rows.total == 6
    finally:
        spark.sql("DROP DATABASE `12` CASCADE")
        spark.sql("DROP TABLE IF EXISTS plain_one")
        spark.catalog.dropTempView("seen_view")
        spark.catalog.dropGlobalTempView("everywhere")


def test_a_dataframe_is_not_pinned(spark: SparkSession, table: str) -> None:
    report = validate(spark.read.format("delta").load(table), LONG)
    assert str(report.source) == "dataframe, unpinned"
    assert (report.rows.total, report.expected_rows, report.complete) == (14, None, True)
    with pytest.raises(SourceError, match="a DataFrame has no versions"):
        validate(spark.range(1), LONG, version=0)


def test_names_in_the_data_and_in_paths(spark: SparkSession, tmp_path: Path) -> None:
    names = ["a.b", "a b", "`", "it's", 'say "so"', "世界"]
    for where in ("it's `quoted`", "plain"):
        path = tmp_path / where
        frame = spark.range(3).selectExpr(*["IF(id = 1, NULL, id) AS a"] * 1)
        frame = frame.select(*[frame.a.alias(name) for name in names])
        frame.write.format("delta").option("delta.columnMapping.mode", "name").save(str(path))
        for engine in ("auto", "arrow"):
            report = validate(
                path,
                inputs(*[ColSpec("long", name) for name in names]),
                engine=engine,  # type: ignore[arg-type]
                row_key=names[:2],
            )
            assert [c.count for c in report.checks] == [1] * len(names)
            assert [e.key for e in report.checks[0].examples] == [(None, None)]
            assert report.source.name == str(path)
        assert report.checks[2].path == "$['`']"


def test_maps_and_times_go_through_both_engines(spark: SparkSession) -> None:
    frame = spark.range(3).selectExpr(
        "map('k', IF(id = 1, NULL, id)) AS m",
        "IF(id = 2, NULL, current_timestamp()) AS t",
        "IF(id = 0, NULL, current_date()) AS d",
        "id",
    )
    spec = inputs(ColSpec(Map("long"), "m"), ColSpec("datetime", "t"), ColSpec("datetime", "d"))
    for engine in ("auto", "arrow"):
        report = validate(frame, spec, engine=engine, row_key=["id"])  # type: ignore[arg-type]
        assert keys(report) == {"$.m[*]": [(1,)], "$.t": [(2,)], "$.d": [(0,)]}
        assert report.rows.violating == 3


def test_outputs_are_a_side_of_their_own(spark: SparkSession) -> None:
    both = ModelSignature(
        inputs=Schema([ColSpec("long", "a")]), outputs=Schema([ColSpec("long", "p")])
    )
    frame = spark.range(2).selectExpr("IF(id = 0, NULL, id) AS p")
    report = validate(frame, both, side="outputs")
    assert (report.side, violated(report)) == ("outputs", {("$.p", "null"): 1})
    with pytest.raises(SignatureError, match="side"):
        validate(frame, both, side="params")
