"""Partitions: which ones a source has rows of, so that they are replaced in both tables."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.errors import SignatureError
from spark_sig.quarantine.conditions import Term, condition
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from spark_sig.quarantine.targets import Targets

# Partitions that one run replaces: each is named in the condition of the commit.
MOST = 10_000

# Partitions that a commit names, so that it can be told which runs replace other ones.
NAMED = 100

# Types whose values text gives back, whatever the session.
_KINDS = ("tinyint", "smallint", "int", "bigint", "boolean", "date", "string")


class Replaced(NamedTuple):
    """Partitions that are replaced.

    Args:
        condition: the condition, as SQL, on their rows.
        names: short names of them, the same for the same; None where they are too many.
    """

    condition: str
    names: tuple[str, ...] | None


def refuse_partitions(
    source: StructType, targets: Targets, partitions: tuple[Sequence[str], Sequence[str]]
) -> None:
    """Refuse tables whose partitions cannot be told to be those of a source.

    Args:
        source: the source's columns.
        targets: the two tables, as far as they are there.
        partitions: the columns that each is, or will be, partitioned by.

    Raises:
        SignatureError: where the tables are not partitioned alike, by columns of the source that
            stay what they are.
    """
    good, bad = partitions
    if not good or [name.lower() for name in good] != [name.lower() for name in bad]:
        raise SignatureError(
            "replace-partitions takes two tables that are partitioned by the same columns",
            path="mode",
            observed=f"{', '.join(good) or 'none'}; {', '.join(bad) or 'none'}",
        )
    kinds = _kinds(source)
    for name in good:
        kind = kinds.get(name.lower(), "no such column")
        kept = [_kinds(target.schema)[name.lower()] for target in targets if target.schema]
        if kind not in _KINDS or any(other != kind for other in kept):
            raise SignatureError(
                "partitions are replaced by columns of a plain type, the same in source and tables",
                path=name,
                expected=f"one of {', '.join(_KINDS)}",
                observed=", ".join([kind, *kept]),
            )


def replaced_partitions(source: DataFrame, targets: Targets) -> Replaced:
    """Find the partitions that a source has rows of, in two tables that are there.

    Raises:
        SignatureError: as for :func:`refuse_partitions`, or where they are too many.
    """
    columns, kinds = targets.conformed.partitions, _kinds(source.schema)
    refuse_partitions(source.schema, targets, (columns, targets.quarantine.partitions))
    text = [f"CAST({quoted(name)} AS string) AS p{at}" for at, name in enumerate(columns)]
    found = source.selectExpr(*text).distinct().limit(MOST + 1).collect()
    if len(found) > MOST:
        raise SignatureError(f"more than {MOST:,} partitions would be replaced", path="mode")
    terms = [Term(name, kinds[name.lower()], blank=True) for name in columns]
    lower = [name.lower() for name in columns]
    values = sorted(json.dumps([*zip(lower, row, strict=True)]) for row in found)
    names = tuple(hashlib.sha256(value.encode()).hexdigest()[:16] for value in values)
    where = condition(terms, sorted(found, key=str))
    return Replaced(where, names if len(names) <= NAMED else None)


def _kinds(schema: StructType) -> dict[str, str]:
    return {field.name.lower(): field.dataType.simpleString() for field in schema.fields}
