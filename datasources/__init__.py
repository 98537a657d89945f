"""Where Grafana looks: one module per data source."""
