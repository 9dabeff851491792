"""The story of a gate: a month in shadow, an altered counter, two people's flip, a cap that holds, a demotion."""
