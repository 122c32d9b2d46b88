"""Named divergences: where spark_sig deliberately differs from MLflow, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.conformance.corpus import Case, Ours

# Columns nest a handful of levels; this is spark_sig's limit, stated here once more on purpose.
DEEPEST = 100
RANGES = {"integer": 2**31, "long": 2**63}


@dataclass(frozen=True)
class Divergence:
    """A deliberate difference.

    Args:
        name: what it is called in reports and in the README.
        kinds: the kinds of corpus files that it can explain.
        reason: why spark_sig is right to differ.
        applies: whether it explains a difference; looks at the case, never at its id.
    """

    name: str
    kinds: tuple[str, ...]
    reason: str
    applies: Callable[[Case, Ours], bool]


def explain(
    kind: str, case: Case, ours: Ours, table: tuple[Divergence, ...] | None = None
) -> Divergence | None:
    """Return the divergence that explains a difference, if any does."""
    known = TABLE if table is None else table
    return next((d for d in known if kind in d.kinds and d.applies(case, ours)), None)


# --- documents --------------------------------------------------------------------------------


class _Marked(dict[str, Any]):
    """A parsed object that remembers whether a key was there twice."""

    repeated = False


def _pairs(pairs: list[tuple[str, Any]]) -> _Marked:
    out = _Marked(pairs)
    out.repeated = len(out) < len(pairs)
    return out


def _documents(case: Case) -> list[Any]:
    """Return the parsed documents of a case: all sides of a signature, one otherwise."""
    text = case["document"] if "document" in case else json.dumps(case.get("schema"))
    try:
        whole = json.loads(text, object_pairs_hook=_pairs)
        if case.get("kind") == "signature" and isinstance(whole, dict):
            sides = [whole.get(side) for side in ("inputs", "outputs", "params")]
            return [whole, *(json.loads(s, object_pairs_hook=_pairs) for s in sides if s)]
        return [whole]
    except (ValueError, TypeError, RecursionError):
        return []


def _objects(value: Any) -> Iterator[Any]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


def _infinite(value: Any) -> bool:
    """Return whether NaN or an infinity stands anywhere: no token of JSON gives one."""
    return "NaN" in (text := json.dumps(value)) or "Infinity" in text


def _odd_tensor(item: dict[str, Any]) -> bool:
    tensor = item.get("tensor-spec")
    if not isinstance(tensor, dict) or not {"dtype", "shape"} <= set(tensor):
        return False
    shape, dtype = tensor["shape"], tensor["dtype"]
    if not isinstance(shape, list) or not isinstance(dtype, str):
        return True
    return any(type(n) is not int or n < -1 for n in shape) or np.dtype(dtype).kind == "V"


def _odd_entry(item: dict[str, Any]) -> bool:
    name, required = item.get("name"), item.get("required")
    is_param = "default" in item
    return (
        not (isinstance(name, str) or (name is None and not (is_param and "name" in item)))
        or not (required is None or isinstance(required, bool))
        or _odd_tensor(item)
        or (is_param and any(type(n) is not int for n in item.get("shape") or ()))
    )


def _malformed(case: Case, ours: Ours) -> bool:
    if ours.ok or not case["outcome"]["ok"]:
        return False
    documents = _documents(case)
    objects = [item for document in documents for item in _objects(document)]
    if any(item.repeated for item in objects) or any(map(_infinite, documents)):
        return True
    entries = [e for d in documents if isinstance(d, list) for e in d if isinstance(e, dict)]
    names = Counter(json.dumps(entry["name"]) for entry in entries if entry.get("name") is not None)
    return (
        any(_odd_entry(item) for item in objects if "type" in item or "dtype" in item)
        or any(count > 1 for count in names.values())
        or (case.get("kind") == "signature" and _odd_signature(documents))
        or (case.get("kind") == "params" and not isinstance(documents[0], list))
    )


def _odd_signature(documents: list[Any]) -> bool:
    whole, *sides = documents
    entries = [whole.get(side) for side in ("inputs", "outputs", "params")]
    not_text = any(
        entry is not None and not (isinstance(entry, str) and entry) for entry in entries
    )
    return not_text or not all(isinstance(side, list) for side in sides) or not any(sides)


def _too_deep(case: Case, ours: Ours) -> bool:
    return not ours.ok and _depth(case["document"]) > DEEPEST


def _types(case: Case) -> Iterator[dict[str, Any]]:
    for document in _documents(case):
        yield from (item for item in _objects(document) if "type" in item)


def _is_vector(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "sparkml_vector"


def _map_of_vectors(case: Case, ours: Ours) -> bool:
    return ours.ok and any(
        item["type"] == "map" and _is_vector(item.get("values")) for item in _types(case)
    )


def _properties(case: Case) -> Iterator[tuple[str, Any]]:
    for item in _types(case):
        if item["type"] == "object" and isinstance(item.get("properties"), dict):
            yield from item["properties"].items()


def _vector_property(case: Case, ours: Ours) -> bool:
    return ours.ok and any(_is_vector(value) for _, value in _properties(case))


def _property_called_cls(case: Case, ours: Ours) -> bool:
    return ours.ok and any(name == "cls" for name, _ in _properties(case))


def _null_moments(case: Case, ours: Ours) -> bool:
    return ours.ok and any(
        item["type"] == "datetime" and None in item["default"]
        for item in _types(case)
        if isinstance(item.get("default"), list)
    )


# --- params -----------------------------------------------------------------------------------


def _specs(case: Case) -> list[dict[str, Any]]:
    documents = _documents(case)
    return [item for item in documents[0] if isinstance(item, dict)] if documents[0] else []


def _given(case: Case) -> dict[Any, Any]:
    params = case.get("params")
    pairs = params["v"] if isinstance(params, dict) and params.get("k") == "dict" else []
    return {name: value for name, value in pairs if isinstance(name, str)}


def _leaves(recipe: Any) -> Iterator[Any]:
    if isinstance(recipe, dict) and recipe.get("k") in ("list", "ndarray", "np"):
        values = recipe["v"] if isinstance(recipe["v"], list) else [recipe["v"]]
        for item in values:
            yield from _leaves(item)
    elif isinstance(recipe, list):
        for item in recipe:
            yield from _leaves(item)
    else:
        yield recipe


def _values(case: Case) -> Iterator[tuple[Any, Any]]:
    """Return the type of each scalar param, with each scalar that is given or its default."""
    given = _given(case)
    for spec in _specs(case):
        kind = spec.get("type") or spec.get("dtype")
        for recipe in (spec.get("default"), given.get(spec.get("name"))):
            yield from ((kind, leaf) for leaf in _leaves(recipe))


def _integer_without_room(case: Case, ours: Ours) -> bool:
    return not ours.ok and any(
        type(value) is int
        and (
            (kind in RANGES and not -RANGES[kind] <= value < RANGES[kind])
            or (kind in ("float", "double") and (abs(value) > 2**1023 or float(value) != value))
        )
        for kind, value in _values(case)
    )


def _lost_nanoseconds(case: Case, ours: Ours) -> bool:
    return not ours.ok and any(
        kind == "datetime"
        and isinstance(value, dict)
        and value.get("k") == "timestamp"
        and len(value["v"].partition(".")[2]) > 6
        for kind, value in _values(case)
    )


def _nothing_declared(case: Case, ours: Ours) -> bool:
    return case.get("schema") is None and case["outcome"].get("value") is None and ours.ok


def _list_of_objects(case: Case, ours: Ours) -> bool:
    return not ours.ok and any(
        spec.get("type") == "object" and spec.get("shape") is not None for spec in _specs(case)
    )


def _object_scalar(case: Case, ours: Ours) -> bool:
    given = _given(case)
    for spec in _specs(case):
        if spec.get("type") == "object" and spec.get("shape") is None:
            recipe = given.get(spec["name"])
            values = [spec.get("default")]
            if isinstance(recipe, dict) and recipe.get("k") == "dict":
                values.append(dict(recipe["v"]))
            if any(_right_keys(value, spec["properties"]) for value in values):
                return True
    return False


def _right_keys(value: Any, properties: dict[str, Any]) -> bool:
    # Only then can the difference lie in a value.
    if not isinstance(value, dict) or not set(value) <= set(properties):
        return False
    return all(name in value for name, p in properties.items() if p.get("required", True))


# --- Spark columns ----------------------------------------------------------------------------

_INTEGERS = ("tinyint", "smallint", "int", "bigint")


def _stricter(case: Case, ours: Ours) -> bool:
    return not ours.ok and bool(case["outcome"]["ok"])


def _sampled_long(case: Case, ours: Ours) -> bool:
    is_long = case["spark_type"] == "bigint" and case["target"] in ("float", "double")
    return _stricter(case, ours) and is_long


def _objects_of_pandas(case: Case, ours: Ours) -> bool:
    anything = {"object": ("boolean", "string", "binary", "double"), "str": ("binary",)}
    taken = case["target"] in anything.get(case["to_pandas_dtype"], ())
    return _stricter(case, ours) and taken


def _nulls_among_integers(case: Case, ours: Ours) -> bool:
    looser = ours.ok and not case["outcome"]["ok"]
    integers = case["spark_type"] in _INTEGERS and case["target"] in ("integer", "long")
    return looser and integers and case["with_null"] and case["to_pandas_dtype"] == "float64"


TABLE: tuple[Divergence, ...] = (
    Divergence(
        "malformed_document",
        ("serde", "params"),
        "MLflow reads documents that mean nothing or two things: `required` that is no flag, names "
        "that are no strings or are there twice, duplicate keys, NaN, shapes of strings or below "
        "-1, record dtypes, entries of a signature that are no JSON text, signatures that declare "
        "nothing.  Here each is an error that names the place.",
        _malformed,
    ),
    Divergence(
        "nested_too_deeply",
        ("serde",),
        f"Documents deeper than {DEEPEST} levels are refused before they can exhaust the stack.",
        _too_deep,
    ),
    Divergence(
        "map_of_vectors",
        ("serde",),
        "MLflow reads a map of vectors as one vector, and writes that back: the map is lost.",
        _map_of_vectors,
    ),
    Divergence(
        "vector_property",
        ("serde",),
        "MLflow infers and writes an object with a vector in it, but cannot read it back.",
        _vector_property,
    ),
    Divergence(
        "property_called_cls",
        ("serde",),
        "MLflow's reader leaks a TypeError on a property with this name.",
        _property_called_cls,
    ),
    Divergence(
        "null_moments",
        ("serde",),
        "MLflow reads a list of datetimes with a null in it as a default, but cannot write it.",
        _null_moments,
    ),
    Divergence(
        "integer_without_room",
        ("params", "serde"),
        "MLflow takes any int for an integer or a long, and rounds one that a float cannot hold; "
        "here an int that the declared type cannot hold exactly is refused.",
        _integer_without_room,
    ),
    Divergence(
        "lost_nanoseconds",
        ("params",),
        "MLflow silently drops the nanoseconds of a Timestamp; here they are refused.",
        _lost_nanoseconds,
    ),
    Divergence(
        "always_a_dict",
        ("params",),
        "Where no params are declared MLflow hands None through; enforce_params gives a dict.",
        _nothing_declared,
    ),
    Divergence(
        "list_of_objects",
        ("params", "serde"),
        "MLflow lets a param be declared a list of objects, then takes only an empty one, and "
        "fails to write it; here it is refused when it is declared.",
        _list_of_objects,
    ),
    Divergence(
        "object_scalar",
        ("params",),
        "Inside an object param MLflow checks each scalar as a pandas column of one row: integer "
        "takes no int, double takes only the ints 0 and 1, string, binary and boolean take other "
        "types, datetime takes no datetime.  Here scalars are checked as outside of objects.",
        _object_scalar,
    ),
    Divergence(
        "sampled_longs",
        ("spark_enforce_matrix",),
        "MLflow takes a bigint column for float or double where the ten rows that it looks at are "
        "zeros, ones and nulls; here the types decide, for every row alike.",
        _sampled_long,
    ),
    Divergence(
        "objects_of_pandas",
        ("spark_enforce_matrix",),
        "What pandas holds as objects (decimals, dates, bytes, booleans with nulls) MLflow takes "
        "for string, binary and boolean as it is, and for double where pandas makes numbers of "
        "ten rows, text for binary as well, and then hands on the column uncast; here another "
        "type is a violation.",
        _objects_of_pandas,
    ),
    Divergence(
        "nulls_among_integers",
        ("spark_enforce_matrix",),
        "Nulls make floats of an integer column on its way through pandas, which MLflow then "
        "refuses for integer and long; a Spark column of integers stays one, nulls or not.",
        _nulls_among_integers,
    ),
)
