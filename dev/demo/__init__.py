"""The demo: stack, topics, policies, two agents, a busy hour, a live screen, and a check of every decision."""
