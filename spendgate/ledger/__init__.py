"""The ledger's edge: readers for other people's files, a seeded sample, and the packing of events into messages."""
