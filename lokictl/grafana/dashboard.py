"""A whole dashboard: grafanalib's, with current panels, links, variables and annotations, and clean JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attr

from lokictl.grafana.dynamic import Content, flattened, lost, spec_v2
from lokictl.grafana.layout import arranged
from lokictl.grafana.links import DashboardLink
from lokictl.grafana.targets import GRAFANA, DataSourceRef
from lokictl.grafana.variables import Variable

SCHEMA_VERSION = 42
"""The latest of the classic model; older servers take it, newer ones migrate it."""

# What grafanalib writes for servers that nobody runs any more.
_DEAD = ("__inputs", "gnetId", "hideControls", "rows", "sharedCrosshair", "style", "version")


@attr.s(auto_attribs=True, kw_only=True)
class LokiAnnotation:
    """Log lines as marks in the graphs: ``expr`` is a log query, ``tags`` the labels that are shown with it.

    Off until somebody switches it on: every line is a mark of its own, the newest ``max_lines`` of them, so that many
    lines hide the graphs, and where the marks begin is not where the lines began.  For alerts see `AlertAnnotation`.
    """

    name: str
    datasource: DataSourceRef
    expr: str
    title: str = ""
    tags: Sequence[str] = ()
    color: str = "red"
    enabled: bool = False
    max_lines: int = 100

    def to_json_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "datasource": self.datasource.to_json_data(),
            "enable": self.enabled,
            "hide": False,
            "iconColor": self.color,
            "expr": self.expr,
            "queryType": "range",
            "instant": False,
            "maxLines": self.max_lines,
            "titleFormat": self.title,
            "textFormat": "",
            "tagKeys": ",".join(self.tags),
        }


@attr.s(auto_attribs=True, kw_only=True)
class AlertAnnotation:
    """The time in which alerts fire as regions in the graphs: one for each value of the labels ``by``, or for all.

    ``datasource`` is a Prometheus that has the series ALERTS: its own alerts, and those of a Loki ruler that writes to
    it (``remote_write``).  ``matchers`` choose among them (``service="ryot"``).
    """

    datasource: DataSourceRef
    matchers: str = ""
    by: Sequence[str] = ("service",)
    name: str = "Alerts"
    color: str = "red"
    enabled: bool = True

    def to_json_data(self) -> dict[str, Any]:
        names = [f"{{{{{label}}}}}" for label in self.by]
        matchers = ", ".join(part for part in ('alertstate="firing"', self.matchers) if part)
        return {
            "name": self.name,
            "datasource": self.datasource.to_json_data(),
            "enable": self.enabled,
            "hide": False,
            "iconColor": self.color,
            "expr": f"max by ({', '.join(self.by)}) (ALERTS{{{matchers}}})",
            "step": "60s",
            "titleFormat": " ".join(["alerts fire:" if self.by else "alerts fire", *names]),
            "textFormat": "",
            "tagKeys": ",".join(self.by),
        }


Annotation = LokiAnnotation | AlertAnnotation

_BUILT_IN = {
    "builtIn": 1,
    "datasource": GRAFANA.to_json_data(),
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}


@attr.s(auto_attribs=True, kw_only=True)
class Dashboard:
    """A dashboard.

    ``content`` are rows, loose panels and columns from top to bottom, or `Tabs` (`lokictl.grafana.dynamic`); ``since``
    and ``until`` are the time range at first (``now-1h``); ``refresh`` is a string such as ``30s`` or "" for never.
    """

    uid: str
    title: str
    description: str = ""
    content: Sequence[Content] = ()
    tags: Sequence[str] = ()
    variables: Sequence[Variable] = ()
    annotations: Sequence[Annotation] = ()
    links: Sequence[DashboardLink] = ()
    since: str = "now-1h"
    until: str = "now"
    refresh: str = "1m"
    timezone: str = "browser"

    def to_json(self) -> dict[str, Any]:
        """The final JSON as a dictionary: no nulls but those that mean something, ids and places given."""
        from grafanalib._gen import DashboardEncoder  # noqa: PLC0415 - slow to import, and only dashboards need it
        from grafanalib.core import Annotations, Templating, Time  # noqa: PLC0415 - slow to import, and only dashboards need it
        from grafanalib.core import Dashboard as GrafanalibDashboard  # noqa: PLC0415 - slow to import, and only dashboards need it

        whole = GrafanalibDashboard(
            title=self.title,
            uid=self.uid,
            description=self.description,
            panels=arranged(flattened(self.content)),
            tags=list(self.tags),
            templating=Templating(list=[variable.to_json_data() for variable in self.variables]),
            annotations=Annotations(list=[_BUILT_IN, *(item.to_json_data() for item in self.annotations)]),
            links=[link.to_json_data() for link in self.links],
            time=Time(self.since, self.until),
            refresh=self.refresh,
            timezone=self.timezone,
            graphTooltip=1,
            schemaVersion=SCHEMA_VERSION,
        )
        data = json.loads(json.dumps(whole, cls=DashboardEncoder))
        for key in _DEAD:
            data.pop(key, None)
        cleaned = without_nulls(data)
        assert isinstance(cleaned, dict)
        return {**cleaned, "liveNow": False, "fiscalYearStartMonth": 0, "weekStart": ""}

    def to_v2(self) -> dict[str, Any]:
        """The ``spec`` in schema v2 (``dashboard.grafana.app/v2beta1``)."""
        return spec_v2(self.content, self.to_json())

    def lost_in_classic(self) -> list[str]:
        """What `to_json` cannot say of the dashboard: "tabs become rows"."""
        return lost(self.content, self.to_json())

    def to_text(self) -> str:
        """The final JSON as text: the same bytes for the same code."""
        return json.dumps(self.to_json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def without_nulls(value: Any) -> Any:
    """The JSON without nulls, except in thresholds, where a null is the lowest value."""
    if isinstance(value, dict):
        return {
            name: without_nulls(item)
            for name, item in value.items()
            if item is not None or (name == "value" and "color" in value)
        }
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
