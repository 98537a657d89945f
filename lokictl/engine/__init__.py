"""Runs a LogQL expression over an in-memory log store and gives Loki's own answer."""
