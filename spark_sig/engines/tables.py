"""Arrow tables held to a schema: Arrow in, Arrow out."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.engines.columns import prepare, row_count_violation, violations_of
from spark_sig.errors import ViolationError
from spark_sig.kernels.batch import run_batch
from spark_sig.plan import is_identity
from spark_sig.policy import Policy
from spark_sig.schema import Schema


def enforce_table(table: pa.Table, schema: Schema, policy: Policy) -> pa.Table:
    """Hold a table to a schema.

    Columns that need no change are those of the table that came in, chunk by chunk.

    Raises:
        ViolationError: lists every violation.

    Example:
        >>> from spark_sig.schema import ColSpec
        >>> given = pa.table({"a": pa.array([1, 2], pa.int32())})
        >>> enforce_table(given, Schema([ColSpec("long", "a")]), Policy()).schema.field("a").type
        DataType(int64)
    """
    given, table = table, _stored(table)
    prepared = prepare(table.schema, schema, policy)
    plan = prepared.plan
    work = [plan.fields[place] for place in prepared.work]
    batches = table.to_batches() if work else []
    outcomes = [run_batch(plan, batch, fields=work) for batch in batches]
    found = [*plan.findings, *violations_of(plan, (outcome.found for outcome in outcomes))]
    if plan.row_count is not None and table.num_rows != plan.row_count:
        found.append(row_count_violation(plan.row_count, table.num_rows))
    if found:
        raise ViolationError(found)
    made: dict[str, pa.ChunkedArray] = {}
    order = {place: index for index, place in enumerate(prepared.work)}
    for place, field in enumerate(plan.fields):
        if field.source is not None and is_identity(field.node):
            made[field.name] = given.column(field.source)
        else:
            chunks = [outcome.columns[order[place]] for outcome in outcomes]
            made[field.name] = pa.chunked_array(chunks, field.node.output)
    return pa.table(made) if made else table.select([])


def stored_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema with extension types, at every level, as what they are stored as."""
    return pa.schema([field.with_type(_storage(field.type)) for field in schema])


def _stored(table: pa.Table) -> pa.Table:
    """Return a table with extension types, at every level, as what they are stored as."""
    for place, field in enumerate(table.schema):
        if (dtype := _storage(field.type)) != field.type:
            column = table.column(place).cast(dtype)
            table = table.set_column(place, field.with_type(dtype), column)
    return table


def _storage(dtype: pa.DataType) -> pa.DataType:
    if isinstance(dtype, pa.BaseExtensionType):
        return _storage(dtype.storage_type)
    if pat.is_struct(dtype):
        fields = [dtype.field(i) for i in range(dtype.num_fields)]
        return pa.struct([f.with_type(_storage(f.type)) for f in fields])
    if pat.is_list(dtype):
        return pa.list_(dtype.value_field.with_type(_storage(dtype.value_type)))
    if pat.is_large_list(dtype):
        return pa.large_list(dtype.value_field.with_type(_storage(dtype.value_type)))
    return dtype


def enforce_array(array: pa.Array | pa.ChunkedArray, schema: Schema, policy: Policy) -> Any:
    """Hold one Arrow array to a schema of one unnamed column or tensor."""
    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    out = enforce_table(pa.table([chunked], names=["$"]), schema, policy).column(0)
    return out if isinstance(array, pa.ChunkedArray) else out.combine_chunks()
