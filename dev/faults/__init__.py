"""The fault matrix: each fault under load on a real Kafka and Redis, scored, beside the obvious design."""
