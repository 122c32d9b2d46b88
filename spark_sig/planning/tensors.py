"""Tensors: how a column carries one slice a row along a tensor's first axis."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.casts import CARRIERS, SIGNIFICAND, Cast, Kind, dtype_kind, kind_of
from spark_sig.errors import Code, SignatureError
from spark_sig.naming import VECTOR, is_list, opaque_type, spark_type, tensor_label, type_name
from spark_sig.plan import Anything, Leaf, Node, Reason, TensorOf, VectorOf
from spark_sig.planning.draft import Draft
from spark_sig.planning.rungs import row_reason
from spark_sig.schema import Schema, TensorSpec


def plan_tensor(draft: Draft, source: pa.Field, spec: TensorSpec, path: str) -> Node | None:
    """Plan the column of a tensor: each row holds one slice along the first axis."""
    if not spec.shape:
        raise SignatureError(
            "a tensor without axes has no rows",
            path=path,
            expected="shape (-1, …)",
            observed="shape ()",
            remedy="enforce it on the driver",
        )
    dims = spec.shape[1:]
    expected = tensor_label(spec.type, dims)
    kind = dtype_kind(spec.type)
    if spec.type.kind == "O" and not dims:
        null = draft.check(path, Code.NULL, expected, draft.null_reason(path, source))
        return Anything(source.type, source.type, null)
    if kind is None:
        raise SignatureError(
            f"no column can carry a tensor of {spec.type.name}",
            path=path,
            remedy="enforce it on the driver, or change the tensor's dtype",
        )
    if spark_type(source) == VECTOR and kind is Kind.FLOAT64 and len(dims) == 1:
        null = draft.check(path, Code.NULL, expected, draft.null_reason(path, source))
        shape = draft.check(path, Code.SHAPE, expected, Reason.LENGTH) if dims[0] >= 0 else None
        length = dims[0] if dims[0] >= 0 else None
        nan = draft.vector_nan_check(path, expected)
        return VectorOf(source.type, source.type, length, null, shape, nan)
    depth, element = _unwrap(source)
    stored = kind_of(element.type) if opaque_type(element) is None else None
    carried = stored in CARRIERS.get(kind, frozenset()) and draft.spark
    fits = stored is kind or (carried and (stored is not Kind.DECIMAL or element.type.scale == 0))
    if kind is Kind.TIMESTAMP_NTZ and fits:
        # A dtype fixes the precision: datetime64[us] is the one that has a kind.
        fits = getattr(element.type, "value_type", element.type).unit == "us"
    # With two free axes or more any length is a product of some, and none says which.
    shaped = depth == len(dims) or (depth == 1 and len(dims) > 1 and dims.count(-1) < 2)
    if not fits or stored is None or not shaped:
        draft.find(path, Code.TYPE, expected, type_name(source), "cast the column first")
        return None
    if not dims:
        return _element(draft, element, kind, stored, source, path, expected, dims)
    null = draft.check(path, Code.NULL, expected, draft.null_reason(path, source))
    flat = depth != len(dims)
    inner = (
        None
        if flat or depth == 1
        else draft.check(path + "[*]" * (depth - 1), Code.NULL, expected, Reason.ELEMENT)
    )
    shape = None
    if any(dim >= 0 for dim in dims):
        shape = draft.check(path, Code.SHAPE, expected, Reason.LENGTH)
    item = _element(draft, element, kind, stored, source, path + "[*]" * depth, expected, dims)
    return TensorOf(source.type, source.type, dims, flat, item, null, inner, shape)


def _element(
    draft: Draft,
    element: pa.Field,
    kind: Kind,
    stored: Kind,
    source: pa.Field,
    path: str,
    expected: str,
    dims: tuple[int, ...],
) -> Leaf:
    reason = Reason.ELEMENT if dims else row_reason(path, stored, kind)
    # Elements are never null, whatever the policy says of columns.
    if draft.policy.nan == "reject" and kind in SIGNIFICAND:
        null = nan = draft.check(path, Code.NULL, expected, reason)
    else:
        nan = None
        null = draft.check(
            path, Code.NULL, expected, draft.null_reason(path, source if not dims else element)
        )
    failure = None
    if stored is not kind:
        failure = draft.check(path, Code.CAST, expected, reason)
    cast = Cast.IDENTITY if stored is kind else Cast.CHECKED
    return Leaf(
        element.type,
        element.type,
        stored,
        kind,
        cast,
        null,
        nan,
        failure,
        carried=stored is not kind,
    )


def stacked_columns(source: pa.Schema, schema: Schema) -> Schema | None:
    """Read an unnamed tensor over several columns as one scalar tensor for each of them."""
    spec = schema.inputs[0]
    if not isinstance(spec, TensorSpec) or spec.name is not None or len(spec.shape) != 2:
        return None
    if any(pat.is_nested(column.type) for column in source):
        return None
    width = spec.shape[1] if spec.shape[1] >= 0 else len(source)
    if width == 0:
        return None
    # Names are the source's; a missing column needs some name to be reported under.
    names = [source.names[i] if i < len(source) else f"[{i}]" for i in range(width)]
    return Schema([TensorSpec(spec.type, spec.shape[:1], name) for name in names])


def fixed_rows(schema: Schema) -> int | None:
    """Return the number of rows that fixed first axes ask for, None where none does.

    Raises:
        SignatureError: where two tensors ask for different numbers, as no table can have both.
    """
    fixed = {
        spec.shape[0]: spec
        for spec in schema
        if isinstance(spec, TensorSpec) and spec.shape and spec.shape[0] >= 0
    }
    if len(fixed) > 1:
        raise SignatureError(
            "tensors whose first axes are fixed at different lengths cannot share a table",
            observed="; ".join(map(repr, fixed.values())),
            remedy="enforce a dict of arrays on the driver",
        )
    return next(iter(fixed), None)


def _unwrap(source: pa.Field) -> tuple[int, pa.Field]:
    """Count the lists around the elements of a tensor's column."""
    depth = 0
    while is_list(source.type):
        source = source.type.value_field
        depth += 1
    return depth, source
