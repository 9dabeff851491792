"""Grafana's dashboards as code: ``python -m dev.dashboards`` writes ``grafana/dashboards``."""
