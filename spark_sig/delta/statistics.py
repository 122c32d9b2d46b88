"""Evidence about NULLs: what the log of a Delta table says of them, no data file opened.

The rules are those of Delta's PROTOCOL, sections Per-file Statistics, Deletion Vectors, Column
Mapping, and Partition Value Serialization, where writers are known to follow them; what they do
not prove stays unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from spark_sig.delta.log import (
    Snapshot,
    first_line,
    is_classic,
    list_files,
    open_snapshot,
    spark_errors,
)
from spark_sig.errors import SignatureError, SourceError, assert_never

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql import types as T

    Place = tuple[str, ...]

_PHYSICAL_NAME = "delta.columnMapping.physicalName"

# delta-rs (seen in 0.22 and 1.1) files the counts of the keys, values and elements of a map or
# an array under these names at the top, over those of a column that bears the name itself.
_NAMES_INSIDE = {"key", "keys", "value", "values", "key_value", "entries"} | {
    *("item", "element", "list", "array", "array_element", "bag")
}

# A type as the schema's JSON has it, and SQL too.
_ATOMIC = re.compile(r"\w+(\(\d+,\d+\))?")


class Nulls(Enum):
    """Whether the logical rows of a table hold NULL at a place."""

    NONE = "none"
    SOME = "some"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NullEvidence:
    """What the log says of NULLs at one place of a table's version.

    Args:
        nulls: NONE where no logical row has NULL there, SOME where at least one has; a member of
            a struct counts where the struct is present.
        rows: logical rows of the files that say how many they hold.
        files: number of data files.
        undecided: number of files that decide nothing about this place.
    """

    nulls: Nulls
    rows: int
    files: int
    undecided: int


def null_evidence(
    spark: SparkSession, snapshot: Snapshot, places: Sequence[Place]
) -> dict[Place, NullEvidence]:
    """Say of each place whether the rows of a snapshot hold NULL there, from the log alone.

    One query over the list of files; nothing but one row for each place comes back.

    Args:
        spark: the session; where it has no JVM (Spark Connect) nothing is known.
        snapshot: the version.
        places: columns and members of structs as tuples of names from the top, arrays and maps
            themselves among them, none inside of those.

    Raises:
        SignatureError: where the table has no such place.
        SourceError: where the log cannot be read, or is no longer that of the snapshot's table.
    """
    if not places:
        return {}
    if not is_classic(spark):
        files = snapshot.files or 0
        return {place: NullEvidence(Nulls.UNKNOWN, 0, files, files) for place in places}
    try:
        opened = open_snapshot(spark, snapshot)
        asked = _ask(_columns(json.loads(opened.metadata().json())["metaData"]), places)
        verdicts = _verdicts(spark, list_files(spark, opened), asked)
        found = {row["place"]: row for row in verdicts.collect()}
    except spark_errors() as error:
        raise SourceError(
            f"the log of the table {snapshot.path} cannot be read at version {snapshot.version}: "
            f"{first_line(error)}"
        ) from error
    return {
        place: _evidence(found[at]) if found else NullEvidence(Nulls.NONE, 0, 0, 0)
        for at, place in enumerate(asked.speakers)
    }


def not_null_places(schema: T.StructType) -> frozenset[Place]:
    """Return the places that the NOT NULL constraints of a Delta table cover.

    Delta checks them at every write, members of structs included; inside arrays and maps it
    checks nothing.

    Args:
        schema: the schema of a table read from Delta (:func:`~spark_sig.delta.log.read_version`);
            the flags of any other DataFrame constrain nothing.

    Example:
        >>> from pyspark.sql import types as T
        >>> inner = T.StructType([T.StructField("x", T.LongType(), nullable=False)])
        >>> not_null_places(T.StructType([T.StructField("s", inner)]))
        frozenset({('s', 'x')})
    """
    return frozenset(_not_null(schema, ()))


def _not_null(schema: T.StructType, above: Place) -> Iterator[Place]:
    from pyspark.sql.types import StructType

    for member in schema.fields:
        place = (*above, member.name)
        if not member.nullable:
            yield place
        if isinstance(member.dataType, StructType):
            yield from _not_null(member.dataType, place)


def _evidence(row: Any) -> NullEvidence:
    proven = Nulls.UNKNOWN if row["undecided"] else Nulls.NONE
    return NullEvidence(
        Nulls.SOME if row["some"] else proven,
        int(row["rows"] or 0),
        int(row["files"]),
        int(row["undecided"]),
    )


# --- the table's columns, as the log names them --------------------------------------------------


class _Kind(Enum):
    """What the statistics of a file may say of a place."""

    COUNTED = "counted"
    # Arrays, maps: a count of 0 is proof, but writers that take it from Parquet's footer count
    # NULL elements and empty lists too.
    BOUNDED = "bounded"
    PARTITION = "partition"
    STRUCT = "struct"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column or a member of a struct.

    Args:
        name: its name in the log's statistics.
        kind: what they may say of it.
        type: the type of a partition column, as the schema's JSON has it.
        members: those of a struct, by their logical names.
    """

    name: str
    kind: _Kind
    type: str = ""
    members: dict[str, _Column] = field(default_factory=dict)


def _columns(metadata: dict[str, Any]) -> dict[str, _Column]:
    mapped = metadata["configuration"].get("delta.columnMapping.mode", "none") != "none"
    found = _members(json.loads(metadata["schemaString"]), mapped)
    partitions = set(metadata["partitionColumns"])
    repeated = any(column.kind is _Kind.BOUNDED for column in found.values())
    for name, column in found.items():
        if name in partitions:
            kind = _Kind.PARTITION if _ATOMIC.fullmatch(column.type) else _Kind.UNTOLD
            found[name] = _Column(column.name, kind, column.type)
        elif repeated and column.name in _NAMES_INSIDE:
            found[name] = _Column(column.name, _Kind.UNTOLD)
    return found


def _members(struct: dict[str, Any], mapped: bool) -> dict[str, _Column]:
    return {member["name"]: _column(member, mapped) for member in struct["fields"]}


def _column(member: dict[str, Any], mapped: bool) -> _Column:
    name = member["name"]
    if mapped:
        name = member["metadata"].get(_PHYSICAL_NAME, name)
    kind = member["type"]
    if isinstance(kind, str):
        return _Column(name, _Kind.UNTOLD if kind == "void" else _Kind.COUNTED, kind)
    if kind["type"] == "struct":
        return _Column(name, _Kind.STRUCT, members=_members(kind, mapped))
    return _Column(name, _Kind.BOUNDED)


# --- what is asked of every file -----------------------------------------------------------------

# In place of a struct: the row itself, which is always there, and nothing that ever proves to be.
_ROW, _NOWHERE = -1, 0


@dataclass(slots=True)
class _Asked:
    """The places asked for, and what of a file's log entry speaks for them.

    Args:
        speakers: by place, the number of the count that speaks for it, -1 where none does; and
            the struct that has to be present: the one itself, or the one around a member, before
            a NULL there is the member's own.
        structs: structs whose presence is asked for, numbered from 1 on.
        tree: the leaves whose ``nullCount`` is read, by name in the log; structs are trees.
        counts: what counts NULLs, as SQL.
        spans: by struct, the first count below it and how many there are, all in a row.
        partitions: names of the partition columns among the counts, as the log has them.
    """

    speakers: dict[Place, tuple[int, int]]
    structs: dict[Place, int] = field(default_factory=dict)
    tree: dict[str, Any] = field(default_factory=dict)
    counts: list[str] = field(default_factory=list)
    spans: dict[Place, tuple[int, int]] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)

    def count(self, sql: str, place: Place, around: int) -> None:
        if place in self.speakers:
            self.speakers[place] = len(self.counts), around
        self.counts.append(sql)


def _ask(columns: dict[str, _Column], places: Sequence[Place]) -> _Asked:
    asked = _Asked(dict.fromkeys(places, (-1, _NOWHERE)))
    for place in asked.speakers:
        struct = place if _find(columns, place).kind is _Kind.STRUCT else place[:-1]
        if struct:
            asked.structs.setdefault(struct, len(asked.structs) + 1)
    _gather(asked, columns, (), asked.tree, "s.counts", whole=False)
    return asked


def _find(columns: dict[str, _Column], place: Place) -> _Column:
    found, members = None, columns
    for name in place:
        found = members.get(name)
        members = found.members if found else {}
    if found is None:
        raise SignatureError(
            "the table has no such column or member of a struct", observed=".".join(place)
        )
    return found


def _gather(
    asked: _Asked,
    columns: dict[str, _Column],
    above: Place,
    tree: dict[str, Any],
    path: str,
    *,
    whole: bool,
) -> None:
    """Take the leaves that are asked for, and all of a struct whose presence is."""
    around = asked.structs.get(above, _ROW)
    for name, column in columns.items():
        place, at = (*above, name), f"{path}.c{len(tree)}"
        wanted = whole or place in asked.speakers
        match column.kind:
            case _Kind.STRUCT:
                _gather_struct(asked, column, place, tree, at, whole=whole)
            case _Kind.COUNTED | _Kind.BOUNDED:
                if wanted:
                    tree[column.name] = None
                    asked.count(at, place, around if column.kind is _Kind.COUNTED else _NOWHERE)
            case _Kind.PARTITION:
                if wanted:
                    sql = _PARTITION.format(at=len(asked.partitions), type=column.type)
                    asked.partitions.append(column.name)
                    asked.count(sql, place, _ROW)
            case _Kind.UNTOLD:
                pass
            case _:
                assert_never(column.kind)


def _gather_struct(
    asked: _Asked, column: _Column, place: Place, tree: dict[str, Any], at: str, *, whole: bool
) -> None:
    first, inner = len(asked.counts), dict[str, Any]()
    whole = whole or place in asked.structs
    _gather(asked, column.members, place, inner, at, whole=whole)
    if inner:
        tree[column.name] = inner
    asked.spans[place] = first, len(asked.counts) - first
    if place in asked.speakers:
        asked.speakers[place] = -1, asked.structs[place]


# --- the query -----------------------------------------------------------------------------------

# The value of a partition, as a count of NULLs.  '' is NULL by the protocol, and '' as Spark reads
# it; what cannot be cast is NULL to Spark.
_PARTITION = """
    CASE WHEN NOT h{at} THEN NULL
         WHEN p{at} IS NULL THEN s.n
         WHEN p{at} = '' OR try_cast(p{at} AS {type}) IS NULL THEN NULL
         ELSE 0 END"""

# A file's verdicts: 0 none, 1 some, 2 undecided.  With a deletion vector, a count may be of the
# rows before it or after, whatever the flag says.
_COUNT = """
    CASE WHEN n = 0 THEN 0
         WHEN n = records OR (NOT wide AND n BETWEEN 1 AND records) THEN 1
         ELSE 2 END"""

_PLACE = """
    CASE WHEN kept IS NULL THEN 2
         WHEN kept = 0 THEN 0
         WHEN place.own < 0 THEN IF(get(present, place.around), 0, 2)
         WHEN get(told, place.own) <> 1 THEN get(told, place.own)
         WHEN place.around < 0 OR get(present, place.around) THEN 1
         ELSE 2 END"""


# Every DataFrame that is made is analysed anew, so all that follows the first one is one text.
_QUERY = """
    SELECT place, count(*) AS files,
        -- there may be numbers in it that no table has: they must not overflow
        sum(CAST(kept AS decimal(20,0))) AS rows,
        count_if(verdict = 1) AS some, count_if(verdict = 2) AS undecided
    FROM (
        SELECT kept, posexplode(transform({owners}, place -> {place})) AS (place, verdict)
        FROM (
            SELECT kept, told, transform({spans}, span -> exists(
                slice(told, span.start + 1, span.size), verdict -> verdict = 0)) AS present
            FROM (
                SELECT kept, transform(counts, n -> {count}) AS told
                FROM (
                    SELECT s.n AS records,
                        IF(s.broken IS NULL AND gone BETWEEN 0 AND s.n, s.n - gone, NULL) AS kept,
                        gone > 0 OR coalesce(s.tight, 'true') <> 'true' AS wide,
                        CAST(array({counts}) AS array<bigint>) AS counts
                    FROM {files}
                )
            )
        )
    )
    GROUP BY place"""


def _verdicts(spark: SparkSession, listed: DataFrame, asked: _Asked) -> DataFrame:
    """Return a row for each place, by its number; none where there are no files."""
    from pyspark.sql import functions as F

    # Names of columns stay in types and literals: in text Spark would substitute ${…}.
    parsed = F.from_json("stats", _layout(asked.tree), {"columnNameOfCorruptRecord": "broken"})
    values = F.col("partitionValues")
    names = list(enumerate(asked.partitions))
    spans = [(0, 0), *(asked.spans[struct] for struct in asked.structs)]
    files = listed.select(
        parsed.cast(_layout(asked.tree, safe=True)).alias("s"),
        F.coalesce(F.col("deletionVector.cardinality"), F.lit(0)).alias("gone"),
        *[F.try_element_at(values, F.lit(name)).alias(f"p{at}") for at, name in names],
        *[F.map_contains_key(values, name).alias(f"h{at}") for at, name in names],
    )
    text = _QUERY.format(
        owners=_pairs("own", "around", asked.speakers.values()),
        spans=_pairs("start", "size", spans),
        counts=", ".join(asked.counts),
        place=_PLACE,
        count=_COUNT,
        files="{files}",
    )
    return spark.sql(text, files=files)


def _pairs(first: str, second: str, pairs: Iterable[tuple[int, int]]) -> str:
    structs = [f"named_struct('{first}', {a}, '{second}', {b})" for a, b in pairs]
    return f"array({', '.join(structs)})"


def _layout(tree: dict[str, Any], *, safe: bool = False) -> T.StructType:
    """Return the type of a file's statistics, with names as in the log or with safe ones."""
    from pyspark.sql import types as T

    # As text, a flag that is no boolean is not taken for an absent one.
    named = [("numRecords", "n", T.LongType()), ("tightBounds", "tight", T.StringType())]
    fields = [T.StructField(short if safe else name, kind) for name, short, kind in named]
    fields.append(T.StructField("broken", T.StringType()))
    if tree:
        fields.append(T.StructField("counts" if safe else "nullCount", _counts(tree, safe)))
    return T.StructType(fields)


def _counts(tree: dict[str, Any], safe: bool) -> T.StructType:
    from pyspark.sql import types as T

    fields = T.StructType()
    for at, (name, inner) in enumerate(tree.items()):
        fields.add(f"c{at}" if safe else name, _counts(inner, safe) if inner else T.LongType())
    return fields
