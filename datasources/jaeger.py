"""Traces, with links from every span to its logs and its service's metrics."""

from __future__ import annotations

from datasources.common import JAEGER, LOKI, PROMETHEUS, TRACE_ID, TRACES, environment, password, url, user
from lokictl.grafana import TAGS as TAGS_OF_SPAN
from lokictl.grafana import TRACE_OF_SPAN, DataSourceRef
from lokictl.model import DataSource
from services.common import NAMESPACE

# `json` finds the id in the line; structured metadata of that name is there without it.
LOGS_OF_TRACE = f'{{namespace="{NAMESPACE}"}} | json | {TRACE_ID}="{TRACE_OF_SPAN}"'

# Tag of a span or its process -> label of its service in the metrics.  Jaeger has no tag "service.name"; the others
# are there where the applications send them.  Without any, the queries show all services side by side.
TAGS = (("k8s.deployment.name", "service"), ("app", "service"))

METRICS = {
    "Lines by service and level": f"sum by (service, level) (rate(log_lines_total{{{TAGS_OF_SPAN}}}[5m]))",
    "Errors by service": f"sum by (service) (rate(log_errors_total{{{TAGS_OF_SPAN}}}[5m]))",
    "p99 of durations by service": (
        f"histogram_quantile(0.99, sum by (le, service) (rate(log_durations_bucket{{{TAGS_OF_SPAN}}}[5m])))"
    ),
}

SOURCE = DataSource(
    name="Jaeger",
    type="jaeger",
    uid=JAEGER,
    url=url(JAEGER),
    basic_auth=True,
    basic_auth_user=user(JAEGER),
    json_data=TRACES.settings(
        logs=DataSourceRef("loki", LOKI),
        logs_query=LOGS_OF_TRACE,
        metrics=DataSourceRef("prometheus", PROMETHEUS),
        metrics_queries=METRICS,
        tags=TAGS,
        before="-30m",
        after="30m",
    ),
    secure_json_data=password(JAEGER),
    environment=environment(JAEGER),
)
