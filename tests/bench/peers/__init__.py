"""The benchmark against other validation tools, each in its own environment: ``make bench-peers``."""
