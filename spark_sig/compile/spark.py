"""Spark types and schemas: of signatures, of Arrow fields, and of what a plan puts out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

import pyarrow as pa
import pyarrow.types as pat
from pyspark.sql import types as st

from spark_sig.casts import Kind
from spark_sig.compile.arrow import (
    RELAXED,
    SPEC,
    STALE,
    Loss,
    Losses,
    column_name,
    compiled,
    gather,
    read_field,
    recall,
    remember,
    says,
    tensor_kind,
)
from spark_sig.errors import SignatureError, assert_never
from spark_sig.naming import IMPOSED, SPARK_TYPE, VECTOR, is_list, member_path, type_name
from spark_sig.naming import spark_type as spark_name
from spark_sig.plan import (
    Anything,
    EnforcementPlan,
    Leaf,
    ListOf,
    MapOf,
    Node,
    Nulls,
    StructOf,
    TensorOf,
    VectorOf,
    is_identity,
)
from spark_sig.schema import Schema, Spec, TensorSpec
from spark_sig.stats import Place
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector

VECTOR_CLASS = "org.apache.spark.ml.linalg.VectorUDT"

# --- Spark's schemas in Arrow -------------------------------------------------------------------

# Types that only newer versions of Spark have are found by name.
_TO_ARROW: dict[type[st.DataType], pa.DataType] = {
    st.BooleanType: pa.bool_(),
    st.ByteType: pa.int8(),
    st.ShortType: pa.int16(),
    st.IntegerType: pa.int32(),
    st.LongType: pa.int64(),
    st.FloatType: pa.float32(),
    st.DoubleType: pa.float64(),
    st.StringType: pa.string(),
    st.CharType: pa.string(),
    st.VarcharType: pa.string(),
    st.BinaryType: pa.binary(),
    st.DateType: pa.date32(),
    st.TimestampType: pa.timestamp("us", "UTC"),
    st.TimestampNTZType: pa.timestamp("us"),
}
_TIME: type[st.DataType] | None = getattr(st, "TimeType", None)  # since 4.1
if _TIME is not None:
    _TO_ARROW[_TIME] = pa.time64("ns")


def source_schema(struct: st.StructType, imposed: Collection[Place] = ()) -> pa.Schema:
    """Return the columns of a Spark DataFrame as Arrow fields, nullable flags and all.

    A type that Arrow has no equal for (intervals, variant, geometry, void, most UDTs, and maps
    with such keys) becomes a nullable field of type null whose metadata names it under
    ``naming.SPARK_TYPE``; a VectorUDT becomes the struct that stores it, named ``vector`` there.
    Names may repeat.

    Args:
        struct: the columns.
        imposed: places whose NOT NULL flag nothing enforces; their metadata says so under
            ``naming.IMPOSED``.

    Example:
        >>> struct = st.StructType().add("a", "long", False).add("b", st.DayTimeIntervalType())
        >>> schema = source_schema(struct)
        >>> schema.field("a")
        pyarrow.Field<a: int64 not null>
        >>> schema.field("b").type, schema.field("b").metadata
        (DataType(null), {b'spark_sig.spark': b'interval day to second'})
    """
    fields = [_source_field(f.name, f.dataType, f.nullable) for f in struct.fields]
    return pa.schema([_marked(field, (field.name,), imposed) for field in fields])


def _marked(field: pa.Field, place: Place, imposed: Collection[Place]) -> pa.Field:
    if not any(place == other[: len(place)] for other in imposed):
        return field
    if pa.types.is_struct(field.type):
        members = [_marked(member, (*place, member.name), imposed) for member in field.type]
        field = field.with_type(pa.struct(members))
    if place in imposed:
        field = field.with_metadata({**(field.metadata or {}), IMPOSED: b""})
    return field


def _source_field(name: str, dtype: st.DataType, nullable: bool) -> pa.Field:
    plain = _TO_ARROW.get(type(dtype))
    if plain is not None:
        return pa.field(name, plain, nullable)
    match dtype:
        case st.DecimalType():
            return pa.field(name, pa.decimal128(dtype.precision, dtype.scale), nullable)
        case st.ArrayType():
            item = _source_field("element", dtype.elementType, dtype.containsNull)
            return pa.field(name, pa.list_(item), nullable)
        case st.MapType():
            key = _source_field("key", dtype.keyType, False)
            if key.nullable:  # opaque, as is the whole map then: Arrow has no key of type null
                return _opaque(name, dtype)
            value = _source_field("value", dtype.valueType, dtype.valueContainsNull)
            return pa.field(name, pa.map_(key, value), nullable)
        case st.StructType():
            members = [_source_field(f.name, f.dataType, f.nullable) for f in dtype.fields]
            return pa.field(name, pa.struct(members), nullable)
        case st.UserDefinedType() if dtype.scalaUDT() == VECTOR_CLASS:
            storage = _source_field(name, dtype.sqlType(), nullable)
            return storage.with_metadata({SPARK_TYPE: VECTOR})
        case _:
            # Open on Spark's side: a type that a later version adds is opaque, not an error.
            return _opaque(name, dtype)


def _opaque(name: str, dtype: st.DataType) -> pa.Field:
    # Always nullable, as Arrow has no other field of type null.
    return pa.field(name, pa.null(), True, {SPARK_TYPE: _opaque_name(dtype)})


def _opaque_name(dtype: st.DataType) -> str:
    if isinstance(dtype, st.UserDefinedType):
        # mllib's vectors call themselves `vector` as well
        return f"{dtype.simpleString()} ({dtype.module()}.{type(dtype).__name__})"
    return dtype.simpleString()


# --- Arrow types in Spark -----------------------------------------------------------------------

_FROM_ARROW: tuple[tuple[Callable[[pa.DataType], bool], Callable[[], st.DataType]], ...] = (
    (pat.is_boolean, st.BooleanType),
    (pat.is_int8, st.ByteType),
    (pat.is_int16, st.ShortType),
    (pat.is_int32, st.IntegerType),
    (pat.is_int64, st.LongType),
    (pat.is_uint8, st.ShortType),
    (pat.is_uint16, st.IntegerType),
    (pat.is_uint32, st.LongType),
    (pat.is_uint64, lambda: st.DecimalType(20, 0)),
    (pat.is_float16, st.FloatType),
    (pat.is_float32, st.FloatType),
    (pat.is_float64, st.DoubleType),
    (pat.is_string, st.StringType),
    (pat.is_large_string, st.StringType),
    (getattr(pat, "is_string_view", lambda _: False), st.StringType),
    (pat.is_binary, st.BinaryType),
    (pat.is_large_binary, st.BinaryType),
    (getattr(pat, "is_binary_view", lambda _: False), st.BinaryType),
    (pat.is_fixed_size_binary, st.BinaryType),
    (pat.is_date, st.DateType),
    (pat.is_null, st.NullType),
)


def spark_type(source: pa.DataType | pa.Field) -> st.DataType:
    """Return the Spark type that holds the values of an Arrow type, or of an Arrow field.

    Layouts (dictionaries, views, large and fixed-size lists) and time units are Arrow's own;
    unsigned integers and half floats get the next type that holds every value.  Nullable flags
    inside are kept.

    Args:
        source: a type; a field where its metadata may say ``vector`` (see :func:`source_schema`).

    Raises:
        SignatureError: where Spark has no such type.

    Example:
        >>> spark_type(pa.list_(pa.uint8())).simpleString()
        'array<smallint>'
    """
    field = source if isinstance(source, pa.Field) else pa.field("", source)
    named = spark_name(field)
    if named == VECTOR:
        return vector_type()
    dtype = field.type
    if isinstance(dtype, pa.BaseExtensionType):
        return spark_type(dtype.storage_type)
    if pat.is_dictionary(dtype) or pat.is_run_end_encoded(dtype):
        return spark_type(dtype.value_type)
    if pat.is_timestamp(dtype):
        return st.TimestampType() if dtype.tz else st.TimestampNTZType()
    if is_list(dtype):
        item = dtype.value_field
        return st.ArrayType(spark_type(item), item.nullable)
    if pat.is_map(dtype):
        item = dtype.item_field
        return st.MapType(spark_type(dtype.key_type), spark_type(item), item.nullable)
    if pat.is_struct(dtype):
        return spark_struct([dtype.field(i) for i in range(dtype.num_fields)])
    if pat.is_decimal(dtype) and dtype.precision <= 38 and 0 <= dtype.scale <= dtype.precision:
        return st.DecimalType(dtype.precision, dtype.scale)
    if pat.is_time(dtype) and _TIME is not None:
        return _TIME()
    if named is None:
        for test, make in _FROM_ARROW:
            if test(dtype):
                return make()
    raise SignatureError(
        f"Spark has no type for {type_name(field)}",
        path=field.name,
        remedy="cast the column first",
    )


def spark_struct(fields: pa.Schema | list[pa.Field]) -> st.StructType:
    """Return Arrow fields as a Spark struct; see :func:`spark_type`."""
    return st.StructType([st.StructField(f.name, spark_type(f), f.nullable) for f in fields])


def vector_type() -> st.DataType:
    """Return Spark's type of ML vectors (pyspark.ml is loaded here, and only here)."""
    from pyspark.ml.linalg import VectorUDT

    return VectorUDT()


# --- signatures in Spark ------------------------------------------------------------------------

SCALARS: dict[DataType, st.DataType] = {
    DataType.boolean: st.BooleanType(),
    DataType.integer: st.IntegerType(),
    DataType.long: st.LongType(),
    DataType.float: st.FloatType(),
    DataType.double: st.DoubleType(),
    DataType.string: st.StringType(),
    DataType.binary: st.BinaryType(),
    DataType.datetime: st.TimestampType(),
}

# What carries an element of a tensor: its own type where Spark has it, else the next wider one.
ELEMENTS: dict[Kind, st.DataType] = {
    Kind.BOOL: st.BooleanType(),
    Kind.INT8: st.ByteType(),
    Kind.INT16: st.ShortType(),
    Kind.INT32: st.IntegerType(),
    Kind.INT64: st.LongType(),
    Kind.UINT8: st.ShortType(),
    Kind.UINT16: st.IntegerType(),
    Kind.UINT32: st.LongType(),
    Kind.UINT64: st.DecimalType(20, 0),
    Kind.FLOAT16: st.FloatType(),
    Kind.FLOAT32: st.FloatType(),
    Kind.FLOAT64: st.DoubleType(),
    Kind.STRING: st.StringType(),
    Kind.BINARY: st.BinaryType(),
    Kind.TIMESTAMP_NTZ: st.TimestampNTZType(),
}


def to_spark(schema: Schema) -> st.StructType:
    """Return the Spark schema of a schema; :func:`from_spark` gives the very same schema back.

    A tensor's column holds one slice along the first axis in each row, in nested arrays; a dtype
    that Spark lacks is carried by a wider type (uint8 by smallint, uint64 by decimal(20,0),
    float16 by float).  AnyType becomes void.  What the Spark type alone does not say stands in
    the field's metadata.

    Raises:
        SignatureError: where no Spark column can hold a tensor (complex, no axes).

    Example:
        >>> to_spark(Schema([TensorSpec("uint8", (-1, 28, 28), "image")])).simpleString()
        'struct<image:array<array<smallint>>>'
    """
    return st.StructType([_to_field(spec, column_name(spec, i)) for i, spec in enumerate(schema)])


def _to_field(spec: Spec, name: str) -> st.StructField:
    plain = _plain_field(spec, name)
    if says(partial(_read_field, plain), spec):
        return plain
    return st.StructField(name, plain.dataType, plain.nullable, {SPEC: remember(spec)})


def _plain_field(spec: Spec, name: str) -> st.StructField:
    if isinstance(spec, TensorSpec):
        return st.StructField(name, _tensor_type(spec), False)
    required = bool(spec.required)
    return st.StructField(name, column_type(spec.type, required), not required)


def column_type(dtype: ColumnType, required: bool) -> st.DataType:
    """Return the Spark type of a column type.

    Args:
        dtype: the column type.
        required: the flag of the column, which passes down into elements and map values.
    """
    match dtype:
        case DataType():
            return SCALARS[dtype]
        case Array():
            return st.ArrayType(column_type(dtype.dtype, required), not required)
        case Object():
            return st.StructType(
                [
                    st.StructField(p.name, column_type(p.dtype, bool(p.required)), not p.required)
                    for p in dtype.properties
                ]
            )
        case Map():
            value = column_type(dtype.value_type, required)
            return st.MapType(st.StringType(), value, not required)
        case SparkMLVector():
            return vector_type()
        case AnyType():
            return st.NullType()
        case _:
            assert_never(dtype)


def _tensor_type(spec: TensorSpec) -> st.DataType:
    kind = tensor_kind(spec)
    dtype: st.DataType = st.NullType() if kind is None else ELEMENTS[kind]
    for _ in spec.shape[1:]:
        dtype = st.ArrayType(dtype, False)
    return dtype


def from_spark(struct: st.StructType) -> tuple[Schema, Losses]:
    """Return the schema that says most of a Spark schema, and all that it cannot say.

    Nullable columns are optional.  Tinyint and smallint are read as integer, dates and
    timestamps without a zone as datetime; lengths of char and varchar, and collations, are lost.
    Nothing is lost silently: where no loss is listed, :func:`to_spark` gives an equal schema back.

    Raises:
        SignatureError: where no signature can say a column's type (decimals, intervals, variant,
            void, geometry, maps whose keys are no strings); names all such columns.

    Example:
        >>> struct = st.StructType().add("id", "long", False).add("day", "date")
        >>> found, losses = from_spark(struct)
        >>> found, [str(loss) for loss in losses]
        (['id': long (required), 'day': datetime (optional)], ['$.day: date is read as datetime'])
    """
    return gather(partial(_read_field, column) for column in struct.fields)


def _read_field(column: st.StructField) -> tuple[Spec, Losses]:
    path = member_path("$", column.name)
    stale: Losses = ()
    text = (column.metadata or {}).get(SPEC)
    if isinstance(text, str):
        spec = recall(text, column.name)
        plain = None if spec is None else compiled(partial(_plain_field, spec, column.name))
        if spec is not None and plain is not None:
            if (plain.dataType, plain.nullable) == (column.dataType, column.nullable):
                return spec, ()
            if relaxed(plain.dataType) == relaxed(column.dataType):
                return spec, (Loss(path, RELAXED),)
        stale = (Loss(path, STALE),)
    spec, losses = read_field(
        _source_field(column.name, column.dataType, column.nullable),
        lambda dtype: spark_type(dtype).simpleString(),
    )
    declared = column.metadata.get(CHAR_VARCHAR) if column.metadata else None
    lengths = () if declared is None else (Loss(path, f"{declared} is read as string"),)
    return spec, (*stale, *losses, *lengths, *_strings(column.dataType, path))


# Where Spark keeps that a string column was declared as char or varchar.
CHAR_VARCHAR = "__CHAR_VARCHAR_TYPE_STRING"


def _strings(dtype: st.DataType, path: str) -> Iterator[Loss]:
    """Yield what Arrow's only string type has hidden."""
    match dtype:
        case st.CharType() | st.VarcharType():
            yield Loss(path, f"{dtype.simpleString()} is read as string")
        case st.StringType() if dtype.simpleString() != "string":
            yield Loss(path, f"{dtype.simpleString()} is read as string")
        case st.ArrayType():
            yield from _strings(dtype.elementType, f"{path}[*]")
        case st.MapType():
            yield from _strings(dtype.keyType, path)
            yield from _strings(dtype.valueType, f"{path}[*]")
        case st.StructType():
            for member in dtype.fields:
                yield from _strings(member.dataType, member_path(path, member.name))
        case _:
            pass  # no string is inside any other type


# --- what a plan puts out -----------------------------------------------------------------------


def output_struct(output: pa.Schema, source: st.StructType, plan: EnforcementPlan) -> st.StructType:
    """Return the Spark schema of a plan's output, nullable at every level.

    What passes untouched keeps Spark's type (VectorUDT, variant) and its column's metadata;
    char and varchar are strings.

    Args:
        output: the plan's output.
        source: the columns that come in.
        plan: made for that source.
    """
    fields = []
    for column, planned in zip(output, plan.fields, strict=True):
        came = None if planned.source is None else source.fields[planned.source]
        dtype = _output_type(planned.node, None if came is None else came.dataType)
        metadata = {}
        if came is not None and is_identity(planned.node):
            metadata = {k: v for k, v in (came.metadata or {}).items() if k != CHAR_VARCHAR}
        fields.append(st.StructField(column.name, dtype, True, metadata))
    return st.StructType(fields)


def _output_type(node: Node, source: st.DataType | None) -> st.DataType:
    if source is None:
        return relaxed(spark_type(node.output))
    match node:
        case Leaf():
            return relaxed(source if is_identity(node) else spark_type(node.output))
        case Nulls():
            return relaxed(spark_type(node.output))
        case Anything() | VectorOf() | TensorOf():
            return relaxed(source)
        case ListOf():
            assert isinstance(source, st.ArrayType)
            return st.ArrayType(_output_type(node.item, source.elementType), True)
        case MapOf():
            assert isinstance(source, st.MapType)
            key = relaxed(source.keyType)
            return st.MapType(key, _output_type(node.value, source.valueType), True)
        case StructOf():
            assert isinstance(source, st.StructType)
            members = source.fields
            return st.StructType(
                [
                    st.StructField(
                        m.name,
                        _output_type(
                            m.node, None if m.source is None else members[m.source].dataType
                        ),
                        True,
                    )
                    for m in node.members
                ]
            )
        case _:
            assert_never(node)


def relaxed(dtype: st.DataType) -> st.DataType:
    """Return a type with all that is inside nullable, and char and varchar as string."""
    match dtype:
        case st.ArrayType():
            return st.ArrayType(relaxed(dtype.elementType), True)
        case st.MapType():
            return st.MapType(relaxed(dtype.keyType), relaxed(dtype.valueType), True)
        case st.StructType():
            return st.StructType(
                [st.StructField(f.name, relaxed(f.dataType), True) for f in dtype.fields]
            )
        case st.CharType() | st.VarcharType():
            return st.StringType()
        case _:
            return dtype  # open on Spark's side: nothing is inside any other type
