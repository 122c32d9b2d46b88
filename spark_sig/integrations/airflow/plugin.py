"""Airflow's plugin: pages that show reports, within its web interface."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

from spark_sig.integrations.airflow.links import PREFIX


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request; tasks load the plugin, too, and have no use for what answers it."""
    from spark_sig.integrations.airflow.pages import app

    await app(scope, receive, send)


class SparkSigPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow comes without types
    """Reports in Airflow's web interface."""

    name = "spark_sig"
    fastapi_apps = ({"app": pages, "url_prefix": PREFIX, "name": "spark_sig"},)
