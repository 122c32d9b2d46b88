"""Audits: proven files that are read nevertheless, to find out whether what proved them lied."""

from __future__ import annotations

import math
import secrets

from spark_sig.delta.files import Group, grouped, is_in, read_groups
from spark_sig.delta.log import spark_errors
from spark_sig.errors import Code
from spark_sig.gate.proofs import Proofs
from spark_sig.gate.scan import explained, tally_parts
from spark_sig.plan import EnforcementPlan, Reason
from spark_sig.report import Audit, Lie
from spark_sig.tally import Tally


def audit_proofs(proofs: Proofs, share: float) -> Audit:
    """Read a random share of the proven files, at least one, and check what was proven of them.

    Args:
        proofs: what is known of the source's files.
        share: the share of the files, 0 to 1.

    Raises:
        SourceError: where the files cannot be read.
    """
    known = proofs.groups or ()
    constrained = proofs.plan != proofs.asked
    proven = [place for place, group in enumerate(known) if constrained or group.is_proven]
    if proofs.opened is None or proofs.files is None or not proven:
        return Audit(share, 0, 0)
    number = max(1, math.ceil(share * sum(known[place].files for place in proven)))
    try:
        # The seed is in the text, so that counting and reading choose the same files.
        sample = proofs.files.within(
            f"SELECT * FROM {{query}} WHERE {is_in(proven, known)} "
            f"ORDER BY xxhash64(path, {secrets.randbits(60)}L), path LIMIT {number}",
            proofs.files.columns,
        )
        groups = grouped(sample)
        frames = read_groups(proofs.opened, sample, groups, range(len(groups)))
    except spark_errors() as error:
        raise explained(error) from error
    rows, lies, limit = 0, list[Lie](), proofs.plan.policy.examples
    for group, frame in zip(groups, frames, strict=True):
        plan = _plan_for(proofs, group)
        tally = tally_parts([(frame, plan)], limit)
        rows += tally.rows
        lies += _lies(group, plan, tally)
    return Audit(share, sum(group.files for group in groups), rows, tuple(lies))


def _plan_for(proofs: Proofs, group: Group) -> EnforcementPlan:
    """Return the plan that checks what is proven of a group, and nothing else."""
    checks = list(proofs.asked.checks)
    for check, proof in proofs.known(group).items():
        if not proof.decided:
            checks[check] = checks[check]._replace(reason=Reason.STATISTICS)
    return proofs.asked._replace(checks=tuple(checks))


def _lies(group: Group, plan: EnforcementPlan, tally: Tally) -> list[Lie]:
    found = [
        Lie(
            plan.checks[check].path,
            plan.checks[check].code,
            "0 rows violate it",
            f"{seen.count:,} rows: {', '.join(seen.observed)}",
        )
        for check, seen in tally.checks.items()
        if plan.checks[check].scanned
    ]
    if not group.uncounted and tally.rows != group.rows:
        wrong = Lie("$", Code.ROW_COUNT, f"{group.rows:,} rows", f"{tally.rows:,} rows")
        return [*found, wrong]
    return found
