"""Reports: the verdict on a whole source, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from spark_sig.errors import Code, Violation, assert_never
from spark_sig.plan import Check, EnforcementPlan, Rung
from spark_sig.policy import Policy
from spark_sig.schema import ColSpec, Schema
from spark_sig.settled import Settled, settled_fields
from spark_sig.tally import CheckTally, Example, Tally, smallest
from spark_sig.types import AnyType, Array, ColumnType, DataType, Map, Object, SparkMLVector

# Version of the JSON form; published in render/report.schema.json.
FORMAT = "spark_sig.report/3"

# What may be wrong with the signature itself: MLflow's inference from Spark has no optional field.
REINFER = "re-infer the signature, or nulls='allow'"

# The remark on a source without rows, which conforms.
NO_ROWS = "there are no rows: nothing was checked but types"


_RUNGS = list(Rung)
_UNREAD = frozenset({Rung.SCHEMA, Rung.STATS, Rung.LEDGER})


@dataclass(frozen=True, slots=True)
class Source:
    """What was checked.

    Args:
        kind: ``delta``, ``parquet``, ``dataframe`` or ``values``.
        name: the path or name as given; empty for a DataFrame.
        table_id: Delta's table id, else None.
        version: the version that every read used, None where there is none.
        files: number of data files at that version, None where unknown.
        pinned: whether every read is of one version.
        uncounted: number of files whose rows the table's log does not count.
    """

    kind: str
    name: str = ""
    table_id: str | None = None
    version: int | None = None
    files: int | None = None
    pinned: bool = False
    uncounted: int = 0

    def __str__(self) -> str:
        if not self.pinned:
            return " ".join(filter(None, (self.kind, self.name))) + ", unpinned"
        at = "" if self.version is None else f" at version {self.version}"
        return f"{self.kind} {self.name}{at}"


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows there were."""

    total: int = 0
    valid: int = 0
    violating: int = 0
    uncounted: int = 0  # those in files whose rows the table's log does not count

    def __add__(self, other: Rows) -> Rows:
        return Rows(
            self.total + other.total,
            self.valid + other.valid,
            self.violating + other.violating,
            self.uncounted + other.uncounted,
        )


@dataclass(frozen=True, slots=True)
class Decided:
    """What decided a check for some of the rows.

    Args:
        rung: what decided it.
        rows: how many rows.
        files: how many data files they lie in; None where files are not known.
    """

    rung: Rung
    rows: int
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Lie:
    """A check that an audit found violated in files that had been proven.

    Args:
        path: place in a row; ``$`` where the number of rows is wrong.
        code: what is wrong.
        claimed: what had been proven.
        found: what the audit found.
    """

    path: str
    code: Code
    claimed: str
    found: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What became of proven files that were read nevertheless.

    Args:
        share: the share of the proven files that was asked for, 0 to 1.
        files: files read.
        rows: rows read.
        lies: what was wrong.
    """

    share: float
    files: int
    rows: int
    lies: tuple[Lie, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on besides rows.

    Args:
        statistics: which statistics were asked, or why none were.
        files_read: data files that rows were read of; None where files are not known.
        ledger: what the ledger gave and took; empty where there is none.
    """

    statistics: str = ""
    files_read: int | None = None
    ledger: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """Rows that were written to a table.

    Args:
        table: its name or path, as given.
        table_id: its own id.
        version: the version that they made.
        rows: how many they are.
    """

    table: str
    table_id: str
    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """What became of the rows, where they were to be written.

    Args:
        run_id: the name of the run; empty where it has none, as nothing was written.
        mode: ``append``, ``overwrite`` or ``replace-partitions``.
        conformed: the rows that conform; None where nothing was written.
        quarantine: the rows that violate; None where nothing was written.
        note: why nothing was written; empty where something was.
    """

    run_id: str
    mode: str
    conformed: Written | None = None
    quarantine: Written | None = None
    note: str = ""

    @classmethod
    def refused(cls, run_id: str | None, mode: str, why: str) -> Transfer:
        """Return what became of rows of which none was written, and say why."""
        return cls(run_id or "", mode, note=f"nothing was written: {why}")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What became of one check.

    Args:
        path: place in a row.
        code: what is wrong where it fails.
        expected: what the signature asks for.
        count: rows that violate it; None for a finding, which types decide, or statistics.
        observed: the smallest distinct observations.
        examples: the smallest examples by key.
        remedy: what the user can do; empty where nothing is known to help.
        decided: what decided it, for how many rows each.  Evidence, not verdict: equality leaves
            it out.
    """

    path: str
    code: Code
    expected: str
    count: int | None
    observed: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    remedy: str = ""
    decided: tuple[Decided, ...] = field(default=(Decided(Rung.SCHEMA, 0),), compare=False)

    @property
    def violated(self) -> bool:
        """Whether anything violates it."""
        return self.count is None or self.count > 0

    @property
    def rung(self) -> Rung:
        """The dearest rung that was needed to decide it."""
        return max((part.rung for part in self.decided), key=_RUNGS.index)

    @property
    def proven(self) -> float:
        """The share of the rows that no scan was needed for."""
        rows = sum(part.rows for part in self.decided)
        if not rows:
            return float(self.rung in _UNREAD)
        return sum(part.rows for part in self.decided if part.rung in _UNREAD) / rows


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on a source, or on a part of one: a commutative monoid under ``+``.

    Args:
        signature: fingerprint of the signature (SHA-256 of its canonical JSON), empty in the
            report of nothing.
        side: ``inputs`` or ``outputs``.
        policy: the choices that it was made under.
        source: what was checked.
        rows: rows seen or proven.
        checks: findings first, then every check on rows, in the plan's order.
        expected_rows: rows that the source's files say there are, as far as they say
            (``source.uncounted``); None where nothing says so.
        min_rows: rows that there must be at least.
        row_count: rows that a tensor's fixed first axis asks for; None where any number will do.
        row_key: names of the columns that the examples' keys are made of.
        warnings: remarks that do not change the verdict; ``remarks`` has the one on no rows too.
        audit: what became of proven files that were read nevertheless; None where none were.
        evidence: what the verdict rests on besides rows; equality leaves it out.
        transfer: what became of the rows, where they were to be written; equality leaves it out.
        settled: fields that no check is needed for; equality leaves them out.
    """

    signature: str = ""
    side: str = "inputs"
    policy: Policy = field(default_factory=Policy)
    source: Source = field(default_factory=lambda: Source("values"))
    rows: Rows = field(default_factory=Rows)
    checks: tuple[CheckResult, ...] = ()
    expected_rows: int | None = None
    min_rows: int = 0
    row_count: int | None = None
    row_key: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    audit: Audit | None = None
    evidence: Evidence = field(default=Evidence(), compare=False)
    transfer: Transfer | None = field(default=None, compare=False)
    settled: tuple[Settled, ...] = field(default=(), compare=False)

    @classmethod
    def empty(cls) -> Report:
        """Return the report of nothing, the neutral element of ``+``."""
        return cls()

    @classmethod
    def of(
        cls,
        plan: EnforcementPlan,
        tally: Tally,
        *,
        signature: str,
        side: str,
        source: Source,
        expected_rows: int | None = None,
        min_rows: int = 0,
        row_key: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
        schema: Schema | None = None,
        uncounted: int = 0,
        decided: Mapping[int, tuple[Decided, ...]] | None = None,
        refuted: Mapping[int, str] | None = None,
        audit: Audit | None = None,
        evidence: Evidence | None = None,
    ) -> Report:
        """Say what a plan and the tally of all rows under it amount to.

        Args:
            plan: what the rows were held to.
            tally: what was seen of them.
            signature: the signature's fingerprint.
            side: ``inputs`` or ``outputs``.
            source: what was checked.
            expected_rows: rows that the source's files say there are.
            min_rows: rows that there must be at least.
            row_key: names of the columns that the examples' keys are made of.
            warnings: remarks that do not change the verdict.
            schema: the side of the signature that the plan was made for; its fields without a
                check are named too, and where none is optional, NULLs get a remedy that says so.
            uncounted: rows seen in files whose rows the table's log does not count.
            decided: what decided the checks, by id; the plan's rungs where None.
            refuted: checks that statistics refute, no row having been read, and what they observe.
            audit: what an audit found.
            evidence: what the verdict rests on besides rows.
        """
        # Where NaN violates too, a tally cannot tell which of the two it was.
        policy = plan.policy
        rejects = policy.nulls == "reject" and policy.nan == "allow"
        suspect = schema is not None and rejects and all_required(schema)
        findings = tuple(
            CheckResult(v.path, v.code, v.expected, None, (v.observed,), (), v.remedy)
            for v in plan.findings
        )
        known, failed = decided or {}, refuted or {}
        results = tuple(
            _result(
                check,
                tally.checks.get(index, CheckTally()),
                suspect,
                known.get(index, (Decided(check.rung, tally.rows, source.files),)),
                failed.get(index),
            )
            for index, check in enumerate(plan.checks)
        )
        places = [check.path for check in (*findings, *results)]
        return cls(
            signature,
            side,
            plan.policy,
            source,
            Rows(tally.rows, tally.rows - tally.violating, tally.violating, uncounted),
            findings + results,
            expected_rows,
            min_rows,
            plan.row_count,
            row_key,
            tuple(sorted({*warnings})),
            audit,
            evidence or Evidence(),
            settled=() if schema is None else settled_fields(schema, places),
        )

    @property
    def complete(self) -> bool:
        """Whether every row that the source's files promise was seen or proven.

        A finding by types or statistics needs no rows and is complete.
        """
        if self.unread:
            return True
        if self.expected_rows is None:
            return True
        return self.expected_rows == self.rows.total - self.rows.uncounted

    @property
    def sound(self) -> bool:
        """Whether what was seen can be believed, as every row was and no audit found a lie."""
        return self.complete and not (self.audit and self.audit.lies)

    @property
    def unread(self) -> bool:
        """Whether no row had to be counted, as types or statistics decide."""
        return any(check.count is None for check in self.checks)

    @property
    def remarks(self) -> tuple[str, ...]:
        """All remarks that do not change the verdict."""
        return tuple(sorted({*self.warnings, *self.derived_remarks}))

    @property
    def derived_remarks(self) -> tuple[str, ...]:
        """The remarks that follow from the rest.

        They are not kept: one empty part of a source says nothing of the whole.
        """
        made = []
        if not self.rows.total and not self.unread and self.signature:
            made.append(NO_ROWS)
        assumed = [check.path for check in self.checks if check.rung is Rung.ASSUMED]
        if assumed:
            shown = ", ".join(assumed[:5]) + (" and others" if len(assumed) > 5 else "")
            made.append(
                "not checked for NULL, as Spark declares it non-null and skips the check, though "
                f"nothing enforces that: {shown}"
            )
        return tuple(made)

    @property
    def conforms(self) -> bool:
        """Whether the whole source fits the signature."""
        return (
            self.sound
            and not any(check.violated for check in self.checks)
            and self._row_count_violation() is None
        )

    @property
    def violations(self) -> tuple[Violation, ...]:
        """One violation for each check that is violated, and for a wrong number of rows."""
        found = [
            Violation(c.path, c.code, c.expected, ", ".join(c.observed), c.remedy)
            for c in self.checks
            if c.violated
        ]
        row_count = self._row_count_violation()
        return (*found, row_count) if row_count else tuple(found)

    def _row_count_violation(self) -> Violation | None:
        total = self.rows.total
        if self.unread:
            return None
        if self.row_count is not None and total != self.row_count:
            return Violation("$", Code.ROW_COUNT, f"{self.row_count} rows", f"{total} rows")
        if total < self.min_rows:
            return Violation("$", Code.ROW_COUNT, f"at least {self.min_rows} rows", f"{total} rows")
        return None

    def __add__(self, other: Report) -> Report:
        """Add the report of other rows of the same source.

        Raises:
            ValueError: where the two are not about one signature, source and policy.
        """
        if not self.signature:
            return other
        if not other.signature:
            return self
        for name in ("signature", "side", "policy", "source", "min_rows", "row_count", "row_key"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(f"reports that differ in {name} do not add up")
        if list(map(_asked, self.checks)) != list(map(_asked, other.checks)):
            raise ValueError("reports on different checks do not add up")
        expected = (
            None
            if self.expected_rows is None or other.expected_rows is None
            else self.expected_rows + other.expected_rows
        )
        return replace(
            self,
            rows=self.rows + other.rows,
            checks=tuple(
                _plus(a, b, self.policy.examples)
                for a, b in zip(self.checks, other.checks, strict=True)
            ),
            expected_rows=expected,
            warnings=tuple(sorted({*self.warnings, *other.warnings})),
            audit=_both(self.audit, other.audit),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; see ``render/report.schema.json``."""
        from spark_sig.render.document import report_document

        return report_document(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the report as JSON text."""
        from spark_sig.render.document import report_json

        return report_json(self, indent=indent)

    def to_text(self) -> str:
        """Return the report as plain text for a terminal."""
        from spark_sig.render.text import report_text

        return report_text(self)

    def to_html(self) -> str:
        """Return the report as one HTML page that needs nothing else."""
        from spark_sig.render.page.whole import report_page

        return report_page(self)

    def to_junit(self) -> str:
        """Return the report as JUnit's XML, for servers that run tests."""
        from spark_sig.render.junit import report_junit

        return report_junit(self)

    def _repr_html_(self) -> str:
        from spark_sig.render.summary import report_summary

        return report_summary(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Report:
        """Read what :meth:`to_dict` gave."""
        from spark_sig.render.document import report_from_document

        return report_from_document(document)


def _result(
    check: Check,
    tally: CheckTally,
    suspect: bool,
    decided: tuple[Decided, ...],
    refuted: str | None,
) -> CheckResult:
    by_nulls = check.code is Code.NULL and (tally.count > 0 or refuted is not None)
    return CheckResult(
        check.path,
        check.code,
        check.expected,
        tally.count if refuted is None else None,
        tally.observed if refuted is None else (refuted,),
        tally.examples,
        REINFER if suspect and by_nulls else "",
        decided,
    )


def _both(a: Audit | None, b: Audit | None) -> Audit | None:
    if a is None or b is None:
        return a or b
    return Audit(a.share, a.files + b.files, a.rows + b.rows, (*a.lies, *b.lies))


def _plus_decided(a: tuple[Decided, ...], b: tuple[Decided, ...]) -> tuple[Decided, ...]:
    """Add up what decided a check in two parts of a source; files may lie in both."""
    rows = {part.rung: 0 for part in (*a, *b)}
    for part in (*a, *b):
        rows[part.rung] += part.rows
    return tuple(Decided(rung, rows[rung]) for rung in _RUNGS if rung in rows)


def _asked(check: CheckResult) -> tuple[object, ...]:
    """Return what a check asked, and a finding's answer: the same in all parts of a source."""
    finding = (check.observed, check.remedy) if check.count is None else None
    return check.path, check.code, check.expected, finding


def _plus(a: CheckResult, b: CheckResult, limit: int) -> CheckResult:
    if a.count is None or b.count is None:
        return a
    both = CheckTally(a.count, a.observed, a.examples).plus(
        CheckTally(b.count, b.observed, b.examples), limit
    )
    return replace(
        a,
        count=both.count,
        observed=both.observed,
        examples=smallest(both.examples, limit),
        remedy=a.remedy or b.remedy,
        decided=_plus_decided(a.decided, b.decided),
    )


def all_required(schema: Schema) -> bool:
    """Say whether a schema has columns, and no optional field at any level."""
    return all(isinstance(s, ColSpec) and bool(s.required) and _required(s.type) for s in schema)


def _required(dtype: ColumnType) -> bool:
    match dtype:
        case Array():
            return _required(dtype.dtype)
        case Map():
            return _required(dtype.value_type)
        case Object():
            return all(p.required and _required(p.dtype) for p in dtype.properties)
        case DataType() | AnyType() | SparkMLVector():
            return True
        case _:
            assert_never(dtype)


def policy_fields(policy: Policy) -> dict[str, Any]:
    """Return a policy's choices by name."""
    return {f.name: getattr(policy, f.name) for f in fields(policy)}
