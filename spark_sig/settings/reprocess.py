"""Settings of ``reprocess``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spark_sig.planner import Engine
from spark_sig.policy import Policy
from spark_sig.settings.merge import Setting, merge, names
from spark_sig.settings.policy import POLICY, chosen_policy


@dataclass(frozen=True, slots=True)
class ReprocessSettings:
    """What ``reprocess`` has to know.

    Args:
        quarantine: path or name of the table whose rows are held to the signature.
        conformed: path or name of the table that rows which conform are moved to.
        signature: path of a signature, an MLmodel or the folder of one; or JSON text.
        policy: the choices that the signature leaves open.
        side: ``inputs`` or ``outputs``.
        engine: ``auto``, ``catalyst`` or ``arrow``.
        row_key: source columns that name a row.
        run_id: the runs whose rows are taken; all where empty.
        abandon: whether to begin anew where a call was not finished and cannot be.
        report: where the report's JSON goes; None for nowhere.
    """

    quarantine: str
    conformed: str
    signature: str
    policy: Policy
    side: str = "inputs"
    engine: Engine = "auto"
    row_key: tuple[str, ...] = ()
    run_id: tuple[str, ...] = ()
    abandon: bool = False
    report: str | None = None


SETTINGS = {
    "quarantine": Setting((str,)),
    "conformed": Setting((str,)),
    "signature": Setting((str,)),
    "side": Setting((str,), ("inputs", "outputs")),
    "engine": Setting((str,), ("auto", "catalyst", "arrow")),
    "row_key": Setting((list, str)),
    "run_id": Setting((list, str)),
    "abandon": Setting((bool,)),
    "report": Setting((str,)),
}
KNOWN = SETTINGS | POLICY


def reprocess_settings(flags: Mapping[str, Any], config: str | None) -> ReprocessSettings:
    """Merge flags over the settings of a YAML file.

    Args:
        flags: by setting or policy field; None where a flag was not given.
        config: path of a YAML mapping of the same names; None for no file.

    Raises:
        SignatureError: where a setting is unknown, missing, or of the wrong type; its path is
            the setting's name.
    """
    merged = merge(flags, config, KNOWN, ("quarantine", "conformed", "signature"))
    policy = chosen_policy(merged)
    values = {k: v for k, v in merged.items() if k in SETTINGS}
    for name in ("row_key", "run_id"):
        if name in values:
            values[name] = names(values[name], name)
    return ReprocessSettings(policy=policy, **values)
