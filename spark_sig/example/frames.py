"""Frames read from JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spark_sig.errors import SignatureError
from spark_sig.example.columns import DTYPES, cast_column, make_frame, objects, settled
from spark_sig.example.refusal import keys_label
from spark_sig.example.typed import read_float, read_value
from spark_sig.naming import member_path
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.types import DataType


def read_frame(document: Any, inputs: Schema | None, path: str) -> pd.DataFrame:
    """Read a frame in split orientation.

    Args:
        document: what JSON has; an index is dropped.
        inputs: gives the columns their types; without, they have those of their values.
        path: where it stands, for errors.

    Raises:
        SignatureError: where it is none; names the place.
    """
    labels, rows = _rows(document, path)
    specs = _specs(labels, inputs)
    columns = {
        label: _read_column(
            [row[place] for row in rows], specs.get(label), member_path(path, str(label))
        )
        for place, label in enumerate(labels)
    }
    return make_frame(columns, len(rows))


def _specs(labels: list[Any], inputs: Schema | None) -> dict[Any, ColSpec | TensorSpec]:
    """Return what a signature says of columns: by name, by place, or of all of them at once."""
    specs = list(inputs or ())
    if inputs is None or inputs.has_names:
        return {spec.name: spec for spec in specs}
    return dict(zip(labels, specs * len(labels) if inputs.is_tensor else specs, strict=False))


def _rows(document: Any, path: str) -> tuple[list[Any], list[list[Any]]]:
    """Return the labels and rows of a frame."""
    if not isinstance(document, dict) or not {"data"} <= document.keys() <= {
        "columns", "data", "index",
    }:  # fmt: skip
        raise SignatureError(
            "a frame is an object with data and columns", path=path, observed=keys_label(document)
        )
    rows = document["data"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise SignatureError("the rows must be lists", path=f"{path}.data")
    width = len(rows[0]) if rows else 0
    labels = document.get("columns")
    labels = list(range(width)) if labels is None else labels
    if not isinstance(labels, list) or any(type(label) not in (str, int) for label in labels):
        raise SignatureError("the columns must be a list of names", path=f"{path}.columns")
    if len(set(labels)) < len(labels):
        raise SignatureError("two columns have one name", path=f"{path}.columns")
    for place, row in enumerate(rows):
        if len(row) != len(labels):
            raise SignatureError(
                "a row is not as long as there are columns",
                path=f"{path}.data[{place}]",
                expected=f"length {len(labels)}",
                observed=f"length {len(row)}",
            )
    return labels, rows


def _read_column(cells: list[Any], spec: ColSpec | TensorSpec | None, path: str) -> Any:
    if spec is None:
        return settled(cells)
    if isinstance(spec, TensorSpec):
        return _read_tensor_column(cells, spec, path)
    if not isinstance(spec.type, DataType):
        return objects(
            [read_value(c, spec.type, f"{path}[{i}]", True) for i, c in enumerate(cells)]
        )
    made = [read_value(cell, spec.type, f"{path}[{place}]") for place, cell in enumerate(cells)]
    if not made and spec.type is DataType.datetime:
        return np.empty(0, "M8[ns]")
    wanted = DTYPES.get(spec.type)
    if wanted is None:
        return settled(made)
    return cast_column(made, wanted) if made else np.empty(0, wanted)


def _read_tensor_column(cells: list[Any], spec: TensorSpec, path: str) -> Any:
    if spec.type.kind in "biuf" and not any(isinstance(cell, list) for cell in cells):
        floats = spec.type.kind == "f"
        return cast_column([read_float(cell) for cell in cells] if floats else cells, spec.type)
    if spec.type.kind == "S":
        return objects([read_value(cell, DataType.binary, path) for cell in cells])
    return settled(cells)
