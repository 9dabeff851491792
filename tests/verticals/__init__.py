"""The verticals: synthetic workflows, judged in memory, and once on the whole stack."""
