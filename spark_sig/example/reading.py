"""The data of an example, read from JSON."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from spark_sig.errors import SignatureError, assert_never
from spark_sig.example.frames import read_frame
from spark_sig.example.kinds import ExampleType
from spark_sig.example.tensors import SPARSE_KEYS, read_array, read_sparse
from spark_sig.example.typed import read_object
from spark_sig.example.writing import DATA, PARAMS, SPLIT, dense, tensor_tree
from spark_sig.naming import member_path
from spark_sig.schema import Schema, TensorSpec


def read_data(document: Any, kind: ExampleType, inputs: Schema | None, path: str) -> Any:
    """Read the data of an example.

    Args:
        document: what JSON has.
        kind: how they were written.
        inputs: gives them their types; without, they have JSON's own.
        path: where they stand, for errors.

    Raises:
        SignatureError: where they are not written so; names the place.
    """
    specs = [spec for spec in inputs or () if isinstance(spec, TensorSpec)]
    match kind:
        case ExampleType.DATAFRAME:
            return read_frame(document, inputs, path)
        case ExampleType.NDARRAY:
            if not isinstance(document, dict):
                return read_array(document, specs[0] if len(specs) == 1 else None, path)
            types = {spec.name: spec for spec in specs}
            return {
                k: read_array(v, types.get(k), member_path(path, k)) for k, v in document.items()
            }
        case ExampleType.CSR | ExampleType.CSC:
            return read_sparse(document, kind, specs[0] if specs else None, path)
        case ExampleType.JSON:
            return read_object(document, inputs, path)
        case _:
            assert_never(kind)


def guess_params(document: Any, served: Any) -> bool:
    """Tell by how an example is served whether it has params, where no MLmodel says it."""
    if not isinstance(document, dict) or document.keys() != {DATA, PARAMS}:
        return False
    return isinstance(served, dict) and (PARAMS in served or not {DATA, SPLIT} & served.keys())


def guess_kind(document: Any, served: Any, inputs: Schema | None) -> ExampleType:
    """Tell by how data are served how they were written, where no MLmodel says it."""
    body = served if isinstance(served, dict) else {}
    if SPLIT in body and DATA not in body:
        return ExampleType.DATAFRAME
    rows = body.get(DATA)
    if isinstance(document, dict) and document.keys() == SPARSE_KEYS and isinstance(rows, list):
        for kind in (ExampleType.CSR, ExampleType.CSC):
            with suppress(SignatureError):
                if tensor_tree(dense(read_sparse(document, kind, None, "$"))) == rows:
                    return kind
    tensors = inputs is not None and inputs.is_tensor and isinstance(document, (dict, list))
    return ExampleType.NDARRAY if tensors else ExampleType.JSON
