"""How long the ledger keeps what no current version names: a module of its own, for what starts without Arrow."""

KEEP_HOURS = 168
"""A week: so long an older version can be read again."""
