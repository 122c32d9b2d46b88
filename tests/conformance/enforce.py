"""Replays of enforcement on the driver: values in, values or an error out."""

from __future__ import annotations

import json
import warnings

from spark_sig.codec import schema_from_json
from spark_sig.engines.local import enforce_values
from spark_sig.errors import SignatureError
from spark_sig.policy import Policy
from tests.conformance.corpus import Case, Ours, Outcome, Replayer, Versions
from tests.conformance.recipe import build, describe


def replay(case: Case, versions: Versions) -> Outcome:
    """Enforce the value; compare the verdict, and what comes out: container, dtypes, values."""
    recorded = case["outcome"]
    ours = _ours(case)
    if ours.ok != recorded["ok"]:
        return Outcome(ours, "accepted here" if ours.ok else "refused here")
    # As text: NaN equals itself there.
    if ours.ok and json.dumps(ours.value) != json.dumps(recorded["value"]):
        return Outcome(ours, f"gives {ours.value}, recorded {recorded['value']}")
    return Outcome(ours)


def _ours(case: Case) -> Ours:
    schema = schema_from_json(json.dumps(case["schema"]))
    given = build(case["input"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = describe(enforce_values(given, schema, Policy.mlflow()))
    except SignatureError as error:
        return Ours(False, error=str(error))
    finally:
        assert describe(given) == describe(build(case["input"])), "the caller's data changed"
    return Ours(True, value)


REPLAYER = Replayer("enforce", lambda case: {"schema", "input", "outcome"} <= set(case), replay)
