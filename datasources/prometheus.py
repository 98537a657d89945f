"""Metrics.  Jaeger's span metrics have exemplars, which lead to traces; the collectors' metrics of logs have none."""

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
from lokictl.grafana import DataSourceRef, LokiTarget, correlation
from lokictl.model import DataSource
from services.common import NAMESPACE

SOURCE = DataSource(
    name="Prometheus",
    type="prometheus",
    uid=PROMETHEUS,
    url=url(PROMETHEUS),
    basic_auth=True,
    basic_auth_user=user(PROMETHEUS),
    json_data={
        "httpMethod": "POST",
        "timeInterval": "15s",
        "prometheusType": "Prometheus",
        "manageAlerts": True,
        "alertmanagerUid": ALERTMANAGER,
        "exemplarTraceIdDestinations": [
            TRACES.exemplar_destination(TRACE_ID),
        ],
    },
    correlations=(
        correlation(
            LokiTarget(
                datasource=DataSourceRef("loki", LOKI),
                expr=f'{{namespace="{NAMESPACE}", service="${{service}}"}}',
            ),
            field="service",
            label="The lines of this service",
        ),
    ),
    secure_json_data=password(PROMETHEUS),
    environment=environment(PROMETHEUS),
)
