"""Emission: events on their way, by the transport that the client is configured for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from spark_sig.errors import SignatureError, SourceError

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient


def emit(found: Iterable[Any], *, client: OpenLineageClient | None = None) -> str:
    """Send events, in order, and wait until they are sent.

    Args:
        found: the events (:func:`~spark_sig.integrations.openlineage.events`).
        client: what sends them; where None one that is configured as OpenLineage's clients are:
            by ``OPENLINEAGE_URL``, ``openlineage.yml``, or the variables ``OPENLINEAGE__…``.

    Returns:
        The kind of transport that took them, such as ``http``.

    Raises:
        SignatureError: where nothing says where to send them, or the client's configuration means
            nothing.
        SourceError: where they could not be sent.
    """
    sender = client or configured_client()
    try:
        for event in found:
            sender.emit(event)
    # What transports raise is theirs alone: HTTP's, Kafka's, that of files.
    except Exception as error:
        raise SourceError(f"OpenLineage's events could not be sent: {error}") from error
    finally:
        if client is None:
            sender.close()
    return str(sender.transport.kind)


def events_json(found: Iterable[Any]) -> str:
    """Return events as the JSON that the client sends, in a list."""
    from openlineage.client.serde import Serde

    return json.dumps([Serde.to_dict(event) for event in found], indent=2, ensure_ascii=False)


def configured_client() -> OpenLineageClient:
    """Return a client that is configured as OpenLineage's clients are.

    Raises:
        SignatureError: where nothing says where to send events, or the configuration means
            nothing.
    """
    from openlineage.client import OpenLineageClient

    try:
        made = OpenLineageClient()
    except Exception as error:  # whatever its factories and files raise
        raise SignatureError(f"OpenLineage's client cannot be configured: {error}") from error
    asked = made.config.transport or {}
    if made.transport.kind == "console" and asked.get("type") != "console":
        made.close()
        raise SignatureError(
            "nothing says where OpenLineage's events go",
            remedy="set OPENLINEAGE_URL, or write an openlineage.yml with a transport",
        )
    return made
