"""Settings of the policy: a named one, and fields that differ from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from spark_sig.policy import Policy
from spark_sig.settings.merge import Setting

POLICY_FIELDS = tuple(f.name for f in fields(Policy))

# The policy checks its own fields.
POLICY = {"policy": Setting((str,))} | {name: Setting() for name in POLICY_FIELDS}


def chosen_policy(merged: Mapping[str, Any]) -> Policy:
    """Return the policy that settings choose.

    Raises:
        SignatureError: where there is none of that name, or a field cannot be what it is to be.

    Example:
        >>> chosen_policy({"policy": "mlflow", "nan": "reject"}).nulls
        'allow'
    """
    policy = Policy.named(str(merged.get("policy", "default")))
    chosen = {name: merged[name] for name in POLICY_FIELDS if name in merged}
    return replace(policy, **chosen) if chosen else policy
