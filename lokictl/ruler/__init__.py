"""Evaluates rule groups over time: alert states, templates, recorded samples."""
