"""Unit tests for Loki rules."""
