"""Scans: what one pass over some columns of a DataFrame observes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.engines.expressions import member_sql
from spark_sig.kernels.observe import OBSERVED, MergeObserved, Observe, observe_arrow
from spark_sig.naming import is_list, spark_type
from spark_sig.observed import Observed, Records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_DDL = f"{OBSERVED.names[0]} string"

# Counts that one aggregate of Spark makes; with more its code is too long to be compiled, and
# Python counts faster (FACTS, "What a row costs").
MOST_COUNTS = 64


class Place(NamedTuple):
    """A scalar, or a struct, that Spark itself can count the NULLs of.

    Args:
        path: the names that lead to it.
        null: SQL that says whether it is NULL while what is around it is not.
    """

    path: tuple[str, ...]
    null: str


def places(field: pa.Field, column: str) -> list[Place] | None:
    """Return all places of a column; None where only Python can look into it.

    Args:
        field: the column.
        column: SQL that refers to it.

    Example:
        >>> places(pa.field("a", pa.struct([("b", pa.int64())])), "c0")[1].null
        "c0 IS NOT NULL AND c0['b'] IS NULL"
    """
    if any(_is_deep(f) for f in _fields(field)):
        return None
    return list(_places(field, column, (field.name,), ""))


def _places(field: pa.Field, sql: str, path: tuple[str, ...], outer: str) -> Iterator[Place]:
    yield Place(path, f"{outer}{sql} IS NULL")
    if spark_type(field) is None and pat.is_struct(field.type):
        for i in range(field.type.num_fields):
            inner = field.type.field(i)
            below = member_sql(sql, inner.name)
            yield from _places(inner, below, (*path, inner.name), f"{sql} IS NOT NULL AND ")


def _fields(field: pa.Field) -> Iterator[pa.Field]:
    yield field
    for i in range(field.type.num_fields):
        yield from _fields(field.type.field(i))


def _is_deep(field: pa.Field) -> bool:
    """Say whether a field holds elements, or a vector, that Spark would have to loop over."""
    vector = spark_type(field) is not None and not pat.is_null(field.type)
    return vector or is_list(field.type) or pat.is_map(field.type)


class Scan(NamedTuple):
    """What was read.

    Args:
        rows: rows seen.
        nulls: NULLs by place.
        columns: what was observed of the columns that Python looked into, by name.
    """

    rows: int
    nulls: dict[tuple[str, ...], int]
    columns: dict[str, Observed]


def scan(df: DataFrame, counted: Sequence[Place], shipped: Sequence[tuple[str, pa.Field]]) -> Scan:
    """Read some columns of a DataFrame in one query.

    Args:
        df: the rows, their columns numbered (``engines.catalyst.numbered``).
        counted: places whose NULLs are counted.
        shipped: columns that Python looks into: their numbered names, and what they are.
    """
    if not shipped and len(counted) <= MOST_COUNTS:
        row = df.selectExpr("count(*)", *(f"count_if({place.null})" for place in counted))
        counts = row.collect()[0]
        nulls = {p.path: int(n) for p, n in zip(counted, counts[1:], strict=True)}
        return Scan(int(counts[0]), nulls, {})
    flags = [f"IF({place.null}, NULL, true) AS n{i}" for i, place in enumerate(counted)]
    columns = [f"{column} AS s{i}" for i, (column, _) in enumerate(shipped)]
    source = pa.schema(
        [
            *(pa.field(f"n{i}", pa.bool_()) for i in range(len(flags))),
            *(field.with_name(f"s{i}") for i, (_, field) in enumerate(shipped)),
        ]
    )
    partials = df.selectExpr(*flags, *columns).mapInArrow(Observe(source).__call__, _DDL)
    # One row comes back, however many partitions there are.
    rows = partials.repartition(1).mapInArrow(MergeObserved().__call__, _DDL).collect()
    # Adaptive execution may drop the whole stage where the input turns out empty.
    seen = Observed.total(Observed.loads(row[0]) for row in rows)
    found = {} if seen.records is None else dict(seen.records.members)
    return Scan(
        seen.rows,
        {p.path: found[f"n{i}"].nulls if found else 0 for i, p in enumerate(counted)},
        {
            field.name: found.get(f"s{i}") or nothing_of(field)
            for i, (_, field) in enumerate(shipped)
        },
    )


def nothing_of(field: pa.Field) -> Observed:
    """Return what no rows of a column show: its type."""
    return observe_arrow(pa.array([], field.type), field)


def counted_of(field: pa.Field, scan: Scan) -> Observed:
    """Return what counts say of a column that Spark counted."""
    return _counted(field, (field.name,), scan.rows, scan.nulls)


def _counted(
    field: pa.Field, path: tuple[str, ...], rows: int, nulls: dict[tuple[str, ...], int]
) -> Observed:
    seen = nothing_of(field)._replace(rows=rows, nulls=nulls[path])
    held = rows - seen.nulls
    if seen.records is not None:
        members = {
            f.name: _counted(f, (*path, f.name), held, nulls)
            for f in (field.type.field(i) for i in range(field.type.num_fields))
        }
        return seen._replace(records=Records(held, members, typed=True))
    return seen._replace(kinds={kind: held for kind in seen.kinds})
