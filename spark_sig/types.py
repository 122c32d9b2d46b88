"""Column types: what one value of a column is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from spark_sig.errors import SignatureError


class DataType(Enum):
    """A scalar type of MLflow's signature language (mlflow.types.DataType)."""

    boolean = "boolean"
    integer = "integer"
    long = "long"
    float = "float"
    double = "double"
    string = "string"
    binary = "binary"
    datetime = "datetime"

    def __repr__(self) -> str:
        return self.value

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Array:
    """A list of any length whose elements all have one type.

    Args:
        dtype: the type of an element; a string names a scalar type.
    """

    dtype: ColumnType

    def __init__(self, dtype: ColumnType | str) -> None:
        object.__setattr__(self, "dtype", column_type(dtype))

    def __repr__(self) -> str:
        return f"Array({self.dtype!r})"


@dataclass(frozen=True, slots=True)
class Property:
    """A named member of an :class:`Object`.

    Args:
        name: the key.
        dtype: the type of the value; a string names a scalar type.
        required: whether the key must be there; None means optional and is written back as null.
    """

    name: str
    dtype: ColumnType
    required: bool | None

    def __init__(self, name: str, dtype: ColumnType | str, required: bool | None = True) -> None:
        check_name(name)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "dtype", column_type(dtype))
        object.__setattr__(self, "required", _required(required))

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype!r} ({'required' if self.required else 'optional'})"


@dataclass(frozen=True, slots=True)
class Object:
    """A record with a fixed set of named members, kept sorted by name.

    Args:
        properties: at least one, each name once.
    """

    properties: tuple[Property, ...]

    def __init__(self, properties: Iterable[Property]) -> None:
        members = tuple(properties)
        if not members:
            raise SignatureError("an object needs at least one property")
        for member in members:
            if not isinstance(member, Property):
                raise SignatureError(
                    "an object is made of properties", observed=type(member).__name__
                )
        names = Counter(member.name for member in members)
        if repeated := sorted(name for name, count in names.items() if count > 1):
            raise SignatureError(f"an object's properties repeat the names {repeated}")
        object.__setattr__(self, "properties", tuple(sorted(members, key=lambda m: m.name)))

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self.properties)) + "}"


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping from strings to values of one type.

    Args:
        value_type: the type of a value; a string names a scalar type.
    """

    value_type: ColumnType

    def __init__(self, value_type: ColumnType | str) -> None:
        object.__setattr__(self, "value_type", column_type(value_type))

    def __repr__(self) -> str:
        # MLflow prints a scalar value type by its enum name here, and only here.
        value = self.value_type
        shown = f"DataType.{value.value}" if isinstance(value, DataType) else repr(value)
        return f"Map(str -> {shown})"


@dataclass(frozen=True, slots=True)
class AnyType:
    """A value of any type at all."""

    def __repr__(self) -> str:
        return "Any"


@dataclass(frozen=True, slots=True)
class SparkMLVector:
    """A Spark ML vector of doubles, dense or sparse: VectorUDT in Spark, list<double> in Arrow."""

    def __repr__(self) -> str:
        return "SparkML vector"


ColumnType: TypeAlias = DataType | Array | Object | Map | AnyType | SparkMLVector


def column_type(value: ColumnType | str) -> ColumnType:
    """Return a column type, reading a string as the name of a scalar type.

    Raises:
        SignatureError: where the value is neither.
    """
    if isinstance(value, (DataType, Array, Object, Map, AnyType, SparkMLVector)):
        return value
    names = [member.value for member in DataType]
    if isinstance(value, str):
        if value in names:
            return DataType(value)
        raise SignatureError(f"unknown type {value!r}", expected=f"one of {', '.join(names)}")
    raise SignatureError(
        "a type must be a column type or the name of a scalar type", observed=type(value).__name__
    )


def _required(value: bool | None) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise SignatureError(
        "`required` must be true, false or null", observed=type(value).__name__, path="required"
    )


def check_name(name: object) -> None:
    """Refuse what cannot name a column or a property.

    Raises:
        SignatureError: where it is no string, or one that no text can hold (a lone surrogate).
    """
    if not isinstance(name, str):
        raise SignatureError("a name must be a string", observed=type(name).__name__, path="name")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SignatureError(f"the name {name!a} is no text", path="name") from error
