"""Finds and loads a content project."""
