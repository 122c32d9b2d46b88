"""NumPy arrays: what is observed of their elements, and the tensors that they are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spark_sig.casts import SIGNIFICAND, Kind
from spark_sig.engines.arrays import MASKED, has_null
from spark_sig.engines.scalars import class_kind
from spark_sig.errors import SignatureError
from spark_sig.infer.settle import REMEDY
from spark_sig.naming import member_path
from spark_sig.observed import Lengths, Lists, Observed
from spark_sig.policy import Policy
from spark_sig.schema import TensorSpec

_FLEXIBLE = {"U": "str", "S": "bytes"}


def observe_array(array: npt.NDArray[Any]) -> Observed:
    """Observe the elements of an array of any dtype but object; beyond one axis they are lists.

    Example:
        >>> observe_array(np.array([1.5, np.nan], "float32"))._asdict()["nans"]
        1
    """
    if array.ndim > 1:
        element = observe_array(array.reshape(-1))
        for axis in range(array.ndim - 1, 0, -1):
            count, length = int(np.prod(array.shape[:axis])), array.shape[axis]
            lengths = Lengths(count, length, length) if count else Lengths()
            element = Observed(rows=count, lists=Lists(lengths, element))
        return element
    kind, count = dtype_kind(array.dtype), len(array)
    if kind is None:
        return Observed(rows=count, others=frozenset({array.dtype.name}))
    if array.dtype.kind == "M":
        missing = int(np.count_nonzero(np.isnat(array)))
        return Observed(rows=count, nulls=missing, kinds={kind: count - missing})
    nans = int(np.count_nonzero(np.isnan(array))) if kind in SIGNIFICAND else 0
    # Whether a double holds them all is not looked at: typed integers are no floats.
    inexact = count if kind in (Kind.INT64, Kind.UINT64) else 0
    return Observed(rows=count, nans=nans, kinds={kind: count}, inexact=inexact)


def dtype_kind(dtype: np.dtype[Any]) -> Kind | None:
    """Return what elements of a dtype are; None where no signature can say it."""
    if dtype.kind == "M" and np.datetime_data(dtype)[0] == "generic":
        return None
    return class_kind(dtype.type) if dtype.kind in "biufMSU" else None


def infer_tensor(
    array: Any, name: str | None = None, nulls: Literal["reject", "allow"] = "reject"
) -> TensorSpec:
    """Return the tensor that an array or a sparse matrix is; its first axis may have any length.

    Args:
        array: an array of any rank, or a SciPy CSR or CSC matrix.
        name: what the tensor is called.
        nulls: whether elements may be missing, as under ``Policy.mlflow()``.

    Raises:
        SignatureError: where no tensor can say what the array is.

    Example:
        >>> infer_tensor(np.zeros((2, 28, 28), "uint8"))
        Tensor('uint8', (-1, 28, 28))
    """
    dtype: np.dtype[Any] = array.dtype
    path = "$" if name is None else member_path("$", name)
    if dtype.kind == "V":
        raise SignatureError(
            "no tensor can say what a structured array is",
            path=path,
            observed=str(dtype),
            remedy=REMEDY,
        )
    if nulls == "reject" and isinstance(array, np.ndarray):
        hidden = np.ma.is_masked(array)
        if hidden or has_null(array, Policy()):
            raise SignatureError(
                "a tensor has no place for missing elements",
                path=path,
                observed=MASKED if hidden else f"null in an array of {dtype.name}",
                remedy="fill or drop them, or give a DataFrame, whose columns may be optional",
            )
    shape = (-1, *array.shape[1:]) if array.shape else ()
    return TensorSpec(_FLEXIBLE.get(dtype.kind, dtype), shape, name)
