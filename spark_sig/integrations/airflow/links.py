"""Links from a task to its report."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink, conf

# Where Airflow's server has the pages, and what they find in XCom.
PREFIX = "/spark_sig"
REPORT, CONNECTION = "report", "reports_conn_id"


class ReportLink(BaseOperatorLink):  # type: ignore[misc]  # Airflow comes without types
    """The report of the newest try."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return where the report is; nothing where the job has written none.

        Args:
            operator: the operator that has run.
            ti_key: which of its runs.
        """
        if not operator.report_file:
            return ""
        if operator.reports_url:
            return f"{operator.reports_url.rstrip('/')}/{operator.report_file}"
        asked = {"run_id": ti_key.run_id, "task_id": ti_key.task_id}
        if ti_key.map_index is not None and ti_key.map_index >= 0:
            asked["map_index"] = ti_key.map_index
        root = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        return f"{root}{PREFIX}/report/{quote(ti_key.dag_id)}?{urlencode(asked)}"
