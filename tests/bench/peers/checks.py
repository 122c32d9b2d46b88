"""The check of each tool: types and not-null on every column of a Delta table.

Each function plans once and returns what takes a table's path and says whether it conforms.  It
imports its tool inside, as no environment has them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.peers.tables import DDL, KINDS

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

Check = Callable[[str], bool]

_SPARK_TYPES = {
    "long": "LongType",
    "double": "DoubleType",
    "integer": "IntegerType",
    "string": "StringType",
}
_SIGNATURE = json.dumps([{"type": k, "name": c, "required": True} for c, k in KINDS.items()])


def _read(spark: SparkSession, path: str) -> DataFrame:
    return spark.read.format("delta").load(path)


def _spark_sig(spark: SparkSession, folder: Path) -> Check:
    from spark_sig import ModelSignature, validate

    signature = ModelSignature.from_dict({"inputs": _SIGNATURE})
    return lambda path: validate(path, signature).conforms


def _pandera(spark: SparkSession, folder: Path) -> Check:
    import pandera.pyspark as pa
    from pyspark.sql import types

    columns = {
        name: pa.Column(getattr(types, _SPARK_TYPES[kind])(), nullable=False)
        for name, kind in KINDS.items()
    }
    schema = pa.DataFrameSchema(columns)
    return lambda path: not schema.validate(_read(spark, path)).pandera.errors


def _dqx(spark: SparkSession, folder: Path) -> Check:
    from unittest.mock import MagicMock

    from databricks.labs.dqx.check_funcs import has_valid_schema, is_not_null
    from databricks.labs.dqx.engine import DQEngine
    from databricks.labs.dqx.rule import DQDatasetRule, DQRowRule
    from databricks.sdk import WorkspaceClient

    # without a workspace a mock of its client is DQX's own way; the checks do not use it
    engine = DQEngine(MagicMock(spec=WorkspaceClient), spark)
    kwargs = {"expected_schema": DDL, "strict": True}
    rules = [
        DQDatasetRule(check_func=has_valid_schema, check_func_kwargs=kwargs),
        *(DQRowRule(check_func=is_not_null, column=name) for name in KINDS),
    ]

    def check(path: str) -> bool:
        _, bad = engine.apply_checks_and_split(_read(spark, path), rules)
        return bad.isEmpty()

    return check


def _great_expectations(spark: SparkSession, folder: Path) -> Check:
    import great_expectations as gx
    from great_expectations import expectations as gxe

    context = gx.get_context(mode="ephemeral")
    # by default it would copy the whole table into memory first
    source = context.data_sources.add_spark("spark", persist=False)
    whole = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("whole")
    suite = gx.ExpectationSuite(name="signature")
    for name, kind in KINDS.items():
        suite.add_expectation(gxe.ExpectColumnValuesToNotBeNull(column=name))
        kind = _SPARK_TYPES[kind]
        suite.add_expectation(gxe.ExpectColumnValuesToBeOfType(column=name, type_=kind))

    def check(path: str) -> bool:
        batch = whole.get_batch({"dataframe": _read(spark, path)})
        # the verdict alone: other formats start more jobs
        return bool(batch.validate(suite, result_format="BOOLEAN_ONLY").success)

    return check


def _cuallee(spark: SparkSession, folder: Path) -> Check:
    import cuallee

    expected = spark.createDataFrame([], DDL).schema

    def check(path: str) -> bool:
        df = _read(spark, path)
        rules = cuallee.Check(cuallee.CheckLevel.ERROR, "signature")
        for name in KINDS:
            rules.is_complete(name)
        # it has no rule about types
        return df.schema == expected and rules.ok(df)

    return check


def _mlflow_udf(spark: SparkSession, folder: Path) -> Check:
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import Schema
    from pyspark.sql.functions import struct

    class Zeros(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
            return [0.0] * len(model_input)

    model = folder / "mlflow-model"
    if not (model / "MLmodel").exists():
        mlflow.pyfunc.save_model(
            str(model),
            python_model=Zeros(),
            signature=ModelSignature(inputs=Schema.from_json(_SIGNATURE)),
            pip_requirements=[],
        )
    predict = mlflow.pyfunc.spark_udf(spark, str(model), result_type="double", env_manager="local")

    def check(path: str) -> bool:
        return _enforced(_read(spark, path).select(predict(struct(*KINDS))))

    return check


def _mlflow_batches(spark: SparkSession, folder: Path) -> Check:
    document = _SIGNATURE

    def enforce(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import pandas as pd
        from mlflow.models.utils import _enforce_schema
        from mlflow.types import Schema

        schema = Schema.from_json(document)
        for batch in batches:
            # one number back, so that the way back into Spark costs nothing
            yield pd.DataFrame({"rows": [len(_enforce_schema(batch, schema))]})

    return lambda path: _enforced(_read(spark, path).mapInPandas(enforce, "rows bigint"))


def _enforced(df: DataFrame) -> bool:
    """Run a query over all rows, which fails where MLflow refuses one."""
    from pyspark.errors import PySparkException

    try:
        df.write.format("noop").mode("overwrite").save()
    except PySparkException as error:
        # a NULL among integers is refused by an error of pandas, from inside the enforcement
        if "MlflowException" not in str(error) and "_enforce_schema" not in str(error):
            raise
        return False
    return True


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Args:
        package: what gives its version.
        environment: the folder of the environment that it runs in.
        make: makes its check, from a session and a folder for its files.
    """

    package: str
    environment: str
    make: Callable[[SparkSession, Path], Check]


TOOLS = {
    "spark_sig": Tool("spark-sig", ".venv", _spark_sig),
    "pandera.pyspark": Tool("pandera", ".venv-peer-pandera", _pandera),
    "DQX": Tool("databricks-labs-dqx", ".venv-peer-dqx", _dqx),
    "Great Expectations": Tool("great-expectations", ".venv-peer-gx", _great_expectations),
    "cuallee": Tool("cuallee", ".venv-peer-cuallee", _cuallee),
    "MLflow spark_udf": Tool("mlflow", ".venv-peer-mlflow", _mlflow_udf),
    "MLflow per batch": Tool("mlflow", ".venv-peer-mlflow", _mlflow_batches),
}
