"""Settings of ``validate``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from spark_sig.errors import SignatureError
from spark_sig.planner import Engine
from spark_sig.policy import Policy
from spark_sig.quarantine.asked import Mode
from spark_sig.quarantine.limit import Limit
from spark_sig.report import least_rows
from spark_sig.settings.merge import Setting, json_object, merge, names, share
from spark_sig.settings.policy import POLICY, chosen_policy


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
        stats: whether file statistics may decide checks.
        fail_fast: whether to end where statistics refute a check.
        audit: the share of the files that need not be read that are read nevertheless, 0 to 1.
        ledger: path or name of the table in which verdicts on files are remembered.
        conformed: path or name of the table that rows which conform are written to.
        quarantine: path or name of the table that the others are written to.
        mode: what becomes of the rows that are in these tables.
        max_violations: with more violating rows nothing is written, a number or a share.
        openlineage: whether OpenLineage is told of the run.
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
    stats: bool = True
    fail_fast: bool = False
    audit: float = 0.0
    ledger: str | None = None
    conformed: str | None = None
    quarantine: str | None = None
    mode: Mode = "append"
    max_violations: int | str | None = None
    openlineage: bool = False


SETTINGS = {
    "table": Setting((str,)),
    "signature": Setting((str,)),
    "version": Setting((int,)),
    "timestamp": Setting((str,)),
    "side": Setting((str,), ("inputs", "outputs")),
    "params": Setting((str, dict)),
    "report": Setting((str,)),
    "engine": Setting((str,), ("auto", "catalyst", "arrow")),
    "row_key": Setting((list, str)),
    "min_rows": Setting((int,)),
    "run_id": Setting((str,)),
    "stats": Setting((bool,)),
    "fail_fast": Setting((bool,)),
    "audit": Setting((str, int, float)),
    "ledger": Setting((str,)),
    "conformed": Setting((str,)),
    "quarantine": Setting((str,)),
    "mode": Setting((str,), get_args(Mode)),
    "max_violations": Setting((str, int)),
    "openlineage": Setting((bool,)),
}
KNOWN = SETTINGS | POLICY


def validate_settings(flags: Mapping[str, Any], config: str | None) -> ValidateSettings:
    """Merge flags over the settings of a YAML file.

    Args:
        flags: by setting or policy field; None where a flag was not given.
        config: path of a YAML mapping of the same names; None for no file.

    Raises:
        SignatureError: where a setting is unknown, missing, or of the wrong type; its path is
            the setting's name.
    """
    merged = merge(flags, config, KNOWN, ("table", "signature"))
    policy = chosen_policy(merged)
    values = {k: v for k, v in merged.items() if k in SETTINGS}
    if "row_key" in values:
        values["row_key"] = names(values["row_key"], "row_key")
    if "params" in values:
        values["params"] = json_object(values["params"])
    if "audit" in values:
        values["audit"] = share(values["audit"], "audit")
    least_rows(values.get("min_rows", 0))
    if "max_violations" in values:
        Limit.of(values["max_violations"])
    _refuse_idle(values)
    return ValidateSettings(policy=policy, **values)


def _refuse_idle(values: Mapping[str, Any]) -> None:
    """Refuse settings that mean nothing beside others."""
    if ("conformed" in values) != ("quarantine" in values):
        raise SignatureError(
            "rows are written to two tables or to none",
            path="quarantine" if "conformed" in values else "conformed",
            remedy="give --conformed and --quarantine",
        )
    writes = "conformed" in values
    # Where rows are written all of them are read.
    idle = {"stats", "fail_fast", "audit", "ledger"} if writes else {"mode", "max_violations"}
    if alone := sorted(idle & values.keys()):
        raise SignatureError(
            f"{' and '.join(alone)} {'do' if len(alone) > 1 else 'does'} not go "
            f"{'with' if writes else 'without'} --conformed and --quarantine",
            path=alone[0],
        )
