"""Decisions as they happen, to whoever watches."""
