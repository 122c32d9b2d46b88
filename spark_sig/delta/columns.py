"""Columns of a Delta table, as its log names them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from spark_sig.errors import SignatureError
from spark_sig.stats import Place

_PHYSICAL_NAME = "delta.columnMapping.physicalName"

# A name that Delta makes for a column of a table that has its columns mapped (PROTOCOL, section
# Column Mapping); older columns of such a table keep theirs.
_MADE = re.compile(r"col-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What Arrow, Parquet and their libraries call the elements of arrays, and the keys and values of
# maps, where nobody calls them anything else.
_INSIDE = frozenset(
    [
        *("item", "element", "array", "array_element", "list", "bag", "l"),
        *("key", "value", "keys", "values", "key_value", "entries"),
    ]
)

# A type as the schema's JSON has it, and SQL too.
_ATOMIC = re.compile(r"\w+(\(\d+,\d+\))?")

# Types of which '' becomes NULL where a table is partitioned by them (Column.emptied).
EMPTIED = ("string", "binary")


class Kind(Enum):
    """What the statistics of a file may say of a place."""

    COUNTED = "counted"
    # Arrays, maps: a count of 0 is proof, but writers that take it from Parquet's footer count
    # NULL elements and empty lists too.
    BOUNDED = "bounded"
    PARTITION = "partition"
    STRUCT = "struct"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Column:
    """A column or a member of a struct.

    Args:
        name: its name in the log's statistics.
        kind: what they may say of it.
        type: an atomic type as the schema's JSON has it; empty for others.
        members: those of a struct, by their logical names.
        declared: the column's entry in the schema, nested names, ids and types included.
    """

    name: str
    kind: Kind
    type: str = ""
    members: dict[str, Column] = field(default_factory=dict)
    declared: str = ""

    @property
    def emptied(self) -> bool:
        """Whether '' becomes NULL where the table is partitioned by it.

        That comes after rows were held to NOT NULL and to constraints: of binary values at any
        time, of text where the writer's session has it so
        (``spark.databricks.delta.convertEmptyToNullForStringPartitionCol``, by default before).
        """
        return self.kind is Kind.PARTITION and self.type in EMPTIED


def mapping_mode(metadata: Mapping[str, Any]) -> str:
    """Return how columns are mapped to names in files: ``none``, ``name`` or ``id``."""
    # Delta keeps the property as it was spelt, in any case.
    return str(metadata["configuration"].get("delta.columnMapping.mode", "none")).lower()


def has_vectors(metadata: Mapping[str, Any]) -> bool:
    """Say whether files may have deletion vectors, as far as the table's properties tell."""
    return "delta.enableDeletionVectors" in metadata["configuration"]


def table_columns(metadata: Mapping[str, Any]) -> dict[str, Column]:
    """Return the columns of a table by their logical names.

    Args:
        metadata: the action ``metaData`` of its log (PROTOCOL, section Change Metadata).
    """
    mapped = mapping_mode(metadata) != "none"
    found = _members(json.loads(metadata["schemaString"]), mapped)
    partitions = set(metadata["partitionColumns"])
    for name, column in found.items():
        if name in partitions:
            kind = Kind.PARTITION if _ATOMIC.fullmatch(column.type) else Kind.UNTOLD
            found[name] = replace(column, kind=kind)
    return found


def shared_names(columns: Mapping[str, Column], metadata: Mapping[str, Any]) -> frozenset[str]:
    """Return the columns whose entries in statistics may be said of something else.

    delta-rs (0.22 to 1.1) files what it counts inside arrays and maps under the bare names of their
    elements, keys and values, over those of columns that bear the name.  These may be any where
    there is an array, or, as columns are mapped, there may have been one that was dropped.  Where
    there is none, delta-rs may have dropped one all the same: it replaces rows and columns, and
    keeps files; no commit that is sure to be there says so, and columns that are called as elements
    are by default are taken for them.  Of such columns only statistics of Spark's are believed.

    Args:
        columns: the table's columns.
        metadata: the action ``metaData`` of its log.
    """
    mapped = mapping_mode(metadata) != "none"
    repeated = any(
        f'"type": "{kind}"' in column.declared
        for kind in ("array", "map")
        for column in columns.values()
    )
    told = {n: column.name for n, column in columns.items() if column.kind is not Kind.PARTITION}
    if not mapped and not repeated:
        return frozenset(told.keys() & _INSIDE)
    return frozenset(name for name, stored in told.items() if not _MADE.fullmatch(stored))


def schema_columns(schema: str) -> dict[str, Column]:
    """Return the columns of files that no log describes, from the JSON of their schema."""
    return table_columns({"configuration": {}, "schemaString": schema, "partitionColumns": []})


def _members(struct: Mapping[str, Any], mapped: bool) -> dict[str, Column]:
    return {member["name"]: _column(member, mapped) for member in struct["fields"]}


def stored_name(member: Mapping[str, Any]) -> str:
    """Return what files call a column or a member that may be mapped, given its entry."""
    return str((member.get("metadata") or {}).get(_PHYSICAL_NAME, member["name"]))


def _column(member: Mapping[str, Any], mapped: bool) -> Column:
    name, declared = member["name"], json.dumps(member, sort_keys=True)
    if mapped:
        name = stored_name(member)
    kind = member["type"]
    if isinstance(kind, str):
        found = Kind.UNTOLD if kind == "void" else Kind.COUNTED
        return Column(name, found, kind, declared=declared)
    if kind["type"] == "struct":
        return Column(name, Kind.STRUCT, members=_members(kind, mapped), declared=declared)
    return Column(name, Kind.BOUNDED, declared=declared)


def find_column(columns: Mapping[str, Column], place: Place) -> Column:
    """Return the column, or the member of a struct, at a place.

    Raises:
        SignatureError: where there is none.
    """
    found, members = None, columns
    for name in place:
        found = members.get(name)
        members = found.members if found else {}
    if found is None:
        raise SignatureError(
            "the table has no such column or member of a struct", observed=".".join(place)
        )
    return found


def types_of(columns: Mapping[str, Column], above: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield every column and member of a struct, and its type as the schema's JSON has it.

    What is nested goes by the name of its kind.
    """
    for name, column in columns.items():
        yield (*above, name), column.type or column.kind.value
        yield from types_of(column.members, (*above, name))
