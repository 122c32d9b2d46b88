"""Drafts: the checks and findings that one planning run has gathered so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from spark_sig.casts import Kind
from spark_sig.errors import Code, Violation, assert_never
from spark_sig.naming import IMPOSED, label, type_name
from spark_sig.plan import Check, Node, Rung
from spark_sig.planning.rungs import catalyst_decides, node_checks, node_rung
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

    def check(self, path: str, code: Code, expected: str, rung: Rung) -> int:
        """Add a check and return its id."""
        # Values are shown by the reference rung alone: two renderings would differ.
        if rung is Rung.CATALYST and (self.engine == "arrow" or self.policy.show_values):
            rung = Rung.ARROW
        self.checks.append(Check(path, code, expected, rung))
        return len(self.checks) - 1

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
        return self.check(path, Code.NULL, label(target, True), self.null_rung(path, source))

    def vector_nan_check(self, path: str, expected: str) -> int | None:
        """Add the check that no value of a Spark ML vector is NaN, where NaN violates."""
        if self.policy.nan != "reject":
            return None
        return self.check(f"{path}[*]", Code.NULL, expected, Rung.ARROW)

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

    def null_rung(self, path: str, source: pa.Field) -> Rung:
        """Find the cheapest rung that decides that a value is not null."""
        if self.spark and not source.nullable:
            imposed = IMPOSED in (source.metadata or {})
            known = self.enforced and not imposed and "[*]" not in path
            return Rung.SCHEMA if known else Rung.ASSUMED
        return Rung.ARROW if "[*]" in path else Rung.CATALYST

    def row_rung(self, path: str, kind: Kind, target: Kind) -> Rung:
        """Find the cheapest rung that decides and carries out a cast."""
        if "[*]" in path or not catalyst_decides(kind, target):
            return Rung.ARROW
        return Rung.CATALYST

    def settle(self, node: Node) -> Rung:
        """Find the cheapest rung that can do all that a field needs, and note it in its checks.

        The arrow rung makes all of a field's checks on rows once it makes one.
        """
        rung = Rung.ARROW if self.engine == "arrow" else node_rung(node, self.checks)
        if rung is not Rung.ARROW:
            return rung
        for index in node_checks(node):
            if self.checks[index].rung is Rung.CATALYST:
                self.checks[index] = self.checks[index]._replace(rung=Rung.ARROW)
        return Rung.ARROW
