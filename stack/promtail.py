"""Promtail, written from `stack.collection`.  It reached its end of life in March 2026; Alloy is the default.

Promtail's metrics carry every stream label of the line besides those asked for; sum over the rest.
"""

from __future__ import annotations

from typing import Any

from lokictl.model.component import Component
from lokictl.model.log_metric import LogMetric
from stack import access, objects
from stack.collection import (
    CLUSTER,
    JOBS,
    LEVEL,
    OTHER_PODS,
    POD_LABELS,
    STREAM_LABELS,
    SYSLOG_LABELS,
    Job,
    Place,
    crash_selector,
)
from stack.collector import daemon_set, only_when_chosen
from stack.figures import IMAGES, TENANT

NAME = "promtail"
CONFIG_FILE = "promtail.yaml"


def configuration(place: Place = CLUSTER) -> dict[str, Any]:
    """Promtail's configuration file."""
    return {
        "server": {"http_listen_port": place.http_port, "grpc_listen_port": 0, "log_level": "warn"},
        "positions": {"filename": f"{place.scratch or '/run/promtail'}/positions.yaml"},
        "clients": [
            {
                "url": place.push_url,
                "tenant_id": TENANT,
                "batchwait": "1s",
                "batchsize": 1 << 20,
                "backoff_config": {"min_period": "500ms", "max_period": "5m", "max_retries": 10},
            }
        ],
        "scrape_configs": [*(pod_job(job, place) for job in (*JOBS, OTHER_PODS)), syslog_job(place)],
    }


def pod_job(job: Job, place: Place = CLUSTER) -> dict[str, Any]:
    """The scrape configuration of one job."""
    discovery: dict[str, Any] = {"kubernetes_sd_configs": [{"role": "pod"}]}
    if place.targets_file:
        discovery = {"file_sd_configs": [{"files": [place.targets_file]}]}
    return {
        "job_name": job.name,
        **discovery,
        "pipeline_stages": stages(job),
        "relabel_configs": relabeling(job, place),
    }


def stages(job: Job) -> list[dict[str, Any]]:
    """The pipeline of one job."""
    pipeline: list[dict[str, Any]] = [{"cri": {}}]
    if job.first_line:
        pipeline.append({"multiline": {"firstline": job.first_line, "max_wait_time": "3s", "max_lines": 500}})
    pipeline.append({"json": {"expressions": {field: field for field in job.fields}}})
    if job.timestamp:
        pipeline.append(
            {"timestamp": {"source": job.timestamp, "format": "RFC3339Nano", "action_on_failure": "fudge"}}
        )
    pipeline.append({"labels": {LEVEL: None}})
    if job.crash:
        pipeline.append(
            {"match": {"selector": crash_selector(job), "stages": [{"static_labels": {LEVEL: "error"}}]}}
        )
    pipeline.append({"labelallow": list(STREAM_LABELS)})
    if job.metadata:
        pipeline.append({"structured_metadata": dict.fromkeys(job.metadata)})
    pipeline += [stage for metric in job.metrics for stage in metric_stages(metric, job)]
    return pipeline


def metric_stages(metric: LogMetric, job: Job) -> list[dict[str, Any]]:
    """A metric; its own labels exist only while it counts."""
    definition: dict[str, Any] = {
        "type": metric.kind.capitalize(),
        "description": metric.description,
        "prefix": metric.prefix,
        "max_idle_duration": "24h",
    }
    if metric.source:
        definition["source"] = metric.source
    definition["config"] = _metric_config(metric)
    counting: dict[str, Any] = {"metrics": {metric.name: definition}}
    if not metric.extracted and not metric.only_level:
        return [counting]
    inner = [
        {"labels": dict.fromkeys(metric.extracted)},
        counting,
        {"labeldrop": list(metric.extracted)},
    ]
    selector = f'{{service="{job.app}", level="{metric.only_level}"}}'
    return [{"match": {"selector": selector, "stages": inner}}]


def _metric_config(metric: LogMetric) -> dict[str, Any]:
    if metric.kind == "counter":
        return {"match_all": True, "action": "inc"}
    if metric.kind == "gauge":
        return {"action": "set"}
    return {"buckets": list(metric.buckets)}


def relabeling(job: Job, place: Place = CLUSTER) -> list[dict[str, Any]]:
    """Which pods, which labels, and where their files are."""
    app = "__meta_kubernetes_pod_label_app"
    if job.service:
        choice = {"source_labels": [app], "regex": job.app, "action": "keep"}
    else:
        choice = {"source_labels": [app], "regex": "|".join(item.app for item in JOBS), "action": "drop"}
    return [
        {"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "__host__"},
        choice,
        *({"source_labels": [source], "target_label": target} for source, target in POD_LABELS.items()),
        {
            "source_labels": ["__meta_kubernetes_pod_uid", "__meta_kubernetes_pod_container_name"],
            "separator": "/",
            "replacement": f"{place.pod_logs}/*$1/*.log",
            "target_label": "__path__",
        },
    ]


def syslog_job(place: Place = CLUSTER) -> dict[str, Any]:
    """The listener for machines that speak syslog."""
    return {
        "job_name": "syslog",
        "syslog": {
            "listen_address": f"0.0.0.0:{place.syslog_port}",
            "listen_protocol": "udp",
            "labels": {"service": "syslog", "tier": "infrastructure", "namespace": "none"},
        },
        "relabel_configs": [
            {"source_labels": [source], "target_label": target} for source, target in SYSLOG_LABELS.items()
        ],
    }


def component() -> Component:
    """Promtail as a component."""
    files: dict[str, dict[str, Any]] = {CONFIG_FILE: configuration()}
    return Component(
        name=NAME,
        title="Promtail",
        description="The document's collector, one per node.",
        configuration=files,
        manifests=tuple(
            only_when_chosen(
                NAME,
                [
                    *access.collector(NAME),
                    objects.config_map("promtail-config", NAME, files),
                    *daemon_set(
                        NAME,
                        IMAGES.promtail,
                        [f"-config.file=/etc/promtail/{CONFIG_FILE}", "-config.expand-env=true"],
                        "/etc/promtail",
                    ),
                ],
            )
        ),
        checks=("promtail -check-syntax",),
    )


COMPONENT = component()
