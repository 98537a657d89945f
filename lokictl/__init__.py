"""Grafana as code and Loki rules as code, proved before they are uploaded."""

__version__ = "0.1.0"
