"""The benchmark against other tools, each in its own environment: ``make bench-peers``."""
