"""Remedies: what errors advise where rows of a run stand in the way of others."""

from __future__ import annotations

# How rows are written under a name that nothing is known of.
RENAME = "give the run another id (run_id), a stream another name"


def take_out(run_id: object, target: object = None) -> str:
    """Advise to take all rows of a run that violate out of the tables.

    Args:
        run_id: its name.
        target: the id of the table that its other rows go to; None where the name is enough.
    """
    of = f"{run_id}" if target is None else f"{run_id} and _target_id {target}"
    return (
        f"delete those whose _run_id is {of} from the quarantine, where there are any, and what "
        "reprocess has moved of them from the table that it went to"
    )
