"""Tallies: what was found of predictions, as a run's commits say it and as a report does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.errors import Code
from spark_sig.integrations.mlflow.predictions import OUTPUTS, declared_checks
from spark_sig.plan import Rung
from spark_sig.planner import VIOLATIONS
from spark_sig.policy import Policy
from spark_sig.report import CheckResult, Decided, Report
from spark_sig.schema import Schema
from spark_sig.tally import OBSERVED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The violations by a row's prediction, to Spark's functions on arrays.
_BY_PREDICTION = f"filter({VIOLATIONS}, v -> startswith(v.path, '{OUTPUTS}'))"


class Violated(NamedTuple):
    """A check on predictions that some violate.

    Args:
        path: place in a prediction, below ``$outputs``.
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


class Predicted(NamedTuple):
    """What was found of rows that were scored and tagged.

    Args:
        rows: rows whose predictions violate.
        others: rows that violate themselves, of which there are no predictions.
        violated: the checks that predictions violate.
    """

    rows: int = 0
    others: int = 0
    violated: Sequence[Violated] = ()

    @classmethod
    def of(cls, tagged: DataFrame) -> Predicted:
        """Tally tagged rows; there are few kinds of violations, as these name classes of values."""
        found = tagged.where(f"size({VIOLATIONS}) > 0").selectExpr(f"{_BY_PREDICTION} AS found")
        rows, others = 0, 0
        seen = dict[tuple[str, str, str], tuple[int, frozenset[str]]]()
        for kind in found.groupBy("found").count().collect():
            count = int(kind["count"])
            if not kind["found"]:
                others += count
                continue
            rows += count
            for one in kind["found"]:
                key = one["path"], one["code"], one["expected"]
                times, observed = seen.get(key, (0, frozenset()))
                seen[key] = times + count, observed | {one["observed"]}
        violated = [
            Violated(*key, times, sorted(observed)[:OBSERVED])
            for key, (times, observed) in sorted(seen.items())
        ]
        return cls(rows, others, violated)

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Predicted:
        """Return what :meth:`record` has made."""
        violated = [Violated(*one) for one in record["violated"]]
        return cls(int(record["rows"]), int(record["others"]), violated)

    def record(self) -> dict[str, Any]:
        """Return it as JSON values."""
        violated = [[*one[:-1], list(one.observed)] for one in self.violated]
        return {"rows": self.rows, "others": self.others, "violated": violated}

    def added(self, inputs: Report, outputs: Schema, policy: Policy) -> Report:
        """Return the report on the inputs with what was found of the predictions.

        Args:
            inputs: the report on all rows, before they were scored.
            outputs: what predictions were held to.
            policy: the choices.
        """
        rows = inputs.rows
        scored = rows.valid
        counts = {(one.path, one.code, one.expected): one for one in self.violated}
        decided = (Decided(Rung.ARROW, scored),)
        checks = []
        for check in declared_checks(outputs, policy):
            key = check.path, check.code.value, check.expected
            found = counts.pop(key, Violated(*key, 0, ()))
            checks.append(_result(found, decided))
        # casts are checked too, where a model gives other types than it declares
        checks += [_result(found, decided) for found in counts.values()]
        rows = replace(rows, valid=rows.valid - self.rows, violating=rows.violating + self.rows)
        return replace(inputs, rows=rows, checks=(*inputs.checks, *checks))


def _result(found: Violated, decided: tuple[Decided, ...]) -> CheckResult:
    path, code, expected, rows, observed = found
    return CheckResult(path, Code(code), expected, rows, tuple(observed), decided=decided)
