"""The ``spendgate`` command: one file a command, each of which imports what it needs only when it runs."""
