"""Files of a snapshot: listed, counted, put into groups, and read by themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.delta.log import (
    Snapshot,
    first_line,
    is_classic,
    open_snapshot,
    reraise_cancelled,
    spark_errors,
)
from spark_sig.delta.query import Query
from spark_sig.delta.statistics import judged
from spark_sig.errors import SourceError
from spark_sig.stats import Proof

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# A list of so many files is read by one task in well under a second; a shuffle takes longer.
FEW_FILES = 10_000

# Groups of files that are told apart.  Each one that is read is a scan of its own.
MOST_GROUPS = 16

_DECIDED = frozenset(proof.value for proof in Proof if proof.decided)


class Group(NamedTuple):
    """Files of which the same is known.

    Args:
        pattern: a :class:`~spark_sig.stats.Proof` for the files themselves, then one for each
            check, as text.
        files: how many there are.
        rows: logical rows of those that say how many they hold.
        uncounted: files that do not say.
        mixed: whether the pattern is what all of several patterns prove.
        oldest: when the oldest was written, in milliseconds since 1970; None where that is not
            known.
    """

    pattern: str
    files: int
    rows: int
    uncounted: int
    mixed: bool = False
    oldest: int | None = None

    @property
    def is_read(self) -> bool:
        """Whether rows of the files have to be read."""
        return not _DECIDED.issuperset(self.pattern)

    @property
    def is_proven(self) -> bool:
        """Whether anything is known that rows need not be read for."""
        return not self.is_read or not _DECIDED.isdisjoint(self.pattern[1:])

    def has(self, proof: Proof) -> bool:
        """Say whether this is what is known of any check."""
        return proof.value in self.pattern[1:]

    def proof(self, check: int) -> Proof:
        """Return what is known of a check, given its place among those that were judged."""
        return Proof(self.pattern[check + 1])


def list_files(spark: SparkSession, opened: Any, name: str = "state") -> Query:
    """Return the files of a snapshot of Delta's own, as its log lists them; few in one partition.

    An aggregate over one partition shuffles nothing.

    Args:
        spark: the session.
        opened: the snapshot.
        name: what the query calls its DataFrame.
    """
    from py4j.protocol import Py4JError
    from pyspark.sql import DataFrame

    state = opened.stateDF()
    add = json.loads(state.schema().apply("add").dataType().json())
    columns = tuple(member["name"] for member in add["fields"])
    rows = DataFrame(state, spark)
    try:
        known = opened.numOfFilesIfKnown()  # not in every release
        few = bool(known.isDefined()) and int(known.get()) <= FEW_FILES
    except Py4JError:
        few = False
    text = f"SELECT add.* FROM {{{name}}} WHERE add IS NOT NULL"
    return Query(text, columns, {name: rows.coalesce(1) if few else rows})


def count_files(spark: SparkSession, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with its files and rows counted, where the log is in reach.

    Raises:
        SourceError: where the log cannot be read.
    """
    if not is_classic(spark):
        return snapshot
    try:
        opened = open_snapshot(spark, snapshot)
        groups = grouped(judged(list_files(spark, opened), {}, []))
    except spark_errors() as error:
        reraise_cancelled(error)
        raise unreadable(snapshot, error) from error
    return counted(snapshot, groups)


def counted(snapshot: Snapshot, groups: Sequence[Group]) -> Snapshot:
    """Return a snapshot with the files and rows of all its groups."""
    return replace(
        snapshot,
        files=sum(group.files for group in groups),
        rows=sum(group.rows for group in groups),
        uncounted=sum(group.uncounted for group in groups),
    )


def unreadable(snapshot: Snapshot, error: Exception) -> SourceError:
    """Return the error that says that a log cannot be read."""
    return SourceError(
        f"the log of the table {snapshot.path} cannot be read at version {snapshot.version}: "
        f"{first_line(error)}"
    )


def grouped(files: Query, limit: int = MOST_GROUPS) -> list[Group]:
    """Put files of which the same is known together; the largest groups first.

    However many files there are, a fixed number of rows comes back.

    Args:
        files: the files, judged; with ``modificationTime``, where the oldest is asked for.
        limit: how many groups there are at most; the last one then takes all others.
    """
    # Sorting takes longer than the rest: it is left to tables that have so many groups.
    known = "min(modificationTime)" if "modificationTime" in files.columns else "CAST(NULL AS long)"
    groups = _GROUPS.replace("{oldest}", known)
    few = files.ask(f"{groups} LIMIT {limit + 1}").collect()
    if len(few) <= limit:
        return sorted(map(_group, few), key=lambda group: (-group.files, group.pattern))
    # Files that do not say how many rows they hold, all of one pattern, stay apart.
    order = f"pattern >= '{Proof.REFUTED.value}' DESC, files DESC, pattern"
    first = files.ask(f"{groups} ORDER BY {order} LIMIT {limit - 1}")
    kept = [_group(row) for row in first.collect()]
    return [*kept, _mixed(files, groups, ", ".join(repr(group.pattern) for group in kept))]


def merged(groups: Sequence[Group]) -> Group:
    """Return what all groups have in common: of each check, the greatest is known."""
    patterns = [group.pattern for group in groups]
    return Group(
        "".join(map(max, zip(*patterns, strict=True))),
        sum(group.files for group in groups),
        sum(group.rows for group in groups),
        sum(group.uncounted for group in groups),
        mixed=len(groups) > 1,
    )


_GROUPS = """
    SELECT pattern, count(*) AS files, {oldest} AS oldest,
        -- there may be numbers in it that no table has: they must not overflow
        coalesce(sum(CAST(kept AS decimal(20,0))), 0) AS rows,
        count(*) - count(kept) AS uncounted
    FROM {query} GROUP BY pattern"""


def _group(row: Any) -> Group:
    files, rows, uncounted = (int(row[name]) for name in ("files", "rows", "uncounted"))
    return Group(str(row["pattern"]), files, rows, uncounted, oldest=row["oldest"])


def _mixed(files: Query, groups: str, others: str) -> Group:
    """Return what all groups but some have in common: of each check, the greatest is known."""
    rest = f"SELECT * FROM ({groups}) WHERE pattern NOT IN ({others})"
    total = files.ask(
        "SELECT '' AS pattern, sum(files) AS files, sum(rows) AS rows, sum(uncounted) AS uncounted,"
        f" min(oldest) AS oldest FROM ({rest})"
    )
    letters = files.ask(
        "SELECT place, max(letter) AS letter FROM "
        f"(SELECT posexplode(split(pattern, '')) AS (place, letter) FROM ({rest})) GROUP BY place"
    )
    found = sorted(letters.collect(), key=lambda row: int(row["place"]))
    pattern = "".join(row["letter"] for row in found)
    return _group(total.collect()[0])._replace(pattern=pattern, mixed=True)


def is_in(chosen: Sequence[int], groups: Sequence[Group]) -> str:
    """Write the condition, as SQL, that a file which is judged is in one of some groups.

    Args:
        chosen: places of these groups.
        groups: all groups, as :func:`grouped` gave them.

    Example:
        >>> groups = [Group("00", 2, 9, 0), Group("02", 1, 3, 0), Group("22", 5, 9, 0, mixed=True)]
        >>> is_in([0], groups), is_in([1, 2], groups)
        ("pattern IN ('00')", "pattern IN ('02') OR pattern NOT IN ('00', '02')")
    """
    apart = [group.pattern for group in groups if not group.mixed]
    named = [groups[place].pattern for place in chosen if not groups[place].mixed]
    found = [f"pattern IN ({_texts(named)})"] if named else []
    if any(groups[place].mixed for place in chosen):
        found.append(f"pattern NOT IN ({_texts(apart)})" if apart else "true")
    return " OR ".join(found) or "false"


def _texts(patterns: Sequence[str]) -> str:
    return ", ".join(map(repr, patterns))


def read_groups(
    opened: Any, files: Query, groups: Sequence[Group], chosen: Sequence[int]
) -> list[DataFrame]:
    """Return the rows of some groups of files, a DataFrame for each.

    The list of these files is held by the driver, as that of any scan is.

    Args:
        opened: Delta's own snapshot.
        files: the files, judged, with all columns of the log's list kept but for the statistics.
        groups: all groups, as :func:`grouped` gave them.
        chosen: places of those that are read.
    """
    cases = " ".join(f"WHEN {is_in([place], groups)} THEN {at}" for at, place in enumerate(chosen))
    number = f"CASE {cases} ELSE -1 END" if cases else "-1"
    found = files.ask(
        f"SELECT * FROM (SELECT *, {number} AS number FROM {{query}}) "
        "WHERE number >= 0 ORDER BY number, path"
    )
    return read_some(opened, found, [groups[place].files for place in chosen])


def read_some(opened: Any, files: DataFrame, sizes: Sequence[int]) -> list[DataFrame]:
    """Return the rows of some files of a snapshot, in slices of the list.

    Args:
        opened: Delta's own snapshot.
        files: the files in order; columns as the log lists them, but for the statistics, and
            others.
        sizes: how many files there are in each slice.

    Raises:
        SourceError: where the list has another length.
    """
    from pyspark.sql import DataFrame

    spark = files.sparkSession
    listed = opened.allFiles()
    names = list(listed.columns())
    kept = ["CAST(NULL AS string) AS stats" if n == "stats" else f"`{n}`" for n in names]
    entries = getattr(files.selectExpr(*kept)._jdf, "as")(listed.encoder()).collectAsList()
    if entries.size() != sum(sizes):
        raise SourceError(f"the log lists {entries.size()} files where it listed {sum(sizes)}")
    jvm: Any = spark._jvm
    found, start = [], 0
    for size in sizes:
        part = jvm.PythonUtils.toSeq(entries.subList(start, start + size))
        frame = opened.deltaLog().createDataFrame(opened, part, False, jvm.scala.Option.empty())
        found.append(DataFrame(frame, spark))
        start += size
    return found
