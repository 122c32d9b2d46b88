"""Files of contracts, YAML or JSON; hostile ones are refused before they do harm."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from spark_sig.errors import SignatureError
from spark_sig.odcs.read import Contract, read_contract
from spark_sig.odcs.words import KIND
from spark_sig.signature import read_bytes


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, to which a key that is there twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        # what "<<" merges is there before, and may be said anew
        own = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(own) != len({*own}):
            mark = node.start_mark
            raise yaml.constructor.ConstructorError(None, None, "a key is there twice", mark)
        return super().construct_mapping(node, deep)


def load_contract(path: str | os.PathLike[str], name: str | None = None) -> Contract:
    """Read the contract that a file holds.

    Args:
        path: the file, YAML or JSON; what follows a ``#`` is the name of a schema object.
        name: the schema object to take, where there are several.

    Raises:
        SignatureError: where there is none, or it says what no signature can.
    """
    text = os.fspath(path)
    if name is None and not os.path.exists(text) and "#" in text:
        text, _, name = text.rpartition("#")
    return read_contract(parse_contract(read_bytes(Path(text)), text), name)


def parse_contract(content: str | bytes, path: str = "$") -> object:
    """Return the values of a contract's text.

    Args:
        content: YAML, of which JSON is a part.
        path: where it stands, for errors.

    Raises:
        SignatureError: where it is no YAML, or has a key twice.
    """
    try:
        return yaml.load(content, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "it is no YAML"
        raise SignatureError(f"the contract cannot be read: {why}", path=f"{path}{at}") from error
    except (RecursionError, ValueError) as error:
        raise SignatureError("the contract cannot be read", path=path) from error


def is_contract(document: object) -> bool:
    """Say whether values are those of a contract."""
    return isinstance(document, Mapping) and document.get("kind") == KIND
