"""The command ``diff``: what becomes of data of one signature under another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, VIOLATIONS, note, say, told
from spark_sig.cli.context import session_of
from spark_sig.cli.loading import loaded
from spark_sig.diff import Compatibility
from spark_sig.policy import Policy
from spark_sig.signature import ModelSignature

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def diff_command(
    context: typer.Context,
    before: Annotated[str, typer.Argument(help=options.ANY_SIGNATURE)],
    after: Annotated[str, typer.Argument(help=options.ANY_SIGNATURE)],
    allow: Annotated[
        Compatibility, typer.Option(help="The worst that may become of data of BEFORE.")
    ] = Compatibility.WIDENING,
    policy: options.PolicyName = None,
    json: options.Json = False,
) -> None:
    """Say what becomes of data of one signature when it is held to another.

    Of a table, the columns as they are declared are compared with the other one's inputs; no row
    is read.  Exits with 0 where nothing worse than --allow does, 3 where it does, and 2 where one
    of the two cannot be read.

    Examples:

        spark-sig diff models:/delays@champion new/MLmodel

        spark-sig diff lake.flights models:/delays@champion --allow lossy --json
    """
    raise typer.Exit(run_diff(before, after, allow, policy, session_of(context), json=json))


def run_diff(
    before: str,
    after: str,
    allow: Compatibility,
    policy: str | None,
    session: Callable[[], SparkSession],
    *,
    json: bool = False,
) -> int:
    """Carry one ``diff`` out and return the exit code."""

    def compare() -> int:
        chosen = Policy() if policy is None else Policy.named(policy)
        one, other = (loaded(name, session) for name in (before, after))
        sides = [one.signature, other.signature]
        if one.is_table or other.is_table:  # which has neither outputs nor params
            sides = [ModelSignature(inputs=signature.side("inputs")) for signature in sides]
        found = sides[0].diff(sides[1], chosen)
        for loss in (*one.losses, *other.losses):
            note(f"not said: {loss}")
        say(found.to_json() if json else str(found))
        return DONE if found.forward <= allow else VIOLATIONS

    return told(compare)
