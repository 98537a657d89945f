"""Traces, with links from every span to its logs and its service's metrics."""

from __future__ import annotations

from datasources.common import JAEGER, LOKI, PROMETHEUS, TRACE_ID, environment, password, url, user
from lokictl.model import DataSource

# The span's tag -> the label of its service in logs and metrics.
TAGS = [{"key": "service.name", "value": "service"}]

# `json` finds the id in the line; structured metadata of that name is there without it.
LOGS_OF_TRACE = f'{{$${{__tags}}}} | json | {TRACE_ID}="$${{__trace.traceId}}"'

METRICS = [
    {"name": "Lines by level", "query": "sum by (level) (rate(log_lines_total{$$__tags}[5m]))"},
    {"name": "Errors by module", "query": "sum by (module) (rate(log_errors_total{$$__tags}[5m]))"},
    {
        "name": "p99 of durations",
        "query": "histogram_quantile(0.99, sum by (le) (rate(log_durations_bucket{$$__tags}[5m])))",
    },
]

SOURCE = DataSource(
    name="Jaeger",
    type="jaeger",
    uid=JAEGER,
    url=url(JAEGER),
    basic_auth=True,
    basic_auth_user=user(JAEGER),
    json_data={
        "nodeGraph": {"enabled": True},
        "spanBar": {"type": "Duration"},
        "traceIdTimeParams": {"enabled": True},
        "tracesToLogsV2": {
            "datasourceUid": LOKI,
            "tags": TAGS,
            "spanStartTimeShift": "-5m",
            "spanEndTimeShift": "5m",
            "customQuery": True,
            "query": LOGS_OF_TRACE,
        },
        "tracesToMetrics": {
            "datasourceUid": PROMETHEUS,
            "tags": TAGS,
            "spanStartTimeShift": "-30m",
            "spanEndTimeShift": "30m",
            "queries": METRICS,
        },
    },
    secure_json_data=password(JAEGER),
    environment=environment(JAEGER),
)
