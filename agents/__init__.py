"""The Kafka door: Faust agents that evaluate, record and reconcile the event log."""
