"""Tests of the importers of policies."""
