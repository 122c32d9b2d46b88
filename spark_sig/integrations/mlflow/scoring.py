"""Scoring: a model called on every row of a DataFrame, inputs and outputs enforced in one pass."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.compile.spark import relaxed, source_schema, to_spark
from spark_sig.engines.catalyst import numbered
from spark_sig.engines.stage import declared, refuse_opaque, refuse_validated, tagged_struct
from spark_sig.errors import SignatureError
from spark_sig.integrations.mlflow.artifacts import Files, fetch
from spark_sig.integrations.mlflow.clocks import refuse_zone
from spark_sig.integrations.mlflow.native import is_native, scored_natively
from spark_sig.integrations.mlflow.task import Score
from spark_sig.naming import member_path
from spark_sig.params import enforce_params
from spark_sig.plan import EnforcementPlan
from spark_sig.planner import plan_enforcement
from spark_sig.planning.matching import refuse_reserved
from spark_sig.policy import OnViolation, Policy, policy_of
from spark_sig.rows import refuse_misfit
from spark_sig.schema import Schema, TensorSpec
from spark_sig.signature import ModelSignature, load_signature
from spark_sig.sources import resolve
from spark_sig.types import SparkMLVector

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructField, StructType

    from spark_sig.sources import Data

# The name of a prediction that the signature gives none.
PREDICTION = "prediction"


def score(
    data: Data,
    model_uri: str | os.PathLike[str],
    *,
    params: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
    keep: Sequence[str] | None = None,
    prediction: str = PREDICTION,
    version: int | None = None,
    timestamp: str | None = None,
) -> DataFrame:
    """Return a DataFrame with a model's predictions, every input and output of them enforced.

    Rows are checked and cast, the model is called with those that conform, and its predictions
    are checked against the signature's outputs, which give the new columns their types: all in
    one pass through Python, batch by batch.  Each worker loads the model once.  What becomes of a
    row that violates, or whose prediction does, is ``policy.on_violation``: ``raise`` fails the
    action, ``drop`` leaves the row out, ``tag`` keeps it without a prediction and says why in
    ``_violations``, as :func:`spark_sig.enforce_signature` does; :func:`spark_sig.split` then
    takes them apart.  A model of Spark's own flavor (``mlflow.spark``) scores within Spark instead,
    and tags no rows; one with a stage that leaves out rows (``handleInvalid="skip"``) is refused.

    Args:
        data: a DataFrame, a path of a Delta table or of Parquet files, or a catalog name.
        model_uri: a model of MLflow's (``models:/name@alias``, ``models:/name/3``, ``runs:/…``,
            ``m-…``), or the folder of one; its signature has to declare inputs and outputs.
            Inputs that have no names are taken by place.  One that is an object without a name,
            as type hints such as ``list[Message]`` make it, is therefore the first column, a
            struct; pack columns that are its properties into one first:
            ``data.select(F.struct("role", "content").alias("message"))``.
        params: the params of the model, checked and completed once, here.
        policy: the choices that the signature leaves open; the default ones where None.
        keep: columns of the source that stay beside the predictions, untouched; all where None.
        prediction: name of the prediction where the signature gives none, followed by ``_0``,
            ``_1``, … where there are several.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.

    Returns:
        The columns that are kept, and a column for each output.

    Raises:
        ViolationError: where the DataFrame or the params do not fit by their types; lists every
            violation.
        SignatureError: where there is no such model, its signature is missing or of types that no
            column has, or names collide.
        SourceError: where the source or the version cannot be read.
    """
    scoring = Scoring.of(model_uri, params, policy, keep, prediction)
    return scoring.frame(resolve(data, version=version, timestamp=timestamp, counted=False).frame)


class Scoring(NamedTuple):
    """What a model is asked to do, whatever rows it is given.

    Args:
        files: its files.
        signature: its signature.
        params: complete.
        policy: the choices that the signature leaves open.
        keep: columns that stay beside the predictions; all where None.
        prediction: name of a prediction that the signature gives none.
    """

    files: Files
    signature: ModelSignature
    params: Mapping[str, Any]
    policy: Policy
    keep: Sequence[str] | None
    prediction: str

    @classmethod
    def of(
        cls,
        model_uri: str | os.PathLike[str],
        params: Mapping[str, Any] | None,
        policy: Policy | None,
        keep: Sequence[str] | None,
        prediction: str,
    ) -> Scoring:
        """Fetch a model, and check what it is asked; see :func:`score`."""
        folder = fetch(model_uri)
        signature = load_signature(folder)
        for side in ("inputs", "outputs"):
            signature.side(side)
        policy = policy_of(policy)
        # A model is given what its signature names, and nothing else.
        policy = policy if policy.extra == "forbid" else replace(policy, extra="drop")
        completed = enforce_params(params, signature.params, policy=policy)
        return cls(Files(folder), signature, completed, policy, keep, prediction)

    @property
    def folder(self) -> Path:
        """Where the model's files lie on this machine."""
        return self.files.folder

    def under(self, on_violation: OnViolation) -> Scoring:
        """Return the same for a table, which needs no values beside the rows that hold them."""
        policy = replace(self.policy, on_violation=on_violation, show_values=False)
        return self._replace(policy=policy)

    def plan(self, rows: DataFrame) -> EnforcementPlan:
        """Plan how rows are made to fit the inputs; what does not is among the findings."""
        inputs = self.signature.side("inputs")
        return plan_enforcement(source_schema(rows.schema), inputs, self.policy, spark=True)

    def frame(self, rows: DataFrame) -> DataFrame:
        """Return the rows with their predictions; nothing is read yet."""
        inputs, outputs = self.signature.side("inputs"), self.signature.side("outputs")
        plan = self.plan(rows)
        refuse_misfit(plan)
        kept = _kept(plan, self.keep)
        predicted = _columns(outputs, self.prediction)
        struct = _struct(rows, plan, kept, predicted)
        if is_native(self.folder):
            takes = [field.source_name for field in plan.fields if field.source is not None]
            names = [field.name for field in predicted]
            return scored_natively(
                rows, self.folder, self.signature, self.policy, takes, kept, names
            )
        read = {field.source for field in plan.fields if field.source is not None}
        read |= {plan.source.get_field_index(name) for name in kept}
        if plan.policy.on_violation == "tag":
            read = set(range(len(plan.source)))
        refuse_opaque(plan, read)
        refuse_validated(rows, struct)
        columns = tuple((f"c{place}", plan.source.names[place]) for place in sorted(read))
        spark = rows.sparkSession
        zone = str(spark.conf.get("spark.sql.session.timeZone"))
        if "timestamp" in f"{rows.schema.simpleString()} {struct.simpleString()}":
            refuse_zone(zone)
        task = Score(
            self.files.shipped(spark),
            plan,
            inputs,
            outputs,
            self.policy,
            self.params,
            zone,
            columns,
            kept,
            declared(struct),
        )
        # Without any column, the stage would lose the number of rows.
        aliases = [alias for alias, _ in columns] or ["CAST(NULL AS int) AS none"]
        return numbered(rows, plan).selectExpr(*aliases).mapInArrow(task.__call__, struct)


def _kept(plan: EnforcementPlan, keep: Sequence[str] | None) -> tuple[str, ...]:
    names = plan.source.names
    if keep is None:
        return tuple(names)
    if isinstance(keep, str):
        keep = [keep]
    for name in keep:
        if name not in names:
            raise SignatureError(
                f"there is no column {name!r} to keep",
                path=member_path("$", str(name)),
                expected=f"one of {', '.join(names[:20])}",
            )
    return tuple(dict.fromkeys(keep))


def _columns(outputs: Schema, prediction: str) -> list[StructField]:
    """Return the columns of predictions, as Spark has them.

    Raises:
        SignatureError: where an output is of no type that a column can have.
    """
    from pyspark.sql import types as T

    unnamed = [prediction]
    if len(outputs) > 1:
        unnamed = [f"{prediction}_{place}" for place in range(len(outputs))]
    found = []
    for place, (spec, field) in enumerate(zip(outputs, to_spark(outputs), strict=True)):
        fixed = isinstance(spec, TensorSpec) and spec.shape[0] >= 0
        if fixed or isinstance(spec.type, SparkMLVector):
            raise SignatureError(
                "no batch can be held to so many predictions"
                if fixed
                else "predictions cannot be Spark ML vectors, which only Spark makes",
                path=f"$.outputs[{place}]",
                observed=repr(spec),
                remedy="make the first axis -1" if fixed else "declare an Array of double",
            )
        if "void" in field.dataType.simpleString():
            raise SignatureError(
                "no column can hold predictions of any type",
                path=f"$.outputs[{place}]",
                observed=repr(spec),
                remedy="declare what the model gives, such as ColSpec('string'), with "
                "spark_sig.set_signature",
            )
        name = unnamed[place] if spec.name is None else spec.name
        found.append(T.StructField(name, relaxed(field.dataType), True))
    return found


def _struct(
    frame: DataFrame,
    plan: EnforcementPlan,
    kept: Sequence[str],
    predicted: Sequence[StructField],
) -> StructType:
    """Return the columns that come out.

    Raises:
        SignatureError: where two of them have one name.
    """
    from pyspark.sql import types as T

    source = {field.name: field for field in frame.schema}
    fields = [T.StructField(name, relaxed(source[name].dataType), True) for name in kept]
    taken = {name.lower() for name in kept}
    for field in predicted:
        if field.name.lower() in taken:
            raise SignatureError(
                f"the prediction {field.name!r} has the name of a column that is kept",
                path=member_path("$.outputs", field.name),
                remedy="name the columns to keep (keep=…), or another name for predictions "
                "that have none (prediction=…)",
            )
        taken.add(field.name.lower())
        fields.append(field)
    whole = T.StructType(fields)
    if plan.policy.on_violation != "tag":
        return whole
    refuse_reserved(whole.names)
    return tagged_struct(whole, frame.schema, plan.policy.show_values)
