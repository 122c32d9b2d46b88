"""The verdict: a facet of a run's, which names the signature and says what came of it."""

from __future__ import annotations

import attr
from openlineage.client.facet_v2 import RunFacet

# The shape of the facet, for those who read it; changed with it.
SCHEMA = "urn:spark-sig:openlineage:verdict:1"


@attr.define
class VerdictRunFacet(RunFacet):
    """What came of holding data to a signature.

    Args:
        signature: the signature's fingerprint, SHA-256 of its canonical JSON.
        side: ``inputs`` or ``outputs``.
        conforms: whether all of the data fits.
        complete: whether all of it was seen, or proven.
        violatingRows: how many rows do not fit; None where types or statistics decide.
    """

    signature: str
    side: str
    conforms: bool
    complete: bool
    violatingRows: int | None = None

    @staticmethod
    def _get_schema() -> str:
        return SCHEMA
