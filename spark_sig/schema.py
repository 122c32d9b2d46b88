"""Schemas: the columns or tensors that one side of a model takes or gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from spark_sig.errors import SignatureError, assert_never
from spark_sig.types import (
    AnyType,
    Array,
    ColumnType,
    DataType,
    Map,
    Object,
    SparkMLVector,
    _required,
    check_name,
    column_type,
)

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class ColSpec:
    """A column.

    Args:
        type: the type of its values; a string names a scalar type.
        name: its name; None where columns are matched by position.
        required: whether it must be there; None means optional and is written back as null.

    Example:
        >>> ColSpec("double", "price")
        'price': double (required)
    """

    type: ColumnType
    name: str | None
    required: bool | None

    def __init__(
        self, type: ColumnType | str, name: str | None = None, required: bool | None = True
    ) -> None:
        _check_name(name)
        object.__setattr__(self, "type", column_type(type))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "required", _required(required))

    def __repr__(self) -> str:
        flag = "required" if self.required else "optional"
        shown = f"{self.type!r} ({flag})"
        return shown if self.name is None else f"{self.name!r}: {shown}"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor.

    Args:
        type: its NumPy dtype, without a size where the dtype is flexible.
        shape: its shape; -1 stands for any length.
        name: its name; None where it is the only one.

    Example:
        >>> TensorSpec(np.dtype("float32"), (-1, 28, 28))
        Tensor('float32', (-1, 28, 28))
    """

    type: np.dtype[np.generic]
    shape: tuple[int, ...]
    name: str | None

    def __init__(self, type: npt.DTypeLike, shape: Iterable[int], name: str | None = None) -> None:
        _check_name(name)
        try:
            dtype = np.dtype(type)
        except (TypeError, ValueError) as error:
            raise SignatureError(f"{type!r} is no NumPy dtype", path="dtype") from error
        if dtype.kind in "SU" and dtype.itemsize:
            plain = "bytes" if dtype.kind == "S" else "str"
            raise SignatureError(
                f"a tensor of {dtype.name} cannot fix the length of its strings",
                remedy=f'use np.dtype("{plain}")',
                path="dtype",
            )
        if dtype.kind == "V":
            raise SignatureError("a tensor's dtype must be a plain one, not a record", path="dtype")
        dims = tuple(shape)
        for dim in dims:
            if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)) or dim < -1:
                raise SignatureError(
                    "a dimension must be a length, or -1 for any", observed=repr(dim), path="shape"
                )
        object.__setattr__(self, "type", dtype.newbyteorder("="))
        object.__setattr__(self, "shape", tuple(int(dim) for dim in dims))
        object.__setattr__(self, "name", name)

    @property
    def required(self) -> bool:
        """Always true, as tensors are never optional."""
        return True

    def __repr__(self) -> str:
        shown = f"Tensor({self.type.name!r}, {self.shape})"
        return shown if self.name is None else f"{self.name!r}: {shown}"


Spec: TypeAlias = ColSpec | TensorSpec


def _check_name(name: object) -> None:
    if name is not None and not isinstance(name, str):
        raise SignatureError(
            "a name must be a string or null", observed=type(name).__name__, path="name"
        )
    if name is not None:
        check_name(name)


@dataclass(frozen=True)
class Schema:
    """All columns, or all tensors, of one side of a model, in order.

    Args:
        inputs: at least one; all columns or all tensors, all named or none, each name once;
            more than one tensor only with names.

    Raises:
        SignatureError: where the specs do not go together.

    Example:
        >>> Schema([ColSpec("long", "a"), ColSpec("string", "b", required=False)])
        ['a': long (required), 'b': string (optional)]
    """

    inputs: tuple[Spec, ...]

    def __init__(self, inputs: Iterable[Spec]) -> None:
        specs = tuple(inputs)
        if not specs:
            raise SignatureError("a schema needs at least one column or tensor")
        for index, spec in enumerate(specs):
            if not isinstance(spec, (ColSpec, TensorSpec)):
                raise SignatureError(
                    "a schema is made of columns or tensors",
                    observed=type(spec).__name__,
                    path=f"[{index}]",
                )
        if len({isinstance(spec, TensorSpec) for spec in specs}) > 1:
            raise SignatureError("a schema holds columns or tensors, not both")
        if len({spec.name is None for spec in specs}) > 1:
            raise SignatureError("either every column has a name, or none")
        if specs[0].name is None and len(specs) > 1 and isinstance(specs[0], TensorSpec):
            raise SignatureError("more than one tensor needs names")
        if specs[0].name is None and any(spec.required is False for spec in specs):
            raise SignatureError("a column without a name cannot be optional")
        seen: set[str] = set()
        for index, spec in enumerate(specs):
            if spec.name is not None and spec.name in seen:
                raise SignatureError(f"the name {spec.name!r} is there twice", path=f"[{index}]")
            if spec.name is not None:
                seen.add(spec.name)
        object.__setattr__(self, "inputs", specs)

    @cached_property
    def is_tensor(self) -> bool:
        """Whether the schema is made of tensors."""
        return isinstance(self.inputs[0], TensorSpec)

    @cached_property
    def has_names(self) -> bool:
        """Whether its columns or tensors have names."""
        return self.inputs[0].name is not None

    @property
    def all_required(self) -> bool:
        """Whether it is of columns, none of which is optional at any level."""
        return all(
            isinstance(spec, ColSpec) and bool(spec.required) and _wholly_required(spec.type)
            for spec in self
        )

    def __iter__(self) -> Iterator[Spec]:
        return iter(self.inputs)

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return "[" + ", ".join(map(repr, self.inputs)) + "]"

    def _repr_html_(self) -> str:
        from spark_sig.render.signature import schema_html

        return schema_html(self)


def _wholly_required(dtype: ColumnType) -> bool:
    match dtype:
        case Array():
            return _wholly_required(dtype.dtype)
        case Map():
            return _wholly_required(dtype.value_type)
        case Object():
            return all(p.required and _wholly_required(p.dtype) for p in dtype.properties)
        case DataType() | AnyType() | SparkMLVector():
            return True
        case _:
            assert_never(dtype)
