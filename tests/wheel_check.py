"""What conf/test-wheel.sh runs with the installed wheel, in a folder that holds nothing else."""

from pathlib import Path

import pandas as pd

import spark_sig
from spark_sig import ColSpec, DataType, ModelSignature, Schema, enforce

assert "site-packages" in Path(spark_sig.__file__).parts, spark_sig.__file__
assert (Path(spark_sig.__file__).parent / "py.typed").exists()

signature = ModelSignature(inputs=Schema([ColSpec(DataType.long, "x")]))
frame = enforce(pd.DataFrame({"x": pd.array([1, 2], dtype="int32")}), signature)
assert frame["x"].tolist() == [1, 2]
assert frame["x"].dtype == "int64"
print("the wheel works:", signature)
