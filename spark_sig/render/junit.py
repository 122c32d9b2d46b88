"""Reports as JUnit's XML, which servers that run tests read."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as xml

from spark_sig.render.text import facts, printable, verdict
from spark_sig.report import CheckResult, Report


def report_junit(report: Report) -> str:
    """Return a report as a test suite: a case for each check, and one for the rows as a whole.

    A check that is violated is a failure; rows that were not seen, and lies that an audit found,
    are errors.

    Source: the schema that Jenkins' xUnit plugin publishes (``junit-10.xsd``).

    Example:
        >>> xml.fromstring(report_junit(Report.empty())).attrib["tests"]
        '1'
    """
    cases = [_seen(report), *(_case(check, report) for check in report.checks)]
    count = {kind: sum(case.find(kind) is not None for case in cases) for kind in _KINDS}
    totals = {
        "name": "spark_sig",
        "tests": str(len(cases)),
        **{f"{kind}s": str(number) for kind, number in count.items()},
    }
    suites = xml.Element("testsuites", totals)
    suite = xml.SubElement(suites, "testsuite", {**totals, "name": _name(report)})
    properties = xml.SubElement(suite, "properties")
    for name, value in facts(report):
        xml.SubElement(properties, "property", {"name": name, "value": printable(value)})
    suite.extend(cases)
    xml.indent(suites)
    return xml.tostring(suites, encoding="unicode", xml_declaration=True)


_KINDS = ("failure", "error")


def _name(report: Report) -> str:
    return printable(report.source.name or report.source.kind)


def _seen(report: Report) -> xml.Element:
    """Return the case of what was seen of the rows, whichever checks there are."""
    case = xml.Element("testcase", {"classname": _name(report), "name": "rows"})
    if not report.sound:
        xml.SubElement(case, "error", {"message": verdict(report)})
    checked = {(check.path, check.code) for check in report.checks}
    others = [one for one in report.violations if (one.path, one.code) not in checked]
    for violation in others:  # of the number of rows
        message = f"expected {violation.expected}, found {violation.observed}"
        xml.SubElement(case, "failure", {"type": str(violation.code), "message": message})
    return case


def _case(check: CheckResult, report: Report) -> xml.Element:
    name = f"{check.path} {check.code}: {check.expected}"
    case = xml.Element("testcase", {"classname": _name(report), "name": printable(name)})
    if check.violated:
        lines = list(_told(check))
        message = {"type": str(check.code), "message": lines[0]}
        xml.SubElement(case, "failure", message).text = "\n".join(lines)
    return case


def _told(check: CheckResult) -> Iterator[str]:
    rows = "by its type" if check.count is None else f"by {check.count:,} rows"
    yield f"violated {rows}"
    if check.observed:
        yield printable(f"found: {', '.join(check.observed)}")
    if check.remedy:
        yield printable(check.remedy)
