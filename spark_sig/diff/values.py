"""The rules by which a value of one signature fits another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from spark_sig.diff.casts import ScalarRule
from spark_sig.diff.verdict import ANYTHING, FITS, MISSING, REFUSED, Compatibility, Verdict, worst
from spark_sig.errors import assert_never
from spark_sig.policy import Policy
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector


class Role(Enum):
    """What a value is part of."""

    COLUMN = "column"
    PROPERTY = "property"
    ELEMENT = "element"
    VALUE = "value of a map"


class Place(NamedTuple):
    """What a signature asks of a value."""

    type: ColumnType
    required: bool
    role: Role

    @property
    def may_miss(self) -> bool:
        """Whether the place may be absent altogether."""
        return not self.required and self.role in (Role.COLUMN, Role.PROPERTY)

    @property
    def element(self) -> Place | None:
        """What is inside a list or a map, whose flag passes down; None for anything else."""
        match self.type:
            case Array(dtype):
                return Place(dtype, self.required, Role.ELEMENT)
            case Map(value_type):
                return Place(value_type, self.required, Role.VALUE)
            case _:
                return None

    @property
    def members(self) -> dict[str, Place]:
        """What is inside a record, by name; nothing for anything else."""
        properties = self.type.properties if isinstance(self.type, Object) else ()
        return {p.name: Place(p.dtype, bool(p.required), Role.PROPERTY) for p in properties}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is held against a value.

    Args:
        policy: the choices.
        cast: the rule for scalars.
    """

    policy: Policy
    cast: ScalarRule

    def fits(self, source: Place, target: Place) -> Verdict:
        """Judge a value itself; what is inside has places of its own."""
        return worst(self.null(source, target), self.kind(source, target))

    def null(self, source: Place, target: Place) -> Verdict:
        """Judge what is not there: nulls, and names that are left out."""
        may_null = self.rejects_null(target) and not self.rejects_null(source)
        may_miss = source.may_miss and target.required
        if not may_null and not may_miss:
            return FITS
        ways = " or ".join(["null"] * may_null + ["missing"] * may_miss)
        return Verdict(Compatibility.BREAKING, f"may be {ways}")

    def rejects_null(self, place: Place) -> bool:
        """Say whether NULL violates, as the planner has it."""
        if not place.required or self.policy.nulls == "reject":
            return place.required
        match place.type:
            case AnyType():
                return False
            case DataType():
                return place.role in (Role.PROPERTY, Role.VALUE)
            case Array(dtype=inner) | Map(value_type=inner):
                return not isinstance(inner, AnyType)
            case Object() | SparkMLVector():
                return True
            case _:
                assert_never(place.type)

    def kind(self, source: Place, target: Place) -> Verdict:
        """Judge a value by its type alone."""
        given, wanted = source.type, target.type
        if isinstance(wanted, AnyType):
            return FITS
        if isinstance(given, AnyType):
            return ANYTHING
        match wanted:
            case DataType():
                return self.cast(given, wanted) if isinstance(given, DataType) else REFUSED
            case SparkMLVector():
                return self.vector(source)
            case Array() | Map() | Object():
                return FITS if type(given) is type(wanted) else REFUSED
            case _:
                assert_never(wanted)

    def vector(self, source: Place) -> Verdict:
        """Judge a value that is to be a Spark ML vector: a list of doubles may stand for one."""
        match source.type:
            case SparkMLVector():
                return FITS
            case Array(dtype=DataType.double):
                element = Place(DataType.double, source.required, Role.ELEMENT)
                if self.rejects_null(element):
                    return FITS
                return Verdict(Compatibility.BREAKING, "its elements may be null")
            case Array(dtype=AnyType()):
                return ANYTHING
            case _:
                return REFUSED

    def missing(self, target: Place) -> Verdict:
        """Judge data without a place that is asked for."""
        if target.required:
            return MISSING
        filled = "filled with nulls" if self.policy.fill_missing else "left out"
        return Verdict(Compatibility.COMPATIBLE, filled)

    def extra(self, role: Role) -> Verdict:
        """Judge data with a place that is not asked for."""
        if role is Role.PROPERTY:
            return Verdict(Compatibility.BREAKING, "no such property")
        match self.policy.extra:
            case "drop":
                return Verdict(Compatibility.COMPATIBLE, "dropped")
            case "keep":
                return Verdict(Compatibility.COMPATIBLE, "kept")
            case "forbid":
                return Verdict(Compatibility.BREAKING, "no such column")
            case _:
                assert_never(self.policy.extra)
