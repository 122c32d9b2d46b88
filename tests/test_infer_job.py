"""The job that infers: what it writes, its exit codes, and the examples that it draws."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from spark_sig import ModelSignature
from spark_sig.cli import app, run_infer
from spark_sig.example import InputExample
from tests.test_job import submit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]

# What a model may hold beside its signature, written as nobody's program would.
HEAD = b"# a model\nartifact_path:   'model'   # kept\nflavors: {python_function: {env: a}}\n"
OLD = b"""signature:
  inputs: '[{"type": "string", "name": "old", "required": true}]'
  outputs: null
  params: null
"""
TAIL = b'utc_time_created: "2024-01-31"  \r\nz: |\n  text\n'

# The table's schema as a signature document says it: `id` is NOT NULL, `price` has no NULL,
# `n` and `tags` have some.
FULL = [
    {"type": "long", "name": "id", "required": True},
    {"type": "double", "name": "price", "required": True},
    {"type": "integer", "name": "n", "required": False},
    {"type": "array", "items": {"type": "float"}, "name": "tags", "required": False},
]


@pytest.fixture(scope="module")
def place(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables; version 1 of `table` has 40 rows in several files, version 2 more."""
    folder = tmp_path_factory.mktemp("infer")
    table = folder / "table"
    spark.sql(
        f"CREATE TABLE delta.`{table}` (id BIGINT NOT NULL, price DOUBLE, n INT, "
        "tags ARRAY<FLOAT>) USING delta"
    )
    rows = spark.range(0, 40, 1, 3).selectExpr(
        "id",
        "id / 4D AS price",
        "IF(id % 3 = 0, NULL, CAST(id AS int)) AS n",
        "IF(id = 5, NULL, CAST(array(id / 3, 0.5) AS array<float>)) AS tags",
    )
    rows.write.format("delta").mode("append").save(str(table))  # version 1
    more = spark.range(40, 50).selectExpr(
        "id", "CAST(NULL AS double) AS price", "1 AS n", "array(1f) AS tags"
    )
    more.write.format("delta").mode("append").save(str(table))  # version 2
    odd = spark.range(3).selectExpr(
        "id",
        "CAST(id + 0.1 AS decimal(10,2)) AS money",
        "CAST(id AS decimal(8,0)) AS count",
        "make_dt_interval(CAST(id AS int)) AS span",
        "array(CAST(id AS float), 0.5f) AS v",
    )
    odd.write.format("parquet").save(str(folder / "odd"))
    return folder


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(spark: SparkSession, place: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; return its exit code, output and error output."""

    def runner(config: str | None = None, **flags: Any) -> tuple[int, str, str]:
        given = {"table": str(place / "table"), **flags}
        given = {name: value for name, value in given.items() if value is not None}
        code = run_infer(given, config, lambda: spark)
        told = capsys.readouterr()
        return code, told.out, told.err

    return runner


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a model."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_bytes(HEAD + OLD + TAIL)
    return folder


def _no_session() -> SparkSession:
    raise AssertionError("nothing may start Spark before the arguments are right")


def columns(document: str | dict[str, Any], side: str = "inputs") -> list[dict[str, Any]]:
    loaded = json.loads(document) if isinstance(document, str) else document
    found: list[dict[str, Any]] = json.loads(loaded[side])
    return found


# --- where the signature goes ---------------------------------------------------------------------


@pytest.mark.slow
def test_the_signature_is_the_last_line(run: Run) -> None:
    code, out, err = run(version=1)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("signature of ")
    assert any("NOT NULL constraint" in line for line in lines if "$.id " in line)
    assert any("0 nulls in 40 rows by statistics" in line for line in lines if "$.price" in line)
    assert columns(lines[-1]) == FULL
    assert json.loads(lines[-1])["params"] is None
    # a NULL came later
    newest = run()[1].splitlines()[-1]
    assert [c["required"] for c in columns(newest)] == [True, False, False, False]


def test_out(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "signature.json"
    code, out, err = run(version=1, out=str(target), report=f"{tmp_path}/reports/", run_id="run-7")
    assert (code, err) == (0, "")
    report = tmp_path / "reports" / "run-7.json"
    assert out.endswith(f"report: {report}\nsignature: {target}\n")
    assert columns(target.read_text()) == FULL
    again = tmp_path / "again.json"
    ModelSignature.load(target).save(again)
    assert target.read_bytes() == again.read_bytes()
    assert os.listdir(target.parent) == ["signature.json"]
    found = json.loads(report.read_text())
    assert found["signature"] == json.loads(target.read_text())
    assert found["source"]["version"] == 1
    assert found["scanned"] == ["tags"]
    assert {(f["path"], f["basis"]) for f in found["fields"]} == {
        ("$.id", "constraint"),
        ("$.price", "statistics"),
        ("$.n", "statistics"),
        ("$.tags", "scanned"),
        ("$.tags[*]", "scanned"),
    }
    assert os.listdir(report.parent) == ["run-7.json"]


@pytest.mark.slow
def test_out_on_any_storage(spark: SparkSession, run: Run, tmp_path: Path) -> None:
    conf = spark.sparkContext._jsc.hadoopConfiguration()
    # Hadoop's own local file system, under a name of its own: it keeps what it has once mounted.
    conf.set("fs.viewfs.mounttable.infer.link./i", tmp_path.as_uri())
    code, out, err = run(
        version=1, out="viewfs://infer/i/s.json", report="viewfs://infer/i", run_id="r"
    )
    assert (code, err) == (0, "")
    assert out.endswith("report: viewfs://infer/i/r.json\nsignature: viewfs://infer/i/s.json\n")
    assert columns((tmp_path / "s.json").read_text()) == FULL
    (tmp_path / "d.json").mkdir()
    code, out, err = run(version=1, out="viewfs://infer/i/d.json")
    assert (code, out) == (2, "")
    assert "Is a directory" in err
    code, out, err = run(version=1, out="nosuch://host/s.json")
    assert (code, out) == (1, "")
    assert "cannot write nosuch://host/s.json" in err


@pytest.mark.parametrize("form", ["{}", "{}/MLmodel", "file://{}"])
def test_into(run: Run, model: Path, form: str) -> None:
    code, out, err = run(version=1, columns=["id"], into=form.format(model))
    assert (code, err) == (0, "")
    assert out.endswith(f"signature: {model / 'MLmodel'}\n")
    made = (model / "MLmodel").read_bytes()
    # all around the block is what it was, to the byte
    assert made.startswith(HEAD)
    assert made.endswith(TAIL)
    assert b"old" not in made
    assert columns(ModelSignature.load(model).to_dict()) == FULL[:1]
    assert os.listdir(model) == ["MLmodel"]


def test_columns_outputs_and_params(run: Run) -> None:
    given = {"columns": ["id", "n"], "outputs": ["price"], "params": '{"k": 3, "names": ["a"]}'}
    code, out, _ = run(version=1, **given)
    assert code == 0
    document = json.loads(out.splitlines()[-1])
    assert columns(document) == [FULL[0], FULL[2]]
    assert columns(document, "outputs") == [FULL[1]]
    assert columns(document, "params") == [
        {"name": "k", "default": 3, "shape": None, "type": "long"},
        {"name": "names", "default": ["a"], "shape": [-1], "type": "string"},
    ]
    code, out, _ = run(version=1, exclude=["tags", "n"])
    assert (code, columns(out.splitlines()[-1])) == (0, FULL[:2])


def test_a_comma_is_part_of_a_name(spark: SparkSession, run: Run, tmp_path: Path) -> None:
    frame = spark.range(2).selectExpr("id AS `a,b`", "id AS a", "id AS b")
    frame.write.parquet(str(tmp_path / "t"))
    code, out, _ = run(table=str(tmp_path / "t"), columns=["a,b"])
    assert code == 0
    assert [c["name"] for c in columns(out.splitlines()[-1])] == ["a,b"]


def test_tensors_and_decimals(run: Run, place: Path) -> None:
    code, out, _ = run(table=str(place / "odd"), columns=["id", "v"], tensors=True)
    assert code == 0
    assert columns(out.splitlines()[-1]) == [
        {"name": "id", "type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}},
        {"name": "v", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}},
    ]
    code, out, _ = run(table=str(place / "odd"), columns=["money", "count"], decimal="double")
    assert code == 0
    assert [c["type"] for c in columns(out.splitlines()[-1])] == ["double", "integer"]


def test_the_file_and_flags_over_it(run: Run, place: Path, model: Path, tmp_path: Path) -> None:
    config = tmp_path / "infer.yaml"
    config.write_text(
        f"table: {place / 'table'}\ntimestamp: '2001-01-01'\ncolumns: [id, tags]\nexclude: tags\n"
        f"params: {{k: 1}}\ntensors: false\nrun_id: from-file\nreport: {tmp_path}/\ninto: {model}\n"
    )
    code, _, err = run(config=str(config), table=None)
    assert code == 1
    assert "no version at or before 2001-01-01" in err
    # a version takes the place of the file's time
    code, out, _ = run(config=str(config), table=None, version=1, run_id="flag")
    assert code == 0
    assert (tmp_path / "flag.json").exists()
    signature = ModelSignature.load(model)
    assert columns(signature.to_dict()) == FULL[:1]
    assert signature.params is not None
    # and --out that of its model
    before = (model / "MLmodel").read_bytes()
    target = tmp_path / "s.json"
    code, out, _ = run(
        config=str(config), version=1, columns=["price"], tensors=True, out=str(target)
    )
    assert code == 0
    assert out.endswith(f"report: {tmp_path}/from-file.json\nsignature: {target}\n")
    assert [(c["name"], c["type"]) for c in columns(target.read_text())] == [("price", "tensor")]
    assert (model / "MLmodel").read_bytes() == before


def test_the_shipped_configuration_is_one(run: Run) -> None:
    code, out, _ = run(config=str(ROOT / "conf" / "infer.yaml"), version=1)
    assert (code, columns(out.splitlines()[-1])) == (0, FULL)


# --- examples -------------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_an_example_is_that_of_its_version(
    spark: SparkSession, run: Run, place: Path, tmp_path: Path
) -> None:
    table = tmp_path / "t"
    base = spark.read.format("delta").option("versionAsOf", 1).load(str(place / "table"))
    base.repartition(5).write.format("delta").save(str(table))

    def drawn(name: str, source: Path = table) -> dict[str, bytes]:
        folder = tmp_path / name
        code, out, err = run(
            table=str(source), version=0, example=6, out=str(folder / "s.json"), params='{"k": 2}'
        )
        assert (code, err) == (0, "")
        assert f"example: {folder}/input_example.json\n" in out
        return files(folder)

    first = drawn("one")
    assert set(first) == {"s.json", "input_example.json", "serving_input_example.json"}
    document = json.loads(first["input_example.json"])
    assert document["params"] == {"k": 2}
    rows = document["inputs"]
    assert rows["columns"] == ["id", "price", "n", "tags"]
    assert len(rows["data"]) == 6
    for number, price, n, tags in rows["data"]:
        assert price == number / 4
        assert n is None if number % 3 == 0 else (n, type(n)) == (number, int)
        expected = None if number == 5 else [float(np.float32(number / 3)), 0.5]
        assert tags == expected
    assert drawn("two") == first
    spark.sql(f"OPTIMIZE delta.`{table}`")
    spark.sql(f"DELETE FROM delta.`{table}` WHERE id > 3")
    assert drawn("three") == first
    # the same rows in other files
    base.coalesce(1).orderBy("price", ascending=False).write.format("delta").save(
        str(tmp_path / "other")
    )
    assert drawn("four", tmp_path / "other") == first


@pytest.mark.slow
def test_an_example_of_more_rows_begins_with_those_of_fewer(run: Run, tmp_path: Path) -> None:
    def rows(count: int) -> list[Any]:
        folder = tmp_path / str(count)
        assert run(version=1, example=count, example_dir=str(folder))[0] == 0
        found: list[Any] = json.loads((folder / "input_example.json").read_text())["data"]
        return found

    three, all_rows = rows(3), rows(100)
    assert all_rows[:3] == three
    assert sorted(row[0] for row in all_rows) == list(range(40))
    # by hashes: neither the first rows nor in their order
    assert [row[0] for row in all_rows] != list(range(40))


@pytest.mark.slow
def test_an_example_for_a_model(run: Run, model: Path) -> None:
    code, out, err = run(version=1, example=5, into=str(model), params='{"k": 1}')
    assert (code, err) == (0, "")
    assert out.endswith(
        f"example: {model / 'input_example.json'}\nsignature: {model / 'MLmodel'}\n"
    )
    assert set(files(model)) == {"MLmodel", "input_example.json", "serving_input_example.json"}
    made = (model / "MLmodel").read_bytes()
    assert made.startswith(HEAD)
    assert made.endswith(TAIL)
    example = InputExample.load(model)
    assert isinstance(example.data, pd.DataFrame)
    assert str(example.data["n"].dtype) == "Int32"
    assert example.params == {"k": 1}
    example.check(ModelSignature.load(model))


def test_values_of_an_example_are_exact(spark: SparkSession, run: Run, tmp_path: Path) -> None:
    spark.sql(
        "SELECT 9007199254740993L AS l, CAST(NULL AS INT) AS i, CAST(0.1 AS float) AS f, "
        "X'FF00' AS b, TIMESTAMP'2024-01-31 12:00:00.123456Z' AS t, DATE'2024-02-29' AS d, "
        "map('k', CAST(NULL AS bigint), 'm', 9007199254740993L) AS m, "
        "named_struct('x', CAST(1 AS int), 'y', array(named_struct('z', 0.1f))) AS s, "
        "CAST('12.50' AS decimal(6,2)) AS money, array(CAST(7 AS decimal(4,0))) AS counts, "
        "CAST('NaN' AS double) AS nan, CAST(NULL AS double) AS gap, make_dt_interval(1) AS span"
    ).write.parquet(str(tmp_path / "t"))
    folder = tmp_path / "e"
    code, out, err = run(
        table=str(tmp_path / "t"),
        decimal="double",
        on_unsupported="any",
        example=2,
        example_dir=str(folder),
    )
    assert (code, err) == (0, "")
    document = json.loads((folder / "input_example.json").read_text())
    (row,) = document["data"]
    third = float(np.float32(0.1))
    assert dict(zip(document["columns"], row, strict=True)) == {
        "l": 9007199254740993,
        "i": None,
        "f": third,
        "b": "/wA=\n",
        "t": "2024-01-31T12:00:00.123456+00:00",
        "d": "2024-02-29T00:00:00",
        "m": {"k": None, "m": 9007199254740993},
        "s": {"x": 1, "y": [{"z": third}]},
        "money": 12.5,
        "counts": [7],
        "nan": "NaN",
        "gap": None,
    }
    # what is of any type stays out
    names = [c["name"] for c in columns(out.splitlines()[-1])]
    assert [name for name in names if name not in document["columns"]] == ["span"]


def test_rows_that_only_their_text_tells_apart(
    spark: SparkSession, run: Run, tmp_path: Path
) -> None:
    # xxhash64 takes neither maps nor the sign of a zero into account
    base = spark.sql("SELECT explode(array(0D, -0D)) AS x, map('a', 1) AS m")
    found = set()
    for name, ascending in (("up", True), ("down", False)):
        source = tmp_path / name
        frame = base.selectExpr("x", "m", "string(x) AS k").orderBy("k", ascending=ascending)
        frame.drop("k").coalesce(1).write.parquet(str(source))
        folder = tmp_path / f"{name}-example"
        assert run(table=str(source), example=1, example_dir=str(folder))[0] == 0
        found.add((folder / "input_example.json").read_text())
    assert len(found) == 1


def test_tensors_and_vectors_as_examples(spark: SparkSession, run: Run, tmp_path: Path) -> None:
    from pyspark.ml.linalg import Vectors

    rows = [
        (Vectors.dense([1.0, 2.5]), [[1, 2], [3, 4]]),
        (Vectors.sparse(2, {1: 4.0}), [[5, 6]] * 2),
    ]
    frame = spark.createDataFrame(rows, ["v", "a"])
    frame = frame.selectExpr("v", "CAST(a AS array<array<int>>) AS a")
    frame.write.parquet(str(tmp_path / "t"))
    given = {"table": str(tmp_path / "t"), "example": 2}
    code, out, err = run(**given, tensors=True, example_dir=str(tmp_path / "tensors"))
    assert (code, err) == (0, "")
    signature = ModelSignature.from_json(out.splitlines()[-1])
    data = InputExample.load(tmp_path / "tensors", signature).data
    assert {name: (a.dtype.name, a.shape) for name, a in data.items()} == {
        "v": ("float64", (2, 2)),
        "a": ("int32", (2, 2, 2)),
    }
    assert {tuple(row) for row in data["v"].tolist()} == {(1.0, 2.5), (0.0, 4.0)}
    code, out, err = run(**given, example_dir=str(tmp_path / "columns"))
    assert (code, err) == (0, "")
    document = json.loads((tmp_path / "columns" / "input_example.json").read_text())
    assert sorted(document["data"]) == [[[0.0, 4.0], [[5, 6]] * 2], [[1.0, 2.5], [[1, 2], [3, 4]]]]


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"table": "nosuch"}, "no table and no path 'nosuch'"),
        ({"version": 7}, "no version 7; the newest is 2"),
        ({"timestamp": "2001-01-01"}, "no version at or before 2001-01-01"),
    ],
)
def test_a_run_that_cannot_be_finished(
    run: Run, model: Path, tmp_path: Path, flags: dict[str, Any], words: str
) -> None:
    given = {"into": str(model), "report": str(tmp_path / "r.json"), "example": 2, **flags}
    code, out, err = run(**given)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == ["model"]
    assert files(model) == {"MLmodel": HEAD + OLD + TAIL}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"table": None}, "no table is given"),
        ({"decimal": "float"}, "expected one of refuse, double"),
        ({"on_unsupported": "mlflow"}, "expected one of raise, any"),
        ({"version": 0, "timestamp": "2024-01-01"}, "version or timestamp, not both"),
        ({"out": "s.json", "into": "m"}, "out or into, not both"),
        ({"out": "signature"}, "add .json; --into"),
        ({"out": "/dev/null/s.json"}, "cannot write the signature: Not a directory"),
        ({"report": "/dev/null/r.json"}, "cannot write the report: Not a directory"),
        ({"report": "r/", "run_id": "../up"}, "plain file name"),
        ({"into": "nosuch"}, "nosuch"),
        ({"into": "s3a://bucket/model"}, "on this machine"),
        ({"params": "[1]"}, "must be a JSON object"),
        ({"params": '{"a": [[1]]}'}, "a: "),
        ({"example": 0}, "expected 1 to 10,000"),
        ({"example": 3}, "give --into, --out or --example-dir"),
        ({"example": 3, "out": "s3a://b/s.json"}, "--example-dir"),
        ({"example": 3, "into": "m", "example_dir": "e"}, "the model's folder"),
        ({"example": 3, "example_dir": "/dev/null/e"}, "cannot write the example"),
        ({"example_dir": "e"}, "no example to write"),
        ({"columns": [1]}, "a list of names"),
        ({"tensors": 1}, "'tensors' must be bool"),
    ],
)
def test_arguments_are_refused_before_spark_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {name: value for name, value in {"table": "t", **flags}.items() if value is not None}
    assert run_infer(given, None, _no_session) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert words in told.err
    assert told.err.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"[", b"signature: {a: *b}\n", b"{run_id: a}\n"])
def test_a_model_that_cannot_be_rewritten(
    model: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (model / "MLmodel").write_bytes(content)
    assert run_infer({"table": "t", "into": str(model)}, None, _no_session) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert files(model) == {"MLmodel": content}


def test_a_setting_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "infer.yaml"
    config.write_text("table: t\ncolumn: [a]\n")
    assert run_infer({}, str(config), _no_session) == 2
    assert "did you mean 'columns'?" in capsys.readouterr().err


def test_a_column_that_there_is_not(run: Run, tmp_path: Path) -> None:
    for name in ("columns", "exclude", "outputs"):
        code, out, err = run(version=1, **{name: ["prize"]}, out=str(tmp_path / "s.json"))
        assert (code, out) == (2, "")
        assert f"{name} names no column 'prize'" in err
        assert "did you mean 'price'?" in err
    assert os.listdir(tmp_path) == []


def test_columns_that_no_signature_can_say(run: Run, place: Path, model: Path) -> None:
    odd = str(place / "odd")
    code, out, err = run(table=odd, into=str(model), example=1)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for words in ("$.money: decimal(10,2)", "$.span: ", "--exclude", "--decimal double"):
        assert words in err
    assert "--on-unsupported any" in err
    assert "on_unsupported" not in err
    assert "$.count" not in err
    assert files(model) == {"MLmodel": HEAD + OLD + TAIL}
    # the flags that are named do it
    assert run(table=odd, exclude=["money", "span"])[0] == 0
    assert run(table=odd, exclude=["span"], decimal="double")[0] == 0
    code, _, err = run(table=odd, decimal="double")
    assert code == 2
    assert "--decimal" not in err
    code, out, _ = run(table=odd, on_unsupported="any")
    assert code == 0
    types = {c["name"]: c["type"] for c in columns(out.splitlines()[-1])}
    assert (types["span"], types["money"], types["count"]) == ("any", "any", "integer")


def test_columns_that_are_no_tensors(run: Run) -> None:
    code, out, err = run(version=1, tensors=True, columns=["n"])
    assert (code, out) == (2, "")
    assert "$.n" in err
    assert "--exclude" in err
    assert "--no-tensors" in err


def test_no_rows_and_no_inputs_make_no_example(
    spark: SparkSession, run: Run, tmp_path: Path
) -> None:
    spark.range(0).write.parquet(str(tmp_path / "none"))
    spark.range(1).write.parquet(str(tmp_path / "some"))
    folder = str(tmp_path / "e")
    code, out, err = run(table=str(tmp_path / "none"), example=1, example_dir=folder)
    assert (code, out) == (2, "")
    assert "no rows" in err
    code, out, err = run(
        table=str(tmp_path / "some"), outputs=["id"], example=1, example_dir=folder
    )
    assert (code, out) == (2, "")
    assert "no inputs" in err
    assert not os.path.exists(folder)


@pytest.mark.slow
def test_what_cannot_be_written_in_the_end(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arguments were right: the run could not be finished, and the model is what it was."""

    def full(*_: Any) -> None:
        from spark_sig import SignatureError

        raise SignatureError("cannot write the example: No space left on device")

    monkeypatch.setattr(InputExample, "save", full)
    code, out, err = run(version=1, into=str(model), example=2)
    assert code == 1
    assert out.startswith("signature of ")
    assert err == "error: cannot write the example: No space left on device\n"
    assert files(model) == {"MLmodel": HEAD + OLD + TAIL}


# --- the command line -----------------------------------------------------------------------------


def test_the_command_line(spark: SparkSession, place: Path, tmp_path: Path) -> None:
    runner = CliRunner()

    def invoke(*arguments: str) -> tuple[int, str]:
        done = runner.invoke(app, ["infer", *arguments], obj=lambda: spark)
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.stdout

    where = ("--table", str(place / "table"), "--version", "1")
    target = tmp_path / "s.json"
    code, out = invoke(
        *where,
        *("--columns", "id", "--columns", "n", "--exclude", "n", "--outputs", "price"),
        *("--params", '{"k": 1}', "--no-tensors", "--decimal", "refuse"),
        *("--on-unsupported", "raise", "--out", str(target), "--report", f"{tmp_path}/"),
        *("--run-id", "r", "--example", "2", "--example-dir", str(tmp_path / "e")),
    )
    assert code == 0
    assert columns(target.read_text()) == FULL[:1]
    assert columns(target.read_text(), "outputs") == FULL[1:2]
    assert set(os.listdir(tmp_path)) == {"s.json", "r.json", "e"}
    code, out = invoke(*where)
    assert (code, columns(out.splitlines()[-1])) == (0, FULL)
    assert invoke(*where, "--policy", "mlflow")[0] == 2
    assert invoke(*where, "--out", "a.json", "--into", "b")[0] == 2
    assert invoke("--table", "nosuch")[0] == 1
    assert invoke()[0] == 2
    assert invoke("--help")[0] == 0


@pytest.mark.slow
def test_spark_submit(root: Path, place: Path, model: Path) -> None:
    where = ("--table", str(place / "table"), "--version", "1")
    done = submit(root, "jobs/infer.py", *where, "--into", str(model), "--example", "3")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("signature of ")
    assert done.stdout.endswith(f"signature: {model / 'MLmodel'}\n")
    assert columns(ModelSignature.load(model).to_dict()) == FULL
    InputExample.load(model).check(ModelSignature.load(model))
    # quiet where there is no terminal: what is left is spark-submit's own
    assert "error" not in done.stderr.lower()
    assert "inferring" not in done.stderr
