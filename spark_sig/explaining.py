"""Explaining: asks a plan what it does with each field, before any row is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from spark_sig.compile.spark import source_schema
from spark_sig.diff.verdict import Compatibility
from spark_sig.engines.tables import stored_schema
from spark_sig.errors import SignatureError, Violation
from spark_sig.explanation import ExplainedCheck, ExplainedField, Explanation
from spark_sig.fits import Comparison, Fit
from spark_sig.gate.proofs import OFF, Proofs
from spark_sig.gate.prove import NOTHING, proving, unasked
from spark_sig.plan import EnforcementPlan, Reason, is_identity
from spark_sig.planner import Engine, plan_enforcement
from spark_sig.planning.claims import check_claims
from spark_sig.policy import Policy, policy_of
from spark_sig.report import Decided
from spark_sig.schema import Schema
from spark_sig.signature import load_signature
from spark_sig.sources import resolve

if TYPE_CHECKING:
    from spark_sig.signature import SignatureSource
    from spark_sig.sources import Data

# What an explanation says of statistics that may be asked, and of values that have none.
MAY_PROVE = "not asked; those of the files may prove some checks, with prove=True they are asked"
NO_FILES = "none: the values are on the driver"
NONE_READ = "not asked: the types alone decide"
ALL_READ = "not asked: the arrow engine reads every row"

# Elements, at the end of a path.
_INNER = re.compile(r"(?:\[\*\])+$")

_SOURCES = (pa.Table, pa.RecordBatch, pa.Schema)


def explain(
    data: Data | Any,
    signature: SignatureSource,
    *,
    policy: Policy | None = None,
    side: str = "inputs",
    version: int | None = None,
    timestamp: str | None = None,
    engine: Engine = "auto",
    stats: bool = True,
    prove: bool = False,
) -> Explanation:
    """Say for every field what decides its checks, and why it is that; no row is read.

    It is the plan that :func:`spark_sig.validate` carries out on the same arguments.  No Spark job
    runs either, unless ``prove`` asks for one, or Spark has to look for the types of Parquet files.

    Args:
        data: a DataFrame, a path of a Delta table or of Parquet files, or a catalog name; or what
            is on the driver: a pandas DataFrame, an Arrow table, batch or schema.
        signature: a signature, or anything that loads as one.
        policy: the choices that the signature leaves open; the default ones where None.
        side: ``inputs`` or ``outputs``.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.
        engine: as for :func:`spark_sig.validate`.
        stats: whether file statistics may decide checks.
        prove: whether to ask the statistics which checks they decide, for how many rows and files.

    Raises:
        SignatureError: where signature, policy, names or values cannot mean anything.
        SourceError: where the source or the version cannot be read.

    Example:
        >>> import pyarrow as pa
        >>> signature = {"inputs": '[{"type": "long", "name": "a", "required": true}]'}
        >>> found = explain(pa.schema([("a", pa.int32())]), signature)
        >>> [(field.path, field.rung.value) for field in found.fields]
        [('$.a', 'arrow')]
        >>> print(found.fields[0].why)
        null: the values are on the driver, and are checked one by one; converted in Arrow
    """
    schema = load_signature(signature).side(side)
    # as the gate does: what row mode does with rows that violate is no part of it
    policy = replace(policy_of(policy), on_violation="raise")
    if (columns := _on_driver(data)) is not None:
        if version is not None or timestamp is not None:
            raise SignatureError("values on the driver have no versions")
        plan = plan_enforcement(columns, schema, policy, engine="arrow")
        return _Explainer(plan, schema, spark=False).explanation("values", NO_FILES)
    source = resolve(data, version=version, timestamp=timestamp, counted=False)
    plan = plan_enforcement(
        # whether rows are older than NOT NULL only the log tells, in a job
        source_schema(source.frame.schema, source.imposed() if prove else ()),
        schema,
        policy,
        engine=engine,
        spark=True,
        enforced=source.enforced,
    )
    # what the gate asks no statistics for
    unable = OFF if not stats else ALL_READ if engine == "arrow" else ""
    if plan.findings:
        unable = NONE_READ
    name = str(source.info)
    if prove and not unable:
        with proving(source, plan, stats=True) as proofs:
            known = _Explainer(proofs.plan, schema, proofs=proofs)
            return known.explanation(name, proofs.statistics)
    unable = unable or unasked(source)
    claims = check_claims(plan) if not unable else {}
    claimed = {at for at in claims if plan.checks[at].scanned}
    unsure = {at for at, check in enumerate(plan.checks) if check.reason is Reason.NOT_NULL}
    told = unable or (MAY_PROVE if claimed else NOTHING)
    open_checks = frozenset(claimed if prove else claimed | unsure)
    return _Explainer(plan, schema, provable=open_checks).explanation(name, told)


def _on_driver(data: Any) -> pa.Schema | None:
    """Return the columns of values on the driver; None for what Spark has."""
    if isinstance(data, _SOURCES):
        return stored_schema(data if isinstance(data, pa.Schema) else data.schema)
    if type(data).__module__.partition(".")[0] != "pandas" or not hasattr(data, "columns"):
        return None
    try:
        columns = pa.Schema.from_pandas(data, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        # Arrow's own words may quote values
        raise SignatureError(
            "a column holds values of different types",
            remedy="spark_sig.enforce says which, value by value",
        ) from error
    return columns.remove_metadata()


class _Explainer:
    """A plan that is asked.

    Args:
        plan: the plan.
        schema: what it was made for.
        spark: whether it is for a source of Spark's.
        provable: checks that the log or statistics may decide, and were not asked about.
        proofs: what they do decide; None where they are not asked.
    """

    def __init__(
        self,
        plan: EnforcementPlan,
        schema: Schema,
        *,
        spark: bool = True,
        provable: frozenset[int] = frozenset(),
        proofs: Proofs | None = None,
    ) -> None:
        self._plan = plan
        self._places = Comparison(plan, schema, spark=spark)
        self._provable = provable
        self._decided, self._refuted = _known(proofs)
        self._checks: dict[str, list[int]] = {}
        for at, check in enumerate(plan.checks):
            self._checks.setdefault(check.path, []).append(at)

    def explanation(self, source: str, statistics: str) -> Explanation:
        """Return all that there is to say."""
        plan = self._plan
        return Explanation(source, tuple(self._fields()), plan.findings, statistics, plan.row_count)

    def _fields(self) -> Iterator[ExplainedField]:
        fits = list(self._places.fits())
        refused: dict[str, Violation] = {}
        for found in self._plan.findings:
            refused.setdefault(found.path, found)
        converted = {
            one.path: one.reason
            for one in self._plan.fields
            if one.source is not None and not is_identity(one.node)
        }
        shown = {fit.path for fit in fits}
        inner: dict[str, list[Fit]] = {}
        for path, checks in self._checks.items():
            if path not in shown:  # inside of a tensor, or of a vector
                expected = self._plan.checks[checks[0]].expected
                fit = Fit(path, None, expected, Compatibility.COMPATIBLE)
                inner.setdefault(_INNER.sub("", path), []).append(fit)
        for fit in fits:
            for one in (fit, *inner.pop(fit.path, ())):
                yield ExplainedField(
                    one.path,
                    one.expected,
                    one.observed,
                    tuple(map(self._check, self._checks.get(one.path, ()))),
                    converted.get(one.path),
                    refused.get(one.path),
                    one.note,
                )

    def _check(self, at: int) -> ExplainedCheck:
        check = self._plan.checks[at]
        return ExplainedCheck(
            check.code,
            check.reason,
            at in self._provable,
            self._decided.get(at, ()),
            self._refuted.get(at, ""),
        )


def _known(proofs: Proofs | None) -> tuple[Mapping[int, tuple[Decided, ...]], Mapping[int, str]]:
    """Return what decides each check that statistics were asked about, and what they refute."""
    if proofs is None or proofs.groups is None:
        return {}, {}
    rows = sum(group.rows for group in proofs.groups)
    return proofs.decided(rows) or {}, proofs.refuted
