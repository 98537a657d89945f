"""Recorded answers of a real Loki, and a runner that asks any endpoint the same questions."""
