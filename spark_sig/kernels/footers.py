"""Footers: what those of Parquet files prove, told as the log of a Delta table tells it.

Parquet's rules are those of parquet.thrift, ``Statistics`` and ``ColumnOrder``.  Where a writer is
known to break them, nothing is told.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.casts import RANGES, Kind, kind_of
from spark_sig.errors import assert_never
from spark_sig.naming import is_list
from spark_sig.stats import Place

if TYPE_CHECKING:
    import pyarrow.parquet as pq

# The column that comes in, and the one that is added to it.
URI, FOOTER = "uri", "footer"

# The name of any host but this one is no path.
_LOCAL = re.compile(r"(?:file:(?://(?:localhost)?(?=/)|(?!//)))?(/.*)", re.IGNORECASE | re.DOTALL)


class Wanted(NamedTuple):
    """A column, or a member of structs, that something has to be proven of.

    Args:
        path: its physical names, from the top.
        type: what Spark's schema has there, as Arrow; of a list or a map, the whole of it.
    """

    path: Place
    type: pa.DataType


class ReadFooters(NamedTuple):
    """Read the footers of the files that batches name.

    Each batch has a column of strings ``uri``, absolute and percent-encoded, and comes out with
    one more, ``footer``: the statistics as JSON, NULL where nothing is proven or nothing can be
    read.

    Args:
        wanted: what is looked for.
    """

    wanted: tuple[Wanted, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            texts = [self._text(uri) for uri in batch.column(URI).to_pylist()]
            columns = [*batch.columns, pa.array(texts, pa.string())]
            schema = batch.schema.append(pa.field(FOOTER, pa.string()))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _text(self, uri: str | None) -> str | None:
        if uri is None:
            return None
        try:
            found = footer_statistics(read_footer(uri), self.wanted)
        except Exception:
            # Whatever is wrong with a file, or out of reach, the scan will meet it and say so.
            return None
        return statistics_text(found) if found else None


def read_footer(uri: str) -> pq.FileMetaData:
    """Read the footer of a Parquet file, and nothing else of it.

    Args:
        uri: the file, percent-encoded; one without a scheme is a local path.

    Raises:
        OSError: where it cannot be reached.
        pyarrow.ArrowInvalid: where it is no Parquet file.
    """
    import pyarrow.parquet as pq

    with _open(uri) as file:
        return pq.read_metadata(file)


def _open(uri: str) -> pa.NativeFile:
    local = local_path(uri)
    if local is not None:
        return pa.OSFile(local)
    import pyarrow.fs

    system, path = pyarrow.fs.FileSystem.from_uri(uri)
    return system.open_input_file(path)


def local_path(uri: str) -> str | None:
    """Return the path of a file on this machine, or None where the URI is of another storage.

    Example:
        >>> local_path("file:///data/a%20b"), local_path("/data/50%25"), local_path("s3://a/b")
        ('/data/a b', '/data/50%', None)
    """
    found = _LOCAL.fullmatch(uri)
    return unquote(found[1], errors="strict") if found else None


def statistics_text(value: object) -> str:
    """Write statistics as JSON, with all the digits of decimals.

    Example:
        >>> statistics_text({"maxValues": {"a": Decimal("1.50"), "b": 7}})
        '{"maxValues":{"a":1.50,"b":7}}'
    """
    match value:
        case dict():
            members = (f"{json.dumps(name)}:{statistics_text(v)}" for name, v in value.items())
            return "{" + ",".join(members) + "}"
        case Decimal():
            return format(value, "f")
        case _:
            return json.dumps(value)


def footer_statistics(metadata: pq.FileMetaData, wanted: Iterable[Wanted]) -> dict[str, Any]:
    """Return what a footer proves: ``numRecords``, ``nullCount``, ``minValues``, ``maxValues``.

    The last three are nested as structs are.  A member's count is of the rows where it or a struct
    around it is NULL.  A list or a map has no count but 0, which says that neither it nor anything
    in it is NULL, and that none is empty.  Only integers, decimals and dates (as text) have bounds.

    Returns:
        an empty dict where the footer contradicts itself.
    """
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    rows = [group.num_rows for group in groups]
    if min(rows, default=0) < 0 or sum(rows) != metadata.num_rows:
        return {}
    counts, lows, highs = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    writer = _writer(metadata.created_by)
    for column in _columns(metadata.schema, wanted):
        chunks = _chunks(groups, column, writer) if _counts_nulls(writer, column) else None
        if chunks is None:
            continue
        nulls = sum(chunk.nulls for chunk in chunks)
        if nulls == 0 or column.scalar is not None:
            _put(counts, column.path, nulls)
        pair = _bounds(column, chunks, writer)
        if pair is not None:
            _put(lows, column.path, pair[0])
            _put(highs, column.path, pair[1])
    return {
        "numRecords": metadata.num_rows,
        "nullCount": counts,
        "minValues": lows,
        "maxValues": highs,
    }


def _put(tree: dict[str, Any], path: Place, value: object) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


# --- the columns of a schema ---------------------------------------------------------------------


class _Scalar(NamedTuple):
    """A type of single values, as far as it has to be the same."""

    kind: Kind
    precision: int = 0
    scale: int = 0


class _Column(NamedTuple):
    """Something wanted, where it is stored.

    Args:
        path: as wanted.
        type: as wanted.
        leaves: numbers of the columns that Parquet stores it in.
        inside: those columns.
        scalar: what it is; None of lists and maps.
    """

    path: Place
    type: pa.DataType
    leaves: range
    inside: tuple[Any, ...]
    scalar: _Scalar | None


def _columns(schema: Any, wanted: Iterable[Wanted]) -> Iterator[_Column]:
    """Yield what is stored under its name and as the type that it is wanted as."""
    fields = list(schema.to_arrow_schema())
    if sum(leaf_count(field.type) for field in fields) != len(schema):
        return
    places = {place: (dtype, leaves) for place, dtype, leaves in _places(fields, (), 0)}
    for path, dtype in wanted:
        stored, leaves = places.get(path, (None, range(0)))
        inside = tuple(schema.column(leaf) for leaf in leaves)
        if not inside or not _is_below(path, inside) or not _fits(dtype, stored, iter(inside)):
            continue
        yield _Column(path, dtype, leaves, inside, _scalar(dtype))


def _places(
    fields: Sequence[pa.Field], above: Place, first: int
) -> Iterator[tuple[Place, pa.DataType, range]]:
    """Yield all but structs, with the numbers of the leaf columns that each is stored in.

    Names that differ in case only are left out, with all below them: which one Spark reads
    depends on its configuration.
    """
    alike = Counter(field.name.casefold() for field in fields)
    for field in fields:
        leaves = range(first, first + leaf_count(field.type))
        first = leaves.stop
        place = (*above, field.name)
        if alike[field.name.casefold()] > 1:
            continue
        if pat.is_struct(field.type):
            yield from _places(_members(field.type), place, leaves.start)
        else:
            yield place, field.type, leaves


def leaf_count(dtype: pa.DataType) -> int:
    """Return how many columns Parquet stores a type in.

    Example:
        >>> leaf_count(pa.map_(pa.string(), pa.struct([("x", pa.int32()), ("y", pa.int32())])))
        3
    """
    dtype = _storage(dtype)
    return sum(map(leaf_count, _inside(dtype))) if pat.is_nested(dtype) else 1


def _inside(dtype: pa.DataType) -> list[pa.DataType]:
    if is_list(dtype):
        return [dtype.value_type]
    if pat.is_map(dtype):
        return [dtype.key_type, dtype.item_type]
    return [field.type for field in _members(dtype)] if pat.is_struct(dtype) else []


def _members(dtype: pa.DataType) -> list[pa.Field]:
    return [dtype.field(i) for i in range(dtype.num_fields)]


def _storage(dtype: pa.DataType) -> pa.DataType:
    return _storage(dtype.storage_type) if isinstance(dtype, pa.BaseExtensionType) else dtype


def _is_below(path: Place, columns: Iterable[Any]) -> bool:
    """Hold the counting of leaves against what the columns say of themselves."""
    dotted = ".".join(path)
    return all(f"{column.path}.".startswith(f"{dotted}.") for column in columns)


def _fits(wanted: pa.DataType, stored: pa.DataType, columns: Iterator[Any]) -> bool:
    """Say whether a type is stored as it is wanted; take the leaf columns below it on the way."""
    stored = _storage(stored)
    if not pat.is_nested(wanted):
        scalar = _scalar(wanted)
        return not pat.is_nested(stored) and scalar is not None and scalar == _leaf(next(columns))
    if is_list(wanted) != is_list(stored) or pat.is_map(wanted) != pat.is_map(stored):
        return False
    if _names(wanted) != _names(stored):
        return False
    pairs = zip(_inside(wanted), _inside(stored), strict=True)
    return all(_fits(inside, kept, columns) for inside, kept in pairs)


def _names(dtype: pa.DataType) -> list[str] | None:
    return [field.name for field in _members(dtype)] if pat.is_struct(dtype) else None


def _scalar(dtype: pa.DataType) -> _Scalar | None:
    kind = kind_of(dtype)
    if kind is None:
        return None
    if kind is Kind.DECIMAL:
        return _Scalar(kind, dtype.precision, dtype.scale)
    # No bounds of timestamps are told, so neither units nor zones make a difference.
    return _Scalar(Kind.TIMESTAMP if kind is Kind.TIMESTAMP_NTZ else kind)


# What Parquet stores, by the physical and the logical type of a column.
_PLAIN: dict[tuple[str, str], Kind] = {
    ("BOOLEAN", "NONE"): Kind.BOOL,
    ("INT32", "NONE"): Kind.INT32,
    ("INT64", "NONE"): Kind.INT64,
    ("FLOAT", "NONE"): Kind.FLOAT32,
    ("DOUBLE", "NONE"): Kind.FLOAT64,
    ("INT32", "DATE"): Kind.DATE,
    ("INT64", "TIMESTAMP"): Kind.TIMESTAMP,
    ("INT96", "NONE"): Kind.TIMESTAMP,
    ("BYTE_ARRAY", "STRING"): Kind.STRING,
    ("BYTE_ARRAY", "ENUM"): Kind.STRING,
    ("BYTE_ARRAY", "JSON"): Kind.STRING,
    ("BYTE_ARRAY", "NONE"): Kind.BINARY,
    ("BYTE_ARRAY", "BSON"): Kind.BINARY,
}

# ... and those annotated as integers, by bits and sign.
_INTEGERS: dict[tuple[str, int, bool], Kind] = {
    ("INT32", 8, True): Kind.INT8,
    ("INT32", 16, True): Kind.INT16,
    ("INT32", 32, True): Kind.INT32,
    ("INT64", 64, True): Kind.INT64,
    ("INT32", 8, False): Kind.UINT8,
    ("INT32", 16, False): Kind.UINT16,
    ("INT32", 32, False): Kind.UINT32,
    ("INT64", 64, False): Kind.UINT64,
}


def _leaf(column: Any) -> _Scalar | None:
    """Return what a column holds by Parquet's own types, whatever schema a writer put beside it."""
    physical, logical = column.physical_type, column.logical_type
    if logical.type == "DECIMAL":
        return _Scalar(Kind.DECIMAL, column.precision, column.scale)
    if logical.type == "INT":
        told = json.loads(logical.to_json())
        kind = _INTEGERS.get((physical, told["bitWidth"], told["isSigned"]))
    else:
        kind = _PLAIN.get((physical, logical.type))
    return None if kind is None else _Scalar(kind)


# --- writers -------------------------------------------------------------------------------------


class _Writer(Enum):
    """Who wrote a file, as far as it decides what to believe."""

    JAVA = "parquet-mr"  # Spark's
    ARROW = "parquet-cpp-arrow"  # pyarrow's
    OTHER = "other"


# Java has compared decimals of bytes rightly since 1.10; of Arrow, 15, 25 and 26 were tried.
_SINCE = {_Writer.JAVA: (1, 10), _Writer.ARROW: (15, 0)}
_CREATED_BY = re.compile(r"(parquet-mr|parquet-cpp-arrow) version (\d+)\.(\d+)")


def _writer(created_by: str | None) -> _Writer:
    found = _CREATED_BY.match(created_by or "")
    if not found:
        return _Writer.OTHER
    writer = _Writer(found[1])
    return writer if (int(found[2]), int(found[3])) >= _SINCE[writer] else _Writer.OTHER


def _counts_nulls(writer: _Writer, column: _Column) -> bool:
    """Say whether a count of 0 by this writer would mean that there is no NULL."""
    match writer:
        case _Writer.JAVA:
            return True
        case _Writer.ARROW:
            # It misses a NULL struct around a dictionary, whose values are texts or bytes, and up
            # to 25 a NULL or empty list around structs of numbers (apache/arrow#51097).
            texts = any(leaf.physical_type == "BYTE_ARRAY" for leaf in column.inside)
            return not (len(column.path) > 1 and texts) and not _has_struct(column.type)
        case _Writer.OTHER:
            # Some count the NULLs of a leaf itself, and not those of what is around it.
            return len(column.path) == 1 and column.scalar is not None
        case _:
            assert_never(writer)


def _has_struct(dtype: pa.DataType) -> bool:
    return pat.is_struct(dtype) or any(map(_has_struct, _inside(dtype)))


# --- the columns of row groups -------------------------------------------------------------------


class _Chunk(NamedTuple):
    """A column of a row group, with a count of NULLs that may be believed."""

    nulls: int
    values: int
    statistics: Any


def _chunks(groups: Iterable[Any], column: _Column, writer: _Writer) -> list[_Chunk] | None:
    """Return the chunks of all row groups that have rows, or None where one tells too little."""
    found: list[_Chunk] = []
    for group in groups:
        for leaf in column.leaves if group.num_rows else ():
            chunk = _chunk(group.column(leaf), group.num_rows, column, writer)
            if chunk is None:
                return None
            found.append(chunk)
    return found


def _chunk(chunk: Any, rows: int, column: _Column, writer: _Writer) -> _Chunk | None:
    statistics, values = chunk.statistics, chunk.num_values
    if statistics is None or not statistics.has_null_count:
        return None
    if values < rows or (values > rows and column.scalar is not None):
        return None
    nulls = statistics.null_count
    if not 0 <= nulls <= values:
        return None
    # Who looks at no value counts no NULL either: parquet-rs up to 4, where there is nothing else.
    if writer is _Writer.OTHER and nulls < values and not statistics.has_min_max:
        return None
    return _Chunk(nulls, values, statistics)


def _bounds(
    column: _Column, chunks: Iterable[_Chunk], writer: _Writer
) -> tuple[object, object] | None:
    """Return the least and the greatest value, or None where one is not known for sure."""
    scalar = column.scalar
    limits = None if scalar is None else _limits(scalar, column.inside[0].physical_type, writer)
    if scalar is None or limits is None:
        return None
    bottom, top = limits
    lows, highs = list[int](), list[int]()
    for chunk in chunks:
        if chunk.nulls == chunk.values:
            continue
        if not chunk.statistics.has_min_max:
            return None
        low = _number(chunk.statistics.min_raw, column.inside[0], scalar.kind)
        high = _number(chunk.statistics.max_raw, column.inside[0], scalar.kind)
        if low is None or high is None or not bottom <= low <= high <= top:
            return None
        lows.append(low)
        highs.append(high)
    return (_value(min(lows), scalar), _value(max(highs), scalar)) if lows else None


# The days of dates that text can tell, counted from 1970-01-01.
_EPOCH = date(1970, 1, 1).toordinal()
_DATES = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH


def _limits(scalar: _Scalar, physical: str, writer: _Writer) -> tuple[int, int] | None:
    """Return between what bounds must lie to be right, or None where none are told.

    Floats have none, as writers leave NaN out; decimals of bytes only where the writer is known
    to compare them as numbers.
    """
    if scalar.kind in RANGES:
        return RANGES[scalar.kind]
    if scalar.kind is Kind.DATE:
        return _DATES
    foreign = physical == "FIXED_LEN_BYTE_ARRAY" and writer is _Writer.OTHER
    if scalar.kind is Kind.DECIMAL and physical != "BYTE_ARRAY" and not foreign:
        return 1 - 10**scalar.precision, 10**scalar.precision - 1
    return None


def _number(raw: int | bytes, leaf: Any, kind: Kind) -> int | None:
    """Read a value as stored: an integer, a date's days, or a decimal without its point."""
    if isinstance(raw, bytes):
        return int.from_bytes(raw, "big", signed=True) if len(raw) == leaf.length else None
    if raw < 0 and kind in RANGES and RANGES[kind][0] == 0:
        return raw + (2**32 if leaf.physical_type == "INT32" else 2**64)
    return raw


def _value(number: int, scalar: _Scalar) -> int | str | Decimal:
    """Return a bound as the log of a table has it."""
    if scalar.kind is Kind.DATE:
        return date.fromordinal(number + _EPOCH).isoformat()
    if scalar.kind is Kind.DECIMAL:
        return Decimal(f"{number}E-{scalar.scale}")
    return number
