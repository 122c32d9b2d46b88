"""What every test may ask for: one Spark session, and hypothesis profiles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]

# No deadline: the first example of a test may start Spark.  CI is to give the same verdict twice.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=60,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly", settings.get_profile("default"), max_examples=2_000, derandomize=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one Spark session of the suite, with Delta, started by the first test that asks."""
    # here, not above: most tests need no Spark, and importing it takes a second
    from jobs.session import build_session

    folder = tmp_path_factory.mktemp("spark")
    session = build_session(
        "spark_sig tests",
        driver_memory="3g",
        conf={
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "3",
            "spark.databricks.delta.snapshotPartitions": "2",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.local.dir": str(folder),
        },
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def spark35_python() -> Path:
    """The Python of the environment with Spark 3.5; the test skips where there is none."""
    python = ROOT / ".venv-spark35" / "bin" / "python"
    if not python.exists():
        pytest.skip("no .venv-spark35: make env-spark35")
    return python
