"""Bad input: one clear error that names the place, in good time, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_sig import (
    AnyType,
    Array,
    ColSpec,
    ModelSignature,
    Object,
    Policy,
    Property,
    Schema,
    SignatureError,
    enforce_signature,
    split,
    validate,
)
from spark_sig.cli import run_validate
from spark_sig.errors import SourceError, ViolationError
from spark_sig.settings.score import score_settings
from spark_sig.settings.validate import validate_settings
from tests.conftest import RAISED, spark_version

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
DOCUMENT = '{"inputs": "[{\\"type\\": \\"long\\", \\"name\\": \\"id\\"}]"}'


def inputs(*specs: ColSpec) -> ModelSignature:
    return ModelSignature(inputs=Schema(list(specs)))


LONG = inputs(ColSpec("long", "id"))


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    assert "Traceback" not in text
    assert len(text) < 600
    return text


# --- configuration -------------------------------------------------------------------------------

CONFIGS: dict[str, tuple[str, str]] = {
    "unknown": ("tabel: x", "did you mean 'table'"),
    "far from any": ("zzz: 1", "unknown setting 'zzz'"),
    "no mapping": ("- table", "must be a mapping"),
    "text": ("hello", "must be a mapping"),
    "wrong type": ("version: newest", "'version' must be int"),
    "boolean number": ("min_rows: true", "'min_rows' must be int"),
    "rows below none": ("min_rows: -5", "0 or more"),
    "share above all": (
        "conformed: c\nquarantine: q\nmax_violations: 200%",
        "max_violations",
    ),
    "date": ("timestamp: 2024-01-31", "'timestamp' must be str"),
    "no date": ("timestamp: 2024-13-45", "no plain YAML"),
    "choice": ("engine: spark", "expected one of auto, catalyst, arrow"),
    "policy": ("policy: loose", "unknown policy 'loose'"),
    "policy field": ("casts: wild", "expected one of safe, lossless, exact"),
    "policy number": ("examples: many", "policy.examples must be int"),
    "policy flag": ("fill_missing: 1", "policy.fill_missing must be bool"),
    "duplicate": ("side: inputs\nengine: auto\nside: outputs", "'side' is there again in line 3"),
    "nested duplicate": ("params:\n  a: 1\n  a: 2", "'a' is there again in line 3"),
    "tag": ("table: !!python/object/apply:os.system [true]", "no plain YAML"),
    "alias": ("a: &x [1]\nb: *x", "an alias"),
    "bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "an alias"),
    "list as key": ("[a, b]: 1", "no plain YAML"),
    "unclosed": ("table: [", "no plain YAML"),
    "control": ("table: \x07", "no plain YAML"),
    "two documents": ("table: x\n---\ntable: y", "no plain YAML"),
    "deep": ("params: " + "[" * 20_000, "no plain YAML"),
    "huge": ("x" * 300_000, "too large"),
    "many keys": ("\n".join(f"k{i}: 1" for i in range(20_000)), "unknown setting 'k0'"),
    "digits": ("min_rows: " + "9" * 5_000, "no plain YAML"),
    "both": ("version: 1\ntimestamp: '2024-01-01'", "not both"),
    "params": ("params: '{\"a\": NaN}'", "NaN is no JSON"),
    "params list": ("params: '[1]'", "must be a JSON object"),
}


@pytest.mark.timeout(120)  # a bomb would take days
@pytest.mark.parametrize("case", list(CONFIGS))
def test_hostile_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    text, words = CONFIGS[case]
    config = tmp_path / "validate.yaml"
    config.write_text(text)
    flags = {"table": "t", "signature": DOCUMENT}
    with pytest.raises(SignatureError) as caught:
        validate_settings(flags, str(config))
    assert words in one_line(caught.value)
    # The command says the same, and starts no Spark for it.
    report = tmp_path / "report.json"
    assert run_validate({**flags, "report": str(report)}, str(config), _no_session) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert not report.exists()


def _no_session() -> SparkSession:
    raise AssertionError("nothing may start Spark before the arguments are right")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"\xff\xfe", "cannot be read"),
        (b"table: \x00", "no plain YAML"),
    ],
)
def test_a_configuration_that_cannot_be_read(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    config = tmp_path / "validate.yaml"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(SignatureError, match=words) as caught:
        validate_settings({}, str(config))
    assert str(config) in one_line(caught.value)
    with pytest.raises(SignatureError, match="cannot be read"):
        validate_settings({}, str(tmp_path))
    with pytest.raises(SignatureError, match="null byte"):
        validate_settings({}, "a\0b")


def test_the_file_of_a_job_serves_its_preflight(tmp_path: Path) -> None:
    config = tmp_path / "score.yaml"
    config.write_text("model: m\ntable: t\nout: o\nreport: r.json\nopenlineage: true\n")
    assert score_settings({"preflight": True}, str(config)).preflight
    with pytest.raises(SignatureError, match="report does not go with --preflight"):
        score_settings({"preflight": True, "report": "r.json"}, str(config))
    config.write_text("model: m\ntable: t\npreflight: true\nopenlineage: true\n")
    with pytest.raises(SignatureError, match="openlineage does not go with --preflight"):
        score_settings({}, str(config))


def test_what_is_left_out_and_what_is_null_are_the_same(tmp_path: Path) -> None:
    config = tmp_path / "validate.yaml"
    config.write_text(f"table: t\nsignature: '{DOCUMENT}'\nversion:\nreport: null\nrow_key: id\n")
    settings = validate_settings({}, str(config))
    assert (settings.table, settings.version, settings.report) == ("t", None, None)
    assert settings.row_key == ("id",)
    for missing in ("table", "signature"):
        flags = {"table": "t", "signature": "s"}
        del flags[missing]
        with pytest.raises(SignatureError, match=f"no {missing} is given"):
            validate_settings(flags, None)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("{", "line 1"),
        ("[]", "signature"),
        ("{}", "signature"),
        ('{"inputs": "[]"}', "at least one column"),
        ('{"inputs": "[{\\"type\\": \\"lnog\\", \\"name\\": \\"a\\"}]"}', "$.inputs[0].type"),
        ('{"inputs": "[{\\"type\\": \\"long\\"", "outputs": null}', "$.inputs"),
        ('{"inputs": 5}', "$.inputs"),
        ('{"inputs": "' + "[" * 5_000 + '"}', "too deeply"),
        ("nosuch.json", "nosuch.json"),
        ("", "no signature is given"),
        ("\0", "null"),
    ],
)
def test_malformed_signatures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], signature: str, words: str
) -> None:
    report = tmp_path / "report.json"
    flags = {"table": "t", "signature": signature, "report": str(report)}
    assert run_validate(flags, None, _no_session) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert told.err.count("\n") == 1
    assert (told.out, os.listdir(tmp_path)) == ("", [])


# --- names ---------------------------------------------------------------------------------------


def test_missing_and_misspelt_columns(spark: SparkSession) -> None:
    frame = spark.range(1).selectExpr("id AS customer_id", "'x' AS `unit price`", "1 AS Total")
    signature = inputs(
        ColSpec("long", "custmer_id"),
        ColSpec("string", "unit_price"),
        ColSpec("integer", "total"),
        ColSpec("long", "nothing like it"),
    )
    found = {
        "$.custmer_id": "did you mean 'customer_id'?",
        "$.unit_price": "did you mean 'unit price'?",
        "$.total": "did you mean 'Total'?",
        "$['nothing like it']": "",
    }
    with pytest.raises(ViolationError) as caught:
        frame.transform(enforce_signature(signature))
    assert {v.path: v.remedy for v in caught.value.violations} == found
    assert {v.code.value for v in caught.value.violations} == {"missing_column"}
    assert all(hint in str(caught.value) for hint in found.values())
    report = validate(frame, signature)
    assert {v.path: v.remedy for v in report.violations} == found
    inside = spark.range(1).selectExpr("named_struct('pirce', id, 'b', id) AS st")
    members = Object([Property("price", "long"), Property("b", "long")])
    seen = {
        (v.path, v.code.value) for v in validate(inside, inputs(ColSpec(members, "st"))).violations
    }
    assert seen == {("$.st.price", "missing_property"), ("$.st.pirce", "extra_property")}


def test_duplicate_column_names(spark: SparkSession) -> None:
    twice = spark.range(1).selectExpr("id", "id + 1 AS id", "id AS other")
    for action in (
        lambda: validate(twice, LONG),
        lambda: twice.transform(enforce_signature(LONG)),
        lambda: validate(twice, LONG, engine="arrow"),
    ):
        with pytest.raises(SignatureError, match="more than one column named 'id'") as caught:
            action()
        assert caught.value.path == "$.id"
        one_line(caught.value)
    case = spark.range(1).selectExpr("id", "id + 1 AS ID")
    assert validate(case, LONG).conforms
    with pytest.raises(SignatureError, match="differ in case only"):
        validate(case, LONG, policy=Policy(case="insensitive"))
    for name in ("_violations", "_original"):
        taken = spark.range(1).selectExpr("id", f"id AS {name}")
        tagging = enforce_signature(LONG, policy=Policy(on_violation="tag"))
        with pytest.raises(SignatureError, match=name):
            taken.transform(tagging)
        assert validate(taken, LONG).conforms
    with pytest.raises(SignatureError, match="_violations, _original"):
        split(spark.range(1))


NAMES = [
    "a.b",
    "a b",
    "`",
    "a``b",
    "it's",
    '"',
    "\\",
    "世界",
    "\n",
    "${x}",
    "*",
    "a.`b`",
    "--",
    "%s",
]


@pytest.mark.parametrize("engine", ["catalyst", "arrow"])
def test_names_that_need_quotes(spark: SparkSession, engine: Any) -> None:
    # NULL in the last column of the row in the middle
    columns = [f"id AS c{i}" for i in range(len(NAMES) - 1)]
    frame = spark.range(3).selectExpr(*columns, "IF(id = 1, NULL, id) AS last").toDF(*NAMES)
    signature = inputs(*[ColSpec("long", name) for name in NAMES])
    report = validate(frame, signature, engine=engine, row_key=NAMES[:3])
    (violation,) = report.violations
    assert violation.path == "$['%s']"
    assert [c.count for c in report.checks if c.violated] == [1]
    tagging = enforce_signature(signature, policy=Policy(on_violation="tag"), engine=engine)
    good, bad = split(frame.transform(tagging))
    assert (good.columns, bad.columns) == (NAMES, [*NAMES, "_violations"])
    assert [tuple(r) for r in good.collect()] == [(i,) * len(NAMES) for i in (0, 2)]
    (row,) = bad.collect()
    assert row[:-1] == (*(1,) * (len(NAMES) - 1), None)
    assert [tuple(v)[:2] for v in row[-1]] == [("$['%s']", "null")]
    raising = enforce_signature(signature, engine=engine)
    with pytest.raises(Exception, match=r"\$\['%s'\]: null: expected long"):
        frame.transform(raising).collect()


def test_two_thousand_columns(spark: SparkSession) -> None:
    names = [f"c{i}" for i in range(2_000)]
    frame = spark.range(4).selectExpr(
        *[f"id + {i} AS {name}" for i, name in enumerate(names[:-1])],
        "IF(id = 2, NULL, id) AS c1999",
    )
    signature = inputs(*[ColSpec("long", name) for name in names])
    report = validate(frame, signature, row_key=["c0"])
    assert [(c.path, c.count) for c in report.checks if c.violated] == [("$.c1999", 1)]
    assert [e.key for c in report.checks for e in c.examples] == [(2,)]
    assert len(report.checks) == 2_000
    # None of them is there: all are listed.
    other = inputs(*[ColSpec("long", f"d{i}") for i in range(2_000)])
    assert len(validate(frame, other).violations) == 2_000


# --- types that no signature has -----------------------------------------------------------------

OPAQUE = {
    "INTERVAL '1' DAY": "interval day",
    "INTERVAL '1' MONTH": "interval month",
    "NULL": "void",
    "named_struct('v', NULL)": "struct<v:void>",
}
if spark_version() >= (4, 0):
    OPAQUE |= {"parse_json('1')": "variant", "array(parse_json('1'))": "array<variant>"}


@pytest.mark.parametrize("expression", list(OPAQUE))
def test_unsupported_spark_types(spark: SparkSession, expression: str) -> None:
    frame = spark.range(2).selectExpr("id", f"{expression} AS odd")
    wanted = inputs(ColSpec("long", "id"), ColSpec("string", "odd"))
    # as a target
    (violation,) = validate(frame, wanted).violations
    assert (violation.path, violation.code.value) == ("$.odd", "type")
    assert violation.observed == OPAQUE[expression]
    with pytest.raises(ViolationError, match=r"\$\.odd: type"):
        frame.transform(enforce_signature(wanted))
    # as an extra column: it is dropped, or stays as it is
    for engine in ("auto", "arrow"):
        assert validate(frame, LONG, engine=engine).conforms  # type: ignore[arg-type]
        dropped = frame.transform(enforce_signature(LONG, engine=engine))  # type: ignore[arg-type]
        assert [tuple(r) for r in dropped.collect()] == [(0,), (1,)]
    kept = frame.transform(enforce_signature(LONG, policy=Policy(extra="keep")))
    assert kept.schema["odd"].dataType == frame.schema["odd"].dataType
    assert kept.count() == 2
    # as anything
    anything = inputs(ColSpec("long", "id"), ColSpec(AnyType(), "odd", required=False))
    assert validate(frame, anything).conforms
    assert frame.transform(enforce_signature(anything)).count() == 2


@pytest.mark.parametrize("expression", list(OPAQUE))
def test_unsupported_spark_types_among_tags(spark: SparkSession, expression: str) -> None:
    frame = spark.range(2).selectExpr("IF(id = 1, NULL, id) AS id", f"{expression} AS odd")
    policy = Policy(on_violation="tag")
    tagged = frame.transform(enforce_signature(LONG, policy=policy))
    good, bad = split(tagged)
    assert (good.count(), bad.count()) == (1, 1)
    assert bad.schema["odd"].dataType == frame.schema["odd"].dataType
    # Python cannot have it: one error, when the frame is transformed.
    if "array" in expression or "struct" in expression:
        return
    lists = frame.selectExpr("*", "array(id) AS l")
    signature = inputs(ColSpec("long", "id"), ColSpec(Array("long"), "l"))
    for engine in ("auto", "arrow"):
        with pytest.raises(SignatureError, match="cannot be shipped to Python") as caught:
            lists.transform(
                enforce_signature(signature, policy=policy, engine=engine)  # type: ignore[arg-type]
            )
        assert caught.value.path == "$.odd"
        assert OPAQUE[expression] in one_line(caught.value)
    assert validate(lists, signature).rows.violating == 1


# --- sources -------------------------------------------------------------------------------------


def test_tables_and_versions_that_are_not_there(spark: SparkSession, tmp_path: Path) -> None:
    table = str(tmp_path / "t")
    spark.range(3).write.format("delta").save(table)
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "words.txt"
    text.write_text("words")
    for data, words in (
        (str(tmp_path / "nosuch"), "PATH_NOT_FOUND"),
        (tmp_path / "nosuch", "PATH_NOT_FOUND"),
        ("nosuch", "no table and no path 'nosuch'"),
        ("nosuch.table", "no table and no path"),
        ("a b; drop", "no table and no path"),
        ("", "no table and no path"),
        (str(empty), "no Delta table and no Parquet"),
        (str(text), "no Delta table and no Parquet|cannot be read"),
        ("nosuch://host/t", "nosuch"),
    ):
        with pytest.raises(SourceError, match=words) as caught:
            validate(data, LONG)
        assert str(data) in one_line(caught.value)
    for version in (1, -1, 2**40, 2**70):
        with pytest.raises(SourceError, match=f"no version {version}; the newest is 0"):
            validate(table, LONG, version=version)


def test_a_table_without_columns(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "t")
    spark.sql(f"CREATE TABLE delta.`{path}` USING delta")
    report = validate(path, LONG)
    assert [(v.path, v.code.value) for v in report.violations] == [("$.id", "missing_column")]
    assert report.source.version == 0
    bare = spark.range(3).select()
    assert [v.path for v in validate(bare, LONG).violations] == ["$.id"]
    with pytest.raises(ViolationError, match=r"\$\.id: missing_column"):
        bare.transform(enforce_signature(LONG))
    optional = inputs(ColSpec("long", "id", required=False))
    assert validate(bare, optional).rows.total == 3


def test_a_damaged_log_is_an_error_and_no_parquet(spark: SparkSession, tmp_path: Path) -> None:
    for damage in ("no json", "gone", "data"):
        path = tmp_path / damage
        spark.range(3).write.format("delta").save(str(path))
        log = path / "_delta_log"
        for checksum in log.glob(".*.crc"):
            checksum.unlink()
        first = log / f"{0:020}.json"
        if damage == "no json":
            first.write_text("{")
        elif damage == "gone":
            for file in log.glob("*.*"):
                file.unlink()
        else:
            for file in path.glob("*.parquet"):
                file.unlink()
        with pytest.raises(SourceError) as caught:
            # the log alone would prove it
            validate(path, LONG, stats=False)
        text = one_line(caught.value)
        assert "calling o" not in text


def test_what_fails_while_it_is_read(spark: SparkSession) -> None:
    """The line that says what is wrong, out of pages of plans and traces."""

    def broken(batches):  # type: ignore[no-untyped-def]
        raise RuntimeError("the feed is broken")

    python = spark.range(3).mapInArrow(broken, "id long")
    failing = spark.range(3).selectExpr("CAST(if(id = 1, raise_error('no'), id) AS bigint) AS id")
    for frame, words in (
        (python, "RuntimeError: the feed is broken"),
        (failing, f"{RAISED} (values are not shown)"),
    ):
        for engine in ("auto", "arrow"):
            with pytest.raises(SourceError, match="the source cannot be read") as caught:
                validate(frame, LONG, engine=engine)  # type: ignore[arg-type]
            assert words in one_line(caught.value)


# --- the report's place --------------------------------------------------------------------------


def test_an_unwritable_report_is_found_before_the_scan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    flags = {"table": str(tmp_path / "t"), "signature": DOCUMENT}
    for place, words in (
        (str(tmp_path / "file" / "report.json"), "Not a directory"),
        (str(tmp_path / "file" / "deeper" / "report.json"), "Not a directory"),
        ("/dev/null/report.json", "Not a directory"),
        (str(tmp_path / "a\0b"), "null"),
    ):
        assert run_validate({**flags, "report": place}, None, _no_session) == 2
        told = capsys.readouterr()
        assert "cannot write the report" in told.err
        assert words in told.err
        assert told.err.count("\n") == 1
    assert run_validate({**flags, "report": "r/", "run_id": "../up"}, None, _no_session) == 2
    assert "plain file name" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_leave_to_write(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    flags = {"table": "t", "signature": DOCUMENT, "report": str(locked / "r.json")}
    assert run_validate(flags, None, _no_session) == 2


def test_storage_that_cannot_be_reached_is_found_before_the_scan(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {
        "table": str(tmp_path / "nosuch"),
        "signature": DOCUMENT,
        "report": "nosuch://host/report.json",
    }
    assert run_validate(flags, None, lambda: spark) == 1
    told = capsys.readouterr()
    assert told.err.startswith("error: cannot write nosuch://host/report.json")
    assert told.err.count("\n") == 1


# --- workers -------------------------------------------------------------------------------------

PROGRAM = """
import sys
from jobs.session import build_session
from spark_sig import Array, ColSpec, ModelSignature, Schema, validate
from spark_sig.errors import SourceError

spark = build_session("no pyarrow")
signature = ModelSignature(inputs=Schema([ColSpec(Array("long"), "l")]))
try:
    validate(spark.range(3).selectExpr("array(id, NULL) AS l"), signature)
except SourceError as error:
    print("told:", error)
spark.stop()
"""


@pytest.mark.slow
def test_a_worker_without_pyarrow(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True, timeout=120
    )
    env = {**os.environ, "PYSPARK_PYTHON": str(bare / "bin" / "python"), "PYTHONPATH": str(ROOT)}
    env["PYSPARK_DRIVER_PYTHON"] = sys.executable
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = [line for line in done.stdout.splitlines() if line.startswith("told:")]
    assert len(told) == 1
    assert "the Python of Spark's workers has no" in told[0]
    assert "PYSPARK_PYTHON" in told[0]
