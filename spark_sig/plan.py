"""Enforcement plans: what to do with each field of a source so that it fits a schema.

A plan is made once, on the driver (:mod:`spark_sig.planner`), and carried out many times, by
engines that share no other state.  It is small, frozen and picklable.

Its parts are named tuples, as are the kernels' own: every executor imports them, and a dataclass
takes five times as long to make.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, TypeAlias

import pyarrow as pa

from spark_sig.casts import Cast, Kind
from spark_sig.errors import Code, Violation, assert_never
from spark_sig.policy import Policy


class Rung(str, Enum):
    """What decides a check, cheapest first."""

    SCHEMA = "schema"  # types, names, and constraints that Delta enforces: no row is read
    ASSUMED = "assumed"  # a nullable=False flag, by which Spark folds the check away
    STATS = "stats"  # file statistics
    LEDGER = "ledger"  # the verdict of an earlier run on the very same files
    CATALYST = "catalyst"  # fused into Spark's own scan
    ARROW = "arrow"  # Python, on Arrow batches

    def __str__(self) -> str:
        return self.value


class Reason(str, Enum):
    """Why a check, or a field, goes to its rung.

    Each has one rung: what a plan does and what it says of it cannot differ.
    """

    TYPES = "types"  # no value of the source's type violates or has to be changed
    NOT_NULL = "not_null"  # a NOT NULL constraint that Delta enforces
    CONSTRAINT = "constraint"  # a CHECK constraint that Delta enforces
    FLAG = "flag"  # a nullable=False flag that nothing enforces
    STATISTICS = "statistics"  # file statistics prove it
    REMEMBERED = "remembered"  # an earlier run found it so
    SCAN = "scan"  # Spark's own scan gives the very same verdict
    DRIVER = "driver"  # the values are on the driver already
    ENGINE = "engine"  # engine="arrow"
    VALUES = "values"  # Policy.show_values: only one rung renders values
    ELEMENT = "element"  # inside an array or a map
    LENGTH = "length"  # the shape of a tensor
    VECTOR = "vector"  # inside a Spark ML vector
    TEXT = "text"  # numbers in text, whose grammar is ours
    DECIMAL = "decimal"  # decimals to floats, which Spark compares by their shortest text
    COLUMN = "column"  # another check of the same column needs Arrow
    NAMES = "names"  # members of structs that SQL cannot name
    REBUILT = "rebuilt"  # a list, map or tensor that comes out as another type

    @property
    def rung(self) -> Rung:
        """What decides for this reason."""
        return RUNGS[self]


# The rung of each reason.
RUNGS: dict[Reason, Rung] = {
    Reason.TYPES: Rung.SCHEMA,
    Reason.NOT_NULL: Rung.SCHEMA,
    Reason.CONSTRAINT: Rung.SCHEMA,
    Reason.FLAG: Rung.ASSUMED,
    Reason.STATISTICS: Rung.STATS,
    Reason.REMEMBERED: Rung.LEDGER,
    Reason.SCAN: Rung.CATALYST,
    Reason.DRIVER: Rung.ARROW,
    Reason.ENGINE: Rung.ARROW,
    Reason.VALUES: Rung.ARROW,
    Reason.ELEMENT: Rung.ARROW,
    Reason.LENGTH: Rung.ARROW,
    Reason.VECTOR: Rung.ARROW,
    Reason.TEXT: Rung.ARROW,
    Reason.DECIMAL: Rung.ARROW,
    Reason.COLUMN: Rung.ARROW,
    Reason.NAMES: Rung.ARROW,
    Reason.REBUILT: Rung.ARROW,
}


class Check(NamedTuple):
    """One way in which rows can violate a plan; its place in ``EnforcementPlan.checks`` is its id.

    Args:
        path: place in a row, ``[*]`` standing for any element.
        code: what is wrong where it fails.
        expected: what the signature asks for.
        reason: why it is decided where it is.
    """

    path: str
    code: Code
    expected: str
    reason: Reason

    @property
    def rung(self) -> Rung:
        """What decides it."""
        return self.reason.rung

    @property
    def live(self) -> bool:
        """Whether rows have to be read to decide it."""
        return self.rung not in (Rung.SCHEMA, Rung.STATS, Rung.LEDGER)

    @property
    def scanned(self) -> bool:
        """Whether it is made on rows; what is assumed is not."""
        return self.rung in (Rung.CATALYST, Rung.ARROW)


# In all nodes ``source`` is the Arrow type that comes in, ``output`` the type that goes out, and
# an attribute that names a check holds its id, or None where that check is not made.  Where
# ``null`` is set, NULL violates it.


class Leaf(NamedTuple):
    """A scalar.

    Args:
        kind: what is stored.
        target: what it has to be; ``output`` differs from its Arrow type where a wider type
            carries it (``carried``) or where units and time zones of the source are kept.
        cast: verdict of the cast table on the pair.
        null: check that NULL violates.
        nan: check that NaN violates.
        failure: check that a value without an equal in the target violates.
        nan_to_null: whether NaN becomes NULL (it then counts as NULL for ``null``).
        carried: whether values stay as they are stored, once checked.
    """

    source: pa.DataType
    output: pa.DataType
    kind: Kind
    target: Kind
    cast: Cast
    null: int | None = None
    nan: int | None = None
    failure: int | None = None
    nan_to_null: bool = False
    carried: bool = False


class Anything(NamedTuple):
    """A value that passes as it is."""

    source: pa.DataType
    output: pa.DataType
    null: int | None = None


class Nulls(NamedTuple):
    """A source of type null: every value is NULL, and comes out as a NULL of another type."""

    source: pa.DataType
    output: pa.DataType
    null: int | None = None


class ListOf(NamedTuple):
    """A list (any Arrow list layout), element by element."""

    source: pa.DataType
    output: pa.DataType
    item: Node
    null: int | None = None


class Member(NamedTuple):
    """A member of a struct that comes out.

    Args:
        name: its name.
        source: place among the source's members; None where it is missing, optional and filled.
        node: what is done with it.
    """

    name: str
    source: int | None
    node: Node


class StructOf(NamedTuple):
    """A struct; members come out in the order of ``members``."""

    source: pa.DataType
    output: pa.DataType
    members: tuple[Member, ...]
    null: int | None = None


class MapOf(NamedTuple):
    """A map with string keys, value by value."""

    source: pa.DataType
    output: pa.DataType
    value: Node
    null: int | None = None


class VectorOf(NamedTuple):
    """A Spark ML vector (the struct that VectorUDT stores), passed on as it is.

    Args:
        length: the length that it must have; None where any will do.
        null: check that NULL violates.
        shape: check that another length violates.
        nan: check that a NaN among its values violates.
    """

    source: pa.DataType
    output: pa.DataType
    length: int | None = None
    null: int | None = None
    shape: int | None = None
    nan: int | None = None


class TensorOf(NamedTuple):
    """One slice of a tensor along its first axis, in lists, passed on once checked.

    Args:
        dims: lengths of the slice's axes, at least one; -1 for any length, which may then differ
            within a row (ragged).
        flat: whether the source holds all elements of the slice in one list.
        item: what is done with an element; its checks count for the row.
        null: check that NULL violates, in place of the slice.
        inner: check that NULL violates, in place of an inner axis.
        shape: check that another shape violates.
    """

    source: pa.DataType
    output: pa.DataType
    dims: tuple[int, ...]
    flat: bool
    item: Leaf
    null: int | None = None
    inner: int | None = None
    shape: int | None = None


Node: TypeAlias = Leaf | Anything | Nulls | ListOf | StructOf | MapOf | VectorOf | TensorOf


def is_identity(node: Node) -> bool:
    """Say whether values come out just as they went in (they may still be checked)."""
    match node:
        case Leaf():
            return node.carried or (node.cast is Cast.IDENTITY and bool(node.source == node.output))
        case Anything() | VectorOf() | TensorOf():
            return True
        case Nulls():
            return bool(node.source == node.output)
        case ListOf():
            return is_identity(node.item)
        case MapOf():
            return is_identity(node.value)
        case StructOf():
            in_place = all(m.source == i for i, m in enumerate(node.members))
            return (
                in_place
                and len(node.members) == node.source.num_fields
                and all(
                    m.name == node.source.field(i).name and is_identity(m.node)
                    for i, m in enumerate(node.members)
                )
            )
        case _:
            assert_never(node)


class FieldPlan(NamedTuple):
    """One column that comes out.

    Args:
        name: its name.
        path: its place, such as ``$.price``.
        source: place among the source's columns; None where it is missing, optional and filled.
        source_name: its name there; empty where it is missing.
        node: what is done with its values.
        reason: why all of it is done on the rung that it is done on, the cheapest that can.
    """

    name: str
    path: str
    source: int | None
    source_name: str
    node: Node
    reason: Reason

    @property
    def rung(self) -> Rung:
        """The cheapest rung that can do all of it."""
        return self.reason.rung


class EnforcementPlan(NamedTuple):
    """All that has to be done, for all fields.

    Args:
        source: the columns that come in.
        output: the columns that go out, nullable throughout.
        fields: one for each column of ``output``, in order.
        checks: every check on rows, by id.
        findings: violations that the types alone decide; where there are any, no row is read.
        policy: the choices that it was made under.
        row_count: the number of rows that the whole must have; None where any will do.
    """

    source: pa.Schema
    output: pa.Schema
    fields: tuple[FieldPlan, ...]
    checks: tuple[Check, ...]
    findings: tuple[Violation, ...]
    policy: Policy
    row_count: int | None = None

    @property
    def live(self) -> bool:
        """Whether any row has to be read to decide the verdict."""
        return any(check.live for check in self.checks)

    @property
    def arrow_fields(self) -> tuple[FieldPlan, ...]:
        """The fields that only the arrow rung can carry out."""
        return tuple(field for field in self.fields if field.rung is Rung.ARROW)
