"""Alerts on their way out: what is said, to which addresses, and when."""
