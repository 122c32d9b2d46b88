"""Translations between schemas and the type systems of Arrow and Spark."""
