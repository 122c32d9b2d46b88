"""Explanations: what decides the checks of each field, and why it is that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from spark_sig.errors import Code, Violation
from spark_sig.plan import Reason, Rung
from spark_sig.report import Decided

# The rungs, cheapest first.
_RUNGS = list(Rung)


@dataclass(frozen=True, slots=True)
class ExplainedCheck:
    """One check of a field.

    Args:
        code: what is wrong where it fails.
        reason: why it goes to its rung, where nothing is known of the files.
        provable: whether the table's log or file statistics, which were not asked, may decide it:
            NOT NULL may be younger than some rows, and statistics may prove what rows need not.
        decided: what decides it, for how many rows and files; empty where statistics were not
            asked.
        refuted: what statistics observe where they refute it; empty where they do not.
    """

    code: Code
    reason: Reason
    provable: bool = False
    decided: tuple[Decided, ...] = ()
    refuted: str = ""

    @property
    def rung(self) -> Rung:
        """The dearest rung that it takes, which is that of files that statistics leave open."""
        rungs = [part.rung for part in self.decided] or [self.reason.rung]
        return max(rungs, key=_RUNGS.index)


@dataclass(frozen=True, slots=True)
class ExplainedField:
    """One field: a column, a property, the elements of an array, or the values of a map.

    Args:
        path: its place, such as ``$.orders[*].price``.
        expected: the type that the signature asks for; None where it asks for nothing.
        observed: the type that the source has there; None where it has no such place.
        checks: what is checked of its values.
        converted: why its values are converted where they are, once rows come out of
            :func:`spark_sig.enforce_signature`; None where they come out as they are, and of
            places inside a column.
        refused: what its type alone refuses; None where rows may be read.
        note: what else becomes of it; empty where nothing.
    """

    path: str
    expected: str | None
    observed: str | None
    checks: tuple[ExplainedCheck, ...] = ()
    converted: Reason | None = None
    refused: Violation | None = None
    note: str = ""

    @property
    def rung(self) -> Rung:
        """The dearest rung of its checks; ``schema`` where its type alone decides."""
        return max((check.rung for check in self.checks), key=_RUNGS.index, default=Rung.SCHEMA)

    @property
    def why(self) -> str:
        """Why it is that rung, in words."""
        from spark_sig.render.explanation import why

        return why(self)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What decides the checks of each field of a source under a signature, and why it is that.

    Args:
        source: what is checked, in words.
        fields: one for each place of the signature, and each column that it does not name.
        refused: all that the types alone refuse; where there is any, no row is read.
        statistics: what file statistics can do, or have done, in words.
        row_count: the number of rows that the whole must have; None where any will do.
    """

    source: str
    fields: tuple[ExplainedField, ...]
    refused: tuple[Violation, ...] = ()
    statistics: str = ""
    row_count: int | None = None

    @property
    def passes(self) -> bool:
        """Whether rows may be read, as nothing is refused by its type."""
        return not self.refused

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        from spark_sig.render.explanation import explanation_document

        return explanation_document(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return it as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        from spark_sig.render.explanation import explanation_text

        return explanation_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # how a terminal of IPython shows it

    def _repr_html_(self) -> str:
        from spark_sig.render.explanation import explanation_html

        return explanation_html(self)
