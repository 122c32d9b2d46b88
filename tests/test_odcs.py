"""Data contracts: every signature comes back from its own, and others' are read or refused."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from spark_sig import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    ModelSignature,
    Object,
    Property,
    Schema,
    SignatureError,
)
from spark_sig.cli import app
from spark_sig.odcs import contract_document, contract_yaml, load_contract, parse_contract
from spark_sig.odcs import read_contract as read
from spark_sig.odcs.words import FORMATS, LOGICAL, PHYSICAL, SCALARS
from spark_sig.signature import load_signature
from tests.strategies import signatures

PUBLISHED = Path(__file__).parent / "schemas" / "odcs"
STANDARD = json.loads((PUBLISHED / "odcs-json-schema-v3.1.0.json").read_text())
VALIDATOR = jsonschema.Draft201909Validator(STANDARD)

SIGNATURE = ModelSignature(
    Schema([ColSpec("long", "id"), ColSpec(Array("double"), "scores", required=False)])
)


# --- our own --------------------------------------------------------------------------------------


@given(signatures)
def test_a_signature_comes_back_from_its_contract(signature: ModelSignature) -> None:
    document = contract_document(signature)
    VALIDATOR.validate(document)
    text = contract_yaml(signature)
    assert yaml.safe_load(text) == document
    for values in (document, parse_contract(text), json.loads(json.dumps(document))):
        contract = read(values)
        assert contract.signature == signature
        assert contract.losses == ()


def test_the_pydantic_model_of_the_standard_reads_it() -> None:
    model = pytest.importorskip("open_data_contract_standard.model")
    contract = model.OpenDataContractStandard.from_string(contract_yaml(SIGNATURE))
    (inputs,) = contract.schema_
    assert [(p.name, p.logicalType, p.physicalType, p.required) for p in inputs.properties] == [
        ("id", "integer", "BIGINT", True),
        ("scores", "array", "ARRAY<DOUBLE>", False),
    ]
    assert inputs.properties[1].items.logicalType == "number"


@pytest.mark.parametrize("kind", list(DataType))
def test_each_scalar_type_has_a_word_that_is_read_back_alone(kind: DataType) -> None:
    """By how it is stored, and by its format, whichever a user leaves."""
    word = SCALARS[kind]
    both = {"logicalType": word.logical, "physicalType": word.physical}
    for stored in (both, {"physicalType": word.physical}):
        found, losses = taken(stored)
        # what FLOAT is, databases do not agree on
        assert (found, losses[1 if kind is DataType.float else 0 :]) == (kind, [])
    if word.format:
        options = {"logicalTypeOptions": {"format": word.format}}
        assert taken({"logicalType": word.logical, **options}) == (kind, [])


def test_the_tables_of_words_are_total() -> None:
    assert set(SCALARS) == set(PHYSICAL.values()) == set(DataType)
    logical = set(STANDARD["$defs"]["SchemaBaseProperty"]["properties"]["logicalType"]["enum"])
    assert set(LOGICAL) | {"object", "array", "time"} == logical
    assert {logical for logical, _ in FORMATS} <= set(LOGICAL)


def test_one_side_may_be_asked_for() -> None:
    both = ModelSignature(SIGNATURE.inputs, Schema([ColSpec("string", "label")]))
    assert read(contract_document(both), "outputs").signature == ModelSignature(None, both.outputs)


# --- others' --------------------------------------------------------------------------------------


def contract(*properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    named = [{"name": f"c{at}"} | one for at, one in enumerate(properties)]
    document = {
        "apiVersion": "v3.0.2",
        "kind": "DataContract",
        "id": "x",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "orders", "properties": named}],
    } | more
    return document


def taken(document: dict[str, Any]) -> tuple[object, list[str]]:
    """The type that a property is taken for, and what is lost."""
    found = read(contract(document))
    assert found.signature.inputs is not None
    (spec,) = found.signature.inputs
    return spec.type, list(found.losses)


def test_the_standards_own_example_of_types() -> None:
    document = yaml.safe_load((PUBLISHED / "all-data-types.odcs.yaml").read_text())
    with pytest.raises(SignatureError, match="no type for times of day") as refused:
        read(document)
    assert refused.value.path == "$.schema[0].properties[4].logicalType"
    del document["schema"][0]["properties"][4]
    found = read(document)
    assert str(found.signature.inputs) == str(
        Schema(
            [
                ColSpec("string", "account_id", False),
                ColSpec("datetime", "txn_ref_date", False),
                ColSpec("datetime", "txn_timestamp", False),
                ColSpec("datetime", "txn_timestamp_tz", False),
                ColSpec("float", "amount", False),
                ColSpec("long", "age", False),
                ColSpec("boolean", "is_open", False),
                ColSpec(AnyType(), "latest_txns", False),
                ColSpec(AnyType(), "customer_details", False),
            ]
        )
    )
    properties = "$.schema[0].properties"
    assert f"{properties}[0].logicalTypeOptions.pattern" in found.losses
    assert f"{properties}[1]: a date is taken for a datetime" in found.losses
    assert f"{properties}[4]: format f32 is taken, though it is stored as double" in found.losses
    assert f"{properties}[7]: an array of which no items are said is taken for any" in found.losses


def test_an_object_is_chosen_by_its_name() -> None:
    path = PUBLISHED / "all-schema-types.odcs.yaml"
    with pytest.raises(SignatureError, match="3 schema objects") as refused:
        load_contract(path)
    assert refused.value.observed == "tbl, AnObject, AnotherObject"
    assert load_contract(path, "AnObject").signature == load_contract(f"{path}#AnObject").signature
    for name in ("tbl", "tbl_1"):
        (first, *_) = load_contract(path, name).signature.inputs or ()
        assert first == ColSpec("datetime", "txn_ref_dt", False)
    nested = Array(Object([Property("id", "string", False), Property("zip", "string", False)]))
    with pytest.warns(UserWarning, match=r"physicalType: the length of VARCHAR\(40\)"):
        found = load_signature(f"{path}#AnotherObject")
    assert found == ModelSignature(Schema([ColSpec(nested, "x", False)]))
    with pytest.raises(SignatureError, match="no schema object 'nowhere'"):
        load_contract(path, "nowhere")


@pytest.mark.parametrize(
    ("document", "kind", "losses"),
    [
        ({"logicalType": "integer", "physicalType": "SMALLINT"}, "integer", []),
        ({"logicalType": "integer", "physicalType": "int8"}, "long", ["integer of no said size"]),
        ({"logicalType": "integer"}, "long", ["integer of no said size is taken for long"]),
        ({"logicalType": "number"}, "double", ["number of no said size is taken for double"]),
        ({"logicalType": "number", "physicalType": "Decimal(10, 2)"}, "double",
         ["Decimal(10, 2) is taken for double"]),
        ({"physicalType": "numeric"}, "double", ["numeric is taken for double"]),
        ({"logicalType": "integer", "physicalType": "NUMBER(38,0)"}, "long",
         ["NUMBER(38,0) is taken for long"]),
        ({"logicalType": "string", "physicalType": "BIGINT"}, "string",
         ["string that is stored as BIGINT"]),
        ({"logicalType": "date", "physicalType": "date"}, "datetime", ["a date is taken for"]),
        ({"physicalType": "timestamp(6) with time zone"}, "datetime", []),
        ({"physicalType": "Double  Precision"}, "double", []),
        ({"logicalType": "string", "unique": True, "primaryKey": True}, "string",
         [".unique", ".primaryKey"]),
        ({"logicalType": "string", "logicalTypeOptions": {"maxLength": 3}}, "string",
         [".logicalTypeOptions.maxLength"]),
    ],
)  # fmt: skip
def test_how_a_scalar_is_taken(document: dict[str, Any], kind: str, losses: list[str]) -> None:
    found, told = taken(document)
    assert found == DataType(kind)
    assert len(told) == len(losses)
    for loss, part in zip(told, losses, strict=True):
        assert loss.startswith("$.schema[0].properties[0]")
        assert part in loss


def test_what_may_be_null_is_optional_and_columns_have_their_physical_names() -> None:
    document = contract(
        {"logicalType": "string", "required": True, "physicalName": "ID"},
        {"logicalType": "string"},
    )
    assert read(document).signature.inputs == Schema(
        [ColSpec("string", "ID"), ColSpec("string", "c1", False)]
    )


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"kind": "Other"}, "$.kind", "no data contract"),
        ({"apiVersion": "v2.2.2"}, "$.apiVersion", "this edition"),
        ({"apiVersion": 3}, "$.apiVersion", "this edition"),
        ({"schema": {}}, "$.schema", "must be a list"),
        ({"schema": []}, "$.schema", "0 schema objects"),
        ({"schema": ["x"]}, "$.schema[0]", "must be an object"),
        ({"schema": [{"name": "x"}]}, "$.schema[0].properties", "needs a list of properties"),
        ({"schema": [{"name": "x", "properties": [{}]}]}, "$.schema[0].properties[0]", "a name"),
        ({"customProperties": 3}, "$.customProperties", "must be a list"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(SignatureError, match=message) as refused:
        read(contract({"logicalType": "string"}) | change)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: [", "cannot be read"),
        ("a: 1\na: 2", "a key is there twice"),
        ("a: !!python/object:os.system {}", "cannot be read"),
        ("[" * 5_000, "cannot be read"),
        ("a: 9999-99-99", "cannot be read"),
    ],
)
def test_text_that_is_no_contract(text: str, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        parse_contract(text)


def test_aliases_that_stand_for_themselves_or_for_very_many_are_refused() -> None:
    looped = contract({"logicalType": "array"})
    looped["schema"][0]["properties"][0]["items"] = looped["schema"][0]["properties"][0]
    with pytest.raises(SignatureError, match="too deeply"):
        read(looped)
    inner: dict[str, Any] = {"name": "x", "logicalType": "string"}
    for _ in range(20):
        members = [inner | {"name": name} for name in "abcdefgh"]
        inner = {"name": "x", "logicalType": "object", "properties": members}
    with pytest.raises(SignatureError, match="says too much"):
        read(contract(inner))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("side", [[], {}, 1, "input"])
def test_a_side_that_is_none_is_refused(side: object) -> None:
    document: Any = deepcopy(contract_document(SIGNATURE))
    (place,) = [p for p in document["schema"][0]["customProperties"] if p["value"] == "inputs"]
    place["value"] = side
    with pytest.raises(SignatureError, match="must be one of"):
        read(document)


@given(st.data())
def test_a_contract_that_was_tampered_with_is_read_or_refused(data: st.DataObject) -> None:
    document: Any = deepcopy(contract_document(SIGNATURE))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(json_values)
        break
    with suppress(SignatureError):
        read(document)


# --- files and commands ---------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments), prog_name="spark-sig")
    return done.exit_code, done.stdout, done.stderr


def test_a_contract_is_taken_wherever_a_signature_is(tmp_path: Path) -> None:
    text = contract_yaml(SIGNATURE)
    for name in ("orders.odcs.yaml", "orders.yml"):
        (tmp_path / name).write_text(text)
        assert load_signature(tmp_path / name) == SIGNATURE
    document = contract_document(SIGNATURE)
    (tmp_path / "orders.json").write_text(json.dumps(document))
    for source in (tmp_path / "orders.json", document, json.dumps(document)):
        assert ModelSignature.load(source) == SIGNATURE


def test_show_writes_a_contract_and_reads_one(tmp_path: Path) -> None:
    SIGNATURE.save(tmp_path / "signature.json")
    code, said, _ = run("show", str(tmp_path / "signature.json"), "--form", "odcs")
    assert code == 0
    VALIDATOR.validate(yaml.safe_load(said))
    (tmp_path / "c.odcs.yaml").write_text(said)
    code, said, told = run("show", str(tmp_path / "c.odcs.yaml"), "--json")
    assert (code, told) == (0, "")
    assert json.loads(said)["inputs"] == json.loads(SIGNATURE.to_dict()["inputs"] or "")
    code, _, told = run("show", f"{PUBLISHED / 'all-schema-types.odcs.yaml'}#tbl")
    assert code == 0
    assert "not said: $.schema[0].properties[0]: a date is taken for a datetime" in told
    code, _, told = run("show", str(PUBLISHED / "all-schema-types.odcs.yaml"))
    assert code == 2
    assert told.count("\n") == 1
    assert "contract.yaml#NAME" in told


@pytest.mark.parametrize(
    ("stored", "kind", "told"),
    [
        ("FLOAT", "float", True),
        ("FLOAT(24)", "float", False),
        ("FLOAT(53)", "double", False),
        ("REAL", "float", False),
        # no number of bits
        ("FLOAT(\xb2)", "float", True),
        (f"FLOAT({'9' * 5_000})", "float", True),
    ],
)
def test_sqls_float_has_as_many_bits_as_it_says(stored: str, kind: str, told: bool) -> None:
    """FLOAT alone has 32 bits in Spark and 64 in Snowflake and BigQuery, which is said."""
    for said in ({}, {"logicalType": "number"}):
        found, losses = taken({"physicalType": stored, **said})
        assert found == DataType[kind]
        assert any("64 bits in some databases" in loss for loss in losses) == told


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        ({"logicalType": "integer"}, "long", False),
        ({"logicalType": "string"}, "string", False),
        ({"logicalType": "number", "logicalTypeOptions": {"format": "f64"}}, "double", False),
        ({"logicalType": "number", "logicalTypeOptions": {"format": "x"}}, "float", True),
        ({"logicalTypeOptions": {"format": "f64"}}, "float", True),
    ],
)
def test_what_float_is_matters_where_it_is_taken_for_one(
    said: dict[str, Any], kind: str, told: bool
) -> None:
    found, losses = taken({"physicalType": "FLOAT", **said})
    assert found == DataType[kind]
    assert any("64 bits in some databases" in loss for loss in losses) == told


@pytest.mark.parametrize(
    ("logical", "format_", "told"),
    [
        *(("string", "uuid", True), ("string", "binary", False), ("integer", "u8", True)),
        *(("integer", "i32", False), ("timestamp", "yyyy", True)),
        # of other types, and of none
        *(("integer", "f32", True), ("string", "i32", True), (None, "i32", True)),
    ],
)
def test_a_format_that_no_type_says_is_told(logical: str | None, format_: str, told: bool) -> None:
    options = {"logicalTypeOptions": {"format": format_}}
    options |= {"logicalType": logical} if logical else {"physicalType": "BIGINT"}
    assert any(loss.endswith("logicalTypeOptions.format") for loss in taken(options)[1]) == told
