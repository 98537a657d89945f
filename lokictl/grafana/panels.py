"""Panels in their current form.  grafanalib's own are those of Grafana 6 to 8, or lack links and no-data texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import attr

from lokictl.grafana.links import DataLink
from lokictl.grafana.targets import MIXED, DataSourceRef, Target

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"


@attr.s(auto_attribs=True, kw_only=True)
class Override:
    """Other settings for the fields that ``by`` (``name``, ``regexp``, ``type``) and ``value`` find."""

    by: str = "name"
    value: str
    properties: Mapping[str, Any]

    def to_json_data(self) -> dict[str, Any]:
        matcher = {"name": "byName", "regexp": "byRegexp", "type": "byType"}[self.by]
        return {
            "matcher": {"id": matcher, "options": self.value},
            "properties": [{"id": name, "value": value} for name, value in self.properties.items()],
        }


def color_override(name: str, color: str) -> Override:
    """One series in one colour."""
    return Override(value=name, properties={"color": {"mode": "fixed", "fixedColor": color}})


LEVEL_COLORS = tuple(
    color_override(level, color)
    for level, color in (("error", RED), ("warn", YELLOW), ("info", GREEN), ("debug", BLUE))
)
"""The levels of a log in the colours that Grafana's log view gives them."""


@attr.s(auto_attribs=True, kw_only=True)
class Panel:
    """What all panels share.

    ``width`` and ``height`` are grid units (24 columns; a row is about 30 pixels).  ``thresholds`` are
    ``(value, colour)``; the first holds from the beginning, its value does not count.  ``no_data`` is shown where a
    query finds nothing.  ``options`` and ``custom`` go over those of the panel's type.  ``interval``
    (``1m``) is the least that ``$__interval`` becomes.
    """

    title: str
    description: str = ""
    targets: Sequence[Target] = ()
    width: int = 12
    height: int = 8
    unit: str = ""
    decimals: int | None = None
    min: float | None = None
    max: float | None = None
    thresholds: Sequence[tuple[float, str]] = ()
    no_data: str = ""
    links: Sequence[DataLink] = ()
    overrides: Sequence[Override] = ()
    mappings: Sequence[Mapping[str, Any]] = ()
    transformations: Sequence[Mapping[str, Any]] = ()
    options: Mapping[str, Any] = attr.Factory(dict)
    custom: Mapping[str, Any] = attr.Factory(dict)
    interval: str = ""
    repeat: str = ""
    transparent: bool = False
    id: int | None = None

    type = ""

    def default_options(self) -> dict[str, Any]:
        """The options of this type of panel."""
        return {}

    def default_custom(self) -> dict[str, Any]:
        """The field settings of this type of panel."""
        return {}

    def color_mode(self) -> str:
        """How values get their colour."""
        return "thresholds" if self.thresholds else "palette-classic"

    def datasource(self) -> DataSourceRef | None:
        """The data source of all targets, or the mixed one."""
        found = {target.datasource for target in self.targets}
        return None if not found else found.pop() if len(found) == 1 else MIXED

    def named_targets(self) -> list[dict[str, Any]]:
        """The targets with a refId each: A, B, C … where none was given."""
        taken = {target.ref_id for target in self.targets}
        free = (letter for letter in ascii_uppercase if letter not in taken)
        return [
            attr.evolve(target, ref_id=target.ref_id or next(free)).to_json_data() for target in self.targets
        ]

    def field_config(self) -> dict[str, Any]:
        """Units, limits, colours, links and no-data text."""
        steps = [
            {"color": color, "value": value if index else None}
            for index, (value, color) in enumerate(self.thresholds or ((0, GREEN),))
        ]
        defaults: dict[str, Any] = {
            "unit": self.unit or "short",
            "color": {"mode": self.color_mode()},
            "thresholds": {"mode": "absolute", "steps": steps},
            "mappings": [dict(item) for item in self.mappings],
            "links": [link.to_json_data() for link in self.links],
            "custom": {**self.default_custom(), **self.custom},
        }
        for name, value in (("decimals", self.decimals), ("min", self.min), ("max", self.max)):
            if value is not None:
                defaults[name] = value
        if self.no_data:
            defaults["noValue"] = self.no_data
        return {"defaults": defaults, "overrides": [override.to_json_data() for override in self.overrides]}

    def to_json_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "description": self.description,
            "targets": self.named_targets(),
            "fieldConfig": self.field_config(),
            "options": {**self.default_options(), **self.options},
            "transformations": [dict(item) for item in self.transformations],
        }
        source = self.datasource()
        if source is not None:
            data["datasource"] = source.to_json_data()
        if self.id is not None:
            data["id"] = self.id
        if self.interval:
            data["interval"] = self.interval
        if self.repeat:
            data |= {"repeat": self.repeat, "repeatDirection": "h"}
        return {**data, "transparent": True} if self.transparent else data


@attr.s(auto_attribs=True, kw_only=True)
class TimeSeries(Panel):
    """Lines, bars or points over time.  ``stack`` is none, normal or percent; ``legend`` list, table or hidden."""

    draw: str = "line"
    fill: int = 10
    stack: str = "none"
    legend: str = "list"
    legend_calcs: Sequence[str] = ()
    threshold_lines: bool = False

    type = "timeseries"

    def color_mode(self) -> str:
        return "palette-classic"

    def default_options(self) -> dict[str, Any]:
        return {
            "legend": {
                "displayMode": "list" if self.legend == "hidden" else self.legend,
                "placement": "bottom",
                "showLegend": self.legend != "hidden",
                "calcs": list(self.legend_calcs),
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }

    def default_custom(self) -> dict[str, Any]:
        return {
            "drawStyle": self.draw,
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": 80 if self.draw == "bars" else self.fill,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": self.stack, "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if self.threshold_lines else "off"},
        }


@attr.s(auto_attribs=True, kw_only=True)
class Stat(Panel):
    """One number.  ``calculation`` reduces a series to it."""

    width: int = 4
    height: int = 4
    calculation: str = "lastNotNull"
    color: str = "value"
    graph: bool = False
    text: str = "auto"

    type = "stat"

    def color_mode(self) -> str:
        return "thresholds"

    def default_options(self) -> dict[str, Any]:
        return {
            "reduceOptions": {"calcs": [self.calculation], "fields": "", "values": False},
            "colorMode": self.color,
            "graphMode": "area" if self.graph else "none",
            "textMode": self.text,
            "justifyMode": "auto",
            "orientation": "auto",
        }


@attr.s(auto_attribs=True, kw_only=True)
class BarGauge(Panel):
    """A bar for each series or row, the largest first where the query sorts."""

    calculation: str = "lastNotNull"

    type = "bargauge"

    def color_mode(self) -> str:
        return "thresholds" if self.thresholds else "continuous-BlPu"

    def default_options(self) -> dict[str, Any]:
        return {
            "reduceOptions": {"calcs": [self.calculation], "fields": "", "values": False},
            "displayMode": "gradient",
            "orientation": "horizontal",
            "showUnfilled": True,
            "valueMode": "color",
        }


@attr.s(auto_attribs=True, kw_only=True)
class Gauge(Panel):
    """A number between two limits."""

    width: int = 4
    calculation: str = "lastNotNull"

    type = "gauge"

    def color_mode(self) -> str:
        return "thresholds"

    def default_options(self) -> dict[str, Any]:
        return {
            "reduceOptions": {"calcs": [self.calculation], "fields": "", "values": False},
            "showThresholdLabels": False,
            "showThresholdMarkers": True,
            "orientation": "auto",
        }


@attr.s(auto_attribs=True, kw_only=True)
class Table(Panel):
    """Rows and columns.  ``sort_by`` names a column, the largest first."""

    sort_by: str = ""

    type = "table"

    def color_mode(self) -> str:
        return "thresholds"

    def default_options(self) -> dict[str, Any]:
        sort = [{"displayName": self.sort_by, "desc": True}] if self.sort_by else []
        return {"showHeader": True, "cellHeight": "sm", "sortBy": sort}

    def default_custom(self) -> dict[str, Any]:
        return {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}


def counts_table(*, columns: Mapping[str, str], value: str) -> tuple[dict[str, Any], ...]:
    """Transformations of an instant Loki vector into a table: label -> column title, and the title of the value."""
    order = {name: index for index, name in enumerate([*columns, "Value #A", "Value"])}
    return (
        {"id": "labelsToFields", "options": {"mode": "columns"}},
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": order,
                "renameByName": {**columns, "Value #A": value, "Value": value},
            },
        },
    )


@attr.s(auto_attribs=True, kw_only=True)
class Logs(Panel):
    """Log lines.  Details stay on: the links of derived fields are there.  ``wrap`` shows long lines whole."""

    width: int = 24
    height: int = 12
    wrap: bool = True
    prettify: bool = False
    newest_first: bool = True
    labels: bool = False

    type = "logs"

    def default_options(self) -> dict[str, Any]:
        return {
            "showTime": True,
            "showLabels": self.labels,
            "showCommonLabels": False,
            "wrapLogMessage": self.wrap,
            "prettifyLogMessage": self.prettify,
            "enableLogDetails": True,
            "sortOrder": "Descending" if self.newest_first else "Ascending",
            "dedupStrategy": "none",
            "showLogContextToggle": True,
        }


@attr.s(auto_attribs=True, kw_only=True)
class Traces(Panel):
    """The spans of one trace; its only target is a `JaegerTrace`."""

    width: int = 24
    height: int = 14

    type = "traces"


@attr.s(auto_attribs=True, kw_only=True)
class NodeGraph(Panel):
    """Nodes and edges, such as which service calls which."""

    height: int = 10

    type = "nodeGraph"

    def default_options(self) -> dict[str, Any]:
        return {"nodes": {}, "edges": {}}


@attr.s(auto_attribs=True, kw_only=True)
class Heatmap(Panel):
    """Values over time as colours.

    ``buckets`` says that the query gives the buckets of a Prometheus histogram (format heatmap); otherwise they are
    worked out from the values.
    """

    buckets: bool = False
    y_unit: str = ""

    type = "heatmap"

    def default_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "calculate": not self.buckets,
            "color": {
                "mode": "scheme",
                "scheme": "Oranges",
                "steps": 64,
                "exponent": 0.5,
                "fill": "dark-orange",
            },
            "cellGap": 1,
            "filterValues": {"le": 1e-9},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "legend": {"show": True},
            "tooltip": {"mode": "single", "yHistogram": True},
            "yAxis": {"unit": self.y_unit or self.unit or "short", "axisPlacement": "left"},
            "showValue": "never",
        }
        if not self.buckets:
            options["calculation"] = {
                "xBuckets": {"mode": "size"},
                "yBuckets": {"mode": "size", "scale": {"type": "log", "log": 2}},
            }
        return options


@attr.s(auto_attribs=True, kw_only=True)
class AlertList(Panel):
    """The alerts whose labels fit ``filter`` (``{service="ryot"}``)."""

    filter: str = ""
    height: int = 7

    type = "alertlist"

    def default_options(self) -> dict[str, Any]:
        return {
            "viewMode": "list",
            "groupMode": "default",
            "maxItems": 20,
            "sortOrder": 1,
            "alertInstanceLabelFilter": self.filter,
            "stateFilter": {"firing": True, "pending": True, "noData": False, "normal": False, "error": True},
        }


@attr.s(auto_attribs=True, kw_only=True)
class Text(Panel):
    """Markdown."""

    content: str
    height: int = 3

    type = "text"

    def default_options(self) -> dict[str, Any]:
        return {"mode": "markdown", "content": self.content}
