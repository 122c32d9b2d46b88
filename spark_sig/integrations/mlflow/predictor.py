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
        if isinstance(data, pd.DataFrame):
            data = self._as_example(data)
        if self._takes_params:
            return self._call(data, params=dict(params))
        return self._call(data)

    def _as_example(self, data: pd.DataFrame) -> Any:
        """Return a frame as the example was, where the model was written for that, as MLflow does.

        (``mlflow.pyfunc.PyFuncModel._predict``, 3.18.)
        """
        metadata = self._model.metadata
        by_hints = getattr(metadata, "_is_signature_from_type_hint", bool)()
        by_example = getattr(metadata, "_is_type_hint_from_example", bool)()
        if by_hints or not by_example or self._model.input_example is None:
            return data
        from mlflow.types.type_hints import _convert_dataframe_to_example_format

        return _convert_dataframe_to_example_format(data, self._model.input_example)


def predictor(artifacts: Artifacts) -> Predictor:
    """Return a model's predictor, loading it where this process has not done so before."""
    known = _LOADED.get(artifacts.digest)
    if known is None:
        from mlflow.pyfunc import load_model

        while len(_LOADED) >= _MOST:
            _LOADED.pop(next(iter(_LOADED)))
        known = _LOADED[artifacts.digest] = Predictor(load_model(unpacked(artifacts)))
    return known
