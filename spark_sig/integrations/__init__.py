"""Integrations: doors to other tools, each loaded only where it is asked for."""
