"""What the ledger agent counts."""

from prometheus_client import Counter, Histogram

ROWS = Counter("spendgate_ledger_rows", "Rows committed to the ledger", ["table"])
UNREADABLE = Counter("spendgate_ledger_unreadable", "Messages of the decisions topic that hold no decisions")
COMMIT = Histogram("spendgate_ledger_commit_seconds", "Time to write and commit one book")
CHECKPOINT = Histogram(
    "spendgate_ledger_checkpoint_seconds", "Time to make one checkpoint", buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1800)
)
UPKEEP = Counter("spendgate_ledger_upkeep", "Files joined, deleted and pruned by the timer", ["what"])
