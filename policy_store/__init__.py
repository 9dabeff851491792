"""SQL: policies, versions, their life, approvals, keys, settings, the audit trail, and the outbox towards Kafka."""
