"""Reports as JUnit's XML, which servers that run tests read."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as xml

from spark_sig.render.text import facts, printable, verdict
from spark_sig.report import CheckResult, Report


def report_junit(report: Report) -> str:
    """Return a report as a test suite: a case for each check, and one for the rows as a whole.

    A check that is violated is a failure; one that nothing decided is skipped, and so are the
    rows where the verdict needed none; rows that were not seen, and lies that an audit found, are
    errors.  What is wrong stands in ``message``, which Jenkins shows, and in the text, which
    GitLab does.

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
    skipped = sum(case.find("skipped") is not None for case in cases)
    attributes = {**totals, "name": _name(report), "skipped": str(skipped)}
    suite = xml.SubElement(suites, "testsuite", attributes)
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
        message = verdict(report)
        lines = [message, *map(str, report.audit.lies)] if report.audit else [message]
        told = xml.SubElement(case, "error", {"type": "unsound", "message": message})
        told.text = "\n".join(map(printable, lines))
    for violation in report.violations[sum(check.violated for check in report.checks) :]:
        # of the number of rows
        message = f"expected {violation.expected}, found {violation.observed}"
        told = xml.SubElement(case, "failure", {"type": str(violation.code), "message": message})
        told.text = message
    if report.unread and report.sound:
        xml.SubElement(case, "skipped", {"message": "no row was needed"})
    return case


def _case(check: CheckResult, report: Report) -> xml.Element:
    name = f"{check.path} {check.code}: {check.expected}"
    case = xml.Element("testcase", {"classname": _name(report), "name": printable(name)})
    if check.violated:
        lines = list(_told(check))
        message = {"type": str(check.code), "message": lines[0]}
        xml.SubElement(case, "failure", message).text = "\n".join(lines)
    elif report.skipped(check):
        xml.SubElement(case, "skipped", {"message": "not checked, as no row was read"})
    return case


def _told(check: CheckResult) -> Iterator[str]:
    if check.count is None:
        yield f"violated by {'some rows, by statistics' if check.refuted else 'its type'}"
    else:
        yield f"violated by {check.count:,} rows"
    if check.observed:
        yield printable(f"found: {', '.join(check.observed)}")
    if check.remedy:
        yield printable(check.remedy)
