"""Documents: every one written reads back the same, and every bad one names its place."""

from __future__ import annotations

import contextlib
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_sig.codec import (
    params_from_json,
    params_to_json,
    schema_from_json,
    schema_to_json,
    type_from_dict,
    type_to_dict,
)
from spark_sig.documents import MAX_CHARACTERS, MAX_DEPTH, parse_json
from spark_sig.errors import SignatureError
from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.schema import ColSpec, Schema
from spark_sig.types import AnyType, Array, ColumnType, Object, Property
from tests.strategies import column_types, param_schemas, schemas


@given(column_types)
def test_every_type_round_trips(kind: ColumnType) -> None:
    document = json.loads(json.dumps(type_to_dict(kind)))
    assert type_from_dict(document) == kind


@given(schemas)
def test_every_schema_round_trips_byte_for_byte(schema: Schema) -> None:
    text = schema_to_json(schema)
    assert text.isascii()
    again = schema_from_json(text)
    assert again == schema
    assert schema_to_json(again) == text
    assert repr(again) == repr(schema)


@given(param_schemas())
def test_every_param_schema_round_trips(params: ParamSchema) -> None:
    text = params_to_json(params)
    assert params_from_json(text) == params
    assert params_to_json(params_from_json(text)) == text
    assert {params, params_from_json(text)} == {params}


def test_required_has_three_values_and_two_defaults() -> None:
    document = '[{"type": "long", "name": "a"}, {"type": "any", "name": "b"}]'
    assert [spec.required for spec in schema_from_json(document)] == [True, None]
    null = '[{"type": "long", "name": "a", "required": null}]'
    assert schema_to_json(schema_from_json(null)) == null
    false = null.replace("null", "false")
    assert schema_from_json(null) != schema_from_json(false)
    assert repr(schema_from_json(null)) == repr(schema_from_json(false))


def test_object_properties_are_sorted_and_columns_are_not() -> None:
    schema = Schema(
        [ColSpec(Object([Property("b", "long"), Property("B", "long")]), "z"), ColSpec("long", "a")]
    )
    text = schema_to_json(schema)
    assert text.index('"B"') < text.index('"b"')
    assert text.index('"z"') < text.index('"name": "a"')


LONG = {"type": "long"}


@pytest.mark.parametrize(
    ("document", "path", "part"),
    [
        ('[{"type": "long"}, {"type": "int"}]', "$[1].type", "unknown type"),
        ('[{"type": ["long"]}]', "$[0].type", "unknown type"),
        ('[{"type": null}]', "$[0].type", "unknown type"),
        ('[{"name": "a"}]', "$[0]", "'type' is missing"),
        ("[5]", "$[0]", "must be an object"),
        ("{}", "$", "must be a list"),
        ("null", "$", "must be a list"),
        ("[]", "$", "at least one"),
        ('[{"type": "long", "zz": 1}]', "$[0]", "unknown key 'zz'"),
        ('[{"type": "long", "required": "yes"}]', "$[0].required", "true, false or null"),
        ('[{"type": "long", "required": 1}]', "$[0].required", "true, false or null"),
        ('[{"type": "long", "name": 1}]', "$[0].name", "string or null"),
        ('[{"type": "array"}]', "$[0]", "'items' is missing"),
        ('[{"type": "array", "items": "long"}]', "$[0].items", "must be an object"),
        ('[{"type": "array", "items": {"type": "tensor"}}]', "$[0].items.type", "unknown type"),
        ('[{"type": "map", "values": {"type": "x"}}]', "$[0].values.type", "unknown type"),
        ('[{"type": "object", "properties": {}}]', "$[0].properties", "at least one property"),
        ('[{"type": "object", "properties": []}]', "$[0].properties", "must be an object"),
        (
            '[{"type": "object", "properties": {"a b": {"type": "x"}}}]',
            '$[0].properties["a b"].type',
            "unknown type",
        ),
        (
            '[{"type": "object", "properties": {"a": {"type": "long", "required": 0}}}]',
            "$[0].properties.a.required",
            "true, false or null",
        ),
        ('[{"type": "long", "type": "double"}]', "$[0].type", "there twice"),
        ('[{"type": "any", "zz": {"a": 1, "a": 2}}]', "$[0].zz.a", "there twice"),
        ('[{"type": "long", "required": NaN}]', "$[0].required", "NaN is no JSON"),
        ('[{"type": "any", "zz": [1, -Infinity]}]', "$[0].zz[1]", "-Infinity is no JSON"),
        ('[{"type": "any", "zz": ' + "9" * 5000 + "}]", "$[0].zz", "too many digits"),
        ('[{"type": "long", "name": "a"}, {"type": "long", "name": "a"}]', "$[1]", "there twice"),
        ('[{"type": "long", "name": "a"}, {"type": "long"}]', "$", "every column has a name"),
        ('[{"type": "long", "required": false}]', "$", "cannot be optional"),
        ('[{"type": "tensor"}]', "$[0]", "'tensor-spec' is missing"),
        ('[{"type": "tensor", "tensor-spec": []}]', "$[0].tensor-spec", "must be an object"),
        (
            '[{"type": "tensor", "tensor-spec": {"dtype": "f4", "shape": [-2]}}]',
            "$[0].tensor-spec.shape",
            "-1 for any",
        ),
        (
            '[{"type": "tensor", "tensor-spec": {"dtype": "f4", "shape": "ab"}}]',
            "$[0].tensor-spec.shape",
            "must be a list",
        ),
        (
            '[{"type": "tensor", "tensor-spec": {"dtype": null, "shape": [1]}}]',
            "$[0].tensor-spec.dtype",
            "name of a NumPy dtype",
        ),
        (
            '[{"type": "tensor", "tensor-spec": {"dtype": "\\ud800", "shape": [1]}}]',
            "$[0].tensor-spec.dtype",
            "no NumPy dtype",
        ),
        ("[", "$", "no JSON: Expecting value in line 1, column 2"),
        ("", "$", "no JSON"),
        ("\ufeff[]", "$", "no JSON"),
        ('[{"type": "long"}] x', "$", "no JSON: Extra data"),
        (b"\xff", "$", "not UTF-8"),
        ([LONG], "$", "must be a string"),
        (None, "$", "must be a string"),
    ],
)
def test_a_bad_document_names_its_place(document: str, path: str, part: str) -> None:
    with pytest.raises(SignatureError) as caught:
        schema_from_json(document)
    assert caught.value.path == path
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ('[{"name": "p", "type": "long"}]', "$[0]"),
        ('[{"name": "p", "type": "long", "default": "x"}]', "$[0].default"),
        ('[{"name": "p", "type": "long", "default": [1], "shape": [2]}]', "$[0].shape"),
        ('[{"name": "p", "type": "long", "default": 1, "shape": 3}]', "$[0].shape"),
        ('[{"name": "p", "type": "long", "default": 1, "shape": [-1]}]', "$[0].default"),
        ('[{"name": "p", "type": "double", "default": 1e999}]', "$[0].default"),
        ('[{"name": "p", "type": "binary", "default": null}]', "$[0].type"),
        ('[{"name": "p", "type": "array", "default": null}]', "$[0].type"),
        ('[{"name": "p", "type": "object", "default": {}}]', "$[0]"),
        ('[{"name": 1, "type": "long", "default": 1}]', "$[0].name"),
        ('[{"name": "p", "type": "long", "default": 1}, 5]', "$[1]"),
    ],
)
def test_a_bad_param_document_names_its_place(document: str, path: str) -> None:
    with pytest.raises(SignatureError) as caught:
        params_from_json(document)
    assert caught.value.path == path


def test_dtype_stands_for_type_in_old_documents() -> None:
    (spec,) = params_from_json('[{"name": "p", "dtype": "long", "default": 1, "zz": 1}]')
    assert spec == ParamSpec("p", "long", 1)


@pytest.mark.parametrize("levels", [MAX_DEPTH, 1000, 1_000_000])
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"type": "array", "items": '])
def test_deep_nesting_is_an_error_at_any_recursion_limit(levels: int, opening: str) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    try:
        with pytest.raises(SignatureError, match=r"nests too deeply|no JSON"):
            schema_from_json(opening * min(levels, MAX_CHARACTERS // len(opening)))
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_in_strings_do_not_nest() -> None:
    name = '["\\{' * 500
    schema = Schema([ColSpec("long", name)])
    assert schema_from_json(schema_to_json(schema)) == schema


def test_the_deepest_type_that_is_written_reads_back() -> None:
    kind: ColumnType = AnyType()
    written = 0
    for _ in range(2 * MAX_DEPTH):
        kind = Array(kind)
        schema = Schema([ColSpec(kind, "c")])
        try:
            text = schema_to_json(schema)
        except SignatureError:
            break
        assert schema_from_json(text) == schema
        written += 1
    assert written == MAX_DEPTH - 2
    for _ in range(100_000):
        kind = Array(kind)
    with pytest.raises(SignatureError, match="too deeply"):
        type_to_dict(kind)
    # Freed level by level: the interpreter would otherwise recurse to do it.
    while isinstance(kind, Array):
        kind = kind.dtype


@pytest.mark.parametrize(
    "text",
    [
        '"' + "\\" * 1_000_001,
        '"\\' * 500_000,
        '["' + "a" * 2_000_000,
        "[" + "1," * 1_000_000,
        '[{"type": "long", "name": "' + "x" * 1_000_000 + '"',
    ],
)
@pytest.mark.timeout(120)  # in quadratic time it would take hours
def test_hostile_text_is_refused_in_linear_time(text: str) -> None:
    with pytest.raises(SignatureError):
        parse_json(text)


def test_a_huge_document_is_refused_unread() -> None:
    with pytest.raises(SignatureError, match="too large"):
        parse_json(" " * (MAX_CHARACTERS + 1))


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_no_text_raises_anything_else(text: str | bytes) -> None:
    with contextlib.suppress(SignatureError):
        schema_from_json(text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(
        ["long", "array", "object", "map", "tensor", "any", "f4", "x", "c"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            [
                *("type", "name", "required", "items", "values", "properties"),
                *("tensor-spec", "dtype", "shape", "default", "zz"),
            ]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(JSON_VALUES, max_size=3))
def test_no_document_raises_anything_else(document: list[object]) -> None:
    text = json.dumps(document)
    for read in (schema_from_json, params_from_json):
        with contextlib.suppress(SignatureError):
            read(text)
