"""The public API on Spark Connect, and on older Sparks in environments of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import python_of
from tests.processes import answer


def smoke(python: Path | str, kind: str) -> dict[str, Any]:
    """Run the smoke program and return what it saw."""
    return answer(python, "-m", "tests.smoke", kind, timeout=420)


def check(seen: dict[str, Any], basis: str) -> None:
    """Hold what a run saw to what its data are; ``basis`` is what flags of columns rest on."""
    assert seen["inferred"] == [
        ["$.id", "integer", True, basis],
        ["$.price", "float", False, basis],
        ["$.features", "Array(float)", False, basis],
        ["$.features[*]", "float", None, "scanned"],
    ]
    for engine in ("auto", "arrow"):
        assert seen[f"table.{engine}"] == {
            "rows": [1001, 2],
            "conforms": False,
            "complete": True,
            "version": 1,
            "violated": [
                ["$.price", "null", 1, [[500]]],
                ["$.features[*]", "null", 1, [[700]]],
            ],
        }
    assert seen["older"] == 1000
    assert seen["clean"] is True
    # The arrow stage has the violation in features as well; the scalars have the one in price.
    assert seen["drop.arrow"] == [
        999,
        {"id": "bigint", "price": "double", "features": "array<float>", "note": "string"},
    ]
    assert seen["drop.catalyst"] == [1000, {"id": "bigint", "price": "double"}]
    source = ["id", "price", "features"]
    assert seen["split.arrow"] == [999, 2, [*source, "_violations"]]
    assert seen["split.catalyst"] == [1000, 1, [*source, "_violations"]]
    for engine in ("arrow", "catalyst"):
        assert "$.price: null: expected double (required), observed null" in seen[f"raise.{engine}"]

    for turn in ("first", "again"):
        assert seen[f"conform.{turn}"] == [1001, True, 999, 2, 999, 2]
        assert seen[f"frame.{turn}"] == [1000, 1000]
    assert seen["reprocess"] == [2, True, 1, 1, 1000, 1]
    assert seen["stream"] == [1001, True, 999, 2, 999, 2]


@pytest.mark.connect
@pytest.mark.slow
def test_spark_connect() -> None:
    # The log is out of reach there: every column is read, and neither proven nor remembered.
    seen = smoke(sys.executable, "connect")
    check(seen, "scanned")
    assert seen["staged"]  # the storage is out of reach, too
    for turn in ("first", "second"):
        verdict, (statistics, _, ledger), audited = seen[f"proof.{turn}"]
        assert verdict == [True, 400]
        assert "out of reach" in statistics
        assert "not used" in ledger
        assert audited == [0, 0, 0]


@pytest.mark.matrix
@pytest.mark.parametrize("version", ["3.5", "4.0"])
def test_an_older_spark(version: str) -> None:
    python = python_of(f".venv-spark{version.replace('.', '')}")
    seen = smoke(python, "classic")
    assert seen["spark"].startswith(f"{version}.")
    check(seen, "statistics")
    assert seen["staged"] == []
    log = "the table's log"
    assert seen["proof.first"] == [
        [True, 400],
        [log, 1, "0 files remembered, 1 facts added"],
        [1, 400, 0],
    ]
    assert seen["proof.second"] == [
        [True, 400],
        [log, 0, "1 files remembered, 0 facts added"],
        [1, 400, 0],
    ]
