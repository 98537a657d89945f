"""Logs."""

from __future__ import annotations

from datasources.common import (
    ALERTMANAGER,
    LOKI,
    PROMETHEUS,
    TRACE_ID,
    TRACES,
    environment,
    password,
    url,
    user,
)
from lokictl.grafana import DataSourceRef, PrometheusTarget, correlation, explore_url, provisioned
from lokictl.model import DataSource

# From a line to the metrics of its service: what its pipeline counted, around the time that is looked at.
TRACE_ID_IN_LINE = rf'{TRACE_ID}"?\s*[:=]\s*"?(\w+)'

LINES_OF_SERVICE = 'sum by (level) (rate(log_lines_total{service="${__value.raw}"}[5m]))'


def to_metrics() -> dict[str, str]:
    """The field with the links from a line to the metrics of its service.

    A URL, for what Grafana makes of a data source alone is not a query of Prometheus.
    """
    target = PrometheusTarget(datasource=DataSourceRef("prometheus", PROMETHEUS), expr=LINES_OF_SERVICE)
    return {
        "name": "Service",
        "matcherType": "label",
        "matcherRegex": "^service$$",
        "url": provisioned(explore_url(target)),
        "urlDisplayLabel": "Metrics",
    }


SOURCE = DataSource(
    name="Loki",
    type="loki",
    uid=LOKI,
    url=url(LOKI),
    is_default=True,
    basic_auth=True,
    basic_auth_user=user(LOKI),
    json_data={
        "maxLines": 1000,
        "timeout": 60,
        "manageAlerts": True,
        "alertmanagerUid": ALERTMANAGER,
        "httpHeaderName1": "X-Scope-OrgID",
        "derivedFields": [
            # In JSON, or as the dashboards write it behind a line.
            TRACES.derived_field("TraceID", TRACE_ID_IN_LINE),
            # Labels and structured metadata; Grafana before 10.3 tries it on the line, where it never matches.
            TRACES.derived_field("TraceID (metadata)", f"^{TRACE_ID}$", label=True),
            to_metrics(),
        ],
    },
    correlations=(
        correlation(
            PrometheusTarget(
                datasource=DataSourceRef("prometheus", PROMETHEUS),
                expr='histogram_quantile(0.99, sum by (le) (rate(log_durations_bucket{service="${service}"}[5m])))',
            ),
            field="labels",
            label="p99 of its service",
            patterns={"service": '"service":"([^"]+)"'},
        ),
    ),
    secure_json_data={**password(LOKI), "httpHeaderValue1": "$__env{LOKI_TENANT}"},
    environment={**environment(LOKI), "LOKI_TENANT": "fake"},
)
