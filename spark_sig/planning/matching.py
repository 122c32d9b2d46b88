"""Matching: which of a source's columns each spec of a schema means."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence

import pyarrow as pa

from spark_sig.errors import Code, SignatureError
from spark_sig.naming import column_places, folded, member_path, type_name
from spark_sig.planning.draft import Draft
from spark_sig.policy import Policy
from spark_sig.schema import Schema

# Columns that tag mode adds.
VIOLATIONS, ORIGINAL = "_violations", "_original"

# Looking for names that were meant is quadratic, and nobody reads the hundredth hint.
HINTS = 20


def match_columns(
    draft: Draft, source: pa.Schema, schema: Schema
) -> tuple[list[int | None], list[int]]:
    """Find each spec's column, and what becomes of the columns that no spec asks for."""
    matches: list[int | None]
    if schema.has_names:
        matches = match_names(draft.policy, [spec.name or "" for spec in schema], source.names)
    else:
        matches = [i if i < len(source) else None for i in range(len(schema))]
    taken = set(matches)
    extras = [i for i in range(len(source)) if i not in taken]
    if draft.policy.extra == "forbid":
        for i in extras:
            path = member_path("$", source.names[i])
            shown = type_name(source.field(i))
            draft.find(path, Code.EXTRA_COLUMN, "no such column", shown, "drop it, or extra='drop'")
    return matches, extras if draft.policy.extra == "keep" else []


def match_names(policy: Policy, wanted: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """Return the place of each wanted name among some names; None where it is not there."""
    column_places(policy, wanted)
    places = column_places(policy, names)
    return [places.get(folded(policy, name)) for name in wanted]


def refuse_duplicates(source: pa.Schema) -> None:
    """Refuse a source with names that occur twice."""
    names = source.names
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise SignatureError(
            f"the source has more than one column named {', '.join(map(repr, repeated))}",
            path=member_path("$", repeated[0]),
            remedy="rename or drop the duplicates first",
        )


def refuse_reserved(names: Iterable[str]) -> None:
    """Refuse columns, of a source or of an output, that tagging would add."""
    for name in names:
        # Spark may take names that differ in case only for the same.
        if name.lower() in (VIOLATIONS, ORIGINAL):
            raise SignatureError(
                f"there is a column {name!r}, and tagging adds one of that name",
                path=member_path("$", name),
                remedy="rename it first",
            )


def near_miss(name: str, names: Sequence[str]) -> str:
    """Return a hint at a name that was probably meant, or nothing."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    if not close:
        folded = [other for other in names if other.casefold() == name.casefold()]
        close = folded[:1]
    return f"did you mean {close[0]!r}?" if close else ""
