"""Grafana's HTTP API, as far as a sync needs it: a module for each kind of resource."""
