"""The documents: event, policy, decision, activation, and the numbers in them."""
