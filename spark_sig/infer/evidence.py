"""Evidence: why each field of an inferred signature is required or optional."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from spark_sig.delta.nulls import NullEvidence, Nulls
from spark_sig.inference import Basis, FieldEvidence
from spark_sig.naming import member_path
from spark_sig.observed import Lists, Maps, Observed, Records
from spark_sig.schema import Spec, TensorSpec
from spark_sig.types import AnyType, Array, ColumnType, Map, Object


class Flag(NamedTuple):
    """What is known of the NULLs at a place before any row is read.

    Args:
        nulls: NONE or SOME.
        basis: what says so.
        log: what the log says, where that is the basis.
    """

    nulls: Nulls
    basis: Basis
    log: NullEvidence | None = None

    def __str__(self) -> str:
        if self.log is not None:
            found = "0 nulls" if self.nulls is Nulls.NONE else "nulls"
            files = f"{self.log.files:,} file{'s' if self.log.files != 1 else ''}"
            return f"{found} in {self.log.rows:,} rows by statistics of {files}"
        if self.basis is Basis.CONSTRAINT:
            return "NOT NULL constraint"
        return "nullable=False, which Spark takes on trust"


Flags: TypeAlias = Mapping[tuple[str, ...], Flag]


def evidence_of(
    spec: Spec, seen: Observed, flags: Flags, side: str, note: str
) -> Iterator[FieldEvidence]:
    """Yield why a column is what it is, then the same of what lies within it.

    Args:
        spec: what the signature says.
        seen: what was observed of the column.
        flags: what was known before.
        side: ``inputs`` or ``outputs``.
        note: what the user has to know of the column besides.
    """
    name = spec.name or ""
    path = member_path("$", name)
    if isinstance(spec.type, AnyType):
        yield FieldEvidence(path, side, repr(spec.type), False, Basis.ASKED, "any type, as asked")
    elif isinstance(spec, TensorSpec):
        shown = repr(TensorSpec(spec.type, spec.shape))
        yield FieldEvidence(path, side, shown, True, *_why(seen, (name,), flags), note)
    else:
        top = _Level(path, spec.type, bool(spec.required), seen, (name,))
        for level in _levels(top):
            basis, why = _why(level.seen, level.place, flags)
            if level.required is False and isinstance(level.type, (Array, Map)):
                # Elements and map values share the flag.
                why += "; nulls inside" if why.startswith("0 nulls") else ""
            told = note if level is top else ""
            yield FieldEvidence(
                level.path, side, repr(level.type), level.required, basis, why, told
            )


class _Level(NamedTuple):
    """One place of a column; ``place`` is empty below elements, where nothing was known before."""

    path: str
    type: ColumnType
    required: bool | None
    seen: Observed
    place: tuple[str, ...]


def _levels(level: _Level) -> Iterator[_Level]:
    yield level
    below = f"{level.path}[*]"
    match level.type, level.seen:
        case Array(dtype=dtype), Observed(lists=Lists() as lists):
            yield from _levels(_Level(below, dtype, None, lists.element, ()))
        case Map(value_type=dtype), Observed(maps=Maps() as maps):
            yield from _levels(_Level(below, dtype, None, maps.value, ()))
        case Object(properties=properties), Observed(records=Records() as records):
            for inside in properties:
                path = member_path(level.path, inside.name)
                place = (*level.place, inside.name) if level.place else ()
                seen = records.members[inside.name]
                yield from _levels(_Level(path, inside.dtype, bool(inside.required), seen, place))


def _why(seen: Observed, place: tuple[str, ...], flags: Flags) -> tuple[Basis, str]:
    if place in flags:
        return flags[place].basis, str(flags[place])
    what = "rows" if len(place) == 1 else "values"
    return Basis.SCANNED, f"{_nulls(seen.nulls)} in {seen.rows:,} {what}, scanned"


def _nulls(count: int) -> str:
    return f"{count:,} null{'s' if count != 1 else ''}"
