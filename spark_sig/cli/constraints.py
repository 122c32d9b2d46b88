"""The command ``constraints``: a Delta table is made to enforce a signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from spark_sig.cli import options
from spark_sig.cli.console import DONE, VIOLATIONS, note, say, told
from spark_sig.cli.context import session_of, started
from spark_sig.cli.loading import loaded
from spark_sig.cli.progress import progress
from spark_sig.ddl import delta_constraints, delta_table
from spark_sig.errors import SignatureError
from spark_sig.policy import Policy
from spark_sig.signature import ModelSignature

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def constraints_command(
    context: typer.Context,
    signature: Annotated[str, typer.Argument(help=options.ANY_SIGNATURE)],
    table: Annotated[str, typer.Argument(help="Path or name of a Delta table.")],
    side: Annotated[str, typer.Option(help="inputs or outputs.")] = "inputs",
    policy: options.PolicyName = None,
    apply: Annotated[bool, typer.Option("--apply", help="Carry the statements out.")] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="With --apply: also drop what nothing asks for any more.")
    ] = False,
    create: Annotated[
        bool, typer.Option("--create", help="Write the statements that make a new table.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Write the SQL by which a Delta table refuses rows that violate a signature.

    What the table has already is left out.  validate takes these constraints for proofs: what they
    enforce need not be read again.  Exits with 0 where that is done, 3 where columns do not fit by
    their types, 2 where the signature cannot be read, and 1 where a statement fails, as it does
    where a row of the table violates it.

    Examples:

        spark-sig constraints models:/delays@champion lake.flights

        spark-sig constraints signature.json data/flights --apply

        spark-sig constraints signature.json data/new --create
    """
    raise typer.Exit(
        run_constraints(
            signature,
            table,
            side,
            policy,
            session_of(context),
            apply=apply,
            drop=drop,
            create=create,
            json=json,
        )
    )


def run_constraints(
    signature: str,
    table: str,
    side: str,
    policy: str | None,
    session: Callable[[], SparkSession],
    *,
    apply: bool = False,
    drop: bool = False,
    create: bool = False,
    json: bool = False,
) -> int:
    """Carry one ``constraints`` out and return the exit code."""

    def constrain() -> int:
        if drop and not apply:
            raise SignatureError("--drop is for --apply: without it, nothing is carried out")
        if create and apply:
            raise SignatureError("--create writes statements: give no --apply with it")
        chosen = Policy() if policy is None else Policy.named(policy)
        read = loaded(signature, session)
        for loss in read.losses:
            note(f"not said: {loss}")
        found = read.signature
        found.side(side)  # refuses before Spark starts
        spark = started(session)
        if create:
            made = delta_table(found, table, side=side, policy=chosen, spark=spark)
            say(made.to_json() if json else str(made))
            return DONE
        return _proposed(found, table, side, chosen, spark, apply=apply, drop=drop, json=json)

    return told(constrain)


def _proposed(
    signature: ModelSignature,
    table: str,
    side: str,
    policy: Policy,
    spark: SparkSession,
    *,
    apply: bool,
    drop: bool,
    json: bool,
) -> int:
    proposal = delta_constraints(signature, table, side=side, policy=policy, spark=spark)
    say(proposal.to_json() if json else str(proposal))
    if proposal.findings:
        return VIOLATIONS
    if apply:
        with progress(f"adding constraints to {table}"):
            proposal.apply(spark, drop=drop)
    return DONE
