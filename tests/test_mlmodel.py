"""MLmodel files: only the signature changes, and nothing hostile gets in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spark_sig.errors import SignatureError
from spark_sig.mlmodel import (
    read_example_info,
    read_signature,
    replace_signature,
    write_signature,
)
from spark_sig.schema import ColSpec, Schema
from spark_sig.signature import ModelSignature
from tests.strategies import signatures

NEW = ModelSignature(inputs=Schema([ColSpec("double", "naïve 列")]))
OLD = ModelSignature(inputs=Schema([ColSpec("long", "a", False)]))

# As MLflow writes it, but for the comments.
MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    env: {conda: conda.yaml}
    loader_module: mlflow.sklearn # kept
    predict_fn: "predict"
is_signature_from_type_hint: true   # reset
metadata: &shared
- "x: y"
- [1, 2]
mlflow_version: 3.18.0
model_uuid: 'abc'
other: *shared
signature:
  inputs: '[{"type": "long", "name": "a", "required":
    false}]'
  # gone
  outputs: null
  params: null # kept

# before the next
type_hint_from_example: false
utc_time_created: '2024-01-01 00:00:00.000000'
"""


def block(signature: ModelSignature, newline: str = "\n") -> str:
    text = yaml.safe_dump({"signature": signature.to_dict()}, default_flow_style=False)
    return text.rstrip("\n").replace("\n", newline)


def replaced(text: str, signature: ModelSignature = NEW) -> str:
    return replace_signature(text.encode(), signature, Path("MLmodel")).decode()


def test_only_the_block_and_the_flags_change(tmp_path: Path) -> None:
    path = tmp_path / "MLmodel"
    path.write_text(MLMODEL)
    assert read_signature(path) == OLD
    write_signature(path, NEW)
    before, _, rest = MLMODEL.partition("signature:\n")
    after = rest[rest.index(" # kept\n\n") :]
    expected = before + block(NEW) + after
    expected = expected.replace(
        "is_signature_from_type_hint: true ", "is_signature_from_type_hint: false "
    )
    assert path.read_text() == expected
    assert read_signature(tmp_path) == NEW
    assert yaml.safe_load(path.read_text())["signature"] == NEW.to_dict()
    assert os.listdir(tmp_path) == ["MLmodel"]


def test_line_endings_and_the_missing_last_one_stay() -> None:
    text = MLMODEL.replace("\n", "\r\n").rstrip("\r\n")
    out = replaced(text)
    assert "\n" not in out.replace("\r\n", "")
    assert block(NEW, "\r\n") in out
    assert not out.endswith("\n")
    assert replaced(out, OLD).count("\r\n") == text.count("\r\n") - 2


def test_writing_twice_is_writing_once() -> None:
    once = replaced(MLMODEL)
    assert replaced(once) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n", "a: 1\n{}\n"),
        ("a: 1", "a: 1\n{}"),
        ("a: 1 # x\r\nz: 2\r\n", "a: 1 # x\r\n{}\r\nz: 2\r\n"),
        ("z: 1\na: 2\n# end\n", "z: 1\na: 2\n{}\n# end\n"),
        ("a: |+\n  x\n\n\nz: 1\n", "a: |+\n  x\n\n\n{}\nz: 1\n"),
        ("a: |+\n  x\n\n", "a: |+\n  x\n\n{}\n"),
        ("a:\n- 1\n-\n  b: c\n# about z\nz: 1\n", "a:\n- 1\n-\n  b: c\n{}\n# about z\nz: 1\n"),
        ("a: {b: 1,\n c: 2} # x\nz: 1\n", "a: {b: 1,\n c: 2} # x\n{}\nz: 1\n"),
        ("---\na: 1\n...\n", "---\na: 1\n{}\n...\n"),
        ("a: 1\nsignature:\nz: 1\n", "a: 1\n{}\nz: 1\n"),
        ("a: 1\nsignature: null # x\nz: 1\n", "a: 1\n{} # x\nz: 1\n"),
        ("signature: ~\n\n\n", "{}\n\n\n"),
        ('"signature": {inputs: null,\n  outputs: null}\nz: 1\n', "{}\nz: 1\n"),
        ("\ufeffsignature: ~\na: é\n", "\ufeff{}\na: é\n"),
        ("signature:\n  inputs: |\n    []\n\n\nz: 1\n", "{}\n\n\nz: 1\n"),
    ],
)
def test_the_block_goes_where_it_belongs(text: str, expected: str) -> None:
    newline = "\r\n" if "\r\n" in text else "\n"
    out = replaced(text)
    assert out == expected.replace("{}", block(NEW, newline), 1)
    # Beside our own parser, the library's reading: all else means what it did.
    ours, theirs = yaml.safe_load(out), yaml.safe_load(text)
    assert {**theirs, "signature": NEW.to_dict()} == ours


def test_an_indented_document_stays_indented() -> None:
    out = replaced("  a: 1\n  z: 2\n")
    assert yaml.safe_load(out) == {"a": 1, "z": 2, "signature": NEW.to_dict()}


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\na: 2\n", 2, "'a' is there twice"),
        ("a:\n  b: 1\n  'b': 2\n", 3, "'b' is there twice"),
        ("signature: ~\nx: 1\nsignature: ~\n", 3, "twice"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "the tag"),
        ("x: 1\na: !!str b\n", 2, "the tag"),
        ("a: !local b\n", 1, "the tag"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", 1, "directive"),
        ("a: 1\n---\nb: 1\n", 2, "second document"),
        ("a: &x [1]\n<<: *x\n", 2, "merge"),
        ("? [a]\n: 1\n", 1, "plain word"),
        ("a: *x\n", 1, "alias"),
        ("a: &x [*x]\n", 1, "alias of itself"),
        ("a: [1\n", 2, "no YAML"),
        ("a:\n\t- 1\n", 2, "no YAML"),
        ("a: 1\nb: \x07\n", 2, "no YAML"),
        ("- 1\n", 1, "no MLmodel"),
        ("", 1, "no MLmodel"),
        ("x", 1, "no MLmodel"),
        ("a: 1\nsignature: [1]\n", 2, "must be a mapping"),
        ("a: 1\nsignature:\n  inputs: 5\n", 3, "string of JSON"),
        ("a: 1\nsignature:\n  inputs: [1]\n", 3, "string of JSON"),
        ("a: 1\nsignature:\n  inputs: '[{}]'\n", 3, "$.inputs[0]"),
        ("a: " + "[" * 100_000, 1, "too deeply"),
        ("a: " + "{b: " * 1000, 1, "too deeply"),
        ("- " * 2000, 1, "too deeply"),
    ],
)
@pytest.mark.timeout(120)  # what is not refused would take hours
def test_what_cannot_be_trusted_is_refused_by_line(
    text: str, line: int, part: str, tmp_path: Path
) -> None:
    path = tmp_path / "MLmodel"
    path.write_bytes(text.encode())
    with pytest.raises(SignatureError) as caught:
        read_signature(path)
    assert f"MLmodel, line {line}" in caught.value.path
    assert part in str(caught.value)


def test_bytes_that_are_no_text_are_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "MLmodel"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(SignatureError, match=r"not UTF-8 @ .*line 2"):
        read_signature(path)


def test_a_bomb_of_anchors_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (tmp_path / "MLmodel").write_text("\n".join(lines))
    with pytest.raises(SignatureError, match=r"aliases multiply the document @ .*line 5"):
        read_signature(tmp_path)


def test_a_long_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("a:\n" + "- b\n" * 1_000_000)
    with pytest.raises(SignatureError, match="too large"):
        read_signature(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "{a: 1, signature: null}\n",
        "? signature\n: inputs: null\n",
        "signature: &x {inputs: null}\nb: *x\n",
        "b: &x {inputs: null}\nsignature: *x\n",
        "signature:\n  inputs: &x null\nb: *x\n",
        "is_signature_from_type_hint: [1]\n",
    ],
)
def test_what_cannot_be_rewritten_in_place_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "MLmodel"
    path.write_text(text)
    with pytest.raises(SignatureError):
        write_signature(path, NEW)
    assert path.read_text() == text
    assert os.listdir(tmp_path) == ["MLmodel"]


def test_a_flow_file_is_read(tmp_path: Path) -> None:
    text = '{a: 1, signature: {inputs: \'[{"type": "long", "name": "a", "required": false}]\'}}'
    path = tmp_path / "MLmodel"
    path.write_text(text)
    assert read_signature(path) == OLD


def test_a_model_without_a_signature_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("a: 1\nsignature: null\n")
    with pytest.raises(SignatureError, match=r"no signature.*ModelSignature\.save"):
        read_signature(tmp_path)
    with pytest.raises(SignatureError, match="cannot read the signature"):
        read_signature(tmp_path / "nowhere")
    with pytest.raises(SignatureError, match="cannot read the signature"):
        write_signature(tmp_path / "nowhere", NEW)
    with pytest.raises(SignatureError, match="cannot read the example"):
        read_example_info(tmp_path / "nowhere")


def test_a_link_stays_a_link_and_the_mode_stays(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text(MLMODEL)
    real.chmod(0o640)
    link = tmp_path / "MLmodel"
    link.symlink_to(real)
    write_signature(link, NEW)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert read_signature(real) == NEW


YAML_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=12).filter(lambda k: k != "signature"), YAML_VALUES),
    signatures,
    signatures,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_any_file_of_the_library_keeps_its_meaning(
    rest: dict[str, Any], old: ModelSignature, new: ModelSignature, newline: str, unicode: bool
) -> None:
    for document in ({**rest, "signature": old.to_dict()}, {"z": 1, **rest}):
        text = yaml.safe_dump(document, allow_unicode=unicode).replace("\n", newline)
        if yaml.safe_load(text) != document or "<<" in rest:
            continue
        out = replaced(text, new)
        assert yaml.safe_load(out) == {**document, "signature": new.to_dict()}
        assert replaced(out, new) == out
