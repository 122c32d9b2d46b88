"""Replays of inference: values in, a signature out that the very values conform to."""

from __future__ import annotations

import warnings
from typing import Any

from spark_sig.engines.local import enforce_values
from spark_sig.errors import SignatureError
from spark_sig.infer.signature import infer_signature
from spark_sig.policy import Policy
from spark_sig.signature import ModelSignature
from tests.conformance.corpus import Case, Ours, Outcome, Replayer, Versions
from tests.conformance.recipe import build, describe


def replay(case: Case, versions: Versions) -> Outcome:
    """Infer as MLflow does, and as we do: the first is compared, the second accepts its data."""
    recorded = case["outcome"]
    ours = _ours(case, Policy.mlflow())
    if own := rejects_own(case):
        return Outcome(Ours(False, error=own, stage="own data"), own)
    if ours.ok != recorded["ok"]:
        return Outcome(ours, "inferred here" if ours.ok else "refused here")
    if ours.ok and ours.value != recorded["signature"]:
        return Outcome(ours, f"gives {ours.value}, recorded {recorded['signature']}")
    return Outcome(ours)


def _infer(case: Case, policy: Policy) -> ModelSignature:
    given = [build(case[key]) for key in ("input", "model_output", "params")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return infer_signature(*given, policy=policy)


def _ours(case: Case, policy: Policy) -> Ours:
    try:
        return Ours(True, _infer(case, policy).to_dict())
    except SignatureError as error:
        return Ours(False, error=str(error), stage="infer")


def rejects_own(case: Case) -> str:
    """Return why the inferred signature rejects the data that it came from; empty where not.

    What no signature can say has none, and so rejects nothing.
    """
    try:
        signature = _infer(case, Policy())
    except SignatureError:
        return ""
    for schema, key in ((signature.inputs, "input"), (signature.outputs, "model_output")):
        if schema is None:
            continue
        given = build(case[key])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                enforce_values(given, schema, Policy())
        except SignatureError as error:
            return f"{schema} rejects its own {key}: {error}"
        if describe(given) != describe(build(case[key])):
            return f"{key} was changed"
    return ""


def replay_own(case: Case, versions: Versions) -> Outcome:
    """Infer from the data, enforce the signature on it, and compare the verdict with MLflow's."""
    recorded = case["outcome"]["ok"]
    full: dict[str, Any] = {"model_output": None, "params": None, **case}
    ours = _ours(full, Policy())
    if ours.ok and (own := rejects_own(full)):
        return Outcome(Ours(False, error=own, stage="own data"), own)
    if ours.ok != recorded:
        return Outcome(ours, "accepted here" if ours.ok else f"refused here: {ours.error}")
    return Outcome(ours)


REPLAYER = Replayer("infer", lambda case: {"input", "model_output", "params"} <= set(case), replay)
OWN = Replayer("selfconsistency", lambda case: {"fallback_any", "stage"} <= set(case), replay_own)
