"""Verticals: simulated workflows on the meter that everybody uses. What each is stands in ``examples/verticals``."""
