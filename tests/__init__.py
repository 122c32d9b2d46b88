"""The tests of spark_sig; ``python -m tests.conformance`` and ``python -m tests.bench`` run too."""
