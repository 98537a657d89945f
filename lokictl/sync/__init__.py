"""Brings Grafana and the Loki ruler to the state that the project describes."""
