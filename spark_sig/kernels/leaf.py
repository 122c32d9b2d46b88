"""Scalars: their null, NaN and cast checks, and the values that come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_sig.casts import Cast, Failure, Kind
from spark_sig.errors import assert_never
from spark_sig.kernels.cast import decide, widen
from spark_sig.kernels.findings import Scope, Sink
from spark_sig.kernels.layout import (
    Mask,
    Positions,
    assemble,
    both,
    mask_out,
    null_places,
    numbers,
    plain,
    validity,
)
from spark_sig.kernels.verdict import Codes, Verdicts
from spark_sig.plan import Leaf

NULL, NAN = "null", "NaN"


def check_nulls(
    check: int | None,
    array: pa.Array,
    valid: Mask | None,
    live: Mask | None,
    scope: Scope,
    sink: Sink,
) -> None:
    """Find the NULLs among the values that count."""
    if check is not None and valid is not None:
        missing = ~valid if live is None else ~valid & live
        sink.add(check, scope, np.flatnonzero(missing), NULL, array)


def visit_leaf(
    node: Leaf, array: pa.Array, live: Mask | None, scope: Scope, sink: Sink
) -> pa.Array:
    """Check scalars and cast them.

    Args:
        node: what to do.
        array: the values, of type ``node.source``.
        live: which of them count; None for all.
        scope: the rows that they belong to.
        sink: takes what is found.

    Returns:
        The values in type ``node.output``, NULL where they violate; the array itself where
        nothing changes, or where the sink wants no columns.
    """
    changes = sink.columns and not (node.carried or node.output == node.source)
    checks_values = node.nan is not None or node.failure is not None
    if node.null is None and not checks_values and not changes and not node.nan_to_null:
        return array
    if live is None and not checks_values and not changes and not node.nan_to_null:
        assert node.null is not None
        sink.add(node.null, scope, null_places(array), NULL, array)
        return array
    valid = validity(array) if node.null is not None or checks_values or changes else None
    flat = plain(array) if checks_values or changes or node.nan_to_null else array
    nan = _nans(node, flat, both(valid, live))
    if nan is not None and node.nan_to_null:
        valid, nan = both(valid, ~nan), None
    _check_missing(node, flat, valid, nan, live, scope, sink)
    counts = both(valid, live)
    bad = nan
    verdicts = None
    if node.cast is Cast.CHECKED and (node.failure is not None or changes):
        counts = counts if nan is None else both(counts, ~nan)
        verdicts = decide(node, flat, counts)
        failed = _check_failures(node, flat, verdicts.codes, counts, scope, sink)
        bad = failed if bad is None or failed is None else bad | failed
        if failed is None:
            bad = nan
    if not sink.columns:
        return array
    return _output(node, array, flat, valid, bad, verdicts, changes)


def _nans(node: Leaf, flat: pa.Array, counts: Mask | None) -> Mask | None:
    if node.nan is None and not node.nan_to_null:
        return None
    nan: Mask = np.isnan(numbers(flat, node.kind))
    if counts is not None:
        nan &= counts
    return nan if nan.any() else None


def _check_missing(
    node: Leaf,
    flat: pa.Array,
    valid: Mask | None,
    nan: Mask | None,
    live: Mask | None,
    scope: Scope,
    sink: Sink,
) -> None:
    if nan is None:
        check_nulls(node.null, flat, valid, live, scope, sink)
        return
    assert node.nan is not None
    if node.null != node.nan or valid is None:
        check_nulls(node.null, flat, valid, live, scope, sink)
        sink.add(node.nan, scope, np.flatnonzero(nan), NAN, flat)
        return
    # One check for both: the first offending element of a row may be either.
    gone = both(~valid, live)
    assert gone is not None
    names = np.array([NULL, NAN], object)
    sink.add(
        node.nan,
        scope,
        np.flatnonzero(gone | nan),
        lambda places: names[nan[places].astype(np.intp)],
        flat,
    )


def _check_failures(
    node: Leaf,
    flat: pa.Array,
    codes: Codes | None,
    counts: Mask | None,
    scope: Scope,
    sink: Sink,
) -> Mask | None:
    if codes is None:
        return None
    failed: Mask = codes != 0
    if counts is not None:
        failed &= counts
    if node.failure is not None:
        names = np.array([""] + [failure.of(node.kind) for failure in Failure], object)
        sink.add(
            node.failure,
            scope,
            np.flatnonzero(failed),
            lambda places: _named(names, codes, places),
            flat,
        )
    return failed


def _named(
    names: npt.NDArray[np.object_], codes: Codes, places: Positions
) -> npt.NDArray[np.object_]:
    found: npt.NDArray[Any] = names[codes[places]]
    return found


def _output(
    node: Leaf,
    array: pa.Array,
    flat: pa.Array,
    valid: Mask | None,
    bad: Mask | None,
    verdicts: Verdicts | None,
    changes: bool,
) -> pa.Array:
    if not changes:
        return array if bad is None else mask_out(array, bad)
    match node.cast:
        case Cast.CHECKED:
            assert verdicts is not None
            values = verdicts.convert()
            return assemble(node.output, values, valid if bad is None else both(valid, ~bad))
        case Cast.WIDEN | Cast.IDENTITY:
            if node.kind is Kind.NULL:
                return pa.nulls(len(array), node.output)
            wide = widen(node, flat)
            return wide if bad is None else mask_out(wide, bad)
        case Cast.REFUSED:
            raise AssertionError("a plan holds no refused cast")
        case _:
            assert_never(node.cast)
