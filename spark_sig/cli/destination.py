"""The destination of an inferred signature: a file, a model, or the output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spark_sig.errors import SignatureError
from spark_sig.example import EXAMPLE_FILE, InputExample
from spark_sig.mlmodel import replace_signature, write_signature
from spark_sig.schema import ColSpec, Schema
from spark_sig.settings.infer import InferSettings
from spark_sig.signature import MLMODEL, ModelSignature, read_bytes, write_atomically
from spark_sig.sinks import local_path, refuse_unwritable_file, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Stands for the signature that is to come, while a model is tried.
_PROBE = ModelSignature(inputs=Schema([ColSpec("long", "a")]))


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a signature goes, and its example with it.

    Args:
        out: the JSON file; None for none.
        model: the MLmodel; None for none.
        folder: the folder of the example; None where there is none.
    """

    out: str | None
    model: Path | None
    folder: Path | None

    @classmethod
    def of(cls, settings: InferSettings) -> Destination:
        """Return the destination that settings name.

        The example goes to its own folder where there is one, else into the model's, as MLflow
        has it, else beside the JSON file.
        """
        model: Path | None = None
        if settings.into is not None:
            model = Path(local_path(settings.into) or settings.into)
            model = model / MLMODEL if model.is_dir() else model
        folder: Path | None = None
        if settings.example is not None:
            beside = settings.example_dir or model or settings.out or ""
            place = Path(local_path(str(beside)) or beside)
            folder = place if settings.example_dir is not None else place.parent
        return cls(settings.out, model, folder)

    def refuse_unwritable(self, spark: SparkSession | None = None) -> None:
        """Refuse what cannot be written, before any work is done for it; nothing is written.

        Args:
            spark: a session, to ask for a path that is not local; without, such a path passes.

        Raises:
            SignatureError: where a local path cannot be written, or the model not be rewritten.
            SourceError: where another storage cannot be reached.
        """
        if self.out is not None:
            refuse_unwritable_file(self.out, "signature", spark=spark)
        if self.model is not None:
            if self.model.name != MLMODEL:
                raise SignatureError(
                    "the model's file must be called MLmodel", path="into", observed=self.model.name
                )
            replace_signature(read_bytes(self.model), _PROBE, self.model)
            refuse_unwritable_file(str(self.model), "signature")
        if self.folder is not None:
            refuse_unwritable_file(str(self.folder / EXAMPLE_FILE), "example")

    def write(
        self, signature: ModelSignature, example: InputExample | None, spark: SparkSession
    ) -> Iterator[str]:
        """Write the signature and its example, each file whole or not at all.

        Yields:
            Lines that say what is where; the last is the signature itself where it goes nowhere.

        Raises:
            SignatureError: where a local path cannot be written.
            SourceError: where another storage cannot be written.
        """
        if self.model is not None:
            self._write_model(self.model, signature, example)
        elif example is not None and self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            example.save(self.folder)
        if self.folder is not None:
            yield f"example: {self.folder / EXAMPLE_FILE}"
        if self.out is not None:
            write_file(self.out, signature.to_json(), "signature", spark=spark)
        target = self.out or self.model
        yield signature.to_json() if target is None else f"signature: {target}"

    def _write_model(
        self, model: Path, signature: ModelSignature, example: InputExample | None
    ) -> None:
        before = read_bytes(model)
        write_signature(model, signature)
        if example is None:
            return
        try:
            example.save(model.parent)  # all its files or none
        except BaseException:
            write_atomically(model, before)
            raise
