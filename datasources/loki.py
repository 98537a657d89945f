"""Logs."""

from __future__ import annotations

from datasources.common import ALERTMANAGER, JAEGER, LOKI, TRACE_ID, environment, password, url, user
from lokictl.model import DataSource


def _to_trace(name: str, matcher_type: str, matcher: str) -> dict[str, str]:
    return {
        "name": name,
        "matcherType": matcher_type,
        "matcherRegex": matcher,
        "datasourceUid": JAEGER,
        "url": "$${__value.raw}",
        "urlDisplayLabel": "Trace",
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
            _to_trace("TraceID", "regex", rf'"{TRACE_ID}"\s*:\s*"(\w+)"'),
            # Labels and structured metadata; Grafana before 10.3 tries it on the line, where it never matches.
            _to_trace("TraceID (metadata)", "label", f"^{TRACE_ID}$$"),
        ],
    },
    secure_json_data={**password(LOKI), "httpHeaderValue1": "$__env{LOKI_TENANT}"},
    environment={**environment(LOKI), "LOKI_TENANT": "fake"},
)
