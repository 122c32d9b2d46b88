"""Look at what keeps checks from running where this is submitted: a door to ``spark-sig doctor``.

spark-submit --properties-file conf/spark-defaults.conf jobs/doctor.py --table TABLE
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from spark_sig.cli import main


def _session() -> SparkSession:
    # spark-submit has decided all that matters.
    return SparkSession.builder.appName("spark_sig doctor").getOrCreate()


if __name__ == "__main__":
    main(["doctor", *sys.argv[1:]], _session)
