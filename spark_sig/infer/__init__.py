"""Inference: signatures derived from values, from DataFrames and from whole tables."""
