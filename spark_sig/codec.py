"""JSON documents of signatures, byte for byte as MLflow writes them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, cast

from spark_sig.documents import MAX_DEPTH, check_depth, describe, member, parse_json
from spark_sig.errors import SignatureError, assert_never
from spark_sig.params import ParamSchema, ParamSpec
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

T = TypeVar("T")


# --- column types -----------------------------------------------------------------------------


def type_to_dict(kind: ColumnType) -> dict[str, Any]:
    """Return the document of a column type.

    Raises:
        SignatureError: where it nests more deeply than could be read back.

    Example:
        >>> type_to_dict(Array("long"))
        {'type': 'array', 'items': {'type': 'long'}}
    """
    return _type_to_dict(kind, 0)


def _type_to_dict(kind: ColumnType, depth: int) -> dict[str, Any]:
    # A document is a list of columns, perhaps of objects: two levels are spent before the type.
    if depth > MAX_DEPTH - 2:
        raise SignatureError("a type nests too deeply", expected=f"at most {MAX_DEPTH - 2} levels")
    match kind:
        case DataType():
            return {"type": kind.value}
        case Array(dtype):
            return {"type": "array", "items": _type_to_dict(dtype, depth + 1)}
        case Object(properties):
            # An object takes two levels of a document: its own, and that of its properties.
            return {
                "type": "object",
                "properties": {
                    p.name: _type_to_dict(p.dtype, depth + 2) | {"required": p.required}
                    for p in properties
                },
            }
        case Map(value_type):
            return {"type": "map", "values": _type_to_dict(value_type, depth + 1)}
        case AnyType():
            return {"type": "any"}
        case SparkMLVector():
            return {"type": "sparkml_vector"}
        case _:
            assert_never(kind)


def type_from_dict(document: Any, path: str = "$") -> ColumnType:
    """Read a column type; keys that it does not need are dropped, as MLflow does.

    Raises:
        SignatureError: names the place where the document is wrong.

    Example:
        >>> type_from_dict({"type": "map", "values": {"type": "double"}})
        Map(str -> DataType.double)
    """
    name = _required_key(document, "type", path)
    match name:
        case "array":
            return Array(type_from_dict(_required_key(document, "items", path), f"{path}.items"))
        case "map":
            return Map(type_from_dict(_required_key(document, "values", path), f"{path}.values"))
        case "object":
            return _object_type(_required_key(document, "properties", path), f"{path}.properties")
        case "any":
            return AnyType()
        case "sparkml_vector":
            return SparkMLVector()
        case _:
            return _scalar_type(name, f"{path}.type")


def _object_type(document: Any, path: str) -> Object:
    if not isinstance(document, dict):
        raise _wrong("an object's properties must be an object", path, document)
    members = []
    for name, value in document.items():
        place = member(path, name)
        kind = type_from_dict(value, place)
        members.append(_built(place, partial(Property, name, kind, _flag(value, True))))
    return _built(path, partial(Object, members))


def _scalar_type(name: Any, path: str) -> DataType:
    names = [kind.value for kind in DataType]
    if not isinstance(name, str) or name not in names:
        raise SignatureError(
            "unknown type",
            path=path,
            expected=f"one of {', '.join(names)}, array, object, map, any, sparkml_vector",
            observed=describe(name),
        )
    return DataType(name)


# --- schemas ----------------------------------------------------------------------------------


def schema_to_json(schema: Schema) -> str:
    """Write the columns or tensors of a schema.

    Example:
        >>> schema_to_json(Schema([ColSpec("long", "a")]))
        '[{"type": "long", "name": "a", "required": true}]'
    """
    return json.dumps(schema_to_dict(schema))


def schema_to_dict(schema: Schema) -> list[dict[str, Any]]:
    """Return the document of a schema, not yet as text."""
    return [_spec_to_dict(spec) for spec in schema]


def _spec_to_dict(spec: Spec) -> dict[str, Any]:
    match spec:
        case ColSpec():
            name = {} if spec.name is None else {"name": spec.name}
            return type_to_dict(spec.type) | name | {"required": spec.required}
        case TensorSpec():
            name = {} if spec.name is None else {"name": spec.name}
            tensor = {"dtype": spec.type.name, "shape": list(spec.shape)}
            return name | {"type": "tensor", "tensor-spec": tensor}
        case _:
            assert_never(spec)


def schema_from_json(text: str | bytes, path: str = "$") -> Schema:
    """Read the columns or tensors of a schema.

    Args:
        text: the JSON document.
        path: where it stands, for errors.

    Raises:
        SignatureError: names the place where the document is wrong.

    Example:
        >>> schema_from_json('[{"type": "long", "name": "a"}]')
        ['a': long (required)]
    """
    document = parse_json(text, path)
    if not isinstance(document, list):
        raise _wrong("a schema must be a list", path, document)
    specs = [_spec(item, f"{path}[{index}]") for index, item in enumerate(document)]
    return _built(path, partial(Schema, specs))


def _spec(document: Any, path: str) -> Spec:
    kind = _required_key(document, "type", path)
    if kind == "tensor":
        return _tensor(document, path)
    column = type_from_dict(document, path)
    scalar = isinstance(column, DataType)
    if scalar and (unknown := [key for key in document if key not in ("type", "name", "required")]):
        raise SignatureError(
            f"unknown key {unknown[0][:80]!r}", path=path, expected="type, name, required"
        )
    # MLflow's defaults: a scalar column is required, any other is optional.
    required = _flag(document, True if scalar else None)
    return _built(path, partial(ColSpec, column, document.get("name"), required))


def _tensor(document: dict[str, Any], path: str) -> TensorSpec:
    place = f"{path}.tensor-spec"
    tensor = _required_key(document, "tensor-spec", path)
    dtype = _required_key(tensor, "dtype", place)
    shape = _required_key(tensor, "shape", place)
    if not isinstance(dtype, str):
        raise _wrong("a tensor's dtype must be the name of a NumPy dtype", f"{place}.dtype", dtype)
    if not isinstance(shape, list):
        raise _wrong("a shape must be a list", f"{place}.shape", shape)
    name = document.get("name")
    if name is not None and not isinstance(name, str):
        raise _wrong("a name must be a string or null", f"{path}.name", name)
    return _built(place, partial(TensorSpec, dtype, shape, name))


# --- params -----------------------------------------------------------------------------------


def params_to_json(params: ParamSchema) -> str:
    """Write a param schema.

    Example:
        >>> params_to_json(ParamSchema([ParamSpec("n", "long", 1)]))
        '[{"name": "n", "default": 1, "shape": null, "type": "long"}]'
    """
    text = json.dumps(params_to_dict(params))
    # A default may hold values of any type, nested at will.
    check_depth(text, "$")
    return text


def params_to_dict(params: ParamSchema) -> list[dict[str, Any]]:
    """Return the document of a param schema, not yet as text."""
    return [
        {"name": spec.name, "default": _iso(spec.default), "shape": spec.shape and list(spec.shape)}
        | type_to_dict(spec.dtype)
        for spec in params
    ]


def _iso(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    return [_iso(item) for item in value] if isinstance(value, list) else value


def params_from_json(text: str | bytes, path: str = "$") -> ParamSchema:
    """Read a param schema; ``dtype`` stands for ``type`` in old documents.

    Raises:
        SignatureError: names the place where the document is wrong.

    Example:
        >>> params_from_json('[{"name": "n", "type": "long", "default": 1}]')
        ['n': long (default: 1)]
    """
    document = parse_json(text, path)
    if not isinstance(document, list):
        raise _wrong("a param schema must be a list", path, document)
    specs = [_param(item, f"{path}[{index}]") for index, item in enumerate(document)]
    return _built(path, partial(ParamSchema, specs))


def _param(document: Any, path: str) -> ParamSpec:
    name = _required_key(document, "name", path)
    default = _required_key(document, "default", path)
    key = "type" if document.get("type") or "dtype" not in document else "dtype"
    kind: DataType | Object
    if _required_key(document, key, path) == "object" and key == "type":
        properties = _required_key(document, "properties", path)
        kind = _object_type(properties, f"{path}.properties")
    else:
        kind = _scalar_type(document[key], f"{path}.{key}")
    return _built(path, partial(ParamSpec, name, kind, default, document.get("shape")))


# --- signatures -------------------------------------------------------------------------------


def signature_to_dict(
    inputs: Schema | None, outputs: Schema | None, params: ParamSchema | None
) -> dict[str, str | None]:
    """Return the document of a signature: three JSON strings, or null where there is nothing."""
    return {
        "inputs": schema_to_json(inputs) if inputs else None,
        "outputs": schema_to_json(outputs) if outputs else None,
        # As in MLflow, a param schema without any param is written as none.
        "params": params_to_json(params) if params else None,
    }


def signature_from_dict(
    document: Any, path: str = "$"
) -> tuple[Schema | None, Schema | None, ParamSchema | None]:
    """Read the sides of a signature; other keys are ignored, as in MLflow.

    Raises:
        SignatureError: names the place where the document is wrong.
    """
    if not isinstance(document, Mapping):
        raise _wrong("a signature must be an object", path, document)
    inputs, outputs, params = (document.get(side) for side in ("inputs", "outputs", "params"))
    return (
        None if inputs is None else schema_from_json(inputs, f"{path}.inputs"),
        None if outputs is None else schema_from_json(outputs, f"{path}.outputs"),
        None if params is None else params_from_json(params, f"{path}.params"),
    )


# --- errors -----------------------------------------------------------------------------------


def _required_key(document: Any, key: str, path: str) -> Any:
    if not isinstance(document, dict):
        raise _wrong("this must be an object", path, document)
    if key not in document:
        raise SignatureError(
            f"the key {key!r} is missing", path=path, observed=_keys(document) or "no keys"
        )
    return document[key]


def _keys(document: Iterable[str]) -> str:
    return ", ".join(key[:40] for _, key in zip(range(8), document, strict=False))


def _flag(document: dict[str, Any], default: bool | None) -> bool | None:
    # Checked by the spec that it goes into.
    return cast("bool | None", document.get("required", default))


def _wrong(message: str, path: str, value: object) -> SignatureError:
    return SignatureError(message, path=path, observed=describe(value))


def _built(path: str, make: Callable[[], T]) -> T:
    """Make a value, and put the place in the document before the place in the value's error."""
    try:
        return make()
    except SignatureError as error:
        inner = error.path if error.path.startswith("[") or not error.path else f".{error.path}"
        raise SignatureError(
            error.message,
            path=path + inner,
            expected=error.expected,
            observed=error.observed,
            remedy=error.remedy,
        ) from None
