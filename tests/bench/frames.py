"""The data of the driver's benchmarks: made alike here and in MLflow's environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

ROWS = 1_000_000
OBJECTS = 100_000

# Every scalar type that a pandas column holds.
_MIXED = {
    "long": 3,
    "double": 4,
    "integer": 2,
    "float": 2,
    "boolean": 1,
    "datetime": 1,
    "string": 3,
}
_NUMERIC = {"long": 6, "double": 6, "integer": 2, "float": 2}


def _column(kind: str, rows: int, rng: np.random.Generator) -> Any:
    match kind:
        case "long":
            return rng.integers(0, 2**40, rows)
        case "integer":
            return rng.integers(0, 2**20, rows).astype("int32")
        case "double":
            return rng.random(rows)
        case "float":
            return rng.random(rows).astype("float32")
        case "datetime":
            return pd.to_datetime(rng.integers(0, 2**60, rows))
        case "boolean":
            return rng.random(rows) < 0.5
        case _:
            # an object for each value, as a file that is read gives them
            return np.array([f"name-{i}" for i in rng.integers(0, 1000, rows)], dtype=object)


def _frame(kinds: dict[str, int], rows: int) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    rng = np.random.default_rng(0)
    data, schema = {}, []
    for kind, count in kinds.items():
        for i in range(count):
            name = f"{kind}_{i}"
            data[name] = _column(kind, rows, rng)
            schema.append({"type": kind, "name": name, "required": True})
    return pd.DataFrame(data), schema


def _objects(rows: int) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    records = [
        {
            "id": i,
            "name": f"n{i % 100}",
            "items": [{"sku": f"s{i % 7}", "price": i * 0.5}, {"sku": "x", "price": 1.0}],
        }
        for i in range(rows)
    ]
    column = np.empty(rows, dtype=object)
    column[:] = records
    item = {
        "type": "object",
        "properties": {
            "price": {"type": "double", "required": True},
            "sku": {"type": "string", "required": True},
        },
    }
    properties = {
        "id": {"type": "long", "required": True},
        "items": {"type": "array", "items": item, "required": True},
        "name": {"type": "string", "required": True},
    }
    schema = [{"type": "object", "properties": properties, "name": "order", "required": True}]
    return pd.DataFrame({"order": column}), schema


def _tensor(rows: int) -> tuple[Any, list[dict[str, Any]]]:
    spec = {"dtype": "float32", "shape": [-1, 64]}
    return np.zeros((rows, 64), "float32"), [{"type": "tensor", "tensor-spec": spec}]


def case(name: str) -> tuple[Any, list[dict[str, Any]]]:
    """Return the data and the schema document of a case.

    Args:
        name: ``mixed``, ``numeric``, ``objects``, ``one row`` or ``ndarray``.
    """
    match name:
        case "mixed":
            return _frame(_MIXED, ROWS)
        case "numeric":
            return _frame(_NUMERIC, ROWS)
        case "one row":
            return _frame(_MIXED, 1)
        case "objects":
            return _objects(OBJECTS)
        case "ndarray":
            return _tensor(ROWS)
        case _:
            raise ValueError(name)
