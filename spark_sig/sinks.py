"""Sinks: where what a run has found is written to."""

from __future__ import annotations

import errno
import os
import re
import secrets
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from spark_sig.delta.storage import is_folder, write_text
from spark_sig.errors import SignatureError
from spark_sig.inference import Inference
from spark_sig.report import Report
from spark_sig.signature import write_atomically

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A scheme has two letters at least: C:\ is a drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def write_report(
    report: Report | Inference,
    path: str | os.PathLike[str],
    *,
    run_id: str | None = None,
    spark: SparkSession | None = None,
) -> str:
    """Write a report, whole or not at all, over any older file of that name.

    It is written under a temporary name in the same folder, and then renamed.  Missing folders
    are made.

    Args:
        report: what to write, whatever its verdict; of an inference its evidence.
        path: a local path, a ``file:`` URI, or any URI that Hadoop reaches; where it ends in a
            slash or is a folder, the report goes into it as ``<run_id>.json``.  What it ends in
            says how it is written: ``.html`` as a page, ``.xml`` for CI servers, else as JSON.
        run_id: the name there; made from the time where None.
        spark: a session, for URIs that are not local.

    Returns:
        The path that was written.

    Raises:
        SignatureError: where a local path cannot be written, or a session is needed.
        SourceError: where another storage cannot be written.
    """
    target = report_path(path, new_run_id() if run_id is None else run_id, spark=spark)
    write_file(target, _rendered(report, target).rstrip("\n") + "\n", "report", spark=spark)
    return target


def _rendered(report: Report | Inference, path: str) -> str:
    if isinstance(report, Report):
        if _ends(path, ".html"):
            return report.to_html()
        if _ends(path, ".xml"):
            return report.to_junit()
    return report.to_json()


def _ends(path: str, suffix: str) -> bool:
    return path.lower().endswith(suffix)


def write_file(path: str, text: str, what: str, *, spark: SparkSession | None = None) -> None:
    """Write a file, whole or not at all; see :func:`write_report`.

    Args:
        path: a local path, a ``file:`` URI, or any URI that Hadoop reaches.
        text: what it is to hold.
        what: what that is, for errors.
        spark: a session, for URIs that are not local.

    Raises:
        SignatureError: where a local path cannot be written, or a session is needed.
        SourceError: where another storage cannot be written.
    """
    local = local_path(path)
    if local is not None:
        _write_local(local, text, what)
    elif spark is not None:
        write_text(spark, path, text)
    else:
        raise SignatureError(
            "only a Spark session reaches this path", path=path, remedy="give a local path"
        )


def report_path(
    path: str | os.PathLike[str], run_id: str, *, spark: SparkSession | None = None
) -> str:
    """Return the file that a run's report goes to: the path, or a file of the run's in a folder.

    Args:
        path: a file, a folder that exists, or one that ends in a slash.
        run_id: the name of the run.
        spark: a session, to ask whether a path that is not local is a folder.

    Raises:
        SignatureError: where the run id is no plain file name.

    Example:
        >>> report_path("hdfs://host/reports/", "run-7"), report_path("report.json", "run-7")
        ('hdfs://host/reports/run-7.json', 'report.json')
    """
    place = os.fspath(path)
    if not run_id or run_id.startswith(".") or re.search(r"[/\\\x00-\x1f]", run_id):
        raise SignatureError("a run id must be a plain file name", observed=repr(run_id))
    local = local_path(place)
    if place.endswith("/"):
        folder = True
    elif local is not None:
        folder = os.path.isdir(local)
    else:
        folder = spark is not None and is_folder(spark, place)
    return f"{place.rstrip('/')}/{run_id}.json" if folder else place


def refuse_unwritable(
    path: str | os.PathLike[str], run_id: str, *, spark: SparkSession | None = None
) -> None:
    """Refuse a path that no report can go to, before any work is done for one.

    Nothing is written: a path that passes may still fail when its time comes.

    Args:
        path: as for :func:`write_report`.
        run_id: the name of the run.
        spark: a session, to ask for a path that is not local; without, such a path passes.

    Raises:
        SignatureError: where a local path cannot be written, or the run id is no file name.
        SourceError: where another storage cannot be reached.
    """
    _refuse_unwritable_local(report_path(path, run_id, spark=spark), "report")


def refuse_unwritable_file(path: str, what: str, *, spark: SparkSession | None = None) -> None:
    """Refuse a path that no file can go to; see :func:`refuse_unwritable`.

    Args:
        path: as for :func:`write_file`.
        what: what is to be written, for errors.
        spark: a session, to ask for a path that is not local; without, such a path passes.

    Raises:
        SignatureError: where a local path cannot be written, or the path is a folder.
        SourceError: where another storage cannot be reached.
    """
    _refuse_unwritable_local(path, what)
    if local_path(path) is None and spark is not None and is_folder(spark, path):
        raise _local_error(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), what)


def _refuse_unwritable_local(path: str, what: str) -> None:
    local = local_path(path)
    if local is None:
        return
    try:
        if "\0" in local:
            raise ValueError("embedded null byte")
        if os.path.isdir(local):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if os.path.exists(local) and not os.path.isfile(local):
            # a device or a pipe is written to: nothing is made beside it
            if not os.access(local, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        # a link stays one: what it leads to is replaced
        folder = Path(os.path.realpath(local)).parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (OSError, ValueError) as error:
        raise _local_error(local, error, what) from error


def new_run_id() -> str:
    """Return a name for a run that sorts by time, such as ``20240131T120000Z-1f9c02ab``."""
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return f"{now}-{secrets.token_hex(4)}"


def local_path(path: str) -> str | None:
    """Return a path on this machine as it is there, or None where Hadoop has to find it.

    Example:
        >>> local_path("report.json"), local_path("file:///tmp/a%20b.json"), local_path("s3a://b/r")
        ('report.json', '/tmp/a b.json', None)
    """
    if not _SCHEME.match(path):
        return path
    parts = urlsplit(path)
    if parts.scheme.lower() == "file" and parts.netloc in ("", "localhost"):
        return unquote(parts.path)
    return None


def _write_local(path: str, text: str, what: str) -> None:
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, text.encode())
    except (OSError, ValueError) as error:
        # A SignatureError, which is a ValueError, speaks of signatures: its cause says why.
        cause = error.__cause__ or error
        raise _local_error(path, cause, what) from cause


def _local_error(path: str, cause: BaseException, what: str) -> SignatureError:
    reason = cause.strerror if isinstance(cause, OSError) else str(cause)
    return SignatureError(f"cannot write the {what}: {reason}", path=path)
