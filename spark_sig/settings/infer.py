"""Settings of ``infer``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spark_sig.errors import SignatureError
from spark_sig.infer.decimals import Decimals
from spark_sig.settings.merge import Setting, json_object, merge, names
from spark_sig.sinks import local_path

# Rows of an example are collected, and end up in two JSON files that people read.
MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class InferSettings:
    """What ``infer`` has to know.

    Args:
        table: path of a Delta table or of Parquet files, or a catalog name.
        version: the version of a Delta table; the newest where None.
        timestamp: the time to take a Delta table at, in place of a version.
        columns: the columns to take; all where empty.
        exclude: columns to leave out.
        outputs: columns that are the model's outputs.
        params: params by name, with their defaults.
        tensors: whether to make tensors of the columns.
        decimal: ``refuse`` or ``double``, what decimals with a fraction become.
        on_unsupported: ``raise`` or ``any``, what columns become that no signature can say.
        out: the JSON file that the signature goes to.
        into: the MLmodel, or its folder, whose signature is replaced.
        report: where the sidecar's JSON goes; None for nowhere.
        run_id: name of the run in the report's path; a fresh one where None.
        example: how many rows to draw for an input example; None for no example.
        example_dir: the folder that the example goes to; None for the model's folder, or that of
            ``out``.
    """

    table: str
    version: int | None = None
    timestamp: str | None = None
    columns: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    params: dict[str, Any] | None = None
    tensors: bool = False
    decimal: Decimals = "refuse"
    on_unsupported: Literal["raise", "any"] = "raise"
    out: str | None = None
    into: str | None = None
    report: str | None = None
    run_id: str | None = None
    example: int | None = None
    example_dir: str | None = None


KNOWN = {
    "table": Setting((str,)),
    "version": Setting((int,)),
    "timestamp": Setting((str,)),
    "columns": Setting((list, str)),
    "exclude": Setting((list, str)),
    "outputs": Setting((list, str)),
    "params": Setting((str, dict)),
    "tensors": Setting((bool,)),
    "decimal": Setting((str,), ("refuse", "double")),
    "on_unsupported": Setting((str,), ("raise", "any")),
    "out": Setting((str,)),
    "into": Setting((str,)),
    "report": Setting((str,)),
    "run_id": Setting((str,)),
    "example": Setting((int,)),
    "example_dir": Setting((str,)),
}


def infer_settings(flags: Mapping[str, Any], config: str | None) -> InferSettings:
    """Merge flags over the settings of a YAML file.

    Args:
        flags: by setting; None where a flag was not given.
        config: path of a YAML mapping of the same names; None for no file.

    Raises:
        SignatureError: where a setting is unknown, missing, or of the wrong type, or what is
            given cannot be meant together; its path is the setting's name.
    """
    merged = merge(flags, config, KNOWN, ("table",))
    for name in ("columns", "exclude", "outputs"):
        if name in merged:
            merged[name] = names(merged[name], name)
    if "params" in merged:
        merged["params"] = json_object(merged["params"])
    settings = InferSettings(**merged)
    _check_places(settings)
    _check_example(settings)
    return settings


def _check_places(settings: InferSettings) -> None:
    out, into = settings.out, settings.into
    if out is not None and not out.endswith(".json"):
        raise SignatureError(
            "a signature is written to a .json file",
            path="out",
            observed=out[:300],
            remedy="add .json; --into puts it into an MLmodel",
        )
    if into is not None and local_path(into) is None:
        raise SignatureError(
            "only an MLmodel on this machine can be rewritten",
            path="into",
            observed=into[:300],
            remedy="write a file with --out, and set the model's signature where the model is",
        )


def _check_example(settings: InferSettings) -> None:
    folder = settings.example_dir
    if settings.example is None:
        if folder is not None:
            raise SignatureError("there is no example to write", path="example_dir")
        return
    if not 1 <= settings.example <= MOST_ROWS:
        raise SignatureError(
            "an example cannot have this many rows",
            path="example",
            expected=f"1 to {MOST_ROWS:,}",
            observed=f"{settings.example:,}",
        )
    if folder is not None and settings.into is not None:
        raise SignatureError(
            "the example of a model lies in the model's folder",
            path="example_dir",
            remedy="leave out --example-dir, or write to --out",
        )
    given = folder if folder is not None else settings.into or settings.out
    if given is None:
        raise SignatureError(
            "the example has no place to go to",
            path="example",
            remedy="give --into, --out or --example-dir",
        )
    if local_path(given) is None:
        raise SignatureError(
            "an example is written on this machine only",
            path="example" if folder is None else "example_dir",
            observed=given[:300],
            remedy="give a local folder by --example-dir",
        )
