"""Reports: the verdict on a whole source, or on a part of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spark_sig.errors import Code, SignatureError, Violation
from spark_sig.plan import EnforcementPlan, Rung
from spark_sig.policy import Policy
from spark_sig.report.check import CheckResult
from spark_sig.report.evidence import Audit, Decided, Evidence
from spark_sig.report.source import Rows, Source
from spark_sig.report.transfer import Transfer
from spark_sig.schema import Schema
from spark_sig.settled import Settled, settled_fields
from spark_sig.tally import CheckTally, Tally

# Version of the JSON form; published in render/report.schema.json.
FORMAT = "spark_sig.report/3"

# The remark on a source without rows, which conforms.
NO_ROWS = "there are no rows: nothing was checked but types"


def least_rows(number: int) -> int:
    """Return how many rows there must be at least, as it was given.

    Raises:
        SignatureError: where it is no number of rows.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise SignatureError(
            "the least number of rows must be a whole number, 0 or more",
            path="min_rows",
            observed=repr(number),
        )
    return number


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
        suspect = schema is not None and rejects and schema.all_required
        findings = tuple(
            CheckResult(v.path, v.code, v.expected, None, (v.observed,), (), v.remedy)
            for v in plan.findings
        )
        known, failed = decided or {}, refuted or {}
        results = tuple(
            CheckResult.of(
                check,
                tally.checks.get(index, CheckTally()),
                suspect=suspect,
                decided=known.get(index, (Decided(check.rung, tally.rows, source.files),)),
                refuted=failed.get(index),
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
        return self.expected_rows == self.rows.counted

    @property
    def sound(self) -> bool:
        """Whether what was seen can be believed, as every row was and no audit found a lie."""
        return self.complete and not (self.audit and self.audit.lies)

    @property
    def unread(self) -> bool:
        """Whether no row had to be counted, as types or statistics decide."""
        return any(check.count is None for check in self.checks)

    def skipped(self, check: CheckResult) -> bool:
        """Say whether nothing decided a check, as others gave the verdict and no row was read."""
        return self.unread and not check.reached

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
        if [check.asked for check in self.checks] != [check.asked for check in other.checks]:
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
                a.plus(b, self.policy.examples)
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


def _both(a: Audit | None, b: Audit | None) -> Audit | None:
    if a is None or b is None:
        return a or b
    return Audit(a.share, a.files + b.files, a.rows + b.rows, (*a.lies, *b.lies))
