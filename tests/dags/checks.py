"""DAGs of one check each, for the tests; all but one run once, as soon as there is a scheduler."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import DAG

from spark_sig.integrations.airflow.operators import ValidateOperator

LAKE = "{{ var.value.lake }}"


def check(name: str, schedule: str | None = "@once", **given: Any) -> DAG:
    """Return a DAG that checks a table."""
    with DAG(name, schedule=schedule, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)) as made:
        ValidateOperator(
            task_id="check",
            retry_delay=timedelta(seconds=1),
            properties_file="{{ var.value.spark_sig_properties }}",
            reports="{{ var.value.spark_sig_reports }}",
            **{"table": f"{LAKE}/table", "signature": f"{LAKE}/model", **given},
        )
    return made


empty = check("empty", table=f"{LAKE}/empty", retries=1)
empty_allowed = check("empty_allowed", table=f"{LAKE}/empty", min_rows=0)
absent = check("absent", table=f"{LAKE}/no such table", retries=1)
unsigned = check("unsigned", signature=f"{LAKE}/none.json")
tolerant = check(
    "tolerant",
    version=1,
    reports_url="https://reports.example/all/",
    max_violations="10%",
    settings={"conformed": f"{LAKE}/good", "quarantine": f"{LAKE}/bad", "nan": "reject"},
)
killed = check("killed", None, version=0, retries=1)
