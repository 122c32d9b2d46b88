"""Named divergences of enforcement on the driver, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from tests.conformance.corpus import Case, Ours
from tests.conformance.divergences import Divergence
from tests.conformance.places import (
    CLASSES,
    Place,
    columns,
    differences,
    is_integer,
    is_list,
    is_missing,
    is_moment,
    is_nan,
    is_number,
    is_single,
    is_sound,
    is_tensor,
    is_text_or_flag,
    places,
)
from tests.conformance.recipe import build


def _stricter(test: Callable[[Case], bool]) -> Callable[[Case, Ours], bool]:
    """Return a rule for what is refused here and passes there."""
    return lambda case, ours: not ours.ok and bool(case["outcome"]["ok"]) and test(case)


def _looser(test: Callable[[Case], bool]) -> Callable[[Case, Ours], bool]:
    """Return a rule for what passes here and is refused there: no rule excuses a wrong class."""

    def applies(case: Case, ours: Ours) -> bool:
        looser = ours.ok and not case["outcome"]["ok"]
        return looser and all(map(is_sound, places(case))) and test(case)

    return applies


def _other(test: Callable[[Case, Any, Any], bool]) -> Callable[[Case, Ours], bool]:
    """Return a rule for what passes here and there, with another result."""

    def applies(case: Case, ours: Ours) -> bool:
        both = ours.ok and bool(case["outcome"]["ok"])
        return both and test(case, _built(case["outcome"]["value"]), _built(ours.value))

    return applies


def _built(recipe: Any) -> Any:
    # A frame without columns cannot be given an index by a recipe.
    no_columns = isinstance(recipe, dict) and recipe.get("columns") == []
    return pd.DataFrame() if no_columns else build(recipe)


def _any(test: Callable[[Place], bool]) -> Callable[[Case], bool]:
    return lambda case: any(test(place) for place in places(case))


def _there(group: tuple[Any, ...]) -> list[Any]:
    return [value for value in group if not is_missing(value)]


# --- refused here, accepted there -----------------------------------------------------------------


def _takes_anything(place: Place) -> bool:
    if place.kind not in CLASSES:
        return False
    if isinstance(place.value, pd.Series):
        return isinstance(place.value.dtype, pd.StringDtype) and place.kind != "string"
    return not is_missing(place.value) and not isinstance(place.value, CLASSES[place.kind])


def _integers_as_floats(place: Place) -> bool:
    if place.kind not in ("float", "double"):
        return False
    if isinstance(place.value, pd.Series):
        return place.value.dtype == np.int64
    there = _there(place.group)
    return any(map(is_integer, there)) and all(map(is_number, there))


def _parsed(place: Place) -> bool:
    if isinstance(place.value, pd.Series) or place.kind not in ("float", "double", "datetime"):
        return False
    fits = is_moment if place.kind == "datetime" else is_number
    return not is_missing(place.value) and not fits(place.value)


def _empty_record(place: Place) -> bool:
    required = [
        name
        for name, inner in place.document.get("properties", {}).items()
        if inner.get("required", True)
    ]
    empty = isinstance(place.value, dict) and not place.value
    return place.kind == "object" and not place.required and empty and bool(required)


def _empty_column(case: Case) -> bool:
    return any(len(column) == 0 for _, column in columns(case))


def _duplicates(case: Case) -> bool:
    value = build(case["input"])
    return isinstance(value, pd.DataFrame) and not value.columns.is_unique


def _ragged(case: Case) -> bool:
    value = build(case["input"])
    tensors = [spec["tensor-spec"]["shape"] for spec in case["schema"] if spec["type"] == "tensor"]
    arrays = value.values() if isinstance(value, dict) else [value]
    return any(-1 in shape[1:] for shape in tensors) and any(
        isinstance(array, np.ndarray) and array.dtype == object and array.ndim == 1
        for array in arrays
    )


def _frame(case: Case) -> pd.DataFrame | None:
    value = build(case["input"])
    if isinstance(value, pd.Series):
        value = value.to_frame()
    return value if is_tensor(case) and isinstance(value, pd.DataFrame) else None


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _recorded(case: Case) -> Any:
    return build(case["outcome"]["value"])


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, pd.DataFrame):
        for place in range(value.shape[1]):
            yield from _flat(list(value.iloc[:, place]))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _flat(item)
    elif isinstance(value, tuple) or is_list(value):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _lossy(case: Case) -> bool:
    """Whether a tensor made of a frame does not hold the frame's very values."""
    frame = _frame(case)
    if frame is None:
        return False
    given, made = list(map(_item, _flat(frame))), list(map(_item, _flat(_recorded(case))))
    return len(given) != len(made) or any(
        (is_missing(a) and not is_nan(a)) or is_text_or_flag(a) != is_text_or_flag(b) or a != b
        for a, b in zip(given, made, strict=True)
        if not (is_nan(a) and is_nan(b))
    )


# --- accepted here, refused there -----------------------------------------------------------------


def _numbers_with_gaps(place: Place) -> bool:
    if place.kind not in ("integer", "long", "float"):
        return False
    if isinstance(place.value, pd.Series):
        return bool(place.value.hasnans) and place.value.dtype.kind in "iu"
    there = _there(place.group)
    fits = is_single if place.kind == "float" else is_integer
    return 0 < len(there) < len(place.group) and all(map(fits, there))


def _no_values(place: Place) -> bool:
    return bool(place.group) and not _there(place.group)


def _no_rows(case: Case) -> bool:
    return any(len(column) == 0 and column.dtype == object for _, column in columns(case))


def _typed_storage(place: Place) -> bool:
    if isinstance(place.value, pd.Series):
        return isinstance(
            place.value.dtype, (pd.CategoricalDtype, pd.DatetimeTZDtype, pd.ArrowDtype)
        )
    zone = getattr(place.value, "tzinfo", None)
    return place.kind == "datetime" and zone is not None


def _nan_for_none(place: Place) -> bool:
    marker = place.value is not None and is_missing(place.value)
    return place.kind in ("array", "object", "map") and marker


def _moment_alone(case: Case) -> bool:
    return is_moment(build(case["input"])) or any(
        p.kind == "datetime" and p.inside in ("map", "object") and is_moment(p.value)
        for p in places(case)
    )


def _dict_as_row(case: Case) -> bool:
    value = build(case["input"])
    return (
        isinstance(value, dict)
        and not is_tensor(case)
        and (
            any(isinstance(v, np.ndarray) and v.ndim == 0 for v in value.values())
            or any(spec["type"] == "map" for spec in case["schema"])
            or any(map(is_moment, value.values()))
        )
    )


def _other_rows(frame: pd.DataFrame) -> bool:
    return list(frame.index) != [0]


def _dict_laid_out(case: Case, ours: Ours) -> bool:
    """Whether a dict is one row here, and there none, rows of its inner keys, or an error."""
    return (
        _looser(_dict_as_row)(case, ours)
        or _stricter(lambda case: _dict_as_row(case) and _other_rows(_recorded(case)))(case, ours)
        or _other(lambda case, there, here: _dict_as_row(case) and len(here) == 1)(case, ours)
    )


def _frame_for_any_tensor(case: Case) -> bool:
    frame = _frame(case)
    return frame is not None and (
        not len(frame)
        or any(
            not shape or shape[0] != -1 or -1 in shape[1:]
            for shape in (spec["tensor-spec"]["shape"] for spec in case["schema"])
        )
    )


# --- another result -------------------------------------------------------------------------------


def _datetime_units(recorded: Any, ours: Any) -> bool:
    """Whether columns differ in nothing but the unit of their datetimes."""
    kinds = [(a, b) for a, b in zip(recorded.dtypes, ours.dtypes, strict=True) if a != b]
    return all(getattr(a, "kind", "") == getattr(b, "kind", "") == "M" for a, b in kinds)


def _same_values(case: Case, recorded: Any, ours: Any) -> bool:
    return (
        isinstance(recorded, pd.DataFrame)
        and isinstance(ours, pd.DataFrame)
        and not any(True for _ in differences(recorded, ours))
        and _datetime_units(recorded, ours)
    )


def _anything_typed(case: Case, recorded: Any, ours: Any) -> bool:
    if not isinstance(recorded, pd.DataFrame) or list(recorded.columns) != list(ours.columns):
        return False
    loose = {
        _label(recorded, spec, place)
        for place, (spec, _) in enumerate(columns(case))
        if spec["type"] == "any"
    }
    rest = [name for name in recorded if name not in loose]
    return (
        bool(loose)
        and _same_values(case, recorded[rest], ours[rest])
        and all(
            not any(True for _ in differences(list(column), list(ours.iloc[:, place])))
            for place, (spec, column) in enumerate(columns(case))
            if spec["type"] == "any"
        )
    )


def _label(frame: pd.DataFrame, spec: dict[str, Any], place: int) -> Any:
    return frame.columns[place] if spec.get("name") is None else spec["name"]


def _corrupted(case: Case, recorded: Any, ours: Any) -> bool:
    """Whether what differs is a missing element, text that ends in NUL, or no text at all."""
    found = list(differences(recorded, ours))
    return bool(found) and all(
        not isinstance(b, (pd.DataFrame, np.ndarray, list, dict))
        and (is_missing(b) or a in (str(b), _cut(b)))
        for a, b in found
    )


def _cut(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.rstrip(b"\0")
    return value.rstrip("\0") if isinstance(value, str) else value


def _no_rows_at_all(case: Case, recorded: Any, ours: Any) -> bool:
    return (
        isinstance(recorded, pd.DataFrame)
        and list(recorded.columns) == list(ours.columns)
        and (not len(recorded) or not len(recorded.columns))
    )


def _lists_of_text(case: Case, recorded: Any, ours: Any) -> bool:
    value = build(case["input"])
    return (
        isinstance(value, dict)
        and any(is_list(v) and all(isinstance(item, str) for item in v) for v in value.values())
        and all(isinstance(column.iloc[0], list) for _, column in recorded.items())
    )


def _objects_of_a_frame(case: Case, ours: Ours) -> bool:
    if not ours.ok or _frame(case) is None:
        return False
    return any(spec["tensor-spec"]["dtype"] == "object" for spec in case["schema"])


def _declared_dtype(case: Case, recorded: Any, ours: Any) -> bool:
    if _frame(case) is None:
        return False
    for spec in case["schema"]:
        name, dtype = spec.get("name"), np.dtype(spec["tensor-spec"]["dtype"])
        one, other = (recorded, ours) if name is None else (recorded[name], ours[name])
        if not np.array_equal(one, other) or other.dtype.kind != dtype.kind:
            return False
    return True


TABLE: tuple[Divergence, ...] = (
    Divergence(
        "takes_anything",
        ("enforce",),
        "MLflow lets every Python object pass for a string or a binary, and every one that pandas "
        "keeps as an object for a boolean; inside arrays it makes text or flags of them.  Here "
        "each value is looked at.",
        _stricter(_any(_takes_anything)),
    ),
    Divergence(
        "integers_as_floats",
        ("enforce",),
        "MLflow refuses a long where a double is wanted, unless all its values happen to be 0, 1 "
        "or missing, or missing ones made pandas hold it as floats: a verdict that depends on the "
        "data.  Here types alone decide; casts='lossless' decides by value.",
        _stricter(_any(_integers_as_floats)),
    ),
    Divergence(
        "parsed_or_rounded",
        ("enforce",),
        "MLflow parses text as numbers or moments, counts True as 1 and rounds decimals where "
        "pandas can, so that the verdict depends on the values.",
        _stricter(_any(_parsed)),
    ),
    Divergence(
        "empty_record",
        ("enforce",),
        "MLflow reads {} as null in an optional object; here it lacks the required properties.",
        _stricter(_any(_empty_record)),
    ),
    Divergence(
        "empty_columns",
        ("enforce",),
        "A column's dtype counts without any rows as well; MLflow has nothing to look at then.",
        _stricter(_empty_column),
    ),
    Divergence(
        "duplicate_names",
        ("enforce",),
        "Two columns of one name are refused even where the schema asks for neither.",
        _stricter(_duplicates),
    ),
    Divergence(
        "ragged_arrays",
        ("enforce",),
        "MLflow accepts any array of objects for a tensor with a free inner axis, whatever the "
        "dtype and shape of its elements; here it is checked level by level.",
        _stricter(_ragged),
    ),
    Divergence(
        "lossy_tensors",
        ("enforce",),
        "MLflow casts a frame's columns to a tensor by truncating, wrapping and parsing; here a "
        "value that the tensor's dtype cannot hold exactly is refused.",
        _stricter(_lossy),
    ),
    Divergence(
        "leaked_exception",
        ("enforce",),
        "MLflow gives no verdict: pandas, NumPy or Python raised on its way.",
        _looser(lambda case: case["outcome"]["error"]["type"] != "MlflowException"),
    ),
    Divergence(
        "numbers_with_gaps",
        ("enforce",),
        "Integers, or floats of 32 bits, beside missing values are such numbers with nulls; MLflow "
        "makes doubles of them, and then refuses those.",
        _looser(_any(_numbers_with_gaps)),
    ),
    Divergence(
        "nan_for_none",
        ("enforce",),
        "NaN, NaT and NA are how pandas writes a missing value, in a column of lists or dicts as "
        "well; where the field is optional it is null.",
        _looser(_any(_nan_for_none)),
    ),
    Divergence(
        "no_values",
        ("enforce",),
        "Where nothing but missing values, or no rows, are there, no value is of a wrong type; "
        "MLflow lets that pass for some types and not for others.",
        _looser(lambda case: _no_rows(case) or _any(_no_values)(case)),
    ),
    Divergence(
        "typed_storage",
        ("enforce",),
        "Categories, datetimes with a zone and Arrow-backed binaries hold values of the declared "
        "type; MLflow refuses them for how pandas stores them.",
        _looser(_any(_typed_storage)),
    ),
    Divergence(
        "moment_alone",
        ("enforce",),
        "MLflow takes datetimes in columns and arrays, but np.isscalar denies that one alone, in "
        "a dict or as the whole input, is a scalar.",
        _looser(_moment_alone),
    ),
    Divergence(
        "dict_as_row",
        ("enforce",),
        "A dict whose values are those of one row is one row, also where they are maps, moments "
        "or arrays without dimensions; MLflow fails to lay those out as a frame.",
        _dict_laid_out,
    ),
    Divergence(
        "frames_for_tensors",
        ("enforce",),
        "A frame becomes a tensor with fixed first, free inner or no rows as well, where its "
        "values have that shape; MLflow refuses without a look at them.",
        _looser(_frame_for_any_tensor),
    ),
    Divergence(
        "values_as_given",
        ("enforce",),
        "What conforms stays as it is: in objects MLflow wraps scalars in NumPy's, in the caller's "
        "own dicts; datetimes it all makes nanoseconds, which end in 2262.  The values are equal.",
        _other(_same_values),
    ),
    Divergence(
        "anything_as_given",
        ("enforce",),
        "A value of any type passes as it is; MLflow lets pandas guess a dtype, by which 1 beside "
        "None becomes 1.0.",
        _other(_anything_typed),
    ),
    Divergence(
        "corrupted_elements",
        ("enforce",),
        "In arrays MLflow makes 'None', b'None', False or NaN of None, and cuts NULs off the ends "
        "of text; here elements stay what they are.",
        _other(_corrupted),
    ),
    Divergence(
        "nothing_to_show",
        ("enforce",),
        "Without rows or columns the results differ in dtypes or in the index alone: here the "
        "declared dtype, and the index that came in.",
        _other(_no_rows_at_all),
    ),
    Divergence(
        "lists_of_text",
        ("enforce",),
        "MLflow lays a dict of nothing but texts and lists of texts out as one row, whose lists "
        "then pass for strings; here the lists are columns, as all other lists are.",
        _other(_lists_of_text),
    ),
    Divergence(
        "tensors_of_objects",
        ("enforce",),
        "A column of any objects is a tensor of objects with shape (-1,), each as it is; MLflow "
        "refuses some by their class, and takes lists of one apart.",
        _objects_of_a_frame,
    ),
    Divergence(
        "declared_dtype",
        ("enforce",),
        "MLflow passes arrays in a frame on in the dtype they came in; here they come out in the "
        "tensor's, where each value is exact.",
        _other(_declared_dtype),
    ),
)
