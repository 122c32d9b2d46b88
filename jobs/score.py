"""Call a model on every row of a table: a door to ``spark-sig score``.

    spark-submit --properties-file conf/spark-defaults.conf jobs/score.py \\
        --model URI --table TABLE --out TABLE
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from spark_sig.cli import main


def _session() -> SparkSession:
    # spark-submit has decided all that matters.
    return SparkSession.builder.appName("spark_sig score").getOrCreate()


if __name__ == "__main__":
    main(["score", *sys.argv[1:]], _session)
