"""Airflow: operators that check a table, and call a model on it (extra ``[airflow]``)."""
