"""Tensors of tables: columns whose rows are slices of one shape."""

from __future__ import annotations

import numpy as np

from spark_sig.casts import DTYPES
from spark_sig.errors import SignatureError
from spark_sig.observed import Lengths, Observed
from spark_sig.schema import TensorSpec

_DTYPE = {kind: np.dtype(name) for name, kind in DTYPES.items()}


def table_tensor(seen: Observed, name: str, path: str) -> TensorSpec:
    """Return the tensor whose slices along the first axis are a column's rows.

    Args:
        seen: what was observed of the column.
        name: its name, and the tensor's.
        path: its place, for errors.

    Raises:
        SignatureError: where rows are NULL or hold one, differ in shape, or are of no dtype.

    Example:
        >>> from spark_sig.casts import Kind
        >>> from spark_sig.observed import Lists
        >>> element = Observed(rows=6, kinds={Kind.FLOAT32: 6})
        >>> table_tensor(Observed(rows=2, lists=Lists(Lengths(2, 3, 3), element)), "v", "$.v")
        'v': Tensor('float32', (-1, 3))
    """
    dims: list[int] = [-1]
    level = seen
    while level.lists is not None:
        _refuse_nulls(level, path)
        dims.append(_constant(level.lists.lengths, path))
        level = level.lists.element
    _refuse_nulls(level, path)
    if level.vectors is not None and len(dims) == 1:
        return TensorSpec(np.float64, (*dims, _constant(level.vectors, path)), name)
    dtypes = {None} if level.others else {_DTYPE.get(kind) for kind in level.kinds}
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    if dtype is None:
        names = [*(kind.value for kind in level.kinds), *level.others]
        names = sorted(names) or ["a vector in an array" if level.vectors else "records or maps"]
        raise SignatureError(
            "the column is no tensor",
            path=path,
            expected="scalars, arrays of them, or vectors",
            observed=" and ".join(names),
            remedy=_REMEDY,
        )
    return TensorSpec(dtype, dims, name)


_REMEDY = "cast it, leave it out, or infer columns in place of tensors"


def _refuse_nulls(seen: Observed, path: str) -> None:
    if seen.nulls:
        raise SignatureError(
            "a tensor has no place for NULL",
            path=path,
            observed=f"nulls among {seen.rows:,} values",
            remedy="fill or drop them, leave the column out, or infer columns in place of tensors",
        )


def _constant(lengths: Lengths, path: str) -> int:
    if (length := lengths.constant) is not None:
        return length
    spread = f"{lengths.shortest:,} to {lengths.longest:,}" if lengths.total else "none seen"
    raise SignatureError(
        "arrays of different lengths make no tensor",
        path=path,
        observed=f"lengths {spread}",
        remedy=_REMEDY,
    )
