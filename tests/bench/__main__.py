"""Measure everything, or some parts, and print the ratios: ``python -m tests.bench [PART ...]``.

Figures that are missed are printed as missed; nothing fails over them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Ratio

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "bench"


def _driver() -> Iterator[Ratio]:
    from tests.bench.driver_cases import against_mlflow, arrays, imports

    yield from imports(FOLDER / "bytecode")
    yield from arrays()
    yield from against_mlflow()


def _spark() -> Iterator[Ratio]:
    from jobs.session import build_session
    from tests.bench.spark_cases import arrays, inference, nested, scalars, wide

    conf = {"spark.sql.shuffle.partitions": "2", "spark.databricks.delta.snapshotPartitions": "2"}
    spark = build_session("spark_sig bench", driver_memory="6g", conf=conf)
    try:
        yield from scalars(spark, FOLDER, 8_000_000)
        yield from arrays(spark, FOLDER, 2_000_000)
        yield from wide(spark, FOLDER, 20_000, 2_000)
        yield from inference(spark, FOLDER, 8_000_000)
        yield from nested(spark, FOLDER, 2_000_000)
    finally:
        spark.stop()


def _proof() -> Iterator[Ratio]:
    from jobs.session import build_session
    from tests.bench.proof_cases import ledger, many_files, one_column, provable

    conf = {"spark.sql.shuffle.partitions": "2", "spark.databricks.delta.snapshotPartitions": "2"}
    spark = build_session("spark_sig bench", driver_memory="10g", conf=conf)
    try:
        yield from provable(spark, FOLDER, 8_000_000, 80_000_000)
        for rows in (8_000_000, 80_000_000):
            yield from one_column(spark, FOLDER, rows)
        for rows in (20_000_000, 80_000_000):
            yield from ledger(spark, FOLDER, rows)
        yield from many_files(spark, FOLDER, 200_000, 100)
    finally:
        spark.stop()


def _transfer() -> Iterator[Ratio]:
    from jobs.session import build_session
    from tests.bench.transfer_cases import transfers

    conf = {"spark.sql.shuffle.partitions": "2", "spark.databricks.delta.snapshotPartitions": "2"}
    spark = build_session("spark_sig bench", driver_memory="6g", conf=conf)
    try:
        yield from transfers(spark, FOLDER, 8_000_000)
    finally:
        spark.stop()


def _score() -> Iterator[Ratio]:
    from jobs.session import build_session
    from tests.bench.score_cases import scores

    spark = build_session("spark_sig bench", driver_memory="6g")
    try:
        yield from scores(spark, FOLDER, 2_000_000)
    finally:
        spark.stop()


def main() -> None:
    """Print one line for each figure."""
    cases = {
        "driver": _driver,
        "spark": _spark,
        "proof": _proof,
        "transfer": _transfer,
        "score": _score,
    }
    asked = set(sys.argv[1:]) or cases.keys()
    print(f"{'medians of interleaved runs':<58} {'seconds':>10} {'base':>10} {'ratio':>8}  target")
    missed = total = 0
    for name, measure in cases.items():
        if name in asked:
            for ratio in measure():
                total += 1
                missed += not ratio.met
                print(ratio, flush=True)
    print(f"{total - missed} figures met, {missed} missed")


if __name__ == "__main__":
    main()
