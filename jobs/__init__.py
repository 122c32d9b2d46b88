"""The programs that run spark_sig on Spark: the jobs, and what they share."""
