"""Dashboard building blocks on top of grafanalib: what it lacks or has wrong, in its attrs style, typed.

A small dashboard::

    from lokictl.grafana import Dashboard, DataSourceRef, LokiTarget, Logs, Row, TimeSeries

    LOKI = DataSourceRef("loki", "loki")
    DASHBOARD = Dashboard(
        uid="shop",
        title="Shop",
        content=[
            Row("Logs", [
                TimeSeries(
                    title="Lines by level",
                    unit="short",
                    no_data="no lines",
                    targets=[
                        LokiTarget(
                            datasource=LOKI,
                            expr='sum by (level) (count_over_time({service="shop"} [$__auto]))',
                            legend="{{level}}",
                        )
                    ],
                ),
                Logs(title="Lines", targets=[LokiTarget(datasource=LOKI, expr='{service="shop"}')]),
            ]),
        ],
    )

A public module-level `Dashboard` in a content project's ``dashboards`` folder is found automatically.  `validate`
checks any dashboard's JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.lazy import lazy_names

if TYPE_CHECKING:
    from lokictl.grafana.dashboard import (
        SCHEMA_VERSION,
        AlertAnnotation,
        Annotation,
        Dashboard,
        LokiAnnotation,
    )
    from lokictl.grafana.dynamic import AutoGrid, ShowWhen, Tab, Tabs
    from lokictl.grafana.layout import Block, Column, Row
    from lokictl.grafana.links import (
        DashboardLink,
        DataLink,
        correlation,
        dashboard_url,
        encoded,
        explore_url,
        provisioned,
        trace_url,
    )
    from lokictl.grafana.panels import (
        LEVEL_COLORS,
        LINES_PER_SECOND,
        NEUTRAL,
        AlertList,
        BarGauge,
        Gauge,
        Heatmap,
        Logs,
        NodeGraph,
        Override,
        Panel,
        Stat,
        StateTimeline,
        Table,
        Text,
        TimeSeries,
        Traces,
        color_override,
        counts_table,
        lines_table,
        series_color,
        sparkline,
        vectors_table,
    )
    from lokictl.grafana.targets import (
        DataSourceRef,
        JaegerDependencies,
        JaegerSearch,
        JaegerTrace,
        LokiTarget,
        PrometheusTarget,
        Target,
        TempoSearch,
        TempoServiceMap,
        TempoTrace,
        trace_target,
    )
    from lokictl.grafana.tracing import TAGS, TRACE_OF_SPAN, TraceStore
    from lokictl.grafana.validation import schema, validate
    from lokictl.grafana.variables import (
        CustomVariable,
        DataSourceVariable,
        LokiLabelValues,
        QueryVariable,
        TextVariable,
        Variable,
    )

# Imported when asked for: rules and data sources link to panels and have none.
_MODULES = {
    "AlertAnnotation": "dashboard",
    "AlertList": "panels",
    "Annotation": "dashboard",
    "AutoGrid": "dynamic",
    "BarGauge": "panels",
    "Block": "layout",
    "Column": "layout",
    "CustomVariable": "variables",
    "Dashboard": "dashboard",
    "DashboardLink": "links",
    "DataLink": "links",
    "DataSourceRef": "targets",
    "DataSourceVariable": "variables",
    "Gauge": "panels",
    "Heatmap": "panels",
    "JaegerDependencies": "targets",
    "JaegerSearch": "targets",
    "JaegerTrace": "targets",
    "LEVEL_COLORS": "panels",
    "LINES_PER_SECOND": "panels",
    "Logs": "panels",
    "LokiAnnotation": "dashboard",
    "LokiLabelValues": "variables",
    "LokiTarget": "targets",
    "NEUTRAL": "panels",
    "NodeGraph": "panels",
    "Override": "panels",
    "Panel": "panels",
    "PrometheusTarget": "targets",
    "QueryVariable": "variables",
    "Row": "layout",
    "SCHEMA_VERSION": "dashboard",
    "ShowWhen": "dynamic",
    "Stat": "panels",
    "StateTimeline": "panels",
    "TAGS": "tracing",
    "TRACE_OF_SPAN": "tracing",
    "Tab": "dynamic",
    "Table": "panels",
    "Tabs": "dynamic",
    "Target": "targets",
    "TempoSearch": "targets",
    "TempoServiceMap": "targets",
    "TempoTrace": "targets",
    "Text": "panels",
    "TextVariable": "variables",
    "TimeSeries": "panels",
    "TraceStore": "tracing",
    "Traces": "panels",
    "Variable": "variables",
    "color_override": "panels",
    "correlation": "links",
    "counts_table": "panels",
    "dashboard_url": "links",
    "encoded": "links",
    "explore_url": "links",
    "lines_table": "panels",
    "provisioned": "links",
    "schema": "validation",
    "series_color": "panels",
    "sparkline": "panels",
    "trace_target": "targets",
    "trace_url": "links",
    "validate": "validation",
    "vectors_table": "panels",
}

__all__ = [
    "LEVEL_COLORS",
    "LINES_PER_SECOND",
    "NEUTRAL",
    "SCHEMA_VERSION",
    "TAGS",
    "TRACE_OF_SPAN",
    "AlertAnnotation",
    "AlertList",
    "Annotation",
    "AutoGrid",
    "BarGauge",
    "Block",
    "Column",
    "CustomVariable",
    "Dashboard",
    "DashboardLink",
    "DataLink",
    "DataSourceRef",
    "DataSourceVariable",
    "Gauge",
    "Heatmap",
    "JaegerDependencies",
    "JaegerSearch",
    "JaegerTrace",
    "Logs",
    "LokiAnnotation",
    "LokiLabelValues",
    "LokiTarget",
    "NodeGraph",
    "Override",
    "Panel",
    "PrometheusTarget",
    "QueryVariable",
    "Row",
    "ShowWhen",
    "Stat",
    "StateTimeline",
    "Tab",
    "Table",
    "Tabs",
    "Target",
    "TempoSearch",
    "TempoServiceMap",
    "TempoTrace",
    "Text",
    "TextVariable",
    "TimeSeries",
    "TraceStore",
    "Traces",
    "Variable",
    "color_override",
    "correlation",
    "counts_table",
    "dashboard_url",
    "encoded",
    "explore_url",
    "lines_table",
    "provisioned",
    "schema",
    "series_color",
    "sparkline",
    "trace_target",
    "trace_url",
    "validate",
    "vectors_table",
]

__getattr__ = lazy_names(__name__, _MODULES)
