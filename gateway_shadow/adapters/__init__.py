"""Adapters: an external shape in, events and named problems out. Pure: no network, no clock, no settings."""
