"""The pre-call check: what would be said of a call, and the one place that may block it."""
