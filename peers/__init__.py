"""Laws against big peers, outside ``make test``: run by ``make test-peers``."""
