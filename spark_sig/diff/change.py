"""Changes: what two signatures say of every place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from spark_sig.diff.verdict import Compatibility


@dataclass(frozen=True, slots=True)
class Change:
    """What two signatures say of one place.

    Args:
        path: the place, such as ``$.orders[*].price``, by the first signature's names.
        side: ``inputs``, ``outputs`` or ``params``.
        before: what the first signature asks for there, None where it has no such place.  Of a
            list, map or record whose inside has rows of its own, no more than that it is one.
        after: what the second one asks for.
        forward: what happens to data of the first under the second.
        backward: what happens to data of the second under the first.
        note: why, where that is not plain.
    """

    path: str
    side: str
    before: str | None
    after: str | None
    forward: Compatibility
    backward: Compatibility
    note: str = ""

    @property
    def same(self) -> bool:
        """Whether both signatures say the same."""
        verdicts = {self.forward, self.backward}
        return self.before == self.after and verdicts == {Compatibility.COMPATIBLE}


@dataclass(frozen=True, slots=True)
class Diff:
    """What two signatures say of every place.

    Args:
        changes: one for each place in inputs, outputs and params, those that are the same too.

    Example:
        >>> from spark_sig.schema import ColSpec, Schema
        >>> from spark_sig.signature import ModelSignature
        >>> old = ModelSignature(Schema([ColSpec("integer", "a"), ColSpec("string", "b")]))
        >>> new = ModelSignature(Schema([ColSpec("long", "a"), ColSpec("string", "b", False)]))
        >>> print(old.diff(new))
        forward: widening, backward: breaking; 2 of 2 places differ
          side    path  before              after              forward     backward  note
          inputs  $.a   integer (required)  long (required)    widening    lossy     backward: by \
value, under casts='lossless'
          inputs  $.b   string (required)   string (optional)  compatible  breaking  backward: may \
be null or missing
    """

    changes: tuple[Change, ...]

    @property
    def forward(self) -> Compatibility:
        """The worst that happens to data of the first signature under the second."""
        return max((c.forward for c in self.changes), default=Compatibility.COMPATIBLE)

    @property
    def backward(self) -> Compatibility:
        """The worst that happens to data of the second signature under the first."""
        return max((c.backward for c in self.changes), default=Compatibility.COMPATIBLE)

    @property
    def changed(self) -> tuple[Change, ...]:
        """The places of which the two do not say the same."""
        return tuple(change for change in self.changes if not change.same)

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        from spark_sig.render.diff import diff_document

        return diff_document(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the difference as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        from spark_sig.render.diff import diff_text

        return diff_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # how a terminal of IPython shows it

    def _repr_html_(self) -> str:
        from spark_sig.render.diff import diff_html

        return diff_html(self)
