"""What one engine makes of a frame, in a form in which two engines can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.engines.stage import declared
from spark_sig.errors import SignatureError, Violation, ViolationError
from spark_sig.gate import validate
from spark_sig.policy import OnViolation, Policy
from spark_sig.report import Report
from spark_sig.rows import enforce_signature
from spark_sig.schema import Schema
from spark_sig.signature import ModelSignature
from tests.conftest import spark_version

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from spark_sig.planner import Engine

# Arrow's types of fixed width whose values Python would change: NaN and -0.0 lose their bits,
# instants their range.
_BITS = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_ROW_ERROR = "a row does not fit the signature: "


def exact(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return values as Python objects that are equal where all bits are."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in exact(chunk)]
    dtype = array.type
    valid = array.is_valid().to_pylist()
    if pat.is_floating(dtype) or pat.is_temporal(dtype):
        bits = array.view(_BITS[dtype.bit_width]).to_pylist()
        return [None if b is None else (str(dtype), b) for b in bits]
    if isinstance(array, pa.ExtensionArray):
        return exact(array.storage)
    if pat.is_struct(dtype):
        names = [dtype.field(i).name for i in range(dtype.num_fields)]
        members = [exact(array.field(i)) for i in range(dtype.num_fields)]
        rows = [tuple(zip(names, row, strict=True)) for row in zip(*members, strict=True)]
        rows = rows if members else [()] * len(array)
        return [row if ok else None for row, ok in zip(rows, valid, strict=True)]
    if pat.is_map(dtype) or pat.is_list(dtype) or pat.is_large_list(dtype):
        if pat.is_map(dtype):
            inside = list(zip(exact(array.keys), exact(array.items), strict=True))
        else:
            inside = exact(array.values)
        ends = array.offsets.to_pylist()
        parts = [tuple(inside[a:b]) for a, b in pairwise(ends)]
        return [part if ok else None for part, ok in zip(parts, valid, strict=True)]
    return list(array.to_pylist())


def collected(df: DataFrame) -> pa.Table:
    """Collect a frame, whatever its flags claim."""
    # toArrow() fails on NULL structs whose members are flagged as never NULL, as all vectors are.
    collect: Any = df._collect_as_arrow
    if spark_version() >= (4, 0):
        return pa.Table.from_batches(collect(empty_list_if_zero_records=False))
    batches = collect()
    return pa.Table.from_batches(batches, None if batches else declared(df.schema))


def exact_rows(df: DataFrame) -> list[str]:
    """Collect a frame: every row as text that keeps all bits, sorted."""
    table = collected(df)
    columns = [exact(column) for column in table.columns]
    if not columns:
        return ["()"] * df.count()
    names = table.column_names
    return sorted(repr(tuple(zip(names, row, strict=True))) for row in zip(*columns, strict=True))


@dataclass(frozen=True)
class Refused:
    """A policy, a signature or names that mean nothing to an engine."""

    message: str


def verdict(
    df: DataFrame, schema: Schema, policy: Policy, engine: Engine, row_key: Sequence[str] = ()
) -> Report | Refused:
    """Return an engine's report."""
    try:
        return validate(
            df, ModelSignature(inputs=schema), policy=policy, engine=engine, row_key=row_key
        )
    except SignatureError as error:
        return Refused(str(error))


def rows(
    df: DataFrame, schema: Schema, policy: Policy, mode: OnViolation, engine: Engine
) -> list[str] | tuple[Violation, ...] | Refused:
    """Return the rows that come out of row mode, or the violations that it raises.

    An error in an action comes back as the text of the one violation that it names.
    """
    policy = replace(policy, on_violation=mode)
    enforce = enforce_signature(ModelSignature(inputs=schema), policy=policy, engine=engine)
    try:
        out = enforce(df)
    except ViolationError as error:
        return error.violations
    except SignatureError as error:
        return Refused(str(error))
    try:
        return exact_rows(out)
    except Exception as error:
        text = str(error)
        if mode != "raise" or _ROW_ERROR not in text:
            raise
        return [text.split(_ROW_ERROR)[1].splitlines()[0]]
