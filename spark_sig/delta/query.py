"""Queries that are put together as text, so that Spark analyses them once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# What means something else under some settings (quotes, backslashes), to Spark's substitution of
# variables (dollars), or to the names of frames in a text (braces).
_UNSAFE = re.compile(r"['\"\\${}]")


class Query(NamedTuple):
    """A query over DataFrames.

    Spark takes some 10 ms to analyse each DataFrame that is made of another, and a query over the
    list of a table's files has many steps.

    Args:
        text: SQL, in which ``{name}`` stands for a DataFrame.
        columns: the names of what it gives.
        frames: the DataFrames, by name.
    """

    text: str
    columns: tuple[str, ...]
    frames: dict[str, DataFrame]

    @classmethod
    def of(cls, frame: DataFrame) -> Query:
        """Return the rows of a DataFrame."""
        return cls("SELECT * FROM {rows}", tuple(frame.columns), {"rows": frame})

    def frame(self) -> DataFrame:
        """Return what it gives."""
        spark = next(iter(self.frames.values())).sparkSession
        return spark.sql(self.text, None, **self.frames)

    def within(self, text: str, columns: Sequence[str] = (), **frames: DataFrame) -> Query:
        """Return another query over what this one gives.

        Args:
            text: SQL, which calls this one ``{query}``.
            columns: the names of what it gives.
            frames: DataFrames that it calls by their names, none of which has been used yet.
        """
        whole = text.replace("{query}", f"({self.text})")
        return Query(whole, tuple(columns), {**self.frames, **frames})


def literal(text: str) -> str:
    """Write text as SQL that means it under any setting of the session.

    Example:
        >>> literal("a b"), literal("it's")
        ("'a b'", "concat('it', chr(39), 's')")
    """
    if not _UNSAFE.search(text):
        return f"'{text}'"
    parts = re.findall(rf"{_UNSAFE.pattern}|[^'\"\\${{}}]+", text)
    return f"concat({', '.join(map(_part, parts))})"


def _part(text: str) -> str:
    return f"chr({ord(text)})" if _UNSAFE.fullmatch(text) else f"'{text}'"
