"""A report as plain text for a terminal."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from spark_sig.errors import Code
from spark_sig.plan import Rung
from spark_sig.policy import Policy
from spark_sig.report import Audit, CheckResult, Decided, Report, Transfer
from spark_sig.tally import Cell, Example

# How many violated checks are shown; the report itself has them all.
SHOWN = 20

_WIDEST = {"path": 36, "expected": 30, "observed": 30, "keys": 24}
_NARROWEST = 8
_GAP = "  "

# What decided a check, in words.
DECIDED: dict[Rung, str] = {
    Rung.SCHEMA: "by types and constraints alone",
    Rung.ASSUMED: "assumed, as Spark calls the column nullable=False and checks no more",
    Rung.STATS: "by file statistics",
    Rung.LEDGER: "by an earlier run on the same files",
    Rung.CATALYST: "on every row, within Spark's scan",
    Rung.ARROW: "on every row, in Arrow batches",
}


def report_text(report: Report, *, width: int = 100) -> str:
    """Return a report as text: the verdict, what was checked, what is wrong, what to do.

    Args:
        report: what to show.
        width: columns of the terminal; longer cells are cut, and end in ``…``.

    Example:
        >>> print(report_text(Report.empty()))
        CONFORMS
          source        values, unpinned
          rows          0
          completeness  nothing to reconcile with
          policy        default
    """
    parts = [verdict(report)]
    parts += _aligned(facts(report))
    table, more = violation_table(report)
    if len(table) > 1:
        parts += ["", *_table(table, width)]
        if more:
            parts.append(f"{_GAP}... and {more:,} more")
    decided = rung_counts(report)
    if decided:
        parts += ["", "How the checks were decided", *_aligned(decided)]
    for title, notes in (("Warnings", report.remarks), ("Remedies", remedies(report))):
        if notes:
            parts += ["", title, *(f"{_GAP}{printable(note)}" for note in notes)]
    return "\n".join(part.rstrip() for part in parts)


# --- what there is to say -----------------------------------------------------------------------


def verdict(report: Report) -> str:
    """Say in one line whether the source fits."""
    if report.conforms:
        return "CONFORMS"
    if report.audit and report.audit.lies:
        return "DOES NOT CONFORM: the audit found files that were wrongly proven"
    violated = len(report.violations)
    if not violated:
        seen = report.rows.counted
        more = report.expected_rows is not None and seen > report.expected_rows
        why = "more rows were seen than the files hold" if more else "not every row was seen"
        return f"DOES NOT CONFORM: {why}"
    checks = "1 check is" if violated == 1 else f"{violated:,} checks are"
    return f"DOES NOT CONFORM: {checks} violated"


def facts(report: Report) -> list[tuple[str, str]]:
    """Say what was checked, and how much of it."""
    source = str(report.source)
    if report.source.files is not None:
        source += f", {count_of(report.source.files, 'file')}"
    found = [("source", source)]
    if report.signature:
        found.append(("signature", f"{report.signature[:16]} ({report.side})"))
    found.append(("rows", _rows(report)))
    found.append(("completeness", _completeness(report)))
    found.append(("policy", policy_text(report.policy)))
    evidence = report.evidence
    if evidence.statistics:
        found.append(("statistics", evidence.statistics))
    if evidence.ledger:
        found.append(("ledger", evidence.ledger))
    if report.audit is not None:
        found.append(("audit", _audit(report.audit)))
    if report.transfer is not None:
        found += _transfer(report.transfer)
    return [(name, printable(text)) for name, text in found]


def _transfer(transfer: Transfer) -> Iterator[tuple[str, str]]:
    for name, written in (
        ("conformed", transfer.conformed),
        ("quarantine", transfer.quarantine),
    ):
        if written is not None:
            rows = count_of(written.rows, "row")
            yield name, f"{rows} in {written.table} at version {written.version}"
    if transfer.note:
        yield "written", transfer.note
    if transfer.run_id:
        yield "run", f"{transfer.run_id} ({transfer.mode})"


def _audit(audit: Audit) -> str:
    read = f"{count_of(audit.rows, 'row')} of {count_of(audit.files, 'proven file')} read again"
    return f"{read}, {'; '.join(map(str, audit.lies)) or 'nothing wrong'}"


def _rows(report: Report) -> str:
    if report.unread:
        by_types = not any(check.refuted for check in report.checks)
        return f"none read: {'the types' if by_types else 'statistics'} alone decide"
    rows = report.rows
    if not rows.violating:
        return f"{rows.total:,}"
    return f"{rows.total:,}: {rows.valid:,} valid, {rows.violating:,} violating"


def _completeness(report: Report) -> str:
    expected, uncounted, counted = report.expected_rows, report.rows.uncounted, report.rows.counted
    if report.unread:
        return "complete: no rows were needed"
    if expected is None:
        return "nothing to reconcile with"
    besides = f", and {uncounted:,} in files that hold no count" if uncounted else ""
    if report.complete:
        return f"complete: {counted:,} of {expected:,} rows that the files hold{besides}"
    return f"INCOMPLETE: {counted:,} rows seen, where the files hold {expected:,}{besides}"


def policy_text(policy: Policy) -> str:
    """Name a policy, or where it differs from the default one."""
    for name in ("default", "mlflow", "strict"):
        if policy == Policy.named(name):
            return name
    default = Policy()
    choices = ((f.name, getattr(policy, f.name), getattr(default, f.name)) for f in fields(policy))
    return ", ".join(f"{name}={chosen}" for name, chosen, usual in choices if chosen != usual)


def violation_table(report: Report, limit: int = SHOWN) -> tuple[list[tuple[str, ...]], int]:
    """Return the violated checks as a table with its head, and how many are left out.

    The column of keys, of example rows, is there only where the rows have any.
    """
    violated = [check for check in report.checks if check.violated]
    rows: list[tuple[str, ...]] = [
        (
            check.path,
            check.code.value,
            check.expected,
            ", ".join(check.observed),
            rows_of(check),
            ", ".join(filter(None, map(_key, check.examples))),
        )
        for check in violated[:limit]
    ]
    more = max(len(violated) - limit, 0)
    rows += [
        (v.path, v.code.value, v.expected, v.observed, "", "")
        for v in report.violations[len(violated) :]
        if v.code is Code.ROW_COUNT
    ]
    keys = ", ".join(report.row_key) or "examples"
    table: list[tuple[str, ...]] = [
        ("path", "code", "expected", "observed", "rows", keys),
        *rows,
    ]
    if not any(row[-1] for row in rows):
        table = [row[:-1] for row in table]
    return [tuple(map(printable, row)) for row in table], more


def rows_of(check: CheckResult) -> str:
    """Say how many rows violate a check."""
    if check.count is None:
        return "some" if check.refuted else "all"
    return f"{check.count:,}"


def _key(example: Example) -> str:
    cells = ", ".join(map(cell_text, example.key))
    key = f"({cells})" if len(example.key) > 1 else cells
    if example.value is None:
        return key
    return f"{key}: {example.value}" if key else example.value


def cell_text(cell: Cell) -> str:
    """Return a cell of a row's key as text."""
    return "null" if cell is None else str(cell)


def rung_counts(report: Report) -> list[tuple[str, str]]:
    """Say how many checks each rung took part in, and for how much of the source."""
    if report.unread:
        counted = Counter[Rung]()
        for check in report.checks:
            if not report.skipped(check):
                counted[check.refuter or check.rung] += 1
        found = [(f"{counted[rung]:,}", DECIDED[rung]) for rung in Rung if counted[rung]]
        left = len(report.checks) - counted.total()
        return [*found, (f"{left:,}", "not at all, as no row was read")] if left else found
    parts: dict[Rung, list[Decided]] = {}
    for check in report.checks:
        for part in check.decided:
            parts.setdefault(part.rung, []).append(part)
    return [
        (f"{len(parts[rung]):,}", DECIDED[rung] + _extent(report, parts[rung]))
        for rung in Rung
        if rung in parts
    ]


def _extent(report: Report, parts: Sequence[Decided]) -> str:
    """Say how many rows and files a rung decided checks for, where it is not all of them."""
    most = max(parts, key=lambda part: (part.rows, part.files or 0))
    if most.files is None or (most.rows == report.rows.total and most.files == report.source.files):
        return ""
    upto = "up to " if len({(part.rows, part.files) for part in parts}) > 1 else ""
    return f": {upto}{count_of(most.rows, 'row')} in {count_of(most.files, 'file')}"


def remedies(report: Report, limit: int = SHOWN) -> list[str]:
    """Return the remedies, each once, with the first places that it is for."""
    places: dict[str, list[str]] = {}
    for violation in report.violations:
        if violation.remedy:
            places.setdefault(violation.remedy, []).append(violation.path)
    found = []
    for remedy, paths in places.items():
        more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
        found.append(f"{', '.join(paths[:3])}{more}: {remedy}")
    left = len(found) - limit
    return [*found[:limit], f"... and {left:,} more"] if left > 0 else found


def printable(text: str) -> str:
    r"""Return a text with every character that a terminal would act on, or hide, escaped.

    Example:
        >>> printable("price\x1b[31m\u202e")
        'price\\x1b[31m\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count_of(number: int, noun: str) -> str:
    """Return a number with what it counts.

    Example:
        >>> count_of(1, "row"), count_of(2_000, "row")
        ('1 row', '2,000 rows')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


# --- layout -------------------------------------------------------------------------------------


def _aligned(pairs: Sequence[tuple[str, str]]) -> list[str]:
    widest = max(len(name) for name, _ in pairs)
    numbers = pairs[0][0][0].isdigit()
    return [
        f"{_GAP}{name.rjust(widest) if numbers else name.ljust(widest)}{_GAP}{text}"
        for name, text in pairs
    ]


def _table(rows: Sequence[tuple[str, ...]], width: int) -> Iterable[str]:
    names = ["path", "code", "expected", "observed", "rows", "keys"]
    limits = [_WIDEST.get(name, width) for name in names]
    columns = list(zip(*rows, strict=True))
    widths = [min(max(map(cells, column)), limits[i]) for i, column in enumerate(columns)]
    fixed = {names.index("code"), names.index("rows")}
    while sum(widths) + len(_GAP) * len(widths) > width:
        wide = [i for i, w in enumerate(widths) if i not in fixed and w > _NARROWEST]
        if not wide:
            break
        # Paths are cut last: they say where to look.
        widths[max(wide, key=lambda i: widths[i] * (0.5 if names[i] == "path" else 1))] -= 1
    for row in rows:
        shown = []
        for place, (text, room) in enumerate(zip(row, widths, strict=True)):
            text = cut(text, room)
            pad = " " * (room - cells(text))
            shown.append(pad + text if names[place] == "rows" else text + pad)
        yield _GAP + _GAP.join(shown)


def aligned_rows(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows of a table as lines, columns aligned."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (t + " " * (w - cells(t)) for t, w in zip(row, widths, strict=True))
        yield ("  " + "  ".join(padded)).rstrip()


def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for East Asian wide characters."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cut(text: str, room: int) -> str:
    """Cut a text to some cells, ending it in ``…`` where something is left out."""
    if cells(text) <= room:
        return text
    kept, taken = [], 1
    for character in text:
        taken += cells(character)
        if taken > room:
            break
        kept.append(character)
    return "".join(kept) + "…"
