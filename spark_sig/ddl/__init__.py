"""Statements by which a Delta table enforces a signature, and proves it on the next run."""

from __future__ import annotations

from spark_sig.ddl.creation import Creation, delta_table
from spark_sig.ddl.proposal import Proposal, delta_constraints

__all__ = ["Creation", "Proposal", "delta_constraints", "delta_table"]
