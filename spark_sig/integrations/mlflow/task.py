"""The scoring task: what one Python worker does with the Arrow batches of one partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spark_sig.errors import ModelError, Violation, ViolationError
from spark_sig.integrations.mlflow.artifacts import Artifacts
from spark_sig.integrations.mlflow.clocks import instants
from spark_sig.integrations.mlflow.feeds import feed
from spark_sig.integrations.mlflow.predictions import held
from spark_sig.integrations.mlflow.predictor import predictor
from spark_sig.kernels.batch import Outcome, row_violations, run_batch
from spark_sig.kernels.layout import Positions
from spark_sig.kernels.tags import as_declared, as_planned, originals, violation_lists
from spark_sig.kernels.tasks import as_source, conforming, refuse_found
from spark_sig.plan import EnforcementPlan
from spark_sig.policy import Policy
from spark_sig.schema import Schema

# How the error begins of predictions that are not what the signature declares.
MODEL_ERROR = "the model's predictions do not fit the signature's outputs: "


class Score(NamedTuple):
    """Enforce the inputs of a partition's rows, call the model, and enforce its outputs.

    Args:
        artifacts: the model.
        plan: what the rows are held to; its policy says what becomes of one that violates.
        inputs: the schema that the plan was made for.
        outputs: what predictions are held to.
        policy: the choices for predictions.
        params: complete.
        zone: the session's time zone.
        columns: the names under which the source's columns come in, and their own.
        kept: names of the source's columns that stay beside the predictions.
        output: what goes out: the columns that stay, predictions, and in tag mode the tags.
    """

    artifacts: Artifacts
    plan: EnforcementPlan
    inputs: Schema
    outputs: Schema
    policy: Policy
    params: Mapping[str, Any]
    zone: str
    columns: tuple[tuple[str, str], ...]
    kept: tuple[str, ...]
    output: pa.Schema

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                yield self._scored(as_source(batch, self.columns), batch.num_rows)

    def _scored(self, source: pa.RecordBatch, count: int) -> pa.RecordBatch:
        outcome = run_batch(self.plan, source, rows=count)
        if self.plan.policy.on_violation == "raise":
            refuse_found(self.plan, outcome)
        rows = np.flatnonzero(conforming(outcome))
        plan, given = self._predicted(outcome, rows)
        if given is None:
            good, columns = rows, self._no_predictions()
        else:
            assert plan is not None
            if self.plan.policy.on_violation == "raise":
                refuse_found(plan, given)
            good, columns = rows[conforming(given)], self._typed(given.columns)
            if given.found:
                fits = pa.array(conforming(given))
                columns = [column.filter(fits) for column in columns]
        if self.plan.policy.on_violation != "tag":
            return self._batch(source, count, good, columns)
        tagged = dict[int, list[Violation]](row_violations(self.plan, outcome))
        if plan is not None and given is not None:
            tagged |= {int(rows[at]): v for at, v in row_violations(plan, given).items()}
        return self._tagged(source, good, columns, dict(sorted(tagged.items())))

    def _predicted(
        self, outcome: Outcome, rows: Positions
    ) -> tuple[EnforcementPlan | None, Outcome | None]:
        """Call the model with the rows that conform; it is not called with none."""
        if not len(rows):
            return None, None
        columns = outcome.columns
        if outcome.found:
            chosen = pa.array(rows)
            columns = tuple(column.take(chosen) for column in columns)
        data = feed(self.plan, self.inputs, columns, self.zone)
        given = predictor(self.artifacts)(data, self.params)
        try:
            return held(given, self.outputs, self.policy, len(rows))
        except ViolationError as error:
            found = "; ".join(map(str, error.violations))
            raise ModelError(MODEL_ERROR + found) from None

    def _no_predictions(self) -> list[pa.Array]:
        first = len(self.kept)
        return [pa.nulls(0, self.output.field(first + at).type) for at in range(len(self.outputs))]

    def _batch(
        self, source: pa.RecordBatch, count: int, good: Positions, predictions: list[pa.Array]
    ) -> pa.RecordBatch:
        kept = self._beside(source)
        if len(good) < count:
            chosen = pa.array(good)
            kept = [column.take(chosen) for column in kept]
        return self._declared([*kept, *predictions])

    def _beside(self, source: pa.RecordBatch) -> list[pa.Array]:
        places = map(self.plan.source.get_field_index, self.kept)
        return [
            as_planned(self.plan, source.column(name), place)
            for name, place in zip(self.kept, places, strict=True)
        ]

    def _tagged(
        self,
        source: pa.RecordBatch,
        good: Positions,
        predictions: list[pa.Array],
        tagged: Mapping[int, list[Violation]],
    ) -> pa.RecordBatch:
        rows = source.num_rows
        if len(good) < rows:  # no prediction for a row that violates
            places = np.zeros(rows, np.int64)
            places[good] = np.arange(len(good))
            bad = np.ones(rows, np.bool_)
            bad[good] = False
            spread = pa.array(places, mask=bad)
            predictions = [column.take(spread) for column in predictions]
        fits = np.ones(rows, np.bool_)
        fits[list(tagged)] = False
        lists, untouched = (self.output.field(place).type for place in (-2, -1))
        return self._declared(
            [
                *self._beside(source),
                *predictions,
                violation_lists(tagged, rows, lists),
                originals(self.plan, source, fits, untouched),
            ]
        )

    def _declared(self, columns: list[pa.Array]) -> pa.RecordBatch:
        arrays = [as_declared(c, self.output.field(i).type) for i, c in enumerate(columns)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.output)

    def _typed(self, predictions: Sequence[pa.Array]) -> list[pa.Array]:
        """Return predictions under the types that were declared for their columns."""
        made = []
        for place, column in enumerate(predictions):
            dtype = self.output.field(len(self.kept) + place).type
            if "tz=" in str(dtype):
                column = instants(column, self.zone)
            try:
                made.append(as_declared(column, dtype))
            except pa.ArrowInvalid:  # whose text shows the value
                raise ModelError(
                    f"{MODEL_ERROR}a value cannot be stored as {dtype} without a loss"
                ) from None
        return made
