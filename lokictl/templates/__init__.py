"""Go text/template as Loki's pipeline stages and Loki's ruler use it."""
