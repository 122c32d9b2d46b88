"""Conversion: MLflow's signature objects and ours, by the documents that both write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spark_sig.errors import SignatureError
from spark_sig.integrations.mlflow.door import explained, mlflow_module
from spark_sig.signature import ModelSignature

if TYPE_CHECKING:
    from mlflow.models import ModelSignature as MlflowSignature


def to_mlflow(signature: ModelSignature) -> MlflowSignature:
    """Return a signature as MLflow's own, for its ``log_model``, ``save_model``, ``set_signature``.

    Raises:
        SignatureError: where MLflow is not installed, or takes no such signature.
    """
    mlflow_module("a signature of MLflow's")
    from mlflow.models import ModelSignature as MlflowSignature

    with explained("MLflow does not take the signature"):
        made: MlflowSignature = MlflowSignature.from_dict(signature.to_dict())
    return made


def from_mlflow(signature: Any) -> ModelSignature:
    """Return one of MLflow's signatures as ours.

    Args:
        signature: a ``mlflow.models.ModelSignature``, or what has one as its ``signature``: a
            ``Model``, a ``ModelInfo``.

    Raises:
        SignatureError: where there is none, or it is malformed.
    """
    found = signature if hasattr(signature, "to_dict") and hasattr(signature, "inputs") else None
    if found is None:
        found = getattr(signature, "signature", None)
    if found is None:
        raise SignatureError(
            "there is no signature here",
            expected="a ModelSignature of MLflow's, a Model or a ModelInfo that has one",
            observed=type(signature).__name__,
        )
    return ModelSignature.from_dict(found.to_dict())
