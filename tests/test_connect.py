"""Everything of the public API on a Spark Connect server, against the same on a classic session."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, get_args

import pytest

import spark_sig
from tests.processes import answer
from tests.tour import ON_SPARK, take

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Two tours of a hundred and more calls each.
pytestmark = [pytest.mark.connect, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def classic(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return take(spark, tmp_path_factory.mktemp("classic"))


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = str(tmp_path_factory.mktemp("connect"))
    return answer(sys.executable, "-m", "tests.tour", folder, timeout=1500)


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
    wanted = choices()
    assert len(wanted) > 8
    made = {(name, of): set(classic["passed"][name][of]) for name, of in wanted}
    assert made == wanted


def choices() -> dict[tuple[str, str], set[str]]:
    """The choices that there are, by function and parameter."""
    found = {}
    for name in ON_SPARK:
        public = getattr(spark_sig, name)
        for parameter in inspect.signature(public).parameters.values():
            kind = str(parameter.annotation).removesuffix(" | None")
            # other names are those of types alone, which nothing defines as a program runs
            values = get_args(getattr(sys.modules[public.__module__], kind, None))
            if values and all(isinstance(value, str) for value in values):
                found[name, parameter.name] = set(values)
    return found
