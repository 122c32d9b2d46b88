"""The union of signatures, each inferred from a part of the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from spark_sig.casts import NATIVE, Cast, cast_rule
from spark_sig.errors import SignatureError, assert_never
from spark_sig.naming import member_path
from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.signature import ModelSignature
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

# From the strictest to the loosest: a flag of the union is the looser of the two.
_FLAGS = (True, None, False)

_CAST = "cast one of them first, or declare the type yourself"
_APART = "declare the signature yourself"

_T = TypeVar("_T")


class JoinError(SignatureError):
    """Several places that have no union; its attributes are those of the first."""

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True)
class _Conflicts:
    """The places that have no union, gathered so that all can be named at once."""

    found: list[SignatureError] = field(default_factory=list)
    where: str = ""

    def add(self, message: str, path: str, a: object, b: object, remedy: str) -> None:
        shown = f"{self.where}{message}"
        self.found.append(SignatureError(shown, path=path, observed=f"{a} and {b}", remedy=remedy))

    def settle(self) -> None:
        """Raise what was found: one error as it is, several as one that lists them."""
        if not self.found:
            return
        first = self.found[0]
        if len(self.found) == 1:
            raise first
        lines = "\n".join(f"  {error}" for error in self.found)
        raise JoinError(
            f"there is no union, for {len(self.found)} reasons:\n{lines}",
            path=first.path,
            observed=first.observed,
            remedy=first.remedy,
        )


def join_signatures(a: ModelSignature, b: ModelSignature) -> ModelSignature:
    """Return the least signature that says what two say; see :meth:`ModelSignature.join`."""
    conflicts = _Conflicts()
    inputs = _side(a.inputs, b.inputs, conflicts)
    conflicts.where = "in the outputs, "
    outputs = _side(a.outputs, b.outputs, conflicts)
    conflicts.where = ""
    params = _params(a.params or _NO_PARAMS, b.params or _NO_PARAMS, "$.params", conflicts)
    conflicts.settle()
    return ModelSignature(inputs, outputs, params or None)


def _side(a: Schema | None, b: Schema | None, conflicts: _Conflicts) -> Schema | None:
    if a is None or b is None:
        return a or b
    return _schemas(a, b, "$", conflicts)


def join_schemas(a: Schema, b: Schema, path: str = "$") -> Schema:
    """Return the union of two schemas.

    Columns with names are united by name, and one that either side lacks becomes optional;
    columns without names go position by position.  Tensors need the same names, dtypes and
    ranks; a dimension that differs becomes -1.

    Args:
        a: one schema.
        b: the other; the order does not matter.
        path: the place of both, for errors.

    Raises:
        SignatureError: lists the places that have no union.

    Example:
        >>> one = Schema([ColSpec("integer", "a"), ColSpec("string", "b")])
        >>> join_schemas(one, Schema([ColSpec("long", "a")]))
        ['a': long (required), 'b': string (optional)]
    """
    conflicts = _Conflicts()
    joined = _schemas(a, b, path, conflicts)
    conflicts.settle()
    return joined


def join_types(a: ColumnType, b: ColumnType, path: str = "$") -> ColumnType:
    """Return the union of two types: the least that the values of both fit.

    AnyType stands for nothing seen (nulls, empty containers), so that the other type holds; of an
    Object every property is optional then, as in MLflow.

    Args:
        a: one type.
        b: the other; the order does not matter.
        path: the place of both, for errors.

    Raises:
        SignatureError: lists the places that have no union.

    Example:
        >>> join_types(Array("integer"), Array("float"))
        Array(double)
        >>> join_types(DataType.long, DataType.double, "$.orders[*].price")
        Traceback (most recent call last):
            ...
        spark_sig.errors.SignatureError: no type holds both without loss @ $.orders[*].price \
(observed long and double); cast one of them first, or declare the type yourself
    """
    conflicts = _Conflicts()
    joined = _types(a, b, path, conflicts)
    conflicts.settle()
    return joined


def join_params(a: ParamSchema, b: ParamSchema, path: str = "$.params") -> ParamSchema:
    """Return the union of two param schemas by name; what both declare must be equal.

    Raises:
        SignatureError: lists the params that differ.

    Example:
        >>> n, s = ParamSpec("n", "long", 1), ParamSpec("s", "string", "x")
        >>> join_params(ParamSchema([s]), ParamSchema([n, s]))
        ['n': long (default: 1), 's': string (default: x)]
    """
    conflicts = _Conflicts()
    joined = _params(a, b, path, conflicts)
    conflicts.settle()
    return joined


# --- names and flags ------------------------------------------------------------------------------


def _ordered(a: Iterable[str], b: Iterable[str]) -> list[str]:
    """Return the names of both, in the order of the union."""
    ours, theirs = list(a), list(b)
    # Three parts that do not all agree end up sorted, whichever two are joined first.  Any order
    # that keeps more of one side's would depend on that.
    return ours if ours == theirs else sorted({*ours, *theirs})


def _looser(a: bool | None, b: bool | None) -> bool | None:
    return max(a, b, key=_FLAGS.index)


def _either(a: _T | None, b: _T | None) -> _T | None:
    """Return the only one that is there, None where both are."""
    if a is None:
        return b
    return a if b is None else None


# --- types ----------------------------------------------------------------------------------------


def _types(a: ColumnType, b: ColumnType, path: str, conflicts: _Conflicts) -> ColumnType:
    if isinstance(b, AnyType):
        return _beside_nothing(a)
    match a:
        case AnyType():
            return _beside_nothing(b)
        case DataType():
            least = _least(a, b) if isinstance(b, DataType) else None
            if least is not None:
                return least
        case Array(dtype):
            if isinstance(b, Array):
                return Array(_types(dtype, b.dtype, f"{path}[*]", conflicts))
        case Map(value_type):
            if isinstance(b, Map):
                return Map(_types(value_type, b.value_type, f"{path}[*]", conflicts))
        case Object():
            if isinstance(b, Object):
                return _objects(a, b, path, conflicts)
        case SparkMLVector():
            if isinstance(b, SparkMLVector):
                return a
        case _:
            assert_never(a)
    conflicts.add("no type holds both without loss", path, repr(a), repr(b), _CAST)
    return a


def _beside_nothing(known: ColumnType) -> ColumnType:
    """Return the union of a type and AnyType."""
    if not isinstance(known, Object):
        return known
    return Object(Property(p.name, p.dtype, False) for p in known.properties)


def _least(a: DataType, b: DataType) -> DataType | None:
    """Return the least type that both may be cast to, None where there is none."""
    bounds = _bounds(a) & _bounds(b)
    return next((bound for bound in bounds if bounds <= _bounds(bound)), None)


@cache
def _bounds(source: DataType) -> frozenset[DataType]:
    """Return every type that a type may be cast to by the safe rule."""
    return frozenset(
        target
        for target in DataType
        if cast_rule(NATIVE[source], target, "safe") is not Cast.REFUSED
    )


def _objects(a: Object, b: Object, path: str, conflicts: _Conflicts) -> Object:
    ours = {member.name: member for member in a.properties}
    theirs = {member.name: member for member in b.properties}
    members = []
    for name in _ordered(ours, theirs):
        alone = _either(ours.get(name), theirs.get(name))
        if alone is not None:
            members.append(Property(name, alone.dtype, False))
            continue
        one, other = ours[name], theirs[name]
        dtype = _types(one.dtype, other.dtype, member_path(path, name), conflicts)
        members.append(Property(name, dtype, _looser(one.required, other.required)))
    return Object(members)


# --- schemas --------------------------------------------------------------------------------------


def _schemas(a: Schema, b: Schema, path: str, conflicts: _Conflicts) -> Schema:
    if a.is_tensor != b.is_tensor:
        conflicts.add("columns and tensors have no union", path, _kind(a), _kind(b), _APART)
        return a
    if a.has_names != b.has_names:
        message = f"{_kind(a)} with and without names have no union"
        conflicts.add(message, path, a, b, "give all of them names, or none")
        return a
    if a.is_tensor:
        return _tensors(a, b, path, conflicts)
    return _named(a, b, path, conflicts) if a.has_names else _unnamed(a, b, path, conflicts)


def _kind(schema: Schema) -> str:
    return "tensors" if schema.is_tensor else "columns"


def _named(a: Schema, b: Schema, path: str, conflicts: _Conflicts) -> Schema:
    ours, theirs = _columns(a), _columns(b)
    specs = []
    for name in _ordered(ours, theirs):
        alone = _either(ours.get(name), theirs.get(name))
        if alone is not None:
            specs.append(ColSpec(alone.type, name, False))
        else:
            at = member_path(path, name)
            specs.append(_column(ours[name], theirs[name], at, conflicts))
    return Schema(specs)


def _columns(schema: Schema) -> dict[str, ColSpec]:
    return {spec.name or "": spec for spec in schema if isinstance(spec, ColSpec)}


def _column(a: ColSpec, b: ColSpec, path: str, conflicts: _Conflicts) -> ColSpec:
    dtype = _types(a.type, b.type, path, conflicts)
    return ColSpec(dtype, a.name, _looser(a.required, b.required))


def _unnamed(a: Schema, b: Schema, path: str, conflicts: _Conflicts) -> Schema:
    if len(a) != len(b):
        message = "columns without names must be as many on both sides"
        conflicts.add(message, path, len(a), len(b), "give the columns names")
        return a
    pairs = [
        (one, other)
        for one, other in zip(a, b, strict=True)
        if isinstance(one, ColSpec) and isinstance(other, ColSpec)
    ]
    return Schema(
        _column(one, other, f"{path}[{index}]", conflicts)
        for index, (one, other) in enumerate(pairs)
    )


def _tensors(a: Schema, b: Schema, path: str, conflicts: _Conflicts) -> Schema:
    ours, theirs = _by_name(a), _by_name(b)
    if set(ours) != set(theirs):
        message = "tensors are never optional, so both sides must name the same"
        conflicts.add(message, path, sorted(ours), sorted(theirs), _APART)
        return a
    return Schema(
        _tensor(
            ours[name], theirs[name], member_path(path, name) if a.has_names else path, conflicts
        )
        for name in _ordered(ours, theirs)
    )


def _by_name(schema: Schema) -> Mapping[str, TensorSpec]:
    return {spec.name or "": spec for spec in schema if isinstance(spec, TensorSpec)}


def _tensor(a: TensorSpec, b: TensorSpec, path: str, conflicts: _Conflicts) -> TensorSpec:
    if a.type != b.type or len(a.shape) != len(b.shape):
        message = "tensors need one dtype and one number of dimensions"
        one, other = (repr(TensorSpec(spec.type, spec.shape)) for spec in (a, b))
        conflicts.add(message, path, one, other, "convert or reshape one of them first")
        return a
    shape = [one if one == other else -1 for one, other in zip(a.shape, b.shape, strict=True)]
    return TensorSpec(a.type, shape, a.name)


# --- params ---------------------------------------------------------------------------------------

_NO_PARAMS = ParamSchema([])


def _params(a: ParamSchema, b: ParamSchema, path: str, conflicts: _Conflicts) -> ParamSchema:
    # No params are no statement on their order.
    if not a or not b:
        return a or b
    ours = {spec.name: spec for spec in a}
    theirs = {spec.name: spec for spec in b}
    specs: list[ParamSpec] = []
    for name in _ordered(ours, theirs):
        spec = ours.get(name) or theirs[name]
        if theirs.get(name, spec) != spec:
            message = f"the param {name!r} is declared in two ways"
            conflicts.add(message, member_path(path, name), spec, theirs[name], _APART)
        specs.append(spec)
    return ParamSchema(specs)
