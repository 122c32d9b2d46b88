"""Events for OpenLineage: which data was held to a signature, and what came of it.

Needs the extra ``[openlineage]``.
"""

from __future__ import annotations

from spark_sig.integrations.openlineage.datasets import DatasetName, dataset_name
from spark_sig.integrations.openlineage.emission import emit
from spark_sig.integrations.openlineage.events import events, failure_events, run_uuid

__all__ = ["DatasetName", "dataset_name", "emit", "events", "failure_events", "run_uuid"]
