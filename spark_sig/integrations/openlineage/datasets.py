"""Datasets: what OpenLineage calls the data that was checked."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from spark_sig.delta.names import is_path

# Storage that is named without its first slash, and the scheme that stands for all of its own.
# Spark's own events name it so, too: both are of one dataset.
_STORES = {
    "s3": "s3",
    "s3a": "s3",
    "s3n": "s3",
    "gs": "gs",
    "abfs": "abfss",
    "abfss": "abfss",
    "wasb": "wasbs",
    "wasbs": "wasbs",
}

# A scheme has two letters at least: C:\ is a drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_SPELT = re.compile(r"(?:delta|parquet)\.`(.+)`", re.DOTALL)

# The namespace of what no storage keeps.
IN_MEMORY = "inmemory://"


class DatasetName(NamedTuple):
    """What OpenLineage calls a dataset.

    Args:
        namespace: the store that it lies in.
        name: what it is called there.
    """

    namespace: str
    name: str


def dataset_name(place: str, *, catalog: str = "spark_catalog") -> DatasetName:
    """Return what OpenLineage calls the data at a place.

    Source: OpenLineage's naming conventions (https://openlineage.io/docs/spec/naming).

    Args:
        place: a path, a URI, or a table's name in a catalog; a path that is not absolute is one
            of the folder that the process runs in.  Empty for data that lies nowhere.
        catalog: the namespace of tables of which the name alone is known.

    Example:
        >>> dataset_name("s3a://lake/flights/")
        DatasetName(namespace='s3://lake', name='flights')
        >>> dataset_name("file:/data/flights")
        DatasetName(namespace='file', name='/data/flights')
        >>> dataset_name("sales.orders", catalog="hive://metastore:9083")
        DatasetName(namespace='hive://metastore:9083', name='sales.orders')
    """
    if not place:
        return DatasetName(IN_MEMORY, "dataframe")
    if spelt := _SPELT.fullmatch(place):
        place = spelt[1].replace("``", "`")
    elif not is_path(place) and not os.path.exists(place):
        return DatasetName(catalog, place)
    if not _SCHEME.match(place):
        return DatasetName("file", os.path.abspath(place))
    return _of_uri(place)


def _of_uri(uri: str) -> DatasetName:
    parts = urlsplit(uri)
    scheme, path = parts.scheme.lower(), unquote(parts.path)
    if scheme == "file":
        return DatasetName("file", path.rstrip("/") or "/")
    if store := _STORES.get(scheme):
        return DatasetName(f"{store}://{parts.netloc}", path.strip("/") or "/")
    namespace = f"{scheme}://{parts.netloc}" if parts.netloc else scheme
    return DatasetName(namespace, path.rstrip("/") or "/")
