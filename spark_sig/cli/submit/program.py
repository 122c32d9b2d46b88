"""The program that spark-submit runs where the project is installed: a command and its flags.

spark-submit --properties-file spark-defaults.conf .../spark_sig/cli/submit/program.py \\
    validate --table TABLE --signature SIGNATURE --report REPORT

Its folder is first on the path of what runs it, so that no other module may lie there.
"""

from __future__ import annotations

from pyspark.sql import SparkSession

from spark_sig.cli import main


def _session() -> SparkSession:
    # spark-submit has decided all that matters.
    return SparkSession.builder.getOrCreate()


if __name__ == "__main__":
    main(session=_session)
