"""Footers of Parquet files, read in Spark's Python workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.delta.columns import Column, Kind, find_column
from spark_sig.kernels.footers import FOOTER, URI, ReadFooters, Wanted
from spark_sig.stats import Claim, Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Files whose footers one task reads.
_A_TASK = 16


def wanted_leaves(
    source: pa.Schema, columns: Mapping[str, Column], checks: Sequence[Sequence[Claim]]
) -> tuple[Wanted, ...]:
    """Return what footers have to be asked for claims: columns, and members of structs.

    Args:
        source: the columns of the source.
        columns: the same, as files and statistics name them.
        checks: for each check its claims.
    """
    found: dict[Place, Wanted] = {}
    for claim in (claim for claims in checks for claim in claims if not claim.no_nan):
        struct = claim.place[:-1] if find_column(columns, claim.place).type else claim.place
        for place in {claim.place, struct} - {()}:
            field = source.field(place[0])
            for leaf in _leaves(field, find_column(columns, place[:1]), place[1:]):
                found.setdefault(leaf.path, leaf)
    return tuple(found.values())


def _leaves(field: pa.Field, column: Column, below: Place) -> Iterator[Wanted]:
    """Yield the leaves at a place below a column, or all below it where that is a struct."""
    match column.kind:
        case Kind.STRUCT:
            if not pat.is_struct(field.type):
                return
            for name in below[:1] or column.members:
                index = field.type.get_field_index(name)
                if index >= 0:
                    inner = field.type.field(index)
                    for leaf in _leaves(inner, column.members[name], below[1:]):
                        yield leaf._replace(path=(column.name, *leaf.path))
        case Kind.COUNTED | Kind.BOUNDED:
            yield Wanted((column.name,), field.type)
        case Kind.PARTITION | Kind.UNTOLD:
            return


def without_folders(columns: Mapping[str, Column], uris: Sequence[str]) -> dict[str, Column]:
    """Return the columns, those that folders may name (``p=1``) as ones that files say nothing of.

    Spark takes the folder's value, also where the files have a column of that name.
    """
    folders = {part for uri in uris for part in uri.split("/")[:-1] if "=" in part}
    # Spark escapes a name in the folder, and the folder in the URI; other writers only once.
    once = {unquote(folder.split("=")[0]) for folder in folders}
    named = {name.casefold() for name in once | set(map(unquote, once))}
    return {
        name: replace(column, kind=Kind.UNTOLD) if name.casefold() in named else column
        for name, column in columns.items()
    }


def listed_files(df: DataFrame, uris: Sequence[str]) -> DataFrame:
    """List the files that a DataFrame reads, in the columns that judging them needs."""
    rows = [(uri,) for uri in uris]
    return df.sparkSession.createDataFrame(rows, "path string").selectExpr(
        "path",
        "CAST(NULL AS map<string, string>) AS partitionValues",
        "CAST(NULL AS struct<cardinality: bigint>) AS deletionVector",
    )


def footers_of(files: DataFrame, wanted: Sequence[Wanted], root: str, number: int) -> DataFrame:
    """Read the footers of files; what they prove comes beside, as statistics of Delta's form.

    Args:
        files: the files; their ``path`` is a URI, or relative to the root.
        wanted: what is asked of them.
        root: URI of the table; empty where paths are whole.
        number: about how many files there are.
    """
    from pyspark.sql import functions as F

    path = F.col("path")
    whole = F.when(path.rlike("^([A-Za-z][A-Za-z0-9+.-]*:|/)"), path)
    uri = whole.otherwise(F.concat(F.lit(root.rstrip("/") + "/"), path)) if root else path
    given = files.withColumn(URI, uri)
    schema = f"{_ddl(given)}, {FOOTER} string"
    tasks = max(1, min(number // _A_TASK, 1_000))
    return given.repartition(tasks).mapInArrow(ReadFooters(tuple(wanted)).__call__, schema)


def _ddl(df: DataFrame) -> str:
    return ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in df.schema.fields)
