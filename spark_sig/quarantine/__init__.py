"""Quarantine: the rows that conform go to one table, those that violate to another, each once."""

from spark_sig.quarantine.batch import conform
from spark_sig.quarantine.reprocessing import reprocess
from spark_sig.quarantine.stream import ConformBatches

__all__ = ["ConformBatches", "conform", "reprocess"]
