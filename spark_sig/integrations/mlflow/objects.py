"""Objects: those of pydantic's classes, as the dicts that signatures describe."""

from __future__ import annotations

from typing import Any


def as_dicts(given: Any) -> Any:
    """Return objects of pydantic's as dicts, at any depth of lists and dicts; all else as it is."""
    if _is_object(type(given)):
        return given.model_dump()
    if isinstance(given, list) and any(map(_may_hold, set(map(type, given)))):
        return [as_dicts(one) for one in given]
    if isinstance(given, dict) and any(map(_may_hold, set(map(type, given.values())))):
        return {key: as_dicts(value) for key, value in given.items()}
    return given


def as_rows(given: Any) -> Any:
    """Return the same; an object that stands alone as a list of it, the only row."""
    return as_dicts([given] if _is_object(type(given)) else given)


def _is_object(cls: type) -> bool:
    return hasattr(cls, "model_dump")


def _may_hold(cls: type) -> bool:
    return _is_object(cls) or issubclass(cls, (list, dict))
