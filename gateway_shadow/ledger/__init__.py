"""The ledger's rows, page by page."""
