"""Symptoms: what was looked at, how it is, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """How something is."""

    FINE = "fine"
    # checks run, but some are dearer, or refused
    WEAK = "weak"
    # no check runs
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Symptom:
    """What was looked at.

    Args:
        name: what it is.
        health: how it is.
        found: what was found.
        remedy: what helps; empty where nothing has to.
    """

    name: str
    health: Health
    found: str
    remedy: str = ""
