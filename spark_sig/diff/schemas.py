"""Two schemas side by side."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from spark_sig.diff.change import Change
from spark_sig.diff.values import Place, Role
from spark_sig.diff.verdict import FITS, MISSING, REFUSED, Compatibility, Verdict, worst
from spark_sig.diff.walk import Walk
from spark_sig.naming import tensor_label
from spark_sig.schema import ColSpec, Schema, TensorSpec


def schema_changes(walk: Walk, a: Schema | None, b: Schema | None) -> Iterator[Change]:
    """Yield what two signatures say of every place of a side."""
    if a is None or b is None:
        if a is not b:
            forward, backward = _declared(a, b), _declared(b, a)
            yield walk.change("$", _size(a), _size(b), forward, backward)
    elif a.is_tensor != b.is_tensor:
        yield walk.change("$", _size(a), _size(b), REFUSED, REFUSED)
    elif a.is_tensor:
        yield from _tensors(walk, a, b)
    elif a.has_names and b.has_names:
        yield from walk.members("$", _columns(a), _columns(b))
    else:
        yield from _positions(walk, a, b)


def _declared(source: Schema | None, target: Schema | None) -> Verdict:
    if target is None:
        return Verdict(Compatibility.COMPATIBLE, "not declared, so not checked")
    return FITS if source is not None else Verdict(Compatibility.LOSSY, "not declared")


def _size(schema: Schema | None) -> str | None:
    if schema is None:
        return None
    noun = ("tensor" if schema.is_tensor else "column") + ("s" if len(schema) > 1 else "")
    return f"{len(schema)} {noun} {'with' if schema.has_names else 'without'} names"


# --- columns --------------------------------------------------------------------------------------


def _columns(schema: Schema) -> dict[str, Place]:
    """Return the columns by name, or by place where they have none."""
    return {
        str(index) if spec.name is None else spec.name: Place(
            spec.type, bool(spec.required), Role.COLUMN
        )
        for index, spec in enumerate(schema)
        if isinstance(spec, ColSpec)
    }


def _positions(walk: Walk, a: Schema, b: Schema) -> Iterator[Change]:
    """Compare columns by position, as they are matched where a signature has no names."""
    if a.has_names != b.has_names:
        yield walk.change("$", _size(a), _size(b), _naming(a), _naming(b))
    pairs = zip_longest(_columns(a).values(), _columns(b).values())
    for index, (one, other) in enumerate(pairs):
        yield from walk.values(f"$[{index}]", one, other)


def _naming(source: Schema) -> Verdict:
    if source.has_names:
        return Verdict(Compatibility.COMPATIBLE, "matched by position")
    return Verdict(Compatibility.BREAKING, "has no names to match")


# --- tensors --------------------------------------------------------------------------------------


def _tensors(walk: Walk, a: Schema, b: Schema) -> Iterator[Change]:
    if a.has_names != b.has_names:
        # An array alone, a dict of arrays, a frame: no container of the one suits the other.
        yield walk.change("$", _size(a), _size(b), REFUSED, REFUSED)
        return
    ours, theirs = (
        {spec.name or "": spec for spec in schema if isinstance(spec, TensorSpec)}
        for schema in (a, b)
    )
    pairs = walk.paired("$", ours, theirs) if a.has_names else [("$", ours[""], theirs[""])]
    extra = walk.rules.extra(Role.COLUMN)
    for path, one, other in pairs:
        forward = _fits(one, other, extra)
        yield walk.change(path, _shown(one), _shown(other), forward, _fits(other, one, extra))


def _fits(source: TensorSpec | None, target: TensorSpec | None, extra: Verdict) -> Verdict:
    if target is None:
        return extra
    if source is None:
        return MISSING
    if source.type != target.type or len(source.shape) != len(target.shape):
        return REFUSED
    pairs = zip(source.shape, target.shape, strict=True)
    return worst(FITS, *(_axis_fits(axis, *pair) for axis, pair in enumerate(pairs)))


def _axis_fits(axis: int, length: int, wanted: int) -> Verdict:
    if wanted in (-1, length):
        return FITS
    if length == -1:
        return Verdict(Compatibility.LOSSY, f"axis {axis} may have any length")
    return Verdict(Compatibility.BREAKING, f"axis {axis} has another length")


def _shown(spec: TensorSpec | None) -> str | None:
    return None if spec is None else tensor_label(spec.type, spec.shape)
