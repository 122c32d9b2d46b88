"""Tallies: what was found of rows that were scored, as commits say it and as reports do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from spark_sig.errors import Code
from spark_sig.integrations.mlflow.predictions import OUTPUTS, declared_checks
from spark_sig.plan import EnforcementPlan, Rung
from spark_sig.planner import VIOLATIONS
from spark_sig.policy import Policy
from spark_sig.report import CheckResult, Decided, Report, Source
from spark_sig.schema import Schema
from spark_sig.settled import settled_fields
from spark_sig.signature import ModelSignature
from spark_sig.tally import OBSERVED, CheckTally, Tally

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The violations by a row's prediction, to Spark's functions on arrays.
_BY_PREDICTION = f"filter({VIOLATIONS}, v -> startswith(v.path, '{OUTPUTS}'))"

# What tells a check from others: path, code, and what is expected.
_Key: TypeAlias = "tuple[str, str, str]"


class Violated(NamedTuple):
    """A check that some rows violate.

    Args:
        path: place in a row, or, below ``$outputs``, in a prediction.
        code: what is wrong.
        expected: what the signature asks for.
        rows: how many violate it.
        observed: the smallest distinct observations.
    """

    path: str
    code: str
    expected: str
    rows: int
    observed: Sequence[str]

    @property
    def key(self) -> _Key:
        """What tells the check from others."""
        return self.path, self.code, self.expected


class Violations(NamedTuple):
    """Rows of one kind that violate.

    Args:
        rows: how many there are.
        violated: the checks that they violate.
    """

    rows: int = 0
    violated: tuple[Violated, ...] = ()

    @classmethod
    def of(cls, report: Report) -> Violations:
        """Return what a report says of rows."""
        found = (
            Violated(check.path, check.code.value, check.expected, check.count, check.observed)
            for check in report.checks
            if check.count
        )
        return cls(report.rows.violating, tuple(found))

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Violations:
        """Return what :meth:`record` has made."""
        return cls(int(record["rows"]), tuple(Violated(*one) for one in record["violated"]))

    def record(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {
            "rows": self.rows,
            "violated": [[*one[:-1], list(one.observed)] for one in self.violated],
        }


class Tagged(NamedTuple):
    """What was found of rows that were scored and tagged.

    Args:
        rows: how many violate themselves: there are no predictions of them.
        predictions: those whose predictions violate.
    """

    rows: int
    predictions: Violations

    @classmethod
    def of(cls, tagged: DataFrame) -> Tagged:
        """Tally tagged rows: one query counts them, a second one says which checks are violated."""
        from pyspark.sql import functions as F

        bad = tagged.where(f"size({VIOLATIONS}) > 0").selectExpr(f"{_BY_PREDICTION} AS found")
        [(others, rows)] = bad.selectExpr(
            "count_if(size(found) = 0)", "count_if(size(found) > 0)"
        ).collect()
        if not rows:
            return cls(others, Violations())
        each = bad.selectExpr("explode(found) AS one").selectExpr("one.*")
        counted = each.groupBy("path", "code", "expected").agg(
            F.count("*"), F.slice(F.array_sort(F.collect_set("observed")), 1, OBSERVED)
        )
        violated = (Violated(*row) for row in sorted(counted.collect()))
        return cls(others, Violations(rows, tuple(violated)))


class Scored(NamedTuple):
    """What a run has found of the rows of its source.

    Args:
        rows: how many there are.
        inputs: those that violate themselves.
        predictions: those whose predictions violate.
    """

    rows: int
    inputs: Violations = Violations()
    predictions: Violations = Violations()

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Scored:
        """Return what :meth:`record` has made."""
        kinds = (Violations.read(record[name]) for name in ("inputs", "predictions"))
        return cls(int(record["rows"]), *kinds)

    def record(self) -> dict[str, Any]:
        """Return it as JSON values."""
        kinds = {"inputs": self.inputs.record(), "predictions": self.predictions.record()}
        return {"rows": self.rows, **kinds}

    def on_inputs(self, plan: EnforcementPlan, signature: ModelSignature, source: Source) -> Report:
        """Return the report on the inputs, without another look at the rows.

        Args:
            plan: what they were held to.
            signature: the model's.
            source: what they are of.
        """
        places = {
            (check.path, check.code.value, check.expected): at
            for at, check in enumerate(plan.checks)
        }
        known = {
            places[one.key]: CheckTally(one.rows, tuple(one.observed))
            for one in self.inputs.violated
            if one.key in places
        }
        report = Report.of(
            plan,
            Tally(plan.policy.examples, self.rows, self.inputs.rows, known),
            signature=signature.fingerprint,
            side="inputs",
            source=source,
            expected_rows=self.rows,
            schema=signature.side("inputs"),
        )
        # a release that plans otherwise has checks of other names
        others = [one for one in self.inputs.violated if one.key not in places]
        return replace(report, checks=(*report.checks, *_results(others, self.rows)))


def with_predictions(inputs: Report, found: Violations, outputs: Schema, policy: Policy) -> Report:
    """Return the report on the inputs with what was found of the predictions.

    Args:
        inputs: the report on all rows, before they were scored.
        found: the predictions that violate.
        outputs: what they were held to.
        policy: the choices.
    """
    rows, known = inputs.rows, {one.key: one for one in found.violated}
    checks = []
    for check in declared_checks(outputs, policy):
        key = check.path, check.code.value, check.expected
        checks.append(known.pop(key, Violated(*key, 0, ())))
    # casts are checked too, where a model gives other types than it declares
    results = _results([*checks, *known.values()], rows.valid)
    rows = replace(rows, valid=rows.valid - found.rows, violating=rows.violating + found.rows)
    settled = settled_fields(outputs, [check.path for check in results], root=OUTPUTS)
    return replace(
        inputs,
        rows=rows,
        checks=(*inputs.checks, *results),
        settled=(*inputs.settled, *settled),
    )


def _results(violated: Iterable[Violated], rows: int) -> list[CheckResult]:
    decided = (Decided(Rung.ARROW, rows),)
    return [
        CheckResult(path, Code(code), expected, count, tuple(observed), decided=decided)
        for path, code, expected, count, observed in violated
    ]
