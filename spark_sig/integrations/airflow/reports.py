"""Reports of jobs, read where the worker is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spark_sig.report import Report

# A DAG is read every minute: what checks tables is imported when a task runs.


def read_report(uri: str, conn_id: str | None = None) -> Report:
    """Read a report that a job has written.

    Args:
        uri: a local path, a ``file:`` URI, or what Airflow's ``ObjectStoragePath`` reaches.
        conn_id: the connection to that storage; its default one where None.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it is no report, or one of another version.
        Exception: of the storage's, where it cannot be reached.
    """
    from spark_sig.report import Report

    return Report.from_dict(json.loads(_text(uri, conn_id)))


def report_uri(uri: str) -> str:
    """Return where a report is, for others than this process.

    Example:
        >>> report_uri("/reports/a b.json"), report_uri("s3a://reports/a.json")
        ('file:///reports/a%20b.json', 's3a://reports/a.json')
    """
    from spark_sig.sinks import local_path

    local = local_path(uri)
    return uri if local is None else Path(local).absolute().as_uri()


def _text(uri: str, conn_id: str | None) -> str:
    from spark_sig.sinks import local_path

    local = local_path(uri)
    if local is not None:
        return Path(local).read_text(encoding="utf-8")
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    text: str = ObjectStoragePath(uri, conn_id=conn_id).read_text(encoding="utf-8")
    return text
