"""NEURECTOMY content."""
