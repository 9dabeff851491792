"""compile, plan, decide: the one engine of live path, replay and simulation. No I/O, no clock, no randomness."""
