"""Tensors read from JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_sig.engines.arrays import same_dtype
from spark_sig.errors import SignatureError
from spark_sig.example.columns import objects
from spark_sig.example.kinds import ExampleType
from spark_sig.example.refusal import keys_label, refuse
from spark_sig.example.typed import read_base64
from spark_sig.schema import TensorSpec

SPARSE_KEYS = frozenset({"data", "indices", "indptr", "shape"})


def read_array(document: Any, spec: TensorSpec | None, path: str) -> npt.NDArray[Any]:
    """Read a tensor.

    Args:
        document: what JSON has.
        spec: gives it its dtype; its elements stay what they are where they do not fit.
        path: where it stands, for errors.

    Raises:
        SignatureError: where it is none.
    """
    if isinstance(document, dict):
        raise refuse("a tensor must be a list", path, document)
    if spec is not None and spec.type.kind == "O":
        return _object_array(document, max(len(spec.shape), 1))
    made = _guarded(lambda: _natural(document, spec, path), path)
    return made if spec is None else _shaped(_as_dtype(made, spec.type, path), spec)


def read_sparse(document: Any, kind: ExampleType, spec: TensorSpec | None, path: str) -> Any:
    """Read a sparse matrix; as :func:`read_array`.

    Raises:
        SignatureError: where it is none, or SciPy is not installed.
    """
    try:
        from scipy.sparse import csc_matrix, csr_matrix
    except ImportError:
        raise SignatureError(
            "the example is a sparse matrix", path=path, remedy="install scipy"
        ) from None
    if not isinstance(document, dict) or document.keys() != SPARSE_KEYS:
        raise SignatureError(
            f"a sparse matrix is an object with {', '.join(sorted(SPARSE_KEYS))}",
            path=path,
            observed=keys_label(document),
        )
    for key in sorted(SPARSE_KEYS):
        value = document[key]
        if not isinstance(value, list) or (key != "data" and not _all(value, int)):
            raise SignatureError("this must be a list of numbers", path=f"{path}.{key}")
    if len(document["shape"]) != 2:
        raise SignatureError("a sparse matrix has two dimensions", path=f"{path}.shape")
    flat = None if spec is None else TensorSpec(spec.type, (-1,))
    numbers = read_array(document["data"], flat, f"{path}.data")
    if numbers.dtype.kind == "O":  # NaN does not fit a tensor of integers.
        numbers = read_array(document["data"], None, f"{path}.data")
    if numbers.dtype.kind not in "biuf":  # SciPy makes a matrix of others that it cannot read.
        raise SignatureError("this must be a list of numbers", path=f"{path}.data")
    make = csc_matrix if kind is ExampleType.CSC else csr_matrix

    def made() -> Any:
        places = [np.array(document[key], np.int64) for key in ("indices", "indptr")]
        matrix = make((numbers, *places), shape=tuple(document["shape"]))
        matrix.check_format(full_check=True)  # Places outside would be read as they are.
        return matrix

    return _guarded(made, path)


def _guarded(make: Callable[[], Any], path: str) -> Any:
    """Make a value of numbers from a file, whatever they are."""
    try:
        return make()
    except (ValueError, TypeError, OverflowError, IndexError):
        raise SignatureError("these numbers make no tensor", path=path) from None


def _natural(document: Any, spec: TensorSpec | None, path: str) -> npt.NDArray[Any]:
    """Make an array of the numbers or texts of JSON; ragged ones level by level."""
    try:
        made = np.array(document)
    except ValueError:
        if not isinstance(document, list):
            raise
        return objects([_ragged(item, spec, path) for item in document])
    if made.dtype.kind == "U" and not _all(document, str):
        return np.array(document, object)
    # NumPy makes floats of large integers, and of nothing.
    if made.dtype.kind == "f" and made.size and _all(document, int):
        whole = np.array(document, object)
        fits = whole.min() >= 0 and whole.max() < 2**64
        return whole.astype(np.uint64) if fits else whole
    numbers = made.dtype.kind == "O" and all(
        type(v) in (int, float) or v is None for v in made.flat
    )
    floats = spec is None or spec.type.kind == "f"
    return np.asarray(made, np.float64) if numbers and made.size and floats else made


def _ragged(item: Any, spec: TensorSpec | None, path: str) -> Any:
    if not isinstance(item, list) or spec is None:
        return item
    return _as_dtype(_natural(item, spec, path), spec.type, path)


def _all(document: Any, kind: type) -> bool:
    if isinstance(document, list):
        return all(_all(item, kind) for item in document)
    return type(document) is kind


def _object_array(document: Any, levels: int) -> npt.NDArray[Any]:
    shape: list[int] = []
    inside = [document]
    while len(shape) < levels and inside and all(isinstance(item, list) for item in inside):
        if len({len(item) for item in inside}) > 1:
            break
        shape.append(len(inside[0]))
        inside = [item for outer in inside for item in outer]
    return objects(inside).reshape(shape) if shape else np.array(document, object)


def _as_dtype(array: npt.NDArray[Any], dtype: np.dtype[Any], path: str) -> npt.NDArray[Any]:
    """Give an array its dtype; it stays what it is where its values do not fit."""
    if array.dtype.kind == "O" and array.ndim == 1 and any(
        isinstance(item, np.ndarray) for item in array
    ):  # fmt: skip
        return array
    if not array.size:
        return array.astype(dtype)
    if same_dtype(array.dtype, dtype):
        return array
    if dtype.kind == "S" and array.dtype.kind == "U":
        texts = [read_base64(str(text), path) for text in array.flat]
        return np.array(texts, np.bytes_).reshape(array.shape)
    if not _fits(array, dtype):
        return array
    with np.errstate(over="ignore"):
        return _guarded(lambda: array.astype(dtype), path)  # type: ignore[no-any-return]


def _fits(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> bool:
    given = array.dtype.kind
    match dtype.kind:
        case "i" | "u":
            limits = np.iinfo(dtype)
            whole = given in "iu"
            return whole and limits.min <= int(array.min()) and int(array.max()) <= limits.max
        case "f":
            return given in "fiu"
        case "M":
            return given in "OUi"
        case "m":
            return given in "OUif"
        case _:
            return False


def _shaped(array: npt.NDArray[Any], spec: TensorSpec) -> npt.NDArray[Any]:
    """Give an empty array the shape that JSON lost."""
    if array.size or array.ndim == len(spec.shape):
        return array
    shape = tuple(0 if dim < 0 else dim for dim in spec.shape)
    return array.reshape(shape) if 0 in shape else array
