"""What is watched: one module per service.  Dashboards, rules, tests and collectors read these descriptions."""
