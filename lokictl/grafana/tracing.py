"""Traces, whichever store has them: the same queries, links and data source settings for Jaeger and for Tempo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attr

from lokictl.grafana.links import DataLink, explore_url, provisioned, trace_url
from lokictl.grafana.targets import (
    DataSourceRef,
    JaegerDependencies,
    JaegerSearch,
    Target,
    TempoSearch,
    TempoServiceMap,
    trace_target,
)

TRACE_OF_SPAN = "${__trace.traceId}"
"""The trace's id in the queries of a span's links.  Every span has it, whatever tags it was sent with."""

TAGS = "$__tags"
"""The tags of a span in its metric queries; nothing where the span has none of them."""


@attr.s(auto_attribs=True, frozen=True, kw_only=True)
class TraceStore:
    """The data source that has the traces: ``traces`` is ``jaeger`` or ``tempo``, ``uid`` its uid."""

    traces: Literal["jaeger", "tempo"] = attr.ib(validator=attr.validators.in_(("jaeger", "tempo")))
    uid: str

    @property
    def datasource(self) -> DataSourceRef:
        """The data source as panels name it."""
        return DataSourceRef(self.traces, self.uid)

    def trace(self, trace_id: str) -> Target:
        """One trace by its id.

        In a panel, Jaeger's data source does not fill a variable here in Grafana 12.0 to 12.3; a link does.
        """
        return trace_target(self.datasource, trace_id)

    def search(
        self, service: str, *, min_duration: str = "", failed: bool = False, limit: int = 20
    ) -> Target:
        """Traces of a service: those that took at least ``min_duration`` (``500ms``), or in which a span failed."""
        if self.traces == "jaeger":
            return JaegerSearch(
                datasource=self.datasource,
                service=service,
                min_duration=min_duration,
                tags="error=true" if failed else "",
                limit=limit,
            )
        conditions = [f'resource.service.name =~ "{service}"']
        conditions += [f"trace:duration >= {min_duration}"] if min_duration else []
        conditions += ["status = error"] if failed else []
        return TempoSearch(datasource=self.datasource, query=f"{{ {' && '.join(conditions)} }}", limit=limit)

    def calls(self) -> Target:
        """Which service calls which, for a node graph."""
        if self.traces == "jaeger":
            return JaegerDependencies(datasource=self.datasource)
        return TempoServiceMap(datasource=self.datasource)

    def url(self, trace_id: str = "${__value.raw}") -> str:
        """A link that opens one trace in Explore."""
        return trace_url(self.datasource, trace_id)

    def link(self, title: str = "Trace in Explore", trace_id: str = "${__value.raw}") -> DataLink:
        """The same as a link on a value."""
        return DataLink(title=title, url=self.url(trace_id))

    def derived_field(self, name: str, matcher: str, *, label: bool = False) -> dict[str, str]:
        """A derived field of a Loki data source that leads to the trace.

        ``matcher`` is a regular expression whose first group is the id in a line; with ``label`` it is one of the
        names of labels and structured metadata (Grafana 10.3 and newer; older ones look for it in the line).
        """
        return {
            "name": name,
            "matcherType": "label" if label else "regex",
            "matcherRegex": provisioned(matcher),
            "datasourceUid": self.uid,
            "url": provisioned("${__value.raw}"),
            "urlDisplayLabel": "Trace",
        }

    def exemplar_destination(self, label: str) -> dict[str, str]:
        """Where the exemplars of a Prometheus data source lead; ``label`` holds the trace's id.

        For Jaeger a URL: what Grafana makes of a data source alone is a query of Tempo, which Jaeger does not know.
        """
        if self.traces == "tempo":
            return {"name": label, "datasourceUid": self.uid, "urlDisplayLabel": "Trace"}
        hour = {"from": "now-1h", "to": "now"}
        return {
            "name": label,
            "url": provisioned(explore_url(self.trace("${__value.raw}"), time_range=hour)),
            "urlDisplayLabel": "Trace",
        }

    def settings(
        self,
        *,
        logs: DataSourceRef,
        logs_query: str,
        metrics: DataSourceRef,
        metrics_queries: Mapping[str, str],
        tags: Sequence[tuple[str, str]] = (),
        before: str = "-5m",
        after: str = "5m",
    ) -> dict[str, Any]:
        """The settings (``jsonData``) of the data source: every span leads to its logs and metrics.

        ``logs_query`` finds the lines; it may use `TRACE_OF_SPAN`, but no tag: the link disappears for spans
        that lack one.  ``metrics_queries`` are title -> query; `TAGS` in them becomes matchers for those of ``tags``
        (span or process tag -> label) that a span has, so they must make sense without.  Jaeger keeps
        ``service.name`` as the name of the process, not as a tag.  ``before`` and ``after`` widen the time.
        Raises ValueError where ``tags`` has ``service.name`` for Jaeger.
        """
        lost = [tag for tag, _ in tags if self.traces == "jaeger" and tag == "service.name"]
        if lost:
            raise ValueError(
                "no span in Jaeger has the tag service.name: it is the name of the process there; use a tag such as "
                "k8s.deployment.name, or a query without tags"
            )
        shifts = {"spanStartTimeShift": before, "spanEndTimeShift": after}
        data: dict[str, Any] = {
            "nodeGraph": {"enabled": True},
            "spanBar": {"type": "Duration"},
            "tracesToLogsV2": {
                "datasourceUid": logs.uid,
                "tags": [],
                **shifts,
                "customQuery": True,
                "query": provisioned(logs_query),
            },
            "tracesToMetrics": {
                "datasourceUid": metrics.uid,
                "tags": [{"key": key, "value": value} for key, value in tags],
                **shifts,
                "queries": [
                    {"name": name, "query": provisioned(query)} for name, query in metrics_queries.items()
                ],
            },
        }
        return {**data, "serviceMap": {"datasourceUid": metrics.uid}} if self.traces == "tempo" else data
