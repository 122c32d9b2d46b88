"""The predictor: a model as a worker holds it, loaded once, called without checks of its own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pandas as pd

from spark_sig.integrations.mlflow.artifacts import Artifacts, unpacked

# A worker may be used for many tasks, of several models.
_LOADED: dict[str, Predictor] = {}
_MOST = 4


class Predictor:
    """A model to call with data that was enforced already.

    Args:
        model: MLflow's ``PyFuncModel``.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        # What PyFuncModel.predict calls once it has enforced the schema on pandas.
        self._call = model._predict_fn
        taken = inspect.signature(self._call).parameters.get("params")
        self._takes_params = taken is not None and taken.kind is not taken.VAR_KEYWORD

    def __call__(self, data: Any, params: Mapping[str, Any]) -> Any:
        """Return predictions.

        Args:
            data: as the signature's inputs say, enforced.
            params: complete; a model whose ``predict`` takes none is not given any.
        """
        from mlflow.pyfunc.context import Context, set_prediction_context

        if isinstance(data, pd.DataFrame):
            data = self._as_example(data)
        # as MLflow does it, so that traces know their model
        with set_prediction_context(Context(model_id=getattr(self._model, "model_id", None))):
            if self._takes_params:
                return self._call(data, params=dict(params) or None)
            return self._call(data)

    def _as_example(self, data: pd.DataFrame) -> Any:
        """Return a frame as the example was, where the model was written for that, as MLflow does.

        (``mlflow.pyfunc.PyFuncModel._predict``, 3.18.)
        """
        metadata = self._model.metadata
        by_hints = getattr(metadata, "_is_signature_from_type_hint", bool)()
        by_example = getattr(metadata, "_is_type_hint_from_example", bool)()
        if by_hints:
            # MLflow takes the values out of a column that has no name
            named = metadata.get_input_schema().has_input_names()
            return data if named or len(data.columns) != 1 else data.set_axis([0], axis="columns")
        if not by_example or self._model.input_example is None:
            return data
        from mlflow.types.type_hints import _convert_dataframe_to_example_format

        return _convert_dataframe_to_example_format(data, self._model.input_example)


def predictor(artifacts: Artifacts) -> Predictor:
    """Return a model's predictor, loading it where this process has not done so before."""
    known = _LOADED.get(artifacts.digest)
    if known is None:
        from mlflow.pyfunc import load_model

        folder = unpacked(artifacts)
        while len(_LOADED) >= _MOST:
            _LOADED.pop(next(iter(_LOADED)))
        known = _LOADED[artifacts.digest] = Predictor(load_model(folder))
    return known
