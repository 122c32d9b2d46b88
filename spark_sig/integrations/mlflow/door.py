"""The door to MLflow: imported late, and missed with a word on how to have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from spark_sig.errors import SignatureError


def mlflow_module(what: str) -> ModuleType:
    """Import MLflow.

    Args:
        what: what it is needed for.

    Raises:
        SignatureError: where it is not installed.
    """
    try:
        import mlflow
    except ModuleNotFoundError as error:
        if error.name != "mlflow":
            raise
        raise SignatureError(
            f"{what} needs MLflow, which is not installed",
            remedy="pip install 'spark_sig[mlflow]'",
        ) from None
    found: ModuleType = mlflow
    return found


@contextmanager
def explained(what: str, remedy: str = "") -> Iterator[None]:
    """Have errors of MLflow's be errors of signatures.

    Args:
        what: what could not be done.
        remedy: what may help.

    Raises:
        SignatureError: where MLflow refuses, or does not reach its server or its files.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise SignatureError(f"{what}: {words[0]}", remedy=remedy) from error
