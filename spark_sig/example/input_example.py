"""An input example: data that a model takes, saved beside it as JSON.

Names and layout of the files are MLflow's (``mlflow.models.utils._Example``), and each reads what
the other writes.  JSON has neither NaN nor infinities, so they are written as what every strict
parser takes: an infinity as the number ``1e999``, NaN as null.  Only where an example may hold None
as well, outside tensors, its file has the string ``NaN``, which a signature tells from a text.
There NaN is a float among floats; among values of other kinds it is what pandas writes for one that
is missing, and becomes None.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_sig.documents import parse_json
from spark_sig.engines.arrays import is_sparse
from spark_sig.engines.local import enforce
from spark_sig.errors import SignatureError
from spark_sig.example.equality import same
from spark_sig.example.files import EXAMPLE_FILE, SERVING_FILE, read_files, write_files
from spark_sig.example.form import copied, normal_data, normal_params
from spark_sig.example.kinds import ExampleType
from spark_sig.example.refusal import refuse
from spark_sig.example.writing import (
    DATA,
    PARAMS,
    SPLIT,
    data_tree,
    dense,
    is_numbered,
    strict_text,
    value_tree,
)
from spark_sig.mlmodel import has_signature, read_example_info, replace_example_info
from spark_sig.naming import member_path
from spark_sig.policy import Policy
from spark_sig.signature import MLMODEL, ModelSignature, SignatureSource, read_bytes

# A dict with one of these is served as it is (mlflow.pyfunc.utils.serving_data_parser).
UNWRAPPED = ("messages", "prompt", "input")


@dataclass(frozen=True, slots=True, eq=False, init=False)
class InputExample:
    """Data that a model takes, and params beside it.

    What is given is copied, never changed, and kept in the one form that comes back from JSON:
    frames lose their index, their time zones become UTC, and columns of pandas' own dtypes become
    NumPy's wherever NumPy can hold them; bytearrays become bytes, tuples lists.

    Args:
        data: a pandas DataFrame, a dict, list, str, bytes or scalar, which become one; or an
            ndarray, a dict of ndarrays, a csr_matrix or csc_matrix.  A dict is one row, a list is
            one row per item; a list of lists, which may be either, is kept as it is.
        params: the params beside the data.
        example_no_conversion: keep dicts, lists and scalars as they are, instead of making them
            a frame.

    Raises:
        SignatureError: where JSON cannot say what is there; names the place.

    Example:
        >>> example = InputExample({"x": 5.1, "n": 2}, {"k": 1})
        >>> example.data
             x  n
        0  5.1  2
        >>> example.to_json()
        '{"inputs": {"columns": ["x", "n"], "data": [[5.1, 2]]}, "params": {"k": 1}}'
    """

    data: Any
    params: dict[str, Any] | None

    def __init__(
        self,
        data: Any,
        params: Mapping[str, Any] | None = None,
        *,
        example_no_conversion: bool = False,
    ) -> None:
        kept = normal_data(data, example_no_conversion)
        if params is not None and not isinstance(params, Mapping):
            raise refuse("params must be a dict", "$.params", params)
        self._keep(kept, None if params is None else normal_params(params))
        if self._unwrapped and (hidden := [key for key in self.params or () if key in kept]):
            raise SignatureError(
                "a param would hide the data of its name, as they are served side by side",
                path=member_path("$.params", hidden[0]),
            )
        parse_json(self.to_json())  # What is written must be readable: its size, depth and numbers.

    def _keep(self, data: Any, params: dict[str, Any] | None) -> None:
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "params", params)

    @classmethod
    def of(cls, value: Any, *, example_no_conversion: bool = False) -> InputExample:
        """Make an example of data, or of a tuple of data and params.

        Raises:
            SignatureError: where JSON cannot say what is there; names the place.

        Example:
            >>> InputExample.of(("Hello, Dolly!", {"top_k": 1})).params
            {'top_k': 1}
        """
        if isinstance(value, InputExample):
            return value
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict):
            return cls(*value, example_no_conversion=example_no_conversion)
        return cls(value, example_no_conversion=example_no_conversion)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InputExample):
            return NotImplemented
        ours, theirs = (self.data, self.params), (other.data, other.params)
        return all(map(same, ours, theirs))

    @property
    def type(self) -> ExampleType:
        """How the data are written."""
        return ExampleType.of(self.data)

    @property
    def info(self) -> dict[str, str]:
        """What MLflow keeps of it in the MLmodel, as ``saved_input_example_info``."""
        out = {"artifact_path": EXAMPLE_FILE, "serving_input_path": SERVING_FILE}
        if self.params is not None:
            out["params"] = "true"
        out["type"] = self.type.value
        if self.type is ExampleType.DATAFRAME:
            out["pandas_orient"] = "values" if is_numbered(self.data) else "split"
        return out

    def to_record(self) -> tuple[Any, dict[str, Any] | None]:
        """Return copies of the data and of the params, as inference takes them."""
        return copied(self.data), copied(self.params)

    def to_json(self) -> str:
        """Return the document that ``input_example.json`` holds."""
        written = data_tree(self.data)
        if self.params is not None:
            written = {DATA: written, PARAMS: value_tree(self.params)}
        return strict_text(written)

    def serving_input(self) -> str:
        """Return the body that a scoring server takes for this example.

        Raises:
            SignatureError: where a sparse matrix is too large to be served.

        Example:
            >>> print(InputExample([1, 2], example_no_conversion=True).serving_input())
            {
              "inputs": [
                1,
                2
              ]
            }
        """
        if self._unwrapped:
            whole = self.data | (self.params or {})
            return strict_text(value_tree(whole, served=True), indent=2)
        body = {
            SPLIT if self.type is ExampleType.DATAFRAME else DATA: data_tree(
                dense(self.data) if is_sparse(self.data) else self.data, served=True
            )
        }
        if self.params is not None:
            body[PARAMS] = value_tree(self.params, served=True)
        return strict_text(body, indent=2)

    @property
    def _unwrapped(self) -> bool:
        is_dict = self.type is ExampleType.JSON and isinstance(self.data, dict)
        return is_dict and any(key in self.data for key in UNWRAPPED)

    def check(self, signature: SignatureSource, policy: Policy | None = None) -> Any:
        """Hold the example to a signature.

        Args:
            signature: a signature, or whatever loads as one.
            policy: the choices; the default policy where None.

        Returns:
            What :func:`spark_sig.enforce` returns: the data; with params a tuple.

        Raises:
            ViolationError: lists every violation, of data and params alike.
            SignatureError: where the signature does not load, or has no inputs.

        Example:
            >>> signature = {"inputs": '[{"type": "double", "name": "x", "required": true}]'}
            >>> InputExample({"x": 1.5}).check(signature)["x"].tolist()
            [1.5]
        """
        data, params = self.to_record()
        return enforce(data, signature, params=params, policy=policy)

    def save(self, directory: str | os.PathLike[str]) -> dict[str, str]:
        """Write the example and its serving input, and note them in the MLmodel if there is one.

        All files are written, or all stay what they were.

        Args:
            directory: of the model; it has to be there.

        Returns:
            What MLflow keeps as ``saved_input_example_info``.

        Raises:
            SignatureError: where the place cannot be written, or the MLmodel not be rewritten.
        """
        folder = Path(directory)
        if not folder.is_dir():
            raise SignatureError(
                "an example is saved into the directory of a model",
                path=str(directory)[:300],
                observed="a file" if folder.exists() else "nothing",
            )
        files = {
            folder / EXAMPLE_FILE: self.to_json().encode("ascii"),
            folder / SERVING_FILE: self.serving_input().encode("ascii"),
        }
        model = folder / MLMODEL
        if model.exists():
            before = read_bytes(model, "example")
            files[model] = replace_example_info(before, self.info, model)
        write_files(files)
        return self.info

    @classmethod
    def load(
        cls,
        source: str | os.PathLike[str],
        signature: SignatureSource | None = None,
        info: Mapping[str, str] | None = None,
    ) -> InputExample:
        """Read an example, ours or MLflow's.

        Args:
            source: the directory of a model, or its MLmodel.
            signature: gives the data their types; that in the MLmodel where None.  Without any,
                they have JSON's own.
            info: what :meth:`save` returned; that in the MLmodel where None.  Without any, the
                serving input tells what the example is.

        Raises:
            SignatureError: where there is no example, or it cannot be read; names the place.
        """
        path = Path(source)
        folder = path if path.is_dir() else path.parent
        model = folder / MLMODEL if path.is_dir() else path
        loaded = None if signature is None else ModelSignature.load(signature)
        if model.exists():
            info = read_example_info(model) if info is None else info
            if loaded is None and has_signature(model):
                loaded = ModelSignature.load(model)
        example = object.__new__(cls)
        example._keep(*read_files(folder, loaded, info))
        return example
