"""Tables: signatures derived from all rows of a source, from its log alone where that will do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from spark_sig.compile.spark import source_schema
from spark_sig.delta.nulls import Nulls, not_null_places, null_evidence
from spark_sig.errors import SignatureError, SourceError
from spark_sig.gate.scan import explained
from spark_sig.infer.decimals import Decimals, has_decimals, without_decimals
from spark_sig.infer.evidence import Flag, Flags, evidence_of
from spark_sig.infer.params import infer_params
from spark_sig.infer.scan import Place, Scan, counted_of, nothing_of, places, scan
from spark_sig.infer.tensors import table_tensor
from spark_sig.infer.values import OnUnsupported, check_choice, columns_schema
from spark_sig.inference import Basis, FieldEvidence, Inference
from spark_sig.naming import member_path, spark_type, type_name
from spark_sig.observed import Observed
from spark_sig.schema import Schema
from spark_sig.signature import ModelSignature
from spark_sig.sources import Resolved, resolve
from spark_sig.types import AnyType

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.sources import Data

SIDES = ("inputs", "outputs")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source that becomes a field.

    Args:
        index: its place in the source.
        side: the side that it goes to.
        field: what it is taken for (decimals are numbers).
        places: what Spark itself can count of it; None where Python has to look into it.
        settled: whether its type is one that a signature has; its rows are not read where not.
    """

    index: int
    side: str
    field: pa.Field
    places: tuple[Place, ...] | None
    settled: bool = True

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.field.name)


def infer_table(
    data: Data,
    *,
    version: int | None = None,
    timestamp: str | None = None,
    columns: Sequence[str] = (),
    exclude: Sequence[str] = (),
    outputs: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    tensors: bool = False,
    decimals: Decimals = "refuse",
    on_unsupported: OnUnsupported = "raise",
    spark: SparkSession | None = None,
) -> Inference:
    """Infer a signature from every row of a source.

    Types come from the source's schema.  A field is required where a NOT NULL constraint says
    so, else where the statistics of every file prove that it has no NULL, else where one pass
    over the columns that are still open finds none; members of structs, elements of arrays and
    values of maps likewise.  NaN is a value.

    Args:
        data: a DataFrame, a path of a Delta table or of Parquet files, or a catalog name.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.
        columns: the columns to take; all where empty.
        exclude: columns to leave out.
        outputs: columns that are the model's outputs; the others are its inputs.
        params: params by name, with their defaults.
        tensors: whether to make tensors of the columns: arrays of one constant shape (nested, or
            flat), vectors of one length, and scalars.
        decimals: what decimals with a fraction become.
        on_unsupported: ``any`` lets columns that no signature can say be of any type.
        spark: the session; the active one where None.

    Raises:
        SignatureError: where names mean no column, or no signature can say what a column is.
        SourceError: where the source, or the version, cannot be read.
    """
    check_choice(on_unsupported, ("raise", "any"))
    source = resolve(data, version=version, timestamp=timestamp, spark=spark, counted=False)
    # A tensor's dtype is strict: decimals are none.
    taken = _chosen(source, columns, exclude, outputs, None if tensors else decimals)
    chosen = _settled(taken, on_unsupported)
    flags = _flags(source, chosen)
    source = _counted(source, chosen, flags)
    seen, scanned = _observed(source, chosen, flags)
    schemas: dict[str, Schema] = {}
    for side in SIDES:
        mine = [c for c in chosen if c.side == side]
        if mine and tensors:
            schemas[side] = Schema(table_tensor(seen[c.index], c.name, _path(c)) for c in mine)
        elif mine:
            triples = [(c.name, _path(c), lambda c=c: seen[c.index]) for c in mine]
            schemas[side] = columns_schema(triples, on_unsupported)
    signature = ModelSignature(schemas.get("inputs"), schemas.get("outputs"), infer_params(params))
    return Inference(
        signature,
        source.info,
        source.expected_rows if scanned is None else scanned.rows,
        tuple(c.name for c in chosen if _is_open(c, flags)),
        tuple(_evidence(source, chosen, seen, flags, schemas)),
    )


def _path(column: Column) -> str:
    return member_path("$", column.name)


# --- columns --------------------------------------------------------------------------------------


def _chosen(
    source: Resolved,
    columns: Sequence[str],
    exclude: Sequence[str],
    outputs: Sequence[str],
    decimals: Decimals | None,
) -> list[Column]:
    schema = source_schema(source.frame.schema)
    for given, what in ((columns, "columns"), (exclude, "exclude"), (outputs, "outputs")):
        _check_names(given, schema.names, what)
    wanted = set(columns) | set(outputs) if columns else set(schema.names)
    taken = [
        (i, field)
        for i, field in enumerate(schema)
        if field.name in wanted and field.name not in exclude
    ]
    if not taken:
        raise SignatureError(
            "no column is left to infer from", observed=f"{len(schema)} columns, all left out"
        )
    names = [field.name for _, field in taken]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SignatureError(
            f"more than one column is named {repeated[0]!r}",
            path=member_path("$", repeated[0]),
            remedy="rename or leave out the duplicates first",
        )
    made = []
    for i, field in taken:
        plain = field if decimals is None else without_decimals(field, decimals)
        counted = places(plain, f"c{i}")
        side = "outputs" if field.name in outputs else "inputs"
        made.append(Column(i, side, plain, None if counted is None else tuple(counted)))
    return made


def _check_names(given: Sequence[str], names: Sequence[str], what: str) -> None:
    if isinstance(given, str):
        raise SignatureError(f"{what} must be a list of names", observed="str", path=what)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            raise SignatureError(
                f"{what} names no column {name!r}",
                path=what,
                expected=f"one of {', '.join(names[:20])}",
                remedy=f"did you mean {near[0]!r}?" if near else "",
            )


def _settled(taken: Sequence[Column], on_unsupported: OnUnsupported) -> list[Column]:
    """Refuse, or mark, what the types alone rule out, before any row is read."""
    columns = [(c.name, _path(c), lambda c=c: nothing_of(c.field)) for c in taken]
    schema = columns_schema(columns, on_unsupported)
    return [
        replace(column, settled=not isinstance(spec.type, AnyType))
        for column, spec in zip(taken, schema, strict=True)
    ]


# --- evidence -------------------------------------------------------------------------------------


def _flags(source: Resolved, chosen: Sequence[Column]) -> Flags:
    """Return what is known of the NULLs at each place before any row is read."""
    struct = source.frame.schema
    wanted = {c.name for c in chosen}
    found: dict[tuple[str, ...], Flag] = {}
    imposed = source.imposed()
    for place in not_null_places(struct):
        if place[0] in wanted:
            sure = source.enforced and place not in imposed
            found[place] = Flag(Nulls.NONE, Basis.CONSTRAINT if sure else Basis.ASSUMED)
    open_places = [p for c in chosen for p in _known_places(c) if p not in found]
    if source.snapshot is not None and open_places:
        evidence = null_evidence(source.frame.sparkSession, source.snapshot, open_places)
        for place, one in evidence.items():
            if one.nulls is not Nulls.UNKNOWN:
                found[place] = Flag(one.nulls, Basis.STATISTICS, one)
    return found


def _counted(source: Resolved, chosen: Sequence[Column], flags: Flags) -> Resolved:
    """Return the source with its rows counted, by the query that decided the flags if it can."""
    told = (flag.log for flag in flags.values() if flag.log and not flag.log.undecided)
    if (log := next(told, None)) is None or any(_is_open(c, flags) for c in chosen):
        return source.counted()
    assert source.snapshot is not None
    snapshot = replace(source.snapshot, files=log.files, rows=log.rows)
    return Resolved.of(source.frame, snapshot, source.info.name)


def _known_places(column: Column) -> list[tuple[str, ...]]:
    if not column.settled:
        return []
    if column.places is None:
        return [(column.name,)]
    return [place.path for place in column.places]


def _is_open(column: Column, flags: Flags) -> bool:
    """Say whether rows have to be read for a column."""
    if not column.settled:
        return False
    if column.places is None:
        return True
    return any(place.path not in flags for place in column.places)


def _observed(
    source: Resolved,
    chosen: Sequence[Column],
    flags: Flags,
) -> tuple[dict[int, Observed], Scan | None]:
    """Return what is known of each column, by its index, and the scan that was needed."""
    counted = [
        place
        for column in chosen
        if column.settled and column.places is not None
        for place in column.places
        if place.path not in flags
    ]
    shipped = [(f"c{c.index}", c.field) for c in chosen if c.settled and c.places is None]
    found: Scan | None = None
    if counted or shipped:
        names = [f"c{i}" for i in range(len(source.frame.columns))]
        try:
            found = scan(source.frame.toDF(*names), counted, shipped)
        except Exception as error:
            raise explained(error) from error
        _check_complete(source, found)
    rows = source.expected_rows or 0 if found is None else found.rows
    nulls = {path: _least(flag) for path, flag in flags.items()} | (found.nulls if found else {})
    whole = Scan(rows, nulls, {} if found is None else found.columns)
    return {c.index: _seen(c, whole) for c in chosen}, found


def _seen(column: Column, whole: Scan) -> Observed:
    if not column.settled:
        return nothing_of(column.field)
    if column.places is None:
        return whole.columns[column.name]
    return counted_of(column.field, whole)


def _least(flag: Flag) -> int:
    """Return the least number of NULLs that a flag speaks of."""
    return 1 if flag.nulls is Nulls.SOME else 0


def _check_complete(source: Resolved, found: Scan) -> None:
    promised, uncounted = source.expected_rows, source.info.uncounted
    if promised is None:
        return
    if found.rows < promised or (found.rows > promised and not uncounted):
        raise SourceError(
            f"the scan of {source.info} saw {found.rows:,} rows, and its files promise {promised:,}"
        )


def _evidence(
    source: Resolved,
    chosen: Sequence[Column],
    seen: Mapping[int, Observed],
    flags: Flags,
    schemas: Mapping[str, Schema],
) -> Iterator[FieldEvidence]:
    given = source_schema(source.frame.schema)
    for side in SIDES:
        mine = [c for c in chosen if c.side == side]
        for column, spec in zip(mine, schemas.get(side, ()), strict=True):
            note = _note(given.field(column.index), column.field)
            yield from evidence_of(spec, seen[column.index], flags, side, note)


def _note(given: pa.Field, taken: pa.Field) -> str:
    """Say what a user has to do besides, where values are taken for what they are not."""
    if spark_type(given) is None and has_decimals(given.type):
        stored, made = type_name(given), type_name(taken)
        if "double" in made:
            return (
                f"{stored} taken for {made}, which holds few fractions exactly: cast the column "
                "before it is enforced"
            )
        return f"{stored} taken for {made}: enforce with casts='lossless', which decides by value"
    return ""
