"""Spendgate: prove an AI spend control in shadow before you enforce it."""

__version__ = "0.1.0"
