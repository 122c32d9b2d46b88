"""Examples drawn from tables: some rows, the same ones for the same version of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pat

from spark_sig.compile.spark import source_schema, spark_type
from spark_sig.engines.local import enforce_values
from spark_sig.errors import SignatureError
from spark_sig.example import InputExample
from spark_sig.gate.scan import explained
from spark_sig.infer.decimals import has_decimals, without_decimals
from spark_sig.inference import Inference
from spark_sig.naming import VECTOR
from spark_sig.naming import spark_type as spark_name
from spark_sig.policy import Policy
from spark_sig.schema import Schema, TensorSpec
from spark_sig.sources import resolve
from spark_sig.types import AnyType

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from spark_sig.sources import Data

# Rows as text that tells any two of them apart, whatever the session's settings are.
_EXACT = (
    "map('ignoreNullFields', 'false', 'timeZone', 'UTC', "
    "'timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSSXXX', "
    "'timestampNTZFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS')"
)


def draw_example(
    data: Data,
    inference: Inference,
    rows: int,
    *,
    params: Mapping[str, Any] | None = None,
    spark: SparkSession | None = None,
) -> InputExample:
    """Draw an input example from the source that a signature was inferred from.

    The rows depend on what the inputs hold in the version that was read, on nothing else: not on
    files, partitions or their order.  Values are of the types that the signature says, decimals
    become what they were taken for; columns of any type stay out.

    Args:
        data: what the inference was made from.
        inference: what it found; its version is the one that is read.
        rows: how many rows to draw; fewer come where there are no more.
        params: the params beside the data.
        spark: the session; the active one where None.

    Raises:
        SignatureError: where there are no inputs or no rows, or JSON cannot say what is drawn;
            ViolationError where the example does not fit the signature.
        SourceError: where the source cannot be read.
    """
    inputs = _said(inference.signature.inputs)
    source = resolve(data, version=inference.source.version, spark=spark)
    try:
        drawn = _collected(_first(_columns(source.frame, inputs), rows))
    except Exception as error:
        raise explained(error) from error
    if not drawn.num_rows:
        raise SignatureError(
            "there are no rows to draw an example from",
            path=str(inference.source),
            remedy="do without an example",
        )
    drawn = drawn.rename_columns([spec.name or "" for spec in inputs])
    example = InputExample(
        _arrays(drawn, inputs) if inputs.is_tensor else _frame(drawn, inputs), params or None
    )
    example.check(inference.signature)
    return example


def _said(inputs: Schema | None) -> Schema:
    """Return the inputs that a signature says something of."""
    known = [spec for spec in inputs or () if not isinstance(spec.type, AnyType)]
    if not known:
        raise SignatureError(
            "there are no inputs to draw an example of",
            path="$.inputs",
            observed="no column, or columns of any type only",
        )
    return Schema(known)


# --- rows -----------------------------------------------------------------------------------------


def _columns(frame: DataFrame, inputs: Schema) -> DataFrame:
    """Return the columns of the inputs, numbered, of types that Arrow and a signature have."""
    given = source_schema(frame.schema)
    places = [given.names.index(spec.name or "") for spec in inputs]
    numbered = frame.toDF(*(f"c{i}" for i in range(len(given))))
    return numbered.select(*(_plain(f"c{i}", given.field(i)) for i in places))


def _plain(column: str, field: pa.Field) -> Any:
    from pyspark.sql import functions as F

    if spark_name(field) == VECTOR:
        from pyspark.ml.functions import vector_to_array

        return vector_to_array(F.col(column)).alias(column)
    if spark_name(field) is None and has_decimals(field.type):
        return F.col(column).cast(spark_type(without_decimals(field, "double"))).alias(column)
    return F.col(column)


def _first(frame: DataFrame, rows: int) -> DataFrame:
    """Return the first rows in the order of their hashes; those that are equal by all they hold."""
    from pyspark.sql import functions as F

    hashed = [
        f"to_json(struct({field.name}), {_EXACT})"
        if "map<" in field.dataType.simpleString()  # which xxhash64 does not take
        else field.name
        for field in frame.schema
    ]
    # The text is made only where two hashes are equal.
    whole = f"to_json(struct({', '.join(frame.columns)}), {_EXACT})"
    return frame.orderBy(F.expr(f"xxhash64({', '.join(hashed)})"), F.expr(whole)).limit(rows)


def _collected(frame: DataFrame) -> pa.Table:
    if hasattr(frame, "toArrow"):  # since Spark 4
        return frame.toArrow()
    older: Any = frame
    batches = older._collect_as_arrow()
    if not batches:
        return pa.table({name: [] for name in frame.columns})
    return pa.Table.from_batches(batches)


# --- values ---------------------------------------------------------------------------------------


def _arrays(drawn: pa.Table, inputs: Schema) -> dict[str, Any]:
    return {
        spec.name or "": np.array(drawn.column(i).to_pylist(), dtype=spec.type)
        for i, spec in enumerate(inputs)
        if isinstance(spec, TensorSpec)
    }


def _frame(drawn: pa.Table, inputs: Schema) -> pd.DataFrame:
    """Return rows as pandas holds them without changing any."""
    fitting = enforce_values(drawn, inputs, Policy())
    return pd.DataFrame(
        {name: _series(fitting.column(name).combine_chunks()) for name in fitting.column_names}
    )


def _series(array: pa.Array) -> pd.Series[Any]:
    if not pat.is_nested(array.type):
        # NumPy would make floats of integers, and NaN of nulls.
        return pd.Series(pd.arrays.ArrowExtensionArray(array))
    cells = np.empty(len(array), object)
    for place, cell in enumerate(_cells(array)):
        cells[place] = cell
    return pd.Series(cells, dtype=object)


def _cells(array: pa.Array) -> list[Any]:
    """Return Python values; numbers that Python's own are too wide for as NumPy's."""
    dtype = array.type
    if pat.is_int32(dtype) or pat.is_float32(dtype):
        narrow = np.dtype(dtype.to_pandas_dtype()).type
        return [None if value is None else narrow(value) for value in array.to_pylist()]
    if pat.is_map(dtype):
        keys, values = array.keys.to_pylist(), _cells(array.items)
        return _gathered(array, lambda i, j: dict(zip(keys[i:j], values[i:j], strict=True)))
    if pat.is_list(dtype) or pat.is_large_list(dtype):
        items = _cells(array.values)
        return _gathered(array, lambda i, j: items[i:j])
    if pat.is_struct(dtype):
        names = [dtype.field(i).name for i in range(dtype.num_fields)]
        members = [_cells(array.field(i)) for i in range(dtype.num_fields)]
        rows = zip(*members, strict=True)
        return [
            dict(zip(names, row, strict=True)) if there.as_py() else None
            for row, there in zip(rows, array.is_valid(), strict=True)
        ]
    return list(array.to_pylist())


def _gathered(array: pa.Array, cell: Callable[[int, int], Any]) -> list[Any]:
    """Return the cells of an array of lists, each made from the bounds of its elements."""
    bounds = array.offsets.to_pylist()
    return [
        cell(bounds[i], bounds[i + 1]) if there.as_py() else None
        for i, there in enumerate(array.is_valid())
    ]
