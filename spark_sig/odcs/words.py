"""Words: what types are called in contracts, and the properties that say what contracts cannot."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spark_sig.errors import assert_never
from spark_sig.sqltext import quoted
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector

# The version of the standard that is written; those of its third edition are read.
VERSION = "v3.1.0"
KIND = "DataContract"

# Names of custom properties, for what the standard has no word for.
SIDE = "mlflowSide"  # of a schema object: inputs or outputs
UNNAMED = "mlflowUnnamed"  # of a schema object: its columns are matched by position
PARAMS = "mlflowParams"  # of the contract
TYPE = "mlflowType"  # of a property: MLflow's document of a map, any or a vector
TENSOR = "mlflowTensor"  # of a property: dtype and shape
OPTIONAL = "mlflowRequired"  # of a property: null where a signature says neither true nor false


class Word(NamedTuple):
    """A scalar type as contracts say it.

    Args:
        logical: its ``logicalType``.
        physical: its ``physicalType``, as Spark's SQL has it.
        format: its ``logicalTypeOptions.format``; empty for none.
    """

    logical: str
    physical: str
    format: str = ""


SCALARS: dict[DataType, Word] = {
    DataType.boolean: Word("boolean", "BOOLEAN"),
    DataType.integer: Word("integer", "INT", "i32"),
    DataType.long: Word("integer", "BIGINT", "i64"),
    DataType.float: Word("number", "FLOAT", "f32"),
    DataType.double: Word("number", "DOUBLE", "f64"),
    DataType.string: Word("string", "STRING"),
    DataType.binary: Word("string", "BINARY", "binary"),
    DataType.datetime: Word("timestamp", "TIMESTAMP"),
}

# What is stored, by the names that databases have for it.
PHYSICAL: dict[str, DataType] = {
    **dict.fromkeys(("boolean", "bool", "bit"), DataType.boolean),
    **dict.fromkeys(
        ("tinyint", "byte", "smallint", "short", "int", "integer", "int2", "int4"), DataType.integer
    ),
    **dict.fromkeys(("int8_t", "int16", "int32", "mediumint", "serial"), DataType.integer),
    **dict.fromkeys(("bigint", "long", "int64", "bigserial"), DataType.long),
    **dict.fromkeys(("float", "real", "float4", "float32"), DataType.float),
    **dict.fromkeys(("double", "double precision", "float8", "float64"), DataType.double),
    **dict.fromkeys(("string", "varchar", "char", "text", "nvarchar", "nchar"), DataType.string),
    **dict.fromkeys(("character varying", "character", "uuid", "json", "clob"), DataType.string),
    **dict.fromkeys(("binary", "varbinary", "bytes", "bytea", "blob"), DataType.binary),
    **dict.fromkeys(
        ("timestamp", "timestamp_ntz", "timestamp_ltz", "timestamp_tz", "timestamptz", "datetime"),
        DataType.datetime,
    ),
    **dict.fromkeys(("datetime2", "datetimeoffset"), DataType.datetime),
}

# What a number's ``format`` means; the standard has them of integers and of numbers.
FORMATS: dict[tuple[str, str], DataType] = {
    **dict.fromkeys((("integer", f) for f in ("i8", "i16", "i32", "u8", "u16")), DataType.integer),
    **dict.fromkeys((("integer", f) for f in ("i64", "u32")), DataType.long),
    ("number", "f32"): DataType.float,
    ("number", "f64"): DataType.double,
    ("string", "binary"): DataType.binary,
}

# What a logical type is where nothing else is said of it.
LOGICAL: dict[str, DataType] = {
    "boolean": DataType.boolean,
    "integer": DataType.long,
    "number": DataType.double,
    "string": DataType.string,
    "timestamp": DataType.datetime,
    "date": DataType.datetime,
}

# The logical types of a tensor's elements, by the kind of their dtype.
ELEMENTS = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "U": "string"}
ELEMENTS |= {"S": "string", "M": "timestamp"}


def physical(kind: ColumnType) -> str:
    """Write a type as Spark's SQL does, as far as it has a name for it.

    Example:
        >>> physical(Map(Array("long")))
        'MAP<STRING, ARRAY<BIGINT>>'
    """
    match kind:
        case DataType():
            return SCALARS[kind].physical
        case Array():
            return f"ARRAY<{physical(kind.dtype)}>"
        case Map():
            return f"MAP<STRING, {physical(kind.value_type)}>"
        case Object():
            members = (f"{quoted(p.name)}: {physical(p.dtype)}" for p in kind.properties)
            return f"STRUCT<{', '.join(members)}>"
        case AnyType():
            return "VARIANT"
        case SparkMLVector():
            return "VECTOR"
        case _:
            assert_never(kind)


def tensor_name(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> str:
    """Name a tensor's type, such as ``tensor<float32>[-1, 28, 28]``."""
    return f"tensor<{dtype.name}>[{', '.join(map(str, shape))}]"
