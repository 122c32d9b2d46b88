"""Checks and casts of Arrow data, NumPy and pyarrow only: all that an executor loads."""
