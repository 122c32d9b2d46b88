"""Benchmarks on the driver: ``enforce`` against MLflow on the same data, and imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from spark_sig import ModelSignature, enforce, infer_signature
from tests.bench.frames import case
from tests.bench.measure import Ratio, Run, interleaved, repeated

# A setting of Python under which packages compiled at their installation have an advantage.
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
WORKER = Path(__file__).with_name("mlflow_worker.py")

# Action, case, calls in one run, MLflow's calls in one run, times faster that it should be, and
# rounds.
CASES = (
    ("enforce", "mixed", 3, 3, 1.5, 7),
    ("enforce", "numeric", 50, 10, 20.0, 7),
    ("enforce", "objects", 1, 1, 30.0, 5),
    ("enforce", "one row", 500, 200, 1.0, 7),
    ("infer", "mixed", 3, 1, 100.0, 5),
    ("infer", "objects", 1, 1, 20.0, 5),
    ("infer", "one row", 500, 200, 1.0, 7),
)
# What "microseconds" may be, for an array of any size.
ARRAY = 10e-6


def against_mlflow() -> Iterator[Ratio]:
    """Compare with MLflow, which runs in a process of its own, call by call in turn."""
    with subprocess.Popen(
        [sys.executable, str(WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as worker:
        asks, answers = worker.stdin, worker.stdout
        if asks is None or answers is None or answers.readline().strip() != "ready":
            raise RuntimeError("MLflow does not start")
        for action, name, times, theirs, target, rounds in CASES:
            mine = repeated(_mine(action, name), times)

            def mlflow(request: str = f"{action} {name} {theirs}\n") -> float:
                asks.write(request)
                asks.flush()
                return float(answers.readline())

            seconds, base = interleaved([mine, mlflow], rounds)
            title = f"{action} on the driver, {name}: times MLflow"
            yield Ratio(title, seconds, base, target, False)
        asks.close()


def _mine(action: str, name: str) -> Callable[[], object]:
    data, schema = case(name)
    if action == "infer":

        def infer() -> object:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return infer_signature(data)

        return infer
    signature = ModelSignature.from_dict({"inputs": json.dumps(schema)})
    return lambda: enforce(data, signature)


def arrays() -> Iterator[Ratio]:
    """Time ndarrays of three sizes, which cost the same as none of their values is touched."""
    for rows in (1, 1_000, 1_000_000):
        data, schema = case("ndarray")
        signature = ModelSignature.from_dict({"inputs": json.dumps(schema)})
        part = data[:rows]
        (seconds,) = interleaved([repeated(lambda p=part, s=signature: enforce(p, s), 2000)])
        yield Ratio(f"enforce on the driver, ndarray {rows:,} x 64 / 10 us", seconds, ARRAY, 1.0)


def imports(cache: Path) -> Iterator[Ratio]:
    """Compare what an executor imports with NumPy and pyarrow alone, cold processes in turn.

    Args:
        cache: where both keep the bytecode of what they import, as an installed package has it.
    """
    environment = {name: value for name, value in os.environ.items() if name != NO_BYTECODE}
    environment["PYTHONPYCACHEPREFIX"] = str(cache)

    def importing(code: str) -> Run:
        def run() -> float:
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            return time.perf_counter() - start

        return run

    base_code = "import numpy, pyarrow, pyarrow.compute"
    runs = [importing("import spark_sig.kernels.tasks"), importing(base_code)]
    seconds, base = interleaved(runs, 21)
    yield Ratio("importing what an executor needs / NumPy and pyarrow", seconds, base, 1.2)
