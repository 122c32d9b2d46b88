"""The results of one tool, as rows of a Markdown table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TITLES = ("tool", "version", "Spark") + 2 * ("verdict", "seconds", "jobs", "÷ scan")
HEAD = f"| {' | '.join(_TITLES)} |\n{'| --- ' * len(_TITLES)}|"
"""The first two lines of the table; the clean table comes first, then the one with a bad row."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one tool did with one table.

    Args:
        verdicts: all that its runs gave; true where the table conforms.
        seconds: the median of its runs.
        scan: the median of Spark's scan of every column, run in turn with it.
        jobs: Spark jobs that one run started.
    """

    verdicts: Sequence[bool]
    seconds: float
    scan: float
    jobs: int

    @property
    def ratio(self) -> float:
        """The time in scans."""
        return self.seconds / self.scan

    def verdict(self, conforms: bool) -> str:
        """Say what the tool found, and that it is wrong where the table is otherwise."""
        said = " or ".join("conforms" if verdict else "violates" for verdict in self.verdicts)
        return said if self.right(conforms) else f"WRONG VERDICT: {said}"

    def right(self, conforms: bool) -> bool:
        """Whether every run gave this verdict."""
        return list(self.verdicts) == [conforms]


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table: a tool, and what it did with each of the three tables."""

    tool: str
    version: str
    spark: str
    clean: Measured
    violating: Measured
    mistyped: Measured

    def faults(self) -> Iterator[str]:
        """Say which verdicts are wrong."""
        for title, measured, conforms in (
            ("the clean table", self.clean, True),
            ("one bad row", self.violating, False),
            ("a column of another type", self.mistyped, False),
        ):
            if not measured.right(conforms):
                yield f"{self.tool} on {title}: {measured.verdict(conforms)}"

    def ahead(self, other: Result) -> bool:
        """Whether it takes less than another, in scans, on both tables."""
        return self.clean.ratio < other.clean.ratio and self.violating.ratio < other.violating.ratio

    def __str__(self) -> str:
        cells = [self.tool, self.version, self.spark]
        for measured, conforms in ((self.clean, True), (self.violating, False)):
            figures = f"{measured.seconds:.2f}", str(measured.jobs), f"{measured.ratio:.2f}"
            cells += [measured.verdict(conforms), *figures]
        return f"| {' | '.join(cells)} |"
