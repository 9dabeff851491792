"""Trials: topics of their own on real servers, processes as an operator runs them, and what must hold at the end."""
