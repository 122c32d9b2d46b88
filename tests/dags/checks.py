"""DAGs of single checks, for the tests: the run's ``conf`` says of what."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from spark_sig.integrations.airflow.operators import ValidateOperator

COMMON = {
    "reports": "{{ var.value.spark_sig_reports }}",
    "properties_file": "{{ var.value.spark_sig_properties }}",
    "retry_delay": timedelta(seconds=1),
}
PARAMS = {
    "table": Param("", type="string"),
    "signature": Param("", type="string"),
}

for name, more in {
    "checks": {},
    "checks_again": {"retries": 1},
    "checks_empty": {"min_rows": 0},
}.items():
    with DAG(name, schedule=None, params=PARAMS, default_args=COMMON) as made:
        ValidateOperator(
            task_id="check",
            table="{{ params.table }}",
            signature="{{ params.signature or var.value.spark_sig_model }}",
            **more,
        )
    globals()[name] = made
