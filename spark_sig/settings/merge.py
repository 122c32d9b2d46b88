"""Merging: flags over a file over defaults, each of a type that its setting takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spark_sig.documents import parse_json
from spark_sig.errors import SignatureError
from spark_sig.settings.configuration import read_configuration

# A flag takes the place of the other of its pair as well, where the file has that one.
ALTERNATIVES = (("version", "timestamp"), ("out", "into"))


@dataclass(frozen=True, slots=True)
class Setting:
    """What a setting may be.

    Args:
        types: its types; empty where whoever takes it checks it.
        choices: its values, where there are few.
    """

    types: tuple[type, ...] = ()
    choices: tuple[str, ...] = ()

    def check(self, name: str, value: object) -> None:
        """Refuse a value that the setting cannot have.

        Args:
            name: what the setting is called.
            value: what it is to be.

        Raises:
            SignatureError: where it is of another type, or none of the choices.
        """
        if not self.types:
            return
        # True is an int in Python, and in no configuration.
        wrong_bool = isinstance(value, bool) and bool not in self.types
        if not isinstance(value, self.types) or wrong_bool:
            names = " or ".join(kind.__name__ for kind in self.types)
            raise SignatureError(
                f"the setting {name!r} must be {names}", path=name, observed=type(value).__name__
            )
        if self.choices and value not in self.choices:
            raise SignatureError(
                f"unknown choice for {name}",
                path=name,
                expected=f"one of {', '.join(self.choices)}",
                observed=repr(value),
            )


def merge(
    flags: Mapping[str, Any],
    config: str | None,
    known: Mapping[str, Setting],
    needed: Sequence[str],
) -> dict[str, Any]:
    """Merge flags over the settings of a YAML file.

    Args:
        flags: by setting; None where a flag was not given.
        config: path of a YAML mapping of the same names; None for no file.
        known: all settings that there are.
        needed: those that have no default.

    Returns:
        Those that were given, by name.

    Raises:
        SignatureError: where a setting is unknown, missing, or of the wrong type, or two are
            given that exclude one another; its path is the setting's name.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    merged: dict[str, Any] = {}
    if config is not None:
        found = read_configuration(config, known)
        replaced = {name for pair in ALTERNATIVES if given.keys() & set(pair) for name in pair}
        merged = {k: v for k, v in found.items() if v is not None and k not in replaced}
    merged.update(given)
    for name in needed:
        if not merged.get(name):
            raise SignatureError(
                f"no {name} is given", path=name, remedy=f"give --{name}, or set it in --config"
            )
    for name, value in merged.items():
        known[name].check(name, value)
    for one, other in ALTERNATIVES:
        if one in merged and other in merged:
            raise SignatureError(f"give {one} or {other}, not both", path=one)
    return merged


def names(value: str | list[Any], setting: str) -> tuple[str, ...]:
    """Return a list of names; a single one may stand alone.

    Raises:
        SignatureError: where one of them is no string.

    Example:
        >>> names("a,b", "columns"), names(["a", "b"], "columns")
        (('a,b',), ('a', 'b'))
    """
    listed = [value] if isinstance(value, str) else value
    for name in listed:
        if not isinstance(name, str):
            raise SignatureError(
                f"the setting {setting!r} must be a list of names",
                path=setting,
                observed=type(name).__name__,
            )
    return tuple(listed)


def json_object(value: str | dict[str, Any]) -> dict[str, Any]:
    """Return params, be they given as JSON text or as a mapping.

    Raises:
        SignatureError: where the text is no JSON object.
    """
    found = parse_json(value, "params") if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise SignatureError("the params must be a JSON object", path="params")
    return found


def share(value: str | float, setting: str) -> float:
    """Return a share, be it given as a number from 0 to 1 or in percent.

    Raises:
        SignatureError: where it is none.

    Example:
        >>> share("5%", "audit"), share(0.05, "audit"), share("1", "audit")
        (0.05, 0.05, 1.0)
    """
    text = str(value).strip()
    try:
        found = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise SignatureError(
            f"the setting {setting!r} must be a share, such as 5% or 0.05",
            path=setting,
            observed=repr(value),
        )
    return found
