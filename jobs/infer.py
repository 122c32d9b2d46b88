"""Infer a signature from every row of a table: a door to ``spark-sig infer``.

    spark-submit --properties-file conf/spark-defaults.conf jobs/infer.py \\
        --table TABLE --into MODEL --report REPORT --example 5
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from spark_sig.cli import main


def _session() -> SparkSession:
    # spark-submit has decided all that matters.
    return SparkSession.builder.appName("spark_sig infer").getOrCreate()


if __name__ == "__main__":
    main(["infer", *sys.argv[1:]], _session)
