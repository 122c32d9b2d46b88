"""Replays of recorded MLflow behaviour."""
