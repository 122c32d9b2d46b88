"""Limits: how many rows may violate before nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from spark_sig.errors import SignatureError

if TYPE_CHECKING:
    from spark_sig.report import Report


@dataclass(frozen=True, slots=True)
class Limit:
    """The most rows that may violate.

    Args:
        rows: the number; None where it is a share.
        share: the share of all rows, 0 to 1; None where it is a number.
    """

    rows: int | None = None
    share: Fraction | None = None

    @classmethod
    def of(cls, value: int | str) -> Limit:
        """Read a number, or a share in percent.

        Raises:
            SignatureError: where it is neither.

        Example:
            >>> Limit.of("0.5%"), Limit.of("100"), str(Limit.of(3))
            (Limit(rows=None, share=Fraction(1, 200)), Limit(rows=100, share=None), '3 rows')
        """
        text = str(value).strip()
        try:
            if text.endswith("%"):
                share = Fraction(text[:-1].strip()) / 100
                if 0 <= share <= 1:
                    return cls(share=share)
            elif not isinstance(value, bool) and int(text) >= 0:
                return cls(rows=int(text))
        except (ValueError, ZeroDivisionError):
            pass
        raise SignatureError(
            "the most violations must be a number of rows, or a share such as 1%",
            path="max_violations",
            observed=repr(value),
        )

    def __str__(self) -> str:
        if self.share is not None:
            return f"{float(self.share * 100):g} %"
        return f"{self.rows:,} rows"

    def allows(self, violating: int, total: int) -> bool:
        """Say whether so many of all rows may violate."""
        if self.share is not None:
            return violating <= self.share * total
        return self.rows is None or violating <= self.rows


def tolerates(report: Report, most: int | str | None) -> bool:
    """Say whether no more rows violate than were said to be allowed, all of them put aside.

    Args:
        report: the report of a run.
        most: how many rows may violate, a number or a share; None where nothing was said.

    Raises:
        SignatureError: where it is neither.
    """
    written = report.transfer is not None and report.transfer.quarantine is not None
    if not written or most is None or not report.sound:
        return False
    # a run that was begun before may have been allowed more
    return Limit.of(most).allows(report.rows.violating, report.rows.total)
