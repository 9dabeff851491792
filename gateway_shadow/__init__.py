"""The HTTP door: events in, policies managed, nothing blocked."""
