"""Predictions: what a model gives, as Arrow columns held to the outputs that it declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from spark_sig.compile.arrow import to_arrow
from spark_sig.engines.arrays import is_sparse, masked_array, shape_label
from spark_sig.engines.frames import frame_batch
from spark_sig.engines.scalars import from_numpy, texts
from spark_sig.errors import Code, Violation, ViolationError
from spark_sig.integrations.mlflow.feeds import refuse_repeated
from spark_sig.integrations.mlflow.outputs import predicted_frame
from spark_sig.kernels.batch import Outcome, run_batch
from spark_sig.naming import SPARK_TYPE, member_path
from spark_sig.plan import Check, EnforcementPlan
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy
from spark_sig.schema import Schema, TensorSpec

# What the paths of violations by predictions begin with: no path of a row does.
OUTPUTS = "$outputs"

# The name of a prediction that the signature gives none.
UNNAMED = "$"


def held(given: Any, schema: Schema, policy: Policy, rows: int) -> tuple[EnforcementPlan, Outcome]:
    """Hold predictions to the outputs of a signature.

    Args:
        given: what the model gave.  NumPy's arrays of text have lost what NULs were at its ends;
            lists and arrays of objects keep them.
        schema: the outputs.
        policy: the choices.
        rows: how many rows the model was given.

    Returns:
        The plan, its paths below ``$outputs``; and what became of the predictions, a column for
        each output.

    Raises:
        ViolationError: where they are of another type or number than declared.
    """
    try:
        batch = (
            _tensor_batch(given, schema)
            if schema.is_tensor
            else frame_batch(predicted_frame(given, schema, rows), schema, policy)
        )
    except ViolationError as error:
        raise ViolationError(map(_below_outputs, error.violations)) from None
    if batch.num_rows != rows:
        observed = f"{batch.num_rows} predictions"
        raise ViolationError([Violation(OUTPUTS, Code.ROW_COUNT, f"{rows} predictions", observed)])
    plan = _plan(_Known(batch.schema), schema, policy)
    if plan.findings:
        raise ViolationError(plan.findings)
    outcome = run_batch(plan, batch)
    for field, column in zip(plan.fields, outcome.columns, strict=True):
        refuse_repeated(column, field.path)
    return plan, outcome


def declared_checks(schema: Schema, policy: Policy) -> tuple[Check, ...]:
    """Return the checks on predictions that are of the types which the outputs declare."""
    return _plan(_Known(to_arrow(schema)), schema, policy).checks


def _below_outputs(violation: Violation) -> Violation:
    return replace(violation, path=OUTPUTS + violation.path.removeprefix("$"))


class _Known:
    """A schema as a key: with the metadata that equality leaves out."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._bytes = schema.serialize().to_pybytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)


@lru_cache(maxsize=64)
def _plan(known: _Known, schema: Schema, policy: Policy) -> EnforcementPlan:
    policy = replace(policy, on_violation="raise")
    return below_outputs(plan_enforcement(known.schema, schema, policy, engine="arrow"))


def below_outputs(plan: EnforcementPlan) -> EnforcementPlan:
    """Return a plan for predictions with its paths below ``$outputs``."""
    return plan._replace(
        fields=tuple(field._replace(path=OUTPUTS + field.path[1:]) for field in plan.fields),
        checks=tuple(check._replace(path=OUTPUTS + check.path[1:]) for check in plan.checks),
        findings=tuple(map(_below_outputs, plan.findings)),
    )


# --- tensors --------------------------------------------------------------------------------------


def _tensor_batch(given: Any, schema: Schema) -> pa.RecordBatch:
    specs = [spec for spec in schema if isinstance(spec, TensorSpec)]
    if specs[0].name is None or (len(specs) == 1 and not isinstance(given, Mapping)):
        given = {specs[0].name: given}
    if not isinstance(given, Mapping):
        raise ViolationError(
            [Violation("$", Code.TYPE, "a dict of NumPy arrays by name", type(given).__name__)]
        )
    fields, columns = [], []
    for spec in specs:
        name = UNNAMED if spec.name is None else spec.name
        path = UNNAMED if spec.name is None else member_path("$", spec.name)
        label = shape_label(spec.type, spec.shape)
        if spec.name not in given:
            raise ViolationError([Violation(path, Code.MISSING_COLUMN, label, "nothing")])
        array = _array(given[spec.name])
        if not isinstance(array, np.ndarray) or array.ndim != len(spec.shape):
            observed = (
                shape_label(array.dtype, array.shape)
                if isinstance(array, np.ndarray)
                else type(array).__name__
            )
            raise ViolationError([Violation(path, Code.SHAPE, label, observed)])
        field, column = _slices(array, name)
        fields.append(field)
        columns.append(column)
    if len({len(column) for column in columns}) > 1:
        observed = ", ".join(str(len(column)) for column in columns)
        raise ViolationError([Violation("$", Code.ROW_COUNT, "as many of each", observed)])
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _array(given: Any) -> Any:
    """Return an array of whatever holds one: frames, series, sparse matrices, lists, scalars."""
    if is_sparse(given):
        return given.toarray()
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise ViolationError([masked_array("$", "numbers")])
    if isinstance(given, (pd.DataFrame, pd.Series, pd.Index)):
        return given.to_numpy()
    if isinstance(given, (list, tuple)) or np.isscalar(given):
        try:
            made = np.atleast_1d(np.asarray(given))
        except ValueError:  # of different lengths
            return given
        # NumPy makes text of numbers that stand beside it, and cuts NULs off its end.
        is_text = made.dtype.kind in "US"
        return np.atleast_1d(np.asarray(given, dtype=object)) if is_text else made
    # tensors of other libraries
    return given if isinstance(given, np.ndarray) else getattr(given, "numpy", lambda: given)()


def _slices(array: npt.NDArray[Any], name: str) -> tuple[pa.Field, pa.Array]:
    """Return an array as a column of its slices along the first axis, without copying elements."""
    column, opaque = _elements(np.ascontiguousarray(array).reshape(-1))
    if column is None:
        field = pa.field(name, pa.bool_(), metadata={SPARK_TYPE: opaque.encode()})
        return field, pa.nulls(len(array), pa.bool_())
    for axis in range(array.ndim - 1, 0, -1):
        length = array.shape[axis]
        count = int(np.prod(array.shape[:axis]))
        offsets = np.arange(count + 1, dtype=np.int64) * length
        column = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), column)
    return pa.field(name, column.type), column


def _elements(flat: npt.NDArray[Any]) -> tuple[pa.Array | None, str]:
    """Return elements in Arrow; objects that are text, as labels are held, as what they are."""
    classes = set(map(type, flat)) if flat.dtype == object else {object}
    if all(issubclass(cls, str) for cls in classes):
        return texts(flat), ""
    if all(issubclass(cls, bytes) for cls in classes):
        return pa.array(flat.tolist(), pa.binary()), ""
    return from_numpy(flat)
