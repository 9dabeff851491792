"""SQL: what was said in calls, encrypted, where a tenant's privacy mode keeps it. A database of its own."""
