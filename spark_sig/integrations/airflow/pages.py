"""Pages of reports, for those who may read the XComs of their DAG."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.xcom import XComModel
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from spark_sig.integrations.airflow.links import CONNECTION, REPORT
from spark_sig.integrations.airflow.reports import read_report

# A report is text with styles of its own, and loads nothing.
STRICT = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

app = FastAPI(title="spark_sig", openapi_url=None)


# The DAG is in the path, as before 3.2 Airflow asks nothing else which DAG somebody wants to read.
@app.get(
    "/report/{dag_id}", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.XCOM))]
)
def report_page(
    dag_id: str, run_id: str, task_id: str, session: SessionDep, map_index: int = -1
) -> HTMLResponse:
    """Show the report of a task's newest try.

    Args:
        dag_id: the DAG.
        run_id: the run of the DAG.
        task_id: the task.
        session: Airflow's database.
        map_index: which of the mapped tasks it is; -1 where it is not mapped.

    Raises:
        HTTPException: where there is no report, or this server does not reach it.
    """
    found = XComModel.get_many(
        run_id=run_id, dag_ids=dag_id, task_ids=task_id, map_indexes=map_index
    )
    told = {
        one.key: XComModel.deserialize_value(one)
        for one in session.scalars(found)
        if one.key in (REPORT, CONNECTION)
    }
    if REPORT not in told:
        raise HTTPException(404, "This task has no report.")
    try:
        report = read_report(told[REPORT], told.get(CONNECTION))
    except Exception as error:  # storages have errors of their own; none may quote a file
        raise HTTPException(404, "This server cannot read the report.") from error
    return HTMLResponse(report.to_html(), headers=STRICT)
