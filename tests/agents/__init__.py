"""The agents: contracts, fault points and delivery on a real broker."""
