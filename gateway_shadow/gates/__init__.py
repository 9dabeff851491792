"""Rounds of reconciliation, gates, waivers and certificates over HTTP."""
