"""Fits: what the types of a table alone say of it under a signature, before any row is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pat

from spark_sig.casts import Cast
from spark_sig.compile.spark import source_schema
from spark_sig.diff.verdict import Compatibility
from spark_sig.errors import Violation
from spark_sig.naming import (
    folded,
    is_list,
    label,
    member_path,
    opaque_type,
    spark_type,
    tensor_label,
    type_name,
)
from spark_sig.plan import EnforcementPlan, Leaf, TensorOf
from spark_sig.planner import plan_enforcement
from spark_sig.planning.tensors import stacked_columns
from spark_sig.policy import Casts, Policy, policy_of
from spark_sig.schema import ColSpec, Schema, Spec, TensorSpec
from spark_sig.signature import load_signature
from spark_sig.sources import resolve
from spark_sig.types import Array, ColumnType, Map, Object

if TYPE_CHECKING:
    from spark_sig.signature import SignatureSource
    from spark_sig.sources import Data

_FITS = Compatibility.COMPATIBLE
# The one column of a schema that asks for a single value.
_ALONE = "value"
_UNSHIPPED = "cannot be shipped to Python; cast it first"


@dataclass(frozen=True, slots=True)
class Fit:
    """What becomes of the values at one place.

    Args:
        path: the place, such as ``$.orders[*].price``, by the signature's names.
        observed: the type that the source has there; None where it has no such place.
        expected: what the signature asks for; None where it asks for nothing.
        level: what the types alone say.
        note: why, and what helps, where that is not plain.
        checks: what is left for statistics or rows to decide, such as ``null``.
    """

    path: str
    observed: str | None
    expected: str | None
    level: Compatibility
    note: str = ""
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preflight:
    """What becomes of the values at every place.

    Args:
        fits: one for each place of the signature, and each column that it does not name.
        refused: what keeps the source from being read at all; empty where it is.
    """

    fits: tuple[Fit, ...]
    refused: tuple[Violation, ...]

    @property
    def level(self) -> Compatibility:
        """The worst of all places."""
        return max((fit.level for fit in self.fits), default=_FITS)

    @property
    def passes(self) -> bool:
        """Whether rows may be read, as nothing is refused by its type."""
        return not self.refused

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        from spark_sig.render.fits import preflight_document

        return preflight_document(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return it as JSON text."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        from spark_sig.render.fits import preflight_text

        return preflight_text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # how a terminal of IPython shows it

    def _repr_html_(self) -> str:
        from spark_sig.render.fits import preflight_html

        return preflight_html(self)


def preflight(
    data: Data,
    signature: SignatureSource,
    *,
    policy: Policy | None = None,
    side: str = "inputs",
    version: int | None = None,
    timestamp: str | None = None,
) -> Preflight:
    """Compare the types of a source with a signature; no rows are read.

    No Spark job runs either, unless Spark has to look for the types of Parquet files.

    Args:
        data: a DataFrame, a path of a Delta table or of Parquet files, or a catalog name.
        signature: a signature, or anything that loads as one, such as the URI of a model.
        policy: the choices that the signature leaves open; the default ones where None.
        side: ``inputs`` or ``outputs``.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.

    Returns:
        For each place whether its values pass as they are, are widened, could pass by their
        values, or are refused: by a validation, or by :func:`spark_sig.score`, as columns of
        types that Python has no equal for are, though anything may be in them.

    Raises:
        SignatureError: where signature, policy or names cannot mean anything.
        SourceError: where the source or the version cannot be read.
    """
    schema = load_signature(signature).side(side)
    policy = replace(policy_of(policy), on_violation="raise")
    source = resolve(data, version=version, timestamp=timestamp, counted=False)
    columns = source_schema(source.frame.schema, source.imposed())
    plan = plan_enforcement(columns, schema, policy, spark=True, enforced=source.enforced)
    checks: dict[str, tuple[str, ...]] = {}
    for check in plan.checks:
        if check.live:
            checks[check.path] = (*checks.get(check.path, ()), check.code.value)
    found = [
        replace(fit, checks=checks.get(fit.path, ())) for fit in Comparison(plan, schema).fits()
    ]
    return Preflight(tuple(found), plan.findings)


class Comparison:
    """A source's columns beside a schema.

    Args:
        plan: made for the source and the schema.
        schema: what the source has to fit.
        spark: whether the source is one of Spark's.
    """

    def __init__(self, plan: EnforcementPlan, schema: Schema, *, spark: bool = True) -> None:
        self._source = plan.source
        self._schema = schema
        self._policy = plan.policy
        self._spark = spark
        self._findings = {found.path: found for found in plan.findings}

    def fits(self) -> Iterator[Fit]:
        """Yield what becomes of each place, the signature's first."""
        names = {folded(self._policy, name): at for at, name in enumerate(self._source.names)}
        taken: set[int] = set()
        for index, spec in enumerate(self._schema):
            path, place = f"$[{index}]", index if index < len(self._source) else None
            if spec.name is not None:
                path = member_path("$", spec.name)
                place = names.get(folded(self._policy, spec.name))
            if place is None:
                yield self._missing(path, spec)
                continue
            taken.add(place)
            column = self._source.field(place)
            if isinstance(spec, TensorSpec):
                yield from self._tensor(path, column, spec, taken)
            else:
                yield from self._value(path, column, spec.type, bool(spec.required))
        for place, column in enumerate(self._source):
            if place not in taken:
                yield self._extra(member_path("$", column.name), column)

    def _missing(self, path: str, spec: Spec) -> Fit:
        found = self._findings.get(path)
        level = _FITS if found is None else Compatibility.BREAKING
        note = "missing" if found is None else found.remedy or "missing"
        return Fit(path, None, _expected(spec), level, note)

    def _extra(self, path: str, column: pa.Field, inside: bool = False) -> Fit:
        shown = type_name(column)
        if inside or self._policy.extra == "forbid":
            return Fit(path, shown, None, Compatibility.BREAKING, "not declared; drop it first")
        kept = "kept" if self._policy.extra == "keep" else "dropped"
        return Fit(path, shown, None, _FITS, f"not declared; {kept}")

    def _tensor(
        self, path: str, column: pa.Field, spec: TensorSpec, taken: set[int]
    ) -> Iterator[Fit]:
        stacked = stacked_columns(self._source, Schema([spec]))
        if stacked is None:
            plan = self._planned(self._source, spec)
            yield self._single(path, column, spec, plan)
            return
        for place, one in enumerate(stacked):  # columns side by side are one tensor
            path = member_path("$", str(one.name))
            if place >= len(self._source):
                yield self._missing(path, one)
                continue
            taken.add(place)
            column = self._source.field(place)
            plan = self._planned(pa.schema([column]), one)
            yield self._single(path, column, one, plan)

    def _value(
        self, path: str, source: pa.Field, target: ColumnType, required: bool
    ) -> Iterator[Fit]:
        known = spark_type(source) is not None
        container = Fit(path, type_name(source), label(target, required), _FITS)
        match target:
            case Array() if is_list(source.type):
                yield container
                yield from self._value(
                    f"{path}[*]", source.type.value_field, target.dtype, required
                )
            case Map() if pat.is_map(source.type) and pat.is_string(source.type.key_type):
                yield container
                yield from self._value(
                    f"{path}[*]", source.type.item_field, target.value_type, required
                )
            case Object() if pat.is_struct(source.type) and not known:
                yield container
                yield from self._members(path, source, target)
            case _:
                spec = ColSpec(target, _ALONE, required)
                alone = pa.schema([source.with_name(_ALONE)])
                plan = self._planned(alone, spec)
                yield self._single(path, source, spec, plan)

    def _members(self, path: str, source: pa.Field, target: Object) -> Iterator[Fit]:
        inside = [source.type.field(place) for place in range(source.type.num_fields)]
        members = {folded(self._policy, member.name): member for member in inside}
        for wanted in target.properties:
            at = member_path(path, wanted.name)
            member = members.pop(folded(self._policy, wanted.name), None)
            if member is None:
                level = Compatibility.BREAKING if wanted.required else _FITS
                shown = label(wanted.dtype, bool(wanted.required))
                yield Fit(at, None, shown, level, "missing")
            else:
                yield from self._value(at, member, wanted.dtype, bool(wanted.required))
        for member in members.values():
            yield self._extra(member_path(path, member.name), member, inside=True)

    def _single(self, path: str, source: pa.Field, spec: Spec, plan: EnforcementPlan) -> Fit:
        """Judge a value that holds no others of the signature's."""
        observed, expected = type_name(source), _expected(spec)
        if plan.findings:
            note = plan.findings[0].remedy
            by_value = plan.policy.casts == "safe" and not self._by_value(plan, spec).findings
            level = Compatibility.LOSSY if by_value else Compatibility.BREAKING
            return Fit(path, observed, expected, level, note)
        if opaque_type(source) is not None:
            # Whatever the signature says: a model, where one is to score it, runs in Python.
            return Fit(path, observed, expected, Compatibility.BREAKING, _UNSHIPPED)
        node = plan.fields[0].node
        leaf = node.item if isinstance(node, TensorOf) else node
        if not isinstance(leaf, Leaf) or leaf.cast is Cast.IDENTITY:
            return Fit(path, observed, expected, _FITS)
        if leaf.cast is Cast.WIDEN or leaf.failure is None:
            return Fit(path, observed, expected, Compatibility.WIDENING)
        return Fit(path, observed, expected, Compatibility.LOSSY, "by value")

    def _planned(
        self, source: pa.Schema, spec: Spec, casts: Casts | None = None
    ) -> EnforcementPlan:
        # What the schema does not name is judged apart.
        policy = replace(self._policy, extra="drop", casts=casts or self._policy.casts)
        return plan_enforcement(source, Schema([spec]), policy, spark=self._spark)

    def _by_value(self, plan: EnforcementPlan, spec: Spec) -> EnforcementPlan:
        return self._planned(plan.source, spec, "lossless")


def _expected(spec: Spec) -> str:
    if isinstance(spec, TensorSpec):
        return tensor_label(spec.type, spec.shape[1:])
    return label(spec.type, bool(spec.required))
