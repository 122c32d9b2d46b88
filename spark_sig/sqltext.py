"""Names and texts as Spark's SQL spells them, whatever the session's settings."""

from __future__ import annotations

import re

# What means something else under some settings (quotes, backslashes), to Spark's substitution of
# variables (dollars), or where a text names DataFrames (braces).
_UNSAFE = re.compile(r"['\\${}]")


def quoted(name: str) -> str:
    """Quote one part of an SQL identifier.

    Example:
        >>> quoted("a`b")
        '`a``b`'
    """
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Write text as a constant.

    Example:
        >>> literal("unit price"), literal("it's")
        ("'unit price'", "CAST(X'69742773' AS STRING)")
    """
    if _UNSAFE.search(text):
        return f"CAST(X'{text.encode().hex().upper()}' AS STRING)"
    return f"'{text}'"
