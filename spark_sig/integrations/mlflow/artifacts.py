"""Artifacts: a model's folder, brought to the driver, and from there to every worker."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tarfile
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_sig.delta.log import is_classic
from spark_sig.errors import ModelError, SignatureError
from spark_sig.integrations.mlflow.door import explained, mlflow_module
from spark_sig.integrations.mlflow.models import canonical
from spark_sig.signature import LOCAL_URI, MLMODEL, MODEL_URI

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CHUNK = 2**20

# Where Python keeps what it has compiled of a model's own code.
_COMPILED = "__pycache__"


class Artifacts(NamedTuple):
    """The files of a model, as workers find them.

    Args:
        digest: SHA-256 of all files and their names: two models of one are the same.
        folder: where they lie on the driver.
        shipped: whether workers have them as a file of Spark's; else they see the folder itself.
    """

    digest: str
    folder: str
    shipped: bool

    @property
    def archive(self) -> str:
        """The name of the file that they are shipped as."""
        return f"spark-sig-model-{self.digest[:32]}.tar"


def fetch(uri: str | os.PathLike[str]) -> Path:
    """Bring a model to this machine, where it is not there already.

    Args:
        uri: a folder, or whatever MLflow finds a model by (``models:/…``, ``runs:/…``, ``m-…``).

    Returns:
        The folder; one that was fetched is removed as the process ends.

    Raises:
        SignatureError: where there is no such model, or MLflow is not installed.
    """
    text = os.fspath(uri)
    mlflow = mlflow_module(f"the model {text}")
    local = LOCAL_URI.fullmatch(text)
    path = Path(local["path"] if local else text)
    if path.name == MLMODEL and path.is_file():
        path = path.parent
    if path.is_dir():
        if not (path / MLMODEL).is_file():
            raise SignatureError("the folder holds no model", path=str(path), expected=MLMODEL)
        return path.absolute()
    failed = f"the model {text} cannot be fetched"
    if local or not MODEL_URI.fullmatch(text):
        raise SignatureError(f"{failed}: there is no such folder", path=str(path))
    folder = tempfile.mkdtemp(prefix="spark-sig-model-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with explained(failed, fetches=True):
        found = mlflow.artifacts.download_artifacts(artifact_uri=canonical(text), dst_path=folder)
    return Path(found)


class Files:
    """The files of a model, read through once and packed once, however many frames are scored.

    Args:
        folder: where they lie on this machine.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shipped: dict[SparkSession, Artifacts] = {}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all of them and their names, as they were when it was first asked for."""
        return digest_of(self.folder)

    def shipped(self, spark: SparkSession) -> Artifacts:
        """Return them as the workers of a session find them, bringing them there the first time."""
        if spark not in self._shipped:
            self._shipped[spark] = _ship(spark, self.folder, self.digest)
        return self._shipped[spark]


def _ship(spark: SparkSession, folder: Path, digest: str) -> Artifacts:
    # Workers of local mode see what the driver sees; a Connect server need not.
    if is_classic(spark) and str(spark.conf.get("spark.master")).startswith("local"):
        return Artifacts(digest, str(folder), shipped=False)
    artifacts = Artifacts(digest, str(folder), shipped=True)
    with tempfile.TemporaryDirectory(prefix="spark-sig-ship-") as beside:
        archive = os.path.join(beside, artifacts.archive)
        _pack(folder, archive)
        _add_file(spark, archive)
    return artifacts


def _add_file(spark: SparkSession, path: str) -> None:
    from pyspark.errors import PySparkException

    try:
        # One of the same name and content is left as it is.
        spark.addArtifacts(path, file=True)
    except (AttributeError, PySparkException):
        if not is_classic(spark):
            raise
        from pyspark import SparkContext  # Spark 3.5 has it for Connect alone

        SparkContext.getOrCreate().addFile(path)


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of all files of a model, and of their names."""
    whole = hashlib.sha256()
    for path in _files(folder):
        if path.is_file():
            whole.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    whole.update(chunk)
    return whole.hexdigest()


def _files(folder: Path) -> list[Path]:
    """Return the files and folders of a model, but for what Python adds as it is loaded."""
    return sorted(
        path for path in folder.rglob("*") if _COMPILED not in path.relative_to(folder).parts
    )


def _pack(folder: Path, archive: str) -> None:
    """Write an archive that depends on nothing but names and contents."""

    def bare(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    # what links lead to, as workers have no such places
    with tarfile.open(archive, "w", dereference=True) as tar:
        for path in _files(folder):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=bare)


# --- on a worker ----------------------------------------------------------------------------------


def unpacked(artifacts: Artifacts) -> str:
    """Return where a model's files lie on this worker's machine; its workers share them."""
    if not artifacts.shipped:
        if digest_of(Path(artifacts.folder)) != artifacts.digest:
            raise ModelError(f"the model in {artifacts.folder} has changed since it was asked for")
        return artifacts.folder
    from pyspark import SparkFiles

    archive = SparkFiles.get(artifacts.archive)
    target = archive.removesuffix(".tar")
    if not os.path.isdir(target):
        beside = tempfile.mkdtemp(dir=os.path.dirname(archive))
        with tarfile.open(archive) as tar:
            # older Pythons have no filters; the archive is our own
            safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            tar.extractall(beside, **safely)
        try:
            os.rename(beside, target)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            if not os.path.isdir(target):  # no other worker was first
                raise
    return target
