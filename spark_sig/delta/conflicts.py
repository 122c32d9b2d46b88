"""Conflicts: commits that others have come before are tried again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from spark_sig.delta.log import spark_errors

# How often a commit is tried against others, and the seconds after which it first is again.
_ATTEMPTS, _PAUSE = 6, 0.1

# What Delta, and Spark's catalog, say of them.
_CONFLICT = re.compile(
    r"(Concurrent|MetadataChanged|ProtocolChanged|AlreadyExists)\w*Exception|ALREADY_EXISTS"
    r"|DELTA_(CONCURRENT|METADATA_CHANGED|PROTOCOL_CHANGED|CREATE_TABLE_WITH_NON_EMPTY_LOCATION)"
)


def until_committed(commit: Callable[[], object]) -> None:
    """Carry out a commit, and again where another one has come before it.

    Args:
        commit: one that may be carried out again.
    """
    for attempt in range(_ATTEMPTS):
        try:
            commit()
            return
        except spark_errors() as error:
            if attempt + 1 == _ATTEMPTS or not _CONFLICT.search(str(error)):
                raise
        time.sleep(_PAUSE * 2**attempt)
