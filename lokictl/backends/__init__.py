"""Where a query can run: the embedded engine, a Loki URL, a Loki binary, a Loki container."""
