"""Proposals: what a Delta table lacks to enforce a signature on every write."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spark_sig.compile.spark import source_schema
from spark_sig.ddl.constraint import PREFIX, Constraint, Unenforced, plan_constraints
from spark_sig.delta.constraints import known_bounds, prove_all, table_constraints
from spark_sig.delta.log import (
    first_line,
    is_classic,
    reraise_cancelled,
    spark_errors,
)
from spark_sig.delta.places import Place as TablePlace
from spark_sig.errors import SourceError, Violation, ViolationError
from spark_sig.planner import plan_enforcement
from spark_sig.policy import Policy, policy_of
from spark_sig.render.text import printable
from spark_sig.signature import load_signature
from spark_sig.sources import Resolved, resolve
from spark_sig.sqltext import quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from spark_sig.signature import SignatureSource

# What a user has to know of a table of which constraints are not believed.
UNPROVEN = (
    "of this table constraints prove nothing, as not all of its rows are known to have been "
    "written by Spark: they refuse rows, which are read nevertheless"
)
OUT_OF_REACH = (
    "over Spark Connect, from which the table's log is out of reach, constraints prove nothing: "
    "they refuse rows, which are read nevertheless"
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a Delta table lacks to enforce a signature on every write.

    Args:
        table: the table, as it was called.
        sql: the table, as SQL calls it.
        version: the version that was looked at.
        findings: columns that do not fit by their types, which no constraint mends.
        missing: constraints to add.
        present: constraints that are there, or that others of the table's imply.
        changed: names of constraints that are there and say something else now.
        stale: names of constraints of an earlier proposal that nothing asks for any more.
        unenforced: checks that no constraint can make.
        remarks: what else there is to know.
    """

    table: str
    sql: str
    version: int
    findings: tuple[Violation, ...] = ()
    missing: tuple[Constraint, ...] = ()
    present: tuple[Constraint, ...] = ()
    changed: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    unenforced: tuple[Unenforced, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def additions(self) -> tuple[str, ...]:
        """The statements that add what is missing, and take away what stands in its way."""
        found = []
        for constraint in self.missing:
            if constraint.name in self.changed:
                found.append(self._drop(constraint.name))
            found.append(
                f"ALTER TABLE {self.sql} ADD CONSTRAINT {quoted(constraint.name)} "
                f"CHECK ({constraint.sql})"
            )
        return tuple(found)

    @property
    def removals(self) -> tuple[str, ...]:
        """The statements that take away what nothing asks for any more."""
        return tuple(map(self._drop, self.stale))

    def _drop(self, name: str) -> str:
        return f"ALTER TABLE {self.sql} DROP CONSTRAINT {quoted(name)}"

    def apply(self, spark: SparkSession, *, drop: bool = False) -> None:
        """Carry the statements out; what is carried out once is not proposed again.

        Delta reads the rows that there are for each constraint, as far as statistics do not tell,
        and refuses it where one violates it.

        Args:
            spark: the session.
            drop: whether to take away what nothing asks for any more, too.

        Raises:
            ViolationError: where columns do not fit by their types; nothing is carried out.
            SourceError: where a statement fails; those before it stay carried out.
        """
        if self.findings:
            raise ViolationError(self.findings)
        for statement in (*self.additions, *(self.removals if drop else ())):
            try:
                spark.sql(statement)
            except spark_errors() as error:
                reraise_cancelled(error)
                raise SourceError(f"{first_line(error)}, by {statement}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "table": self.table,
            "version": self.version,
            "additions": list(self.additions),
            "removals": list(self.removals),
            "missing": [one.to_dict() for one in self.missing],
            "present": [one.to_dict() for one in self.present],
            "unenforced": [one.to_dict() for one in self.unenforced],
            "findings": [
                {
                    "path": one.path,
                    "code": one.code.value,
                    "expected": one.expected,
                    "observed": one.observed,
                }
                for one in self.findings
            ],
            "remarks": list(self.remarks),
        }

    def to_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        """Return a script: statements, and comments on what they leave open."""
        notes = [
            *(f"does not fit: {one}" for one in self.findings),
            *(f"there already: {one.sql}" for one in self.present),
            *(f"not enforced: {one}" for one in self.unenforced),
            *(f"no longer asked for: {one}" for one in self.removals),
            *self.remarks,
        ]
        lines = [f"{statement};" for statement in self.additions]
        return "\n".join([*lines, *(f"-- {printable(note)}" for note in notes)])


def delta_constraints(
    signature: SignatureSource,
    table: str | os.PathLike[str],
    *,
    side: str = "inputs",
    policy: Policy | None = None,
    spark: SparkSession | None = None,
) -> Proposal:
    """Say what a Delta table lacks to enforce a signature on every write.

    Each constraint is a CHECK that refuses just the rows that violate a check of the signature,
    and that :func:`spark_sig.validate` takes for a proof of it.  No row is read.

    Args:
        signature: a signature, or anything that loads as one.
        table: path or name of the table.
        side: ``inputs`` or ``outputs``.
        policy: the choices that the signature leaves open; the default ones where None.
        spark: the session; the active one where None.

    Raises:
        SignatureError: where signature, policy or names cannot mean anything.
        SourceError: where there is no such table, or it is none of Delta's.
    """
    schema = load_signature(signature).side(side)
    source = resolve(table, spark=spark, counted=False)
    session, name = source.frame.sparkSession, os.fspath(table)
    if source.snapshot is None:
        raise SourceError(f"{name} is no Delta table: only those have constraints")
    plan = plan_enforcement(
        source_schema(source.frame.schema, source.imposed()),
        schema,
        replace(policy_of(policy), on_violation="raise", show_values=False),
        spark=True,
        enforced=True,
    )
    sql = TablePlace.of(session, name, lambda what: SourceError(f"{name} is {what}")).sql
    bare = Proposal(name, sql, source.snapshot.version, findings=plan.findings)
    if plan.findings:
        return bare
    wanted = tuple(plan_constraints(plan))
    return _compared(bare, source, wanted)


def _compared(
    bare: Proposal, source: Resolved, wanted: tuple[Constraint | Unenforced, ...]
) -> Proposal:
    """Hold what is wanted to what a table has."""
    spark, snapshot = source.frame.sparkSession, source.snapshot
    assert snapshot is not None
    constraints = {one.name: one for one in wanted if isinstance(one, Constraint)}
    there = table_constraints(spark, snapshot)
    ours = {name: text for name, text in there.items() if name.startswith(PREFIX)}
    same = {name for name, text in ours.items() if name in constraints
            and constraints[name].says(text)}  # fmt: skip
    others = {name: text for name, text in there.items() if name not in ours}
    trusted = prove_all(spark, snapshot)
    implied = known_bounds(spark, snapshot, others) if trusted else {}
    present = [one for one in constraints.values() if one.name in same or one.claim.holds(implied)]
    missing = [one for one in constraints.values() if one not in present]
    return replace(
        bare,
        missing=tuple(missing),
        present=tuple(present),
        changed=tuple(one.name for one in missing if one.name in ours),
        stale=tuple(sorted(ours.keys() - constraints.keys())),
        unenforced=tuple(one for one in wanted if isinstance(one, Unenforced)),
        remarks=() if trusted else (UNPROVEN if is_classic(spark) else OUT_OF_REACH,),
    )
