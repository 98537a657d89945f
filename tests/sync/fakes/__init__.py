"""A Grafana and a Loki ruler that behave as their HTTP contracts say, state included, with faults on command."""
