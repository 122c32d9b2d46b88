"""Native models: those of Spark's own flavor, which score within Spark, without Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_sig.compile.spark import source_schema
from spark_sig.delta.log import is_classic
from spark_sig.errors import SignatureError
from spark_sig.integrations.mlflow.door import explained, mlflow_module
from spark_sig.integrations.mlflow.predictions import below_outputs
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.rows import enforce_planned, enforce_signature
from spark_sig.signature import ModelSignature
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The loader of models of Spark's own flavor.
_LOADER = "mlflow.spark"

# What a model of Spark ML calls its prediction by default.
_PREDICTION = "prediction"

# The param by which a stage says what becomes of a row that it cannot take.
_INVALID = "handleInvalid"


def is_native(folder: Path) -> bool:
    """Say whether a model is one of Spark's own flavor."""
    mlflow_module("a model")
    from mlflow.models import Model

    with explained(f"the model in {folder} cannot be read"):
        flavors = Model.load(str(folder)).flavors
    return bool(flavors.get("python_function", {}).get("loader_module") == _LOADER)


def scored_natively(
    rows: DataFrame,
    folder: Path,
    signature: ModelSignature,
    policy: Policy,
    takes: Sequence[str],
    kept: Sequence[str],
    names: Sequence[str],
) -> DataFrame:
    """Return rows with the predictions of a native model, inputs and outputs enforced by Spark.

    Args:
        rows: the rows.
        folder: where the model lies.
        signature: its signature.
        policy: the choices; a row that violates fails the action or is left out.
        takes: columns that the signature names.
        kept: columns that stay beside the predictions.
        names: what the predictions are called.

    Raises:
        SignatureError: where rows are to be tagged, the model leaves out rows of its own accord,
            or the session is one of Spark Connect.
    """
    if policy.on_violation == "tag":
        raise SignatureError(
            "rows cannot be tagged where a model of Spark's own flavor scores them",
            path="on_violation",
            remedy="choose raise or drop, or tag with enforce_signature first",
        )
    if not is_classic(rows.sparkSession):
        raise SignatureError(
            "a model of Spark's own flavor cannot be loaded on Spark Connect",
            remedy="score on a classic session",
        )
    mlflow = mlflow_module("a model of Spark's own flavor")
    with explained(f"the model in {folder} cannot be loaded"):
        model = mlflow.spark.load_model(folder.as_uri())
    refuse_skipping(model)
    # What is kept stays as it was, under names that no model takes for its own.
    aside = [f"_spark_sig_kept_{place}" for place in range(len(kept))]
    copies = [f"{quoted(name)} AS {alias}" for name, alias in zip(kept, aside, strict=True)]
    beside = replace(policy, extra="keep")
    given = rows.selectExpr(*map(quoted, takes), *copies)
    enforced = given.transform(enforce_signature(signature, policy=beside))
    outputs = signature.side("outputs")
    column = _prediction_column(model)
    theirs = [column if spec.name is None else spec.name for spec in outputs]
    # Predictions come first: those without a name are told by their place.
    renamed = (f"{quoted(old)} AS {quoted(new)}" for old, new in zip(theirs, names, strict=True))
    predicted: DataFrame = model.transform(enforced).selectExpr(*renamed, *aside)
    plan = plan_enforcement(source_schema(predicted.schema), outputs, beside, spark=True)
    held = enforce_planned(predicted, below_outputs(plan))
    back = [f"{alias} AS {quoted(name)}" for name, alias in zip(kept, aside, strict=True)]
    return held.selectExpr(*back, *map(quoted, names))


def refuse_skipping(model: Any) -> None:
    """Refuse a model with a stage that leaves out the rows that it cannot take: nobody would know.

    Raises:
        SignatureError: where there is one.
    """
    for stage in _stages(model):
        if stage.hasParam(_INVALID) and stage.isDefined(_INVALID):
            chosen = stage.getOrDefault(_INVALID)
            if chosen == "skip":
                raise SignatureError(
                    f"the model's stage {stage.uid} leaves out rows that it cannot take",
                    path=_INVALID,
                    expected="error or keep",
                    observed=chosen,
                    remedy="set it so, and save the model again; policy.on_violation says what "
                    "becomes of rows that do not fit the signature",
                )


def _stages(model: Any) -> Iterator[Any]:
    """Yield a model, and those that it is made of."""
    yield model
    best = getattr(model, "bestModel", None)  # of a tuner's
    for inside in (*getattr(model, "stages", ()), *(() if best is None else (best,))):
        yield from _stages(inside)


def _prediction_column(model: Any) -> str:
    """Return what a model calls its prediction: that of its last stage."""
    last = model.stages[-1] if getattr(model, "stages", None) else model
    named = getattr(last, "getPredictionCol", None)
    return _PREDICTION if named is None else str(named())
