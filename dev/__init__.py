"""A real Kafka and a real Redis for this checkout: ``dev.stack`` starts, shows and ends them."""
