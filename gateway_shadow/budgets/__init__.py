"""The budgets in force, as the counters stand."""
