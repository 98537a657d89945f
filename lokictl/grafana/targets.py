"""Queries of panels: Loki, Prometheus, Jaeger and Tempo.  grafanalib 0.7.1 has none of them in their current form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import attr

from lokictl.lazy import lazy_pattern
from lokictl.logql import LogQLError, parse, semantics
from lokictl.logql.ast import MetricExpr
from lokictl.logql.grafana_variables import STAND_IN, interpolate


@attr.s(auto_attribs=True, frozen=True)
class DataSourceRef:
    """A data source as panels name it: its plugin type and its uid (or a variable, ``${loki}``)."""

    type: str
    uid: str

    def to_json_data(self) -> dict[str, str]:
        return {"type": self.type, "uid": self.uid}


MIXED = DataSourceRef("datasource", "-- Mixed --")
GRAFANA = DataSourceRef("grafana", "-- Grafana --")


@attr.s(auto_attribs=True, kw_only=True)
class Target(ABC):
    """What the targets share.  ``ref_id`` is given by the panel where it is empty."""

    datasource: DataSourceRef
    ref_id: str = ""
    hide: bool = False

    instant = False
    """Whether the answer is one table of the values at one time, not series over time."""

    legend = ""

    @abstractmethod
    def query_json(self) -> dict[str, Any]:
        """The fields of this kind of query."""

    def to_json_data(self) -> dict[str, Any]:
        data = {"refId": self.ref_id, "datasource": self.datasource.to_json_data(), **self.query_json()}
        return {**data, "hide": True} if self.hide else data


_LEGEND_LABEL = lazy_pattern(r"\{\{\s*([A-Za-z]\w*)\s*\}\}")


def missing_legend_label(expr: str, legend: str) -> str:
    """The first label of a legend that a LogQL query certainly does not return; "" for none."""
    wanted = _LEGEND_LABEL.findall(legend)
    if not wanted:
        return ""
    try:
        expression = parse(interpolate(expr).text)
    except LogQLError:
        return ""  # the linter says what is wrong
    labels = semantics.labels_of(expression)
    if not isinstance(expression, MetricExpr) or any(name.startswith(STAND_IN) for name in labels.names):
        return ""
    return next((name for name in wanted if labels.lacks(name)), "")


@attr.s(auto_attribs=True, kw_only=True)
class LokiTarget(Target):
    """A LogQL query.

    ``instant`` asks for one point in time, for tables and single numbers; ``max_lines`` is for log queries only,
    ``legend`` and ``step`` (text such as ``1m``) for metric queries only.  Write ranges as ``[$__auto]``, or, where
    Grafana 9 has to understand them too, as ``[$__interval]`` and (instant) ``[$__range]``.  Raises ValueError for a
    legend with a label that the query does not return: all series would have the same name.
    """

    expr: str
    legend: str = ""
    instant: bool = False
    max_lines: int = 0
    step: str = ""

    def __attrs_post_init__(self) -> None:
        missing = missing_legend_label(self.expr, self.legend)
        if missing:
            raise ValueError(
                f'the legend "{self.legend}" names {missing}, which the query does not return: {self.expr}'
            )

    def query_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "expr": self.expr,
            "queryType": "instant" if self.instant else "range",
            "editorMode": "code",
        }
        if self.instant:
            data["instant"] = True  # what servers before Grafana 9 go by
        if self.legend:
            data["legendFormat"] = self.legend
        if self.max_lines:
            data["maxLines"] = self.max_lines
        if self.step:
            data["step"] = self.step
        return data


@attr.s(auto_attribs=True, kw_only=True)
class PrometheusTarget(Target):
    """A PromQL query; ``exemplars`` asks for the traces behind it, ``format`` is time_series, table or heatmap."""

    expr: str
    legend: str = ""
    instant: bool = False
    exemplars: bool = False
    format: str = "time_series"
    interval: str = ""

    def query_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "expr": self.expr,
            "range": not self.instant,
            "instant": self.instant,
            "format": self.format,
            "editorMode": "code",
        }
        if self.exemplars and not self.instant:
            data["exemplar"] = True
        if self.legend:
            data["legendFormat"] = self.legend
        if self.interval:
            data["interval"] = self.interval
        return data


@attr.s(auto_attribs=True, kw_only=True)
class JaegerTrace(Target):
    """One trace by its id."""

    trace_id: str

    def query_json(self) -> dict[str, Any]:
        return {"query": self.trace_id}


@attr.s(auto_attribs=True, kw_only=True)
class JaegerSearch(Target):
    """Traces of a service; ``tags`` in logfmt (``error=true``), durations as text (``500ms``)."""

    service: str
    operation: str = ""
    tags: str = ""
    min_duration: str = ""
    max_duration: str = ""
    limit: int = 20

    def query_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"queryType": "search", "service": self.service, "limit": self.limit}
        for name, value in (
            ("operation", self.operation),
            ("tags", self.tags),
            ("minDuration", self.min_duration),
            ("maxDuration", self.max_duration),
        ):
            if value:
                data[name] = value
        return data


@attr.s(auto_attribs=True, kw_only=True)
class JaegerDependencies(Target):
    """Which service calls which, for a node graph (Grafana 12 and newer)."""

    def query_json(self) -> dict[str, Any]:
        return {"queryType": "dependencyGraph"}


@attr.s(auto_attribs=True, kw_only=True)
class TempoTrace(Target):
    """One trace by its id."""

    trace_id: str

    def query_json(self) -> dict[str, Any]:
        return {"queryType": "traceql", "query": self.trace_id, "tableType": "traces", "limit": 20}


@attr.s(auto_attribs=True, kw_only=True)
class TempoSearch(Target):
    """Traces that a TraceQL query finds (``{ resource.service.name = "a" && duration > 500ms }``)."""

    query: str
    limit: int = 20

    def query_json(self) -> dict[str, Any]:
        return {"queryType": "traceql", "query": self.query, "tableType": "traces", "limit": self.limit}


@attr.s(auto_attribs=True, kw_only=True)
class TempoServiceMap(Target):
    """Which service calls which, for a node graph; Tempo's data source needs a Prometheus for it (``serviceMap``)."""

    def query_json(self) -> dict[str, Any]:
        return {"queryType": "serviceMap"}


def trace_target(datasource: DataSourceRef, trace_id: str) -> Target:
    """One trace by its id, as the kind of the data source asks for it."""
    if datasource.type == "tempo":
        return TempoTrace(datasource=datasource, trace_id=trace_id)
    return JaegerTrace(datasource=datasource, trace_id=trace_id)
