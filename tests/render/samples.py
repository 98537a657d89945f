"""The files of a small content project."""

from __future__ import annotations

from typing import Any

CONFIGURATION = 'name = "shop"\ntenant = "demo"\n'

RULES = """\
groups:
  - name: shop
    interval: 1m
    rules:
      - alert: ShopErrors
        expr: sum by (service) (count_over_time({service="shop", level="error"}[5m])) > 10
        for: 5m
        labels:
          severity: warning
        annotations:
          summary: '{{ $value }} errors in {{ $labels.service }}'
"""

DATASOURCES = """\
from lokictl.model import DataSource

LOKI = DataSource(
    name="Loki",
    type="loki",
    uid="loki",
    url="${LOKI_URL}",
    is_default=True,
    json_data={
        "httpHeaderName1": "X-Scope-OrgID",
        "derivedFields": [
            {"name": "trace", "matcherType": "regex", "matcherRegex": "id=(\\\\w+)$", "url": "${__value.raw}",
             "datasourceUid": "jaeger"},
            {"name": "trace", "matcherType": "label", "matcherRegex": "^trace_id$", "url": "$${__value.raw}",
             "datasourceUid": "jaeger"},
        ],
    },
    secure_json_data={"httpHeaderValue1": "${LOKI_TENANT}"},
)
JAEGER = DataSource(
    name="Jaeger",
    type="jaeger",
    uid="jaeger",
    url="http://jaeger:16686",
    json_data={
        "tracesToLogsV2": {
            "datasourceUid": "loki",
            "tags": [{"key": "service.name", "value": "service"}],
            "spanStartTimeShift": "-5m",
            "spanEndTimeShift": "5m",
            "customQuery": True,
            "query": '{${__tags}} |= "${__trace.traceId}"',
        }
    },
)
"""


def dashboard(uid: str = "orders", title: str = "Orders", **more: Any) -> dict[str, Any]:
    """A dashboard's JSON with one panel, its legend in the braces that charts take for templates."""
    panel = {
        "id": 1,
        "type": "timeseries",
        "title": "Lines",
        "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8},
        "datasource": {"type": "loki", "uid": "loki"},
        "targets": [
            {"refId": "A", "expr": 'sum(rate({service="shop"}[$__auto]))', "legendFormat": "{{service}}"}
        ],
    }
    return {"uid": uid, "title": title, "schemaVersion": 39, "panels": [panel], **more}
