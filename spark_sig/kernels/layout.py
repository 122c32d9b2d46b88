"""Arrow layouts: one reading of arrays that hold the same values in different buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from spark_sig.casts import Kind, kind_of
from spark_sig.errors import SignatureError
from spark_sig.naming import is_list

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]

# How the values of fixed width lie in their buffer.
WIDTHS: dict[Kind, np.dtype[Any]] = {
    Kind.INT8: np.dtype("int8"),
    Kind.INT16: np.dtype("int16"),
    Kind.INT32: np.dtype("int32"),
    Kind.INT64: np.dtype("int64"),
    Kind.UINT8: np.dtype("uint8"),
    Kind.UINT16: np.dtype("uint16"),
    Kind.UINT32: np.dtype("uint32"),
    Kind.UINT64: np.dtype("uint64"),
    Kind.FLOAT16: np.dtype("float16"),
    Kind.FLOAT32: np.dtype("float32"),
    Kind.FLOAT64: np.dtype("float64"),
    Kind.TIMESTAMP: np.dtype("int64"),
    Kind.TIMESTAMP_NTZ: np.dtype("int64"),
}


# --- values ------------------------------------------------------------------------------------


def words(array: pa.Array, dtype: npt.DTypeLike, per_value: int = 1) -> npt.NDArray[Any]:
    """View the values of an array of fixed width, those under NULL included, without a copy."""
    dtype = np.dtype(dtype)
    if len(array) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(
        array.buffers()[1],
        dtype,
        len(array) * per_value,
        array.offset * per_value * dtype.itemsize,
    )


def numbers(array: pa.Array, kind: Kind) -> npt.NDArray[Any]:
    """View the values of an array of numbers or timestamps, without a copy."""
    return words(array, WIDTHS[kind])


def plain(array: pa.Array) -> pa.Array:
    """Return a scalar array in its kind's plain layout: no dictionary, run ends or views."""
    dtype = array.type
    if pat.is_dictionary(dtype):
        return plain(array.dictionary_decode())
    if pat.is_run_end_encoded(dtype):
        return plain(pc.run_end_decode(array))
    if _is(dtype, "is_string_view"):
        return pc.cast(array, pa.large_string())
    if _is(dtype, "is_binary_view"):
        return pc.cast(array, pa.large_binary())
    return array


# --- validity ----------------------------------------------------------------------------------


def validity(array: pa.Array) -> Mask | None:
    """Return which values are not NULL, or None where none is; O(1) where Arrow knows the count."""
    dtype = array.type
    if pat.is_null(dtype):
        return np.zeros(len(array), np.bool_) if len(array) else None
    logical = (
        pat.is_run_end_encoded(dtype)
        or pat.is_union(dtype)
        # NULLs of a dictionary's own count in no bitmap.
        or (pat.is_dictionary(dtype) and array.dictionary.null_count > 0)
    )
    if logical:
        if pat.is_dictionary(dtype):
            array = array.dictionary_decode()
        elif pat.is_run_end_encoded(dtype):
            array = pc.run_end_decode(array)
        return _some(unpack(pc.is_valid(array).buffers()[1], 0, len(array)))
    if array.null_count == 0:
        return None
    return unpack(array.buffers()[0], array.offset, len(array))


def null_places(array: pa.Array) -> Positions:
    """Return the places of NULLs; what is read is one bit a value."""
    count = len(array)
    bits = array.buffers()[0] if pat.is_primitive(array.type) and array.null_count else None
    if bits is None or count < 64:
        valid = validity(array)
        return np.empty(0, np.int64) if valid is None else np.flatnonzero(~valid)
    first = array.offset // 8
    octets = np.frombuffer(bits, np.uint8, (array.offset + count + 7) // 8 - first, first)
    holes = np.flatnonzero(octets != 0xFF)
    inside = np.unpackbits(octets[holes, None], axis=1, bitorder="little") == 0
    rows, offsets = np.nonzero(inside)
    places = holes[rows] * 8 + offsets - (array.offset - first * 8)
    # The first and the last octet may hold bits of neighbours.
    kept: Positions = places[(places >= 0) & (places < count)]
    return kept


def unpack(bits: pa.Buffer, start: int, length: int) -> Mask:
    """Read booleans from a bitmap."""
    first = start // 8
    octets = np.frombuffer(bits, np.uint8, (start + length + 7) // 8 - first, first)
    shift = start - first * 8
    flags = np.unpackbits(octets, count=shift + length, bitorder="little")
    return flags[shift:].view(np.bool_)


def pack(valid: Mask | None) -> pa.Buffer | None:
    """Write a bitmap; None stays none."""
    if valid is None:
        return None
    return pa.py_buffer(np.packbits(valid, bitorder="little"))


def both(left: Mask | None, right: Mask | None) -> Mask | None:
    """Return where both hold; None holds everywhere."""
    if left is None or right is None:
        return right if left is None else left
    return left & right


def _some(mask: Mask) -> Mask | None:
    return None if mask.all() else mask


# --- building ----------------------------------------------------------------------------------


def assemble(dtype: pa.DataType, values: npt.NDArray[Any], valid: Mask | None) -> pa.Array:
    """Build an array of fixed width from its values."""
    # Arrow reads the very bytes: they have to lie one after another.
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(dtype, len(values), [pack(valid), data])


def mask_out(array: pa.Array, bad: Mask) -> pa.Array:
    """Return the array with NULL where ``bad`` holds; nothing but bitmaps is copied if possible."""
    dtype = array.type
    if pat.is_dictionary(dtype):
        indices = mask_out(array.indices, bad)
        return pa.DictionaryArray.from_arrays(indices, array.dictionary, ordered=dtype.ordered)
    if pat.is_run_end_encoded(dtype):
        hidden = mask_out(pc.run_end_decode(array), bad)
        return pc.run_end_encode(hidden, run_end_type=dtype.run_end_type)
    valid = both(validity(array), ~bad)
    if is_list(dtype):
        inside = Lists.of(array)
        return inside.rebuild(dtype, inside.values, valid)
    if pat.is_struct(dtype):
        children = [array.field(i) for i in range(dtype.num_fields)]
        return struct(dtype, len(array), children, valid)
    kind = kind_of(dtype)
    if len(array) and (kind in WIDTHS or kind is Kind.DECIMAL):
        width = dtype.bit_width // 8
        data = array.buffers()[1].slice(array.offset * width, len(array) * width)
        return pa.Array.from_buffers(dtype, len(array), [pack(valid), data])
    return pc.if_else(pa.array(bad), pa.scalar(None, dtype), array)


def struct(
    dtype: pa.DataType, length: int, children: list[pa.Array], valid: Mask | None
) -> pa.Array:
    """Build a struct from its members."""
    return pa.Array.from_buffers(dtype, length, [pack(valid)], children=children)


# --- lists -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Lists, or maps, in any layout.

    Args:
        count: how many there are, NULLs included.
        values: the elements of all of them, one after another; those that lie under a NULL too.
        offsets: where each one's elements begin and end, less ``offsets[0]``; None where all
            have the same ``size``.
        size: how many elements each one has; -1 where they differ.
    """

    count: int
    values: pa.Array
    offsets: npt.NDArray[np.integer[Any]] | None
    size: int = -1

    @classmethod
    def of(cls, array: pa.Array) -> Lists:
        """Read an array of lists or maps; no element is copied, list views excepted."""
        dtype, count = array.type, len(array)
        if pat.is_fixed_size_list(dtype):
            size = dtype.list_size
            return cls(count, array.values.slice(array.offset * size, count * size), None, size)
        if is_view(dtype):
            # Views may overlap and lie in any order; what NULLs refer to is left out.
            sizes = np.asarray(array.sizes).astype(np.int64)
            valid = validity(array)
            if valid is not None:
                sizes = np.where(valid, sizes, 0)
            offsets = np.zeros(count + 1, np.int64)
            np.cumsum(sizes, out=offsets[1:])
            return cls(count, array.flatten(), offsets)
        wide = pat.is_large_list(dtype)
        if count == 0:
            return cls(0, array.values.slice(0, 0), np.zeros(1, np.int64 if wide else np.int32))
        width = np.dtype(np.int64 if wide else np.int32)
        offsets = np.frombuffer(array.buffers()[1], width, count + 1, array.offset * width.itemsize)
        first, last = int(offsets[0]), int(offsets[-1])
        return cls(count, array.values.slice(first, last - first), offsets)

    def lengths(self) -> npt.NDArray[np.integer[Any]]:
        """Return how many elements each list has."""
        if self.offsets is None:
            return np.full(self.count, self.size, np.int64)
        return np.diff(self.offsets)

    def owners(self, positions: Positions) -> Positions:
        """Return the lists that hold the elements at some positions."""
        if self.offsets is None:
            return positions // self.size
        places = np.searchsorted(self.offsets, positions + int(self.offsets[0]), side="right")
        return places.astype(np.int64) - 1

    def uniform(self, length: int) -> bool:
        """Say whether every list, those that are NULL included, has this length."""
        if self.offsets is None:
            return self.size == length or self.count == 0
        if len(self.values) != self.count * length:
            return False
        return bool((np.diff(self.offsets) == length).all())

    def live(self, held: Mask | None) -> Mask | None:
        """Return which elements count where only some lists do; None for all of them."""
        if held is None or len(self.values) == 0:
            return None
        if self.offsets is None:
            return np.repeat(held, self.size)
        lengths = self.lengths()
        if not lengths[~held].any():
            return None
        return np.repeat(held, lengths)

    def rebuild(self, dtype: pa.DataType, values: pa.Array, valid: Mask | None) -> pa.Array:
        """Return lists or maps of this shape, in another type, around other elements."""
        if pat.is_fixed_size_list(dtype) and self.offsets is None:
            return pa.Array.from_buffers(dtype, self.count, [pack(valid)], children=[values])
        wide = pat.is_large_list(dtype) or _is(dtype, "is_large_list_view")
        offsets = self._offsets(np.dtype(np.int64 if wide else np.int32))
        if is_view(dtype):
            bare = (pa.LargeListViewArray if wide else pa.ListViewArray).from_arrays(
                pa.array(offsets[:-1]), pa.array(np.diff(offsets)), values
            )
            buffers = [pack(valid), *bare.buffers()[1:3]]
            return pa.Array.from_buffers(dtype, self.count, buffers, children=[values])
        buffers = [pack(valid), pa.py_buffer(offsets)]
        return pa.Array.from_buffers(dtype, self.count, buffers, children=[values])

    def _offsets(self, width: np.dtype[Any]) -> npt.NDArray[Any]:
        found: npt.NDArray[np.integer[Any]]
        if self.offsets is None:
            found = np.arange(self.count + 1, dtype=np.int64) * self.size
        elif self.offsets[0] == 0:
            found = self.offsets
        else:
            found = self.offsets - self.offsets[0]
        if int(found[-1]) > np.iinfo(width).max:
            raise OverflowError(f"{int(found[-1])} elements do not fit one array of lists")
        return np.ascontiguousarray(found.astype(width, copy=False))


def is_view(dtype: pa.DataType) -> bool:
    """Say whether a type is a list view."""
    return _is(dtype, "is_list_view") or _is(dtype, "is_large_list_view")


def _is(dtype: pa.DataType, test: str) -> bool:
    # pyarrow grew the view types late: an older one has no such test.
    known = getattr(pat, test, None)
    return known is not None and bool(known(dtype))


# --- normalising -------------------------------------------------------------------------------


def normalise(array: pa.Array, dtype: pa.DataType, path: str) -> pa.Array:
    """Return an array in the type that a plan was made for; the array itself where it has it.

    What may differ is layout (dictionary, large, view, fixed size), the time zone of instants,
    the order of a struct's members, and flags and names inside lists: nothing that changes a value.

    Args:
        array: a column, or part of one.
        dtype: the type that the plan expects.
        path: its place, for the error.

    Raises:
        SignatureError: where the two types do not hold the same values.
    """
    actual = array.type
    if actual == dtype and not _misnamed(actual, dtype):
        return array
    if isinstance(actual, pa.BaseExtensionType) and not isinstance(dtype, pa.BaseExtensionType):
        return normalise(array.storage, dtype, path)
    if pat.is_null(actual):
        return pa.nulls(len(array), dtype)
    if pat.is_struct(dtype) and pat.is_struct(actual):
        return _normalise_struct(array, dtype, path)
    if is_list(dtype) and is_list(actual):
        return _normalise_list(array, dtype, path)
    if pat.is_map(dtype) and pat.is_map(actual):
        keys = normalise(_entries(array).field(0), dtype.key_type, f"{path}[*]")
        items = normalise(_entries(array).field(1), dtype.item_type, f"{path}[*]")
        return rebuild_map(Lists.of(array), dtype, keys, items, validity(array))
    kind = kind_of(actual)
    if kind is None or kind is not kind_of(dtype):
        raise _mismatch(array, dtype, path)
    return _normalise_scalar(array, dtype, kind, path)


def _misnamed(actual: pa.DataType, dtype: pa.DataType) -> bool:
    # Arrow's equality of lists and maps looks through the names of their parts; a schema's own
    # text, and Spark, do not.
    return pat.is_nested(dtype) and str(actual) != str(dtype)


def _normalise_struct(array: pa.Array, dtype: pa.DataType, path: str) -> pa.Array:
    actual = array.type
    names = [actual.field(i).name for i in range(actual.num_fields)]
    wanted = [dtype.field(i) for i in range(dtype.num_fields)]
    if sorted(names) != sorted(field.name for field in wanted):
        raise _mismatch(array, dtype, path)
    children = []
    for place, field in enumerate(wanted):
        # Names may repeat; then the order is all there is to go by.
        found = names.index(field.name) if names.count(field.name) == 1 else place
        children.append(normalise(array.field(found), field.type, f"{path}.{field.name}"))
    return struct(dtype, len(array), children, validity(array))


def _normalise_list(array: pa.Array, dtype: pa.DataType, path: str) -> pa.Array:
    valid = validity(array)
    inside = Lists.of(array)
    if pat.is_fixed_size_list(dtype) and inside.offsets is not None:
        inside = _padded(inside, dtype, valid, array, path)
    elif inside.size >= 0 and pat.is_fixed_size_list(dtype) and inside.size != dtype.list_size:
        raise _mismatch(array, dtype, path)
    values = normalise(inside.values, dtype.value_type, f"{path}[*]")
    return inside.rebuild(dtype, values, valid)


def _padded(
    inside: Lists, dtype: pa.DataType, valid: Mask | None, array: pa.Array, path: str
) -> Lists:
    """Lay lists out at a fixed size; NULL ones get elements that are NULL."""
    size = dtype.list_size
    assert inside.offsets is not None
    held = np.ones(inside.count, np.bool_) if valid is None else valid
    if (inside.lengths()[held] != size).any():
        raise _mismatch(array, dtype, path)
    starts = (inside.offsets[:-1] - inside.offsets[0]).astype(np.int64)
    places = starts[:, None] + np.arange(size)
    dead = np.broadcast_to(~held[:, None], places.shape)
    values = inside.values.take(pa.array(places.ravel(), mask=dead.ravel()))
    return Lists(inside.count, values, None, size)


def _normalise_scalar(array: pa.Array, dtype: pa.DataType, kind: Kind, path: str) -> pa.Array:
    flat = plain(array)
    if kind in (Kind.TIMESTAMP, Kind.TIMESTAMP_NTZ):
        value_type = dtype.value_type if hasattr(dtype, "value_type") else dtype
        if flat.type.unit != value_type.unit:
            raise _mismatch(array, dtype, path)
        # Another zone is the same instant: only the type changes.
        flat = flat.view(value_type)
    if flat.type == dtype:
        return flat
    if pat.is_dictionary(dtype):
        encoded = normalise(flat, dtype.value_type, path).dictionary_encode()
        return pa.DictionaryArray.from_arrays(
            encoded.indices.cast(dtype.index_type), encoded.dictionary, ordered=dtype.ordered
        )
    if pat.is_run_end_encoded(dtype):
        values = normalise(flat, dtype.value_type, path)
        return pc.run_end_encode(values, run_end_type=dtype.run_end_type)
    if kind in (Kind.STRING, Kind.BINARY):
        return flat.cast(dtype)
    raise _mismatch(array, dtype, path)


def _mismatch(array: pa.Array, dtype: pa.DataType, path: str) -> SignatureError:
    return SignatureError(
        "a batch is not of the type that it was planned for",
        path=path,
        expected=str(dtype),
        observed=str(array.type),
    )


# --- maps --------------------------------------------------------------------------------------


def _entries(array: pa.Array) -> pa.Array:
    """Return the entries of a map, as structs of key and value."""
    return Lists.of(array).values


def rebuild_map(
    inside: Lists, dtype: pa.DataType, keys: pa.Array, items: pa.Array, valid: Mask | None
) -> pa.Array:
    """Return maps of this shape around other keys and values."""
    keys = normalise(keys, dtype.key_type, "key")
    entry = pa.struct([dtype.key_field, dtype.item_field])
    return inside.rebuild(dtype, struct(entry, len(keys), [keys, items], None), valid)


def repeats_key(array: pa.Array) -> bool:
    """Say whether a map, at any level of an array, has a key twice; what lies under NULL is not."""
    dtype = array.type
    if not _holds_map(dtype):
        return False
    if pat.is_struct(dtype):
        return any(map(repeats_key, array.flatten()))
    inside = Lists.of(array)
    live = inside.live(validity(array))
    values, owners = inside.values, np.repeat(np.arange(inside.count), inside.lengths())
    if live is not None:
        values, owners = values.filter(pa.array(live)), owners[live]
    if not pat.is_map(dtype):
        return repeats_key(values)
    keys = plain(values.field(0)).dictionary_encode()
    pairs = owners * max(1, len(keys.dictionary)) + np.asarray(keys.indices)
    return len(np.unique(pairs)) < len(pairs) or repeats_key(values.field(1))


def _holds_map(dtype: pa.DataType) -> bool:
    if is_list(dtype):
        return _holds_map(dtype.value_type)
    if pat.is_struct(dtype):
        return any(_holds_map(dtype.field(place).type) for place in range(dtype.num_fields))
    return bool(pat.is_map(dtype))
