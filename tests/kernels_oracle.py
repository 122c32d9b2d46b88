"""An oracle for the kernels: plans carried out value by value, in exact Python arithmetic.

Shares no code with ``spark_sig.kernels``: numbers are fractions, floats are packed with struct,
nested values are walked as lists and dicts.
"""

from __future__ import annotations

import decimal
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow as pa

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
)

LIMITS = {
    "int8": (-128, 127),
    "int16": (-32768, 32767),
    "integer": (-2147483648, 2147483647),
    "long": (-9223372036854775808, 9223372036854775807),
    "uint8": (0, 255),
    "uint16": (0, 65535),
    "uint32": (0, 4294967295),
    "uint64": (0, 18446744073709551615),
}
PACKS = {"float16": "e", "float": "f", "double": "d"}

Hit = tuple[int, str]


@dataclass(frozen=True)
class Number:
    """What a scalar says: an exact number, with the sign of a zero, or what is none."""

    value: Fraction | None = None
    odd: str = ""  # "malformed", "NaN", "infinite"
    minus: bool = False
    raw: Any = None


def number(value: Any, kind: str) -> Number:
    """Read a value exactly."""
    if kind == "string":
        return spelt(value)
    if kind in PACKS:
        value = float(value)
        if math.isnan(value):
            return Number(odd="NaN", raw=value)
        if math.isinf(value):
            return Number(odd="infinite", raw=value)
        return Number(Fraction(value), minus=math.copysign(1, value) < 0, raw=value)
    return Number(Fraction(value), minus=value < 0, raw=value)


def spelt(text: str) -> Number:
    """Read a number letter by letter."""
    rest = list(text)
    minus = bool(rest) and rest[0] == "-"
    if rest and rest[0] in "+-":
        rest.pop(0)

    def digits() -> str:
        found = ""
        while rest and rest[0] in "0123456789":
            found += rest.pop(0)
        return found

    whole, fraction, power, down = digits(), "", "0", False
    good = bool(whole)
    if good and rest and rest[0] == ".":
        rest.pop(0)
        fraction = digits()
        good = bool(fraction)
    if good and rest and rest[0] in "eE":
        rest.pop(0)
        if rest and rest[0] in "+-":
            down = rest.pop(0) == "-"
        power = digits()
        good = bool(power)
    if not good or rest:
        return Number(odd="malformed")
    ten = (-1 if down else 1) * int(power) - len(fraction)
    value = Fraction(int(whole + fraction)) * Fraction(10) ** ten
    return Number(-value if minus else value, minus=minus)


def cast(value: Any, kind: str, target: str) -> tuple[str | None, Any]:
    """Cast one scalar losslessly: what fails (or None), and what comes out."""
    found = number(value, kind)
    if found.odd == "malformed":
        return f"malformed {kind}", None
    if target in LIMITS:
        if found.odd:
            return f"{found.odd} {kind}", None
        assert found.value is not None
        if found.value.denominator != 1:
            return f"non-integral {kind}", None
        if kind in PACKS and found.value == 0 and found.minus:
            return f"negative zero {kind}", None
        low, high = LIMITS[target]
        if not low <= found.value <= high:
            return f"out-of-range {kind}", None
        return None, int(found.value)
    if found.odd:
        return None, found.raw
    assert found.value is not None
    if found.value == 0:
        signed = kind in ("string", *PACKS)
        return None, -0.0 if found.minus and signed else 0.0
    try:
        near = float(found.value)
        (near,) = struct.unpack(PACKS[target], struct.pack(PACKS[target], near))
    except OverflowError:
        return f"inexact {kind}", None
    if math.isinf(near) or Fraction(near) != found.value:
        return f"inexact {kind}", None
    return None, near


def walk(node: Node, value: Any) -> tuple[Any, list[Hit]]:
    """Carry out a node on one value: what comes out, and what is violated, in order."""
    if isinstance(node, (Leaf, ListOf, StructOf, MapOf, Anything, Nulls, VectorOf)):
        if value is None:
            return None, [] if node.null is None else [(node.null, "null")]
        match node:
            case Leaf():
                return walk_leaf(node, value)
            case ListOf():
                pairs = [walk(node.item, item) for item in value]
                return [out for out, _ in pairs], [hit for _, hits in pairs for hit in hits]
            case MapOf():
                pairs = [walk(node.value, item) for _, item in value]
                out = [(key, new) for (key, _), (new, _) in zip(value, pairs, strict=True)]
                return out, [hit for _, hits in pairs for hit in hits]
            case StructOf():
                return walk_struct(node, value)
            case _:
                return value, []
    return walk_tensor(node, value)


def walk_leaf(node: Leaf, value: Any) -> tuple[Any, list[Hit]]:
    kind = node.kind.value
    if kind in PACKS and math.isnan(float(value)):
        if node.nan_to_null:
            return None, [] if node.null is None else [(node.null, "null")]
        if node.nan is not None:
            return None, [(node.nan, "NaN")]
    if node.failure is None:
        if node.target.value in PACKS and node.source != node.output:
            return float(value), []
        return value, []
    wrong, out = cast(value, kind, node.target.value)
    if wrong is not None:
        return None, [(node.failure, wrong)]
    return (value if node.carried else out), []


def walk_struct(node: StructOf, value: dict[str, Any]) -> tuple[Any, list[Hit]]:
    out: dict[str, Any] = {}
    hits: list[Hit] = []
    for member in node.members:
        if member.source is None:
            out[member.name] = None
            continue
        name = node.source.field(member.source).name
        out[member.name], inside = walk(member.node, value[name])
        hits += inside
    return out, hits


def walk_tensor(node: TensorOf, value: Any) -> tuple[Any, list[Hit]]:
    if value is None:
        return None, [] if node.null is None else [(node.null, "null")]
    hits: list[Hit] = []
    wrong = False
    level: list[Any] = [value]
    for axis in range(1 if node.flat else len(node.dims)):
        if axis and None in level:
            assert node.inner is not None
            hits.append((node.inner, "null"))
        level = [part for part in level if part is not None]
        for part in level:
            if node.flat:
                fixed = math.prod(dim for dim in node.dims if dim >= 0)
                free = -1 in node.dims
                fits = (
                    len(part) == 0
                    if fixed == 0
                    else (len(part) % fixed == 0 if free else len(part) == fixed)
                )
                text = f"length {len(part)}"
            else:
                fits = node.dims[axis] in (-1, len(part))
                text = f"length {len(part)} at axis {axis + 1}"
            if not fits:
                assert node.shape is not None
                wrong = True
                hits.append((node.shape, text))
        level = [item for part in level for item in part]
    hits += [hit for item in level for hit in walk(node.item, item)[1]]

    def rebuilt(part: Any, depth: int) -> Any:
        if depth == 0:
            return walk(node.item, part)[0]
        return None if part is None else [rebuilt(item, depth - 1) for item in part]

    return (None if wrong else rebuilt(value, 1 if node.flat else len(node.dims))), hits


@dataclass(frozen=True)
class Expected:
    """What the oracle says of some rows."""

    columns: list[list[Any]]
    found: dict[int, dict[int, str]]  # check → row → first observation


def expect(plan: EnforcementPlan, columns: dict[str, list[Any]], rows: int) -> Expected:
    """Carry out a plan on columns of Python values."""
    out: list[list[Any]] = []
    found: dict[int, dict[int, str]] = {}
    for field in plan.fields:
        if field.source is None:
            out.append([None] * rows)
            continue
        out.append([])
        for row, value in enumerate(columns[field.source_name]):
            new, hits = walk(field.node, value)
            out[-1].append(new)
            for check, observed in hits:
                found.setdefault(check, {}).setdefault(row, observed)
    return Expected(out, {check: found[check] for check in sorted(found)})


def same(value: Any) -> Any:
    """Return a form in which equal means the very same: NaN, -0.0 and numeric types told apart."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [same(item) for item in value]
    if isinstance(value, dict):
        return {name: same(item) for name, item in value.items()}
    if isinstance(value, decimal.Decimal):
        return ("decimal", value)
    if isinstance(value, float) or type(value).__name__ in ("float16", "float32"):
        value = float(value)
        return "NaN" if math.isnan(value) else ("float", struct.pack(">d", value))
    return value


def parts(sizes: list[int], total: int) -> Iterator[tuple[int, int]]:
    """Yield (start, length) of batches that cover some rows, sizes taken in turn."""
    start = turn = 0
    while start < total:
        size = min(sizes[turn % len(sizes)], total - start)
        yield start, size
        start, turn = start + size, turn + 1


def dirty(values: list[Any], dtype: pa.DataType) -> pa.Array:
    """Build an array in which something lies under every NULL list and struct."""
    valid = [value is not None for value in values]
    bitmap = pa.array(valid, pa.bool_()).buffers()[1] if not all(valid) else None
    known = [value for value in values if value is not None]
    if pa.types.is_struct(dtype):
        fields = [dtype.field(i) for i in range(dtype.num_fields)]
        under = known[0] if known else {field.name: None for field in fields}
        rows = [under if value is None else value for value in values]
        children = [dirty([row[f.name] for row in rows], f.type) for f in fields]
        return pa.Array.from_buffers(dtype, len(values), [bitmap], children=children)
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        longest: list[Any] = max(known, key=len, default=[])
        rows = [[*longest, None] if value is None else value for value in values]
        offsets = [0]
        for row in rows:
            offsets.append(offsets[-1] + len(row))
        width = pa.int64() if pa.types.is_large_list(dtype) else pa.int32()
        inside = dirty([item for row in rows for item in row], dtype.value_type)
        starts = pa.array(offsets, width).buffers()[1]
        return pa.Array.from_buffers(dtype, len(values), [bitmap, starts], children=[inside])
    if pa.types.is_fixed_size_list(dtype):
        size = dtype.list_size
        rows = [[None] * size if value is None else value for value in values]
        inside = dirty([item for row in rows for item in row], dtype.value_type)
        return pa.Array.from_buffers(dtype, len(values), [bitmap], children=[inside])
    return pa.array(values, dtype)
