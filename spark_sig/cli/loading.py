"""Loading: a signature from whatever a user names, tables among them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from spark_sig.cli.context import started
from spark_sig.compile.spark import from_spark
from spark_sig.odcs import load_contract
from spark_sig.signature import CONTRACT, MLMODEL, MODEL_ID, ModelSignature, load_signature
from spark_sig.sources import resolve

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What only MLflow reaches, and what can only be a file that holds a signature.
_MODEL = re.compile(rf"{MODEL_ID}|(?:models|runs|mlflow-artifacts):/.*|.*\.json|(?:.*/)?{MLMODEL}")


class Loaded(NamedTuple):
    """A signature that was found.

    Args:
        signature: the signature.
        losses: what it cannot say of the columns that it was made from.
        is_table: whether it is that of a table.
    """

    signature: ModelSignature
    losses: tuple[str, ...] = ()
    is_table: bool = False


def loaded(name: str, session: Callable[[], SparkSession]) -> Loaded:
    """Return the signature of a name.

    Args:
        name: a JSON file or text, an MLmodel or its folder, the URI of a model, a data contract
            in YAML; or a table, whose signature is what its columns are declared as (no row is
            read).
        session: makes the Spark session, for tables alone.

    Raises:
        SignatureError: where there is none, or no signature can say what the columns are.
        SourceError: where Spark does not start, or the table cannot be read.
    """
    if not _is_table(name):
        if CONTRACT.fullmatch(name):
            contract = load_contract(name)
            return Loaded(contract.signature, contract.losses)
        return Loaded(load_signature(name))
    source = resolve(name, spark=started(session), counted=False)
    schema, losses = from_spark(source.frame.schema)
    return Loaded(ModelSignature(inputs=schema), tuple(map(str, losses)), is_table=True)


def _is_table(name: str) -> bool:
    """Say whether a name is that of a table: a folder that holds no model, or anything else."""
    if not name or name.lstrip()[:1] in ("{", "["):
        return False
    # os.path, as text that is too long for a path is none
    if os.path.isdir(name):
        return not os.path.isfile(os.path.join(name, MLMODEL))
    # what exists may be a pipe, too: /dev/stdin, or what a shell's <(…) stands for
    return not (os.path.exists(name) or _MODEL.fullmatch(name) or CONTRACT.fullmatch(name))
