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
from spark_sig.kernels.layout import normalise
from spark_sig.kernels.summary import summarise, summarise_details
from spark_sig.naming import member_path
from spark_sig.plan import EnforcementPlan, FieldPlan
from spark_sig.tally import Tally

# The one column in which tallies travel.
TALLY = pa.schema([("tally", pa.string())])


def as_declared(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    """Return an array under the type that was declared for it.

    The two differ in names of list items, nullable flags and time zones only, so that no value
    changes.
    """
    return array if array.type.equals(dtype) else array.cast(dtype)


def _as_source(batch: pa.RecordBatch, inputs: tuple[tuple[str, str], ...]) -> pa.RecordBatch:
    """Return the columns of a batch that ``inputs`` lists, under the names of the source."""
    columns = [batch.column(alias) for alias, _ in inputs]
    return pa.RecordBatch.from_arrays(columns, [name for _, name in inputs])


def _conforming(outcome: Outcome, rows: int) -> pa.Array:
    """Return for each row whether nothing in it violates."""
    keep = np.ones(rows, dtype=bool)
    keep[outcome.violating()] = False
    return pa.array(keep)


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
            checked = _as_source(batch, self.inputs)
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
            source = _as_source(batch, self.inputs)
            outcome = run_batch(self.plan, source, rows=batch.num_rows)
            yield self._finish(source, outcome, batch.num_rows)

    def _finish(self, source: pa.RecordBatch, outcome: Outcome, rows: int) -> pa.RecordBatch:
        mode = self.plan.policy.on_violation
        if mode == "raise":
            if outcome.found:
                first = min(row_violations(self.plan, outcome).items())[1][0]
                raise ValueError(ROW_ERROR + str(first))
            return self._batch(outcome.columns, rows)
        if mode == "drop":
            batch = self._batch(outcome.columns, rows)
            if not outcome.found:
                return batch
            return batch.filter(_conforming(outcome, rows))
        return self._batch((*outcome.columns, *self._tags(source, outcome, rows)), rows)

    def _tags(
        self, source: pa.RecordBatch, outcome: Outcome, rows: int
    ) -> tuple[pa.Array, pa.Array]:
        """Build ``_violations`` and ``_original``."""
        violations, original = self.output.field(-2).type, self.output.field(-1).type
        tagged = row_violations(self.plan, outcome)
        counts = np.zeros(rows, dtype=np.int32)
        counts[list(tagged)] = [len(found) for found in tagged.values()]
        offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
        # Values in the order of the struct's members; ``value`` is there only where it is shown.
        entries = [
            (v.path, v.code.value, v.expected, v.observed, v.value)
            for found in tagged.values()
            for v in found
        ]
        struct = violations.value_type
        members = [
            pa.array([entry[i] for entry in entries], pa.string()) for i in range(struct.num_fields)
        ]
        inside = pa.StructArray.from_arrays(
            members, fields=[struct.field(i) for i in range(struct.num_fields)]
        )
        lists = pa.ListArray.from_arrays(pa.array(offsets), inside)
        whole = pa.StructArray.from_arrays(
            [
                as_declared(self._planned(column, i), original.field(i).type)
                for i, column in enumerate(source.columns)
            ],
            fields=[original.field(i) for i in range(original.num_fields)],
            mask=_conforming(outcome, rows),
        )
        return lists, whole

    def _planned(self, column: pa.Array, place: int) -> pa.Array:
        """Return a source's column in the layout that it was planned for."""
        planned = self.plan.source.field(place)
        return normalise(column, planned.type, member_path("$", planned.name))

    def _batch(self, columns: tuple[pa.Array, ...], rows: int) -> pa.RecordBatch:
        if not len(self.output):
            # A batch without columns would lose its rows.
            return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
        arrays = [as_declared(c, self.output.field(i).type) for i, c in enumerate(columns)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.output)
