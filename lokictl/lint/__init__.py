"""Checks of rules, dashboards, data sources, and of whether they fit each other."""
