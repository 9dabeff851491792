"""Importers of budgets that other gateways already keep; what could not be carried over is listed, never lost."""
