"""One call's whole story."""
