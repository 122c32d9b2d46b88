"""pandas frames held to tensors: each column becomes an array, never by rounding."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from spark_sig.engines.arrays import (
    check_tensor,
    exactly,
    has_null,
    masked_array,
    same_dtype,
    shape_label,
)
from spark_sig.engines.frames import column_names
from spark_sig.engines.scalars import as_objects, escape
from spark_sig.engines.values import read_values
from spark_sig.errors import Code, SignatureError, Violation, ViolationError
from spark_sig.naming import member_path
from spark_sig.planning.matching import match_names, near_miss
from spark_sig.policy import Policy
from spark_sig.schema import Schema, TensorSpec
from spark_sig.types import DataType

# Kinds whose elements NumPy may cut on the way in: NULs off the ends of text, fractions of moments.
_CUT = "SUM"
_LOSSY = "convert the column yourself, where losing that is meant"


def enforce_tensor_frame(
    data: pd.DataFrame, schema: Schema, policy: Policy
) -> npt.NDArray[Any] | dict[str, npt.NDArray[Any]]:
    """Make tensors of a frame's columns.

    A column of scalars is a tensor of shape ``(-1,)`` or ``(-1, 1)``; one of lists or arrays has
    a slice of the tensor in each row, nested or flat.  Several columns for one unnamed tensor
    stack by position.

    Returns:
        An array for an unnamed tensor, a dict of arrays for named ones.

    Raises:
        ViolationError: lists every violation.
    """
    specs = [spec for spec in schema if isinstance(spec, TensorSpec)]
    found: list[Violation] = []
    if specs[0].name is None:
        made = _unnamed(data, specs[0], policy, found)
        if found or made is None:
            raise ViolationError(found)
        return made
    out: dict[str, npt.NDArray[Any]] = {}
    labels = data.columns.tolist()
    names = column_names(labels, schema)
    places = match_names(policy, [spec.name or "" for spec in specs], names)
    for spec, place in zip(specs, places, strict=True):
        name = spec.name or ""
        path = member_path("$", name)
        if place is None:
            label = shape_label(spec.type, spec.shape)
            hint = near_miss(name, names)
            found.append(Violation(path, Code.MISSING_COLUMN, label, "nothing", hint))
            continue
        array = _Column(data.iloc[:, place], spec, path, policy, found).array()
        if array is not None:
            out[name] = array
    extras = [place for place in range(len(labels)) if place not in places]
    if policy.extra == "forbid":
        found += _extras(names[place] for place in extras)
    if found:
        raise ViolationError(found)
    if policy.extra == "keep":
        out |= {labels[place]: data.iloc[:, place].to_numpy() for place in extras}
    return out


def _unnamed(
    data: pd.DataFrame, spec: TensorSpec, policy: Policy, found: list[Violation]
) -> npt.NDArray[Any] | None:
    expected = shape_label(spec.type, spec.shape)
    columns = [column for _, column in data.items()]
    if not columns:
        found.append(Violation("$", Code.SHAPE, expected, "0 columns"))
        return None
    stacks = len(columns) > 1 and len(spec.shape) == 2 and spec.shape[1] != 0
    stacks = stacks and not any(map(_nested, columns))
    # As in planning.tensors.stacked_columns: what does not stack is the first column's alone.
    width = (spec.shape[1] if spec.shape[1] > 0 else len(columns)) if stacks else 1
    if policy.extra == "forbid":
        found += _extras(data.columns[width:])
    elif policy.extra == "keep" and len(columns) > width:
        raise SignatureError(
            "an array has no place for extra columns",
            path=member_path("$", escape(str(data.columns[width]))),
            remedy="choose extra='drop', or name the tensor",
        )
    elif policy.nulls == "allow" and len(columns) > width:
        # MLflow's reading: columns count for an unnamed tensor as its second axis.
        found.append(Violation("$", Code.SHAPE, expected, f"{len(columns)} columns"))
        return None
    if not stacks:
        return _Column(columns[0], spec, "$", policy, found).array()
    if len(columns) < width:
        found.append(Violation("$", Code.SHAPE, expected, f"{len(columns)} columns"))
        return None
    columns = columns[:width]
    # The columns' common dtype has to be the tensor's: nothing else says what was meant.
    dtypes = [column.dtype for column in columns]
    plain = [d if isinstance(d, np.dtype) else np.dtype(object) for d in dtypes]
    try:
        common = np.result_type(*plain)
    except TypeError:  # no dtype holds moments and numbers
        common = np.dtype(object)
    if not same_dtype(common, spec.type):
        observed = f"columns of {', '.join(sorted({str(d) for d in dtypes}))}"
        found.append(Violation("$", Code.TYPE, expected, observed, "cast the columns first"))
        return None
    one = TensorSpec(spec.type, spec.shape[:1])
    arrays = [
        _Column(column, one, f"$[{place}]", policy, found).array()
        for place, column in enumerate(columns)
    ]
    there = [array for array in arrays if array is not None]
    return np.stack(there, axis=1) if len(there) == width else None


def _nested(column: pd.Series[Any]) -> bool:
    if column.dtype != object:
        return False
    return any(map(_is_list, column))


def _is_list(cell: object) -> bool:
    return isinstance(cell, list) or (isinstance(cell, np.ndarray) and cell.ndim > 0)


def _extras(labels: Iterable[Hashable]) -> list[Violation]:
    return [
        Violation(member_path("$", str(label)), Code.EXTRA_COLUMN, "no such column", "a column")
        for label in labels
    ]


@dataclass(slots=True)
class _Column:
    """One column on its way to a tensor, and where its violations go."""

    series: pd.Series[Any]
    spec: TensorSpec
    path: str
    policy: Policy
    found: list[Violation]
    # Rows differ in shape, and the tensor lets them.
    uneven: bool = False

    def array(self) -> npt.NDArray[Any] | None:
        """Return the tensor; None where violations were found."""
        before = len(self.found)
        rows, shape = len(self.series), self.spec.shape
        if not shape:
            self._find(Code.SHAPE, f"a column of {rows} rows")
            return None
        if shape[0] not in (-1, rows):
            self._find(Code.ROW_COUNT, f"{rows} rows")
        if self.spec.type.kind == "O" and shape == (-1,):
            objects = self.series.to_numpy(dtype=object)
            if self.series.dtype.kind not in "biuf" and has_null(objects, self.policy):
                self._find(Code.NULL, "null")
                return None
            return objects
        flat, dims = self._flat()
        if flat is None:
            return self._ragged() if self.uneven else None
        fitted = self._dims(dims)
        made = self._exact(flat)
        if made is None or fitted is None or len(self.found) > before:
            return None
        return made.reshape((rows, *fitted))

    @property
    def _expected(self) -> str:
        return shape_label(self.spec.type, self.spec.shape)

    def _find(self, code: Code, observed: str, remedy: str = "") -> None:
        self.found.append(Violation(self.path, code, self._expected, observed, remedy))

    def _flat(self) -> tuple[npt.NDArray[Any] | None, tuple[int, ...]]:
        """Return all elements in one array, and the shape of each row."""
        series = self.series
        if isinstance(series.dtype, np.dtype) and series.dtype != object:
            return series.to_numpy(), ()
        if series.dtype != object:
            series = series.astype(object)
        return self._level(series.tolist())

    def _level(self, cells: Sequence[Any]) -> tuple[npt.NDArray[Any] | None, tuple[int, ...]]:
        """Take rows apart, level by level; where they are of different shapes, find or note it."""
        dims: list[int] = []
        while cells and all(map(_is_list, cells)):
            shapes = {c.shape if isinstance(c, np.ndarray) else (len(c),) for c in cells}
            if len(shapes) > 1:
                if -1 in self.spec.shape[1:]:
                    self.uneven = True
                    return None, ()
                lengths = ", ".join(str(s) for s in sorted(shapes)[:3])
                self._find(Code.SHAPE, f"rows of different shapes: {lengths}")
                return None, ()
            dims += next(iter(shapes))
            arrays = [c for c in cells if isinstance(c, np.ndarray)]
            if np.ma.MaskedArray in set(map(type, arrays)) and any(map(np.ma.is_masked, arrays)):
                self.found.append(masked_array(self.path, self._expected))
                return None, ()
            typed = [c.reshape(-1) for c in arrays if c.dtype != object]
            if len(typed) == len(cells):
                return self._joined(typed), tuple(dims)
            cells = list(
                chain.from_iterable(c.ravel() if isinstance(c, np.ndarray) else c for c in cells)
            )
        return self._scalars(cells), tuple(dims) if cells else self._empty()

    def _joined(self, arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
        """Join arrays; those of different dtypes as the tensor's, as NumPy's common one rounds."""
        dtypes = {array.dtype: array for array in arrays}
        if len(dtypes) > 1 and not all(same_dtype(d, arrays[0].dtype) for d in dtypes):
            made = []
            for array in arrays:
                exact = self._exact(array)
                if exact is None:
                    return None
                made.append(exact)
            arrays = made
        return np.concatenate(arrays)

    def _ragged(self) -> npt.NDArray[Any] | None:
        """Check rows of different shapes level by level; each becomes an array where it is one."""
        rows = np.empty(len(self.series), object)
        for place, cell in enumerate(self.series):
            rows[place] = cell
        before = len(self.found)
        free = TensorSpec(self.spec.type, (-1, *self.spec.shape[1:]))
        self.found += check_tensor(rows, free, self.path, self.policy)
        if len(self.found) > before:
            return None
        for place, cell in enumerate(rows):
            made = self._row(cell)
            if len(self.found) > before:
                return None
            rows[place] = made
        return rows

    def _row(self, cell: Any) -> Any:
        """Make an array of a row of elements of the tensor's kind, where it is one."""
        if self.spec.type.kind in _CUT:
            self.uneven = False
            flat, dims = self._level([cell])
            made = None if flat is None else self._exact(flat)
            if made is not None:
                return made.reshape(dims)
            return cell
        try:
            return np.array(cell, self.spec.type)
        except OverflowError:
            self._find(Code.CAST, f"integer that {self.spec.type.name} cannot hold", _LOSSY)
        except ValueError:
            pass  # ragged in itself: it stays as it is
        return cell

    def _empty(self) -> tuple[int, ...]:
        return tuple(max(dim, 0) for dim in self.spec.shape[1:])

    def _scalars(self, cells: Sequence[Any]) -> npt.NDArray[Any] | None:
        target = DataType.double if self.spec.type.kind == "f" else DataType.long
        values = read_values(cells, target)
        if values.opaque and all(type(cell) is int for cell in cells):
            large = np.array(cells, np.float64)  # integers beyond 64 bits; Python compares exactly
            if all(a == b for a, b in zip(large.tolist(), cells, strict=True)):
                return large
        if values.opaque:
            self._find(Code.TYPE, values.opaque, "give numbers, or lists or arrays of one shape")
            return None
        if values.array.null_count:
            self._find(Code.NULL, "null")
            return None
        if not len(cells):
            return np.empty(0, self.spec.type)
        if values.array.type == pa.string() and self.spec.type.kind == "U":
            return self._texts(as_objects(cells))  # as Python has them, lone surrogates too
        given: npt.NDArray[Any] = values.array.to_numpy(zero_copy_only=False)
        return self._texts(given) if self.spec.type.kind == "S" else given

    def _texts(self, given: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        text = given.astype(self.spec.type)
        if (text.astype(object) == given).all():
            return text
        self._find(Code.CAST, "text that ends in NUL", _LOSSY)
        return None

    def _dims(self, given: tuple[int, ...]) -> tuple[int, ...] | None:
        """Fit the shape of each row to the tensor's, a flat row of the right length included."""
        wanted = self.spec.shape[1:]
        if not given and wanted in ((1,), (-1,)):
            given = (1,)
        elif given == (1,) and not wanted:
            given = ()
        if len(given) == len(wanted) and all(
            w in (-1, g) for g, w in zip(given, wanted, strict=True)
        ):
            return given
        free = wanted.count(-1)
        if len(given) == 1 and wanted and free < 2:
            rest = math.prod(dim for dim in wanted if dim >= 0)
            if free == 0 and rest == given[0]:
                return wanted
            if free and rest and given[0] % rest == 0:
                return tuple(given[0] // rest if dim < 0 else dim for dim in wanted)
        observed = f"rows of shape {given}" if given else "scalars"
        self._find(Code.SHAPE, observed)
        return None

    def _exact(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        dtype = self.spec.type
        if not len(flat):
            return np.empty(flat.shape, dtype)
        if flat.dtype.kind in "mM" and bool(np.isnat(flat).any()):
            self._find(Code.NULL, "null")
            return None
        if dtype.kind == "O":
            # NumPy would make integers of nanoseconds.
            return (
                np.asarray(pd.Series(flat).astype(object))
                if flat.dtype.kind in "mM"
                else flat.astype(object)
            )
        if self.policy.casts == "exact" and not self._native(flat.dtype):
            self._find(Code.TYPE, str(flat.dtype), "cast the column first")
            return None
        made, wrong = exactly(flat, dtype)
        if made is None:
            self._find(Code.TYPE, str(flat.dtype), "cast the column first")
            return None
        if wrong is not None:
            self._find(Code.CAST, f"{flat.dtype} that {dtype.name} cannot hold exactly", _LOSSY)
            return None
        if self.policy.nan == "reject" and made.dtype.kind == "f" and bool(np.isnan(made).any()):
            self._find(Code.NULL, "NaN")
            return None
        return made if made is not flat else flat.copy()

    def _native(self, given: np.dtype[Any]) -> bool:
        """Say whether elements need no cast; those that are Python's own have no width."""
        wanted = self.spec.type
        if same_dtype(given, wanted):
            return True
        if self.series.dtype != object or any(isinstance(c, np.ndarray) for c in self.series):
            return False
        return given.kind == wanted.kind or (given.kind in "iu" and wanted.kind in "iu")
