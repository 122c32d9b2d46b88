"""pandas frames held to a schema of columns."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from spark_sig.engines.columns import Prepared, carry_out, prepare
from spark_sig.engines.scalars import escape
from spark_sig.engines.series import (
    Column,
    is_settled,
    numpy_field,
    read_column,
    to_pandas,
    write_column,
)
from spark_sig.errors import Code, SignatureError, Violation
from spark_sig.naming import folded, member_path
from spark_sig.policy import Casts, Policy
from spark_sig.schema import ColSpec, Schema
from spark_sig.types import AnyType, ColumnType

_ANY = AnyType()

# What the user of integers with gaps can do.
GAPS = (
    "integers with missing values are floats in pandas: give a nullable dtype such as Int64, or "
    "make the field optional and choose casts='lossless', or declare it a double"
)


@dataclass(slots=True, eq=False)
class Layout:
    """What is known of frames with some labels and dtypes, under one schema and policy.

    Args:
        labels: of the columns, each once.
        names: of the columns, for the plan.
        targets: what each column is to become.
        loose: places of the columns whose dtypes leave something open.
        casts: the rule of casts.
        prepared: plans already made, by what the loose columns turned out to be.
        unchanged: those of them under which a frame comes out as it went in.
    """

    labels: tuple[Any, ...]
    names: tuple[str, ...]
    targets: tuple[ColumnType, ...]
    loose: tuple[int, ...]
    casts: Casts
    prepared: dict[Hashable, Prepared] = field(default_factory=dict)
    unchanged: set[Hashable] = field(default_factory=set)


_LAYOUTS: dict[Hashable, Layout] = {}
_MOST = 128
_LOCK = Lock()


def enforce_frame(data: pd.DataFrame, schema: Schema, policy: Policy) -> pd.DataFrame:
    """Hold a frame to a schema of columns.

    Args:
        data: the frame, left as it is.
        schema: columns.
        policy: the choices.

    Returns:
        A new frame with the schema's columns in its order; columns that need no change share
        their memory with those that came in.

    Raises:
        ViolationError: lists every violation.

    Example:
        >>> frame = pd.DataFrame({"a": np.array([1, 2], "int32")})
        >>> enforce_frame(frame, Schema([ColSpec("long", "a")]), Policy()).dtypes.tolist()
        [dtype('int64')]
    """
    labels, dtypes = data.columns.tolist(), data.dtypes.tolist()
    layout = _layout(labels, dtypes, schema, policy)
    columns = {place: _column(data, layout, place) for place in layout.loose}
    key: Hashable = tuple((one.key, one.nullable) for one in columns.values())
    if any(one.key is None for one in columns.values()):
        key = None
    prepared = layout.prepared.get(key)
    if prepared is None:
        prepared = _prepare(layout, dtypes, columns, schema, policy)
    elif not prepared.work and key in layout.unchanged:
        return data.copy(deep=False)

    def column(place: int) -> Column:
        if place not in columns:
            columns[place] = _column(data, layout, place)
        return columns[place]

    def advise(violation: Violation) -> Violation:
        return _advised(violation, data, layout)

    rows = len(data)
    changed = carry_out(prepared, rows, lambda place: column(place).arrow(), advise)
    out = _assemble(data, labels, dtypes, schema.has_names, prepared, changed, column)
    if key is not None:
        _remember(layout, key, prepared, out is None)
    return data.copy(deep=False) if out is None else out


def frame_batch(data: pd.DataFrame, schema: Schema, policy: Policy) -> pa.RecordBatch:
    """Return a frame's columns in Arrow, with what a plan has to know of them.

    Args:
        data: the frame.
        schema: columns, which say how objects are read.
        policy: the choices.

    Raises:
        SignatureError: where two columns have one name.
    """
    labels, dtypes = data.columns.tolist(), data.dtypes.tolist()
    layout = _layout(labels, dtypes, schema, policy)
    columns = [_column(data, layout, place) for place in range(len(labels))]
    fields = [
        column.field().with_name(name) for column, name in zip(columns, layout.names, strict=True)
    ]
    arrays = [column.arrow() for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _assemble(
    data: pd.DataFrame,
    labels: list[Any],
    dtypes: list[Any],
    has_names: bool,
    prepared: Prepared,
    changed: dict[int, pa.Array],
    column: Any,
) -> pd.DataFrame | None:
    """Make the frame that goes out; None where it is the one that came in."""
    made: dict[Hashable, Any] = {}
    same = len(prepared.plan.fields) == len(labels)
    for place, wanted in enumerate(prepared.plan.fields):
        new = changed.get(place)
        if wanted.source is None:
            assert new is not None
            made[wanted.name] = to_pandas(new)
            same = False
            continue
        label = labels[wanted.source]
        # Under case='insensitive' a column takes the schema's name.
        label = wanted.name if has_names and wanted.source_name == label else label
        one = column(wanted.source)
        made[label] = write_column(one, wanted.node, new)
        here = wanted.source == place and label == labels[wanted.source]
        as_it_was = made[label] is one.given and one.dtype == dtypes[wanted.source]
        same = same and here and as_it_was
    if same:
        return None
    # Objects stay objects: pandas would make datetimes of those that are.
    made = {
        label: pd.Series(one, index=data.index, dtype=object, copy=False)
        if isinstance(one, np.ndarray) and one.dtype == object
        else one
        for label, one in made.items()
    }
    return pd.DataFrame(made, index=data.index, copy=False)


# --- layouts --------------------------------------------------------------------------------------


def _layout(labels: list[Any], dtypes: list[Any], schema: Schema, policy: Policy) -> Layout:
    # A categorical dtype's hash is that of all its categories, which are looked at later.
    kinds = (pd.CategoricalDtype if isinstance(d, pd.CategoricalDtype) else d for d in dtypes)
    key = (schema, policy, tuple(labels), tuple(map(type, labels)), tuple(kinds))
    if (known := _LAYOUTS.get(key)) is not None:
        return known
    names = column_names(labels, schema)
    loose = tuple(place for place, dtype in enumerate(dtypes) if not is_settled(dtype))
    made = Layout(tuple(labels), names, _targets(names, schema, policy), loose, policy.casts)
    with _LOCK:
        if len(_LAYOUTS) >= _MOST:
            _LAYOUTS.clear()
        _LAYOUTS[key] = made
    return made


def _remember(layout: Layout, key: Hashable, prepared: Prepared, unchanged: bool) -> None:
    with _LOCK:
        if len(layout.prepared) >= _MOST:
            layout.prepared.clear()
            layout.unchanged.clear()
        layout.prepared[key] = prepared
        if unchanged:
            layout.unchanged.add(key)


def _column(data: pd.DataFrame, layout: Layout, place: int) -> Column:
    label = layout.labels[place]
    # Names are unique here, and looking one up is faster than counting columns.
    series = data[label] if type(label) is str else data.iloc[:, place]
    return read_column(series, layout.targets[place], layout.casts)


def _prepare(
    layout: Layout,
    dtypes: list[Any],
    columns: dict[int, Column],
    schema: Schema,
    policy: Policy,
) -> Prepared:
    fields, nullable = [], []
    for place, name in enumerate(layout.names):
        loose = columns.get(place)
        known = numpy_field(dtypes[place]) if loose is None else loose.field()
        fields.append(known.with_name(name))
        nullable.append(loose is not None and loose.nullable)
    return prepare(pa.schema(fields), schema, policy, nullable)


def column_names(labels: list[Any], schema: Schema) -> tuple[str, ...]:
    """Name a frame's columns for the plan: labels that are no strings in UTF-8 match no name.

    Raises:
        SignatureError: where a label occurs twice.
    """
    if len(set(labels)) < len(labels):
        repeated = next(label for label in labels if labels.count(label) > 1)
        raise SignatureError(
            f"the frame has more than one column named {repeated!r}",
            path=member_path("$", escape(str(repeated))),
            remedy="rename or drop the duplicates first",
        )
    if not schema.has_names:
        return tuple(f"$[{i}]" for i in range(len(labels)))
    return tuple(
        label if isinstance(label, str) and escape(label) == label else _shown(label)
        for label in labels
    )


def _shown(label: object) -> str:
    return escape(f"<{type(label).__name__} {label!r}>")


def _targets(names: tuple[str, ...], schema: Schema, policy: Policy) -> tuple[ColumnType, ...]:
    """Return what each column is to become; anything where nothing asks for it."""
    types = [spec.type for spec in schema if isinstance(spec, ColSpec)]
    if not schema.has_names:
        return tuple(types[i] if i < len(types) else _ANY for i in range(len(names)))
    wanted = {
        folded(policy, spec.name or ""): kind for spec, kind in zip(schema, types, strict=True)
    }
    return tuple(wanted.get(folded(policy, name), _ANY) for name in names)


def _advised(violation: Violation, data: pd.DataFrame, layout: Layout) -> Violation:
    """Name the remedies for integers whose gaps made them floats."""
    if violation.code is not Code.TYPE or not violation.expected.startswith(("integer", "long")):
        return violation
    for place, name in enumerate(layout.names):
        if violation.path not in (member_path("$", name), name):
            continue
        series = data.iloc[:, place]
        if getattr(series.dtype, "kind", "O") != "f":
            break
        given = series.to_numpy(dtype="float64", na_value=np.nan)
        there = given[~np.isnan(given)]
        whole = bool(np.isfinite(there).all() and (there == np.floor(there)).all())
        if whole and len(there) < len(given):
            return replace(violation, remedy=GAPS)
    return violation
