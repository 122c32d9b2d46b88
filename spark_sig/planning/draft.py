"""Drafts: the checks and findings that one planning run has gathered so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from spark_sig.errors import Code, Violation, assert_never
from spark_sig.naming import IMPOSED, label, type_name
from spark_sig.plan import Check, Node, Reason, Rung
from spark_sig.planning.rungs import decide, node_checks, null_reason
from spark_sig.policy import Policy
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector

Engine = Literal["auto", "catalyst", "arrow"]


@dataclass(slots=True)
class Draft:
    """What one planning run has gathered so far.

    Args:
        policy: the choices.
        engine: what the user wants carried out where.
        spark: whether the source is a Spark DataFrame.
        enforced: whether the source enforces its NOT NULL flags.
        checks: the checks on rows; a check's place is its id.
        findings: what the types alone decide.
    """

    policy: Policy
    engine: Engine
    spark: bool
    enforced: bool
    checks: list[Check] = field(default_factory=list)
    findings: list[Violation] = field(default_factory=list)

    def check(self, path: str, code: Code, expected: str, reason: Reason) -> int:
        """Add a check and return its id."""
        if self.engine == "arrow" and reason.rung in (Rung.CATALYST, Rung.ARROW):
            reason = self._asked
        # Values are shown by the reference rung alone: two renderings would differ.
        elif self.policy.show_values and reason.rung is Rung.CATALYST:
            reason = Reason.VALUES
        self.checks.append(Check(path, code, expected, reason))
        return len(self.checks) - 1

    @property
    def _asked(self) -> Reason:
        """Why all is done in Arrow: values on the driver know no other rung."""
        return Reason.ENGINE if self.spark else Reason.DRIVER

    def find(self, path: str, code: Code, expected: str, observed: str, remedy: str = "") -> None:
        """Add a finding."""
        self.findings.append(Violation(path, code, expected, observed, remedy))

    def mismatch(
        self,
        path: str,
        target: ColumnType,
        required: bool,
        source: pa.Field,
        remedy: str = "cast the column first, or change the signature",
    ) -> None:
        """Add the finding that a type does not fit."""
        self.find(path, Code.TYPE, label(target, required), type_name(source), remedy)

    def null_check(
        self,
        path: str,
        target: ColumnType,
        rejects: bool,
        source: pa.Field,
    ) -> int | None:
        """Add the check that a value is not null, where NULL violates."""
        if not rejects:
            return None
        return self.check(path, Code.NULL, label(target, True), self.null_reason(path, source))

    def vector_nan_check(self, path: str, expected: str) -> int | None:
        """Add the check that no value of a Spark ML vector is NaN, where NaN violates."""
        if self.policy.nan != "reject":
            return None
        return self.check(f"{path}[*]", Code.NULL, expected, Reason.VECTOR)

    def rejects_null(self, target: ColumnType, required: bool, member: bool) -> bool:
        """Say whether NULL violates.

        With ``nulls="allow"`` it does where it does in MLflow (``_enforce_type``): in place of a
        required list, record or map, or of a required scalar inside a record or a map; never in
        place of a scalar column or element, nor where anything goes.
        """
        if not required or self.policy.nulls == "reject":
            return required
        match target:
            case AnyType():
                return False
            case DataType():
                return member
            case Array(dtype=inner) | Map(value_type=inner):
                return not isinstance(inner, AnyType)
            case Object() | SparkMLVector():
                return True
            case _:
                assert_never(target)

    def null_reason(self, path: str, source: pa.Field) -> Reason:
        """Say why the check that a value is not null goes to the cheapest rung that decides it."""
        assumed = self.spark and not source.nullable
        enforced = self.enforced and IMPOSED not in (source.metadata or {})
        return null_reason(path, assumed=assumed, enforced=enforced)

    def settle(self, node: Node) -> Reason:
        """Find the cheapest rung that can do all that a field needs, and note it in its checks.

        The arrow rung makes all of a field's checks on rows once it makes one.
        """
        reason = self._asked if self.engine == "arrow" else decide(node, self.checks)
        if reason.rung is not Rung.ARROW:
            return reason
        # Why one check needs Arrow is no reason for another one, but that it is of the column.
        shared = reason if reason in (Reason.NAMES, Reason.REBUILT) else Reason.COLUMN
        for index in node_checks(node):
            if self.checks[index].rung is Rung.CATALYST:
                self.checks[index] = self.checks[index]._replace(reason=shared)
        return reason
