"""The benchmark: ratios to Spark's own scan and to MLflow, ``make bench``."""
