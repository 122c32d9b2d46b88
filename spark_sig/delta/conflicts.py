"""Conflicts: commits that others have come before are tried again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

from spark_sig.delta.log import spark_errors

_Seen = TypeVar("_Seen")

# How often a commit is tried against others, and the seconds after which it first is again.
_ATTEMPTS, _PAUSE = 6, 0.1
_LONGEST = 5.0

# What Delta, and Spark's catalog, say of them.
_CONFLICT = re.compile(
    r"(Concurrent|MetadataChanged|ProtocolChanged|AlreadyExists)\w*Exception|ALREADY_EXISTS"
    r"|DELTA_(CONCURRENT|METADATA_CHANGED|PROTOCOL_CHANGED|CREATE_TABLE_WITH_NON_EMPTY_LOCATION)"
)


def until_committed(commit: Callable[[], object], *, attempts: int = _ATTEMPTS) -> None:
    """Carry out a commit, and again where another one has come before it.

    Args:
        commit: one that may be carried out again.
        attempts: how often, at most.
    """
    for attempt in range(attempts):
        try:
            commit()
            return
        except spark_errors() as error:
            if attempt + 1 == attempts or not _CONFLICT.search(str(error)):
                raise
        time.sleep(min(_PAUSE * 2**attempt, _LONGEST))


def until_seen(look: Callable[[], _Seen | None]) -> _Seen | None:
    """Look for what another job's commit is about to make; None where it does not come.

    CREATE TABLE IF NOT EXISTS makes nothing of a path once its folder has anything in it, which
    is before the other job's first commit.
    """
    for attempt in range(_ATTEMPTS):
        if (seen := look()) is not None:
            return seen
        if attempt + 1 < _ATTEMPTS:
            time.sleep(_PAUSE * 2**attempt)
    return None
