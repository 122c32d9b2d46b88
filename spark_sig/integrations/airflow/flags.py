"""Flags: settings as the command line has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def flags(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as arguments of a command.

    Args:
        settings: by name, as the command's configuration has them.  What is None or empty is not
            given, as a template gives text even where it has nothing to say.

    Example:
        >>> flags({"table": "lake.flights", "version": None, "row_key": ["a", "b"], "stats": False})
        ['--table=lake.flights', '--row-key=a', '--row-key=b', '--no-stats']
    """
    return [flag for name, value in settings.items() for flag in _flags(name, value)]


def _flags(name: str, value: object) -> Iterator[str]:
    dashed = name.replace("_", "-")
    match value:
        case None | "":
            return
        case bool():
            yield f"--{dashed}" if value else f"--no-{dashed}"
        case list() | tuple():
            for one in value:
                yield f"--{dashed}={one}"
        case Mapping():
            yield f"--{dashed}={json.dumps(value)}"
        case _:
            # one word: a value may begin with a dash
            yield f"--{dashed}={value}"
