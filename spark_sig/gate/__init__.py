"""The gate: one verdict on a whole source, for about the price of its scan, or for less."""

from spark_sig.gate.validation import validate, validate_source

__all__ = ["validate", "validate_source"]
