"""Policies: the choices that a check leaves to its user."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, get_args, get_type_hints

from spark_sig.errors import SignatureError

Casts = Literal["safe", "lossless", "exact"]
Nulls = Literal["reject", "allow"]
Nan = Literal["allow", "reject"]
Case = Literal["sensitive", "insensitive"]
Extra = Literal["drop", "keep", "forbid"]
Datetime = Literal["source", "timestamp"]
OnViolation = Literal["raise", "drop", "tag"]


# Choices that no verdict on a row depends on.
_SHOWN = frozenset({"on_violation", "show_values", "examples"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How strictly, and with which liberties, data is held to a signature.

    Args:
        casts: ``safe`` allows what types alone prove harmless (MLflow's rule), ``lossless``
            decides value by value, ``exact`` wants equal types.
        nulls: ``reject`` makes NULL in a required field a violation, ``allow`` is MLflow's
            reading, required means present.
        nan: whether NaN in a float field is a value or a violation.
        case: how column names match.
        extra: what becomes of columns that the signature does not name.
        fill_missing: whether a missing optional column comes out as nulls.
        datetime: ``source`` keeps TIMESTAMP and TIMESTAMP_NTZ as they are and makes DATE an NTZ
            midnight, ``timestamp`` reads DATE and NTZ as UTC.
        on_violation: what row mode does with a row that violates.
        show_values: whether values may stand in reports, tags and errors.
        examples: how many violations per check a report shows.

    Raises:
        SignatureError: where a choice is not one of those listed.

    Example:
        >>> Policy(casts="lossless").nulls
        'reject'
    """

    casts: Casts = "safe"
    nulls: Nulls = "reject"
    nan: Nan = "allow"
    case: Case = "sensitive"
    extra: Extra = "drop"
    fill_missing: bool = True
    datetime: Datetime = "source"
    on_violation: OnViolation = "raise"
    show_values: bool = False
    examples: int = 5

    def __post_init__(self) -> None:
        hints = _hints()
        for field in fields(self):
            value = getattr(self, field.name)
            choices = get_args(hints[field.name])
            if choices:
                if value not in choices:
                    raise SignatureError(
                        f"unknown choice for policy.{field.name}",
                        expected=f"one of {', '.join(choices)}",
                        observed=repr(value),
                        path=field.name,
                    )
            elif type(value) is not hints[field.name]:
                raise SignatureError(
                    f"policy.{field.name} must be {hints[field.name].__name__}",
                    observed=repr(value),
                    path=field.name,
                )
        if self.examples < 0:
            raise SignatureError("policy.examples must not be negative", path="examples")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the choices that the verdict on a row depends on."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _SHOWN}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()

    @classmethod
    def mlflow(cls) -> Policy:
        """Return the choices under which MLflow's recorded verdicts hold."""
        return cls(nulls="allow", fill_missing=False)

    @classmethod
    def strict(cls) -> Policy:
        """Return the choices that take the signature at its word."""
        return cls(casts="exact", nan="reject", extra="forbid", fill_missing=False)

    @classmethod
    def named(cls, name: str) -> Policy:
        """Return the policy of that name: ``default``, ``mlflow`` or ``strict``."""
        match name:
            case "default":
                return cls()
            case "mlflow":
                return cls.mlflow()
            case "strict":
                return cls.strict()
            case _:
                raise SignatureError(
                    f"unknown policy {name!r}", expected="one of default, mlflow, strict"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the choices by their names."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@cache
def _hints() -> dict[str, Any]:
    """Read the annotations once: a policy is made for many a call."""
    return get_type_hints(Policy)


# What holds where a user chooses nothing.
DEFAULT = Policy()


def policy_of(value: Policy | None) -> Policy:
    """Return a policy, the default one for None.

    Raises:
        SignatureError: where the value is something else, such as a policy's name.
    """
    if value is None:
        return DEFAULT
    if not isinstance(value, Policy):
        raise SignatureError(
            "a policy must be a Policy",
            observed=type(value).__name__,
            remedy="Policy.named('strict') makes one from its name",
        )
    return value
