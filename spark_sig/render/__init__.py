"""Renderings: pure functions from values to text."""
