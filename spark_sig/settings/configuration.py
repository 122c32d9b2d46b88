"""Configuration files: YAML mappings, read so that nothing in them surprises."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from spark_sig.errors import SignatureError

# No setting needs more; what is longer costs seconds before it is found to be wrong.
_MAX_CHARACTERS = 2**18


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which keeps the last of two equal keys, made to refuse them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"the key {key.value!r} is there again in line {line}")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias, which could make a short file huge")
        return super().compose_node(parent, index)


def read_configuration(config: str, known: Collection[str]) -> dict[str, Any]:
    """Read the settings of a file.

    Args:
        config: path of a YAML mapping.
        known: names that settings have.

    Raises:
        SignatureError: where the file cannot be read, or names no such setting; its path is the
            setting's name.
    """
    found = _mapping(Path(config))
    for name in found:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            raise SignatureError(
                f"unknown setting {name!r} in {config}",
                path=str(name),
                remedy=f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}",
            )
    return found


def _mapping(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SignatureError(f"the configuration {path} cannot be read: {reason}") from error
    if len(text) > _MAX_CHARACTERS:
        raise SignatureError(
            f"the configuration {path} is too large",
            expected=f"at most {_MAX_CHARACTERS} characters",
        )
    try:
        found = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # ValueError: a date that there is not, a number of too many digits
        reason = " ".join(str(error).split())
        raise SignatureError(f"the configuration {path} is no plain YAML: {reason}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise SignatureError(
            f"the configuration {path} must be a mapping", observed=type(found).__name__
        )
    return found
