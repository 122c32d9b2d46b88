"""Two signatures side by side."""

from __future__ import annotations

from functools import partial

from spark_sig.diff.casts import column_cast
from spark_sig.diff.change import Change, Diff
from spark_sig.diff.params import param_changes
from spark_sig.diff.schemas import schema_changes
from spark_sig.diff.values import Rules
from spark_sig.diff.walk import Walk
from spark_sig.policy import Policy, policy_of
from spark_sig.signature import SIDES, ModelSignature


def diff_signatures(
    before: ModelSignature, after: ModelSignature, policy: Policy | None = None
) -> Diff:
    """Say what happens to data of either signature under the other; see ModelSignature.diff."""
    policy = policy_of(policy)
    rules = Rules(policy, partial(column_cast, policy.casts))
    changes: list[Change] = []
    for side in SIDES:
        changes += schema_changes(Walk(side, rules), getattr(before, side), getattr(after, side))
    changes += param_changes(before.params, after.params)
    return Diff(tuple(changes))
