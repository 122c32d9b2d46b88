"""Brief errors: what a notebook shows of one, without the frames that are not the user's."""

from __future__ import annotations

import linecache
import re
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Any

from spark_sig.errors import ROW_ERROR, Code, SignatureError, Violation, ViolationError
from spark_sig.render.text import aligned_rows, printable

# How many violations are shown; the error itself has them all.
SHOWN = 20
# IPython's modes, none of them the one that it starts with, that ask for the whole traceback.
_WHOLE = ("Plain", "Verbose")
# How much of a message is shown.
_LONGEST = 2_000
# Where frames lie that are not the user's, and whose they are wherever they lie.
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
# "?" is what PySpark calls the module of frames that it rebuilds from a worker's traceback.
_FOREIGN = ("spark_sig", "pyspark", "py4j", "?")

_CODES = "|".join(code.value for code in Code)
# A row's violation, as tasks and Spark's own errors quote it.
_ROW = re.compile(
    rf"{re.escape(ROW_ERROR)}(?P<path>.+?): (?P<code>{_CODES}): "
    r"expected (?P<expected>.+?), observed (?P<observed>.+?)"
    r"(?: \(value (?P<value>.*)\))?(?: SQLSTATE: \w+)?$",
    re.MULTILINE,
)


def brief(error: BaseException, said: str | None = None) -> list[str]:
    """Return the lines that a notebook shows of an error.

    Where IPython is set to ``%xmode Plain`` or ``Verbose``, and after ``%tb Plain`` or ``%tb
    Verbose``, it is the whole traceback.

    Args:
        error: one of ours, or one of Spark's that one of ours has caused.
        said: what it comes to; its own words where None.
    """
    shell = running_shell()
    if shell is not None and shell.InteractiveTB.mode in _WHOLE:
        whole: list[str] = shell.InteractiveTB.structured_traceback(
            type(error), error, error.__traceback__
        )
        return whole
    return [*_told(error, said), *_place(error.__traceback__, shell)]


def row_violation(text: str) -> Violation | None:
    """Return the violation that an error of Spark's quotes of row mode; None where it does not.

    Example:
        >>> text = "[X] a row does not fit the signature: $.a: null: expected long, observed null"
        >>> row_violation(text).path
        '$.a'
    """
    found = _ROW.search(text)
    if found is None:
        return None
    path, code, expected, observed, value = found.group(
        "path", "code", "expected", "observed", "value"
    )
    return Violation(path, Code(code), expected, observed, value=value)


def running_shell() -> Any:
    """Return the IPython that runs, without importing it; None where there is none."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _told(error: BaseException, said: str | None) -> Iterator[str]:
    name = type(error).__name__
    match error:
        case _ if said is not None:
            yield f"{name}: {_cut(said)}"
        case ViolationError():
            yield f"{name}: data does not fit the signature"
            yield from _violations(error.violations)
        case SignatureError():
            yield f"{name}: {_cut(error.message)}"
            facts = ("path", "expected", "observed", "remedy")
            yield from _pairs([(fact, getattr(error, fact)) for fact in facts])
        case _ if (row := row_violation(str(error))) is not None:
            yield f"{name}: {ROW_ERROR.rstrip(': ')}"
            yield from _violations([row])
        case _:
            yield f"{name}: {_cut(str(error))}"


def _violations(violations: Sequence[Violation]) -> Iterator[str]:
    if len(violations) == 1:
        (only,) = violations
        pairs = [("path", only.path), ("check", only.code.value), ("expected", only.expected)]
        pairs += [("observed", only.observed), ("remedy", only.remedy)]
        if only.value is not None:
            pairs.insert(4, ("value", only.value))
        yield from _pairs(pairs)
        return
    yield from (f"  {_cut(str(violation))}" for violation in violations[:SHOWN])
    if left := max(len(violations) - SHOWN, 0):
        yield f"  ... and {left:,} more"


def _pairs(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    rows = [(name, _cut(text)) for name, text in pairs if text]
    yield from aligned_rows(rows) if rows else ()


def _cut(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _place(traceback: TracebackType | None, shell: Any) -> Iterator[str]:
    """Yield the line of the user's own that it came to."""
    frames = [(frame, number) for frame, number in walk_tb(traceback) if _is_users(frame)]
    if not frames:
        return
    frame, number = frames[-1]
    name = frame.f_code.co_filename
    label = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)(name)
    yield f"{' '.join(label) if label else f'File {name}'}, line {number}"
    if source := linecache.getline(name, number, frame.f_globals).strip():
        yield f"    {source}"


def _is_users(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    name = frame.f_code.co_filename
    return package not in _FOREIGN and not name.startswith(("<frozen ", *_LIBRARIES))
