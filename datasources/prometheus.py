"""Metrics, with exemplars that lead to traces."""

from __future__ import annotations

from datasources.common import ALERTMANAGER, JAEGER, PROMETHEUS, TRACE_ID, environment, password, url, user
from lokictl.model import DataSource

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
            {"name": TRACE_ID, "datasourceUid": JAEGER, "urlDisplayLabel": "Trace"},
        ],
    },
    secure_json_data=password(PROMETHEUS),
    environment=environment(PROMETHEUS),
)
