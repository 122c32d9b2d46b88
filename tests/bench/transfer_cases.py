"""Transfers into two tables, against Spark copying the source unchecked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spark_sig import conform
from tests.bench.measure import Ratio, interleaved, timed
from tests.bench.spark_cases import make_table, scalar_columns, scalar_signature

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def transfers(spark: SparkSession, folder: Path, rows: int) -> Iterator[Ratio]:
    """Measure 16 scalar columns, of whose rows 1 % violate."""
    source = folder / f"violating-{rows}"
    frame = make_table(
        spark, source, lambda: spark.range(rows).selectExpr(*scalar_columns(violating=True))
    )
    targets = [folder / name for name in ("copy", "conformed", "quarantine")]

    def copy() -> None:
        frame.write.format("delta").mode("append").save(str(targets[0]))

    def transfer() -> None:
        report = conform(source, scalar_signature(), conformed=targets[1], quarantine=targets[2])
        assert (report.rows.total, report.rows.violating) == (rows, rows // 100)

    def anew(action: Callable[[], None]) -> Callable[[], float]:
        def run() -> float:
            for target in targets:
                shutil.rmtree(target, ignore_errors=True)
            return timed(action)()

        return run

    copied, moved = interleaved([anew(copy), anew(transfer)])
    yield Ratio(f"conform, 1 % of {rows:,} x 16 violate / copy", moved, copied, 1.25)
