"""The guard: a loaded model whose ``predict`` enforces all of its input."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from spark_sig.engines.local import enforce
from spark_sig.errors import SignatureError
from spark_sig.integrations.mlflow.artifacts import fetch
from spark_sig.integrations.mlflow.door import explained, mlflow_module
from spark_sig.integrations.mlflow.feeds import cells_of
from spark_sig.integrations.mlflow.objects import as_rows
from spark_sig.integrations.mlflow.predictor import Predictor
from spark_sig.integrations.mlflow.scoring import score
from spark_sig.naming import member_path
from spark_sig.params import enforce_params
from spark_sig.policy import Policy, policy_of
from spark_sig.rows import enforce_signature
from spark_sig.signature import ModelSignature
from spark_sig.sources import is_spark

# The loader of models that are Python classes or functions of the user's own.
_OWN = "mlflow.pyfunc.model"


def enforce_model(model: Any, *, policy: Policy | None = None) -> EnforcedModel:
    """Return a model whose ``predict`` holds all of its input to the signature.

    Args:
        model: what ``mlflow.pyfunc.load_model`` returns; or a model's URI or folder, which is
            loaded.
        policy: the choices that the signature leaves open; the default ones where None.

    Raises:
        SignatureError: where there is no such model, or it has no signature with inputs.

    Example:
        >>> model = enforce_model("models:/iris@champion")  # doctest: +SKIP
        >>> model.predict(frame)  # doctest: +SKIP
    """
    folder = None
    if isinstance(model, (str, os.PathLike)):
        mlflow = mlflow_module(f"the model {model}")
        folder = fetch(model)
        with explained(f"the model {model} cannot be loaded"):
            model = mlflow.pyfunc.load_model(str(folder))
    return EnforcedModel(model, policy_of(policy), folder)


class EnforcedModel:
    """A model of MLflow's in whose stead it stands: all but ``predict`` is the model's own.

    Args:
        model: the ``PyFuncModel``.
        policy: the choices that the signature leaves open.
        folder: where its files lie; None where only MLflow knows.
    """

    def __init__(self, model: Any, policy: Policy, folder: Path | None) -> None:
        metadata = getattr(model, "metadata", None)
        if metadata is None or not hasattr(model, "predict"):
            raise SignatureError(
                "this is no model of MLflow's",
                expected="what mlflow.pyfunc.load_model returns, or a URI",
                observed=type(model).__name__,
            )
        if metadata.signature is None:
            raise SignatureError(
                "the model has no signature to be held to",
                remedy="set one with spark_sig.set_signature",
            )
        self._model = model
        self._policy = policy
        self._folder = folder
        self._signature = ModelSignature.from_mlflow(metadata.signature)
        self._signature.side("inputs")
        self._call = Predictor(model)

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return the model's predictions for data that conforms.

        Args:
            data: a pandas DataFrame or Series, a NumPy array, a dict, a list, a scalar, a SciPy
                matrix, an Arrow table, an object of pydantic's or a list of them, as the
                signature's inputs say; or a Spark DataFrame.
            params: the params; those that are not given take their defaults.

        Returns:
            What the model gives.  For a Spark DataFrame one with its columns and the predictions,
            computed when it is read, every row enforced (:func:`spark_sig.score`); or, where the
            model is a Python class or function of the user's own, what that makes of the enforced
            DataFrame, as MLflow hands it on.

        Raises:
            ViolationError: lists every violation, of data and params alike.
        """
        if is_spark(data):
            return self._predict_spark(data, params)
        if isinstance(data, (pa.RecordBatch, pa.Table)):
            data = _frame(data)  # no model takes Arrow
        given, completed = enforce(
            as_rows(data), self._signature, params=dict(params or {}), policy=self._policy
        )
        # enforcement shares memory with what came in, and a model may write into its input
        return self._call(given.copy() if isinstance(given, pd.DataFrame) else given, completed)

    def _predict_spark(self, data: Any, params: Mapping[str, Any] | None) -> Any:
        if self._model.loader_module == _OWN:
            completed = enforce_params(params, self._signature.params, policy=self._policy)
            rows = data.transform(enforce_signature(self._signature, policy=self._policy))
            return self._call(rows, completed)
        return score(data, self._folder or self._uri(), params=params, policy=self._policy)

    def _uri(self) -> str:
        metadata = self._model.metadata
        if self._model.model_id:
            return f"models:/{self._model.model_id}"
        if metadata.run_id and metadata.artifact_path:
            return f"runs:/{metadata.run_id}/{metadata.artifact_path}"
        raise SignatureError(
            "nothing says where the model's files lie, which workers have to load",
            remedy="give enforce_model the model's URI or folder in place of the model",
        )

    def __getattr__(self, name: str) -> Any:
        if name == "_model":  # while it is being unpickled
            raise AttributeError(name)
        return getattr(self._model, name)

    def __repr__(self) -> str:
        return f"enforced: {self._model!r}"


def _frame(table: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """Return an Arrow table as a frame, no value of another type."""
    made = {}
    for name, column in zip(table.schema.names, table.columns, strict=True):
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        made[name] = cells_of(array, member_path("$", name))
    return pd.DataFrame(made, copy=False)
