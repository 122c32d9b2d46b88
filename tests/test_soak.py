"""Processes that are killed, as the system kills them: nothing is lost, and nothing doubled."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.processes import PATIENCE, until
from tests.soak.__main__ import Soak
from tests.soak.balance import Balance
from tests.soak.lanes import Folder, count

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow


@pytest.fixture
def soak(tmp_path: Path) -> Soak:
    (tmp_path / "logs").mkdir()
    return Soak(Folder(tmp_path), random.Random(1))


def test_a_stream_that_is_killed_goes_on_from_its_checkpoint(
    soak: Soak, spark: SparkSession
) -> None:
    """Killed as a batch is copied, between its two commits, and before Spark knows of them."""
    folder = soak.folder
    known = folder.path / "checkpoint" / "commits"
    moments = {
        "copied": lambda: list(folder.bad.glob("_spark_sig/*/*/_delta_log/*.json")),
        "half written": lambda: soak.half_written(0),
        "written": lambda: len(soak.runs(folder.good)) > len(list(known.glob("[0-9]*"))),
    }
    for name, moment in moments.items():
        soak.start(0)
        soak.lanes[0].awaits("ready")
        until(moment, f"no batch was {name}")
        soak.lanes[0].kill()
    assert count(folder.list("done", 0)) < 3
    folder.over.touch()
    soak.start(0)
    assert soak.lanes[0].running.wait(PATIENCE) == 0, soak.lanes[0].tail()
    found = Balance.of(spark, folder)
    assert found.even, found


def test_a_soak_of_some_kills_balances(soak: Soak, spark: SparkSession) -> None:
    soak.run(45)
    assert soak.kills >= 2
    found = Balance.of(spark, soak.folder)
    assert found.even, found
