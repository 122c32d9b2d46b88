"""Values: how the column, property or element of one type becomes another."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.casts import NATIVE, SIGNIFICAND, Cast, Kind, cast_rule, kind_of, remedy_for
from spark_sig.compile.arrow import arrow_type
from spark_sig.errors import Code, assert_never
from spark_sig.naming import (
    VECTOR,
    column_places,
    folded,
    is_list,
    label,
    member_path,
    opaque_type,
    spark_type,
    type_name,
)
from spark_sig.plan import (
    Anything,
    Leaf,
    ListOf,
    MapOf,
    Member,
    Node,
    Nulls,
    Reason,
    StructOf,
    VectorOf,
    is_identity,
)
from spark_sig.planning.draft import Draft
from spark_sig.planning.matching import HINTS, near_miss
from spark_sig.planning.rungs import row_reason
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector


def plan_value(
    draft: Draft,
    source: pa.Field,
    target: ColumnType,
    required: bool,
    path: str,
    *,
    member: bool = False,
) -> Node | None:
    """Plan one value, or record why it cannot fit and return None.

    Args:
        source: what is stored.
        target: what it has to be.
        required: whether the column, property or element is required.
        path: its place.
        member: whether it is a property or a map's value, rather than a column or an element.
    """
    rejects = draft.rejects_null(target, required, member)
    opaque = opaque_type(source)
    if opaque is not None and not isinstance(target, AnyType):
        draft.mismatch(path, target, required, source)
        return None
    if pat.is_null(source.type) and opaque is None and not isinstance(target, AnyType):
        null = draft.null_check(path, target, rejects, source)
        return Nulls(source.type, arrow_type(target), null)
    match target:
        case DataType():
            return _leaf(draft, source, target, required, rejects, path)
        case AnyType():
            null = draft.null_check(path, target, rejects, source)
            return Anything(source.type, source.type, null)
        case Array():
            return _list(draft, source, target, required, rejects, path)
        case Map():
            return _map(draft, source, target, required, rejects, path)
        case Object():
            return _struct(draft, source, target, required, rejects, path)
        case SparkMLVector():
            return _vector(draft, source, required, rejects, path)
        case _:
            assert_never(target)


def _leaf(
    draft: Draft, source: pa.Field, target: DataType, required: bool, rejects: bool, path: str
) -> Leaf | None:
    kind = kind_of(source.type)
    casts = draft.policy.casts
    cast = Cast.REFUSED if kind is None else cast_rule(kind, target, casts)
    if kind is None or cast is Cast.REFUSED:
        draft.mismatch(path, target, required, source, remedy_for(kind, target, casts))
        return None
    output = source.type
    native = NATIVE[target]
    if target is DataType.datetime:
        cast, output, native = _datetime(draft, kind, source.type, cast)
    elif cast is not Cast.IDENTITY:
        output = arrow_type(target)
    nullable = not rejects
    null, nan = None, None
    if draft.policy.nan == "reject" and kind in SIGNIFICAND and native in SIGNIFICAND:
        # NULL and NaN are one check, and no constraint on NULL proves it.
        nan = draft.check(path, Code.NULL, label(target, required), row_reason(path, kind, native))
        null = None if nullable else nan
    else:
        null = draft.null_check(path, target, rejects, source)
    failure = None
    if cast is Cast.CHECKED:
        failure = draft.check(path, Code.CAST, repr(target), row_reason(path, kind, native))
    return Leaf(
        source.type,
        output,
        kind,
        native,
        cast,
        null,
        nan,
        failure,
        nan_to_null=nullable and kind in SIGNIFICAND and native not in SIGNIFICAND,
    )


def _datetime(
    draft: Draft, kind: Kind, source: pa.DataType, cast: Cast
) -> tuple[Cast, pa.DataType, Kind]:
    """Choose the type of a datetime that comes out: units and zones of the source stay."""
    zoned = kind is Kind.TIMESTAMP or draft.policy.datetime == "timestamp"
    native = Kind.TIMESTAMP if zoned else Kind.TIMESTAMP_NTZ
    if kind is Kind.DATE:
        # Days reach further than microseconds do.
        return Cast.CHECKED, pa.timestamp("us", "UTC" if zoned else None), native
    unit = getattr(source, "value_type", source).unit  # a dictionary's, or run ends', is inside
    if unit == "ns" and draft.policy.casts == "lossless":
        return Cast.CHECKED, pa.timestamp("us", "UTC" if zoned else None), native
    if kind is native:
        return Cast.IDENTITY, source, native
    return Cast.WIDEN, pa.timestamp(unit, "UTC"), native


def _list(
    draft: Draft, source: pa.Field, target: Array, required: bool, rejects: bool, path: str
) -> ListOf | None:
    if not is_list(source.type):
        draft.mismatch(path, target, required, source)
        return None
    null = draft.null_check(path, target, rejects, source)
    # A column's flag passes down into its elements (FACTS, "What MLflow does").
    item = plan_value(draft, source.type.value_field, target.dtype, required, f"{path}[*]")
    if item is None:
        return None
    output = source.type if is_identity(item) else pa.list_(item.output)
    return ListOf(source.type, output, item, null)


def _map(
    draft: Draft, source: pa.Field, target: Map, required: bool, rejects: bool, path: str
) -> MapOf | None:
    if not pat.is_map(source.type) or kind_of(source.type.key_type) is not Kind.STRING:
        draft.mismatch(path, target, required, source)
        return None
    null = draft.null_check(path, target, rejects, source)
    value = plan_value(
        draft, source.type.item_field, target.value_type, required, f"{path}[*]", member=True
    )
    if value is None:
        return None
    output = source.type if is_identity(value) else pa.map_(pa.string(), value.output)
    return MapOf(source.type, output, value, null)


def _struct(
    draft: Draft, source: pa.Field, target: Object, required: bool, rejects: bool, path: str
) -> StructOf | None:
    if not pat.is_struct(source.type) or spark_type(source) is not None:
        draft.mismatch(path, target, required, source)
        return None
    null = draft.null_check(path, target, rejects, source)
    inside = [source.type.field(i) for i in range(source.type.num_fields)]
    places = column_places(draft.policy, [member.name for member in inside])
    column_places(draft.policy, [wanted.name for wanted in target.properties])
    members = []
    failed = False
    for wanted in target.properties:
        place = places.pop(folded(draft.policy, wanted.name), None)
        at = member_path(path, wanted.name)
        if place is not None:
            node = plan_value(
                draft, inside[place], wanted.dtype, bool(wanted.required), at, member=True
            )
            if node is None:
                failed = True
            else:
                members.append(Member(wanted.name, place, node))
        elif wanted.required:
            failed = True
            few = len(draft.findings) < HINTS
            hint = near_miss(wanted.name, [m.name for m in inside]) if few else ""
            shown = label(wanted.dtype, True)
            draft.find(at, Code.MISSING_PROPERTY, shown, "nothing", hint)
        elif draft.policy.fill_missing:
            output = arrow_type(wanted.dtype)
            members.append(Member(wanted.name, None, Nulls(pa.null(), output)))
    for place in places.values():
        failed = True
        extra = inside[place]
        at = member_path(path, extra.name)
        draft.find(at, Code.EXTRA_PROPERTY, "no such property", type_name(extra), "drop it first")
    if failed:
        return None
    output = pa.struct([pa.field(m.name, m.node.output) for m in members])
    node = StructOf(source.type, output, tuple(members), null)
    if is_identity(node):
        return StructOf(source.type, source.type, tuple(members), null)
    return node


def _vector(
    draft: Draft, source: pa.Field, required: bool, rejects: bool, path: str
) -> VectorOf | ListOf | None:
    target = SparkMLVector()
    if spark_type(source) == VECTOR:
        null = draft.null_check(path, target, rejects, source)
        nan = draft.vector_nan_check(path, label(DataType.double, True))
        return VectorOf(source.type, source.type, None, null, nan=nan)
    if not is_list(source.type) or kind_of(source.type.value_type) is not Kind.FLOAT64:
        draft.mismatch(path, target, required, source)
        return None
    null = draft.null_check(path, target, rejects, source)
    element = draft.check(f"{path}[*]", Code.NULL, label(DataType.double, True), Reason.ELEMENT)
    nan = element if draft.policy.nan == "reject" else None
    value = source.type.value_type
    leaf = Leaf(value, value, Kind.FLOAT64, Kind.FLOAT64, Cast.IDENTITY, element, nan)
    return ListOf(source.type, source.type, leaf, null)
