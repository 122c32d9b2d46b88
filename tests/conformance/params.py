"""Replays of params: checked against their schema, and completed."""

from __future__ import annotations

import json
import warnings

from spark_sig.codec import params_from_json, params_to_dict
from spark_sig.errors import SignatureError
from spark_sig.params import ParamSchema, enforce_params
from tests.conformance.corpus import Case, Ours, Outcome, Replayer, Versions
from tests.conformance.recipe import build, describe


def replay(case: Case, versions: Versions) -> Outcome:
    """Read the schema, enforce the params, and compare verdict, stage, values and order."""
    recorded = case["outcome"]
    ours = _ours(case)
    if ours.ok != recorded["ok"]:
        return Outcome(ours, "accepted here" if ours.ok else "refused here")
    if not ours.ok and ours.stage != case.get("stage", ours.stage):
        return Outcome(ours, f"refused as {ours.stage}, recorded as {case['stage']}")
    if case.get("volatile"):
        return Outcome(ours)
    if ours.stage != "schema" and ours.value is not None:
        schema, value = ours.value
        if "schema_to_dict" in case and schema != case["schema_to_dict"]:
            return Outcome(ours, f"the schema is {schema}, recorded {case['schema_to_dict']}")
        if ours.ok and value != recorded["value"]:
            return Outcome(ours, f"gives {value}, recorded {recorded['value']}")
    return Outcome(ours)


def _ours(case: Case) -> Ours:
    schema: ParamSchema | None = None
    try:
        if case["schema"] is not None:
            schema = params_from_json(json.dumps(case["schema"]))
    except SignatureError as error:
        return Ours(False, error=str(error), stage="schema")
    written = None if schema is None else params_to_dict(schema)
    params = build(case["params"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = describe(enforce_params(params, schema))
    except SignatureError as error:
        return Ours(False, (written, None), str(error), "enforce")
    finally:
        assert describe(params) == describe(build(case["params"])), "the caller's params changed"
    return Ours(True, (written, value))


REPLAYER = Replayer("params", lambda case: {"schema", "params", "stage"} <= set(case), replay)
