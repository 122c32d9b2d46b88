"""The command ``explain``: what decides the checks of each field of a table, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, VIOLATIONS, say, told
from spark_sig.cli.context import session_of, started
from spark_sig.explaining import explain
from spark_sig.planner import Engine
from spark_sig.policy import Policy
from spark_sig.signature import load_signature

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, slots=True)
class ExplainFlags:
    """How a plan is made, and what is asked of it."""

    version: int | None = None
    timestamp: str | None = None
    side: str | None = None
    engine: str | None = None
    policy: str | None = None
    prove: bool = False
    json: bool = False


def explain_command(
    context: typer.Context,
    signature: Annotated[str, typer.Argument(help=options.SIGNATURE)],
    table: Annotated[str, typer.Argument(help=options.TABLE)],
    version: options.Version = None,
    timestamp: options.Timestamp = None,
    side: options.Side = None,
    engine: options.Engine = None,
    policy: options.PolicyName = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Ask file statistics what they decide.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Say for every field of a table what decides its checks, and why it is that; no row is read.

    Exits with 0 where rows may be read, 3 where the types alone refuse the table, and 2 where the
    signature cannot be read.

    Examples:

        spark-sig explain model/MLmodel lake.flights

        spark-sig explain models:/delays@champion data/flights --prove --json
    """
    flags = ExplainFlags(version, timestamp, side, engine, policy, prove, json)
    raise typer.Exit(run_explain(signature, table, flags, session_of(context)))


def run_explain(
    signature: str, table: str, flags: ExplainFlags, session: Callable[[], SparkSession]
) -> int:
    """Carry one ``explain`` out and return the exit code."""

    def ask() -> int:
        loaded = load_signature(signature)
        policy = None if flags.policy is None else Policy.named(flags.policy)
        started(session)
        found = explain(
            table,
            loaded,
            policy=policy,
            side=flags.side or "inputs",
            version=flags.version,
            timestamp=flags.timestamp,
            engine=cast(Engine, flags.engine or "auto"),  # what is none is refused there
            prove=flags.prove,
        )
        say(found.to_json() if flags.json else str(found))
        return DONE if found.passes else VIOLATIONS

    return told(ask)
