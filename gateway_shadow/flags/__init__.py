"""The flag over HTTP."""
