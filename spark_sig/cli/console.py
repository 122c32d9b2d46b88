"""The console: what a user reads of a run, and what the process answers."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from spark_sig.errors import SignatureError, SourceError
from spark_sig.render.text import printable

# What the process answers; see DESIGN, "Jobs".
DONE, UNFINISHED, MISUSED, VIOLATIONS = 0, 1, 2, 3


def told(work: Callable[[], int]) -> int:
    """Carry a command out and return its exit code; what goes wrong is one line.

    Args:
        work: the command.  Its SignatureErrors mean that what was given is wrong, its other
            errors that it could not be finished.
    """
    said: Exception
    try:
        with _warnings_told():
            return work()
    except SignatureError as error:
        said, code = error, MISUSED
    except (SourceError, OSError) as error:
        said, code = error, UNFINISHED
    note(f"error: {said}")
    return code


@contextmanager
def _warnings_told() -> Iterator[None]:
    """Let a warning be one line, without the line of code that it comes from."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
            if category is UserWarning:
                # its names are those of a file that may be anybody's
                note(f"warning: {printable(str(message))}")
            else:
                usual(message, category, *rest, **named)

        warnings.showwarning = show
        yield


def note(text: str) -> None:
    """Write a line beside the result, which programs that read it do not see."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


@contextmanager
def writing() -> Iterator[None]:
    """Let errors mean that the command could not be finished: its arguments were right."""
    try:
        yield
    except SignatureError as error:
        raise SourceError(str(error)) from error


def say(text: str) -> None:
    """Write a line of the result, and let it be seen at once: what follows may fail.

    Where nobody reads it any more (``| head -1``), what is left to do is done all the same.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # else Python fails as it ends, when it flushes what is left
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def escape_what_no_locale_has() -> None:
    """Let characters that the output's encoding lacks be escaped, as JSON has them, not fail."""
    codecs.register_error("spark_sig.json", _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="spark_sig.json")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
