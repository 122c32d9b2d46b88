"""Params: the schema of the values that a model takes beside its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spark_sig.errors import SignatureError
from spark_sig.infer.python import observe_values
from spark_sig.infer.settle import settle
from spark_sig.params import ARRAY_SHAPE, ParamSchema, ParamSpec
from spark_sig.types import AnyType, Array, DataType, Object


def infer_params(params: Any) -> ParamSchema | None:
    """Return the schema of params, their values as its defaults; None where there are none.

    Args:
        params: by name: scalars, lists or one-dimensional arrays of scalars, or dicts.

    Raises:
        SignatureError: names every param whose value is none of these.

    Example:
        >>> infer_params({"top_k": 2, "stop": [1, 2]})
        ['top_k': long (default: 2), 'stop': long (default: [1, 2]) (shape: (-1,))]
    """
    if not params:
        return None
    if not isinstance(params, Mapping):
        raise SignatureError("params must be a dict", path="$.params", observed=_name(params))
    specs, errors = [], []
    for name, value in params.items():
        try:
            specs.append(_spec(str(name), value))
        except SignatureError as error:
            errors.append(f"{name}: {error.observed or error.message}")
    if errors:
        raise SignatureError(
            "params must be scalars, lists of scalars or dicts",
            path="$.params",
            observed="; ".join(errors),
        )
    return ParamSchema(specs)


def _spec(name: str, value: Any) -> ParamSpec:
    if isinstance(value, np.ndarray) and value.ndim != 1:
        raise SignatureError("", observed=f"an array of {value.ndim} dimensions")
    seen = settle(observe_values([value]), f"$.params.{name}", alone=True)
    if seen.nulls and not isinstance(seen.type, Object):
        raise SignatureError("", observed=f"{_name(value)} with null")
    match seen.type:
        case DataType() | Object() as dtype:
            return ParamSpec(name, dtype, value)
        case Array(dtype=DataType() as dtype):
            return ParamSpec(name, dtype, value, ARRAY_SHAPE)
        case Array() | AnyType():
            raise SignatureError("", observed=f"{_name(value)} without a type of its own")
        case _:
            raise SignatureError("", observed=_name(value))


def _name(value: Any) -> str:
    return type(value).__name__
