"""Params: the named settings that a model takes beside its data."""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from spark_sig.errors import Code, SignatureError, Violation, ViolationError, assert_never
from spark_sig.policy import Policy
from spark_sig.types import (
    AnyType,
    Array,
    ColumnType,
    DataType,
    Map,
    Object,
    SparkMLVector,
    column_type,
)

if TYPE_CHECKING:
    from spark_sig.signature import SignatureSource

ARRAY_SHAPE = (-1,)


@dataclass(frozen=True, slots=True)
class Reading:
    """What may be given for a scalar type, and what comes of it.

    Args:
        python: the Python classes, exactly: True is no int here.
        numpy: the names of NumPy scalar types.
        make: the Python class of the result.
    """

    python: tuple[type, ...]
    numpy: frozenset[str]
    make: Callable[[Any], Any]


# MLflow's table of conversions for params: int -> long -> float -> double, all else identity.
READINGS: Mapping[DataType, Reading] = {
    DataType.boolean: Reading((bool,), frozenset({"bool"}), bool),
    DataType.integer: Reading((int,), frozenset({"int32"}), int),
    DataType.long: Reading((int,), frozenset({"int32", "int64"}), int),
    DataType.float: Reading((int, float), frozenset({"int32", "int64", "float32"}), float),
    DataType.double: Reading(
        (int, float), frozenset({"int32", "int64", "float32", "float64"}), float
    ),
    DataType.string: Reading((str,), frozenset({"str"}), str),
    DataType.binary: Reading((bytes, bytearray), frozenset({"bytes"}), bytes),
}

# Inside an object the widenings of the safe rule for columns hold besides.
_SMALL = frozenset({"int8", "int16", "uint8", "uint16"})
NARROW: Mapping[DataType, frozenset[str]] = {
    DataType.integer: _SMALL,
    DataType.long: _SMALL | {"uint32"},
    DataType.float: frozenset({"float16"}),
    DataType.double: _SMALL | {"uint32", "float16"},
}

_BOUNDS = {DataType.integer: 2**31, DataType.long: 2**63}
_WITH_ZONE = re.compile(r"(?P<body>.+[T ]\S+?)(?P<zone>Z|(?P<sign>[+-])(\d\d)(?::?(\d\d))?)")


class Misfit(Exception):
    """A value that is not of a param's type; never leaves this module."""

    def __init__(
        self, expected: object, observed: str, place: str = "", code: Code = Code.PARAM_TYPE
    ) -> None:
        super().__init__(observed)
        self.expected = str(expected) if isinstance(expected, str) else repr(expected)
        self.observed = f"{observed} at {place}" if place else observed
        self.code = code


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A param: its type, and the default that stands in where it is not given.

    Args:
        name: its name.
        dtype: a scalar type other than binary (a string names one), or an Object given as a dict.
        shape: None for one value, ``(-1,)`` for a list of scalars.
        default: the default, cast to the type here and now; None where there is none.

    Raises:
        SignatureError: where these do not go together.

    Example:
        >>> ParamSpec("temperature", "double", 1)
        'temperature': double (default: 1.0)
    """

    name: str
    dtype: DataType | Object
    _default: Any
    shape: tuple[int, ...] | None

    def __init__(
        self,
        name: str,
        dtype: DataType | Object | str,
        default: Any,
        shape: Iterable[int] | None = None,
    ) -> None:
        if not isinstance(name, str):
            raise SignatureError(
                "a param's name must be a string", path="name", observed=type(name).__name__
            )
        kind = column_type(dtype)
        if not isinstance(kind, (DataType, Object)) or kind is DataType.binary:
            raise SignatureError(
                "a param must be a scalar or an object",
                path="type",
                expected=f"{', '.join(m.value for m in READINGS if m is not DataType.binary)}, "
                "datetime or object",
                observed=repr(kind),
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "dtype", kind)
        object.__setattr__(self, "shape", _shape(shape, kind))
        object.__setattr__(self, "_default", _checked_default(self, default))

    @property
    def default(self) -> Any:
        """Return the default, as a copy of its own where it is a list or a dict."""
        return copy.deepcopy(self._default)

    def __hash__(self) -> int:
        return hash((self.name, self.dtype, self.shape, repr(self._default)))

    def __repr__(self) -> str:
        shape = "" if self.shape is None else f" (shape: {self.shape})"
        return f"{self.name!r}: {self.dtype!r} (default: {self._default}){shape}"


@dataclass(frozen=True, slots=True)
class ParamSchema:
    """All params of a model, in order.

    Args:
        params: the params, each name once.

    Raises:
        SignatureError: where a name is there twice.

    Example:
        >>> ParamSchema([ParamSpec("n", "long", 1)])
        ['n': long (default: 1)]
    """

    params: tuple[ParamSpec, ...]

    def __init__(self, params: Iterable[ParamSpec]) -> None:
        specs = tuple(params)
        seen: set[str] = set()
        for index, spec in enumerate(specs):
            if not isinstance(spec, ParamSpec):
                raise SignatureError(
                    "a param schema is made of params",
                    path=f"[{index}]",
                    observed=type(spec).__name__,
                )
            if spec.name in seen:
                raise SignatureError(f"the param {spec.name!r} is there twice", path=f"[{index}]")
            seen.add(spec.name)
        object.__setattr__(self, "params", specs)

    def __iter__(self) -> Iterator[ParamSpec]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)

    def __repr__(self) -> str:
        return "[" + ", ".join(map(repr, self.params)) + "]"

    def _repr_html_(self) -> str:
        from spark_sig.render.signature import params_html

        return params_html(self)


class HasParams(Protocol):
    """Anything with a param schema, such as a ModelSignature."""

    @property
    def params(self) -> ParamSchema | None:
        """Return the schema; None where no params are declared."""


def enforce_params(
    params: Mapping[str, Any] | None,
    schema: ParamSchema | HasParams | SignatureSource | None,
    *,
    policy: Policy | None = None,
) -> dict[str, Any]:
    """Check params against their schema, and fill in the defaults.

    Args:
        params: what the caller gives, left as it is; None for nothing.
        schema: a param schema, a signature or whatever loads as one, or None where no params
            are declared.
        policy: only ``show_values`` counts here.

    Returns:
        The params that were given, in their order, then the defaults of the others; a new dict.

    Raises:
        ViolationError: lists every param whose type or shape is not the declared one.
        SignatureError: where the params are not a dict.

    Example:
        >>> declared = ParamSchema([ParamSpec("n", "double", 1), ParamSpec("s", "string", "x")])
        >>> enforce_params({"n": 2}, declared)
        {'n': 2.0, 's': 'x'}
    """
    declared = _declared(schema)
    if declared is None:
        if params:
            warnings.warn(
                "the signature declares no params, all that were given are ignored", stacklevel=2
            )
        return {}
    if params is not None and not isinstance(params, Mapping):
        raise SignatureError("params must be a dict", path="$.params", observed=_class(params))
    given = _by_name(params or {})
    specs = {spec.name: spec for spec in declared}
    if unknown := [name for name in given if name not in specs]:
        warnings.warn(f"unknown params are ignored: {', '.join(unknown)}", stacklevel=2)
    out: dict[str, Any] = {}
    violations = []
    for name, value in given.items():
        if name in specs:
            try:
                out[name] = _conform(value, specs[name].dtype, specs[name].shape)
            except Misfit as misfit:
                violations.append(_violation(specs[name], misfit, value, policy or Policy()))
    if violations:
        order = {f"$.params.{name}": index for index, name in enumerate(specs)}
        raise ViolationError(sorted(violations, key=lambda v: order[v.path]))
    return out | {name: spec.default for name, spec in specs.items() if name not in out}


def _declared(schema: ParamSchema | HasParams | SignatureSource | None) -> ParamSchema | None:
    if schema is None or isinstance(schema, ParamSchema):
        return schema
    if isinstance(schema, (str, os.PathLike, Mapping)):
        from spark_sig.signature import load_signature

        return load_signature(schema).params
    return schema.params


def _by_name(params: Mapping[Any, Any]) -> dict[str, Any]:
    if all(isinstance(key, str) for key in params):
        return dict(params)
    warnings.warn("names of params that are no strings are read as strings", stacklevel=3)
    named = {str(key): value for key, value in params.items()}
    if len(named) < len(params):
        raise SignatureError("two params have one name once read as strings", path="$.params")
    return named


def _violation(spec: ParamSpec, misfit: Misfit, value: Any, policy: Policy) -> Violation:
    remedy = ""
    if misfit.code is Code.PARAM_SHAPE:
        remedy = "give a list" if spec.shape else "give one value, not a collection"
    return Violation(
        path=f"$.params.{spec.name}",
        code=misfit.code,
        expected=misfit.expected,
        observed=misfit.observed,
        remedy=remedy,
        value=repr(value) if policy.show_values else None,
    )


def _shape(shape: Iterable[int] | None, kind: DataType | Object) -> tuple[int, ...] | None:
    if shape is None:
        return None
    dims = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
    if len(dims) != 1 or type(dims[0]) is not int or dims != ARRAY_SHAPE:
        raise SignatureError(
            "a param's shape must be null or [-1]", path="shape", observed=repr(shape)[:80]
        )
    if isinstance(kind, Object):
        raise SignatureError(
            "a param cannot be a list of objects",
            path="shape",
            remedy="declare an object with an array property",
        )
    return ARRAY_SHAPE


def _checked_default(spec: ParamSpec, default: Any) -> Any:
    try:
        value = _conform(default, spec.dtype, spec.shape)
    except Misfit as misfit:
        raise SignatureError(
            f"the default of param {spec.name!r} is not of its type",
            path="default",
            expected=misfit.expected,
            observed=misfit.observed,
        ) from None
    try:
        # A signature is written as JSON: what JSON cannot say would be lost on the way.
        if isinstance(spec.dtype, Object):
            return json.loads(json.dumps(value, allow_nan=False))
        if any(isinstance(v, float) and not math.isfinite(v) for v in np.atleast_1d(value)):
            raise ValueError
    except (TypeError, ValueError, RecursionError):
        raise SignatureError(
            f"JSON cannot express the default of param {spec.name!r}",
            path="default",
            observed="NaN, an infinity, or a value that is no JSON",
            remedy="use null for no default",
        ) from None
    return value


def _conform(value: Any, kind: DataType | Object, shape: tuple[int, ...] | None) -> Any:
    """Return the value as its declared type, never the caller's own list or dict."""
    if isinstance(kind, Object):
        return _member(value, kind, True, "")
    if shape is None:
        if isinstance(value, (list, tuple, set)) or (
            isinstance(value, np.ndarray) and not _is_scalar_array(value)
        ):
            raise Misfit(kind, _class(value), code=Code.PARAM_SHAPE)
        return _scalar(value, kind, "")
    if not (isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1)):
        raise Misfit(f"list of {kind}", _class(value), code=Code.PARAM_SHAPE)
    for index, item in enumerate(value):
        if isinstance(item, (list, tuple, np.ndarray)):
            raise Misfit(f"list of {kind}", _class(item), f"[{index}]", Code.PARAM_SHAPE)
    return [_scalar(item, kind, f"[{index}]") for index, item in enumerate(value)]


def _scalar(value: Any, kind: DataType, place: str) -> Any:
    if value is None:
        return None
    if kind is DataType.datetime:
        return _instant(value, place)
    reading = READINGS[kind]
    known = type(value) in reading.python
    if not known and isinstance(value, np.generic):
        # A NumPy string carries its length in its name: str96 is str.
        name = value.dtype.name
        known = (name.rstrip("0123456789") if value.dtype.kind in "US" else name) in reading.numpy
    if not known:
        raise Misfit(kind, _class(value), place)
    try:
        made = reading.make(value)
    except OverflowError:
        raise Misfit(kind, "an int out of its range", place) from None
    # NumPy rounds before it compares an integer with a float, Python does not.
    if isinstance(value, (int, np.integer)) and made != int(value):
        raise Misfit(kind, "an int that it cannot hold exactly", place)
    bound = _BOUNDS.get(kind)
    if bound is not None and not -bound <= made < bound:
        raise Misfit(kind, "an int out of its range", place)
    return made


def _instant(value: Any, place: str) -> dt.date | dt.datetime | None:
    """Read a moment as NumPy reads it; a zone is applied, and then dropped: UTC."""
    offset = dt.timedelta(0)
    try:
        if isinstance(value, dt.datetime):
            return _plain(value, place)
        if isinstance(value, bytes):
            value = value.decode("ascii")
        if isinstance(value, str) and (zoned := _WITH_ZONE.fullmatch(value)):
            # NumPy reads zones too, but warns each time that it will not for long.
            _, zone, sign, hours, minutes = zoned.groups()
            value = zoned["body"]
            if zone != "Z":
                offset = dt.timedelta(hours=int(hours), minutes=int(minutes or 0))
                offset = -offset if sign == "-" else offset
        is_moment = _is_scalar_array(value) and value.dtype.kind == "M"
        if not is_moment and not isinstance(value, (str, dt.date, np.datetime64)):
            raise Misfit(DataType.datetime, _class(value), place)
        moment = np.datetime64(value).item()
        if isinstance(moment, dt.datetime):
            return moment - offset
    except (ValueError, TypeError, OverflowError):
        raise Misfit(DataType.datetime, f"{_class(value)} that is no moment", place) from None
    # Beyond microseconds, and beyond the years 1 to 9999, NumPy gives a number.
    if moment is not None and not isinstance(moment, dt.date):
        raise Misfit(DataType.datetime, "a moment that datetime cannot hold", place)
    return moment


def _plain(value: dt.datetime, place: str) -> dt.datetime:
    # A pandas Timestamp is a datetime with nanoseconds; NaT is one that equals nothing.
    if value != value or getattr(value, "nanosecond", False):
        raise Misfit(DataType.datetime, "a moment that datetime cannot hold", place)
    if value.utcoffset() is not None:
        value = value.astimezone(dt.timezone.utc)
    return dt.datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second,
        value.microsecond,
    )  # fmt: skip


def _member(value: Any, kind: ColumnType, required: bool, place: str) -> Any:
    """Return a copy of a value inside an object param; scalars keep the type they came with."""
    if isinstance(kind, AnyType) or (not required and _is_null(value)):
        return value
    if value is None:
        raise Misfit(kind, "null", place)
    match kind:
        case DataType():
            narrow = isinstance(value, np.generic) and value.dtype.name in NARROW.get(kind, ())
            if not narrow:
                _scalar(value, kind, place)
            return value
        case Array(dtype):
            return _items(value, dtype, required, place)
        case SparkMLVector():
            return _items(value, DataType.double, True, place)
        case Map(value_type):
            if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
                raise Misfit("a dict with string keys", _class(value), place)
            return {k: _member(v, value_type, required, f"{place}.{k}") for k, v in value.items()}
        case Object(properties):
            if not isinstance(value, dict):
                raise Misfit(kind, _class(value), place)
            if not value and not required:
                return {}
            known = {member.name: member for member in properties}
            for name, member in known.items():
                if member.required and name not in value:
                    raise Misfit(kind, f"no property {name!r}", place)
            if extra := [key for key in value if key not in known]:
                raise Misfit(kind, f"a property {extra[0]!r}", place)
            return {
                key: _member(item, known[key].dtype, bool(known[key].required), f"{place}.{key}")
                for key, item in value.items()
            }
        case _:
            assert_never(kind)


def _items(value: Any, kind: ColumnType, required: bool, place: str) -> Any:
    if not isinstance(value, (list, np.ndarray)) or _is_scalar_array(value):
        raise Misfit("a list", _class(value), place)
    items = [_member(item, kind, required, f"{place}[{i}]") for i, item in enumerate(value)]
    return value.copy() if isinstance(value, np.ndarray) else items


def _is_null(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas.NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, (float, np.generic, dt.datetime)) and bool(value != value)


def _is_scalar_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 0


def _class(value: Any) -> str:
    """Name what a value is, never what it holds."""
    if isinstance(value, np.ndarray):
        return f"ndarray of {value.dtype} with {value.ndim} dimensions"
    return "null" if value is None else type(value).__name__
