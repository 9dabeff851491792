"""The ledger as files, made in processes of their own."""
