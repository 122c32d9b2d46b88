"""Scans: the rows of a source's parts, tallied in one query where all conform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from spark_sig.delta.log import first_line, spark_errors
from spark_sig.engines.catalyst import compile_expressions, numbered, source_columns
from spark_sig.engines.expressions import Expressions
from spark_sig.engines.stage import group_tallies, merged_tally, partial_tallies
from spark_sig.errors import SignatureError, SourceError
from spark_sig.kernels.summary import summarise_details
from spark_sig.plan import EnforcementPlan, FieldPlan, Rung
from spark_sig.planner import node_checks
from spark_sig.tally import Tally

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Part(NamedTuple):
    """Rows that have the same checks left to decide.

    Args:
        frame: the rows, their columns numbered.
        plan: what they are held to.
        arrow: fields that only Arrow can check.
        fused: fields that Catalyst checks.
    """

    frame: DataFrame
    plan: EnforcementPlan
    arrow: tuple[FieldPlan, ...]
    fused: tuple[FieldPlan, ...]

    @classmethod
    def of(cls, frame: DataFrame, plan: EnforcementPlan) -> Part:
        """Find out which fields have to be read."""
        read = [f for f in plan.fields if any(plan.checks[c].scanned for c in node_checks(f.node))]
        arrow = tuple(f for f in read if f.rung is Rung.ARROW)
        fused = tuple(f for f in read if f.rung is not Rung.ARROW)
        return cls(numbered(frame, plan), plan, arrow, fused)

    def found(self) -> Expressions:
        """Return what Catalyst evaluates."""
        return compile_expressions(self.plan, self.fused, columns=source_columns(self.plan))


def tally_parts(
    parts: Sequence[tuple[DataFrame, EnforcementPlan]],
    limit: int,
    row_key: Sequence[str] = (),
    *,
    dirty: bool = False,
) -> Tally:
    """Tally all rows of some parts: one query where all conform, at most a second for details.

    Args:
        parts: rows, and what they are held to; no row is in two of them.
        limit: how many examples a check keeps.
        row_key: source columns whose values name a row in examples.
        dirty: whether it is known that rows violate.

    Raises:
        SourceError: where the rows cannot be read.
    """
    if not parts:
        return Tally.empty(limit)
    with explaining():
        return _tally([Part.of(*part) for part in parts], limit, row_key, dirty)


def _tally(parts: Sequence[Part], limit: int, row_key: Sequence[str], dirty: bool) -> Tally:
    if not any(part.arrow for part in parts):
        if not any(part.fused for part in parts):
            counts = _union([part.frame.selectExpr("count(*)") for part in parts]).collect()
            return Tally(limit, sum(int(row[0]) for row in counts), 0, {})
        if not dirty and (clean := _tally_clean(parts, limit)) is not None:
            return clean
        if not row_key and (few := tally_few(parts, limit)) is not None:
            return few
    return merged_tally([_partials(part, limit, row_key) for part in parts], limit)


def _union(frames: Sequence[DataFrame]) -> DataFrame:
    return reduce(lambda one, other: one.unionAll(other), frames)


def _tally_clean(parts: Sequence[Part], limit: int) -> Tally | None:
    """Count the rows in Catalyst; None where some violate."""
    counts = [
        part.frame.selectExpr("count(*)", f"count_if({part.found().violates or 'false'})")
        for part in parts
    ]
    rows = _union(counts).collect()
    if any(row[1] for row in rows):
        return None
    return Tally(limit, sum(int(row[0]) for row in rows), 0, {})


# Kinds of rows that the driver adds up itself.  Rows without keys are of few kinds: which checks
# they violate, and how.
FEW_KINDS = 10_000

_VIOLATIONS = pa.list_(pa.struct([("check", pa.int32()), ("observed", pa.string())]))


def tally_few(parts: Sequence[Part], limit: int) -> Tally | None:
    """Tally rows without keys on the driver, by their kinds; None where there are too many."""
    kinds = _union([_kinds(part, ()) for part in parts])
    rows = kinds.limit(FEW_KINDS + 1).collect()
    if len(rows) > FEW_KINDS:
        return None
    found = [
        [violation.asDict() for violation in row["detail"]["violations"]] if row["detail"] else None
        for row in rows
    ]
    details = pa.StructArray.from_arrays(
        [pa.nulls(len(found), pa.struct([])), pa.array(found, _VIOLATIONS)], ["key", "violations"]
    )
    return summarise_details(limit, details, [row["count"] for row in rows])


def _partials(part: Part, limit: int, row_key: Sequence[str]) -> DataFrame:
    """Tally the rows of a part with all details."""
    if part.arrow:
        found = part.found()
        details = f"CASE WHEN {found.violates} THEN {found.details} END" if found.violates else None
        return partial_tallies(part.frame, part.plan, part.arrow, row_key, details)
    return group_tallies(_kinds(part, row_key), limit)


def _kinds(part: Part, row_key: Sequence[str]) -> DataFrame:
    """Count the rows of each key that violate the same checks; those that conform are one kind."""
    found = part.found()
    # Conforming rows fall into one group, before anything is shuffled.
    places = [part.plan.source.names.index(name) for name in row_key]
    key = ", ".join(f"'k{i}', {_exactly(part.frame, place)}" for i, place in enumerate(places))
    detail = (
        f"CASE WHEN {found.violates or 'false'} THEN named_struct("
        f"'key', named_struct({key}), 'violations', {found.details or NO_DETAILS}) END AS detail"
    )
    return part.frame.selectExpr(detail).groupBy("detail").count()


# The details of rows that violate nothing.
NO_DETAILS = "CAST(array() AS array<struct<check: int, observed: string>>)"


def _exactly(frame: DataFrame, place: int) -> str:
    """Write a numbered column so that only equal values fall into one group."""
    collated = frame.schema.fields[place].dataType.simpleString().startswith("string collate")
    return f"c{place} COLLATE UTF8_BINARY" if collated else f"c{place}"


@contextmanager
def explaining(what: str = "the source cannot be read") -> Iterator[None]:
    """Raise errors of Spark's as :func:`explained` has them; others keep their causes."""
    try:
        yield
    except Exception as error:
        said = explained(error, what)
        if said is error:
            raise
        raise said from error


def explained(error: Exception, what: str = "the source cannot be read") -> Exception:
    """Return an error of Spark's as one that says what the user can do, where that is known.

    Args:
        error: the error.
        what: what it comes to.
    """
    text = str(error)
    for module in ("pyarrow", "numpy", "spark_sig"):
        if f"No module named '{module}'" in text:
            return SourceError(
                f"the Python of Spark's workers has no {module}: point PYSPARK_PYTHON at one that "
                f"has, or install it there"
            )
    if isinstance(error, (SignatureError, SourceError)):
        return error
    # those of Delta's are PySpark's own, in a module of theirs
    if isinstance(error, spark_errors()) or type(error).__module__.startswith("grpc"):
        return SourceError(f"{what}: {first_line(error)}")
    return error
