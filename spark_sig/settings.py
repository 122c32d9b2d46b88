"""Settings of a job: flags of the command line over a YAML file over defaults."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from spark_sig.documents import parse_json
from spark_sig.errors import SignatureError
from spark_sig.planner import Engine
from spark_sig.policy import Policy

POLICY_FIELDS = tuple(f.name for f in fields(Policy))


@dataclass(frozen=True, slots=True)
class ValidateSettings:
    """What ``validate`` has to know.

    Args:
        table: path of a Delta table or of Parquet files, or a catalog name.
        signature: path of a signature, an MLmodel or the folder of one; or JSON text.
        policy: the choices that the signature leaves open.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.
        side: ``inputs`` or ``outputs``.
        params: params to check against the signature's, None where there are none to check.
        report: where the report's JSON goes; None for nowhere.
        engine: ``auto``, ``catalyst`` or ``arrow``.
        row_key: source columns that name a row.
        min_rows: the least number of rows that conforms.
        run_id: name of the run in the report's path; a fresh one where None.
    """

    table: str
    signature: str
    policy: Policy
    version: int | None = None
    timestamp: str | None = None
    side: str = "inputs"
    params: dict[str, Any] | None = None
    report: str | None = None
    engine: Engine = "auto"
    row_key: tuple[str, ...] = ()
    min_rows: int = 0
    run_id: str | None = None


_TYPES: dict[str, tuple[type, ...]] = {
    "table": (str,),
    "signature": (str,),
    "version": (int,),
    "timestamp": (str,),
    "side": (str,),
    "params": (str, dict),
    "report": (str,),
    "engine": (str,),
    "row_key": (list, str),
    "min_rows": (int,),
    "run_id": (str,),
    "policy": (str,),
}
_CHOICES = {"side": ("inputs", "outputs"), "engine": ("auto", "catalyst", "arrow")}


def validate_settings(flags: Mapping[str, Any], config: str | None) -> ValidateSettings:
    """Merge flags over the settings of a YAML file.

    Args:
        flags: by setting or policy field; None where a flag was not given.
        config: path of a YAML mapping of the same names; None for no file.

    Raises:
        SignatureError: where a setting is unknown, missing, or of the wrong type; its path is
            the setting's name.
    """
    known = (*_TYPES, *POLICY_FIELDS)
    merged: dict[str, Any] = {}
    if config is not None:
        merged.update({k: v for k, v in _file(config, known).items() if v is not None})
    merged.update({name: value for name, value in flags.items() if value is not None})
    for name in ("table", "signature"):
        if not merged.get(name):
            raise SignatureError(
                f"no {name} is given", path=name, remedy=f"give --{name}, or set it in --config"
            )
    for name, value in merged.items():
        _check(name, value)
    policy = _policy(merged)
    values = {k: v for k, v in merged.items() if k in _TYPES and k != "policy"}
    if "row_key" in values:
        keys = values["row_key"]
        values["row_key"] = (keys,) if isinstance(keys, str) else tuple(keys)
    if isinstance(values.get("params"), str):
        values["params"] = _json_object(values["params"])
    if values.get("version") is not None and values.get("timestamp") is not None:
        raise SignatureError("give a version or a timestamp, not both", path="version")
    return ValidateSettings(policy=policy, **values)


def _policy(merged: Mapping[str, Any]) -> Policy:
    policy = Policy.named(str(merged.get("policy", "default")))
    chosen = {name: merged[name] for name in POLICY_FIELDS if name in merged}
    return replace(policy, **chosen) if chosen else policy


def _file(config: str, known: tuple[str, ...]) -> dict[str, Any]:
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


def _check(name: str, value: object) -> None:
    wanted = _TYPES.get(name)
    if wanted is None:
        return  # a policy's field: the policy checks it
    if not isinstance(value, wanted) or isinstance(value, bool):
        names = " or ".join(kind.__name__ for kind in wanted)
        raise SignatureError(
            f"the setting {name!r} must be {names}", path=name, observed=type(value).__name__
        )
    choices = _CHOICES.get(name)
    if choices and value not in choices:
        raise SignatureError(
            f"unknown choice for {name}",
            path=name,
            expected=f"one of {', '.join(choices)}",
            observed=repr(value),
        )


def _json_object(text: str) -> dict[str, Any]:
    value = parse_json(text, "params")
    if not isinstance(value, dict):
        raise SignatureError("the params must be a JSON object", path="params")
    return value


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
