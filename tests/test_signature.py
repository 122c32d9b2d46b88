"""Signatures: values that load from wherever they are, and are saved whole or not at all."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from spark_sig.errors import SignatureError
from spark_sig.integrations.mlflow.models import set_signature
from spark_sig.params import ParamSchema, ParamSpec
from spark_sig.schema import ColSpec, Schema, TensorSpec
from spark_sig.signature import ModelSignature, load_signature
from tests.strategies import signatures

COLUMNS = Schema([ColSpec("long", "a"), ColSpec("double", "b", None)])
PARAMS = ParamSchema([ParamSpec("p", "long", 1)])
SIGNATURE = ModelSignature(COLUMNS, None, PARAMS)


@given(signatures)
def test_every_signature_round_trips(signature: ModelSignature) -> None:
    again = ModelSignature.from_json(signature.to_json())
    assert again == signature
    assert hash(again) == hash(signature)
    assert again.to_json() == signature.to_json()
    assert again.fingerprint == signature.fingerprint
    assert ModelSignature.from_dict(signature.to_dict()) == signature
    assert pickle.loads(pickle.dumps(signature)) == signature
    assert copy.deepcopy(signature) == signature


@given(signatures, signatures)
def test_fingerprints_tell_signatures_apart(one: ModelSignature, other: ModelSignature) -> None:
    assert (one.fingerprint == other.fingerprint) == (one == other)


def test_the_fingerprint_is_that_of_the_document() -> None:
    assert SIGNATURE.fingerprint == hashlib.sha256(SIGNATURE.to_json().encode()).hexdigest()
    null = Schema([ColSpec("long", "a", None)])
    false = Schema([ColSpec("long", "a", False)])
    assert ModelSignature(null).fingerprint != ModelSignature(false).fingerprint


def test_repr_is_that_of_mlflow() -> None:
    assert repr(SIGNATURE) == (
        "inputs: \n  ['a': long (required), 'b': double (optional)]\n"
        "outputs: \n  None\nparams: \n  ['p': long (default: 1)]\n"
    )


def test_it_is_a_value() -> None:
    with pytest.raises(AttributeError):
        SIGNATURE.inputs = None  # type: ignore[misc]
    assert ModelSignature(COLUMNS, params=ParamSchema([])) == ModelSignature(COLUMNS)
    assert SIGNATURE.to_dict() != SIGNATURE


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({}, "$"),
        ({"params": ParamSchema([])}, "$"),
        ({"inputs": [ColSpec("long")]}, "$.inputs"),
        ({"inputs": COLUMNS, "params": COLUMNS}, "$.params"),
    ],
)
def test_it_is_checked_at_birth(arguments: dict[str, Any], path: str) -> None:
    with pytest.raises(SignatureError) as caught:
        ModelSignature(**arguments)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "$"),
        ({}, "$"),
        ({"Inputs": "[]"}, "$"),
        ({"inputs": []}, "$.inputs"),
        ({"inputs": ""}, "$.inputs"),
        ({"inputs": '[{"type": "x"}]'}, "$.inputs[0].type"),
        ({"outputs": '[{"type": "long", "required": 1}]'}, "$.outputs[0].required"),
        ({"params": '[{"name": "p", "type": "long", "default": "x"}]'}, "$.params[0].default"),
        ({"params": "{}"}, "$.params"),
    ],
)
def test_a_bad_document_names_its_place(document: Any, path: str) -> None:
    with pytest.raises(SignatureError) as caught:
        ModelSignature.from_dict(document)
    assert caught.value.path == path


def test_unknown_sides_of_a_document_are_ignored() -> None:
    assert ModelSignature.from_dict({**SIGNATURE.to_dict(), "zz": 1}) == SIGNATURE


def test_sides() -> None:
    assert SIGNATURE.side("inputs") is COLUMNS
    with pytest.raises(SignatureError, match=r'declares no outputs.*side="inputs"'):
        SIGNATURE.side("outputs")
    with pytest.raises(SignatureError, match=r"declares no inputs.*infer it"):
        ModelSignature(params=PARAMS).side("inputs")
    with pytest.raises(SignatureError, match="one of inputs, outputs"):
        SIGNATURE.side("params")


def test_it_loads_from_wherever_it_is(tmp_path: Path) -> None:
    SIGNATURE.save(tmp_path / "s.json")
    (tmp_path / "MLmodel").write_text("a: 1\n")
    SIGNATURE.save(tmp_path)
    sources: list[Any] = [
        SIGNATURE,
        SIGNATURE.to_dict(),
        SIGNATURE.to_json(),
        "\n " + SIGNATURE.to_json(),
        tmp_path / "s.json",
        str(tmp_path / "s.json"),
        tmp_path / "MLmodel",
        tmp_path,
        str(tmp_path),
    ]
    for source in sources:
        assert load_signature(source) == SIGNATURE
        assert ModelSignature.load(source) == SIGNATURE
    assert sorted(os.listdir(tmp_path)) == ["MLmodel", "s.json"]


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (None, "cannot be read from this"),
        (5, "cannot be read from this"),
        ("", "cannot be read from this"),
        (b"{}", "cannot be read from this"),
        ("no/such/file", "No such file.*give a .json file"),
        ("no/such/file.json", "No such file"),
        ("a\0b", "cannot read the signature"),
        ("{", "no JSON"),
        ("[]", "must be an object"),
        ("{}", "needs inputs, outputs or params"),
        ('{"inputs": "[{\\"type\\": \\"x\\"}]"}', r"@ \$\.inputs\[0\]\.type"),
    ],
)
def test_what_is_no_signature_is_one_error(source: Any, part: str) -> None:
    with pytest.raises(SignatureError, match=part):
        load_signature(source)


def test_a_directory_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="No such file"):
        load_signature(tmp_path)
    with pytest.raises(SignatureError):
        SIGNATURE.save(tmp_path)
    with pytest.raises(SignatureError, match="cannot write the signature"):
        SIGNATURE.save(tmp_path / "nowhere" / "s.json")
    assert os.listdir(tmp_path) == []


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    SIGNATURE.save(path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SignatureError, match="No space left"):
        ModelSignature(outputs=COLUMNS).save(path)
    assert os.listdir(tmp_path) == ["s.json"]
    assert load_signature(path) == SIGNATURE


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(signatures)
def test_html_is_closed_and_made_of_tables(signature: ModelSignature) -> None:
    parser = Tags()
    parser.feed(signature.to_html())
    parser.close()
    assert parser.open == []
    tables = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert parser.tags <= {"div", "style", *tables, "details", "summary", "p"}


def test_html_shows_everything_and_escapes_it() -> None:
    signature = ModelSignature(
        Schema([ColSpec("long", "<script>"), ColSpec("double", "b", False)]),
        Schema([TensorSpec("float32", (-1, 3))]),
        ParamSchema([ParamSpec("p", "string", "<img src=x>")]),
    )
    html = signature._repr_html_()
    assert "<script>" not in html
    assert "<img" not in html
    for part in ("&lt;script&gt;", "&lt;img", "double", ">no<", "float32 [-1, 3]", ">yes<"):
        assert part in html


def test_the_document_is_three_strings_of_json() -> None:
    document = json.loads(SIGNATURE.to_json())
    assert list(document) == ["inputs", "outputs", "params"]
    assert json.loads(document["inputs"])[1] == {"type": "double", "name": "b", "required": None}
    assert document["outputs"] is None


def test_without_mlflow_a_folder_can_be_read_and_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    ours = ModelSignature.from_dict({"inputs": '[{"type": "double"}]'})
    set_signature(str(tmp_path), ours)
    assert load_signature(tmp_path.as_uri()) == load_signature(tmp_path) == ours
    set_signature(tmp_path.as_uri(), ours.to_dict())
    for call in (
        lambda: load_signature("models:/iris/1"),
        lambda: load_signature("m-" + "0" * 32),
        lambda: set_signature("runs:/1/model", ours),
        lambda: ours.to_mlflow(),
    ):
        with pytest.raises(SignatureError, match="needs MLflow") as caught:
            call()
        assert "spark_sig[mlflow]" in str(caught.value)
    with pytest.raises(SignatureError, match="read only"):
        set_signature("models:/iris/1", ours)
