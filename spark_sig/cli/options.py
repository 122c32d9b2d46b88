"""Options that several commands have."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypeVar

import typer

TABLE = "Path of a Delta table or Parquet, or a catalog name."
Table = Annotated[str | None, typer.Option(help=TABLE)]
Version = Annotated[int | None, typer.Option(help="Version of a Delta table.")]
Timestamp = Annotated[str | None, typer.Option(help="Time to take the table at.")]
SIGNATURE = "Signature: JSON file or text, MLmodel or its folder, ODCS contract."
Signature = Annotated[str | None, typer.Option(help=SIGNATURE)]
Side = Annotated[str | None, typer.Option(help="inputs or outputs.")]
Report = Annotated[
    str | None,
    typer.Option(
        help="Where the report goes: JSON, a page (.html) or JUnit (.xml); "
        "a folder gets RUN_ID.json."
    ),
]
Config = Annotated[str | None, typer.Option(help="YAML file with these settings.")]
Engine = Annotated[str | None, typer.Option(help="auto, catalyst or arrow.")]
RowKey = Annotated[list[str] | None, typer.Option(help="Column that names a row; may be repeated.")]
RunId = Annotated[str | None, typer.Option(help="Name of this run.")]
Conformed = Annotated[
    str | None, typer.Option(help="Delta table that rows which conform are written to.")
]

Lineage = Annotated[
    bool | None,
    typer.Option("--openlineage/--no-openlineage", help="Whether OpenLineage is told of the run."),
]
LineageJob = Annotated[
    str | None, typer.Option(help="Name of the job, to OpenLineage; else made of the data's.")
]
LineageNamespace = Annotated[
    str | None, typer.Option(help="Namespace of the job; else OPENLINEAGE_NAMESPACE, or default.")
]

# The policy, and its fields.
PolicyName = Annotated[str | None, typer.Option(help="default, mlflow or strict.")]
Casts = Annotated[str | None, typer.Option(help="safe, lossless or exact.")]
Nulls = Annotated[str | None, typer.Option(help="reject or allow.")]
Nan = Annotated[str | None, typer.Option(help="allow or reject.")]
Case = Annotated[str | None, typer.Option(help="sensitive or insensitive.")]
Extra = Annotated[str | None, typer.Option(help="drop, keep or forbid.")]
FillMissing = Annotated[
    bool | None, typer.Option(help="Whether missing optional columns are nulls.")
]
Datetime = Annotated[str | None, typer.Option(help="source or timestamp.")]
OnViolation = Annotated[str | None, typer.Option(help="raise, drop or tag.")]
ShowValues = Annotated[bool | None, typer.Option(help="Whether values may stand in the report.")]
Examples = Annotated[int | None, typer.Option(help="Examples per check.")]

# What stands where a signature is read from whatever has one.
ANY_SIGNATURE = (
    "JSON file or text, MLmodel or its folder, ODCS contract, URI of a model, or a table."
)
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]

_Form = TypeVar("_Form", bound=Enum)


def form_of(option: str, asked: _Form | None, usual: _Form, as_json: _Form | None) -> _Form:
    """Return the form to write, where ``--json`` is one of two ways of asking for one.

    Args:
        option: the other way.
        asked: what it says; None where it was not given.
        usual: the form where neither was.
        as_json: that of JSON, where ``--json`` was given.

    Raises:
        typer.BadParameter: where the two ask for different forms.
    """
    if as_json is None:
        return asked or usual
    if asked not in (None, as_json):
        raise typer.BadParameter(f"--json and {option} ask for different forms; give one of them")
    return as_json
