"""The JSON document of a report."""

from __future__ import annotations

import decimal
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any

from spark_sig.errors import Code, SignatureError, Violation
from spark_sig.plan import Rung
from spark_sig.policy import Policy
from spark_sig.report import (
    FORMAT,
    Audit,
    CheckResult,
    Decided,
    Evidence,
    Lie,
    Report,
    Rows,
    Source,
    Transfer,
    Written,
)
from spark_sig.settled import Settled
from spark_sig.tally import Cell, Example


def report_document(report: Report) -> dict[str, Any]:
    """Return a report as JSON values, as ``report.schema.json`` beside this module describes them.

    Verdict, completeness, violations and remarks follow from the rest, and are there for readers.

    Example:
        >>> document = report_document(Report.empty())
        >>> document["format"], document["conforms"], document["rows"]["total"]
        ('spark_sig.report/3', True, 0)
    """
    source = report.source
    return {
        "format": FORMAT,
        "conforms": report.conforms,
        "complete": report.complete,
        "signature": report.signature,
        "side": report.side,
        "policy": report.policy.to_dict(),
        "source": {
            "text": str(source),
            "kind": source.kind,
            "name": source.name,
            "table_id": source.table_id,
            "version": source.version,
            "files": source.files,
            "pinned": source.pinned,
            "uncounted": source.uncounted,
        },
        "rows": {
            "total": report.rows.total,
            "valid": report.rows.valid,
            "violating": report.rows.violating,
            "uncounted": report.rows.uncounted,
        },
        "expected_rows": report.expected_rows,
        "min_rows": report.min_rows,
        "row_count": report.row_count,
        "row_key": list(report.row_key),
        "checks": [_check(check) for check in report.checks],
        "violations": [_violation(violation) for violation in report.violations],
        "warnings": list(report.remarks),
        "audit": _audit(report.audit),
        "evidence": asdict(report.evidence),
        "transfer": None if report.transfer is None else asdict(report.transfer),
        "settled": [field._asdict() for field in report.settled],
    }


def _check(check: CheckResult) -> dict[str, Any]:
    return {
        "path": check.path,
        "code": check.code.value,
        "expected": check.expected,
        "count": check.count,
        "observed": list(check.observed),
        "examples": [_example(example) for example in check.examples],
        "remedy": check.remedy,
        "rung": check.rung.value,
        "proven": check.proven,
        "decided": [
            {"rung": part.rung.value, "rows": part.rows, "files": part.files}
            for part in check.decided
        ],
    }


def _audit(audit: Audit | None) -> dict[str, Any] | None:
    if audit is None:
        return None
    return {
        "share": audit.share,
        "files": audit.files,
        "rows": audit.rows,
        "lies": [
            {"path": lie.path, "code": lie.code.value, "claimed": lie.claimed, "found": lie.found}
            for lie in audit.lies
        ],
    }


def _read_audit(document: Mapping[str, Any] | None) -> Audit | None:
    if document is None:
        return None
    lies = (
        Lie(lie["path"], Code(lie["code"]), lie["claimed"], lie["found"])
        for lie in document["lies"]
    )
    return Audit(document["share"], document["files"], document["rows"], tuple(lies))


def _read_transfer(document: Mapping[str, Any] | None) -> Transfer | None:
    if document is None:
        return None
    written = {
        name: document[name] and Written(**document[name]) for name in ("conformed", "quarantine")
    }
    return Transfer(**{**document, **written})


def _example(example: Example) -> dict[str, Any]:
    shown = {} if example.value is None else {"value": example.value}
    return {"key": list(map(pack, example.key)), "observed": example.observed, **shown}


def _violation(violation: Violation) -> dict[str, Any]:
    return {
        "path": violation.path,
        "code": violation.code.value,
        "expected": violation.expected,
        "observed": violation.observed,
        "remedy": violation.remedy,
    }


def pack(cell: Cell) -> object:
    """Write a cell of a row key as JSON, which has no decimals, no NaN and no infinities.

    Example:
        >>> pack(decimal.Decimal("1.10")), pack(float("nan"))
        ({'decimal': '1.10'}, {'float': 'nan'})
    """
    if isinstance(cell, decimal.Decimal):
        return {"decimal": str(cell)}
    if isinstance(cell, float) and not math.isfinite(cell):
        return {"float": str(cell)}
    return cell


def unpack(value: Any) -> Cell:
    """Read what :func:`pack` wrote."""
    match value:
        case {"decimal": str(text)}:
            return decimal.Decimal(text)
        case {"float": str(text)}:
            return float(text)
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"{value!r} is no cell")


def report_json(report: Report, *, indent: int | None = 2) -> str:
    """Return a report as JSON text; equal reports on equal evidence give equal text."""
    document = report_document(report)
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, which a broken name may hold, has no place in UTF-8.
    broken = any("\ud800" <= character <= "\udfff" for character in text)
    return json.dumps(document, indent=indent, allow_nan=False) if broken else text


def report_schema() -> str:
    """Return the JSON Schema of the document, by which any validator can check it."""
    return (files(__package__) / "report.schema.json").read_text(encoding="utf-8")


def report_from_document(document: Mapping[str, Any]) -> Report:
    """Read the report that :func:`report_document` wrote.

    Raises:
        SignatureError: where it is no report, or one of another format.
    """
    found = document.get("format") if isinstance(document, Mapping) else None
    if found != FORMAT:
        raise SignatureError(
            "this is no report that can be read", path="$.format", expected=FORMAT,
            observed=repr(found)[:80],
        )  # fmt: skip
    try:
        source = {key: value for key, value in document["source"].items() if key != "text"}
        report = Report(
            document["signature"],
            document["side"],
            Policy(**document["policy"]),
            Source(**source),
            Rows(**document["rows"]),
            tuple(map(_read_check, document["checks"])),
            document["expected_rows"],
            document["min_rows"],
            document["row_count"],
            tuple(document["row_key"]),
            tuple(document["warnings"]),
            _read_audit(document["audit"]),
            Evidence(**document["evidence"]),
            _read_transfer(document["transfer"]),
            # reports that were written before there were any have none
            tuple(Settled(**field) for field in document.get("settled", ())),
        )
        derived = report.derived_remarks
        return replace(report, warnings=tuple(w for w in report.warnings if w not in derived))
    except (KeyError, TypeError, ValueError, AttributeError, decimal.InvalidOperation) as error:
        if isinstance(error, SignatureError):
            raise
        raise SignatureError(f"the report is malformed: {error!r}"[:200], path="$") from error


def _read_check(document: Mapping[str, Any]) -> CheckResult:
    return CheckResult(
        document["path"],
        Code(document["code"]),
        document["expected"],
        document["count"],
        tuple(document["observed"]),
        tuple(
            Example(tuple(map(unpack, example["key"])), example["observed"], example.get("value"))
            for example in document["examples"]
        ),
        document["remedy"],
        tuple(
            Decided(Rung(part["rung"]), part["rows"], part["files"]) for part in document["decided"]
        ),
    )
