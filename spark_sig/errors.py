"""Violations, and the errors that carry them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn


class Code(str, Enum):
    """What a violation says is wrong.  The order of the members is the order of the checks."""

    MISSING_COLUMN = "missing_column"
    EXTRA_COLUMN = "extra_column"
    TYPE = "type"
    NULL = "null"
    MISSING_PROPERTY = "missing_property"
    EXTRA_PROPERTY = "extra_property"
    SHAPE = "shape"
    CAST = "cast"
    ROW_COUNT = "row_count"
    PARAM_TYPE = "param_type"
    PARAM_SHAPE = "param_shape"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which data does not fit a signature.

    Args:
        path: place in the data, such as ``$.orders[*].price``.
        code: what is wrong.
        expected: what the signature asks for, a type or a length.
        observed: what is there, a type, a length or a class such as ``non-integral double``,
            never a value.
        remedy: what the user can do about it; empty where nothing is known to help.
        value: the offending value as text; only where ``Policy.show_values`` asks for it.
    """

    path: str
    code: Code
    expected: str
    observed: str
    remedy: str = ""
    value: str | None = None

    def __str__(self) -> str:
        text = f"{self.path}: {self.code}: expected {self.expected}, observed {self.observed}"
        if self.value is not None:
            text += f" (value {self.value})"
        return f"{text}; {self.remedy}" if self.remedy else text


class _Brief:
    """Errors that notebooks show briefly: IPython asks them for their lines."""

    def _render_traceback_(self) -> list[str]:
        from spark_sig.render.brief import brief

        assert isinstance(self, BaseException)
        return brief(self)


# How the one error of row mode begins, whichever engine raises it.
ROW_ERROR = "a row does not fit the signature: "


class SignatureError(_Brief, ValueError):
    """A signature, a policy or a document that cannot mean anything, and the place in it.

    Args:
        message: what is wrong.
        path: the place, such as ``$.inputs[3].type``; empty where there is none.
        expected: what would be right.
        observed: what is there.
        remedy: what to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        expected: str = "",
        observed: str = "",
        remedy: str = "",
    ) -> None:
        # All arguments stay in ``args`` so that the error pickles across processes.
        super().__init__(message)
        self.message = message
        self.path = path
        self.expected = expected
        self.observed = observed
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (
            type(self),
            self.message,
            self.path,
            self.expected,
            self.observed,
            self.remedy,
        )

    def __str__(self) -> str:
        text = f"{self.message} @ {self.path}" if self.path else self.message
        details = []
        if self.expected:
            details.append(f"expected {self.expected}")
        if self.observed:
            details.append(f"observed {self.observed}")
        if details:
            text += f" ({', '.join(details)})"
        return f"{text}; {self.remedy}" if self.remedy else text


def _rebuild(
    kind: type[SignatureError], message: str, path: str, expected: str, observed: str, remedy: str
) -> SignatureError:
    return kind(message, path=path, expected=expected, observed=observed, remedy=remedy)


class ModelError(_Brief, Exception):
    """A model that gives what its signature does not declare, as workers find out."""


class ViolationError(SignatureError):
    """Data that does not fit a signature; lists every violation that is known.

    Args:
        violations: all of them, at least one.
    """

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations: tuple[Violation, ...] = tuple(violations)
        first = self.violations[0]
        super().__init__(
            _describe(self.violations),
            path=first.path,
            expected=first.expected,
            observed=first.observed,
            remedy=first.remedy,
        )

    def __reduce__(self) -> tuple[object, ...]:
        return ViolationError, (self.violations,)

    def __str__(self) -> str:
        return self.message


def _describe(violations: Sequence[Violation]) -> str:
    if len(violations) == 1:
        return f"data does not fit the signature: {violations[0]}"
    lines = "\n".join(f"  {violation}" for violation in violations)
    return f"data does not fit the signature in {len(violations)} places:\n{lines}"


class SourceError(_Brief, RuntimeError):
    """A table, version or file that cannot be read: the check could not be carried out."""


def assert_never(value: NoReturn) -> NoReturn:
    """Fail where a closed family was not matched whole (typing has it from Python 3.11 on)."""
    raise AssertionError(f"no branch for {value!r}")
