"""Scoring on real models of MLflow's: every row enforced, in one pass, whatever the batches."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_sig import (
    Array,
    ColSpec,
    ModelSignature,
    Object,
    ParamSchema,
    ParamSpec,
    Policy,
    Property,
    Schema,
    SignatureError,
    TensorSpec,
    enforce_signature,
    preflight,
    score,
    split,
)
from spark_sig.errors import ViolationError
from spark_sig.signature import load_signature
from spark_sig.types import AnyType, ColumnType, Map

mlflow = pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")

from mlflow.exceptions import MlflowException  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402

from spark_sig.integrations.mlflow import artifacts  # noqa: E402
from spark_sig.integrations.mlflow.native import refuse_skipping  # noqa: E402
from spark_sig.integrations.mlflow.scoring import Scoring  # noqa: E402
from tests.mlflow_models import ADVICE, save_function  # noqa: E402

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
pytestmark = [pytest.mark.filterwarnings(advice) for advice in ADVICE]

Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save a function as a model; returns its folder."""

    def made(
        function: Callable[..., Any],
        inputs: Schema,
        outputs: Schema,
        params: ParamSchema | None = None,
        log: str = "",
    ) -> str:
        folder = tmp_path / f"model-{len(list(tmp_path.iterdir()))}"
        return save_function(folder, function, ModelSignature(inputs, outputs, params), log)

    return made


LONG = Schema([ColSpec("long", "a")])
DOUBLE = Schema([ColSpec("double")])


def column(frame: DataFrame, name: str = "prediction") -> list[Any]:
    return [row[name] for row in frame.select(name).collect()]


@pytest.mark.slow
def test_a_sklearn_model_scores_every_row(spark: SparkSession, tmp_path: Path) -> None:
    frame, target = datasets.load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(frame, target)
    predicted = model.predict(frame)
    folder = str(tmp_path / "iris")
    signature = mlflow.models.infer_signature(frame, predicted)
    mlflow.sklearn.save_model(model, folder, signature=signature)
    given = spark.createDataFrame(frame.assign(row=range(len(frame)))).repartition(3)
    scored = score(given, folder)
    assert scored.columns == [*frame.columns, "row", "prediction"]
    assert scored.schema["prediction"].dataType.simpleString() == "bigint"
    found = scored.toPandas().sort_values("row")
    assert found["prediction"].tolist() == predicted.tolist()
    # in any order, integers where doubles are wanted, columns that it does not name beside
    shuffled = given.select("row", *reversed(frame.columns)).withColumn("more", given["row"] * 2)
    assert sorted(map(tuple, score(shuffled, folder, keep=["row"]).collect())) == sorted(
        enumerate(predicted.tolist())
    )


def test_what_the_model_is_given(spark: SparkSession, save: Save) -> None:
    """Types as MLflow's enforcement would leave them on the driver, in every batch the same."""
    inputs = Schema(
        [
            ColSpec("double", "d"),
            ColSpec("long", "l"),
            ColSpec("integer", "gaps", False),
            ColSpec("string", "s", False),
            ColSpec("boolean", "b"),
            ColSpec("datetime", "t"),
            ColSpec("datetime", "n"),
            ColSpec(Array("double"), "xs"),
            ColSpec(Object([Property("k", "string"), Property("m", Array("long"))]), "o"),
            ColSpec("binary", "raw"),
            ColSpec(Array(Object([Property("at", "datetime")])), "ts"),
        ]
    )

    def told(frame: Any, params: Any) -> list[str]:
        assert isinstance(frame, pd.DataFrame)
        dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
        cells = frame.iloc[0]
        types = {name: type(cells[name]).__name__ for name in ("xs", "o", "raw", "s")}
        types["m"] = type(cells["o"]["m"]).__name__
        inside = pd.Timestamp(cells["ts"][0]["at"])
        seen = [dtypes, types, cells["o"]["k"], *map(str, (cells["t"], cells["n"], inside))]
        return [json.dumps(seen)] * len(frame)

    model = save(told, inputs, Schema([ColSpec("string")]))
    spark.conf.set("spark.sql.session.timeZone", "Asia/Seoul")
    try:
        frame = spark.sql("""
            SELECT 1.5f AS d, 2 AS l, CAST(NULL AS int) AS gaps, 'x' AS s, true AS b,
                   timestamp'2024-01-02 03:04:05' AS t, timestamp_ntz'2024-01-02 03:04:05' AS n,
                   array(1f, 2f) AS xs, named_struct('m', array(1, 2), 'k', 'v') AS o,
                   X'00ff' AS raw,
                   array(named_struct('at', timestamp'2024-01-02 03:04:05')) AS ts""")
        dtypes, types, k, *moments = json.loads(column(score(frame, model))[0])
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert dtypes == {
        **{"d": "float64", "l": "int64", "gaps": "Int32", "s": "object", "b": "bool"},
        **dict.fromkeys(("t", "n"), "datetime64[ns]"),
        **dict.fromkeys(("xs", "o", "raw", "ts"), "object"),
    }
    assert types == {"xs": "ndarray", "o": "dict", "raw": "bytes", "s": "str", "m": "ndarray"}
    assert (k, moments) == ("v", ["2024-01-02 03:04:05"] * 3)


@pytest.mark.parametrize(
    ("spec", "sql", "expected"),
    [
        (TensorSpec("uint8", (-1, 2, 2)), "array(array(1s, 2s), array(3s, small))", (4, 2, 2)),
        (TensorSpec("uint8", (-1, 2, 2)), "array(1s, 2s, 3s, small)", (4, 2, 2)),
        (TensorSpec("float64", (-1, -1, 2)), "array(array(1D, 2D), array(3D, d))", (4, 2, 2)),
        (TensorSpec("float32", (-1,)), "CAST(id AS float)", (4,)),
        (TensorSpec("float32", (-1, 1)), "CAST(id AS float)", (4, 1)),
        (TensorSpec("int64", (-1, 3)), "array(id, id, id)", (4, 3)),
        (TensorSpec("bool", (-1, 1)), "array(id > 1)", (4, 1)),
        (TensorSpec("datetime64[us]", (-1,)), "timestamp_ntz'2024-01-02'", (4,)),
        (TensorSpec("str", (-1,)), "CAST(id AS string)", (4,)),
        (TensorSpec("uint64", (-1,)), "CAST(id AS decimal(20, 0))", (4,)),
    ],
)
def test_tensors_come_as_one_array(
    spark: SparkSession, save: Save, spec: TensorSpec, sql: str, expected: tuple[int, ...]
) -> None:
    def told(array: Any, params: Any) -> Any:
        assert isinstance(array, np.ndarray)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        said = json.dumps([array.dtype.name, list(array.shape), str(array[-1].ravel()[-1])])
        return np.array([said] * len(array))

    model = save(told, Schema([spec]), Schema([TensorSpec("str", (-1,))]))
    given = spark.range(0, 4, 1, 1)
    given = given.selectExpr("id", "CAST(id AS smallint) AS small", "CAST(id AS double) AS d")
    frame = given.selectExpr(f"{sql} AS x")
    said = {tuple(map(str, json.loads(text)[:2])) for text in column(score(frame, model))}
    name = np.empty(0, spec.type).astype(spec.type).dtype.name
    if spec.type.kind != "U":
        assert said == {(name, str(list(expected)))}
    else:
        assert {shape for _, shape in said} == {str(list(expected))}
    last = json.loads(column(score(frame, model))[0])[2]
    assert last in ("3", "3.0", "True", "2024-01-02T00:00:00.000000")


def test_columns_that_stand_side_by_side_are_a_tensor(spark: SparkSession, save: Save) -> None:
    model = save(
        lambda array, params: array @ np.array([1.0, 10.0]),
        Schema([TensorSpec("float64", (-1, 2))]),
        Schema([TensorSpec("float64", (-1,))]),
    )
    frame = spark.range(3).selectExpr("id + 0.5D AS a", "CAST(id AS double) AS b")
    assert sorted(column(score(frame, model))) == [0.5, 11.5, 22.5]


@pytest.mark.parametrize("shape", [(-1, 2), (-1, 2, 1)])
def test_text_in_tensors_is_never_cut(
    spark: SparkSession, save: Save, shape: tuple[int, ...]
) -> None:
    """Not to the width of the first, side by side; and NumPy takes NUL at the end for padding."""
    model = save(
        lambda array, params: np.array([json.dumps(row.ravel().tolist()) for row in array]),
        Schema([TensorSpec("str", shape)]),
        Schema([TensorSpec("str", (-1,))]),
    )
    cells = ("CONCAT('a', ch)", "CONCAT(ch, 'bcd')")
    nested = [f"array(array({cells[0]}), array({cells[1]})) AS xy"]
    columns = nested if len(shape) > 2 else [f"{cell} AS c{at}" for at, cell in enumerate(cells)]
    given = spark.sql("SELECT char(0) AS ch").selectExpr(*columns)
    with pytest.raises(Exception, match=r"\$.*: cast: expected str.*text that ends in NUL"):
        score(given, model).collect()
    given = spark.sql("SELECT 'abc' AS ch").selectExpr(*columns)
    assert column(score(given, model)) == [json.dumps(["aabc", "abcbcd"])]


def test_named_tensors_come_as_a_dict_and_go_as_columns(spark: SparkSession, save: Save) -> None:
    model = save(
        lambda given, params: {"sum": given["x"].sum(axis=1) + given["y"], "twice": given["x"] * 2},
        Schema([TensorSpec("float64", (-1, 2), "x"), TensorSpec("float64", (-1,), "y")]),
        Schema([TensorSpec("float64", (-1, 2), "twice"), TensorSpec("float64", (-1,), "sum")]),
    )
    frame = spark.range(1).selectExpr("array(1D, 2D) AS x", "4D AS y")
    assert [tuple(row) for row in score(frame, model).collect()] == [
        ([1.0, 2.0], 4.0, [2.0, 4.0], 7.0)
    ]


def test_ragged_tensors_come_as_arrays_of_arrays(spark: SparkSession, save: Save) -> None:
    model = save(
        lambda array, params: np.array([float(part.sum()) for part in array]),
        Schema([TensorSpec("float64", (-1, -1))]),
        Schema([TensorSpec("float64", (-1,))]),
    )
    frame = spark.range(4).selectExpr("transform(sequence(0, id), x -> CAST(x AS double)) AS x")
    assert sorted(column(score(frame, model))) == [0.0, 1.0, 3.0, 6.0]


def test_ml_vectors_come_dense(spark: SparkSession, save: Save) -> None:
    from pyspark.ml.linalg import Vectors

    model = save(
        lambda array, params: array.sum(axis=1),
        Schema([TensorSpec("float64", (-1, 3))]),
        Schema([TensorSpec("float64", (-1,))]),
    )
    rows = [(Vectors.dense(1, 2, 3),), (Vectors.sparse(3, {1: 5.0}),)]
    frame = spark.createDataFrame(rows, ["features"])
    assert sorted(column(score(frame, model, keep=[]))) == [5.0, 6.0]


def test_a_map_with_a_key_twice_is_refused(spark: SparkSession, save: Save, tmp_path: Path) -> None:
    """Spark makes none, but reads those that others have written."""
    model = save(
        lambda frame, params: [sum(cell.values()) for cell in frame["m"]],
        Schema([ColSpec(Map("double"), "m")]),
        DOUBLE,
    )
    cells = pa.array([[("a", 1.0)], [("a", 1.0), ("a", 2.0)]], pa.map_("string", "double"))
    pq.write_table(pa.table({"m": cells, "id": [0, 1]}), tmp_path / "maps.parquet")
    frame = spark.read.parquet(str(tmp_path / "maps.parquet"))
    assert column(score(frame.where("id = 0"), model)) == [1.0]
    with pytest.raises(Exception, match=r"\$\.m: type: .*observed a key twice"):
        score(frame, model).collect()


# --- rows that violate ----------------------------------------------------------------------------


def doubled(frame: Any, params: Any) -> Any:
    assert frame["a"].notna().all()
    return frame["a"] * 2.0


@pytest.fixture
def gaps(spark: SparkSession) -> DataFrame:
    """Twenty rows in two partitions; those of 5 and 12 hold NULL."""
    return spark.sql("SELECT IF(id IN (5, 12), NULL, id) AS a, id FROM range(0, 20, 1, 2)")


def test_a_row_that_violates_fails_the_action(gaps: DataFrame, save: Save) -> None:
    scored = score(gaps, save(doubled, LONG, DOUBLE))
    with pytest.raises(Exception, match=r"a row does not fit the signature: \$\.a: null"):
        scored.collect()


def test_rows_that_violate_are_left_out(gaps: DataFrame, save: Save) -> None:
    kept = score(gaps, save(doubled, LONG, DOUBLE), policy=Policy(on_violation="drop")).collect()
    assert sorted(tuple(row) for row in kept) == [
        (id, id, id * 2.0) for id in range(20) if id not in (5, 12)
    ]


def test_rows_that_violate_are_tagged_and_stay(gaps: DataFrame, save: Save) -> None:
    tagged = score(gaps, save(doubled, LONG, DOUBLE), policy=Policy(on_violation="tag"))
    good, bad = split(tagged)
    assert sorted(column(good, "id")) == [id for id in range(20) if id not in (5, 12)]
    assert sorted(column(good)) == [id * 2.0 for id in range(20) if id not in (5, 12)]
    assert sorted((row["id"], row["_violations"][0]["path"]) for row in bad.collect()) == [
        (5, "$.a"),
        (12, "$.a"),
    ]
    assert {row["prediction"] for row in tagged.where("size(_violations) > 0").collect()} == {None}


def thirds(frame: Any, params: Any) -> Any:
    """Give nothing for every third row."""
    return pd.Series([None if a % 3 == 0 else f"{a}" for a in frame["a"]], dtype=object)


STRINGS = Schema([ColSpec("string", "name")])


def test_a_prediction_that_violates_is_the_rows_violation(gaps: DataFrame, save: Save) -> None:
    model = save(thirds, LONG, STRINGS)
    good, bad = split(score(gaps, model, policy=Policy(on_violation="tag")))
    assert sorted(map(int, column(good, "name"))) == [id for id in range(20) if id % 3 and id != 5]
    found = {row["id"]: [v["path"] for v in row["_violations"]] for row in bad.collect()}
    nothing = {id: ["$outputs.name"] for id in range(0, 20, 3) if id != 12}
    assert found == {5: ["$.a"], 12: ["$.a"], **nothing}
    dropped = score(gaps, model, policy=Policy(on_violation="drop"))
    assert sorted(column(dropped, "id")) == sorted(column(good, "id"))
    with pytest.raises(Exception, match=r"\$outputs\.name: null"):
        score(gaps.where("a > 2 AND a < 5"), model).collect()


def test_optional_predictions_may_be_missing(gaps: DataFrame, save: Save) -> None:
    model = save(thirds, LONG, Schema([ColSpec("string", "name", False)]))
    named = column(score(gaps.where("a < 5"), model), "name")
    assert named == [None, "1", "2", None, "4"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["raise", "tag"])
@pytest.mark.parametrize(
    ("function", "outputs", "words"),
    [
        (lambda x, p: ["a"] * len(x), DOUBLE, r"\$outputs\[0\]: type: expected double"),
        (lambda x, p: [1.5] * (len(x) + 1), DOUBLE, r"\$outputs: row_count"),
        (lambda x, p: x[["a"]], STRINGS, r"\$outputs\.name: missing_column"),
        (
            lambda x, p: np.zeros((len(x), 3), np.float32),
            Schema([TensorSpec("float64", (-1, 3))]),
            r"\$outputs\[0\]: type",
        ),
        (
            lambda x, p: np.zeros((len(x), 3)),
            Schema([TensorSpec("float64", (-1,))]),
            r"\$outputs: shape",
        ),
        (
            lambda x, p: {"x": np.zeros(len(x))},
            Schema([TensorSpec("float64", (-1,), "x"), TensorSpec("float64", (-1,), "y")]),
            r"\$outputs\.y: missing_column",
        ),
    ],
)
def test_predictions_of_another_kind_fail(
    gaps: DataFrame,
    save: Save,
    mode: Any,
    function: Callable[..., Any],
    outputs: Schema,
    words: str,
) -> None:
    model = save(function, LONG, outputs)
    scored = score(gaps.where("a < 5"), model, policy=Policy(on_violation=mode))
    with pytest.raises(Exception, match="the model's predictions do not fit.*" + words):
        scored.collect()


def test_predictions_of_another_length_within_a_row_are_tagged(gaps: DataFrame, save: Save) -> None:
    """A slice of the declared shape is a matter of the row, not of the model."""
    model = save(
        lambda frame, params: pd.DataFrame({"xs": [[1.0] * int(a) for a in frame["a"]]}),
        LONG,
        Schema([ColSpec(Array("double"), "xs")]),
    )
    found = column(score(gaps.where("a < 3"), model), "xs")
    assert found == [[], [1.0], [1.0, 1.0]]


@pytest.mark.slow
def test_the_verdict_does_not_depend_on_batches(spark: SparkSession, save: Save) -> None:
    """NULL in rows 9, 10 and 29,999: MLflow's sample misses two, its batches the row."""
    model = save(doubled, LONG, DOUBLE)
    rows = spark.range(0, 30_000, 1, 1).selectExpr("IF(id IN (9, 10, 29999), NULL, id) AS a", "id")
    before = spark.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch")
    try:
        for size in (1, 7, 30_000):
            few = rows.where("id < 20") if size == 1 else rows
            spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(size))
            tagged = score(few, model, policy=Policy(on_violation="tag"), keep=["id"])
            bad = tagged.where("size(_violations) > 0")
            assert sorted(column(bad, "id")) == ([9, 10] if size == 1 else [9, 10, 29999])
    finally:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(before))


# --- params, names, workers -----------------------------------------------------------------------


def test_params_are_checked_once_and_completed(spark: SparkSession, save: Save) -> None:
    params = ParamSchema(
        [ParamSpec("factor", "double", 2.0), ParamSpec("more", "long", [1], (-1,))]
    )
    model = save(
        lambda frame, given: frame["a"] * given["factor"] + sum(given["more"]), LONG, DOUBLE, params
    )
    frame = spark.range(3).selectExpr("id AS a")
    assert sorted(column(score(frame, model))) == [1.0, 3.0, 5.0]
    assert sorted(column(score(frame, model, params={"factor": 1, "more": [1, 1]}))) == [2, 3, 4]
    with pytest.raises(ViolationError, match=r"\$\.params\.factor"):
        score(frame, model, params={"factor": "x"})


def test_a_frame_that_does_not_fit_is_refused_without_a_job(
    spark: SparkSession, save: Save
) -> None:
    model = save(doubled, LONG, DOUBLE)
    with pytest.raises(ViolationError, match=r"\$\.a: missing_column"):
        score(spark.range(3), model)
    with pytest.raises(ViolationError, match=r"\$\.a: type"):
        score(spark.sql("SELECT 'x' AS a"), model)


def test_a_fixed_number_of_rows_is_refused_as_in_row_mode(spark: SparkSession, save: Save) -> None:
    fixed = Schema([TensorSpec("float64", (3,), "x")])
    model = save(lambda array, params: array, fixed, Schema([TensorSpec("float64", (-1,))]))
    frame = spark.range(3).selectExpr("CAST(id AS double) AS x")
    with pytest.raises(SignatureError, match="first axis is fixed at 3 rows") as scored:
        score(frame, model)
    with pytest.raises(SignatureError) as enforced:
        frame.transform(enforce_signature(ModelSignature(fixed)))
    assert str(scored.value) == str(enforced.value)


def test_what_cannot_be_shipped_is_refused_as_preflight_says(
    spark: SparkSession, save: Save
) -> None:
    model = save(doubled, Schema([ColSpec("long", "a"), ColSpec(AnyType(), "odd")]), DOUBLE)
    frame = spark.sql("SELECT 1L AS a, INTERVAL '1' DAY AS odd")
    assert preflight(frame, model).level.value == "breaking"
    with pytest.raises(SignatureError, match=r"cannot be shipped to Python @ \$\.odd"):
        score(frame, model, keep=[])
    whole = frame.selectExpr("a", "'x' AS odd")
    assert preflight(whole, model).level.value == "compatible"
    assert column(score(whole, model)) == [2.0]


class Message(BaseModel):
    """What a chat model is told."""

    role: str
    n: int


class Roles(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model whose signature is made of its hints: one object, without a name."""

    def predict(self, model_input: list[Message], params: Any = None) -> list[str]:
        return [f"{message.role} {message.n}" for message in model_input]


def test_an_object_without_a_name_is_the_first_column(spark: SparkSession, tmp_path: Path) -> None:
    """Columns that are its properties are packed first, as the docstring says."""
    from pyspark.sql import functions as F

    mlflow.pyfunc.save_model(str(tmp_path / "m"), python_model=Roles(), pip_requirements=[])
    frame = spark.sql("SELECT 'user' AS role, 1L AS n, 7 AS id")
    packed = frame.select(F.struct("role", "n").alias("message"), "id")
    assert column(score(packed, tmp_path / "m")) == ["user 1"]
    with pytest.raises(ViolationError, match=r"\$\[0\]: type: expected .*role: string"):
        score(frame, tmp_path / "m")


def test_names_that_collide_are_refused(spark: SparkSession, save: Save) -> None:
    frame = spark.range(2).selectExpr("id AS a", "id AS Prediction")
    model = save(doubled, LONG, DOUBLE)
    with pytest.raises(SignatureError, match="the name of a column that is kept"):
        score(frame, model)
    assert sorted(column(score(frame, model, prediction="p"), "p")) == [0.0, 2.0]
    assert score(frame, model, keep=["a"]).columns == ["a", "prediction"]
    with pytest.raises(SignatureError, match="no column 'b' to keep"):
        score(frame, model, keep=["b"])
    two = Schema([ColSpec("long"), ColSpec("long")])
    model = save(lambda x, p: pd.DataFrame({0: x["a"], 1: x["a"]}), LONG, two)
    assert score(frame, model, keep=[]).columns == ["prediction_0", "prediction_1"]


@pytest.mark.parametrize(
    ("outputs", "words"),
    [(None, "declares no outputs"), (AnyType(), "of any type"), (Array(AnyType()), "of any type")],
)
def test_outputs_that_say_nothing_are_refused(
    spark: SparkSession, tmp_path: Path, outputs: ColumnType | None, words: str
) -> None:
    signature = ModelSignature(LONG, None if outputs is None else Schema([ColSpec(outputs)]))
    folder = save_function(tmp_path / "model", doubled, signature)
    with pytest.raises(SignatureError, match=words):
        score(spark.range(1).selectExpr("id AS a"), folder)


def test_each_worker_loads_the_model_once(spark: SparkSession, save: Save, tmp_path: Path) -> None:
    log = tmp_path / "loads"
    model = save(doubled, LONG, DOUBLE, log=str(log))
    frame = spark.range(0, 60, 1, 6).selectExpr("id AS a")
    for _ in range(3):
        assert score(frame, model).count() == 60
    loads = log.read_text().split()
    assert len(loads) == len(set(loads))  # a worker is a process
    assert len(loads) <= 2  # of local[2], which keeps them


def test_what_python_compiles_of_a_model_is_no_part_of_it(tmp_path: Path) -> None:
    """Workers write it beside the model's code, as they load that."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "own.py").write_text("X = 1")
    before = artifacts.digest_of(tmp_path)
    (tmp_path / "code" / "__pycache__").mkdir()
    (tmp_path / "code" / "__pycache__" / "own.pyc").write_bytes(b"x")
    assert artifacts.digest_of(tmp_path) == before
    (tmp_path / "code" / "own.py").write_text("X = 2")
    assert artifacts.digest_of(tmp_path) != before


def test_the_files_of_a_model_are_read_through_once(
    spark: SparkSession, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is scored by several frames: one fails, one drops, one tags."""
    asked: list[str] = []

    def counted(kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: (asked.append(kind), real(*given))[1]

    scoring = Scoring.of(save(doubled, LONG, DOUBLE), None, None, None, "prediction")
    monkeypatch.setattr(artifacts, "digest_of", counted("digest", artifacts.digest_of))
    monkeypatch.setattr(artifacts, "_pack", counted("pack", artifacts._pack))
    frame = spark.range(3).selectExpr("id AS a")
    found = [sorted(column(scoring.under(way).frame(frame))) for way in ("raise", "drop", "tag")]
    assert found == [[0.0, 2.0, 4.0]] * 3
    assert asked == ["digest"]
    # as on a cluster, which has them as one archive
    monkeypatch.setattr(artifacts, "is_classic", lambda spark: False)
    monkeypatch.setattr(artifacts, "_add_file", lambda spark, path: None)
    scoring = scoring._replace(files=artifacts.Files(scoring.folder))
    for way in ("raise", "drop"):
        scoring.under(way).frame(frame)
    assert asked == ["digest", "digest", "pack"]


def test_nothing_is_loaded_for_no_rows(spark: SparkSession, save: Save, tmp_path: Path) -> None:
    log = tmp_path / "loads"
    model = save(doubled, LONG, DOUBLE, log=str(log))
    empty = spark.range(5).selectExpr("id AS a").where("a < 0")
    scored = score(empty, model)
    assert scored.collect() == []
    assert scored.columns == ["a", "prediction"]
    nulls = spark.sql("SELECT CAST(NULL AS bigint) AS a FROM range(3)")
    tagged = score(nulls, model, policy=Policy(on_violation="tag"))
    assert [len(row["_violations"]) for row in tagged.collect()] == [1, 1, 1]
    assert not log.exists()


def test_a_table_is_scored_at_its_version(spark: SparkSession, save: Save, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    spark.range(3).selectExpr("id AS a").write.format("delta").save(path)
    spark.range(2).selectExpr("id AS a").write.format("delta").mode("append").save(path)
    model = save(doubled, LONG, DOUBLE)
    scored = score(path, model)
    spark.range(9).selectExpr("id AS a").write.format("delta").mode("append").save(path)
    assert (scored.count(), score(path, model, version=0).count()) == (5, 3)


def test_dates_come_out_as_the_outputs_say(spark: SparkSession, save: Save) -> None:
    model = save(
        lambda frame, params: pd.DataFrame(
            {"t": pd.to_datetime(frame["a"], unit="D"), "o": [{"k": [1, 2]}] * len(frame)}
        ),
        LONG,
        Schema([ColSpec("datetime", "t"), ColSpec(Object([Property("k", Array("long"))]), "o")]),
    )
    (row,) = score(spark.sql("SELECT 1L AS a"), model).collect()
    assert row["t"] == dt.datetime(1970, 1, 2)
    assert row["o"]["k"] == [1, 2]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Seoul"])
def test_instants_come_back_as_they_went(spark: SparkSession, save: Save, zone: str) -> None:
    moment = Schema([ColSpec("datetime", "t")])
    model = save(lambda frame, params: frame["t"], moment, Schema([ColSpec("datetime", "back")]))
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        frame = spark.sql("SELECT timestamp'2024-07-02 12:00:00' AS t")
        assert score(frame, model).where("t = back").count() == 1
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_zones_that_arrow_does_not_know_are_refused(spark: SparkSession, save: Save) -> None:
    moment = Schema([ColSpec("datetime", "t")])
    model = save(lambda frame, params: frame["t"], moment, moment)
    spark.conf.set("spark.sql.session.timeZone", "GMT+8")
    try:
        with pytest.raises(SignatureError, match=r"no time zone 'GMT\+8'"):
            score(spark.sql("SELECT timestamp'2024-07-02 12:00:00' AS t"), model, keep=[])
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_rows_without_any_column_are_counted(spark: SparkSession, save: Save) -> None:
    model = save(
        lambda frame, params: [1.0] * len(frame), Schema([ColSpec("long", "a", False)]), DOUBLE
    )
    assert score(spark.range(5), model, keep=[]).count() == 5


def test_a_model_that_has_changed_is_not_taken_for_itself(spark: SparkSession, save: Save) -> None:
    model = save(doubled, LONG, DOUBLE)
    scored = score(spark.range(1).selectExpr("id AS a"), model)
    (Path(model) / "more").write_text("x")
    with pytest.raises(Exception, match="has changed since it was asked for"):
        scored.collect()


def test_a_model_that_is_not_there(spark: SparkSession, tmp_path: Path) -> None:
    frame = spark.range(1).selectExpr("id AS a")
    with pytest.raises(SignatureError, match="holds no model"):
        score(frame, tmp_path)
    for gone in (tmp_path / "nowhere", f"file:{tmp_path}/nowhere"):
        with pytest.raises(SignatureError, match="cannot be fetched: there is no such folder"):
            score(frame, gone)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'botocore'"), "No module named 'botocore'"),
        (Exception("Unable to locate credentials"), "Unable to locate credentials"),
        (
            MlflowException("The following failures occurred in s3://b:\n##### File x #####\nno"),
            "The following failures occurred in s3://b: no",
        ),
        (Exception(), "Exception"),
    ],
)
def test_a_store_that_is_not_reached(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """Stores have clients of their own, which MLflow imports late, and whose errors it lets be."""

    def failing(**_: Any) -> None:
        raise error

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", failing)
    for read in (artifacts.fetch, load_signature):
        with pytest.raises(SignatureError, match=f"the model s3://b/m cannot be .*: {said}$"):
            read("s3://b/m")


def test_a_model_without_names_takes_columns_by_place(spark: SparkSession, tmp_path: Path) -> None:
    model = LinearRegression().fit(np.array([[0.0, 1.0], [1.0, 0.0]]), [1.0, 2.0])
    signature = ModelSignature(Schema([ColSpec("double"), ColSpec("double")]), DOUBLE)
    mlflow.sklearn.save_model(
        model, str(tmp_path / "m"), signature=signature.to_mlflow(), pip_requirements=[]
    )
    frame = spark.sql("SELECT 0D AS p, 1D AS q")
    assert column(score(frame, tmp_path / "m")) == pytest.approx([1.0])


@pytest.mark.slow
def test_a_model_of_sparks_own_scores_within_spark(spark: SparkSession, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.regression import LinearRegression as SparkRegression

    line = spark.range(20).selectExpr("CAST(id AS double) AS x", "2D * id + 1 AS label")
    stages = [VectorAssembler(inputCols=["x"], outputCol="features"), SparkRegression()]
    model = Pipeline(stages=stages).fit(line)
    signature = ModelSignature(Schema([ColSpec("double", "x")]), DOUBLE)
    folder = tmp_path / "model"
    mlflow.spark.save_model(
        model, str(folder), signature=signature.to_mlflow(), dfs_tmpdir=str(tmp_path / "tmp")
    )
    rows = spark.sql("SELECT IF(id = 3, NULL, CAST(id AS int)) AS x, id FROM range(6)")
    kept = score(rows, folder, policy=Policy(on_violation="drop"))
    assert kept.dtypes == [("x", "int"), ("id", "bigint"), ("prediction", "double")]
    found = {row["id"]: row["prediction"] for row in kept.collect()}
    assert found == pytest.approx({id: 2.0 * id + 1 for id in (0, 1, 2, 4, 5)})
    assert "Python" not in kept._jdf.queryExecution().toString()
    with pytest.raises(Exception, match=r"a row does not fit the signature: \$\.x: null"):
        score(rows, folder).collect()
    with pytest.raises(SignatureError, match="cannot be tagged"):
        score(rows, folder, policy=Policy(on_violation="tag"))


@pytest.mark.slow
def test_predictions_of_sparks_own_models_have_paths_like_all(
    spark: SparkSession, tmp_path: Path
) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import SQLTransformer

    statement = "SELECT *, IF(x > 1, NULL, x) AS prediction, 'a' AS name FROM __THIS__"
    model = PipelineModel(stages=[SQLTransformer(statement=statement)])
    frame = spark.range(3).selectExpr("CAST(id AS double) AS x")
    for name, outputs, path in (
        ("nulls", DOUBLE, r"\$outputs\[0\]: null"),
        ("types", Schema([ColSpec("long")]), r"\$outputs\[0\]: type"),
        ("named", Schema([ColSpec("double", "name")]), r"\$outputs\.name: type"),
    ):
        folder = tmp_path / name
        signature = ModelSignature(Schema([ColSpec("double", "x")]), outputs).to_mlflow()
        mlflow.spark.save_model(
            model,
            str(folder),
            signature=signature,
            dfs_tmpdir=str(tmp_path / "tmp"),
            pip_requirements=[],
        )
        with pytest.raises(Exception, match=path):
            score(frame, folder).collect()
    dropped = score(frame, tmp_path / "nulls", policy=Policy(on_violation="drop"))
    assert sorted(map(tuple, dropped.collect())) == [(0.0, 0.0), (1.0, 1.0)]


@pytest.mark.parametrize("nested", [False, True])
def test_stages_that_leave_rows_out_are_refused(spark: SparkSession, nested: bool) -> None:
    """VectorAssembler would drop the row of a NULL, or a NaN, which is a value here."""
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import VectorAssembler

    for choice in ("keep", "error", "skip"):
        stage = VectorAssembler(inputCols=["x"], outputCol="f", handleInvalid=choice)
        model = PipelineModel(stages=[stage])
        model = PipelineModel(stages=[model]) if nested else model
        frame = spark.sql("SELECT double('NaN') AS x")
        if choice == "skip":
            assert model.transform(frame).count() == 0
            with pytest.raises(SignatureError, match=r"leaves out rows.*handleInvalid.*keep"):
                refuse_skipping(model)
        else:
            refuse_skipping(model)
