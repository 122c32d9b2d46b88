"""Evidence about NULLs: what the log of a Delta table says of them, no data file opened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from spark_sig.delta.columns import EMPTIED, has_vectors, shared_names, stored_name, table_columns
from spark_sig.delta.files import Group, grouped, list_files, unreadable
from spark_sig.delta.log import (
    Snapshot,
    is_classic,
    open_snapshot,
    reraise_cancelled,
    spark_errors,
    table_metadata,
)
from spark_sig.delta.replaced import replaced_at
from spark_sig.delta.statistics import depends_on_writer, judged
from spark_sig.delta.tables import partition_columns
from spark_sig.delta.writers import Description, descriptions, is_of_spark, with_trusted
from spark_sig.errors import SourceError
from spark_sig.sqltext import quoted
from spark_sig.stats import Claim, Place, Proof

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql import types as T


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

    One query over the list of files, however many there are.

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
        claims = [[Claim(place, no_null=True)] for place in places]
        metadata = table_metadata(opened)
        columns = table_columns(metadata)
        shared, listed = shared_names(columns, metadata), list_files(spark, opened)
        vectors = has_vectors(metadata)
        if any(depends_on_writer(columns, c, shared, vectors=vectors) for [c] in claims):
            listed = with_trusted(spark, opened, listed)
        judge = partial(judged, listed, columns, claims, shared=shared)
        groups = grouped(judge(keep=["modificationTime"]))
        if (since := replaced_at(spark, opened, metadata, groups)) is not None:
            groups = grouped(judge(since=since))
    except spark_errors() as error:
        reraise_cancelled(error)
        raise unreadable(snapshot, error) from error
    return {place: _evidence(groups, at) for at, place in enumerate(places)}


def _evidence(groups: Sequence[Group], at: int) -> NullEvidence:
    proofs = [(group, group.proof(at)) for group in groups]
    # Where one file of several refutes, the others are not told apart.
    undecided = [
        group.files
        for group, proof in proofs
        if proof is Proof.UNKNOWN or (group.mixed and proof is not Proof.PROVEN)
    ]
    some = any(proof is Proof.REFUTED for _, proof in proofs)
    proven = Nulls.UNKNOWN if undecided else Nulls.NONE
    return NullEvidence(
        Nulls.SOME if some else proven,
        sum(group.rows for group in groups),
        sum(group.files for group in groups),
        sum(undecided),
    )


def not_null_places(schema: T.StructType) -> frozenset[Place]:
    """Return the places that the NOT NULL constraints of a Delta table cover.

    Spark checks them at every write, members of structs included; inside arrays and maps it
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


def imposed_places(
    spark: SparkSession, snapshot: Snapshot, places: frozenset[Place]
) -> frozenset[Place]:
    """Return the NOT NULL places whose rows may never have been held to it.

    Spark holds rows to it; but '' becomes NULL after that where a table is partitioned by it
    (:attr:`~spark_sig.delta.columns.Column.emptied`), which the log tells.  delta-rs adds columns
    that are NOT NULL to a table that has rows (1.6), files that it has not read
    (`create_write_transaction`), does not look inside of structs (up to 1.1) and restores rows
    under newer columns (up to 0.25); a clone and a converted table have the columns of their
    source.  Of commits that are no longer there the best is believed.

    Args:
        spark: the session.
        snapshot: the version.
        places: its NOT NULL places (:func:`not_null_places`).

    Returns:
        Some of the places; all of them where the commits cannot be read.

    Raises:
        SourceError: where another table has taken the place of this one meanwhile, and where one
            of the columns that a table is partitioned by holds NULL nevertheless, which Spark
            cannot read.
    """
    if not places:
        return places
    try:
        if not is_classic(spark):
            if not is_of_spark(spark, snapshot.path, snapshot.version):
                return places
            return places & _emptied(spark, snapshot)
        opened = open_snapshot(spark, snapshot)
        found = descriptions(spark, opened)
        if found is None:
            return places
        imposed = _imposed(found)
        metadata = table_metadata(opened)
        names = dict(_declared(json.loads(metadata["schemaString"])))
        emptied = {(name,) for name, column in table_columns(metadata).items() if column.emptied}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):  # no schema at all
        return places
    except spark_errors() as error:
        reraise_cancelled(error)
        return places
    imposed = {names[place] for place in imposed & names.keys()}
    return places & (imposed | _unproven(spark, snapshot, places & emptied))


def _unproven(spark: SparkSession, snapshot: Snapshot, places: frozenset[Place]) -> set[Place]:
    """Return those NOT NULL columns, of what a table is partitioned by, that may hold NULL.

    Raises:
        SourceError: where one does.
    """
    found = null_evidence(spark, snapshot, sorted(places))
    for place, evidence in found.items():
        if evidence.nulls is Nulls.SOME:
            raise SourceError(
                f"the table {snapshot.path} is partitioned by {place[0]!r}, which is NOT NULL and "
                f"holds NULL: Spark cannot read it before ALTER COLUMN {quoted(place[0])} DROP NOT "
                "NULL"
            )
    return {place for place, evidence in found.items() if evidence.nulls is Nulls.UNKNOWN}


def _emptied(spark: SparkSession, snapshot: Snapshot) -> set[Place]:
    """Return the columns of text and binary values that a table is partitioned by.

    For Spark Connect, from which the log is out of reach; by the newest version.
    """
    types = dict(spark.read.format("delta").load(snapshot.path).dtypes)
    partitions = partition_columns(spark, snapshot)
    return {(name,) for name in partitions if types[name] in EMPTIED}


def _imposed(found: Iterable[Description]) -> set[Place]:
    """Return the places, by the names in files, that some commit declares or brings unchecked.

    Raises:
        ValueError: where that may be all of them.
    """
    imposed = set[Place]()
    # NOT NULL places by the names in files, which no RENAME changes, and their own names.
    declared: dict[Place, Place] | None = None
    for commit in found:
        before = declared or {}
        if commit.schema is not None:
            declared = dict(_declared(json.loads(commit.schema)))
            if commit.version > 0 and not commit.by_spark:
                imposed |= declared.keys() - before
            # Files that are written anew, without column mapping, have other names.
            named = {before[place] for place in imposed & before.keys() - declared.keys()}
            imposed |= {place for place, name in declared.items() if name in named}
        if commit.broken or (commit.brought and declared is None):
            raise ValueError(f"what the version {commit.version} holds is unknown")
        if commit.brought:
            imposed |= (declared or {}).keys()
    return imposed


def _declared(
    struct: Mapping[str, Any], stored: Place = (), above: Place = ()
) -> Iterator[tuple[Place, Place]]:
    """Yield the NOT NULL places of a schema, as files name them and by their own names."""
    for member in struct["fields"]:
        place = (*above, member["name"])
        in_files = (*stored, stored_name(member))
        if not member.get("nullable", True):
            yield in_files, place
        if isinstance(member["type"], dict) and member["type"]["type"] == "struct":
            yield from _declared(member["type"], in_files, place)


def _not_null(schema: T.StructType, above: Place) -> Iterator[Place]:
    from pyspark.sql.types import StructType

    for member in schema.fields:
        place = (*above, member.name)
        if not member.nullable:
            yield place
        if isinstance(member.dataType, StructType):
            yield from _not_null(member.dataType, place)
