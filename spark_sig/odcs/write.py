"""Writing: the contract that says what a signature does."""

from __future__ import annotations

from typing import Any

import yaml

from spark_sig.codec import params_to_dict, type_to_dict
from spark_sig.errors import SignatureError, assert_never
from spark_sig.odcs.words import (
    ELEMENTS,
    KIND,
    OPTIONAL,
    PARAMS,
    SCALARS,
    SIDE,
    TENSOR,
    TYPE,
    UNNAMED,
    VERSION,
    physical,
    tensor_name,
)
from spark_sig.schema import ColSpec, Schema, Spec, TensorSpec
from spark_sig.signature import SIDES, ModelSignature
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, without anchors, and with text that is read back as it was."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # lists stand further in than their keys, as in the standard's own examples
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Other styles fold line ends, of which YAML has more than one kind.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def contract_yaml(
    signature: ModelSignature, *, name: str | None = None, version: str = "1.0.0"
) -> str:
    """Return the contract of a signature as YAML; see :func:`contract_document`.

    Raises:
        SignatureError: where a type nests too deeply.
    """
    try:
        document = contract_document(signature, name=name, version=version)
        return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    except RecursionError as error:
        raise SignatureError("a type nests too deeply for a contract") from error


def contract_document(
    signature: ModelSignature, *, name: str | None = None, version: str = "1.0.0"
) -> dict[str, Any]:
    """Return the contract of a signature, by ODCS 3.1.

    Inputs and outputs become a schema object each.  What the standard has no word for (tensors,
    maps, params, whether a column is optional or not said to be required) stands in custom
    properties, so that :func:`~spark_sig.odcs.read_contract` gives the very same signature back.

    Args:
        signature: the signature.
        name: the contract's name; none where None.
        version: the contract's own version.

    Example:
        >>> from spark_sig.schema import ColSpec
        >>> signature = ModelSignature(Schema([ColSpec("long", "a")]))
        >>> contract_document(signature)["schema"][0]["properties"][0]["physicalType"]
        'BIGINT'
    """
    found = ((side, getattr(signature, side)) for side in SIDES)
    objects = [_object(side, schema) for side, schema in found if schema is not None]
    params = params_to_dict(signature.params) if signature.params else None
    return {
        "apiVersion": VERSION,
        "kind": KIND,
        "id": f"urn:spark-sig:signature:{signature.fingerprint}",
        **({} if name is None else {"name": name}),
        "version": version,
        "status": "draft",
        **({"schema": objects} if objects else {}),
        **_custom({PARAMS: params} if params else {}),
    }


def _object(side: str, schema: Schema) -> dict[str, Any]:
    custom = {SIDE: side} | ({} if schema.has_names else {UNNAMED: True})
    return {
        "name": side,
        "logicalType": "object",
        "properties": [_spec(spec, place) for place, spec in enumerate(schema)],
        **_custom(custom),
    }


def _spec(spec: Spec, place: int) -> dict[str, Any]:
    name = f"[{place}]" if spec.name is None else spec.name
    match spec:
        case ColSpec():
            return _property(name, spec.type, spec.required)
        case TensorSpec():
            return _tensor(name, spec)
        case _:
            assert_never(spec)


def _property(name: str, kind: ColumnType, required: bool | None) -> dict[str, Any]:
    said = _typed(kind)
    custom = said.pop("customProperties", [])
    if required is None:
        custom = [*custom, *_custom({OPTIONAL: None})["customProperties"]]
    more = {"customProperties": custom} if custom else {}
    return {"name": name, **said, "required": bool(required), **more}


def _typed(kind: ColumnType) -> dict[str, Any]:
    match kind:
        case DataType():
            word = SCALARS[kind]
            options = {"logicalTypeOptions": {"format": word.format}} if word.format else {}
            return {"logicalType": word.logical, "physicalType": word.physical, **options}
        case Array():
            return {
                "logicalType": "array",
                "physicalType": physical(kind),
                "items": _typed(kind.dtype),
            }
        case Object():
            members = [_property(p.name, p.dtype, p.required) for p in kind.properties]
            return {
                "logicalType": "object",
                "physicalType": physical(kind),
                "properties": members,
            }
        case Map():
            own = _custom({TYPE: type_to_dict(kind)})
            return {"logicalType": "object", "physicalType": physical(kind), **own}
        case SparkMLVector():
            items = {"items": _typed(DataType.double)}
            own = _custom({TYPE: type_to_dict(kind)})
            return {"logicalType": "array", "physicalType": physical(kind), **items, **own}
        case AnyType():
            return {"physicalType": physical(kind), **_custom({TYPE: type_to_dict(kind)})}
        case _:
            assert_never(kind)


def _tensor(name: str, spec: TensorSpec) -> dict[str, Any]:
    """Say what a row holds of a tensor: one slice along its first axis, in nested arrays."""
    logical = ELEMENTS.get(spec.type.kind)
    said: dict[str, Any] = {} if logical is None else {"logicalType": logical}
    for _ in spec.shape[1:]:
        said = {"logicalType": "array", "items": said}
    custom = _custom({TENSOR: {"dtype": spec.type.name, "shape": list(spec.shape)}})
    return {
        "name": name,
        **said,
        "physicalType": tensor_name(spec.type, spec.shape),
        "required": True,
        **custom,
    }


def _custom(values: dict[str, Any]) -> dict[str, Any]:
    made = [{"property": name, "value": value} for name, value in values.items()]
    return {"customProperties": made} if made else {}
