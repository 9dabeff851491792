"""Simulations as jobs, in processes of their own."""
