"""Params: cast, completed, and every bad one named."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from spark_sig.errors import Code, SignatureError, ViolationError
from spark_sig.params import READINGS, ParamSchema, ParamSpec, enforce_params
from spark_sig.policy import Policy
from spark_sig.signature import ModelSignature
from spark_sig.types import Array, DataType, Map, Object, Property
from tests.strategies import param_schemas

SCHEMA = ParamSchema(
    [
        ParamSpec("n", "long", 1),
        ParamSpec("t", "double", 0.5),
        ParamSpec("tags", "string", ["x"], (-1,)),
        ParamSpec("at", "datetime", "2024-01-01"),
        ParamSpec(
            "o",
            Object([Property("a", "long"), Property("b", Array("double"), required=False)]),
            {"a": 1},
        ),
    ]
)


def one(value: Any, kind: str = "long", shape: tuple[int] | None = None) -> Any:
    default: Any = None if shape is None else []
    return enforce_params({"p": value}, ParamSchema([ParamSpec("p", kind, default, shape)]))["p"]


def refusal(value: Any, kind: str = "long", shape: tuple[int] | None = None) -> tuple[Code, str]:
    with pytest.raises(ViolationError) as caught:
        one(value, kind, shape)
    (violation,) = caught.value.violations
    assert violation.path == "$.params.p"
    return violation.code, violation.observed


def test_what_is_missing_is_the_default_after_what_is_given() -> None:
    out = enforce_params({"t": 2, "n": np.int32(3)}, SCHEMA)
    assert list(out) == ["t", "n", "tags", "at", "o"]
    assert out == {"t": 2.0, "n": 3, "tags": ["x"], "at": dt.date(2024, 1, 1), "o": {"a": 1}}
    assert type(out["t"]) is float
    assert type(out["n"]) is int


def test_every_bad_param_is_listed_in_the_order_of_the_schema() -> None:
    given = {"o": {"a": "x"}, "tags": "abc", "n": 1.5, "t": 1}
    with pytest.raises(ViolationError) as caught:
        enforce_params(given, SCHEMA)
    assert [(v.path, v.code) for v in caught.value.violations] == [
        ("$.params.n", Code.PARAM_TYPE),
        ("$.params.tags", Code.PARAM_SHAPE),
        ("$.params.o", Code.PARAM_TYPE),
    ]
    assert "str at .a" in str(caught.value)


def test_values_are_told_only_where_the_policy_says_so() -> None:
    with pytest.raises(ViolationError) as caught:
        enforce_params({"n": "secret"}, SCHEMA)
    assert "secret" not in str(caught.value)
    with pytest.raises(ViolationError, match="secret"):
        enforce_params({"n": "secret"}, SCHEMA, policy=Policy(show_values=True))


def test_nothing_of_the_caller_or_the_schema_is_shared_or_changed() -> None:
    given = {"tags": ["a"], "o": {"a": 1, "b": [1.0]}}
    before = copy.deepcopy(given)
    out = enforce_params(given, SCHEMA)
    out["tags"].append("b")
    out["o"]["b"].append(2.0)
    enforce_params({}, SCHEMA)["tags"].append("z")
    enforce_params(None, SCHEMA)["o"]["a"] = 9
    assert given == before
    assert enforce_params(None, SCHEMA)["tags"] == ["x"]
    assert enforce_params(None, SCHEMA)["o"] == {"a": 1}


def test_unknown_params_are_ignored_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="unknown params are ignored: zz"):
        out = enforce_params({"zz": 1, "n": 2}, SCHEMA)
    assert "zz" not in out
    with pytest.warns(UserWarning, match="declares no params"):
        assert enforce_params({"zz": 1}, None) == {}
    none: Any = {None: 5}
    declared = ParamSchema([ParamSpec("None", "long", 0)])
    with pytest.warns(UserWarning, match="no strings"):
        assert enforce_params(none, declared) == {"None": 5}
    assert enforce_params(None, None) == {}


def test_a_signature_stands_for_its_params() -> None:
    assert enforce_params({"n": 2}, ModelSignature(params=SCHEMA))["n"] == 2


@pytest.mark.parametrize("params", [[1], "x", 0])
def test_params_are_a_dict(params: Any) -> None:
    with pytest.raises(SignatureError, match="must be a dict"):
        enforce_params(params, SCHEMA)


def test_two_names_that_become_one_are_refused() -> None:
    colliding: Any = {1: "a", "1": "b"}
    with (
        pytest.warns(UserWarning, match="strings"),
        pytest.raises(SignatureError, match="one name"),
    ):
        enforce_params(colliding, SCHEMA)


# What each scalar type takes: the whole of the table, said a second time by example.
TAKES: dict[str, list[tuple[Any, Any]]] = {
    "boolean": [(True, True), (np.bool_(False), False)],
    "integer": [(-(2**31), -(2**31)), (np.int32(7), 7)],
    "long": [(2**63 - 1, 2**63 - 1), (np.int64(7), 7), (np.int32(7), 7)],
    "float": [(1.5, 1.5), (1, 1.0), (np.float32(1.5), 1.5), (np.int64(2), 2.0)],
    "double": [
        (2**53, 2.0**53),
        (np.int64(-(2**63)), -(2.0**63)),
        (np.float32(1.5), 1.5),
        (np.float64(1.5), 1.5),
    ],
    "string": [("x", "x"), (np.str_("x"), "x"), ("", "")],
    "datetime": [
        ("2024-01-01", dt.date(2024, 1, 1)),
        ("2024-01-01T01:02:03.000123", dt.datetime(2024, 1, 1, 1, 2, 3, 123)),
        ("2024-01-01T01:02:03+02:00", dt.datetime(2023, 12, 31, 23, 2, 3)),
        ("2024-01-01T01:02Z", dt.datetime(2024, 1, 1, 1, 2)),
        ("2024-01-01T01-0530", dt.datetime(2024, 1, 1, 6, 30)),
        (b"2024-01-01", dt.date(2024, 1, 1)),
        ("", None),
        ("NaT", None),
        (dt.date(2024, 1, 1), dt.date(2024, 1, 1)),
        (np.datetime64("2024-01-01T01", "h"), dt.datetime(2024, 1, 1, 1)),
        (pd.Timestamp("2024-01-01", tz="Asia/Tokyo"), dt.datetime(2023, 12, 31, 15)),
    ],
}


@pytest.mark.parametrize(
    ("kind", "value", "result"), [(k, v, r) for k, rows in TAKES.items() for v, r in rows]
)
def test_what_each_type_takes(kind: str, value: Any, result: Any) -> None:
    got = one(value, kind)
    assert got == result
    assert type(got) is type(result)
    assert one([value], kind, (-1,)) == [result]
    assert one(None, kind) is None


def test_the_table_of_readings_is_total() -> None:
    assert {*READINGS, DataType.datetime} == set(DataType)
    assert {DataType(kind) for kind in TAKES} | {DataType.binary} == set(DataType)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", 1),
        ("integer", True),
        ("integer", 2**31),
        ("integer", np.int64(1)),
        ("integer", 1.0),
        ("long", -(2**63) - 1),
        ("long", np.int8(1)),
        ("long", np.uint8(1)),
        ("long", "1"),
        ("float", 2**53 + 1),
        ("float", np.int64(2**53 + 1)),
        ("float", np.float64(1.5)),
        ("double", 10**400),
        ("double", np.int64(2**53 + 1)),
        ("double", np.int64(2**63 - 1)),
        ("double", True),
        ("double", np.float16(1)),
        ("string", 1),
        ("string", b"x"),
        ("datetime", 1),
        ("datetime", 1.5),
        ("datetime", True),
        ("datetime", "x"),
        ("datetime", "10000-01-01"),
        ("datetime", "0001-01-01T00:00+02:00"),
        ("datetime", "2024-01-01T00:00:00.000000001"),
        ("datetime", pd.Timestamp("2024-01-01T00:00:00.000000001")),
        ("datetime", pd.NaT),
        ("datetime", pd.NA),
        ("datetime", dt.timedelta(1)),
        ("datetime", {}),
    ],
)
def test_what_each_type_refuses(kind: str, value: Any) -> None:
    assert refusal(value, kind)[0] is Code.PARAM_TYPE
    assert refusal([None, value], kind, (-1,))[1].endswith("at [1]")


@pytest.mark.parametrize("value", [[1], [], (1,), {1}, np.array([1]), np.array(1)])
def test_one_value_is_no_collection(value: Any) -> None:
    assert refusal(value)[0] in (Code.PARAM_SHAPE, Code.PARAM_TYPE)


@pytest.mark.parametrize(
    "value",
    [
        1,
        None,
        "abc",
        (1,),
        {1},
        range(2),
        pd.Series([1]),
        np.array(1),
        np.array([[1]]),
        [[1]],
        [[]],
    ],
)
def test_a_list_is_a_list_of_scalars(value: Any) -> None:
    assert refusal(value, "long", (-1,))[0] is Code.PARAM_SHAPE
    with pytest.raises(ViolationError):
        one([[1], [2, 3]], "long", (-1,))


def test_a_list_may_come_as_an_array_and_hold_nulls() -> None:
    assert one(np.array([1, 2], "int32"), "double", (-1,)) == [1.0, 2.0]
    assert one([1, None], "double", (-1,)) == [1.0, None]


NESTED = Object(
    [
        Property("a", "long"),
        Property("l", Array("double"), required=False),
        Property("m", Map("string"), required=False),
        Property("o", Object([Property("x", "boolean")]), required=None),
    ]
)


@pytest.mark.parametrize(
    ("value", "observed"),
    [
        ({}, "no property 'a'"),
        ({"a": 1, "z": 1}, "a property 'z'"),
        ({"a": None}, "null at .a"),
        ({"a": 1, "l": 5}, "int at .l"),
        ({"a": 1, "l": [1.0, "x"]}, "str at .l[1]"),
        ({"a": 1, "m": {1: "x"}}, "dict at .m"),
        ({"a": 1, "m": {"k": 1}}, "int at .m.k"),
        ({"a": 1, "o": {"x": 1}}, "int at .o.x"),
        ([1], "list"),
        (None, "null"),
    ],
)
def test_an_object_is_checked_to_its_leaves(value: Any, observed: str) -> None:
    schema = ParamSchema([ParamSpec("p", NESTED, {"a": 1})])
    with pytest.raises(ViolationError) as caught:
        enforce_params({"p": value}, schema)
    assert [v.observed for v in caught.value.violations] == [observed]


def test_an_object_keeps_the_types_of_its_scalars() -> None:
    schema = ParamSchema([ParamSpec("p", NESTED, {"a": 1})])
    value = {"a": np.int8(1), "l": np.array([1.5]), "m": {}, "o": {}}
    out = enforce_params({"p": value}, schema)["p"]
    assert out is not value
    assert type(out["a"]) is np.int8
    assert isinstance(out["l"], np.ndarray)
    assert out["l"] is not value["l"]
    assert enforce_params({"p": {"a": 1, "l": None}}, schema)["p"] == {"a": 1, "l": None}


@pytest.mark.parametrize(
    ("args", "path"),
    [
        ((1, "long", 1), "name"),
        (("p", "int", 1), ""),
        (("p", "binary", None), "type"),
        (("p", Array("long"), None), "type"),
        (("p", "long", "x"), "default"),
        (("p", "long", True), "default"),
        (("p", "long", None, (-1,)), "default"),
        (("p", "long", [1], ()), "shape"),
        (("p", "long", [1], (2,)), "shape"),
        (("p", "long", [1], (-1, -1)), "shape"),
        (("p", "long", [1], (-1.0,)), "shape"),
        (("p", "long", [1], "ab"), "shape"),
        (("p", NESTED, [], (-1,)), "shape"),
        (("p", NESTED, None), "default"),
        (("p", "double", float("nan")), "default"),
        (("p", "double", [1.0, float("inf")], (-1,)), "default"),
        (("p", Object([Property("a", "double")]), {"a": float("nan")}), "default"),
        (("p", Object([Property("a", "long")]), {"a": np.int64(1)}), "default"),
    ],
)
def test_a_spec_is_checked_at_birth(args: tuple[Any, ...], path: str) -> None:
    with pytest.raises(SignatureError) as caught:
        ParamSpec(*args)
    assert caught.value.path == path


def test_names_are_there_once() -> None:
    with pytest.raises(SignatureError, match="twice"):
        ParamSchema([ParamSpec("p", "long", 1), ParamSpec("p", "double", 1)])


@given(param_schemas())
def test_specs_are_values_that_accept_their_own_defaults(schema: ParamSchema) -> None:
    defaults = {spec.name: spec.default for spec in schema}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert enforce_params({}, schema) == defaults
        assert enforce_params(defaults, schema) == defaults
    assert pickle.loads(pickle.dumps(schema)) == schema
    assert len({schema, copy.deepcopy(schema)}) == 1


def test_a_default_cannot_be_changed_from_outside() -> None:
    spec = ParamSpec("p", "long", [1], (-1,))
    spec.default.append(2)
    assert spec.default == [1]
    with pytest.raises(AttributeError):
        spec.name = "q"  # type: ignore[misc]
