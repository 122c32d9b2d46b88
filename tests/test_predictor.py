"""The predictor: models that check themselves get what they take, from frames of any names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow", reason="MLflow is in the environment of dev.txt alone")

from pydantic import BaseModel  # noqa: E402

from spark_sig.integrations.mlflow.artifacts import Artifacts, digest_of  # noqa: E402
from spark_sig.integrations.mlflow.predictor import predictor  # noqa: E402
from tests.mlflow_models import ADVICE  # noqa: E402

pytestmark = [pytest.mark.filterwarnings(advice) for advice in ADVICE]


class Message(BaseModel):
    """What a chat model is told."""

    role: str
    n: int


class Shouts(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model of texts."""

    def predict(self, model_input: list[str], params: Any = None) -> list[str]:
        return [text.upper() for text in model_input]


class Roles(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model of objects."""

    def predict(self, model_input: list[Message], params: Any = None) -> list[str]:
        return [message.role for message in model_input]


@pytest.mark.parametrize(
    ("model", "cells", "predicted"),
    [(Shouts(), ["x", "y"], ["X", "Y"]), (Roles(), [{"role": "user", "n": 1}], ["user"])],
)
def test_models_with_type_hints(
    model: Any, cells: list[Any], predicted: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    mlflow.pyfunc.save_model(folder, python_model=model, pip_requirements=[])
    known = predictor(Artifacts(digest_of(folder), str(folder), shipped=False))
    assert known(pd.DataFrame({"whatever": cells}), {}) == predicted
    again = predictor(Artifacts(digest_of(folder), str(folder), shipped=False))
    assert again is known
