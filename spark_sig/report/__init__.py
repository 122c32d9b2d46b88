"""Reports: the verdict on a whole source, and what it rests on."""

from spark_sig.report.check import REINFER, CheckResult
from spark_sig.report.evidence import Audit, Decided, Evidence, Lie
from spark_sig.report.source import Rows, Source
from spark_sig.report.transfer import Transfer, Written
from spark_sig.report.verdict import FORMAT, NO_ROWS, Report, least_rows

__all__ = [
    "FORMAT",
    "NO_ROWS",
    "REINFER",
    "Audit",
    "CheckResult",
    "Decided",
    "Evidence",
    "Lie",
    "Report",
    "Rows",
    "Source",
    "Transfer",
    "Written",
    "least_rows",
]
