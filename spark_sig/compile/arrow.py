"""Arrow types and schemas of signatures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_sig.casts import DTYPES, Kind, dtype_kind, kind_of
from spark_sig.codec import schema_from_json, schema_to_json
from spark_sig.errors import SignatureError, assert_never
from spark_sig.naming import VECTOR, is_list, member_path, spark_type, type_name
from spark_sig.schema import ColSpec, Schema, Spec, TensorSpec
from spark_sig.types import (
    AnyType,
    Array,
    ColumnType,
    DataType,
    Map,
    Object,
    Property,
    SparkMLVector,
)

SCALARS: dict[DataType, pa.DataType] = {
    DataType.boolean: pa.bool_(),
    DataType.integer: pa.int32(),
    DataType.long: pa.int64(),
    DataType.float: pa.float32(),
    DataType.double: pa.float64(),
    DataType.string: pa.string(),
    DataType.binary: pa.binary(),
    DataType.datetime: pa.timestamp("us", "UTC"),
}

# What a signature calls a stored scalar.  Where that is wider, the safe rule casts to it.
NAMED: dict[Kind, DataType] = {
    Kind.BOOL: DataType.boolean,
    Kind.INT8: DataType.integer,
    Kind.INT16: DataType.integer,
    Kind.INT32: DataType.integer,
    Kind.INT64: DataType.long,
    Kind.UINT8: DataType.integer,
    Kind.UINT16: DataType.integer,
    Kind.UINT32: DataType.long,
    Kind.FLOAT16: DataType.float,
    Kind.FLOAT32: DataType.float,
    Kind.FLOAT64: DataType.double,
    Kind.STRING: DataType.string,
    Kind.BINARY: DataType.binary,
    Kind.DATE: DataType.datetime,
    Kind.TIMESTAMP: DataType.datetime,
    Kind.TIMESTAMP_NTZ: DataType.datetime,
}

# Stored scalars that a signature has no name for, and what to do about them.
NAMELESS: dict[Kind, str] = {
    Kind.UINT64: "cast it to long or double, whichever you mean, or declare a tensor of uint64",
    Kind.DECIMAL: "cast it to double, long or string, whichever you mean",
    Kind.NULL: "cast it to the type that it is meant to have",
}

# Field metadata that holds a spec, as JSON, which the type alone does not say.
SPEC = "spark_sig.spec"

# The name of a column that is matched by position.
_PLACE = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that a signature cannot say of a column that it was made from.

    Args:
        path: place of the value, such as ``$.orders[*].price``.
        what: what is no longer known.
    """

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


Losses: TypeAlias = tuple[Loss, ...]

# --- to Arrow -----------------------------------------------------------------------------------


def arrow_type(dtype: ColumnType, *, required: bool | None = None) -> pa.DataType:
    """Return the Arrow type of a column type.

    Args:
        dtype: the column type; AnyType becomes ``null``.
        required: the flag of the column, which passes down into elements and map values as
            nullable flags; None leaves all that is inside nullable.

    Example:
        >>> arrow_type(Array("long")), arrow_type(Array("long"), required=True)
        (ListType(list<item: int64>), ListType(list<item: int64 not null>))
    """
    match dtype:
        case DataType():
            return SCALARS[dtype]
        case Array():
            return pa.list_(_flagged("item", arrow_type(dtype.dtype, required=required), required))
        case Object():
            flags = [None if required is None else bool(p.required) for p in dtype.properties]
            return pa.struct(
                [
                    _flagged(p.name, arrow_type(p.dtype, required=flag), flag)
                    for p, flag in zip(dtype.properties, flags, strict=True)
                ]
            )
        case Map():
            value = arrow_type(dtype.value_type, required=required)
            return pa.map_(pa.string(), _flagged("value", value, required))
        case SparkMLVector():
            return pa.list_(_flagged("item", pa.float64(), required))
        case AnyType():
            return pa.null()
        case _:
            assert_never(dtype)


def _flagged(name: str, dtype: pa.DataType, required: bool | None) -> pa.Field:
    # Arrow has no non-nullable field of type null.
    return pa.field(name, dtype, not required or pat.is_null(dtype))


def to_arrow(schema: Schema) -> pa.Schema:
    """Return the Arrow schema of a schema; :func:`from_arrow` gives the very same schema back.

    A tensor's column holds one slice along the first axis in each row, in nested lists.  What
    the Arrow type alone does not say (tensors, ML vectors, any, ``required: null``, columns
    without a name) stands in the field's metadata.

    Raises:
        SignatureError: where no Arrow column can hold a tensor (complex, no axes).

    Example:
        >>> to_arrow(Schema([ColSpec("long", "a"), ColSpec("string", "b", required=False)]))
        a: int64 not null
        b: string
    """
    return pa.schema([_to_field(spec, column_name(spec, i)) for i, spec in enumerate(schema)])


def column_name(spec: Spec, index: int) -> str:
    """Return a spec's name, or its place in brackets where it has none."""
    return f"[{index}]" if spec.name is None else spec.name


def _to_field(spec: Spec, name: str) -> pa.Field:
    plain = _plain_field(spec, name)
    if says(partial(read_field, plain, str), spec):
        return plain
    return plain.with_metadata({SPEC: remember(spec)})


def _plain_field(spec: Spec, name: str) -> pa.Field:
    if isinstance(spec, TensorSpec):
        return _flagged(name, _tensor_type(spec), True)
    required = bool(spec.required)
    return _flagged(name, arrow_type(spec.type, required=required), required)


def _tensor_type(spec: TensorSpec) -> pa.DataType:
    kind = tensor_kind(spec)
    if kind is None:
        return pa.null()
    plain = {Kind.STRING: pa.string(), Kind.BINARY: pa.binary()}
    dtype = plain.get(kind) or pa.from_numpy_dtype(spec.type)
    for _ in spec.shape[1:]:
        dtype = pa.list_(pa.field("item", dtype, False))
    return dtype


def tensor_kind(spec: TensorSpec) -> Kind | None:
    """Return what an element of a tensor's column is; None where it may be anything.

    Raises:
        SignatureError: where no column can hold the tensor.
    """
    path = "$" if spec.name is None else member_path("$", spec.name)
    if not spec.shape:
        raise SignatureError(
            "a tensor without axes has no rows", path=path, remedy="enforce it on the driver"
        )
    kind = dtype_kind(spec.type)
    ragged = spec.type.kind == "O" and len(spec.shape) == 1
    if kind is None and not ragged:
        raise SignatureError(
            f"no column can hold a tensor of {spec.type.name}",
            path=path,
            remedy="enforce it on the driver, or change the tensor's dtype",
        )
    return kind


# --- specs in metadata --------------------------------------------------------------------------


def says(read: Callable[[], tuple[Spec, Losses]], spec: Spec) -> bool:
    """Say whether reading a plain field gives the spec that it was made from."""
    try:
        return read() == (spec, ())
    except SignatureError:
        return False


def remember(spec: Spec) -> str:
    """Write a spec for a field's metadata."""
    return schema_to_json(Schema([spec]))


def recall(text: str | bytes, name: str) -> Spec | None:
    """Read a spec from a field's metadata, under the name that the field has now."""
    try:
        spec = schema_from_json(text).inputs[0]
    except SignatureError:
        return None
    if spec.name is None and _PLACE.fullmatch(name):
        return spec
    return replace_name(spec, name)


def replace_name(spec: Spec, name: str) -> Spec:
    """Return a spec under another name."""
    if isinstance(spec, TensorSpec):
        return TensorSpec(spec.type, spec.shape, name)
    return ColSpec(spec.type, name, spec.required)


STALE = "the spec in its metadata, which its type no longer fits"
RELAXED = "its nullable flags, which differ from the spec in its metadata"

# --- from Arrow ---------------------------------------------------------------------------------


def from_arrow(schema: pa.Schema) -> tuple[Schema, Losses]:
    """Return the schema that says most of an Arrow schema, and all that it cannot say.

    Nullable columns are optional.  Narrow integers, half floats, dates and naive timestamps get
    the type that the safe rule casts them to; layouts, units and time zones are lost.  Nothing is
    lost silently: where no loss is listed, :func:`to_arrow` gives an equal Arrow schema back.

    Raises:
        SignatureError: where no signature can say a column's type; names all such columns.

    Example:
        >>> found, losses = from_arrow(pa.schema([("a", pa.int8()), ("b", pa.list_(pa.string()))]))
        >>> found
        ['a': integer (optional), 'b': Array(string) (optional)]
        >>> [str(loss) for loss in losses]
        ['$.a: int8 is read as integer']
    """
    return gather(partial(read_field, column, str) for column in schema)


def gather(readings: Iterable[Callable[[], tuple[Spec, Losses]]]) -> tuple[Schema, Losses]:
    """Read all columns, and fail with all that cannot be read."""
    specs: list[Spec] = []
    losses: list[Loss] = []
    errors: list[SignatureError] = []
    for read in readings:
        try:
            spec, lost = read()
        except SignatureError as error:
            errors.append(error)
        else:
            specs.append(spec)
            losses += lost
    if len(errors) == 1:
        raise errors[0]
    if errors:
        lines = "".join(f"\n  {error}" for error in errors)
        raise SignatureError(f"a signature cannot say the types of {len(errors)} columns:{lines}")
    tensors = [spec for spec in specs if isinstance(spec, TensorSpec)]
    if tensors and len(tensors) < len(specs):
        raise SignatureError(
            "a signature holds columns or tensors, not both",
            path=member_path("$", tensors[0].name or ""),
            remedy="drop the one kind, or keep the tensor as a plain list",
        )
    return Schema(specs), tuple(losses)


def read_field(column: pa.Field, shown: Callable[[pa.DataType], str]) -> tuple[Spec, Losses]:
    """Read one column.

    Args:
        column: its field.
        shown: how a scalar's type is called in losses.

    Raises:
        SignatureError: where no signature can say its type.
    """
    path = member_path("$", column.name)
    reader = _Reader(shown)
    text = (column.metadata or {}).get(SPEC.encode())
    if text is not None:
        spec = recall(text, column.name)
        plain = None if spec is None else compiled(partial(_plain_field, spec, column.name))
        if spec is not None and plain is not None:
            if plain.equals(column):
                return spec, ()
            if _nullable(plain.type) == _nullable(column.type):
                return spec, (Loss(path, RELAXED),)
        reader.lose(path, STALE)
    if isinstance(column.type, pa.FixedShapeTensorType):
        return reader.tensor(column, path), tuple(reader.losses)
    required = not column.nullable
    return ColSpec(reader.value(column, required, path), column.name, required), tuple(
        reader.losses
    )


T = TypeVar("T")


def compiled(make: Callable[[], T]) -> T | None:
    """Make the plain field of a remembered spec; None where nothing can hold it."""
    try:
        return make()
    except SignatureError:
        return None


def _nullable(dtype: pa.DataType) -> pa.DataType:
    """Return a type of lists, maps and structs with all that is inside made nullable."""
    if pat.is_list(dtype):
        return pa.list_(_nullable(dtype.value_type))
    if pat.is_map(dtype):
        return pa.map_(dtype.key_type, _nullable(dtype.item_type))
    if pat.is_struct(dtype):
        return pa.struct([(member.name, _nullable(member.type)) for member in _members(dtype)])
    return dtype


def _members(dtype: pa.DataType) -> Iterator[pa.Field]:
    return (dtype.field(i) for i in range(dtype.num_fields))


@dataclass(slots=True)
class _Reader:
    """What reading one column has lost so far."""

    shown: Callable[[pa.DataType], str]
    losses: list[Loss] = field(default_factory=list)

    def lose(self, path: str, what: str) -> None:
        self.losses.append(Loss(path, what))

    def value(self, source: pa.Field, required: bool, path: str) -> ColumnType:
        dtype = source.type
        opaque = spark_type(source)
        if opaque == VECTOR:
            return SparkMLVector()
        if opaque is not None:
            raise _unsayable(path, opaque, "drop it, or cast it to a string first")
        if isinstance(dtype, pa.BaseExtensionType):
            self.lose(path, f"extension type {dtype.extension_name}")
            return self.value(source.with_type(dtype.storage_type), required, path)
        if is_list(dtype):
            return self._list(dtype, required, path)
        if pat.is_map(dtype):
            return self._map(dtype, required, path)
        if pat.is_struct(dtype):
            return self._struct(dtype, path)
        return self._scalar(source, path)

    def _scalar(self, source: pa.Field, path: str) -> DataType:
        kind = kind_of(source.type)
        if kind is None:
            raise _unsayable(path, type_name(source), "drop it, or cast it to a string first")
        if kind in NAMELESS:
            raise _unsayable(path, type_name(source), NAMELESS[kind])
        target = NAMED[kind]
        if source.type != SCALARS[target]:
            self.lose(path, f"{self.shown(source.type)} is read as {target}")
        return target

    def _flag(self, item: pa.Field, required: bool, path: str) -> None:
        # A signature has no flag for elements: the column's passes down.
        if item.nullable and required:
            self.lose(path, "may be null, though its column is not")
        elif not item.nullable and not required:
            self.lose(path, "is never null, though its column may be")

    def _list(self, dtype: pa.DataType, required: bool, path: str) -> Array:
        if pat.is_fixed_size_list(dtype):
            self.lose(path, f"the length {dtype.list_size} of every list")
        elif not pat.is_list(dtype):
            self.lose(path, f"{str(dtype).partition('<')[0]} is read as list")
        item = dtype.value_field
        self._flag(item, required, f"{path}[*]")
        return Array(self.value(item, required, f"{path}[*]"))

    def _map(self, dtype: pa.DataType, required: bool, path: str) -> Map:
        if kind_of(dtype.key_type) is not Kind.STRING:
            raise _unsayable(
                path,
                type_name(pa.field("", dtype)),
                "cast its keys to strings, or make it an array of structs",
            )
        if dtype.key_type != pa.string():
            self.lose(path, f"keys: {self.shown(dtype.key_type)} is read as string")
        if dtype.keys_sorted:
            self.lose(path, "that its keys are sorted")
        item = dtype.item_field
        self._flag(item, required, f"{path}[*]")
        return Map(self.value(item, required, f"{path}[*]"))

    def _struct(self, dtype: pa.DataType, path: str) -> Object:
        properties = [
            Property(
                member.name,
                self.value(member, not member.nullable, member_path(path, member.name)),
                not member.nullable,
            )
            for member in _members(dtype)
        ]
        try:
            found = Object(properties)
        except SignatureError as error:
            raise SignatureError(
                error.message, path=path, remedy="rename or drop its members first"
            ) from None
        if list(found.properties) != properties:
            self.lose(path, "the order of its members, which are sorted by name")
        return found

    def tensor(self, column: pa.Field, path: str) -> TensorSpec:
        dtype = column.type
        names = {kind: name for name, kind in DTYPES.items()}
        name = names.get(kind_of(dtype.value_type) or Kind.NULL)
        element = None if name is None else np.dtype(name)
        if element is None or pa.from_numpy_dtype(element) != dtype.value_type:
            raise _unsayable(path, f"tensor of {dtype.value_type}", "cast its elements first")
        self.lose(path, f"extension type {dtype.extension_name}")
        if column.nullable:
            self.lose(path, "that it may be null, which a tensor's rows never are")
        if dtype.permutation is not None and list(dtype.permutation) != sorted(dtype.permutation):
            self.lose(path, f"the permutation {list(dtype.permutation)} of its axes")
        if dtype.dim_names:
            self.lose(path, "the names of its axes")
        return TensorSpec(element, (-1, *dtype.shape), column.name)


def _unsayable(path: str, observed: str, remedy: str) -> SignatureError:
    return SignatureError(
        "a signature has no type for it", path=path, observed=observed, remedy=remedy
    )
