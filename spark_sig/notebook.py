"""The extension for IPython: ``%load_ext spark_sig``."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Any

from spark_sig.delta.log import spark_errors
from spark_sig.gate.scan import explained
from spark_sig.render.brief import brief, row_violation


def load_ipython_extension(shell: Any) -> None:
    """Show briefly what PySpark raises where rows do not fit a signature.

    Errors of spark_sig's own are brief in any case.  Those of a DataFrame that
    :func:`spark_sig.enforce_signature` has made come from Spark when an action runs: PySpark's
    exceptions, with the stacks of Java and of its workers.  They stay what they are, to be caught
    as what they are; only what is shown of them is cut.  ``%tb Plain`` shows all of it.

    Args:
        shell: the IPython that runs.
    """
    # Py4JJavaError where a task fails in the midst of writing
    shell.set_custom_exc(spark_errors(), _show)


def unload_ipython_extension(shell: Any) -> None:
    """Show PySpark's errors whole again.

    Args:
        shell: the IPython that runs.
    """
    shell.set_custom_exc((), None)


def _show(
    shell: Any,
    kind: type[BaseException],
    error: Exception,
    traceback: TracebackType,
    tb_offset: int | None = None,
) -> None:
    text = str(error)
    said = None
    if "No module named" in text and "spark_sig" in text:
        said = str(explained(error))
    if said is not None or row_violation(text) is not None:
        # IPython asks an exception how it wants to be shown
        error._render_traceback_ = partial(brief, error, said)  # type: ignore[attr-defined]
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
