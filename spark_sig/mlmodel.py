"""Top-level blocks of an MLmodel file: its signature, and what it says of its input example."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from spark_sig.errors import SignatureError
from spark_sig.signature import MLMODEL, ModelSignature, read_bytes, write_atomically
from spark_sig.yamldoc import BREAK, NULL, STR, Node, Parser, decode, parse_yaml, refused

# What MLflow notes about a signature that came from type hints.  Its `set_signature` puts a fresh
# signature in, for which both are false.
FLAGS = ("is_signature_from_type_hint", "type_hint_from_example")
EXAMPLE = "saved_input_example_info"


@dataclass(frozen=True, slots=True)
class Block:
    """What is to stand under one key of the top level.

    Args:
        key: the key.
        document: its value.
        holds: says whether the file holds it, once rewritten.
        flags: keys whose values become false, where they are there.
    """

    key: str
    document: Mapping[str, Any]
    holds: Callable[[Node], bool]
    flags: tuple[str, ...] = ()


def read_signature(path: str | os.PathLike[str]) -> ModelSignature:
    """Read the signature of a model.

    Args:
        path: an MLmodel file, or a directory with one.

    Raises:
        SignatureError: where there is none, or the file is no MLmodel that can be trusted; names
            the line.
    """
    target = _target(path)
    return parse_signature(read_bytes(target), target)


def parse_signature(content: bytes, path: Path) -> ModelSignature:
    """Return the signature in the bytes of an MLmodel.

    Args:
        content: the bytes of the file.
        path: where they come from, for errors.

    Raises:
        SignatureError: where there is none, or it is no MLmodel that can be trusted.
    """
    return _signature(parse_yaml(decode(content, path), path), path)


def write_signature(path: str | os.PathLike[str], signature: ModelSignature) -> None:
    """Put a signature into an MLmodel file in place of its own, and leave all else as it is.

    Comments, quoting, line endings and the order of keys stay, byte for byte.  MLflow's flags for
    signatures from type hints are set to false where they are there, as by its ``set_signature``.
    The file is replaced as a whole, or not at all.

    Args:
        path: an MLmodel file, or a directory with one.
        signature: what to write.

    Raises:
        SignatureError: where the file is no MLmodel that can be trusted; names the line.
    """
    target = _target(path)
    content = read_bytes(target)
    write_atomically(target, replace_signature(content, signature, target))


def replace_signature(content: bytes, signature: ModelSignature, path: Path) -> bytes:
    """Return the bytes of an MLmodel with another signature in them.

    Args:
        content: the bytes of the file.
        signature: what to put in.
        path: where the bytes come from, for errors.

    Example:
        >>> signature = ModelSignature.from_dict({"inputs": '[{"type": "long"}]'})
        >>> print(replace_signature(b"run_id: a # kept", signature, Path("MLmodel")).decode())
        run_id: a # kept
        signature:
          inputs: '[{"type": "long", "required": true}]'
          outputs: null
          params: null
    """
    block = Block(
        "signature", signature.to_dict(), lambda root: _signature(root, path) == signature, FLAGS
    )
    return _replace(content, block, path)


def read_example_info(path: str | os.PathLike[str]) -> dict[str, str] | None:
    """Read what an MLmodel says of its input example: names of files, a type, flags.

    Args:
        path: an MLmodel file, or a directory with one.

    Returns:
        The texts by name; None where it says nothing.

    Raises:
        SignatureError: where the file is no MLmodel that can be trusted; names the line.
    """
    target = _target(path)
    return _info(parse_yaml(decode(read_bytes(target, "example"), target), target), target)


def has_signature(path: str | os.PathLike[str]) -> bool:
    """Say whether an MLmodel holds a signature, be it one that can be read or not.

    Args:
        path: an MLmodel file, or a directory with one.

    Raises:
        SignatureError: where the file is no MLmodel that can be trusted; names the line.
    """
    target = _target(path)
    value = parse_yaml(decode(read_bytes(target), target), target).get("signature")
    return value is not None and not (value.kind == "scalar" and value.tag == NULL)


def replace_example_info(content: bytes, info: Mapping[str, str], path: Path) -> bytes:
    """Return the bytes of an MLmodel that says something else of its input example.

    Args:
        content: the bytes of the file.
        info: what to say.
        path: where the bytes come from, for errors.

    Raises:
        SignatureError: where the file is no MLmodel that can be trusted; names the line.

    Example:
        >>> changed = replace_example_info(b"run_id: a # kept", {"type": "x"}, Path("MLmodel"))
        >>> print(changed.decode())
        run_id: a # kept
        saved_input_example_info:
          type: x
    """
    return _replace(content, Block(EXAMPLE, info, lambda root: _info(root, path) == info), path)


# --- reading ----------------------------------------------------------------------------------


def _target(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    return target / MLMODEL if target.is_dir() else target


def _signature(root: Node, path: Path) -> ModelSignature:
    value = root.get("signature")
    if value is None or (value.kind == "scalar" and value.tag == NULL):
        raise SignatureError(
            "the model has no signature",
            path=str(path),
            remedy="write one with ModelSignature.save, or infer it from data",
        )
    if value.kind != "mapping":
        raise refused("the signature must be a mapping", path, value.start)
    sides: dict[str, str | None] = {}
    for key, item in value.entries:
        if key.text not in ("inputs", "outputs", "params"):
            continue
        if item.kind != "scalar" or item.tag not in (NULL, STR):
            raise refused(f"{key.text} must be a string of JSON, or null", path, item.start)
        sides[key.text] = None if item.tag == NULL else item.text
    try:
        return ModelSignature.from_dict(sides)
    except SignatureError as error:
        line = value.start.line + 1
        raise SignatureError(
            error.message,
            path=f"{path}, line {line}: {error.path}",
            expected=error.expected,
            observed=error.observed,
            remedy=error.remedy,
        ) from None


def _info(root: Node, path: Path) -> dict[str, str] | None:
    value = root.get(EXAMPLE)
    if value is None or (value.kind == "scalar" and value.tag == NULL):
        return None
    if value.kind != "mapping":
        raise refused(f"{EXAMPLE} must be a mapping", path, value.start)
    # MLflow knows texts only; anything else that stands there is none of ours.
    return {key.text: item.text for key, item in value.entries if item.kind == "scalar"}


# --- rewriting --------------------------------------------------------------------------------


def _replace(content: bytes, block: Block, path: Path) -> bytes:
    text = decode(content, path)
    root = parse_yaml(text, path)
    if root.flow:
        raise refused("a file in flow style cannot be rewritten", path, root.start)
    edits = [_edit(text, root, block, path)]
    for flag in block.flags:
        value = root.get(flag)
        if value is None or value.text.lower() == "false":
            continue
        if value.kind != "scalar" or value.anchored:
            raise refused(f"{flag} must be true or false", path, value.start)
        gap = "" if value.end > value.start.index else " "
        edits.append((value.start.index, value.end, f"{gap}false"))
    changed = text
    for start, end, new in sorted(edits, reverse=True):
        changed = changed[:start] + new + changed[end:]
    _check_rewritten(text, changed, block, path)
    return changed.encode("utf-8")


def _edit(text: str, root: Node, block: Block, path: Path) -> tuple[int, int, str]:
    """Return where to cut, and what to put there."""
    margin = " " * root.start.column
    newline = match.group() if (match := BREAK.search(text)) else "\n"
    dumped = yaml.safe_dump({block.key: dict(block.document)}, default_flow_style=False)
    lines = dumped.rstrip("\n").split("\n")
    old = next((pair for pair in root.entries if pair[0].text == block.key), None)
    if old is not None:
        key, value = old
        before = text[: key.start.index]
        if _last_line(before).strip(" \ufeff") or key.start.column != root.start.column:
            raise refused(f"the {block.key} must begin a line", path, key.start)
        if value.anchored or value.kind == "alias":
            raise refused(f"the {block.key} shares nodes by anchors", path, value.start)
        # A block scalar ends after its blank lines, which stay.
        end = max(len(text[: value.end].rstrip()), key.end)
        return key.start.index, end, f"{newline}{margin}".join(lines)
    added = newline.join(margin + line for line in lines)
    end = _insertion(root, block.key)
    last = text[:end]
    if last and BREAK.match(last[-1]):
        # After a block scalar, whose end is the beginning of a line.
        return end, end, added + newline
    line_end = match.start() if (match := BREAK.search(text, end)) else len(text)
    return line_end, line_end, newline + added


def _insertion(root: Node, key: str) -> int:
    """Return the end of the entry that a key follows: MLflow's keys are in order."""
    names = [key.text for key, _ in root.entries]
    if names == sorted(names):
        earlier = [entry for entry in root.entries if entry[0].text < key]
        if earlier:
            return _end(*earlier[-1])
    return _end(*root.entries[-1])


def _end(key: Node, value: Node) -> int:
    return max(key.end, value.end)


def _last_line(text: str) -> str:
    return BREAK.split(text)[-1] if text else ""


def _check_rewritten(old: str, new: str, block: Block, path: Path) -> None:
    """Prove that the new text holds the block, and means what it meant in all else."""
    names = (block.key, *block.flags)
    if not block.holds(parse_yaml(new, path)) or _rest(old, path, names) != _rest(new, path, names):
        raise SignatureError(
            f"the file cannot be rewritten without changing more than its {block.key}",
            path=str(path),
            remedy="write the file out in plain block style",
        )


def _rest(text: str, path: Path, names: tuple[str, ...]) -> list[tuple[str, object, object]]:
    """List the events of all that stands under other names of the top level."""
    out: list[tuple[str, object, object]] = []
    depth, at_key, skipped = 0, True, False
    for event in Parser(text, path).events():
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth == 1 and at_key:
            skipped = getattr(event, "value", None) in names
        if not skipped or depth == 0:
            shown = getattr(event, "value", None), getattr(event, "anchor", None)
            out.append((type(event).__name__, *shown))
        # A key or a value of the top level is complete: the other one is next.
        whole = (yaml.ScalarEvent, yaml.AliasEvent, yaml.CollectionEndEvent)
        if depth == 1 and isinstance(event, whole):
            at_key = not at_key
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
    return out
