"""Tags: the two columns in which tag mode says what is wrong with a row, and what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from spark_sig.errors import Violation
from spark_sig.kernels.layout import Mask, normalise
from spark_sig.naming import member_path
from spark_sig.plan import EnforcementPlan


def as_declared(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    """Return an array under the type that was declared for it.

    The two differ in names of list items, nullable flags and time zones only, so that no value
    changes.
    """
    return array if array.type.equals(dtype) else array.cast(dtype)


def violation_lists(
    tagged: Mapping[int, Sequence[Violation]], rows: int, dtype: pa.ListType
) -> pa.Array:
    """Build ``_violations``: for each of ``rows`` rows a list of structs, empty where it conforms.

    Args:
        tagged: the violations by row, in the order of rows.
        rows: how many rows there are.
        dtype: the type that was declared.
    """
    counts = np.zeros(rows, dtype=np.int32)
    counts[list(tagged)] = [len(found) for found in tagged.values()]
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    # Values in the order of the struct's members; ``value`` is there only where it is shown.
    entries = [
        (v.path, v.code.value, v.expected, v.observed, v.value)
        for found in tagged.values()
        for v in found
    ]
    struct = dtype.value_type
    members = [
        pa.array([entry[i] for entry in entries], pa.string()) for i in range(struct.num_fields)
    ]
    inside = pa.StructArray.from_arrays(
        members, fields=[struct.field(i) for i in range(struct.num_fields)]
    )
    return pa.ListArray.from_arrays(pa.array(offsets), inside)


def originals(
    plan: EnforcementPlan, source: pa.RecordBatch, conforming: Mask, dtype: pa.StructType
) -> pa.Array:
    """Build ``_original``: the untouched row where it violates, NULL where it conforms.

    Args:
        plan: made for the source.
        source: all of the source's columns.
        conforming: for each row whether it conforms.
        dtype: the type that was declared.
    """
    columns = [
        as_declared(as_planned(plan, column, place), dtype.field(place).type)
        for place, column in enumerate(source.columns)
    ]
    fields = [dtype.field(i) for i in range(dtype.num_fields)]
    return pa.StructArray.from_arrays(columns, fields=fields, mask=pa.array(conforming))


def as_planned(plan: EnforcementPlan, column: pa.Array, place: int) -> pa.Array:
    """Return a source's column in the layout that it was planned for."""
    planned = plan.source.field(place)
    return normalise(column, planned.type, member_path("$", planned.name))
