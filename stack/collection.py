"""What is collected, from where, and what is made of each line: one description for Promtail and for Alloy.

A line's way: container runtime format, several lines of one record joined, JSON read, the time taken from the
record, stream labels set, ids kept as structured metadata (never as labels), metrics counted, pushed to Loki.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lokictl.model import FieldType, Service
from lokictl.model.log_metric import LogMetric
from services import SERVICES, agents, sigmalang, sigmavault
from stack.figures import PORTS, address

PUSH_URL = f"http://{address('loki', PORTS.loki_http)}/loki/api/v1/push"

POD_LOGS = "/var/log/pods"

POD_LABELS = {
    "__meta_kubernetes_pod_label_app": "service",
    "__meta_kubernetes_pod_label_tier": "tier",
    "__meta_kubernetes_pod_name": "pod",
    "__meta_kubernetes_namespace": "namespace",
    "__meta_kubernetes_pod_container_name": "container_name",
}
"""Kubernetes metadata -> stream label.  ``level`` comes from the line."""

LEVEL = "level"
STREAM_LABELS = (*POD_LABELS.values(), LEVEL)
"""All labels that a stream may have: what the runtime and the collector add (stream, filename) is dropped."""

ROUND_BUCKETS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000)
AROUND_OBJECTIVE = (0.8, 1, 1.2, 1.5)


def duration_buckets(services: tuple[Service, ...]) -> tuple[int, ...]:
    """The bounds of the histograms of durations, in milliseconds.

    Round ones, and close ones around each service's objective: a quantile is estimated within a bucket, and where it
    matters is at the objective.
    """
    objectives = {service.objectives.p99_duration // 1_000_000 for service in services}
    close = {round(objective * share) for objective in objectives for share in AROUND_OBJECTIVE}
    return tuple(sorted({*ROUND_BUCKETS, *close}))


DURATION_BUCKETS = duration_buckets(SERVICES)
"""Milliseconds."""


@dataclass(frozen=True)
class Place:
    """Where a collector runs: the document's cluster, or, with other values, a machine of a test.

    ``targets_file`` is a JSON file of targets in place of the Kubernetes API; ``scratch`` is where the collector
    remembers how far it has read; ``http_port`` and ``syslog_port`` are its own.
    """

    push_url: str = PUSH_URL
    pod_logs: str = POD_LOGS
    targets_file: str = ""
    scratch: str = ""
    http_port: int = PORTS.collector_metrics
    syslog_port: int = PORTS.syslog_udp


CLUSTER = Place()


LINES = LogMetric("counter", "log_", "lines_total", "Log lines.", ("service", LEVEL))
DURATIONS = LogMetric(
    "histogram",
    "log_",
    "durations",
    "Durations that log lines report, in milliseconds.",
    ("service",),
    "duration_ms",
    buckets=DURATION_BUCKETS,
)
ERRORS = LogMetric(
    "counter",
    "log_",
    "errors_total",
    "Log lines of level error.",
    ("service", "module"),
    extracted=("module",),
    only_level="error",
)
QUEUE_DEPTH = LogMetric(
    "gauge", "agents_", "queue_depth", "Tasks that wait in the queue.", ("service",), source="queue_depth"
)


@dataclass(frozen=True)
class Job:
    """The collection of one service's pods (``service`` None: every other pod).

    ``first_line`` is the regular expression of a record's first line, where records have several; ``timestamp`` the
    field with the record's own time; ``crash`` begins a record that is no JSON: it becomes a line of level error.
    """

    name: str
    service: Service | None
    metrics: tuple[LogMetric, ...] = ()
    first_line: str = ""
    timestamp: str = ""
    metadata: tuple[str, ...] = ()
    crash: str = ""

    @property
    def app(self) -> str:
        """The pod label ``app`` that this job collects."""
        return self.service.name if self.service else ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The JSON fields that the pipeline reads."""
        wanted = [LEVEL, *self.metadata]
        for metric in self.metrics:
            wanted += [metric.source, *metric.extracted]
        wanted.append(self.timestamp)
        return tuple(dict.fromkeys(field for field in wanted if field))


def _metadata(service: Service, *more: str) -> tuple[str, ...]:
    fields = [field.name for field in service.fields if field.structured_metadata]
    return tuple(dict.fromkeys((*fields, *more)))


def _metrics(service: Service) -> tuple[LogMetric, ...]:
    found = [LINES]
    if "duration_ms" in service.field_names:
        found.append(DURATIONS)
    found.append(ERRORS)
    if any(field.name == "queue_depth" and field.type == FieldType.NUMBER for field in service.fields):
        found.append(QUEUE_DEPTH)
    return tuple(found)


def job(service: Service, *, first_line: str = "", metadata: tuple[str, ...] = (), crash: str = "") -> Job:
    """The job of a service, as its description asks for."""
    return Job(
        service.name,
        service,
        _metrics(service),
        first_line,
        service.time_field.name if service.time_field else "",
        _metadata(service, *metadata),
        crash,
    )


SPECIAL: dict[str, dict[str, Any]] = {
    # A record begins with `{` or with a panic; whatever follows (a panic's stack) belongs to it.
    sigmalang.SERVICE.name: {"first_line": rf"^(\{{|{sigmalang.PANIC})", "crash": sigmalang.PANIC},
    sigmavault.SERVICE.name: {"metadata": ("event", "actor", "action", "outcome")},
    agents.SERVICE.name: {"metadata": ("agent_id",)},
}
"""What the job of a service needs beyond its description (the arguments of `job`)."""

JOBS: tuple[Job, ...] = tuple(job(service, **SPECIAL.get(service.name, {})) for service in SERVICES)


def crash_selector(job: Job) -> str:
    """The LogQL selector of a job's crashes."""
    return f'{{service="{job.app}"}} |~ "^{job.crash}"'


OTHER_PODS = Job("kubernetes", None, metadata=("trace_id", "span_id"))
"""Everything else that runs in the cluster."""

SYSLOG_LABELS = {
    "__syslog_message_hostname": "pod",
    "__syslog_message_app_name": "container_name",
    "__syslog_message_severity": LEVEL,
}
