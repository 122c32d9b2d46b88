"""Everything of the public API on a Spark Connect server, against the same on a classic session."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import pytest

import spark_sig
from tests.processes import answer
from tests.tour import ON_SPARK, take

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.connect, pytest.mark.slow]


@pytest.fixture(scope="module")
def classic(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return take(spark, tmp_path_factory.mktemp("classic"))


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = str(tmp_path_factory.mktemp("connect"))
    return answer(sys.executable, "-m", "tests.tour", folder, timeout=900)


def test_both_see_the_same(classic: dict[str, Any], connect: dict[str, Any]) -> None:
    seen, expected = connect["seen"], dict(classic["seen"])
    # There is no log to refute anything by: all rows are read.
    assert expected["validate fast"]["rows"] == [0, 0]
    expected["validate fast"] = expected["validate path"]
    for table in ("table", "clean"):
        name = "validate no version" if table == "table" else "validate clean no version"
        assert f"the table /{table} has no version 9; the newest is" in expected[name][1]
        expected[name] = ["SourceError", f"the table /{table} has no version 9"]
    assert seen.keys() == expected.keys()
    assert {name: value for name, value in seen.items() if value != expected[name]} == {}


def test_the_tour_passes_every_parameter(classic: dict[str, Any]) -> None:
    for name in ON_SPARK:
        parameters = inspect.signature(getattr(spark_sig, name)).parameters
        assert set(classic["passed"][name]) == set(parameters), name


def test_the_tour_makes_every_choice(classic: dict[str, Any]) -> None:
    for name in ON_SPARK:
        public = getattr(spark_sig, name)
        hints = get_type_hints(public.__init__ if inspect.isclass(public) else public)
        for parameter, hint in hints.items():
            if get_origin(hint) is Literal:
                made = set(classic["passed"][name][parameter])
                assert made == set(get_args(hint)), (name, parameter)
