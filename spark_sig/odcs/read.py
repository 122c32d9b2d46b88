"""Reading: the signature that says what a contract does, and what it leaves unsaid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from spark_sig.codec import params_from_json, type_from_dict
from spark_sig.documents import MAX_DEPTH, describe
from spark_sig.errors import SignatureError
from spark_sig.odcs.words import (
    FORMATS,
    KIND,
    LOGICAL,
    OPTIONAL,
    PARAMS,
    PHYSICAL,
    SIDE,
    TENSOR,
    TYPE,
    UNNAMED,
)
from spark_sig.params import ParamSchema
from spark_sig.schema import ColSpec, Schema, Spec, TensorSpec
from spark_sig.signature import SIDES, ModelSignature
from spark_sig.types import AnyType, Array, ColumnType, DataType, Object, Property

T = TypeVar("T")

# What a property may say that a signature has no word for, and that bears on its values.
_UNSAID = ("unique", "primaryKey", "quality", "relationships")

# A physical type, and what it is given in parentheses: lengths, digits.
_PHYSICAL = re.compile(
    r"\s*([a-z_0-9 ]*[a-z_0-9])\s*(?:\(([^()]*)\)\s*)?(?:with.*)?", re.IGNORECASE
)

# Formats of which a type says all: of i8 it leaves the bounds unsaid, of uuid the form.
_EXACT = frozenset({"i32", "i64", "f32", "f64", "binary"})

# The bits of a mantissa, as SQL's FLOAT has them in parentheses, and the most that it stores in 32.
_BITS = re.compile(r"\s*([0-9]{1,4})\s*")
_FLOAT_BITS = 24

# Properties that are read at most: an alias may stand for many of them.
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that was read.

    Args:
        signature: what it says.
        losses: what it says that a signature does not, by place.
    """

    signature: ModelSignature
    losses: tuple[str, ...] = ()


def read_contract(document: object, name: str | None = None) -> Contract:
    """Read a contract.

    A schema object becomes the inputs, by the names that its columns have in the data
    (``physicalName``, where it is there); where the contract was made of a signature, all of it
    comes back.  Whatever may be NULL is optional, which is the standard's default.

    Args:
        document: the contract's values (ODCS 3).
        name: the schema object to take, by its name, its physical name or its id; needed where
            there are several.

    Raises:
        SignatureError: names the place where the contract is wrong, or says what no signature can.
    """
    return _Reader().contract(document, name)


@dataclass(slots=True)
class _Reader:
    """Reads one contract, and notes what is lost."""

    losses: list[str] = field(default_factory=list)
    read: int = 0

    def contract(self, document: object, name: str | None) -> Contract:
        top = _mapping(document, "$")
        if top.get("kind") != KIND:
            raise SignatureError(
                "this is no data contract", path="$.kind", expected=KIND,
                observed=describe(top.get("kind")),
            )  # fmt: skip
        version = top.get("apiVersion")
        if not isinstance(version, str) or not version.startswith("v3."):
            raise SignatureError(
                "contracts of this edition of the standard are not read",
                path="$.apiVersion", expected="v3.0.0 or a newer one of v3",
                observed=describe(version),
            )  # fmt: skip
        objects = dict(self._objects(top.get("schema")))
        params = _params(top)
        if name is None and any(SIDE in _custom(o, path) for path, o in objects.items()):
            return self._whole(objects, params)
        if not objects and params:
            return Contract(ModelSignature(params=params))
        path, chosen = _chosen(objects, name)
        if SIDE in _custom(chosen, path):
            sides = {str(_custom(chosen, path)[SIDE]): (path, chosen)}
            return Contract(self._sides(sides, None), tuple(self.losses))
        return Contract(ModelSignature(self._schema(chosen, path)), tuple(self.losses))

    def _objects(self, schema: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if schema is None:
            return
        if not isinstance(schema, list):
            raise _wrong("a contract's schema must be a list", "$.schema", schema)
        for place, found in enumerate(schema):
            path = f"$.schema[{place}]"
            yield path, _mapping(found, path)

    def _whole(
        self, objects: Mapping[str, Mapping[str, Any]], params: ParamSchema | None
    ) -> Contract:
        """Read a contract that was made of a signature."""
        sides: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for path, found in objects.items():
            side = _custom(found, path).get(SIDE)
            if side is None:
                self.losses.append(f"{path}: a schema object that is no side of the signature")
            elif side not in SIDES:  # a tuple, which anything may be compared with
                raise _wrong(f"{SIDE} must be one of {', '.join(SIDES)}", path, side)
            elif side in sides:
                raise SignatureError(f"the contract has the side {side!r} twice", path=path)
            else:
                sides[side] = (path, found)
        return Contract(self._sides(sides, params), tuple(self.losses))

    def _sides(
        self, sides: Mapping[str, tuple[str, Mapping[str, Any]]], params: ParamSchema | None
    ) -> ModelSignature:
        made = {side: self._schema(found, path) for side, (path, found) in sides.items()}
        return ModelSignature(**made, params=params)

    def _schema(self, document: Mapping[str, Any], path: str) -> Schema:
        unnamed = _custom(document, path).get(UNNAMED) is True
        self._unsaid(document, path)
        listed = document.get("properties")
        if not isinstance(listed, list) or not listed:
            place = f"{path}.properties"
            raise _wrong("a schema object needs a list of properties", place, listed)
        specs = [
            self._spec(found, f"{path}.properties[{place}]", unnamed)
            for place, found in enumerate(listed)
        ]
        return _built(path, lambda: Schema(specs))

    def _spec(self, found: object, path: str, unnamed: bool) -> Spec:
        document = _mapping(found, path)
        custom = _custom(document, path)
        name = None if unnamed else _name(document, path)
        if TENSOR in custom:
            said = _mapping(custom[TENSOR], path)
            if not isinstance(said.get("dtype"), str) or not isinstance(said.get("shape"), list):
                raise _wrong(f"{TENSOR} must have a dtype and a shape", path, said)
            return _built(path, lambda: TensorSpec(said["dtype"], said["shape"], name))
        kind = self._type(document, path, 0)
        return _built(path, lambda: ColSpec(kind, name, _required(document, custom, path)))

    # --- types -----------------------------------------------------------------------------------

    def _type(self, document: Mapping[str, Any], path: str, depth: int) -> ColumnType:
        self.read += 1
        if depth > MAX_DEPTH or self.read > _MOST:
            raise SignatureError("the contract nests too deeply, or says too much", path=path)
        self._unsaid(document, path)
        custom = _custom(document, path)
        if TYPE in custom:
            return type_from_dict(custom[TYPE], f"{path}.{TYPE}")
        match document.get("logicalType"):
            case "object":
                return self._object(document, path, depth)
            case "array":
                return self._array(document, path, depth)
            case "time":
                raise SignatureError(
                    "a signature has no type for times of day", path=f"{path}.logicalType",
                    remedy="leave the property out, or make it a string",
                )  # fmt: skip
            case None:
                return self._stored(document, path)
            case str(logical) if logical in LOGICAL:
                return self._scalar(logical, document, path)
            case other:
                raise _wrong("unknown logicalType", f"{path}.logicalType", other)

    def _object(self, document: Mapping[str, Any], path: str, depth: int) -> ColumnType:
        listed = document.get("properties")
        if not listed:
            self.losses.append(f"{path}: an object of which no property is said is taken for any")
            return AnyType()
        if not isinstance(listed, list):
            raise _wrong("properties must be a list", f"{path}.properties", listed)
        members = []
        for place, found in enumerate(listed):
            where = f"{path}.properties[{place}]"
            member = _mapping(found, where)
            kind = self._type(member, where, depth + 2)
            flag = _required(member, _custom(member, where), where)
            made = partial(Property, _name(member, where), kind, flag)
            members.append(_built(where, made))
        return _built(path, lambda: Object(members))

    def _array(self, document: Mapping[str, Any], path: str, depth: int) -> ColumnType:
        items = document.get("items")
        if items is None:
            self.losses.append(f"{path}: an array of which no items are said is taken for any")
            return AnyType()
        where = f"{path}.items"
        found = _mapping(items, where)
        if "required" in found:
            self.losses.append(f"{where}.required: elements are as required as their column")
        return Array(self._type(found, where, depth + 1))

    def _scalar(self, logical: str, document: Mapping[str, Any], path: str) -> DataType:
        asked = _format(document, path)
        said = FORMATS.get(asked)
        if logical == "date":
            self.losses.append(f"{path}: a date is taken for a datetime")
            return DataType.datetime
        stored = self._known(document, path)
        fits = stored is not None and LOGICAL[logical] in _ALIKE[stored]
        if stored is not None and not fits:
            self.losses.append(
                f"{path}: {logical} that is stored as {document['physicalType']} is taken for "
                f"{said or LOGICAL[logical]}"
            )
        if said is not None and fits and stored is not said:
            told = f"format {asked[1]} is taken, though it is stored as"
            self.losses.append(f"{path}: {told} {document['physicalType']}")
        if said is not None:
            return said
        if stored is not None and fits:
            return stored
        if logical in ("integer", "number"):
            taken = LOGICAL[logical]
            self.losses.append(f"{path}: {logical} of no said size is taken for {taken}")
        return LOGICAL[logical]

    def _stored(self, document: Mapping[str, Any], path: str) -> ColumnType:
        """Read a property that says how it is stored alone, or nothing."""
        found = self._known(document, path)
        if found is None:
            stored = document.get("physicalType")
            what = "of no said type" if stored is None else f"stored as {stored}"
            self.losses.append(f"{path}: a property {what} is taken for any")
            return AnyType()
        return found

    def _known(self, document: Mapping[str, Any], path: str) -> DataType | None:
        stored = document.get("physicalType")
        found = _PHYSICAL.fullmatch(stored) if isinstance(stored, str) else None
        if found is None:
            return None
        name = " ".join(found[1].lower().split())
        taken: DataType | None
        if name in ("decimal", "numeric", "number"):
            taken = DataType.long if document.get("logicalType") == "integer" else DataType.double
            self.losses.append(f"{path}: {stored} is taken for {taken}")
            return taken
        if name == "date":
            self.losses.append(f"{path}: a date is taken for a datetime")
            return DataType.datetime
        taken = PHYSICAL.get(name)
        if name == "float":
            taken = self._float(document, path, found[2])
        if found[2] and taken in (DataType.string, DataType.binary):
            self.losses.append(f"{path}.physicalType: the length of {stored}")
        return taken

    def _float(self, document: Mapping[str, Any], path: str, bits: str | None) -> DataType:
        """Read SQL's FLOAT: with more than 24 bits it is a double, without a number it may be."""
        if found := _BITS.fullmatch(bits or ""):
            return DataType.double if int(found[1]) > _FLOAT_BITS else DataType.float
        # others are taken for what their logical type says, or its format
        logical, stored = document.get("logicalType"), document["physicalType"]
        if logical in (None, "number") and _format(document, path) not in FORMATS:
            told = f"{stored} is taken for float, though it has 64 bits in some databases"
            self.losses.append(f"{path}: {told}")
        return DataType.float

    def _unsaid(self, document: Mapping[str, Any], path: str) -> None:
        """Note what bears on values, and has no word in a signature."""
        for key in _UNSAID:
            if document.get(key):
                self.losses.append(f"{path}.{key}")
        asked = _format(document, path)
        for key in document.get("logicalTypeOptions") or {}:
            if key != "format" or asked[1] not in _EXACT or asked not in FORMATS:
                self.losses.append(f"{path}.logicalTypeOptions.{key}")


def _format(document: Mapping[str, Any], path: str) -> tuple[str, str]:
    """Return the logical type of a property and its format: a key of FORMATS, if they have one."""
    options = document.get("logicalTypeOptions") or {}
    found = _mapping(options, f"{path}.logicalTypeOptions").get("format", "")
    return str(document.get("logicalType")), str(found)


# The types that a logical one may be, by how it is stored.
_ALIKE: dict[DataType, set[DataType]] = {
    **{kind: {kind} for kind in DataType},
    DataType.integer: {DataType.long, DataType.double},
    DataType.long: {DataType.long, DataType.double},
    DataType.float: {DataType.double},
    DataType.double: {DataType.double},
    DataType.binary: {DataType.string},
}


def _chosen(
    objects: Mapping[str, Mapping[str, Any]], name: str | None
) -> tuple[str, Mapping[str, Any]]:
    """Return the schema object that is asked for, and its path."""
    names = [str(found.get("name")) for found in objects.values()]
    listed = ", ".join(names[:20])
    if name is None:
        if len(objects) == 1:
            return next(iter(objects.items()))
        raise SignatureError(
            f"the contract has {len(objects)} schema objects", path="$.schema", expected="one",
            observed=listed or "none",
            remedy="choose one by its name: contract.yaml#NAME" if objects else "",
        )  # fmt: skip
    for key in ("name", "physicalName", "id"):
        found = [item for item in objects.items() if item[1].get(key) == name]
        if len(found) == 1:
            return found[0]
    raise SignatureError(
        f"the contract has no schema object {name!r}", path="$.schema", observed=listed or "none"
    )


def _params(top: Mapping[str, Any]) -> ParamSchema | None:
    found = _custom(top, "$").get(PARAMS)
    if found is None:
        return None
    try:
        text = json.dumps(found)
    except (TypeError, ValueError) as error:
        raise _wrong("params must be JSON values", f"$.{PARAMS}", found) from error
    return params_from_json(text, f"$.{PARAMS}")


def _custom(document: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the custom properties of an element, by name."""
    listed = document.get("customProperties")
    if listed is None:
        return {}
    place = f"{path}.customProperties"
    if not isinstance(listed, list):
        raise _wrong("customProperties must be a list", place, listed)
    found = (_mapping(one, f"{place}[{at}]") for at, one in enumerate(listed))
    return {str(one.get("property")): one.get("value") for one in found}


def _name(document: Mapping[str, Any], path: str) -> str:
    """Return what a property is called in the data."""
    for key in ("physicalName", "name"):
        value = document.get(key)
        if isinstance(value, str):
            return value
        if value is not None:
            raise SignatureError(
                "a name must be a string", path=f"{path}.{key}", observed=describe(value),
                remedy="put it in quotes",
            )  # fmt: skip
    raise SignatureError("a property needs a name", path=path)


def _required(document: Mapping[str, Any], custom: Mapping[str, Any], path: str) -> bool | None:
    value = document.get("required", False)
    if not isinstance(value, bool):
        raise _wrong("required must be true or false", f"{path}.required", value)
    return None if OPTIONAL in custom and not value else value


def _built(path: str, make: Callable[[], T]) -> T:
    """Make a value; what is wrong with it is so at a place of the contract."""
    try:
        return make()
    except SignatureError as error:
        raise SignatureError(
            error.message,
            path=error.path if error.path.startswith("$") else path,
            expected=error.expected,
            observed=error.observed,
            remedy=error.remedy,
        ) from None


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong("this must be an object", path, value)
    return value


def _wrong(message: str, path: str, value: object) -> SignatureError:
    return SignatureError(message, path=path, observed=describe(value))
