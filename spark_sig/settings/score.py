"""Settings of ``score``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spark_sig.errors import SignatureError
from spark_sig.policy import Policy
from spark_sig.quarantine.limit import Limit
from spark_sig.settings.merge import Setting, json_object, merge, names
from spark_sig.settings.policy import POLICY, chosen_policy


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """What ``score`` has to know.

    Args:
        model: URI of a model of MLflow's, or the folder of one.
        table: path of a Delta table or of Parquet files, or a catalog name.
        policy: the choices that the signature leaves open.
        out: path or name of the table of predictions; None where ``preflight`` asks for none.
        params: the params of the model.
        keep: columns that stay beside the predictions; all where None.
        prediction: name of a prediction that the signature gives none.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.
        quarantine: path or name of the table that rows which violate are written to.
        mode: what becomes of the rows that are in these tables.
        max_violations: with more violating rows nothing is written, a number or a share.
        stats: whether file statistics may decide checks.
        ledger: path or name of the table in which verdicts on files are remembered.
        run_id: name of the run.
        report: where the report's JSON goes; None for nowhere.
        preflight: whether to compare types and no more.
        openlineage: whether OpenLineage is told of the run.
    """

    model: str
    table: str
    policy: Policy
    out: str | None = None
    params: dict[str, Any] | None = None
    keep: tuple[str, ...] | None = None
    prediction: str = "prediction"
    version: int | None = None
    timestamp: str | None = None
    quarantine: str | None = None
    mode: Literal["append", "overwrite"] = "append"
    max_violations: int | str | None = None
    stats: bool = True
    ledger: str | None = None
    run_id: str | None = None
    report: str | None = None
    preflight: bool = False
    openlineage: bool = False


SETTINGS = {
    "model": Setting((str,)),
    "table": Setting((str,)),
    "out": Setting((str,)),
    "params": Setting((str, dict)),
    "keep": Setting((list, str)),
    "prediction": Setting((str,)),
    "version": Setting((int,)),
    "timestamp": Setting((str,)),
    "quarantine": Setting((str,)),
    "mode": Setting((str,), ("append", "overwrite")),
    "max_violations": Setting((str, int)),
    "stats": Setting((bool,)),
    "ledger": Setting((str,)),
    "run_id": Setting((str,)),
    "report": Setting((str,)),
    "preflight": Setting((bool,)),
    "openlineage": Setting((bool,)),
}
KNOWN = SETTINGS | POLICY


def score_settings(flags: Mapping[str, Any], config: str | None) -> ScoreSettings:
    """Merge flags over the settings of a YAML file.

    Args:
        flags: by setting or policy field; None where a flag was not given.
        config: path of a YAML mapping of the same names; None for no file.

    Raises:
        SignatureError: where a setting is unknown, missing, or of the wrong type; its path is
            the setting's name.
    """
    merged = merge(flags, config, KNOWN, ("model", "table"))
    policy = chosen_policy(merged)
    values = {k: v for k, v in merged.items() if k in SETTINGS}
    if "keep" in values:
        values["keep"] = names(values["keep"], "keep")
    if "params" in values:
        values["params"] = json_object(values["params"])
    if "out" not in values and not values.get("preflight"):
        raise SignatureError("no out is given", path="out", remedy="give --out, or --preflight")
    if values.get("preflight"):
        # a file may be that of the whole job, which somebody tries beforehand
        _refuse_idle(flags if flags.get("preflight") else values)
    if "max_violations" in values:
        if "quarantine" not in values:
            raise SignatureError(
                "max_violations does not go without --quarantine", path="max_violations"
            )
        Limit.of(values["max_violations"])
    return ScoreSettings(policy=policy, **values)


def _refuse_idle(values: Mapping[str, Any]) -> None:
    """Refuse what somebody would wait for in vain where types alone are compared."""
    for name in ("report", "openlineage"):
        if values.get(name):
            raise SignatureError(
                f"{name} does not go with --preflight, which makes no report",
                path=name,
                remedy="leave it out; --json prints what was compared",
            )
