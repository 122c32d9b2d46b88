"""Models of MLflow's for the tests: functions that are saved as such, and what MLflow says then."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow

from spark_sig import ModelSignature

# What MLflow advises where a model is saved.
ADVICE = (
    "ignore:.*An input example was not provided",
    "ignore:.*[Tt]ype hint",
    "ignore:.*Hint. Inferred schema contains integer column",
    # of its own libraries
    "ignore:The ``noload`` loader strategy is deprecated",
    "ignore:no explicit representation of timezones",
)


@contextmanager
def tracking(folder: Path, uri: str = "") -> Iterator[Any]:
    """Have MLflow track in a folder, on a file of SQLite, or at a server's address."""
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    place = uri or f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(place)
    mlflow.set_registry_uri(place)
    name = f"tests {uuid.uuid4()}"
    location = None if uri else (folder / "artifacts").as_uri()
    mlflow.create_experiment(name, artifact_location=location)
    mlflow.set_experiment(name)
    try:
        yield mlflow.MlflowClient()
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])


# What MLflow advises of a class, too; it has that shown whatever filters say.
with warnings.catch_warnings(record=True):

    class Called(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        """A model of a function, which also notes each time that it is loaded."""

        def __init__(self, function: Callable[..., Any], log: str = "") -> None:
            self.function = function
            self.log = log

        def load_context(self, context: Any) -> None:
            if self.log:
                with open(self.log, "a") as file:
                    file.write(f"{os.getpid()}\n")

        # MLflow takes annotations for a signature
        def predict(self, context, model_input, params=None):
            return self.function(model_input, params)


def save_function(
    folder: Path, function: Callable[..., Any], signature: ModelSignature | None, log: str = ""
) -> str:
    """Save a function of data and params as a model; return its folder."""
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=Called(function, log),
        signature=None if signature is None else signature.to_mlflow(),
        pip_requirements=[],
    )
    return str(folder)
