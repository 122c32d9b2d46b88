"""What every test may ask for: one Spark session, and hypothesis profiles."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tests.cluster import Cluster

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


def pytest_configure(config: pytest.Config) -> None:
    """Except what older Sparks warn of."""
    older = {
        # sockets that collect() leaves to the garbage collector
        "ignore:unclosed <socket:ResourceWarning": (4, 2),
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning": (4, 2),
        # how it compares versions of pandas and pyarrow
        "ignore:distutils Version classes are deprecated:DeprecationWarning": (4, 0),
        # what it asks pandas
        "ignore:is_datetime64tz_dtype is deprecated:DeprecationWarning": (4, 0),
    }
    for warning, until in older.items():
        if spark_version() < until:
            config.addinivalue_line("filterwarnings", warning)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep some of the files, and turn their order, where the environment says so."""
    if part := os.environ.get("SPARK_SIG_PART"):
        _keep_part(part, config, items)
    if turn := os.environ.get("SPARK_SIG_TURN"):
        _turn(int(turn), items)


def _turn(by: int, items: list[pytest.Item]) -> None:
    """Begin with another file, so that a run whose time is up leaves other tests out each time."""
    if files := list(dict.fromkeys(item.path for item in items)):
        items.sort(key=lambda item: (files.index(item.path) - by) % len(files))


def _keep_part(part: str, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep one part of the files: 1/2 and 2/2 together are all."""
    at, parts = map(int, part.split("/"))
    # What meets Spark takes the time: each file, the largest first, goes to the part with least.
    sizes = Counter(item.path for item in items if "spark" in getattr(item, "fixturenames", ()))
    total, mine = [0] * parts, set[Path]()
    for path in sorted({item.path for item in items}, key=lambda path: (-sizes[path], path)):
        least = total.index(min(total))
        total[least] += sizes[path]
        if least == at - 1:
            mine.add(path)
    config.hook.pytest_deselected(items=[item for item in items if item.path not in mine])
    items[:] = [item for item in items if item.path in mine]


def spark_version() -> tuple[int, ...]:
    """The version of PySpark that is installed, without starting it."""
    return tuple(map(int, version("pyspark").split(".")[:2]))


# What is said of rows whose query calls raise_error.
RAISED = "[USER_RAISED_EXCEPTION]" if spark_version() >= (4,) else "[RuntimeException]"


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
            # VACUUM and CONVERT list folders in as many tasks, of which there are 10,000 else
            "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.local.dir": str(folder),
        },
    )
    yield session
    session.stop()


def python_of(environment: str, target: str = "env-older") -> Path:
    """Return the Python of an environment; the test skips where there is none.

    ``target`` is what make calls the environment.
    """
    python = ROOT / environment / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no {environment}: make {target}")
    return python


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of processes, for the tests of `make cluster-test`."""
    from jobs.session import resolved_jars
    from tests.cluster import PYTHON, Cluster

    wheels = sorted((ROOT / "build" / "dist").glob("*.whl"))
    if not PYTHON.exists() or not wheels:
        pytest.skip("no .venv-cluster or no wheel: make cluster-test")
    java = (ROOT / "build" / "java-home").read_text().strip()
    found = Cluster(tmp_path_factory.mktemp("processes"), java, wheels[-1], resolved_jars())
    try:
        found.start()
        yield found
    finally:
        found.stop()
