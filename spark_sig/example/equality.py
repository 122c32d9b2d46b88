"""The equality of examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spark_sig.engines.arrays import is_sparse


def same(one: Any, other: Any) -> bool:
    """Say whether two values are of one class and equal; NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame):
        labels = one.columns.tolist() == other.columns.tolist() and len(one) == len(other)
        pairs = (
            (one.iloc[:, place], other.iloc[:, place])
            for place in range(one.shape[1] if labels else 0)
        )
        return labels and all(a.dtype == b.dtype and same(a.tolist(), b.tolist()) for a, b in pairs)
    if isinstance(one, np.ndarray):
        alike = one.dtype == other.dtype and one.shape == other.shape
        return alike and same(one.ravel().tolist(), other.ravel().tolist())
    if is_sparse(one):
        parts = ((getattr(x, part) for part in ("data", "indices", "indptr")) for x in (one, other))
        return one.shape == other.shape and all(
            a.dtype.kind == b.dtype.kind and same(a.tolist(), b.tolist())
            for a, b in zip(*parts, strict=True)
        ) and one.dtype == other.dtype  # fmt: skip
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if one is other:
        return True
    return bool(one == other or (one != one and other != other))
