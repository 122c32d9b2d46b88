"""Partitions: which ones a source has rows of, so that they are replaced in both tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spark_sig.errors import SignatureError
from spark_sig.sqltext import literal, quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from spark_sig.quarantine.targets import Targets

# Partitions that one run replaces: each is named in the condition of the commit.
MOST = 10_000

_KINDS = ("tinyint", "smallint", "int", "bigint", "boolean", "date", "string", "timestamp")


def replaced_partitions(source: DataFrame, targets: Targets) -> str:
    """Write the condition, as SQL, on rows of the partitions that a source has rows of.

    Raises:
        SignatureError: where the tables are not partitioned alike, by columns of the source that
            stay what they are.
    """
    columns = targets.conformed.partitions
    if not columns or columns != targets.quarantine.partitions:
        raise SignatureError(
            "replace-partitions takes two tables that are partitioned by the same columns",
            path="mode",
            observed=f"{', '.join(columns) or 'none'}; "
            f"{', '.join(targets.quarantine.partitions) or 'none'}",
        )
    kinds = {field.name: field.dataType.simpleString() for field in source.schema.fields}
    for name in columns:
        if kinds.get(name) not in _KINDS:
            raise SignatureError(
                "partitions are replaced by columns of the source of a plain type",
                path=name,
                expected=f"one of {', '.join(_KINDS)}",
                observed=kinds.get(name, "no such column"),
            )
    text = [f"CAST({quoted(name)} AS string) AS p{at}" for at, name in enumerate(columns)]
    found = source.selectExpr(*text).distinct().limit(MOST + 1).collect()
    if len(found) > MOST:
        raise SignatureError(f"more than {MOST:,} partitions would be replaced", path="mode")
    parts = sorted(
        " AND ".join(
            f"{quoted(name)} IS NULL"
            if row[at] is None
            else f"{quoted(name)} = CAST({literal(row[at])} AS {kinds[name]})"
            for at, name in enumerate(columns)
        )
        for row in found
    )
    return " OR ".join(f"({part})" for part in parts) or "false"
