"""Measurements of the running system, side by side with what one would otherwise have written."""
