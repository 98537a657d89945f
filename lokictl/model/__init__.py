"""Plain typed objects (services, rules, data sources) and their file formats."""
