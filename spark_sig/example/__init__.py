"""Input examples: data that a model takes, saved beside it as JSON."""

from spark_sig.example.files import EXAMPLE_FILE
from spark_sig.example.input_example import InputExample
from spark_sig.example.kinds import ExampleType

__all__ = ["EXAMPLE_FILE", "ExampleType", "InputExample"]
