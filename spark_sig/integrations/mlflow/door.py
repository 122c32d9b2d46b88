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
def explained(what: str, remedy: str = "", *, fetches: bool = False) -> Iterator[None]:
    """Have errors of MLflow's be errors of signatures.

    Args:
        what: what could not be done.
        remedy: what may help.
        fetches: whether files are fetched: the clients of stores raise errors of their own, or
            are not installed.

    Raises:
        SignatureError: where MLflow refuses, or does not reach its server or its files.
    """
    from mlflow.exceptions import MlflowException

    kinds = (Exception,) if fetches else (MlflowException, OSError)
    try:
        yield
    except SignatureError:
        raise
    except kinds as error:
        raise SignatureError(f"{what}: {_said(error)}", remedy=remedy) from error


def _said(error: Exception) -> str:
    """Return what an error says in a line: MLflow lists files that it cannot fetch below it."""
    lines = [line for line in str(error).strip().splitlines() if not line.startswith("#####")]
    if not lines:
        return type(error).__name__
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
