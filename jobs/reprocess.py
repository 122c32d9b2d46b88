"""Check the rows of a quarantine again and move them: a door to ``spark-sig reprocess``.

    spark-submit --properties-file conf/spark-defaults.conf jobs/reprocess.py \\
        --quarantine TABLE --conformed TABLE --signature SIGNATURE
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

from spark_sig.cli import main


def _session() -> SparkSession:
    # spark-submit has decided all that matters.
    return SparkSession.builder.appName("spark_sig reprocess").getOrCreate()


if __name__ == "__main__":
    main(["reprocess", *sys.argv[1:]], _session)
