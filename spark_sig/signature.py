"""Model signatures: the contract between data and a model."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from spark_sig.codec import signature_from_dict, signature_to_dict
from spark_sig.documents import MAX_CHARACTERS, parse_json
from spark_sig.errors import SignatureError
from spark_sig.params import ParamSchema
from spark_sig.schema import Schema

if TYPE_CHECKING:
    from mlflow.models import ModelSignature as MlflowSignature

    from spark_sig.diff import Diff
    from spark_sig.explanation import Explanation
    from spark_sig.odcs import Contract
    from spark_sig.planning.draft import Engine
    from spark_sig.policy import Policy
    from spark_sig.sources import Data

MLMODEL = "MLmodel"
SIDES = ("inputs", "outputs")

# The id that MLflow gives a model which is logged.
MODEL_ID = r"m-[0-9a-f]{32}"
# A place that only MLflow reaches: models:/…, runs:/…, s3://…
MODEL_URI = re.compile(rf"{MODEL_ID}|[a-zA-Z][a-zA-Z0-9+.-]+:/.+", re.DOTALL)
LOCAL_URI = re.compile(r"file:(?://(?:localhost)?)?(?P<path>/.*)", re.DOTALL)

# Losses that one warning lists.
_TOLD = 10

# A file that holds a data contract, and perhaps the name of one of its schema objects.
CONTRACT = re.compile(r".+\.ya?ml(?:#.*)?", re.DOTALL | re.IGNORECASE)

_FORMS = "give a .json file, an MLmodel file, or a directory with an MLmodel"


@dataclass(frozen=True, repr=False, eq=False)
class ModelSignature:
    """What a model takes and gives.

    Args:
        inputs: the columns or tensors that it takes.
        outputs: the columns or tensors that it gives.
        params: the settings that it takes beside the data.

    Raises:
        SignatureError: where all are missing, or one is of another class.

    Example:
        >>> from spark_sig.schema import ColSpec
        >>> signature = ModelSignature(inputs=Schema([ColSpec("double", "x")]))
        >>> ModelSignature.from_json(signature.to_json()) == signature
        True
    """

    inputs: Schema | None = None
    outputs: Schema | None = None
    params: ParamSchema | None = None

    def __post_init__(self) -> None:
        kinds = {"inputs": Schema, "outputs": Schema, "params": ParamSchema}
        for name, kind in kinds.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise SignatureError(
                    f"a signature's {name} must be a {kind.__name__}",
                    path=f"$.{name}",
                    observed=type(value).__name__,
                )
        if not any(self._content):
            raise SignatureError(
                "a signature needs inputs, outputs or params", path="$", observed="none of them"
            )

    @property
    def _content(self) -> tuple[Schema | None, Schema | None, ParamSchema | None]:
        # No document can tell a param schema without params from none at all.
        return self.inputs, self.outputs, self.params or None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModelSignature):
            return NotImplemented
        return self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        return (
            f"inputs: \n  {self.inputs!r}\noutputs: \n  {self.outputs!r}\n"
            f"params: \n  {self.params!r}\n"
        )

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the JSON document, as hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode("ascii")).hexdigest()

    def side(self, name: str) -> Schema:
        """Return the schema of one side.

        Args:
            name: ``inputs`` or ``outputs``.

        Raises:
            SignatureError: where there is no such side, or the signature does not declare it.
        """
        if name not in SIDES:
            raise SignatureError(
                f"unknown side {name!r}", path="side", expected=f"one of {', '.join(SIDES)}"
            )
        schema: Schema | None = getattr(self, name)
        if schema is None:
            declared = [side for side in SIDES if getattr(self, side) is not None]
            raise SignatureError(
                f"the signature declares no {name}",
                path=f"$.{name}",
                observed=", ".join(declared) or "params only",
                remedy=f'check side="{declared[0]}"' if declared else "infer it from data",
            )
        return schema

    def to_dict(self) -> dict[str, str | None]:
        """Return MLflow's document: inputs, outputs and params, each a JSON string or None."""
        return signature_to_dict(self.inputs, self.outputs, self.params)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ModelSignature:
        """Read MLflow's document.

        Raises:
            SignatureError: names the place where the document is wrong.
        """
        return cls(*signature_from_dict(document))

    def to_json(self) -> str:
        """Return the document as text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelSignature:
        """Read the document from text.

        Raises:
            SignatureError: names the place where the document is wrong.
        """
        return cls.from_dict(parse_json(text))

    def to_mlflow(self) -> MlflowSignature:
        """Return it as MLflow's own ``mlflow.models.ModelSignature``; nothing is lost.

        Raises:
            SignatureError: where MLflow is not installed (extra ``[mlflow]``), or refuses it.
        """
        from spark_sig.integrations.mlflow.convert import to_mlflow

        return to_mlflow(self)

    @classmethod
    def from_mlflow(cls, signature: object) -> ModelSignature:
        """Read one of MLflow's signatures; nothing is lost.

        Args:
            signature: a ``mlflow.models.ModelSignature``, or a ``Model`` or ``ModelInfo`` of
                MLflow's that has one.

        Raises:
            SignatureError: where there is none, or it is one that we refuse.
        """
        from spark_sig.integrations.mlflow.convert import from_mlflow

        return from_mlflow(signature)

    def to_html(self) -> str:
        """Return a table of the signature that needs nothing beside itself."""
        from spark_sig.render.signature import signature_html

        return signature_html(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def join(self, other: SignatureSource) -> ModelSignature:
        """Return the union of two signatures, each inferred from a part of the data.

        The least signature that all data of both fits.  It is commutative, associative and
        idempotent: parts may be united in any order and grouping.

        Args:
            other: the other signature, or whatever loads as one.

        Raises:
            SignatureError: lists the places that have no union.

        Example:
            >>> from spark_sig.schema import ColSpec
            >>> one = ModelSignature(Schema([ColSpec("integer", "a")]))
            >>> other = ModelSignature(Schema([ColSpec("long", "a"), ColSpec("string", "b")]))
            >>> one.join(other).inputs
            ['a': long (required), 'b': string (optional)]
        """
        from spark_sig.join import join_signatures

        return join_signatures(self, load_signature(other))

    def diff(self, other: SignatureSource, policy: Policy | None = None) -> Diff:
        """Say what happens to data of either signature when it is held to the other.

        Args:
            other: the other signature, or whatever loads as one.
            policy: the choices; the default policy where None.

        Raises:
            SignatureError: where the policy cannot tell two names of one signature apart.

        Example:
            >>> from spark_sig.schema import ColSpec
            >>> old = ModelSignature(Schema([ColSpec("integer", "a")]))
            >>> new = ModelSignature(Schema([ColSpec("long", "a")]))
            >>> old.diff(new).forward, old.diff(new).backward
            (<Compatibility.WIDENING: 'widening'>, <Compatibility.LOSSY: 'lossy'>)
        """
        from spark_sig.diff import diff_signatures

        return diff_signatures(self, load_signature(other), policy)

    def explain(
        self,
        data: Data | Any,
        *,
        policy: Policy | None = None,
        side: str = "inputs",
        engine: Engine = "auto",
        prove: bool = False,
    ) -> Explanation:
        """Say for every field of some data what decides its checks, and why; no row is read.

        Args:
            data: a DataFrame, a path or a name of a table, a pandas DataFrame, an Arrow table.
            policy: the choices that the signature leaves open; the default ones where None.
            side: ``inputs`` or ``outputs``.
            engine: as for :func:`spark_sig.validate`.
            prove: whether to ask file statistics which checks they decide, which takes a job.

        Raises:
            SignatureError: where policy, names or values cannot mean anything.
            SourceError: where the source cannot be read.
        """
        from spark_sig.explaining import explain

        return explain(data, self, policy=policy, side=side, engine=engine, prove=prove)

    @classmethod
    def load(cls, source: SignatureSource) -> ModelSignature:
        """Read a signature from wherever it is; :class:`SignatureSource` says where that may be.

        Raises:
            SignatureError: where there is none, or it cannot be read.
        """
        return load_signature(source)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the signature: into the MLmodel where the path leads to one, else as JSON.

        Either the whole file is written, or it stays what it was.

        Args:
            path: a ``.json`` file, an MLmodel file, or a directory with one.

        Raises:
            SignatureError: where the MLmodel cannot be read, or the path cannot be written.
        """
        target = Path(path)
        if target.is_dir():
            target /= MLMODEL
        if target.suffix == ".json":
            write_atomically(target, self.to_json().encode("ascii"))
            return
        from spark_sig.mlmodel import write_signature

        write_signature(target, self)


SignatureSource: TypeAlias = ModelSignature | Mapping[str, Any] | str | os.PathLike[str]


def load_signature(source: SignatureSource) -> ModelSignature:
    """Read a signature from wherever it is.

    Args:
        source: a signature, one of MLflow's among them; its document as a dict or as JSON text; a
            path to a ``.json`` file, to an MLmodel, or to a directory with one; the URI of a model
            that MLflow keeps (``models:/name@alias``, ``models:/name/3``, ``runs:/…``, ``m-…``);
            a data contract (ODCS 3) as a dict, or as a file that ends in ``.yaml``, ``.yml`` or
            ``.json``, where ``contract.yaml#orders`` takes its schema object ``orders``.  What a
            contract says and a signature does not is warned of.  A pipe (``/dev/stdin``) gives
            JSON or an MLmodel.

    Raises:
        SignatureError: where there is no signature, or it cannot be read.

    Example:
        >>> load_signature({"inputs": '[{"type": "long", "name": "a"}]'}).inputs
        ['a': long (required)]
    """
    if isinstance(source, ModelSignature):
        return source
    if isinstance(source, str) and source.lstrip()[:1] in ("{", "["):
        return _from_values(_sides_as_text(parse_json(source)))
    if isinstance(source, Mapping):
        return _from_values(source)
    if type(source).__module__.partition(".")[0] == "mlflow":
        return ModelSignature.from_mlflow(source)
    if not isinstance(source, (str, os.PathLike)) or not os.fspath(source):
        raise SignatureError(
            "a signature cannot be read from this",
            expected="a ModelSignature, a dict, JSON text or a path",
            observed=type(source).__name__,
        )
    if isinstance(source, str) and (local := LOCAL_URI.fullmatch(source)):
        source = local["path"]
    if isinstance(source, str) and MODEL_URI.fullmatch(source):
        from spark_sig.integrations.mlflow.models import read_model_signature

        return read_model_signature(source)
    path = Path(source)
    path = path / MLMODEL if path.is_dir() else path
    if path.suffix == ".json":
        return _from_values(_sides_as_text(parse_json(read_bytes(path), str(path))))
    if CONTRACT.fullmatch(os.fspath(source)):
        from spark_sig.odcs import load_contract

        return _told(load_contract(source))
    from spark_sig.mlmodel import parse_signature, read_signature

    if path.is_file() or not path.exists():
        return read_signature(path)
    # a pipe's name says nothing of what comes out of it, which can be read but once
    content = read_bytes(path)
    if content.lstrip()[:1] == b"{":
        return _from_values(_sides_as_text(parse_json(content, str(path))))
    return parse_signature(content, path)


def _sides_as_text(document: Any) -> Any:
    """Return a document in MLflow's form, whose sides are text, also where they are values."""
    if not isinstance(document, dict):
        return document
    return {
        key: json.dumps(value) if key in (*SIDES, "params") and isinstance(value, list) else value
        for key, value in document.items()
    }


def _from_values(document: Any) -> ModelSignature:
    """Read a signature's document, or a data contract."""
    from spark_sig.odcs import is_contract, read_contract

    return (
        _told(read_contract(document))
        if is_contract(document)
        else ModelSignature.from_dict(document)
    )


def _told(contract: Contract) -> ModelSignature:
    """Return a contract's signature, and warn of what it leaves unsaid."""
    if contract.losses:
        said = "; ".join(contract.losses[:_TOLD])
        more = f"; and {left} more" if (left := len(contract.losses) - _TOLD) > 0 else ""
        warnings.warn(f"the contract says more than a signature: {said}{more}", stacklevel=4)
    return contract.signature


def read_bytes(path: Path, noun: str = "signature") -> bytes:
    """Read a file that ought to hold a signature, or something else of a model.

    Args:
        path: the file.
        noun: what it is read for, for errors.

    Raises:
        SignatureError: where it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SignatureError(
            f"cannot read the {noun}: {reason}",
            path=str(path)[:300],
            remedy=_FORMS if noun == "signature" else "",
        ) from error
    if len(content) > MAX_CHARACTERS:
        raise SignatureError(
            f"the file is too large for its {noun}",
            path=str(path),
            expected=f"at most {MAX_CHARACTERS} bytes",
        )
    return content


def write_atomically(path: Path, content: bytes, noun: str = "signature") -> None:
    """Write a file under a temporary name beside it, then rename: whole, or not at all.

    Devices and pipes (``/dev/null``) are written to, and never replaced; ``/dev/stdout`` is what
    the output leads to, which may be a file.

    Args:
        path: the file.
        content: what it is to hold.
        noun: what it is written for, for errors.

    Raises:
        SignatureError: where the place cannot be written.
    """
    # A link stays a link, and an existing file keeps its mode.
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            path.write_bytes(content)
            return
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                os.chmod(beside, target.stat().st_mode & 0o7777)
            os.replace(beside, target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SignatureError(f"cannot write the {noun}: {reason}", path=str(path)) from error
