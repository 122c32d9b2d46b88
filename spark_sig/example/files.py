"""The files of an example; names and layout are MLflow's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from spark_sig.documents import parse_json
from spark_sig.errors import SignatureError
from spark_sig.example.kinds import ExampleType
from spark_sig.example.reading import guess_kind, guess_params, read_data
from spark_sig.example.refusal import refuse
from spark_sig.example.typed import read_params
from spark_sig.example.writing import DATA, PARAMS, without_constants
from spark_sig.signature import MLMODEL, ModelSignature, read_bytes, write_atomically

EXAMPLE_FILE = "input_example.json"
SERVING_FILE = "serving_input_example.json"


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write all files, or put back those that were written.

    Raises:
        SignatureError: where one cannot be written; names it.
    """
    before = {path: _content(path) for path in files}
    written = []
    try:
        for path, content in files.items():
            write_atomically(path, content, "example")
            written.append(path)
    except SignatureError:
        for path in written:
            old = before[path]
            with suppress(SignatureError, OSError):
                if old is None:
                    path.unlink()
                else:
                    write_atomically(path, old, "example")
        raise


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.exists() else None
    except OSError as error:
        raise SignatureError(
            f"cannot write the example: {error.strerror}", path=str(path)
        ) from error


def read_files(
    folder: Path, signature: ModelSignature | None, info: Mapping[str, str] | None
) -> tuple[Any, dict[str, Any] | None]:
    """Read the data and the params of an example.

    Args:
        folder: where its files are.
        signature: gives them their types; without, they have JSON's own.
        info: what the MLmodel says of the example; without, its serving input tells what it is.

    Raises:
        SignatureError: where there is no example, or it cannot be read; names the place.
    """
    file = folder / _file_name(folder, info or {})
    if not file.is_file():
        raise SignatureError(
            "the model has no input example",
            path=str(folder)[:300],
            remedy="save one with InputExample.save",
        )
    document = _document(file)
    served = _served(folder) if info is None else None
    with_params = guess_params(document, served) if info is None else bool(info.get(PARAMS))
    params: Any = None
    if with_params:
        if not isinstance(document, dict) or document.keys() != {DATA, PARAMS}:
            raise SignatureError(
                "an example with params has them beside its inputs", path=str(file)
            )
        document, params = document[DATA], document[PARAMS]
        if not isinstance(params, dict):
            raise refuse("params must be an object", f"{file}: $.params", params)
        types = None if signature is None else signature.params
        params = read_params(params, types, f"{file}: $.params")
    inputs = None if signature is None else signature.inputs
    kind = guess_kind(document, served, inputs) if info is None else _kind(info, folder)
    return read_data(document, kind, inputs, f"{file}: $"), params


def _file_name(folder: Path, info: Mapping[str, str]) -> str:
    name = info.get("artifact_path", EXAMPLE_FILE)
    # The name comes from a file that anybody may have written.
    if Path(name).name != name or name in ("", ".", ".."):
        raise SignatureError(
            "the example must be a file beside the MLmodel",
            path=f"{folder}/{MLMODEL}",
            observed=repr(name)[:80],
        )
    return name


def _served(folder: Path) -> Any:
    path = folder / SERVING_FILE
    return _document(path) if path.is_file() else None


def _document(path: Path) -> Any:
    try:
        text = read_bytes(path, "example").decode("utf-8")
    except UnicodeDecodeError as error:
        raise SignatureError("the example is not UTF-8", path=str(path)) from error
    # MLflow writes NaN and infinities as Python does, which is no JSON.
    return parse_json(without_constants(text), f"{path}: $")


def _kind(info: Mapping[str, str], folder: Path) -> ExampleType:
    known = [kind.value for kind in ExampleType]
    found = info.get("type")
    if found not in known:
        raise SignatureError(
            "unknown type of example",
            path=f"{folder}/{MLMODEL}",
            expected=f"one of {', '.join(known)}",
            observed=repr(found)[:80],
        )
    return ExampleType(found)
