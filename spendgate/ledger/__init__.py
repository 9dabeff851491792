"""The ledger's edge: readers for other people's files, seeded samples, and packing into messages."""
