"""Predictions: whatever holds them is read alike, row by row, whatever stands beside."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from pydantic import BaseModel

from spark_sig import Array, ColSpec, Object, Policy, Property, Schema, TensorSpec
from spark_sig.engines.scalars import as_objects
from spark_sig.errors import ViolationError
from spark_sig.integrations.mlflow.clocks import instants, wall_clock
from spark_sig.integrations.mlflow.predictions import held
from spark_sig.types import ColumnType, Map

NAMED = Schema([ColSpec("double", "p")])
BARE = Schema([ColSpec("double")])
TEXT = Schema([TensorSpec("str", (-1,))])
RECORD = Object([Property("k", "long")])
LOOSE = Object([Property("k", "long", False)])
TWO = Schema([ColSpec("double", "a"), ColSpec("string", "b")])


def read(given: Any, schema: Schema, rows: int) -> tuple[list[Any], dict[str, list[int]]]:
    """The columns that come of predictions, and the rows that violate, by path."""
    plan, outcome = held(given, schema, Policy(), rows)
    found = {plan.checks[f.check].path: f.rows.tolist() for f in outcome.found}
    return [column.to_pylist() for column in outcome.columns], found


@pytest.mark.parametrize(
    ("given", "schema", "columns"),
    [
        (pd.DataFrame({"p": [1.5, 2.0]}), NAMED, [[1.5, 2.0]]),
        (pd.Series([1.5, 2.0], name="other"), NAMED, [[1.5, 2.0]]),
        (np.array([1.5, 2.0]), NAMED, [[1.5, 2.0]]),
        ([1.5, 2.0], NAMED, [[1.5, 2.0]]),
        ((1.5, 2.0), BARE, [[1.5, 2.0]]),
        (pd.Index([1.5, 2.0]), BARE, [[1.5, 2.0]]),
        ([{"p": 1.5}, {"p": 2.0}], NAMED, [[1.5, 2.0]]),
        ({"p": [1.5, 2.0]}, NAMED, [[1.5, 2.0]]),
        ({"a": [1.0, 2.0], "b": ["x", "y"]}, TWO, [[1.0, 2.0], ["x", "y"]]),
        ([[1.0, "x"], [2.0, "y"]], TWO, [[1.0, 2.0], ["x", "y"]]),
        (pd.Categorical(["x", "y"]), Schema([ColSpec("string")]), [["x", "y"]]),
        ([[1.0], [2.0, 3.0]], Schema([ColSpec(Array("double"), "xs")]), [[[1.0], [2.0, 3.0]]]),
        (np.eye(2), Schema([ColSpec(Array("double"))]), [[[1.0, 0.0], [0.0, 1.0]]]),
        (np.eye(2), Schema([ColSpec("double"), ColSpec("double")]), [[1.0, 0.0], [0.0, 1.0]]),
        ([{"k": 1}, {"k": 2}], Schema([ColSpec(RECORD, "o")]), [[{"k": 1}, {"k": 2}]]),
        ([{"o": {"k": 1}}, {"o": {}}], Schema([ColSpec(LOOSE, "o")]), [[{"k": 1}, {"k": None}]]),
        (sp.csr_matrix(np.eye(2)), Schema([TensorSpec("float64", (-1, 2))]), [[[1, 0], [0, 1]]]),
        (np.array(["x", "y"], object), TEXT, [["x", "y"]]),
        (["x", "y"], TEXT, [["x", "y"]]),
    ],
)
def test_whatever_holds_them(given: Any, schema: Schema, columns: list[Any]) -> None:
    assert read(given, schema, 2) == (columns, {})


class Count(BaseModel):
    """What a model with hints gives."""

    k: int


def test_objects_of_pydantics_are_records() -> None:
    for given in ([Count(k=1), {"k": 2}], [{"o": Count(k=1)}, {"o": Count(k=2)}]):
        assert read(given, Schema([ColSpec(RECORD, "o")]), 2) == ([[{"k": 1}, {"k": 2}]], {})


@pytest.mark.parametrize("rows", [1, 2])
def test_what_a_row_lacks_is_its_own_violation(rows: int) -> None:
    given = [{}, {"p": 0.5}][:rows]
    assert read(given, NAMED, rows) == ([[None, 0.5][:rows]], {"$outputs.p": [0]})


def test_pythons_integers_count_for_themselves() -> None:
    """The model that gives 1 and 2.5 gives 1 and 2 in another batch."""
    assert read([1, 2], BARE, 2) == ([[1.0, 2.0]], {})
    assert read([1, 2.5], BARE, 2) == ([[1.0, 2.5]], {})
    assert read([1, 2], Schema([ColSpec("integer")]), 2) == ([[1, 2]], {})
    for given, schema in (([2**53 + 1, 1.0], BARE), ([2**40], Schema([ColSpec("integer")]))):
        with pytest.raises(ViolationError, match=r"\$outputs\[0\]: type"):
            held(given, schema, Policy(), len(given))


@pytest.mark.parametrize("cells", [[b"\xff\0", b"a\0b", b""], ["x\0", "a\0b", ""]])
def test_text_keeps_its_nuls(cells: list[Any]) -> None:
    schema = Schema([TensorSpec("bytes" if isinstance(cells[0], bytes) else "str", (-1,))])
    assert read(cells, schema, 3) == ([cells], {})
    assert read(np.array(cells, object), schema, 3) == ([cells], {})
    # NumPy itself has cut off those at the end
    assert read(np.array(cells), schema, 3) == ([[cells[0][:1], *cells[1:]]], {})
    assert read(np.array(cells).astype(object), schema, 3)[0] == [[cells[0][:1], *cells[1:]]]


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (Array("double"), [[1, 2], [1, 2.5], None]),
        (Array(Array("double")), [[[1], [2, 0.5]]]),
        (Map("double"), [{"a": 1, "b": 2.5}, {"a": 3}]),
        (Map(Array("double")), [{"a": [1]}]),
        (Object([Property("x", "double"), Property("n", "integer")]), [{"x": 1, "n": 2}]),
        (Array(Object([Property("x", "double", False)])), [[{"x": 1}, {"x": None}]]),
        (Array("integer"), [[1, 2], []]),
        (Array("double"), [np.array([1, 2.5], object)]),
    ],
)
def test_so_they_do_at_any_depth(kind: ColumnType, cells: list[Any]) -> None:
    schema = Schema([ColSpec(kind, "v", False)])
    given = pd.DataFrame({"v": as_objects(cells)})
    before = str(cells)
    columns, found = read(given, schema, len(cells))
    assert [dict(c) if isinstance(kind, Map) else c for c in columns[0]] == [
        c.tolist() if isinstance(c, np.ndarray) else c for c in cells
    ]
    assert not found
    assert str(cells) == before


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (Array("double"), [2**53 + 1]),
        (Array("double"), [True]),
        (Array("double"), np.array([1, 2])),
        (Array("integer"), [2**40]),
        (Map("double"), {"a": 2**53 + 1, "b": 1}),
        (Object([Property("x", "double")]), {"x": 10**400}),
    ],
)
def test_nothing_is_lost_at_any_depth(kind: ColumnType, cell: Any) -> None:
    with pytest.raises(ViolationError, match=r"\$outputs\.v.*: type"):
        held(pd.DataFrame({"v": as_objects([cell])}), Schema([ColSpec(kind, "v")]), Policy(), 1)


@pytest.mark.parametrize(
    ("given", "schema", "words"),
    [
        ([1, "a"], TEXT, "type"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), Schema([TensorSpec("float64", (-1,))]), "masked"),
        (np.zeros(2, np.float32), Schema([TensorSpec("float64", (-1,))]), "type"),
        ([1.5, 2.5, 3.5], BARE, "row_count"),
        (object(), BARE, "type"),
    ],
)
def test_what_is_none(given: Any, schema: Schema, words: str) -> None:
    with pytest.raises(ViolationError, match=words):
        held(given, schema, Policy(), 2)


TWICE = pa.array([[("a", 1.0), ("b", 1.0), ("a", 2.0)], [("a", 3.0)]], pa.map_("string", "double"))


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (Map("double"), pd.Series(TWICE, dtype=pd.ArrowDtype(TWICE.type))),
        # what UTF-8 cannot write stands escaped
        (Map("double"), pd.Series([{"\ud800": 1.0, "\\ud800": 2.0}, {}])),
    ],
)
def test_a_map_has_each_key_once(kind: ColumnType, cells: pd.Series[Any]) -> None:
    schema = Schema([ColSpec(kind, "m")])
    with pytest.raises(ViolationError, match=r"\$outputs\.m: type: .*observed a key twice"):
        held(pd.DataFrame({"m": cells}), schema, Policy(), 2)
    assert read(pd.DataFrame({"m": cells[1:]}), schema, 1)[1] == {}


def test_pairs_are_no_map() -> None:
    schema = Schema([ColSpec(Map("double"), "m")])
    with pytest.raises(ViolationError, match=r"\$outputs\.m: type: .*observed list"):
        held([{"m": [("a", 1.0), ("a", 2.0)]}], schema, Policy(), 1)


def test_more_than_is_declared_is_dropped_or_forbidden() -> None:
    given = pd.DataFrame({"p": [1.0], "more": [2.0]})
    assert read(given, NAMED, 1) == ([[1.0]], {})
    with pytest.raises(ViolationError, match="extra_column"):
        held(given, NAMED, Policy(extra="forbid"), 1)


@pytest.mark.parametrize(
    ("zone", "shows"),
    [
        ("America/New_York", (8, 0)),
        ("Asia/Seoul", (21, 0)),
        ("+05:30", (17, 30)),
        ("-03:30", (8, 30)),
        ("UTC", (12, 0)),
    ],
)
def test_clocks_go_there_and_back(zone: str, shows: tuple[int, int]) -> None:
    noon = dt.datetime(2024, 7, 2, 12, tzinfo=dt.timezone.utc)
    stamps = pa.array([noon, None], pa.timestamp("us", "UTC"))
    nested = pa.array([[{"at": noon}], None], pa.list_(pa.struct([("at", stamps.type)])))
    for array in (stamps, nested):
        shown = wall_clock(array, zone)
        assert "tz=" not in str(shown.type)
        assert instants(shown, zone).to_pylist() == array.to_pylist()
    for unit in ("s", "us"):
        shown = wall_clock(stamps.cast(pa.timestamp(unit, "UTC")), zone)
        assert shown.type == pa.timestamp(unit)
        assert shown.to_pylist() == [dt.datetime(2024, 7, 2, *shows), None]
