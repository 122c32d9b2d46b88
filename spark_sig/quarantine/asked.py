"""What runs are asked to do, whatever their rows come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from spark_sig.errors import SignatureError
from spark_sig.planner import Engine
from spark_sig.policy import Policy, policy_of
from spark_sig.quarantine.limit import Limit
from spark_sig.quarantine.runs import Rules
from spark_sig.report import least_rows
from spark_sig.signature import ModelSignature, load_signature

if TYPE_CHECKING:
    from spark_sig.signature import SignatureSource

Mode = Literal["append", "overwrite", "replace-partitions"]


class Asked(NamedTuple):
    """What a run is asked to do, the source aside.

    Args:
        signature: what rows are held to.
        side: ``inputs`` or ``outputs``.
        policy: the choices that the signature leaves open.
        engine: which engines may check.
        mode: what becomes of the rows that are in the tables.
        row_key: source columns that name a row in examples.
        min_rows: with fewer rows nothing is written.
        limit: how many rows may violate; None for any number.
    """

    signature: ModelSignature
    side: str
    policy: Policy
    engine: Engine
    mode: Mode = "append"
    row_key: tuple[str, ...] = ()
    min_rows: int = 0
    limit: Limit | None = None

    @classmethod
    def of(
        cls,
        signature: SignatureSource,
        side: str,
        policy: Policy | None,
        engine: Engine,
        mode: Mode = "append",
        row_key: str | Sequence[str] = (),
        min_rows: int = 0,
        max_violations: int | str | None = None,
    ) -> Asked:
        """Read what a user has given.

        Raises:
            SignatureError: where it cannot mean anything.
        """
        if mode not in get_args(Mode):
            raise SignatureError(
                f"unknown mode {mode!r}",
                path="mode",
                expected=f"one of {', '.join(get_args(Mode))}",
            )
        loaded = load_signature(signature)
        loaded.side(side)
        return cls(
            loaded,
            side,
            replace(policy_of(policy), on_violation="raise"),
            engine,
            mode,
            (row_key,) if isinstance(row_key, str) else tuple(row_key),
            least_rows(min_rows),
            None if max_violations is None else Limit.of(max_violations),
        )

    @property
    def rules(self) -> Rules:
        """What makes another run of it."""
        fingerprint = self.signature.fingerprint
        return Rules(fingerprint, self.side, self.policy.fingerprint, self.mode)
