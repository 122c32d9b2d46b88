"""Fields: the columns of data, as OpenLineage's facet of schemas has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openlineage.client.facet_v2 import schema_dataset

from spark_sig.errors import assert_never
from spark_sig.schema import ColSpec, Schema, Spec, TensorSpec
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector

if TYPE_CHECKING:
    from pyspark.sql import types as T

# What elements, keys and values are called: as Spark's own events call them.
_ELEMENT, _KEY, _VALUE = "_element", "key", "value"


def schema_fields(schema: T.StructType | Schema) -> list[Any]:
    """Return the columns of data.

    Args:
        schema: the columns as Spark has them, or as a signature declares them; those without a
            name go by their place, ``[0]``.
    """
    if isinstance(schema, Schema):
        return [_spec(spec, place) for place, spec in enumerate(schema)]
    return [_spark(f.name, f.dataType, place) for place, f in enumerate(schema.fields)]


def _field(name: str, kind: str, inner: list[Any], place: int | None = None) -> Any:
    made = schema_dataset.SchemaDatasetFacetFields(name, kind, fields=inner)
    if place is not None:
        made.ordinal_position = place + 1
    return made


def _spec(spec: Spec, place: int) -> Any:
    name = f"[{place}]" if spec.name is None else spec.name
    match spec:
        case TensorSpec():
            dims = ", ".join(map(str, spec.shape))
            return _field(name, f"tensor<{spec.type.name}>[{dims}]", [], place)
        case ColSpec():
            return _declared(name, spec.type, place)
        case _:
            assert_never(spec)


def _declared(name: str, kind: ColumnType, place: int | None = None) -> Any:
    match kind:
        case DataType():
            return _field(name, kind.value, [], place)
        case Array():
            return _field(name, "array", [_declared(_ELEMENT, kind.dtype)], place)
        case Map():
            inner = [_field(_KEY, "string", []), _declared(_VALUE, kind.value_type)]
            return _field(name, "map", inner, place)
        case Object():
            members = [_declared(p.name, p.dtype) for p in kind.properties]
            return _field(name, "struct", members, place)
        case AnyType():
            return _field(name, "any", [], place)
        case SparkMLVector():
            return _field(name, "vector", [], place)
        case _:
            assert_never(kind)


def _spark(name: str, dtype: T.DataType, place: int | None = None) -> Any:
    from pyspark.sql import types as T

    match dtype:
        case T.StructType():
            return _field(name, "struct", [_spark(f.name, f.dataType) for f in dtype.fields], place)
        case T.ArrayType():
            return _field(name, "array", [_spark(_ELEMENT, dtype.elementType)], place)
        case T.MapType():
            inner = [_spark(_KEY, dtype.keyType), _spark(_VALUE, dtype.valueType)]
            return _field(name, "map", inner, place)
        case _:
            return _field(name, dtype.simpleString(), [], place)
