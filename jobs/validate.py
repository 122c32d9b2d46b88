"""Check every row of a table against a signature: a door to ``spark-sig validate``.

    spark-submit --properties-file conf/spark-defaults.conf jobs/validate.py \\
        --table TABLE --signature SIGNATURE --report REPORT
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from spark_sig.cli import main


def _session() -> SparkSession:
    # spark-submit has decided all that matters.
    return SparkSession.builder.appName("spark_sig validate").getOrCreate()


if __name__ == "__main__":
    main(["validate", *sys.argv[1:]], _session)
