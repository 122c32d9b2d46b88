"""Hypothesis strategies for values in every container, and what it means that two are the same."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp
from hypothesis import strategies as st

# --- scalars --------------------------------------------------------------------------------------

INTEGERS: list[Any] = [0, 1, -1, 7, 2**31, -(2**31), 2**53, 2**53 + 1, -(2**53) - 1]
INTEGERS += [2**63 - 1, -(2**63)]
FLOATS: list[Any] = [0.0, -0.0, 0.5, 1.0, 1e308, 5e-324, math.nan, math.inf, -math.inf, 2.0**53]
NAIVE: list[Any] = [
    dt.datetime(2020, 2, 29, 12, 30, 0, 1),
    pd.Timestamp("2020-01-01 00:00:00.000000001"),
    np.datetime64("2020-01-01"),
    np.datetime64("2020-01-01T01", "ns"),
]
KATHMANDU = dt.timezone(dt.timedelta(hours=5, minutes=45))
ZONED: list[Any] = [
    dt.datetime(2020, 2, 29, tzinfo=dt.timezone.utc),
    dt.datetime(1999, 12, 31, 23, tzinfo=KATHMANDU),
    pd.Timestamp("2020-01-01", tz="Asia/Seoul"),
]
DATES: list[Any] = [dt.date(2020, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31)]
TEXTS: list[Any] = ["", "x", "1", "nan", "서명", np.str_("y")]
BYTES: list[Any] = [b"", b"\xff\x00", bytearray(b"z"), np.bytes_(b"w")]
BOOLEANS: list[Any] = [True, False, np.True_]
MISSING: list[Any] = [None, pd.NaT, pd.NA]
NAT = np.datetime64("NaT", "ns")

NUMPY_INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
NUMPY_FLOATS = ["float16", "float32", "float64"]
NUMPY: list[Any] = [
    *(np.dtype(name).type(value) for name in NUMPY_INTEGERS for value in (0, np.iinfo(name).max)),
    *(np.dtype(name).type(value) for name in NUMPY_FLOATS for value in (0.5, math.nan, -0.0)),
]  # fmt: skip
# Values that no signature can say.
STRANGE: list[Any] = [
    2**63, -(2**63) - 1, 10**40, np.uint64(2**63), decimal.Decimal("0.1"), decimal.Decimal("NaN"),
    1 + 2j, np.complex64(1), np.longdouble(1), dt.timedelta(1), np.timedelta64(1, "s"), dt.time(1),
    pd.Timedelta(1), pd.Interval(0, 1), pd.Period("2020", "Y"), (1, 2), {1}, frozenset(), range(2),
    {1: 2}, {None: 1}, object, np.array(1),
    np.timedelta64("NaT"),
]  # fmt: skip

# The values of one kind: columns of them always have a type.
FAMILIES: dict[str, list[Any]] = {
    "long": INTEGERS,
    "double": FLOATS,
    "boolean": BOOLEANS,
    "string": TEXTS,
    "binary": BYTES,
    "datetime": [*NAIVE, NAT],
    # Beyond the range of nanoseconds.
    "far datetime": [dt.datetime(1, 1, 2), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999), *DATES],
    "datetime with a zone": [*ZONED, NAT],
}
scalars = st.sampled_from(
    [*(v for family in FAMILIES.values() for v in family), *MISSING, NAT, *NUMPY, *STRANGE]
)


@st.composite
def typed_scalars(draw: st.DrawFn, missing: bool = True) -> st.SearchStrategy[Any]:
    """Draw a strategy of scalars of one kind."""
    family = st.sampled_from(FAMILIES[draw(st.sampled_from(sorted(FAMILIES)))])
    return st.one_of(family, st.sampled_from(MISSING)) if missing else family


# --- nested values --------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "a.b", "'", '"', "", " ", "값", "a\n"])


def _objects(values: list[Any]) -> np.ndarray[Any, Any]:
    made = np.empty(len(values), object)
    for place, value in enumerate(values):
        made[place] = value
    return made


ARRAYS = st.one_of(
    st.lists(st.sampled_from(INTEGERS), max_size=3).map(lambda v: np.array(v, "int64")),
    st.lists(st.sampled_from(FLOATS), max_size=3).map(lambda v: np.array(v, "float64")),
    st.lists(st.sampled_from(["", "x", "ü"]), max_size=3).map(lambda v: np.array(v, "U3")),
    st.integers(0, 2).map(lambda n: np.zeros((n, 2), "float32")),
    st.integers(0, 2).map(lambda n: np.zeros((n, 2, 2), "uint8")),
)


def nested(leaf: st.SearchStrategy[Any], max_leaves: int = 6) -> st.SearchStrategy[Any]:
    """Return lists, object arrays and dicts over some leaves."""
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(_objects),
            st.dictionaries(KEYS, inner, max_size=2),
        ),
        max_leaves=max_leaves,
    )


wild = nested(st.one_of(scalars, ARRAYS))


@st.composite
def alike(draw: st.DrawFn, depth: int = 2) -> st.SearchStrategy[Any]:
    """Draw a strategy of values that have one type: scalars, lists or dicts of one structure.

    Some may be missing, and dicts may lack keys.
    """
    shape = draw(st.sampled_from(["scalar", "scalar", "list", "dict"])) if depth else "scalar"
    if shape == "scalar":
        return draw(typed_scalars())
    if shape == "list":
        made = st.lists(draw(alike(depth - 1)), max_size=3)
    else:
        keys = draw(st.lists(KEYS, min_size=1, max_size=3, unique=True))
        members = {key: draw(alike(depth - 1)) for key in keys}
        made = st.fixed_dictionaries({}, optional=members).filter(bool)
    return st.one_of(st.none(), made)


@st.composite
def cells(draw: st.DrawFn, rows: int) -> list[Any]:
    """Draw a column's values: of one type mostly, of any otherwise."""
    value = draw(st.one_of(alike(), alike(), st.just(wild)))
    return draw(st.lists(value, min_size=rows, max_size=rows))


# --- frames ---------------------------------------------------------------------------------------

DTYPES = [
    *NUMPY_INTEGERS, *NUMPY_FLOATS, "bool", "Int8", "Int64", "UInt8", "UInt32", "Float32",
    "Float64", "boolean", "string", "string[pyarrow]", "int64[pyarrow]", "double[pyarrow]",
    "bool[pyarrow]", "uint16[pyarrow]", "datetime64[ns]", "datetime64[s]", "datetime64[ns, UTC]",
    "datetime64[us, Asia/Seoul]", "timestamp[us][pyarrow]", "date32[day][pyarrow]", "category",
    "Sparse[int64]", "Sparse[float64]", "complex128", "timedelta64[ns]", "uint64[pyarrow]",
]  # fmt: skip
NULLABLE = {"Float32", "Float64", "string", "category", "boolean"}


@st.composite
def typed_series(draw: st.DrawFn, rows: int, dtypes: list[str] | None = None) -> pd.Series[Any]:
    """Draw a column of a dtype, with missing values where it has them."""
    dtype = draw(st.sampled_from(DTYPES if dtypes is None else dtypes))
    values = draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows))
    holes = dtype in NULLABLE or "pyarrow" in dtype or dtype.startswith(("Int", "UInt", "datetime"))
    base: Any = values
    if "date" in dtype or "timestamp" in dtype:
        base = pd.to_datetime(pd.Series(values, dtype="int64"), unit="D", utc="," in dtype)
    elif dtype.startswith(("string", "category")):
        base = [str(value) for value in values]
    series: Any = pd.Series(base, dtype=object if dtype == "category" else None).astype(dtype)
    if rows and holes and draw(st.booleans()):
        series = series.copy()
        series.iloc[draw(st.integers(0, rows - 1))] = None
    if rows and dtype.startswith(("float", "Sparse[float")) and draw(st.booleans()):
        values = [math.nan, *values[1:]]
        series = pd.Series(values, dtype="float64").astype(dtype)
    return series


NAMES = st.sampled_from(["a", "b", "a.b", "a b", "'q'", '"', "", "列", "$", "[0]", "0"])
LABELS = st.one_of(NAMES, NAMES, NAMES, st.sampled_from([0, 1, 7, None, ("x", 1), True, 1.5, b"b"]))


@st.composite
def frames(draw: st.DrawFn, labels: st.SearchStrategy[Any] = NAMES) -> pd.DataFrame:
    """Draw a frame of object columns and typed ones, under names or pandas' own numbers."""
    rows, count = draw(st.integers(0, 4)), draw(st.integers(0, 3))
    columns = []
    for _ in range(count):
        if draw(st.booleans()):
            columns.append(draw(typed_series(rows)))
        else:
            columns.append(pd.Series(_objects(draw(cells(rows))), dtype=object))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(rows))
    if draw(st.booleans()):
        frame.columns = pd.RangeIndex(count)
    else:
        named = draw(st.lists(labels, min_size=count, max_size=count, unique_by=repr))
        frame.columns = pd.Index(named, dtype=object, tupleize_cols=False)
    if draw(st.booleans()):
        frame.index = pd.Index([f"row {i}" for i in range(rows)], dtype=object)
    return frame


# --- arrays ---------------------------------------------------------------------------------------

TENSOR_DTYPES = [
    "bool", "int8", "int64", "uint64", "float16", "float64", ">f8", "complex64", "U3", "S2",
    "datetime64[ns]", "datetime64[D]", "timedelta64[s]", "object",
]  # fmt: skip


@st.composite
def ndarrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Draw an array of any rank and dtype."""
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    return np.zeros(shape, np.dtype(draw(st.sampled_from(TENSOR_DTYPES))))


@st.composite
def ragged(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Draw an object array of arrays of different lengths."""
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    return _objects([np.arange(length, dtype="float64") for length in lengths])


sparse = st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(["csr", "csc"])).map(
    lambda t: (sp.csr_matrix if t[2] == "csr" else sp.csc_matrix)(np.eye(t[0], t[1]))
)

# --- Arrow ----------------------------------------------------------------------------------------

ARROW_SCALARS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.int8(), [1, -128]),
    (pa.int64(), [2**63 - 1, 0]),
    (pa.uint32(), [2**32 - 1]),
    (pa.float32(), [0.5, math.nan, -0.0]),
    (pa.float64(), [0.5, math.inf]),
    (pa.bool_(), [True]),
    (pa.string(), ["", "x"]),
    (pa.large_string(), ["x"]),
    (pa.string_view(), ["x", "a text longer than twelve"]),
    (pa.binary(), [b"", b"x"]),
    (pa.binary_view(), [b"x"]),
    (pa.binary(2), [b"xy"]),
    (pa.date32(), [dt.date(2020, 1, 1)]),
    (pa.timestamp("s"), [dt.datetime(2020, 1, 1)]),
    (pa.timestamp("us", "UTC"), [dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)]),
    (pa.dictionary(pa.int8(), pa.string()), ["x", "y"]),
    (pa.null(), [None]),
]
UNSAYABLE: list[tuple[pa.DataType, list[Any]]] = [
    (pa.uint64(), [2**64 - 1]),
    (pa.decimal128(5, 2), [decimal.Decimal("0.25")]),
    (pa.duration("s"), [dt.timedelta(seconds=1)]),
    (pa.time32("s"), [dt.time(1)]),
]

Arrow = tuple[pa.DataType, st.SearchStrategy[Any]]


@st.composite
def arrow_types(draw: st.DrawFn, depth: int = 2, unsayable: bool = False) -> Arrow:
    """Draw a type of Arrow, and the values of it, some of them NULL."""
    shapes = ["scalar", "scalar", "list", "struct", "map"] if depth else ["scalar"]
    shape = draw(st.sampled_from(shapes))
    if shape == "scalar":
        known = [*ARROW_SCALARS, *UNSAYABLE] if unsayable else ARROW_SCALARS
        dtype, values = draw(st.sampled_from(known))
        return dtype, st.one_of(st.none(), st.sampled_from(values))
    if shape == "struct":
        names = draw(st.lists(KEYS, min_size=1, max_size=3, unique=True))
        members = {name: draw(arrow_types(depth - 1, unsayable)) for name in names}
        struct = pa.struct([(name, dtype) for name, (dtype, _) in members.items()])
        made = st.fixed_dictionaries({name: values for name, (_, values) in members.items()})
        return struct, st.one_of(st.none(), made)
    inner, values = draw(arrow_types(depth - 1, unsayable))
    if shape == "map":
        pairs = st.dictionaries(KEYS, values, max_size=2).map(lambda d: list(d.items()))
        return pa.map_(pa.string(), inner), st.one_of(st.none(), pairs)
    size = 2
    layouts: list[Callable[[pa.DataType], pa.DataType]] = [pa.list_, pa.large_list]
    fixed = draw(st.integers(0, 3)) == 0
    dtype = pa.list_(inner, size) if fixed else draw(st.sampled_from(layouts))(inner)
    lists = st.lists(values, min_size=size if fixed else 0, max_size=size)
    return dtype, st.one_of(st.none(), lists)


@st.composite
def arrow_arrays(draw: st.DrawFn, rows: int | None = None, unsayable: bool = False) -> Any:
    """Draw an array of Arrow, sliced where it can be."""
    dtype, values = draw(arrow_types(unsayable=unsayable))
    size = draw(st.integers(0, 6)) if rows is None else rows
    lead = draw(st.integers(0, 2))
    drawn = draw(st.lists(values, min_size=size + lead, max_size=size + lead))
    return pa.array(drawn, dtype).slice(lead)


@st.composite
def arrow_tables(draw: st.DrawFn, unsayable: bool = False) -> pa.Table:
    """Draw a table whose columns are cut into chunks."""
    rows = draw(st.integers(0, 5))
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    columns = []
    for _ in names:
        array = draw(arrow_arrays(rows, unsayable))
        cut = draw(st.integers(0, rows))
        columns.append(pa.chunked_array([array[:cut], array[cut:]], array.type))
    return pa.table(columns, names=names)


# --- containers -----------------------------------------------------------------------------------


@st.composite
def dict_lists(draw: st.DrawFn) -> list[dict[Any, Any]]:
    """Draw rows as dicts, of which some may lack keys."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    columns = {name: draw(st.one_of(alike(), st.just(wild))) for name in names}
    return draw(st.lists(st.fixed_dictionaries({}, optional=columns), min_size=1, max_size=4))


CONTAINERS: dict[str, st.SearchStrategy[Any]] = {
    "scalar": scalars,
    "list": st.one_of(
        st.integers(0, 4).flatmap(cells), st.lists(wild, max_size=4), st.lists(scalars, max_size=4)
    ),
    "dict": st.dictionaries(LABELS, wild, max_size=3),
    "dict of like values": st.dictionaries(NAMES, alike().flatmap(lambda s: s), max_size=3),
    "dicts": dict_lists(),
    "frame": frames(LABELS),
    "series": st.integers(0, 4).flatmap(typed_series),
    "object series": st.integers(0, 4).flatmap(cells).map(
        lambda values: pd.Series(_objects(values), name="c", dtype=object)
    ),
    "array": st.one_of(ndarrays(), ragged()),
    "arrays": st.dictionaries(NAMES, st.one_of(ndarrays(), ragged()), min_size=1, max_size=2),
    "sparse": sparse,
    "table": arrow_tables(unsayable=True),
    "arrow": arrow_arrays(unsayable=True),
}  # fmt: skip


# --- sameness -------------------------------------------------------------------------------------


def is_missing(value: Any) -> bool:
    """Say whether a value stands for none: NaN among them, as pandas has it."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and bool(value != value)


def same(one: Any, other: Any) -> bool:
    """Say whether two values are equal, whatever holds them: widths and units aside.

    A key that a dict lacks is one that holds nothing; a date is its midnight; what has a zone is
    its instant.
    """
    one, other = (x.item() if isinstance(x, np.ndarray) and not x.ndim else x for x in (one, other))
    if one is other or (is_missing(one) and is_missing(other)):
        return True
    if is_missing(one) or is_missing(other):
        return False
    if isinstance(one, dict):
        if not isinstance(other, dict):
            return False
        return all(same(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, (list, tuple, np.ndarray)):
        if not isinstance(other, (list, tuple, np.ndarray)) or len(one) != len(other):
            return False
        return all(map(same, one, other))
    kind = _kind(one)
    if kind != _kind(other):
        return False
    if kind == "number":
        signs = math.copysign(1, one) == math.copysign(1, other) or one != 0
        return bool(_number(one) == _number(other)) and signs
    return bool(_moment(one) == _moment(other)) if kind == "moment" else bool(one == other)


def _kind(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "boolean"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return "number"
    if isinstance(value, (bytes, bytearray)):
        return "bytes"
    if isinstance(value, (dt.date, np.datetime64)):
        return "moment"
    return "text" if isinstance(value, str) else type(value).__name__


def _number(value: Any) -> Any:
    # Python compares integers and floats exactly, NumPy does not.
    return value.item() if isinstance(value, np.generic) else value


def _moment(value: Any) -> tuple[dt.datetime, int]:
    """Return a moment as a datetime in UTC without a zone, and the nanoseconds beside it."""
    stamp = pd.Timestamp(value)
    if stamp.tzinfo is not None:
        stamp = stamp.tz_convert("UTC").tz_localize(None)
    return stamp.to_pydatetime(warn=False), stamp.nanosecond


def rows_of(data: Any) -> list[list[Any]]:
    """Return the columns of a container, each as a list of its values; naively."""
    if isinstance(data, pd.DataFrame):
        return [list(data.iloc[:, place].array) for place in range(data.shape[1])]
    if isinstance(data, pd.Series):
        return [list(data.array)]
    if isinstance(data, pa.Table):
        return [_plain(column) for column in data.columns]
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return [_plain(data)]
    if isinstance(data, dict):
        return [[value] for value in data.values()]
    if isinstance(data, list):
        if data and all(isinstance(row, dict) for row in data):
            names = dict.fromkeys(name for row in data for name in row)
            return [[row.get(name) for row in data] for name in names]
        return [data]
    return [[data]]


def _plain(array: Any) -> list[Any]:
    return list(array.to_pylist(maps_as_pydicts="strict"))


def fingerprint(value: Any) -> Any:
    """Return what tells whether an object was changed: every type and every value in it."""
    if isinstance(value, pd.DataFrame):
        labels = [repr(label) for label in value.columns]
        columns = [fingerprint(value.iloc[:, place]) for place in range(value.shape[1])]
        return labels, repr(value.index), columns
    if isinstance(value, pd.Series):
        return repr(value.name), str(value.dtype), [fingerprint(item) for item in value.array]
    if isinstance(value, np.ndarray):
        items = [fingerprint(item) for item in value.ravel().tolist()]
        return value.dtype.str, value.shape, items
    if isinstance(value, dict):
        return "dict", [(repr(key), fingerprint(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [fingerprint(item) for item in value]
    if sp.issparse(value):
        return fingerprint(value.toarray())
    if isinstance(value, (pa.Table, pa.Array, pa.ChunkedArray)):
        return repr(value.type if not isinstance(value, pa.Table) else value.schema), _lists(value)
    return type(value).__name__, repr(value)


def _lists(data: Any) -> list[Any]:
    return [fingerprint(column) for column in rows_of(data)]


def twin(value: Any) -> Any:
    """Return a copy that shares nothing."""
    return copy.deepcopy(value)
