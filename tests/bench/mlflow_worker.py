"""MLflow's side of the benchmark, in a process of its own.

Reads ``ACTION CASE TIMES`` lines, and answers each with the seconds of one call on that case's
data: ``enforce`` is MLflow's ``_enforce_schema``, ``infer`` its ``infer_signature``.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def main() -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")
    from frames import case  # type: ignore[import-not-found]  # beside this file
    from mlflow.models import infer_signature
    from mlflow.models.utils import _enforce_schema
    from mlflow.types import Schema

    cases = {}
    print("ready", flush=True)
    for line in sys.stdin:
        action, _, rest = line.strip().partition(" ")
        name, _, times = rest.rpartition(" ")
        if name not in cases:
            data, schema = case(name)
            cases[name] = data, Schema.from_json(json.dumps(schema))
        data, schema = cases[name]
        start = time.perf_counter()
        for _ in range(int(times)):
            if action == "infer":
                infer_signature(data)
            else:
                _enforce_schema(data, schema)
        print((time.perf_counter() - start) / int(times), flush=True)


if __name__ == "__main__":
    main()
