"""Targets: the two tables that rows go to, held to what will be written before anything is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.delta.log import read_snapshot, read_version
from spark_sig.delta.places import Place
from spark_sig.delta.tables import make_table, partition_columns, table_properties
from spark_sig.errors import SignatureError, SourceError
from spark_sig.naming import member_path
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructField, StructType

# The property by which a table forgets who has written to it.
FORGETS = "delta.setTransactionRetentionDuration"

# How the properties that are CHECK constraints are called.
_CONSTRAINT = "delta.constraints."

# What Spark keeps of a text's length, in the metadata of its column.
_DECLARED = "__CHAR_VARCHAR_TYPE_STRING"

# The property by which a table keeps all rows that it has.
APPEND_ONLY = "delta.appendOnly"


@dataclass(frozen=True, slots=True)
class Target:
    """A table that rows go to.

    Args:
        what: ``conformed``, ``quarantine`` or ``out``, as arguments are called.
        place: where it lies.
        path: its path; None where it does not exist yet.
        table_id: its own id; empty where it does not exist yet.
        version: its version; -1 where it does not exist yet.
        partitions: the columns that it is partitioned by.
        schema: its columns; None where it does not exist yet.
        properties: its properties.
    """

    what: str
    place: Place
    path: str | None = None
    table_id: str = ""
    version: int = -1
    partitions: tuple[str, ...] = ()
    schema: StructType | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spark: SparkSession, what: str, name: str | os.PathLike[str]) -> Target:
        """Find the table of a name.

        Raises:
            SourceError: where there is something else of that name.
        """
        refuse = partial(_no_table, os.fspath(name), what)
        target = cls(what, Place.of(spark, name, refuse))
        return target.found(spark)

    def found(self, spark: SparkSession) -> Target:
        """Return the same as it is now."""
        path = self.place.location(spark, partial(_no_table, self.place.name, self.what))
        if path is None:
            return self
        snapshot = read_snapshot(spark, path)
        return replace(
            self,
            path=path,
            table_id=snapshot.table_id,
            version=snapshot.version,
            partitions=partition_columns(spark, snapshot),
            schema=read_version(spark, snapshot).schema,
            properties=table_properties(spark, snapshot),
        )

    @property
    def spots(self) -> frozenset[str]:
        """What the place goes by: where it lies, as far as that is known, and its name in SQL."""
        path = self.path or self.place.path
        # the session's catalog takes names for the same whatever their case
        names = [self.place.sql.lower()] if self.place.path is None else []
        return frozenset([*names, *([_plain(path)] if path else [])])

    def refuse_source(self, identity: str, place: str) -> None:
        """Refuse to write to the table that is read, or into its folder.

        Args:
            identity: what tells the source from others.
            place: where it lies; empty where it lies nowhere.

        Raises:
            SignatureError: where this is it, or one lies in the other's folder.
        """
        spots = frozenset([_plain(place)] if place else [])
        if (self.table_id and self.table_id == identity) or self.spots & spots:
            raise SignatureError(
                "rows cannot be written to the table that they come from",
                path=self.what,
                observed=self.place.name,
            )
        self.refuse_nested(spots, "the source")

    def refuse_nested(self, others: frozenset[str], what: str) -> None:
        """Refuse tables one of which lies in the other's folder, whose VACUUM would empty it.

        Args:
            others: what the place of the other one goes by.
            what: what that is.

        Raises:
            SignatureError: where one does.
        """
        for mine in self.spots:
            for other in others:
                if mine.startswith(f"{other}/") or other.startswith(f"{mine}/"):
                    raise SignatureError(
                        f"a table cannot lie within another one's folder: {what} is the other",
                        path=self.what,
                        observed=self.place.name,
                    )

    def refuse_misfit(self, columns: StructType, mode: str = "append") -> None:
        """Refuse a table that does not take the columns, before anything is written.

        Args:
            columns: those of the rows that will be.
            mode: what becomes of the rows that it has.

        Raises:
            SignatureError: lists all that does not fit.
        """
        found = list(self._misfits(columns))
        if mode != "append" and self.properties.get(APPEND_ONLY, "").lower() == "true":
            found.append(f"none of its rows may be replaced ({APPEND_ONLY})")
        if found:
            raise SignatureError(
                f"the {self.what} table {self.place.name} does not fit what would be written: "
                + "; ".join(found),
                path=self.what,
                remedy="alter the table, or name one that does not exist yet",
            )

    def _misfits(self, columns: StructType) -> Iterator[str]:
        if self.schema is None:
            return
        if FORGETS in self.properties:
            yield f"it forgets commits ({FORGETS}), and with them what is written already"
        theirs = {column.name.lower(): column for column in self.schema.fields}
        for column in columns.fields:
            path, type_ = member_path("$", column.name), column.dataType.simpleString()
            target = theirs.pop(column.name.lower(), None)
            if target is None:
                yield f"it has no {path} ({type_})"
                continue
            stored = target.dataType.simpleString()
            if stored != type_:
                yield f"{path} is {stored} there, and {type_} here"
            elif (column.nullable and not target.nullable) or _is_stricter(target, column):
                yield f"{path} may not be NULL there"
        for column in theirs.values():
            if not column.nullable:
                yield f"its {member_path('$', column.name)}, which may not be NULL, is not written"

    def refuse_rows(self, rows: DataFrame) -> None:
        """Refuse rows that the table's CHECK constraints and lengths do not take.

        They are read once for it, where the table has any.

        Raises:
            SignatureError: lists the constraints that are broken.
        """
        conditions = dict(self._constraints())
        if self.schema is None or not conditions:
            return
        have = {name.lower() for name in rows.columns}
        unwritten = [
            f"CAST(NULL AS {column.dataType.simpleString()}) AS {quoted(column.name)}"
            for column in self.schema.fields
            if column.name.lower() not in have
        ]
        broken = [f"coalesce(bool_or({text}), false)" for text in conditions.values()]
        found = rows.selectExpr("*", *unwritten).selectExpr(*broken).collect()[0]
        names = [name for name, is_broken in zip(conditions, found, strict=True) if is_broken]
        if names:
            raise SignatureError(
                f"the {self.what} table {self.place.name} does not take all rows that would be "
                f"written: they break {'; '.join(names)}",
                path=self.what,
                remedy="have the signature ask for as much, or alter the table",
            )

    def _constraints(self) -> Iterator[tuple[str, str]]:
        """Yield what rows are held to, and the condition, as SQL, under which one breaks it."""
        for key, text in self.properties.items():
            if key.lower().startswith(_CONSTRAINT):
                name = key[len(_CONSTRAINT) :]
                yield f"CHECK {name} ({text})", f"NOT coalesce(({text}), false)"
        for column in self.schema.fields if self.schema else ():
            declared = str(column.metadata.get(_DECLARED, ""))
            if length := re.fullmatch(r"(?:var)?char\((\d+)\)", declared):
                condition = f"char_length({quoted(column.name)}) > {length[1]}"
                yield f"{member_path('$', column.name)} {declared.upper()}", condition

    def made(self, rows: DataFrame, partitions: Sequence[str]) -> Target:
        """Return the same, made where it does not exist, of the columns of some rows."""
        if self.path is None:
            make_table(rows, self.place, partitions)
        made = self.found(rows.sparkSession)
        if made.path is None:
            raise SourceError(f"the {self.what} table {self.place.name} cannot be made")
        if self.path is None:  # another job may have made it, of other columns
            made.refuse_misfit(rows.schema)
        return made


class Targets(NamedTuple):
    """The two tables of a run.

    Args:
        conformed: where the rows that conform go.
        quarantine: where the others go.
    """

    conformed: Target
    quarantine: Target

    @classmethod
    def of(
        cls,
        spark: SparkSession,
        conformed: str | os.PathLike[str],
        quarantine: str | os.PathLike[str],
    ) -> Targets:
        """Find the tables of two names.

        Raises:
            SignatureError: where they are one.
            SourceError: where there is something else of one of the names.
        """
        found = cls(
            Target.of(spark, "conformed", conformed), Target.of(spark, "quarantine", quarantine)
        )
        found.refuse_one()
        return found

    def refuse_one(self) -> None:
        """Refuse two names of one table.

        Raises:
            SignatureError: where they are one.
        """
        one, other = self
        if one.spots & other.spots or (one.table_id and one.table_id == other.table_id):
            raise SignatureError(
                "the rows that conform and those that violate must go to two tables",
                path="quarantine",
                observed=other.place.name,
            )
        other.refuse_nested(one.spots, f"the table {one.place.name}")

    def refuse_source(self, identity: str, place: str) -> None:
        """Refuse to write to the table that is read (:meth:`Target.refuse_source`)."""
        for target in self:
            target.refuse_source(identity, place)

    def refuse_misfits(self, good: StructType, bad: StructType, mode: str) -> None:
        """Refuse tables that do not take what would be written, before anything is.

        Args:
            good: columns of the rows that conform.
            bad: columns of the others.
            mode: what becomes of the rows that are there.

        Raises:
            SignatureError: lists all that does not fit.
        """
        self.conformed.refuse_misfit(good, mode)
        self.quarantine.refuse_misfit(bad, mode)

    def refuse_rows(self, good: DataFrame, bad: DataFrame) -> None:
        """Refuse rows that the tables' constraints do not take, before anything is written.

        Raises:
            SignatureError: lists the constraints of one that are broken.
        """
        self.conformed.refuse_rows(good)
        self.quarantine.refuse_rows(bad)

    def partitions(
        self, good: Sequence[str], source: Sequence[str]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Return the columns that each of the two is, or will be, partitioned by.

        Args:
            good: columns of the rows that conform.
            source: the columns that the source is partitioned by.
        """
        columns: Sequence[str] = self.conformed.partitions or self.quarantine.partitions
        if self.conformed.path is None and self.quarantine.path is None:
            theirs = {name.lower() for name in good}
            columns = tuple(name for name in source if name.lower() in theirs)
        one, other = (columns if target.path is None else target.partitions for target in self)
        return one, other

    def made(self, good: DataFrame, bad: DataFrame, partitions: Sequence[str]) -> Targets:
        """Return the same, made where they do not exist.

        Args:
            good: rows of the columns of those that conform.
            bad: rows of the columns of the others.
            partitions: the columns that the source is partitioned by (:meth:`partitions`).

        Raises:
            SignatureError: where they turn out to be one.
        """
        both = self.partitions(good.columns, partitions)
        # a column of what a model gives is none of the rows that it was not called with
        one, other = (
            tuple(name for name in names if name.lower() in map(str.lower, rows.columns))
            for names, rows in zip(both, (good, bad), strict=True)
        )
        made = Targets(self.conformed.made(good, one), self.quarantine.made(bad, other))
        made.refuse_one()
        return made

    @property
    def ids(self) -> tuple[str, str]:
        """Their own ids."""
        return self.conformed.table_id, self.quarantine.table_id

    @property
    def exist(self) -> bool:
        """Whether both do."""
        return self.conformed.path is not None and self.quarantine.path is not None


def _plain(path: str) -> str:
    """Return a path of this machine in one spelling, and any other as it is."""
    return re.sub(r"^file:/+", "/", path).rstrip("/")


def _is_stricter(one: StructField, other: StructField) -> bool:
    """Say whether a column may not be NULL somewhere inside, where another may."""
    strict = re.search(r'"(nullable|containsNull|valueContainsNull)":false', one.dataType.json())
    return strict is not None and one.dataType != other.dataType


def _no_table(name: str, what: str, observed: str) -> SourceError:
    return SourceError(f"the {what} rows cannot go to {name}, which is {observed}")
