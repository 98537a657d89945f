"""Panels in their current form.  grafanalib's own are those of Grafana 6 to 8, or lack links and no-data strings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, ClassVar

import attr

from lokictl.grafana.links import DataLink
from lokictl.grafana.targets import MIXED, DataSourceRef, PrometheusTarget, Target
from lokictl.lazy import lazy_pattern

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"

NEUTRAL = "#808080"
"""The color of what is not known: no data is neither good nor bad."""

LINES_PER_SECOND = "suffix: lines/s"
"""The unit of a rate of log lines."""


@attr.s(auto_attribs=True, kw_only=True)
class Override:
    """Other settings for the fields that ``by`` (``name``, ``regexp``, ``type``, ``query``) and ``value`` find."""

    by: str = "name"
    value: str
    properties: Mapping[str, Any]

    def to_json_data(self) -> dict[str, Any]:
        matcher = {"name": "byName", "regexp": "byRegexp", "type": "byType", "query": "byFrameRefID"}[self.by]
        return {
            "matcher": {"id": matcher, "options": self.value},
            "properties": [{"id": name, "value": value} for name, value in self.properties.items()],
        }


def color_override(name: str, color: str) -> Override:
    """One series in one color."""
    return Override(value=name, properties={"color": {"mode": "fixed", "fixedColor": color}})


METRICS = " (metrics)"
"""The end of a series' name that comes from metrics, beside the same from logs."""


def series_color(name: str, color: str) -> Override:
    """A series in one color, and the one from metrics beside it (``name (metrics)``) in the same."""
    options = f"/^{re.escape(name)}({re.escape(METRICS)})?$/"
    return Override(by="regexp", value=options, properties={"color": {"mode": "fixed", "fixedColor": color}})


LEVEL_COLORS = tuple(
    series_color(level, color)
    for level, color in (("error", RED), ("warn", YELLOW), ("info", GREEN), ("debug", BLUE))
)
"""The levels of a log in the colors that Grafana's log view gives them."""


@attr.s(auto_attribs=True, kw_only=True)
class Panel:
    """What all panels share.

    ``width`` and ``height`` are grid units (24 columns; a row is about 30 pixels).  ``thresholds`` are
    ``(value, color)``; the first holds from the beginning, its value does not count.  ``no_data`` is shown, in a
    neutral color, where a query finds nothing; panels that show a string of their own then refuse it with ValueError.
    ``options`` and ``custom`` go over those of the panel's type.  ``interval`` (``1m``) is the least that
    ``$__interval`` becomes.  ``repeat`` names a variable, ``per_line`` is how many of its panels are in a line.
    """

    shows_no_data: ClassVar[bool] = True
    """Whether this type of panel shows its ``no_data``."""

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
    per_line: int = 2
    transparent: bool = False
    id: int | None = None

    type = ""

    def __attrs_post_init__(self) -> None:
        if self.no_data and not self.shows_no_data:
            raise ValueError(
                f'the panel "{self.title}" never shows its no_data: Grafana\'s {self.type} panels have a string of '
                "their own; say it in the description"
            )

    def default_options(self) -> dict[str, Any]:
        """The options of this type of panel."""
        return {}

    def default_custom(self) -> dict[str, Any]:
        """The field settings of this type of panel."""
        return {}

    def color_mode(self) -> str:
        """How values get their color."""
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

    def default_overrides(self) -> Sequence[Override]:
        """The overrides of this type of panel; those of the panel itself come after them and win."""
        return ()

    def default_transformations(self) -> Sequence[Mapping[str, Any]]:
        """The transformations of this type of panel, before those of the panel itself."""
        return ()

    def data_links(self) -> Sequence[DataLink]:
        """The links on values."""
        return self.links

    def threshold_steps(self) -> list[dict[str, Any]]:
        """The thresholds as Grafana has them: the first without a value."""
        return [
            {"color": color, "value": value if index else None}
            for index, (value, color) in enumerate(self.thresholds or ((0, GREEN),))
        ]

    def display_name(self) -> str:
        """The name of every value; "" for that of its series or row."""
        return ""

    def unknown_text(self) -> str:
        """What is in the place of a value that is not there."""
        return self.no_data or "no data"

    def unknown_color(self) -> str:
        """Its color, which is never one of health."""
        return NEUTRAL

    def field_config(self) -> dict[str, Any]:
        """Units, limits, colors, links and no-data text."""
        steps = self.threshold_steps()
        defaults: dict[str, Any] = {
            "unit": self.unit or "short",
            "color": {"mode": self.color_mode()},
            "thresholds": {"mode": "absolute", "steps": steps},
            "mappings": [
                *(dict(item) for item in self.mappings),
                unknown(self.unknown_text(), self.unknown_color()),
            ],
            "links": [link.to_json_data() for link in self.data_links()],
            "custom": {**self.default_custom(), **self.custom},
        }
        for name, value in (("decimals", self.decimals), ("min", self.min), ("max", self.max)):
            if value is not None:
                defaults[name] = value
        name = self.display_name()
        if name:
            defaults["displayName"] = name
        if self.no_data:
            defaults["noValue"] = self.no_data
        overrides = (*self.default_overrides(), *self.overrides)
        return {"defaults": defaults, "overrides": [override.to_json_data() for override in overrides]}

    def to_json_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "description": self.description,
            "targets": self.named_targets(),
            "fieldConfig": self.field_config(),
            "options": {**self.default_options(), **self.options},
            "transformations": [
                dict(item) for item in (*self.default_transformations(), *self.transformations)
            ],
        }
        source = self.datasource()
        if source is not None:
            data["datasource"] = source.to_json_data()
        if self.id is not None:
            data["id"] = self.id
        if self.interval:
            data["interval"] = self.interval
        if self.repeat:
            data |= {"repeat": self.repeat, "repeatDirection": "h", "maxPerRow": self.per_line}
        return {**data, "transparent": True} if self.transparent else data


def unknown(text: str, color: str = NEUTRAL) -> dict[str, Any]:
    """The mapping of a value that is not there: a string in no color of health."""
    result = {"text": text, "color": color, "index": 0}
    return {"type": "special", "options": {"match": "null+nan", "result": result}}


@attr.s(auto_attribs=True, kw_only=True)
class TimeSeries(Panel):
    """Lines, bars or points over time.  ``stack`` can be none, normal or percent; ``legend`` list, table or hidden.

    Where a panel has queries to Loki and to Prometheus, those to Prometheus are drawn as dashed lines: the same thing
    from logs and from metrics.  ``gaps`` bridges so many seconds without a value (0: none).
    """

    draw: str = "line"
    fill: int = 10
    stack: str = "none"
    legend: str = "list"
    legend_calcs: Sequence[str] = ()
    threshold_lines: bool = False
    colored_by_thresholds: bool = False
    gaps: int = 0

    type = "timeseries"

    def color_mode(self) -> str:
        return "thresholds" if self.colored_by_thresholds else "palette-classic"

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
            "spanNulls": self.gaps * 1000 if self.gaps else False,
            "stacking": {"mode": self.stack, "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if self.threshold_lines else "off"},
        }

    def default_overrides(self) -> Sequence[Override]:
        metrics = [isinstance(target, PrometheusTarget) for target in self.targets]
        if all(metrics) or not any(metrics):
            return ()
        dashed = {
            "custom.drawStyle": "line",
            "custom.lineStyle": {"fill": "dash", "dash": [6, 4]},
            "custom.lineWidth": 2,
            "custom.fillOpacity": 0,
            "custom.stacking": {"mode": "none", "group": "metrics"},
        }
        names = [target["refId"] for target in self.named_targets()]
        return tuple(
            Override(by="query", value=name, properties=dashed)
            for name, is_metric in zip(names, metrics, strict=True)
            if is_metric
        )


HEALTHY = ("green", "dark-green", "semi-dark-green", "light-green", "super-light-green")
_ZERO_FOR_NOTHING = lazy_pattern(
    r"\bor\s+(?:on\s*\(\s*\)\s*)?vector\s*\(\s*0(?:\.0*)?\s*\)[\s)]*$", re.IGNORECASE
)

_FIELD_LABEL = lazy_pattern(r"\$\{__field\.labels\.(\w+)\}")
_PLACEHOLDER = lazy_pattern(r"\{\{\s*(\w+)\s*\}\}")


@attr.s(auto_attribs=True, kw_only=True)
class ReducedPanel(Panel):
    """A panel that shows one value of each series, or of each row of a table.

    ``calculation`` reduces a series over time to a value.  The answers of instant queries are tables of values, of
    which each row is shown; there ``${__field.labels.name}`` in links becomes ``${__data.fields.name}``, and a
    query's ``legend`` names its value.  Raises ValueError for ``or vector(0)`` in a color of health: silence would
    look like the best.
    """

    calculation: str = "lastNotNull"

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.thresholds and self.thresholds[0][1] in HEALTHY:
            for target in self.targets:
                if _ZERO_FOR_NOTHING.search(getattr(target, "expr", "")):
                    raise ValueError(
                        f'the panel "{self.title}" is {self.thresholds[0][1]} where its query finds nothing: remove '
                        "`or vector(0)`, or write 0 only where the parent has data (`or sum(…) * 0`)"
                    )

    def is_table(self) -> bool:
        """Whether all queries are instant ones."""
        return bool(self.targets) and all(target.instant for target in self.targets)

    def color_mode(self) -> str:
        return "thresholds"

    def reduce_options(self) -> dict[str, Any]:
        """Which values are shown."""
        if self.is_table():
            return {"calcs": [], "fields": "", "values": True, "limit": 25}
        return {"calcs": [self.calculation], "fields": "", "values": False}

    def data_links(self) -> Sequence[DataLink]:
        if not self.is_table():
            return self.links
        return [
            attr.evolve(link, url=_FIELD_LABEL.sub(r"${__data.fields.\1}", link.url)) for link in self.links
        ]


@attr.s(auto_attribs=True, kw_only=True)
class Stat(ReducedPanel):
    """One number, or a few side by side: the answer of each query, named by its legend."""

    width: int = 4
    height: int = 4
    color: str = "value"
    graph: bool = False
    text: str = "auto"

    type = "stat"

    def default_options(self) -> dict[str, Any]:
        return {
            "reduceOptions": self.reduce_options(),
            "colorMode": self.color,
            "graphMode": "area" if self.graph else "none",
            "textMode": self.text,
            "justifyMode": "auto",
            "orientation": "auto",
        }

    def default_overrides(self) -> Sequence[Override]:
        if not self.is_table():
            return ()
        return tuple(
            Override(by="query", value=data["refId"], properties={"displayName": target.legend})
            for target, data in zip(self.targets, self.named_targets(), strict=True)
            if target.legend and not _PLACEHOLDER.search(target.legend)
        )


@attr.s(auto_attribs=True, kw_only=True)
class BarGauge(ReducedPanel):
    """A bar for each series or row, the largest first.

    The ``legend`` of an instant query names its rows (``{{service}} {{level}}``).  Bars begin at ``min``.
    """

    min: float | None = 0

    type = "bargauge"

    def threshold_steps(self) -> list[dict[str, Any]]:
        # The edge of a bar without a value has the color of the lowest step, whatever the mappings say.
        steps = super().threshold_steps()
        return [{"color": NEUTRAL, "value": None}, {**steps[0], "value": self.min or 0}, *steps[1:]]

    def color_mode(self) -> str:
        return "thresholds" if self.thresholds else "continuous-BlPu"

    def default_options(self) -> dict[str, Any]:
        return {
            "reduceOptions": self.reduce_options(),
            "displayMode": "gradient",
            "orientation": "horizontal",
            "showUnfilled": True,
            "valueMode": "color",
            # Grafana before 10.3 lets few bars fill the panel; their names and values keep their size there, too.
            "sizing": "manual",
            "minVizHeight": 16,
            "maxVizHeight": 26,
            "minVizWidth": 8,
            "text": {"titleSize": 12, "valueSize": 14},
        }

    def default_transformations(self) -> Sequence[Mapping[str, Any]]:
        if not self.is_table():
            return ()
        # What Grafana calls the values: a Prometheus with but one query leaves out which.
        alone = len(self.targets) == 1 and isinstance(self.targets[0], PrometheusTarget)
        value = "Value" if alone else f"Value #{self.named_targets()[0]['refId']}"
        return (
            {"id": "labelsToFields", "options": {"mode": "columns"}},
            {"id": "filterFieldsByName", "options": {"exclude": {"names": ["Time"]}}},
            {"id": "merge", "options": {}},
            {"id": "sortBy", "options": {"sort": [{"field": value, "desc": True}]}},
        )

    def display_name(self) -> str:
        legend = self.targets[0].legend if self.is_table() else ""
        return _PLACEHOLDER.sub(r"${__data.fields.\1}", legend)


@attr.s(auto_attribs=True, kw_only=True)
class Gauge(ReducedPanel):
    """A number between two limits."""

    width: int = 4

    type = "gauge"

    def default_options(self) -> dict[str, Any]:
        return {
            "reduceOptions": self.reduce_options(),
            "showThresholdLabels": False,
            "showThresholdMarkers": True,
            "orientation": "auto",
        }


@attr.s(auto_attribs=True, kw_only=True)
class StateTimeline(Panel):
    """What state things were in over time: a line of colored stretches for each series.

    ``mappings`` give the states their names and colors; if there is no value, nothing is drawn.  Without any
    series Grafana complains of data without time: let the query give one that says so.
    """

    shows_no_data = False

    width: int = 24
    height: int = 6
    legend: bool = False

    type = "state-timeline"

    def color_mode(self) -> str:
        # By thresholds, values would be shown as ranges, whatever the mappings say.
        return "palette-classic"

    def default_options(self) -> dict[str, Any]:
        return {
            "alignValue": "left",
            "mergeValues": True,
            "rowHeight": 0.8,
            "showValue": "auto",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": self.legend},
            "tooltip": {"mode": "single", "sort": "none"},
        }

    def default_custom(self) -> dict[str, Any]:
        return {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False}

    def unknown_text(self) -> str:
        return " "

    def unknown_color(self) -> str:
        return "transparent"


@attr.s(auto_attribs=True, kw_only=True)
class Table(Panel):
    """Rows and columns.  ``sort_by`` names a column, the largest first; ``no_data`` is for a table without rows."""

    sort_by: str = ""
    filterable: bool = False

    type = "table"

    def unknown_text(self) -> str:
        return "–"

    def color_mode(self) -> str:
        return "thresholds"

    def default_options(self) -> dict[str, Any]:
        sort = [{"displayName": self.sort_by, "desc": True}] if self.sort_by else []
        return {"showHeader": True, "cellHeight": "sm", "sortBy": sort}

    def default_custom(self) -> dict[str, Any]:
        return {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": self.filterable}


def counts_table(*, columns: Mapping[str, str], value: str) -> tuple[dict[str, Any], ...]:
    """Transformations of an instant vector into a table: label -> column title, and the title of the value."""
    return vectors_table(columns=columns, values={"A": value})


def vectors_table(
    *,
    columns: Mapping[str, str],
    values: Mapping[str, str],
    values_first: int = 0,
    trends: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], ...]:
    """Transformations of instant vectors into one table, with a row for each set of labels.

    ``columns`` are label -> column title, ``values`` are refId -> column title, both in the order of the columns;
    ``values_first`` of the values stand before the labels.  ``trends`` are those of range queries, for cells with a
    `sparkline` at the end of each row; Grafana before 10.3 does not know them, and a render for it leaves them out.
    """
    trends = trends or {}
    refs = list(values)
    fields = {
        f"Value #{refs[0]}": values[refs[0]],
        # What Prometheus calls the value where it has but one query.
        "Value": values[refs[0]],
        **{f"Value #{ref}": values[ref] for ref in refs[1:]},
        **{f"Trend #{ref}": title for ref, title in trends.items()},
    }
    titled = list(fields)
    order = [*titled[:values_first], *columns, *titled[values_first:]]
    to_trends = {"id": TRENDS, "options": {ref: {"stat": "lastNotNull"} for ref in trends}}
    return (
        *([to_trends] if trends else []),
        {"id": "labelsToFields", "options": {"mode": "columns"}},
        {"id": "filterFieldsByName", "options": {"exclude": {"names": ["Time"]}}},
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": {name: index for index, name in enumerate(order)},
                "renameByName": {**columns, **fields},
            },
        },
    )


TRENDS = "timeSeriesTable"
"""The transformation that makes a cell of a whole series."""


def sparkline(name: str, *, color: str = BLUE, width: int = 0, draw: str = "line") -> Override:
    """A table's column of trends (`vectors_table`): a small graph in each cell, from 0 up."""
    cell = {
        "type": "sparkline",
        "drawStyle": draw,
        "hideValue": True,
        "lineWidth": 1,
        "fillOpacity": 25,
        "showPoints": "never",
    }
    properties: dict[str, Any] = {
        "custom.cellOptions": cell,
        "color": {"mode": "fixed", "fixedColor": color},
        "min": 0,
    }
    return Override(value=name, properties={**properties, **({"custom.width": width} if width else {})})


def lines_table(
    *, columns: Mapping[str, str], numbers: Sequence[str] = (), time: str = "Time"
) -> tuple[dict[str, Any], ...]:
    """Transformations of log lines into a table: the time and the labels, as label -> column title.

    ``numbers`` are labels whose values are numbers.  A limit of lines bounds such a table; a vector with a series for
    each trace or user runs into Loki's limit of series instead.
    """
    order = ["Time", *columns]
    return (
        {
            "id": "extractFields",
            "options": {"source": "labels", "format": "json", "replace": True, "keepTime": True},
        },
        {"id": "filterFieldsByName", "options": {"include": {"names": order}}},
        {
            "id": "convertFieldType",
            "options": {
                "conversions": [{"targetField": name, "destinationType": "number"} for name in numbers],
                "fields": {},
            },
        },
        {
            "id": "organize",
            "options": {
                "excludeByName": {},
                "indexByName": {name: index for index, name in enumerate(order)},
                "renameByName": {**columns, "Time": time},
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

    shows_no_data = False
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

    shows_no_data = False
    type = "traces"


@attr.s(auto_attribs=True, kw_only=True)
class NodeGraph(Panel):
    """Nodes and edges, such as which service calls which."""

    height: int = 10

    shows_no_data = False
    type = "nodeGraph"

    def default_options(self) -> dict[str, Any]:
        return {"nodes": {}, "edges": {}}


@attr.s(auto_attribs=True, kw_only=True)
class Heatmap(Panel):
    """Values over time as colors.

    ``buckets`` says that the query gives the buckets of a Prometheus histogram (format heatmap); otherwise they are
    worked out from the values.
    """

    buckets: bool = False
    y_unit: str = ""

    shows_no_data = False
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

    shows_no_data = False
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

    shows_no_data = False
    type = "text"

    def default_options(self) -> dict[str, Any]:
        return {"mode": "markdown", "content": self.content}
