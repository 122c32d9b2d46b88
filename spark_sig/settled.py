"""Settled fields: what a schema asks for and types alone decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spark_sig.naming import label, member_path
from spark_sig.schema import ColSpec, Schema


class Settled(NamedTuple):
    """A field that no check is needed for, as any value of its type fits.

    Args:
        path: its place, such as ``$.price``.
        expected: what the signature asks for.
    """

    path: str
    expected: str


def settled_fields(
    schema: Schema, checked: Iterable[str], *, root: str = "$"
) -> tuple[Settled, ...]:
    """Return the fields of a schema that nothing is checked in, in its order.

    Args:
        schema: what rows are held to.
        checked: the paths of all checks and findings.
        root: the path of a row.

    Example:
        >>> schema = Schema([ColSpec("long", "a", required=False), ColSpec("long", "b")])
        >>> settled_fields(schema, ["$.b"])
        (Settled(path='$.a', expected='long (optional)'),)
    """
    within = {
        path[:end]
        for path in checked
        for end in (*(at for at, sign in enumerate(path) if sign in ".["), len(path))
    }
    found = []
    for index, spec in enumerate(schema):
        path = f"{root}[{index}]" if spec.name is None else member_path(root, spec.name)
        # a tensor's elements are always checked, in columns of other names where there are many
        if isinstance(spec, ColSpec) and path not in within:
            found.append(Settled(path, label(spec.type, bool(spec.required))))
    return tuple(found)
