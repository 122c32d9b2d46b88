"""Diagnosis: what of a machine, a session or a table keeps checks from running, or slows them."""

from spark_sig.diagnosis.machine import diagnose_machine
from spark_sig.diagnosis.session import diagnose_session
from spark_sig.diagnosis.symptom import Health, Symptom
from spark_sig.diagnosis.tables import diagnose_table

__all__ = ["Health", "Symptom", "diagnose_machine", "diagnose_session", "diagnose_table"]
