"""Tasks: what one Python worker does with the Arrow batches of one partition.

Instances travel to executors in a closure; this module and the rows above it are all that a
worker imports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from spark_sig.errors import ROW_ERROR
from spark_sig.kernels.batch import Outcome, merge_found, row_violations, run_batch
from spark_sig.kernels.layout import Mask
from spark_sig.kernels.summary import summarise, summarise_details
from spark_sig.kernels.tags import as_declared, originals, violation_lists
from spark_sig.plan import EnforcementPlan, FieldPlan
from spark_sig.tally import Tally

# The one column in which tallies travel.
TALLY = pa.schema([("tally", pa.string())])


def as_source(batch: pa.RecordBatch, inputs: tuple[tuple[str, str], ...]) -> pa.RecordBatch:
    """Return the columns of a batch that ``inputs`` lists, under the names of the source."""
    columns = [batch.column(alias) for alias, _ in inputs]
    return pa.RecordBatch.from_arrays(columns, [name for _, name in inputs])


def conforming(outcome: Outcome) -> Mask:
    """Return for each row whether nothing in it violates."""
    keep = np.ones(outcome.num_rows, dtype=np.bool_)
    keep[outcome.violating()] = False
    return keep


def refuse_found(plan: EnforcementPlan, outcome: Outcome) -> None:
    """Refuse a batch in which a row violates.

    Raises:
        ValueError: names the first violation of the first such row.
    """
    if outcome.found:
        raise ValueError(ROW_ERROR + str(min(row_violations(plan, outcome).items())[1][0]))


def _tally_batch(tally: Tally) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([tally.dumps()], pa.string())], schema=TALLY)


class Summarise(NamedTuple):
    """Tally the rows of a partition.

    Args:
        plan: what the rows are held to.
        fields: the fields to check.
        inputs: the names under which the fields' columns come in, and their own.
        keys: names under which the columns of the row key come in.
        details: name of a column of violations that Catalyst found in the same rows; None where
            there is none.
    """

    plan: EnforcementPlan
    fields: tuple[FieldPlan, ...]
    inputs: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]
    details: str | None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = Tally.empty(self.plan.policy.examples)
        for batch in batches:
            if not batch.num_rows:
                continue
            checked = as_source(batch, self.inputs)
            outcome = run_batch(
                self.plan, checked, columns=False, fields=self.fields, rows=batch.num_rows
            )
            if self.details is not None:
                outcome = merge_found(outcome, batch.column(self.details))
            total += summarise(self.plan, outcome, [batch.column(key) for key in self.keys])
        if total.rows:
            yield _tally_batch(total)


class SummariseDetails(NamedTuple):
    """Tally groups of rows that Catalyst found alike: columns ``detail`` and ``count``."""

    limit: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = Tally.empty(self.limit)
        for batch in batches:
            if batch.num_rows:
                total += summarise_details(
                    self.limit, batch.column("detail"), batch.column("count")
                )
        if total.rows:
            yield _tally_batch(total)


class Merge(NamedTuple):
    """Add up tallies."""

    limit: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        texts = (text for batch in batches for text in batch.column("tally").to_pylist())
        yield _tally_batch(Tally.total(map(Tally.loads, texts), self.limit))


class Enforce(NamedTuple):
    """Give back the rows of a partition as the plan wants them.

    Args:
        plan: what the rows are held to; its policy says what becomes of a row that violates.
        inputs: the names under which the source's columns come in, and their own.
        output: what goes out, one constant schema for every batch.
    """

    plan: EnforcementPlan
    inputs: tuple[tuple[str, str], ...]
    output: pa.Schema

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            source = as_source(batch, self.inputs)
            outcome = run_batch(self.plan, source, rows=batch.num_rows)
            yield self._finish(source, outcome, batch.num_rows)

    def _finish(self, source: pa.RecordBatch, outcome: Outcome, rows: int) -> pa.RecordBatch:
        mode = self.plan.policy.on_violation
        if mode == "raise":
            refuse_found(self.plan, outcome)
            return self._batch(outcome.columns, rows)
        if mode == "drop":
            batch = self._batch(outcome.columns, rows)
            if not outcome.found:
                return batch
            return batch.filter(pa.array(conforming(outcome)))
        lists, untouched = (self.output.field(place).type for place in (-2, -1))
        tags = (
            violation_lists(row_violations(self.plan, outcome), rows, lists),
            originals(self.plan, source, conforming(outcome), untouched),
        )
        return self._batch((*outcome.columns, *tags), rows)

    def _batch(self, columns: tuple[pa.Array, ...], rows: int) -> pa.RecordBatch:
        if not len(self.output):
            # A batch without columns would lose its rows.
            return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
        arrays = [as_declared(c, self.output.field(i).type) for i, c in enumerate(columns)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.output)
