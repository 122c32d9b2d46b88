"""Signatures of data: of values on the driver, and of whole DataFrames."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from spark_sig.errors import SignatureError
from spark_sig.infer.params import infer_params
from spark_sig.infer.values import OnUnsupported, check_choice, infer_schema
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema
from spark_sig.signature import ModelSignature
from spark_sig.sources import is_spark
from spark_sig.types import AnyType, DataType

# What may go wrong later with integers that are none of missing now (MLflow's documents,
# "Handling Integers With Missing Values").
GAPS = (
    "the signature has integer columns ({names}): where values are missing, pandas makes floats "
    "of integers, which do not fit; infer from data that has the gaps, use nullable dtypes such "
    "as Int64, or declare the columns double"
)


def infer_signature(
    model_input: Any = None,
    model_output: Any = None,
    params: Mapping[str, Any] | None = None,
    *,
    policy: Policy | None = None,
    on_unsupported: OnUnsupported | None = None,
) -> ModelSignature:
    """Infer the signature of a model from its input, its output and its params.

    What comes back accepts the very data that it came from: None and NaN make a field optional,
    as do NULLs in its lists; an empty list does not; keys that some dicts lack make a property
    optional.  A Spark DataFrame is read whole (see :func:`spark_sig.infer_table`).

    Args:
        model_input: a pandas DataFrame or Series, a NumPy array or a dict of them, a dict or a
            list of dicts, a list, a scalar, a SciPy CSR or CSC matrix, an Arrow table or array,
            a Spark DataFrame.
        model_output: likewise.
        params: by name, with their defaults.
        policy: under ``Policy.mlflow()`` what no signature can say is what MLflow makes of it.
        on_unsupported: what becomes of a column that no signature can say: ``raise`` an error,
            ``any`` for that column, or ``mlflow``, one unnamed ``any`` for everything.

    Raises:
        SignatureError: where no signature can say what the data is; names every such column and
            the options.

    Example:
        >>> infer_signature({"text": "a", "scores": [0.5, None]}).inputs
        ['text': string (required), 'scores': Array(double) (optional)]
    """
    if on_unsupported is None:
        mlflow = policy is not None and policy == Policy.mlflow()
        on_unsupported = "mlflow" if mlflow else "raise"
    check_choice(on_unsupported, ("raise", "any", "mlflow"))
    inputs = _side(model_input, "inputs", on_unsupported)
    outputs = _side(model_output, "outputs", on_unsupported)
    return ModelSignature(inputs, outputs, infer_params(params))


def _side(data: Any, side: str, on_unsupported: OnUnsupported) -> Schema | None:
    if data is None:
        return None
    try:
        infer = _spark if is_spark(data) else infer_schema
        schema = infer(data, on_unsupported)
    except SignatureError as error:
        if on_unsupported != "mlflow":
            raise
        warnings.warn(
            f"the {side} become one unnamed column of any type, which checks nothing: {error}",
            stacklevel=3,
        )
        return Schema([ColSpec(AnyType())])
    _advise(schema)
    return schema


def _spark(data: Any, on_unsupported: OnUnsupported) -> Schema:
    from spark_sig.infer.table import infer_table  # loads PySpark

    asked: OnUnsupported = "raise" if on_unsupported == "mlflow" else on_unsupported
    found = infer_table(data, on_unsupported=asked)
    for field in found.fields:
        if field.note:
            warnings.warn(f"{field.path}: {field.note}", stacklevel=4)
    return found.signature.side("inputs")


def _advise(schema: Schema) -> None:
    whole = (DataType.integer, DataType.long)
    found = [spec.name or f"column {i}" for i, spec in enumerate(schema) if spec.type in whole]
    if found and not schema.is_tensor:
        names = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        warnings.warn(GAPS.format(names=names), stacklevel=4)
