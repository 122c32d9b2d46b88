"""Queries that are put together as text, so that Spark analyses them once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


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
        return cls("SELECT * FROM {rows}", tuple(frame.columns), {"rows": apart(frame)})

    def frame(self) -> DataFrame:
        """Return what it gives."""
        spark = next(iter(self.frames.values())).sparkSession
        return spark.sql(self.text, None, **self.frames)

    def ask(self, text: str) -> DataFrame:
        """Return what a query, which calls this one ``{query}``, makes of it."""
        return self.within(text, ()).frame()

    def within(self, text: str, columns: Sequence[str], **frames: DataFrame) -> Query:
        """Return another query over what this one gives.

        Args:
            text: SQL, which calls this one ``{query}``.
            columns: the names of what it gives.
            frames: DataFrames that it calls by their names, none of which has been used yet.
        """
        whole = text.replace("{query}", f"({self.text})")
        apart_from_cache = {name: apart(frame) for name, frame in frames.items()}
        return Query(whole, tuple(columns), {**self.frames, **apart_from_cache})


def apart(frame: DataFrame) -> DataFrame:
    """Return a DataFrame that SQL may name without harm to Spark's cache.

    A text's names are views for as long as it is analysed, and Spark drops from its cache what
    has the plan of a view that is dropped.
    """
    return frame.where("true")
