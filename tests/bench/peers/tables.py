"""The tables that every tool checks: 16 columns, conforming or with one fault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_KINDS = ("long", "double", "integer", "string")
KINDS = {f"c{i}": _KINDS[i % 4] for i in range(16)}
"""The type of each column, as a model signature names it."""

_SQL = {"long": "BIGINT", "double": "DOUBLE", "integer": "INT", "string": "STRING"}
DDL = ", ".join(f"{name} {_SQL[kind]}" for name, kind in KINDS.items())
"""The same as Spark writes it."""

# Of the table whose c2 is a bigint in place of an int: only its verdict counts.
_MISTYPED_ROWS = 1_000


def make_tables(spark: SparkSession, folder: Path, rows: int, column: str) -> None:
    """Write the tables that are not there yet.

    Args:
        folder: holds ``clean``, ``violating-COLUMN`` and ``mistyped``, and ``bare-clean`` and
            ``bare-violating-COLUMN``, the same without statistics of columns.
        rows: of each table but ``mistyped``.
        column: has one NULL, in a row three quarters down the table.
    """
    whole = _values()
    fault = {**whole, column: f"IF(id = {rows * 3 // 4}, NULL, {whole[column]})"}
    mistyped = {**whole, "c2": f"CAST({whole['c2']} AS bigint)"}
    for name, values, count in (
        ("clean", whole, rows),
        (f"violating-{column}", fault, rows),
        ("mistyped", mistyped, _MISTYPED_ROWS),
    ):
        df = spark.range(count).selectExpr(*(f"{v} AS {c}" for c, v in values.items()))
        for path, indexed in ((folder / name, 32), (folder / f"bare-{name}", 0)):
            if not any((path / "_delta_log").glob("*.json")):
                writer = df.write.format("delta")
                writer = writer.option("delta.dataSkippingNumIndexedCols", str(indexed))
                writer.save(str(path))


def _values() -> dict[str, str]:
    found = {}
    for i, (name, kind) in enumerate(KINDS.items()):
        found[name] = {
            "long": f"id * {i + 1}",
            "double": f"id / {i + 1}.0D",
            "integer": f"CAST(id % {1000 + i} AS int)",
            "string": f"concat('s', id % {100 + i})",
        }[kind]
    return found
