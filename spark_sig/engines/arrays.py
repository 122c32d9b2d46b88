"""NumPy arrays and sparse matrices held to tensors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_sig.casts import Kind, dtype_kind
from spark_sig.engines.scalars import as_objects, class_kind, missing
from spark_sig.errors import Code, Violation
from spark_sig.policy import Policy
from spark_sig.schema import TensorSpec

# What an array is whose mask hides some elements: NumPy and pandas go on as if none did, or make
# floats of integers.
MASKED = "masked array"
_MOMENTS = (np.datetime64, np.timedelta64)
_FLOATS = (float, complex, np.inexact)


def shape_label(dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
    """Name a tensor for reports, such as ``float32 array of shape (-1, 28)``."""
    name = {"U": "str", "S": "bytes"}.get(dtype.kind, dtype.name)
    return f"{name} array of shape {shape}"


def is_sparse(value: object) -> bool:
    """Say whether a value is a CSR or CSC matrix of SciPy, which need not be installed."""
    scipy = sys.modules.get("scipy.sparse")
    return scipy is not None and isinstance(value, (scipy.csr_matrix, scipy.csc_matrix))


def same_dtype(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Say whether two dtypes are one, lengths of strings and byte order aside."""
    if wanted.kind in "SU":
        return given.kind == wanted.kind
    return given == wanted or given.newbyteorder("=") == wanted


def check_tensor(value: Any, spec: TensorSpec, path: str, policy: Policy) -> list[Violation]:
    """Return what keeps an array or a sparse matrix from being a tensor; its size costs nothing.

    Only ragged arrays, those whose dtype has a null, masked ones, and NaN where the policy
    rejects it, need a look at the elements.

    Example:
        >>> check_tensor(np.zeros((2, 3)), TensorSpec("float64", (-1, 3)), "$", Policy())
        []
    """
    dense = isinstance(value, np.ndarray)
    dtype = value.dtype if dense else value.data.dtype
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        return [masked_array(path, shape_label(spec.type, spec.shape))]
    if spec.type.kind == "O" and spec.shape == (-1,):
        null = dense and has_null(value, policy)
        return [_null(path, shape_label(spec.type, spec.shape))] if null else []
    if dense and dtype.kind == "O" and value.ndim == 1 and -1 in spec.shape[1:]:
        return list(_ragged(value, spec, path, policy))
    typed, shaped = same_dtype(dtype, spec.type), _fits(value.shape, spec.shape)
    if typed and shaped and policy.nan == "allow" and dtype.kind not in "OmM":
        return []
    expected, found = shape_label(spec.type, spec.shape), []
    if not typed:
        observed = shape_label(dtype, value.shape)
        remedy = f"convert it with astype({spec.type.name!r}), where that is meant"
        found.append(Violation(path, Code.TYPE, expected, observed, remedy))
    if not shaped:
        observed = shape_label(dtype, value.shape)
        found.append(Violation(path, Code.SHAPE, expected, observed, _reshape(spec.shape)))
    return found or list(_nulls([value if dense else value.data], path, expected, policy))


def masked_array(path: str, expected: str) -> Violation:
    """Return the violation of an array whose mask hides some elements."""
    return Violation(path, Code.TYPE, expected, MASKED, "fill what is masked first, x.filled()")


def _null(path: str, expected: str) -> Violation:
    return Violation(path, Code.NULL, expected, "null")


def has_null(array: npt.NDArray[Any], policy: Policy) -> bool:
    """Say whether an element is null; as MLflow does, ``nulls="allow"`` looks for none."""
    looks = policy.nulls == "reject" and array.dtype.kind in "OmM"
    return looks and missing(array.reshape(-1)) is not None


def _nulls(
    arrays: Sequence[npt.NDArray[Any]], path: str, expected: str, policy: Policy
) -> Iterator[Violation]:
    if any(has_null(array, policy) for array in arrays):
        yield _null(path, expected)
    elif policy.nan == "reject" and any(
        array.dtype.kind in "fc" and bool(np.isnan(array).any()) for array in arrays
    ):
        yield Violation(path, Code.NULL, expected, "NaN")


def _reshape(shape: tuple[int, ...]) -> str:
    return f"reshape it to {shape}" if shape.count(-1) < 2 else ""


def _fits(given: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(given) == len(wanted) and all(
        want in (-1, have) for have, want in zip(given, wanted, strict=True)
    )


# --- ragged arrays --------------------------------------------------------------------------------


def _ragged(
    array: npt.NDArray[Any], spec: TensorSpec, path: str, policy: Policy
) -> Iterator[Violation]:
    """Check an array of arrays or lists level by level; each level in a few passes in C."""
    expected = shape_label(spec.type, spec.shape)
    if spec.shape[0] not in (-1, len(array)):
        observed = f"{len(array)} rows"
        yield Violation(path, Code.SHAPE, expected, observed)
    cells: list[Any] = array.tolist()
    for axis in range(1, len(spec.shape)):
        path += "[*]"
        rest = spec.shape[axis:]
        classes = set(map(type, cells))
        if not all(issubclass(cls, (list, np.ndarray)) for cls in classes):
            yield from _no_lists(classes, path, expected)
            return
        typed = [c for c in cells if isinstance(c, np.ndarray) and c.dtype != object]
        if any(map(np.ma.is_masked, cells)):
            yield masked_array(path, expected)
            return
        if typed:
            yield from _dense(typed, rest, spec.type, path, expected, policy)
        lists = [c for c in cells if not isinstance(c, np.ndarray) or c.dtype == object]
        wrong = {len(c) for c in lists} - {rest[0]} if rest[0] >= 0 else set()
        if wrong:
            yield Violation(path, Code.SHAPE, expected, f"length {min(wrong)}")
        if not lists:
            return
        cells = list(chain.from_iterable(lists))
    yield from _elements(cells, spec.type, path + "[*]", expected, policy)


def _no_lists(classes: set[type], path: str, expected: str) -> Iterator[Violation]:
    for cls in sorted(classes, key=lambda cls: cls.__name__):
        if cls is type(None):
            yield _null(path, expected)
        elif not issubclass(cls, (list, np.ndarray)):
            yield Violation(path, Code.SHAPE, expected, f"{cls.__name__} in place of an array")


def _dense(
    cells: list[npt.NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    path: str,
    expected: str,
    policy: Policy,
) -> Iterator[Violation]:
    """Check the arrays in which a ragged one ends."""
    for given in sorted({c for c in map(attrgetter("dtype"), cells)}, key=str):
        if not same_dtype(given, dtype):
            yield Violation(path, Code.TYPE, expected, given.name)
    for have in sorted(set(map(attrgetter("shape"), cells))):
        if not _fits(have, shape):
            yield Violation(path, Code.SHAPE, expected, f"shape {have}")
            return
    yield from _nulls(cells, path, expected, policy)


def _elements(
    items: list[Any], dtype: np.dtype[Any], path: str, expected: str, policy: Policy
) -> Iterator[Violation]:
    """Check the Python scalars in which a ragged array ends."""
    nulls = False
    if dtype.kind in "OmM":
        nulls = has_null(as_objects(items), policy)
    if dtype.kind == "O":
        if nulls:
            yield _null(path, expected)
        return
    for cls in sorted(set(map(type, items)), key=lambda cls: cls.__name__):
        if class_kind(cls) is Kind.NULL:
            nulls = True
        elif not _is_element(cls, dtype):
            yield Violation(path, Code.TYPE, expected, cls.__name__)
    units = {x.dtype for x in items if isinstance(x, _MOMENTS) and not np.isnat(x)}
    for unit in sorted(units - {dtype}, key=str):
        yield Violation(path, Code.TYPE, expected, unit.name)
    if nulls:
        yield _null(path, expected)
    if policy.nan == "reject" and any(isinstance(x, _FLOATS) and x != x for x in items):
        yield Violation(path, Code.NULL, expected, "NaN")


def _is_element(cls: type, dtype: np.dtype[Any]) -> bool:
    if dtype.kind in "SU":
        return issubclass(cls, str if dtype.kind == "U" else bytes)
    kind = dtype_kind(dtype)
    if kind is None:
        return issubclass(cls, dtype.type)
    return class_kind(cls) is kind


# --- exact conversion -----------------------------------------------------------------------------


def exactly(
    values: npt.NDArray[Any], dtype: np.dtype[Any]
) -> tuple[npt.NDArray[Any] | None, npt.NDArray[np.bool_] | None]:
    """Convert values where each finds its equal in another dtype.

    Returns:
        The values, and where they have no equal (None where all have one); or None twice, where
        no value of the one is ever a value of the other.

    Example:
        >>> exactly(np.array([1.0, 1.5]), np.dtype("int8"))[1].tolist()
        [False, True]
    """
    if same_dtype(values.dtype, dtype):
        return values, None
    if dtype.kind == "c" and values.dtype.kind in "iuf":
        real, wrong = exactly(values, np.dtype(f"f{dtype.itemsize // 2}"))
        return None if real is None else real.astype(dtype), wrong
    numbers = values.dtype.kind in "iuf" and dtype.kind in "iuf"
    if not numbers and not (values.dtype.kind == dtype.kind == "M"):
        return None, None
    with np.errstate(all="ignore"):
        wrong = _outside(values, dtype) if dtype.kind in "iu" else np.zeros(values.shape, np.bool_)
        out = np.where(wrong, np.zeros((), values.dtype), values).astype(dtype)
        back = out.astype(values.dtype)
        if values.dtype.kind in "iu" and dtype.kind == "f":
            # The float nearest to the greatest integer is beyond it, and wraps on its way back.
            wrong |= _outside(out, values.dtype)
        differs = back != values
        if values.dtype.kind == "f":
            differs &= ~(np.isnan(values) & (np.isnan(back) if dtype.kind == "f" else False))
            if dtype.kind in "iu":
                differs |= (values == 0) & np.signbit(values)
        elif values.dtype.kind == "M":
            differs &= ~(np.isnat(values) & np.isnat(back))
    wrong |= differs
    return out, wrong if bool(wrong.any()) else None


def _outside(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[np.bool_]:
    """Return which numbers no integer of a dtype can equal, by its range."""
    limits = np.iinfo(dtype)
    if values.dtype.kind == "f":
        top = float(2 ** (limits.bits - (dtype.kind == "i")))
        inside = (values >= float(limits.min)) & (values < values.dtype.type(top))
        if not np.isfinite(values.dtype.type(top)):
            inside = (values >= float(limits.min)) & np.isfinite(values)
        return np.asarray(~inside)
    have = np.iinfo(values.dtype)
    low, high = max(limits.min, have.min), min(limits.max, have.max)
    return np.asarray((values < low) | (values > high))
