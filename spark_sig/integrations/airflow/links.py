"""Links from a task to its report."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperatorLink


class ReportLink(BaseOperatorLink):  # type: ignore[misc]  # Airflow comes without types
    """The report of the newest try."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return where the report is; nothing where the job has written none.

        Args:
            operator: the operator that has run.
            ti_key: which of its runs.
        """
        link: str = operator.report_link
        return link
