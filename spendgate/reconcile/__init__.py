"""Reconciliation: what shadow said, against what a replay of the ledger says, event by event. Pure but for ``run``."""
