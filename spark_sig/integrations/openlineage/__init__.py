"""Events for OpenLineage: which data was held to a signature, and what came of it.

Needs the extra ``[openlineage]``.
"""

from __future__ import annotations

from spark_sig.integrations.openlineage.datasets import DatasetName, dataset_name
from spark_sig.integrations.openlineage.emission import configured_client, emit, events_json
from spark_sig.integrations.openlineage.events import events, failure_events, run_uuid

__all__ = [
    "DatasetName",
    "configured_client",
    "dataset_name",
    "emit",
    "events",
    "events_json",
    "failure_events",
    "run_uuid",
]
