"""Dashboard building blocks on top of grafanalib."""
