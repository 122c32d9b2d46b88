"""Statistics of data files: which claims they prove, file by file, as one query over the list.

The rules are those of Delta's PROTOCOL, sections Per-file Statistics, Deletion Vectors, Column
Mapping, and Partition Value Serialization, where writers are known to follow them; what they do
not prove stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from spark_sig.delta.columns import Column, Kind, find_column
from spark_sig.delta.query import Query
from spark_sig.errors import assert_never
from spark_sig.sqltext import literal, quoted
from spark_sig.stats import Claim, Place, Proof

# What all that follows is computed of:
# s        the statistics, parsed: n rows, broken text, whether bounds are tight, counts, bounds
# gone     rows that a deletion vector deletes
# kept     rows that are left; NULL where the file does not say
# wide     whether counts and bounds may be of more rows than are left
# trusted  whether Spark wrote the file, whose bounds of floats then tell NaN, and whose entries
#          are of the columns that they are named after
# mask     what earlier runs found, a character for each check of the plan
# removed  whether the newest version has no such file, which VACUUM may then have removed
# p0, h0   the value of a partition column, and whether there is one


@dataclass(frozen=True, slots=True)
class Verdict:
    """Conditions on a file, as SQL: NULL is no.

    Args:
        proven: no row violates.
        refuted: a row violates, given that there are rows.
    """

    proven: str = "false"
    refuted: str = "false"


@dataclass(slots=True)
class Layout:
    """The statistics that are read of each file.

    Args:
        columns: the table's columns.
        counts: the leaves whose counts of NULLs are read, by name in the log; structs are trees.
        bounds: the leaves whose least and greatest values are read.
        partitions: the partition columns that are read, by their names in the log.
        structs: SQL that says that a struct is never NULL, by its place.
        shared: the columns whose statistics are believed of trusted files alone; None where all
            statistics are believed as they are.
    """

    columns: Mapping[str, Column]
    shared: frozenset[str] | None = frozenset()
    counts: dict[str, Any] = field(default_factory=dict)
    bounds: dict[str, Any] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    structs: dict[Place, str] = field(default_factory=dict)

    def count(self, place: Place) -> str:
        """Read the count of NULLs of a leaf, and return SQL for it."""
        return self._believed(place, "s.counts" + self._read(self.counts, place))

    def least_greatest(self, place: Place) -> tuple[str, str]:
        """Read the bounds of a leaf, and return SQL for them, as text."""
        path = self._read(self.bounds, place)
        return self._bound(place, f"s.low{path}"), self._bound(place, f"s.high{path}")

    def _believed(self, place: Place, value: str) -> str:
        if self.shared is not None and (len(place) > 1 or place[0] in self.shared):
            return f"IF(trusted, {value}, NULL)"
        return value

    def _bound(self, place: Place, value: str) -> str:
        believed = self._believed(place, value)
        if self.shared is None or believed != value:
            return believed
        sure = f"NOT ({_WIDE})"
        if _is_long_decimal(find_column(self.columns, place)):
            sure += f" AND abs(try_cast({value} AS DOUBLE)) < {2**53}D"
        return f"IF(trusted OR ({sure}), {value}, NULL)"

    def _read(self, tree: dict[str, Any], place: Place) -> str:
        path = ""
        for depth in range(1, len(place) + 1):
            name = find_column(self.columns, place[:depth]).name
            tree.setdefault(name, {})
            path += f".c{list(tree).index(name)}"
            tree = tree[name]
        return path

    def partition(self, name: str) -> str:
        """Read a partition column, and return the number that it goes by."""
        if name not in self.partitions:
            self.partitions.append(name)
        return str(self.partitions.index(name))

    def present(self, struct: Place) -> str:
        """Return SQL that says that a struct is never NULL: one of its leaves never is."""
        if struct not in self.structs:
            below = find_column(self.columns, struct).members
            leaves = [self.count(leaf) for leaf in _leaves(below, struct)]
            self.structs[struct] = " OR ".join(f"{n} <=> 0" for n in leaves) or "false"
        return f"present{list(self.structs).index(struct)}"


# Whether counts and bounds may be of more rows than are left.
_WIDE = "gone > 0 OR coalesce(s.tight, 'true') <> 'true'"

# What is believed of trusted files alone, since writers, and footers that their statistics are
# copies of, get it wrong:
# - counts and bounds inside of structs: Arrow counts no NULL of a text that it wrote as a
#   dictionary, others none of the struct itself;
# - bounds of files that were given a deletion vector: where a file has no statistics, Delta then
#   takes them from its footer, and unsigned integers for signed ones;
# - bounds of long decimals: delta-rs (to 1.6 at least) takes them through doubles, and 64 bits.


def _is_long_decimal(column: Column) -> bool:
    """Say whether a double may not hold all digits of a column."""
    found = re.fullmatch(r"decimal\((\d+),\d+\)", column.type)
    return found is not None and int(found[1]) > 15


def depends_on_writer(
    columns: Mapping[str, Column], claim: Claim, shared: frozenset[str], *, vectors: bool
) -> bool:
    """Say whether statistics may prove a claim of files that Spark wrote, and of no others.

    Args:
        columns: the table's columns.
        claim: the claim.
        shared: as for :func:`judged`.
        vectors: whether files may have deletion vectors.
    """
    column = find_column(columns, claim.place)
    inside = len(claim.place) > 1 or column.kind is Kind.STRUCT
    bounded = claim.within is not None and (vectors or _is_long_decimal(column))
    return claim.no_nan or claim.place[0] in shared or inside or bounded


def _leaves(columns: Mapping[str, Column], above: Place) -> Iterator[Place]:
    for name, column in columns.items():
        if column.kind is Kind.STRUCT:
            yield from _leaves(column.members, (*above, name))
        elif column.kind in (Kind.COUNTED, Kind.BOUNDED):
            yield (*above, name)


# --- claims --------------------------------------------------------------------------------------


def _verdict(layout: Layout, claim: Claim) -> Verdict:
    column = find_column(layout.columns, claim.place)
    if claim.no_null:
        return _no_null(layout, column, claim.place)
    if claim.no_nan:
        return _no_nan(layout, column, claim.place)
    assert claim.within is not None
    return _within(layout, column, claim, *claim.within)


def _no_null(layout: Layout, column: Column, place: Place) -> Verdict:
    match column.kind:
        case Kind.COUNTED:
            found = _counted(layout.count(place))
            if len(place) > 1:
                # The count has the rows without the struct, too.
                some = f"{layout.present(place[:-1])} AND ({found.refuted})"
                return Verdict(found.proven, some)
            return found
        case Kind.BOUNDED:
            return Verdict(f"{layout.count(place)} = 0")
        case Kind.STRUCT:
            return Verdict(layout.present(place))
        case Kind.PARTITION:
            at = layout.partition(column.name)
            # '' is NULL by the protocol, and '' as Spark reads it; what cannot be cast is NULL to
            # Spark.
            return Verdict(
                f"h{at} AND p{at} <> '' AND try_cast(p{at} AS {column.type}) IS NOT NULL",
                f"h{at} AND p{at} IS NULL",
            )
        case Kind.UNTOLD:
            return Verdict()
        case _:
            assert_never(column.kind)


def _counted(n: str) -> Verdict:
    """Return what a count of NULLs says.

    With a deletion vector it may be of the rows before it or after, whatever the flag says.
    """
    return Verdict(f"{n} = 0", f"{n} = s.n OR (NOT wide AND {n} BETWEEN 1 AND s.n)")


def _no_nan(layout: Layout, column: Column, place: Place) -> Verdict:
    match column.kind:
        case Kind.COUNTED:
            high = f"try_cast({layout.least_greatest(place)[1]} AS DOUBLE)"
            return Verdict(
                f"{layout.count(place)} = s.n"
                f" OR (trusted AND abs({high}) < CAST('Infinity' AS DOUBLE))",
                f"trusted AND NOT wide AND isnan({high})",
            )
        case Kind.PARTITION:
            at = layout.partition(column.name)
            value = f"try_cast(p{at} AS {column.type})"
            return Verdict(
                f"h{at} AND (p{at} IS NULL OR (p{at} <> '' AND NOT isnan({value})))",
                f"h{at} AND p{at} <> '' AND isnan({value})",
            )
        case Kind.BOUNDED | Kind.STRUCT | Kind.UNTOLD:
            return Verdict()
        case _:
            assert_never(column.kind)


def _within(layout: Layout, column: Column, claim: Claim, low: int, high: int) -> Verdict:
    match column.kind:
        case Kind.COUNTED:
            texts = layout.least_greatest(claim.place)
            least, greatest = (_number(text, column.type) for text in texts)
            inside = f"{least} >= {low}BD AND {greatest} <= {high}BD"
            outside = f"{least} < {low}BD OR {greatest} > {high}BD"
            return Verdict(
                f"{layout.count(claim.place)} = s.n OR ({least} <= {greatest} AND {inside})",
                f"NOT wide AND {least} <= {greatest} AND ({outside})" if claim.strict else "false",
            )
        case Kind.PARTITION:
            at = layout.partition(column.name)
            value = _number(f"try_cast(p{at} AS {column.type})", column.type)
            inside = f"{value} BETWEEN {low}BD AND {high}BD"
            return Verdict(
                f"h{at} AND (p{at} IS NULL OR {inside})",
                f"h{at} AND {value} NOT BETWEEN {low}BD AND {high}BD" if claim.strict else "false",
            )
        case Kind.BOUNDED | Kind.STRUCT | Kind.UNTOLD:
            return Verdict()
        case _:
            assert_never(column.kind)


def _number(text: str, dtype: str) -> str:
    """Read a bound as a number that compares exactly: of days, for dates."""
    if dtype == "date":
        return f"unix_date(try_cast({text} AS DATE))"
    if dtype.startswith("decimal"):
        # A bound that went through a double has an exponent where it is long.
        return f"try_cast(IF(contains(upper({text}), 'E'), NULL, {text}) AS {_widest(dtype)})"
    return f"try_cast({text} AS BIGINT)"


def _widest(decimal: str) -> str:
    scale = decimal[:-1].split(",")[1]
    return f"DECIMAL(38,{scale})"


# --- the query -----------------------------------------------------------------------------------


def judged(
    files: Query,
    columns: Mapping[str, Column],
    checks: Sequence[Sequence[Claim]],
    *,
    shared: frozenset[str] | None = frozenset(),
    ids: Sequence[int] | None = None,
    statistics: str = "stats",
    keep: Sequence[str] = (),
    mute: bool = False,
    since: int | None = None,
) -> Query:
    """Judge every file.

    Args:
        files: the files; columns as Delta's log lists them (``AddFile``), and, where they are
            known, ``trusted``, whether Spark wrote a file, ``mask``, ``1`` at the id of each check
            that an earlier run found to hold for it, and ``removed``, whether it may be gone.
        columns: the table's columns.
        checks: for each check the claims that prove it; none where nothing does.
        shared: columns whose statistics are believed of trusted files alone
            (:func:`~spark_sig.delta.columns.shared_names`); None where what the writer may have
            got wrong has been left out already.
        ids: the checks' ids; their places where None.
        statistics: name of the column that has the statistics.
        mute: whether statistics are read all the same, but decide nothing: a count that is none
            makes the whole record one that says nothing, the number of rows included.
        keep: columns of ``files`` that come out as they are.
        since: milliseconds since 1970 before which files were written whose statistics are of
            another table; None where there are none.

    Returns:
        A query that gives the columns kept; ``kept``, the logical rows of the file, NULL where
        it does not say; and ``pattern``, a :class:`~spark_sig.stats.Proof` for the number of its
        rows (REFUTED where it does not say), then one for each check, as text.
    """
    layout = Layout(columns, shared)
    ids = range(len(checks)) if ids is None else ids
    memory = "mask" in files.columns
    letters = list(_letters(layout, list(ids), checks, memory=memory))
    if mute:
        letters = [_letter(layout, at if memory else None, ()) for at in ids]
    partitions = "".join(
        f", try_element_at(partitionValues, {literal(name)}) AS p{at}"
        f", map_contains_key(partitionValues, {literal(name)}) AS h{at}"
        for at, name in enumerate(layout.partitions)
    )
    structs = "".join(f", ({sql}) AS present{at}" for at, sql in enumerate(layout.structs.values()))
    absent = "".join(
        f", CAST(NULL AS boolean) AS {name}"
        for name in ("trusted", "removed")
        if name not in files.columns
    )
    opened = f"CASE WHEN removed THEN '{Proof.UNKNOWN.value}' ELSE '{Proof.PROVEN.value}' END"
    # What depends on the partition is neither repeated nor moved: a condition on the pattern would
    # parse the statistics again wherever it names it.
    unknown = Proof.UNKNOWN.value * len(checks)
    older = ""
    if since is not None:
        # Partition values are what Spark reads, whatever the file's statistics are of.
        told = [claims if _of_partitions(columns, claims) else () for claims in checks]
        pairs = zip(ids, told, strict=True)
        known = [opened, *(_letter(layout, at if memory else None, claims) for at, claims in pairs)]
        older = f"WHEN coalesce(modificationTime < {since}, true) THEN concat({', '.join(known)})"
    text = f"""
        SELECT {", ".join([*keep, "kept"])},
            CASE WHEN spark_partition_id() < 0 THEN NULL
                 WHEN kept IS NULL
                 THEN '{Proof.REFUTED.value}{unknown}'
                 WHEN kept = 0 AND {"false" if mute else "true"}
                 THEN concat({opened}, '{Proof.PROVEN.value * len(checks)}')
                 {older}
                 ELSE concat({", ".join([opened, *letters])}) END AS pattern
        FROM (
            SELECT *,
                IF(s.broken IS NULL AND gone BETWEEN 0 AND s.n, s.n - gone, NULL) AS kept,
                {_WIDE} AS wide{structs}
            FROM (
                SELECT *, coalesce(deletionVector.cardinality, 0) AS gone{partitions}{absent},
                    CAST({_parsed(layout, statistics)} AS {_type(layout, safe=True)}) AS s
                FROM {{query}}
            )
        )"""
    return files.within(text, [*keep, "kept", "pattern"])


def _letters(
    layout: Layout, ids: Sequence[int], checks: Sequence[Sequence[Claim]], *, memory: bool
) -> Iterator[str]:
    """Write what is known of checks, in order: a text for each, or for some that are alike."""
    for alike, run in groupby(
        zip(ids, checks, strict=True), lambda pair: is_plain(layout.columns, pair[1])
    ):
        pairs = list(run)
        if alike:
            yield _counted_letters(layout, pairs, memory=memory)
        else:
            yield from (_letter(layout, at if memory else None, claims) for at, claims in pairs)


def _of_partitions(columns: Mapping[str, Column], claims: Sequence[Claim]) -> bool:
    return all(find_column(columns, claim.place).kind is Kind.PARTITION for claim in claims)


def is_plain(columns: Mapping[str, Column], claims: Sequence[Claim]) -> bool:
    """Say whether claims are one, that a column is not NULL, which its count decides.

    Checks of such claims are judged together where they follow one another: Spark takes longer
    to plan a query the more there is in it, and most checks are of this kind.
    """
    return (
        len(claims) == 1
        and claims[0].no_null
        and len(claims[0].place) == 1
        and find_column(columns, claims[0].place).kind is Kind.COUNTED
    )


def _counted_letters(
    layout: Layout, pairs: Sequence[tuple[int, Sequence[Claim]]], *, memory: bool
) -> str:
    counts = ", ".join(layout.count(claims[0].place) for _, claims in pairs)
    verdict = _counted("n")
    places = ", ".join(str(at + 1) for at, _ in pairs)
    remembered = f"substr(mask, get(array({places}), i), 1) = '1'" if memory else ""
    # Of one type, also where no file has statistics and Spark puts NULL in place of each count.
    return (
        f"array_join(transform(CAST(array({counts}) AS array<bigint>), "
        f"(n, i) -> {_case(verdict, remembered)}), '')"
    )


def _letter(layout: Layout, mask: int | None, claims: Sequence[Claim]) -> str:
    """Write what is known of a check; ``mask`` is its place in that of earlier runs, if any."""
    remembered = "" if mask is None else f"substr(mask, {mask + 1}, 1) = '1'"
    if not claims:
        return _case(Verdict(), remembered)
    verdicts = [_verdict(layout, claim) for claim in claims]
    proven = " AND ".join(f"({verdict.proven})" for verdict in verdicts)
    refuted = " OR ".join(f"({verdict.refuted})" for verdict in verdicts)
    return _case(Verdict(proven, refuted), remembered)


def _case(verdict: Verdict, remembered: str) -> str:
    cases = [
        (verdict.proven, Proof.PROVEN),
        (verdict.refuted, Proof.REFUTED),
        (remembered or "false", Proof.REMEMBERED),
    ]
    when = " ".join(f"WHEN {sql} THEN '{proof.value}'" for sql, proof in cases if sql != "false")
    return f"CASE {when} ELSE '{Proof.UNKNOWN.value}' END" if when else f"'{Proof.UNKNOWN.value}'"


def _parsed(layout: Layout, statistics: str) -> str:
    options = "map('columnNameOfCorruptRecord', 'broken')"
    return f"from_json({statistics}, {literal(_type(layout))}, {options})"


def _type(layout: Layout, *, safe: bool = False) -> str:
    """Return the type of a file's statistics, with names as in the log or with safe ones."""
    # As text, a flag that is no boolean is not taken for an absent one.
    named = [
        ("numRecords", "n", "bigint"),
        ("tightBounds", "tight", "string"),
        ("broken", "broken", "string"),
    ]
    fields = [(short if safe else name, kind) for name, short, kind in named]
    parts = [
        ("nullCount", "counts", layout.counts, "bigint"),
        # As text, no bound that does not fit its column makes the whole record a broken one.
        ("minValues", "low", layout.bounds, "string"),
        ("maxValues", "high", layout.bounds, "string"),
    ]
    for name, short, tree, leaf in parts:
        if tree:
            fields.append((short if safe else name, _tree(tree, leaf, safe)))
    return _struct(fields)


def _tree(tree: dict[str, Any], leaf: str, safe: bool) -> str:
    return _struct(
        (f"c{at}" if safe else name, _tree(inner, leaf, safe) if inner else leaf)
        for at, (name, inner) in enumerate(tree.items())
    )


def _struct(fields: Iterable[tuple[str, str]]) -> str:
    return f"struct<{', '.join(f'{quoted(name)}: {kind}' for name, kind in fields)}>"
