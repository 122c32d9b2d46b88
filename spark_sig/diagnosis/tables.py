"""Tables: which columns no statistics say anything of."""

from __future__ import annotations

import os

from spark_sig.delta.nulls import NullEvidence, Nulls, null_evidence
from spark_sig.diagnosis.symptom import Health, Symptom
from spark_sig.sources import resolve, session_of

# Columns that are named.
_SHOWN = 10

# How many columns Delta takes statistics of where nobody says which.
_FIRST = 32


def diagnose_table(table: str | os.PathLike[str]) -> list[Symptom]:
    """Look at what a table's log says of each column; no row is read.

    Args:
        table: path of a Delta table, or a catalog name.

    Raises:
        SourceError: where it cannot be read.
    """
    source = resolve(table, counted=False)
    name = f"table {source.info.name}"
    if source.snapshot is None:
        remedy = "write it as a Delta table: it has versions, and a log that proves checks"
        return [Symptom(name, Health.WEAK, f"{source.info.kind}, without a log", remedy)]
    places = [(field.name,) for field in source.frame.schema]
    found = null_evidence(session_of(table), source.snapshot, places)
    files = max((evidence.files for evidence in found.values()), default=0)
    without = [place[0] for place, evidence in found.items() if _is_untold(evidence)]
    if not without:
        return [Symptom(name, Health.FINE, f"{files:,} files, statistics of all columns")]
    shown = ", ".join(without[:_SHOWN])
    more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
    remedy = (
        "have Delta take statistics of the columns that are checked "
        f"(delta.dataSkippingStatsColumns; else of the first {_FIRST}), and write or OPTIMIZE the "
        "files anew"
    )
    return [Symptom(name, Health.WEAK, f"no statistics decide: {shown}{more}", remedy)]


def _is_untold(evidence: NullEvidence) -> bool:
    return evidence.nulls is Nulls.UNKNOWN and evidence.undecided > 0
