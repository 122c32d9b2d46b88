"""One violating row anywhere among 1,000,000 is found, counted and named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spark_sig import (
    Array,
    ColSpec,
    Map,
    ModelSignature,
    Object,
    Policy,
    Property,
    Schema,
    TensorSpec,
    enforce_signature,
    validate,
)
from spark_sig.plan import Rung

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROWS = 1_000_000
# The first, the 10th, 11th and 500,000th (from nought), the last; the last is the only row of the
# last partition, see ``million``.
PLACES = (0, 9, 10, 499_999, 999_999)


def million(spark: SparkSession) -> DataFrame:
    """Return numbers from nought, in four partitions of which the last holds one row."""
    most = spark.range(0, ROWS - 1, 1, 3)
    return most.union(spark.range(ROWS - 1, ROWS, 1, 1))


def at(*places: int) -> str:
    return f"id IN ({', '.join(map(str, places))})"


# Column, its expression with {bad} for the test of the row, the path and the code of what is wrong,
# and what is observed there.
SCALARS: list[tuple[str, str, str, str, str]] = [
    ("null_long", "IF({bad}, NULL, id)", "$.null_long", "null", "null"),
    ("null_string", "IF({bad}, NULL, 'a')", "$.null_string", "null", "null"),
    ("cast_int", "IF({bad}, 0.5D, 1D)", "$.cast_int", "cast", "non-integral double"),
    (
        "member",
        "named_struct('x', IF({bad}, NULL, id))",
        "$.member.x",
        "null",
        "null",
    ),
]
NESTED: list[tuple[str, str, str, str, str]] = [
    ("element", "array(id, IF({bad}, NULL, 1L))", "$.element[*]", "null", "null"),
    ("value", "map('k', IF({bad}, NULL, id))", "$.value[*]", "null", "null"),
    (
        "deep",
        "array(named_struct('x', array(IF({bad}, 0.5D, 1D))))",
        "$.deep[*].x[*]",
        "cast",
        "non-integral double",
    ),
    ("text", "IF({bad}, 'one', '1')", "$.text", "cast", "malformed string"),
]
SPECS: dict[str, Any] = {
    "null_long": "long",
    "null_string": "string",
    "cast_int": "integer",
    "member": Object([Property("x", "long")]),
    "element": Array("long"),
    "value": Map("long"),
    "deep": Array(Object([Property("x", Array("integer"))])),
    "text": "long",
}


@pytest.mark.parametrize(
    "engine", ["catalyst", "arrow", pytest.param("auto", marks=pytest.mark.slow)]
)
def test_one_row_in_a_million_is_found_counted_and_named(spark: SparkSession, engine: str) -> None:
    """Every code on every kind of path; each check is violated at a place of its own, once."""
    cases = SCALARS if engine == "catalyst" else [*SCALARS, *NESTED]
    places = {c[0]: PLACES[i % len(PLACES)] for i, c in enumerate(cases)}
    columns = [f"{c[1].format(bad=at(places[c[0]]))} AS {c[0]}" for c in cases]
    frame = million(spark).selectExpr("id", *columns)
    signature = ModelSignature(inputs=Schema([ColSpec(SPECS[c[0]], c[0]) for c in cases]))
    report = validate(
        frame,
        signature,
        policy=Policy(casts="lossless"),
        engine=engine,  # type: ignore[arg-type]
        row_key=["id"],
    )
    found = {
        c.path: (c.code.value, c.count, [(e.key, e.observed) for e in c.examples])
        for c in report.checks
        if c.violated
    }
    assert set(found) == {c[2] for c in cases}
    for name, _, path, code, _ in cases:
        assert found[path][:2] == (code, 1)
        assert [key for key, _ in found[path][2]] == [(places[name],)]
    assert (report.rows.total, report.rows.violating) == (ROWS, len(set(places.values())))
    assert not report.conforms
    rungs = {c.rung for c in report.checks if c.violated}
    assert rungs == ({Rung.CATALYST, Rung.ARROW} if engine == "auto" else {Rung(engine)})


@pytest.mark.parametrize("engine", ["arrow", "catalyst"])
def test_wherever_it_is(spark: SparkSession, engine: str) -> None:
    """Each place in a column of its own; then the last row, with nothing else wrong anywhere."""
    columns = [f"IF({at(p)}, NULL, id) AS c{p}" for p in PLACES]
    signature = ModelSignature(inputs=Schema([ColSpec("long", f"c{p}") for p in PLACES]))
    report = validate(
        million(spark).selectExpr("id", *columns),
        signature,
        engine=engine,  # type: ignore[arg-type]
        row_key=["id"],
    )
    assert [(c.count, [e.key for e in c.examples]) for c in report.checks] == [
        (1, [(p,)]) for p in PLACES
    ]
    assert (report.rows.total, report.rows.violating) == (ROWS, len(PLACES))
    last = million(spark).selectExpr("id", f"IF({at(ROWS - 1)}, NULL, id) AS a")
    assert last.rdd.getNumPartitions() == 4
    signature = ModelSignature(inputs=Schema([ColSpec("long", "a")]))
    report = validate(last, signature, engine=engine, row_key=["id"])  # type: ignore[arg-type]
    assert (report.rows.total, report.rows.violating) == (ROWS, 1)
    assert [e.key for e in report.checks[0].examples] == [(ROWS - 1,)]


@pytest.mark.slow
def test_shapes_and_carried_values(spark: SparkSession) -> None:
    """The codes of tensors: shape, cast of a carried value, null inside."""
    frame = million(spark).selectExpr(
        "id",
        f"IF({at(*PLACES)}, array(1f), array(1f, 2f)) AS shape",
        f"IF({at(*PLACES)}, 256S, 255S) AS carried",
        f"array(1L, IF({at(*PLACES)}, NULL, 1L)) AS hole",
        f"IF({at(*PLACES)}, array(array(1L), array(1L, 2L)), array(array(1L, 2L), array(3L, 4L)))"
        " AS ragged",
    )
    signature = ModelSignature(
        inputs=Schema(
            [
                TensorSpec(np.float32, (-1, 2), "shape"),
                TensorSpec(np.uint8, (-1,), "carried"),
                TensorSpec(np.int64, (-1, -1), "hole"),
                TensorSpec(np.int64, (-1, 2, 2), "ragged"),
            ]
        )
    )
    report = validate(frame, signature, row_key=["id"])
    found = {
        (c.path, c.code.value): (c.count, [e.key for e in c.examples])
        for c in report.checks
        if c.violated
    }
    each = (len(PLACES), [(p,) for p in PLACES])
    assert found == {
        ("$.shape", "shape"): each,
        ("$.carried", "cast"): each,
        ("$.hole[*]", "null"): each,
        ("$.ragged", "shape"): each,
    }
    assert (report.rows.total, report.rows.violating) == (ROWS, len(PLACES))


@pytest.mark.parametrize("engine", ["arrow", "catalyst"])
def test_row_mode_finds_it_too(spark: SparkSession, engine: str) -> None:
    signature = ModelSignature(inputs=Schema([ColSpec("long", "a")]))

    def step(mode: str) -> Any:
        return enforce_signature(
            signature,
            policy=Policy(on_violation=mode),  # type: ignore[arg-type]
            engine=engine,  # type: ignore[arg-type]
        )

    frame = million(spark).selectExpr("id", f"IF({at(*PLACES)}, NULL, id) AS a")
    assert frame.transform(step("drop")).count() == ROWS - len(PLACES)
    tagged = frame.transform(step("tag")).where("size(_violations) > 0")
    assert sorted(r[0] for r in tagged.select("_original.id").collect()) == list(PLACES)
    last = million(spark).selectExpr("id", f"IF({at(ROWS - 1)}, NULL, id) AS a")
    with pytest.raises(Exception, match=r"\$\.a: null"):
        last.transform(step("raise")).count()
