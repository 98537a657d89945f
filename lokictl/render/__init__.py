"""Writes the files to ship."""
