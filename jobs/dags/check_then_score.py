"""Check a table every day, and call a model on the version that was checked.

A run takes the table as it was when the run was due, so that a backfill over some days checks the
versions of these days.  Variables of Airflow's (or ``AIRFLOW_VAR_…`` in the environment) name all
that is to be used:

=======================  =======================================================================
``spark_sig_table``      the table
``spark_sig_model``      the model
``spark_sig_out``        the table of predictions
``spark_sig_reports``    the folder of the reports
``spark_sig_signature``  what rows are held to; the model's own signature if there is none
``spark_sig_properties`` a properties file for spark-submit; its own if there is none
=======================  =======================================================================

The connection ``spark_default`` says where Spark runs.  A run that is triggered by hand may name a
``version`` of the table.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Param

from spark_sig.integrations.airflow.operators import ScoreOperator, ValidateOperator

MODEL = "{{ var.value.spark_sig_model }}"
TABLE = "{{ var.value.spark_sig_table }}"

with DAG(
    "check_then_score",
    schedule="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # Predictions are appended one day after the other.
    max_active_runs=1,
    params={"version": Param(None, type=["null", "integer"], minimum=0)},
    default_args={
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "reports": "{{ var.value.spark_sig_reports }}",
        "properties_file": "{{ var.value.get('spark_sig_properties', '') }}",
    },
    tags=["spark_sig"],
    doc_md=__doc__,
) as dag:
    check = ValidateOperator(
        task_id="check",
        table=TABLE,
        signature="{{ var.value.get('spark_sig_signature', '') or var.value.spark_sig_model }}",
        version="{{ '' if params.version is none else params.version }}",
        timestamp="{{ dag_run.run_after if params.version is none else '' }}",
    )
    score = ScoreOperator(
        task_id="score",
        model=MODEL,
        table=TABLE,
        out="{{ var.value.spark_sig_out }}",
        version=check.output["version"],
    )
    check >> score
