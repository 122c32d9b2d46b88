"""Named divergences of inference, and why."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from tests.conformance.corpus import Case, Ours
from tests.conformance.divergences import Divergence
from tests.conformance.places import is_integer, is_list, is_missing, is_nan
from tests.conformance.recipe import build

FALLBACK = [{"type": "any", "required": True}]
LONG = 2**63

# A column of a signature, here and there, and the values that it says something of.
Pair = tuple[dict[str, Any], dict[str, Any], list[Any]]


def _sides(case: Case, ours: Ours) -> Iterator[tuple[str, list[Any], list[Any]]]:
    """Yield the sides of a signature that differ: the key of their data, ours, the recorded."""
    recorded = case["outcome"].get("signature", ours.value)
    for side, key in (("inputs", "input"), ("outputs", "model_output")):
        if ours.value[side] != recorded[side]:
            yield key, json.loads(ours.value[side]), json.loads(recorded[side])


def _columns(value: Any) -> list[list[Any]]:
    """Return the values of each column that a value has, as inference sees columns."""
    if isinstance(value, pd.Series):
        return [value.tolist()]
    if isinstance(value, pd.DataFrame):
        return [value.iloc[:, i].tolist() for i in range(value.shape[1])]
    if isinstance(value, dict):
        return [[cell] for cell in value.values()]
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        names = dict.fromkeys(name for row in value for name in row)
        return [[row.get(name) for row in value] for name in names]
    return [value if isinstance(value, list) else [value]]


def _pairs(case: Case, ours: Ours) -> list[Pair] | None:
    """Return the columns that differ; None where the sides do not have the same columns."""
    found: list[Pair] = []
    for key, mine, theirs in _sides(case, ours):
        columns = _columns(build(case[key]))
        if len(mine) != len(theirs) or len(mine) != len(columns):
            return None
        both = zip(mine, theirs, columns, strict=True)
        found += [(a, b, values) for a, b, values in both if a != b]
    return found


def _each(test: Callable[[dict[str, Any], dict[str, Any], list[Any]], bool]) -> Any:
    """Return a rule for signatures of the same columns, whose differing ones all pass a test."""

    def applies(case: Case, ours: Ours) -> bool:
        if not (ours.ok and case["outcome"]["ok"]):
            return False
        if ours.value["params"] != case["outcome"]["signature"]["params"]:
            return False
        pairs = _pairs(case, ours)
        return bool(pairs) and all(test(*pair) for pair in pairs or ())

    return applies


def _without(column: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in column.items() if key not in keys}


def _misses(values: list[Any]) -> bool:
    """Say whether a value is missing among some, or anywhere within them."""
    floats = all(isinstance(value, (float, np.floating)) for value in values)
    return any(_is_gone(value, floats) or _inside(value) for value in values)


def _inside(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_gone(member, True) or _inside(member) for member in value.values())
    if not is_list(value):
        return False
    items = list(value)
    # NaN among floats is a value of a list.
    floats = all(isinstance(x, (float, np.floating)) or x is None for x in items)
    return any((_is_gone(x, False) and not (floats and is_nan(x))) or _inside(x) for x in items)


def _is_gone(value: Any, floats: bool) -> bool:
    nat = isinstance(value, (np.datetime64, np.timedelta64)) and bool(np.isnat(value))
    return nat or is_missing(value) or (floats and is_nan(value))


def _flag_of_missing(mine: dict[str, Any], theirs: dict[str, Any], values: list[Any]) -> bool:
    flagged = not mine.get("required", True) and theirs.get("required") is True
    return (
        flagged and _misses(values) and _without(mine, "required") == _without(theirs, "required")
    )


def _integers_with_gaps(mine: dict[str, Any], theirs: dict[str, Any], values: list[Any]) -> bool:
    there = [value for value in values if not is_missing(value)]
    whole = len(there) < len(values) and bool(there) and all(map(is_integer, there))
    return whole and mine["type"] in ("integer", "long") and theirs["type"] == "double"


def _missing_elements(mine: dict[str, Any], theirs: dict[str, Any], values: list[Any]) -> bool:
    """Say whether documents differ in flags alone, somewhere within, and something is missing."""
    return _flagless(mine) == _flagless(theirs) and _misses(values)


def _empty_members(mine: dict[str, Any], theirs: dict[str, Any], values: list[Any]) -> bool:
    """Say whether documents differ in flags alone, and members hold an empty list or dict."""
    return _flagless(mine) == _flagless(theirs) and any(map(_holds_empty, values))


def _holds_empty(value: Any) -> bool:
    if isinstance(value, dict):
        empty = any(isinstance(v, (list, dict)) and not v for v in value.values())
        return empty or any(map(_holds_empty, value.values()))
    return is_list(value) and any(map(_holds_empty, value))


def _flagless(document: Any) -> Any:
    if isinstance(document, dict):
        return {k: _flagless(v) for k, v in document.items() if k != "required"}
    return [_flagless(one) for one in document] if isinstance(document, list) else document


def _gave_up(case: Case, ours: Ours) -> bool:
    """Say whether MLflow fell back on one unnamed `any` where a signature says what there is."""
    if not (ours.ok and case["outcome"]["ok"]):
        return False
    sides = list(_sides(case, ours))
    failed = not (case.get("infer_schema") or {"ok": True})["ok"]
    return bool(sides) and all(
        theirs == FALLBACK != mine and (failed or key == "model_output")
        for key, mine, theirs in sides
    )


def _no_signature(case: Case, ours: Ours) -> bool:
    """Say whether nothing can say what the data is, for the names or for the values in it."""
    if not ours.ok:
        fallen = ours.stage == "infer" and case["outcome"]["ok"]
        given = [case["input"], case.get("params")]
        return fallen and any(_unsayable(build(value)) for value in given)
    if "signature" not in case["outcome"]:
        return False
    sides = list(_sides(case, ours))
    fallen = bool(sides) and all(mine == FALLBACK for _, mine, _ in sides)
    return fallen and all(_unsayable(build(case[key])) for key, _, _ in sides)


def _unsayable(value: Any) -> bool:
    names: list[Any] = []
    if isinstance(value, pd.DataFrame):
        names = value.columns.tolist()
    elif isinstance(value, list) and all(isinstance(row, dict) for row in value):
        names = [name for row in value for name in row]
    if any(not isinstance(name, str) for name in names):
        return True
    if isinstance(value, np.ndarray):
        # a tensor has no place for missing elements
        return any(map(is_missing, value.reshape(-1).tolist()))
    cells = [cell for column in _columns(value) for cell in _leaves(column)]
    whole = [cell for cell in cells if type(cell) is int]
    floats = any(isinstance(cell, float) for cell in cells)
    bound = 2**53 if floats else LONG - 1
    zones = {cell.tzinfo is None for cell in cells if isinstance(cell, dt.datetime)}
    return any(not -bound - 1 < cell <= bound for cell in whole) or len(zones) > 1


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for member in value.values():
            yield from _leaves(member)
    elif is_list(value):
        for item in value:
            yield from _leaves(item)
    elif value is not pd.NaT:
        yield value


def _empty_param(case: Case, ours: Ours) -> bool:
    """Say whether a param is a list without elements, which MLflow takes for datetimes."""
    values = build(case["params"])
    empty = isinstance(values, dict) and any(is_list(v) and not len(v) for v in values.values())
    return not ours.ok and case["outcome"]["ok"] and empty


def _better_param(case: Case, ours: Ours) -> bool:
    """Say whether a param that MLflow fails on is a moment of pandas, or misses something."""
    values = build(case["params"])
    if not isinstance(values, dict):
        return False
    leaves = list(_leaves(list(values.values())))
    moments = any(isinstance(x, pd.Timestamp) for x in leaves)
    return ours.ok and not case["outcome"]["ok"] and (moments or _misses(list(values.values())))


def _empty_in_param(case: Case, ours: Ours) -> bool:
    if not (ours.ok and case["outcome"]["ok"]) or any(True for _ in _sides(case, ours)):
        return False
    mine, theirs = ours.value["params"], case["outcome"]["signature"]["params"]
    alike = _flagless(json.loads(mine or "null")) == _flagless(json.loads(theirs or "null"))
    return alike and _holds_empty(build(case["params"]))


def _numbered(case: Case, ours: Ours) -> bool:
    """Say whether a frame's columns have no names but pandas' own numbers."""
    data = build(case["input"])
    if not (ours.ok and isinstance(data, pd.DataFrame)):
        return False
    sides = list(_sides(case, ours))
    numbered = data.columns.tolist() == list(range(data.shape[1]))
    return (
        bool(sides)
        and numbered
        and all(
            mine == [_without(column, "name") for column in theirs] for _, mine, theirs in sides
        )
    )


def _infinite_default(case: Case, ours: Ours) -> bool:
    params = build(case["params"])
    values = params.values() if isinstance(params, dict) else ()
    flat = list(_leaves(list(values)))
    return (
        not ours.ok
        and case["outcome"]["ok"]
        and any(isinstance(x, (float, np.floating)) and not math.isfinite(x) for x in flat)
    )


def _accepts_own(case: Case, ours: Ours) -> bool:
    return ours.ok and not case["outcome"]["ok"]


def _says_nothing(case: Case, ours: Ours) -> bool:
    return not ours.ok and ours.stage == "infer" and bool(case["fallback_any"])


def _spark_flags(case: Case, ours: Ours) -> bool:
    mine, theirs = ours.value, case["outcome"].get("schema")
    if not (ours.ok and case["outcome"]["ok"]):
        return False
    null = case.get("frame") == "one row, NULL"
    nullable = null or not any(case.get("nullable") or ())
    return nullable and _flagless(mine) == _flagless(theirs)


def _spark_gave_up(case: Case, ours: Ours) -> bool:
    stored = str(case.get("spark_type") or case.get("spark_schema"))
    known = re.search(r"timestamp_ntz|map<string,|decimal\(\d+,0\)", stored)
    return ours.ok and not case["outcome"]["ok"] and known is not None


def _spark_names(case: Case, ours: Ours) -> bool:
    schema = case["outcome"].get("schema") or []
    names = [column.get("name") for column in schema]
    return not ours.ok and len(set(names)) < len(names)


TABLE: tuple[Divergence, ...] = (
    Divergence(
        "missing_is_optional",
        ("infer",),
        "MLflow calls a field required though values are missing in it, and then rejects the data "
        "(nulls among the elements of a list) or lets nulls pass (columns without a name, to "
        "which it gives no flag but `true`).  Here what is missing makes the field optional, and "
        "a column without a name `required: null`, as `false` is not allowed there.",
        _each(lambda a, b, v: _flag_of_missing(a, b, v) or _missing_elements(a, b, v)),
    ),
    Divergence(
        "integers_with_gaps",
        ("infer",),
        "MLflow makes doubles of integers in a column of objects as soon as one is missing, which "
        "changes integers beyond 2**53.  Here they stay integers, and the field is optional.",
        _each(_integers_with_gaps),
    ),
    Divergence(
        "empty_is_there",
        ("infer",),
        "MLflow calls a property optional whose values are all empty lists or dicts, though they "
        "are there; the type stays `any`, and None alone makes it optional here.",
        lambda case, ours: _each(_empty_members)(case, ours) or _empty_in_param(case, ours),
    ),
    Divergence(
        "a_signature_says_it",
        ("infer",),
        "MLflow gives up on the whole data, for one unnamed `any` that checks nothing, where a "
        "signature can say what there is and accepts it: arrays without dimensions or elements, "
        "dates among properties, NumPy's small integers, integers among floats.",
        _gave_up,
    ),
    Divergence(
        "no_signature_says_it",
        ("infer", "selfconsistency"),
        "Names that are no strings, integers beyond a long or, among floats, beyond 2**53, moments "
        "with and without a zone in one place, tensors with missing elements: MLflow's signature "
        "cannot be read back, rejects the data that it came from, or changes it.  Here that is an "
        "error that names the place.",
        _no_signature,
    ),
    Divergence(
        "numbered_columns",
        ("infer",),
        "The columns of a DataFrame that pandas has numbered have no names: MLflow writes integers "
        "for names, which no signature may have.  Here they are matched by position.",
        _numbered,
    ),
    Divergence(
        "empty_param",
        ("infer",),
        "MLflow takes a param without elements for a list of datetimes, which refuses every list "
        "that is given later.  Here an empty list is refused, as it says nothing of its type.",
        _empty_param,
    ),
    Divergence(
        "params_that_mlflow_fails_on",
        ("infer",),
        "MLflow leaks an error on pandas' Timestamps as defaults, and refuses its own schema of an "
        "object with a null in a list.",
        _better_param,
    ),
    Divergence(
        "default_beyond_json",
        ("infer",),
        "JSON has no NaN and no infinity: MLflow writes a document that strict readers refuse.",
        _infinite_default,
    ),
    Divergence(
        "accepts_its_own",
        ("selfconsistency",),
        "MLflow's signature rejects the very data that it was inferred from; here it never does.",
        _accepts_own,
    ),
    Divergence(
        "any_says_nothing",
        ("selfconsistency",),
        "MLflow accepts the data under one unnamed `any`, which checks nothing and keeps the first "
        "column only.  Here data that no signature can say is an error that names the column.",
        _says_nothing,
    ),
    Divergence(
        "exact_flags",
        ("spark_infer",),
        "MLflow takes every column of a Spark DataFrame for required and every member of a struct "
        "for what its nullable flag says.  Here a field is required where no row has NULL in it.",
        _spark_flags,
    ),
    Divergence(
        "types_of_spark",
        ("spark_infer",),
        "MLflow fails on types that a signature can say: timestamps without a zone, decimals "
        "without a fraction, and maps without data, inside arrays, or under names that need quotes "
        "(it makes objects of maps, with a property for each key of the whole table).",
        _spark_gave_up,
    ),
    Divergence(
        "names_twice",
        ("spark_infer",),
        "MLflow infers a signature with one name twice, which no data can be matched to.",
        _spark_names,
    ),
)
