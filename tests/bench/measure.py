"""Measurements: the median of interleaved runs, and what it is held to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Run = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure.

    Args:
        name: what was measured, against what.
        seconds: median of the thing itself.
        base: median of what it is compared to; seconds, too.
        target: what the ratio should be.
        unit: of both, where they are no seconds.
        at_most: whether ``target`` bounds it from above, else from below.  The ratio is
            ``seconds / base`` from above, ``base / seconds`` (times faster) from below.
    """

    name: str
    seconds: float
    base: float
    target: float
    at_most: bool = True
    unit: str = ""

    @property
    def value(self) -> float:
        """The ratio."""
        return self.seconds / self.base if self.at_most else self.base / self.seconds

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.value <= self.target if self.at_most else self.value >= self.target

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        verdict = "met" if self.met else "MISSED"
        return (
            f"{self.name:<58} {self._shown(self.seconds):>10} {self._shown(self.base):>10}"
            f" {self.value:>8.2f}  {sign} {self.target:<5g} {verdict}"
        )

    def _shown(self, value: float) -> str:
        return f"{value:,.0f} {self.unit}" if self.unit else _seconds(value)


def _seconds(value: float) -> str:
    if value >= 0.1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.2f} ms" if value >= 1e-4 else f"{value * 1e6:.1f} us"


def timed(action: Callable[[], object]) -> Run:
    """Make a run of an action: it returns the seconds that one call takes."""

    def run() -> float:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    return run


def repeated(action: Callable[[], object], times: int) -> Run:
    """Make a run of an action too short to be timed alone: the seconds of one of many calls."""

    def run() -> float:
        start = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - start) / times

    return run


def interleaved(runs: Sequence[Run], rounds: int = 5) -> list[float]:
    """Run all in turn, ``rounds`` times after one warm-up, and return each one's median."""
    for run in runs:
        run()
    seen: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for times, run in zip(seen, runs, strict=True):
            times.append(run())
    return [statistics.median(times) for times in seen]
