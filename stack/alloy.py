"""Grafana Alloy, written from `stack.collection`: the default collector.

Lines take two ways from each source: to Loki, and to one small pipeline per metric, where every label but the
metric's own is dropped before it counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
from stack.figures import IMAGES, PORTS, TENANT

NAME = "alloy"
CONFIG_FILE = "config.alloy"


class Block:
    """A block of Alloy's configuration language: ``name "label" { attributes; blocks }``.

    Attribute values that are `Reference` are written bare, everything else as its JSON (which Alloy reads).
    """

    def __init__(self, name: str, label: str = "", /, *parts: Block, **attributes: Any) -> None:
        self.block, self.label, self.parts, self.attributes = name, label, parts, attributes

    def render(self, depth: int = 0) -> str:
        """The text, indented with tabs as ``alloy fmt`` does."""
        pad = "\t" * depth
        head = f'{self.block} "{self.label}"' if self.label else self.block
        if not self.attributes and not self.parts:
            return f"{pad}{head} {{ }}"
        width = max((len(key) for key in self.attributes), default=0)
        lines = [
            f"{pad}\t{key:<{width}} = {literal(value, depth + 1)}" for key, value in self.attributes.items()
        ]
        for part in self.parts:
            if lines:
                lines.append("")
            lines.append(part.render(depth + 1))
        return f"{pad}{head} {{\n" + "\n".join(lines) + f"\n{pad}}}"


class Reference(str):
    """An expression that is not a literal: ``loki.write.loki.receiver``."""

    __slots__ = ()


def literal(value: Any, depth: int) -> str:
    """A value in Alloy's syntax."""
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, bool | int | float | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        pad = "\t" * depth
        width = max(len(key) for key in value)
        rows = [f"{pad}\t{key:<{width}} = {literal(item, depth + 1)}," for key, item in value.items()]
        return "{\n" + "\n".join(rows) + f"\n{pad}}}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(literal(item, depth) for item in value) + "]"
    raise TypeError(f"{value!r} has no form in Alloy's language")


def identifier(name: str) -> str:
    return name.replace("-", "_")


def configuration(place: Place = CLUSTER) -> str:
    """Alloy's configuration file."""
    blocks = [
        Block("logging", "", level="warn", format="logfmt"),
        Block(
            "loki.write",
            "loki",
            Block("endpoint", "", url=place.push_url, tenant_id=TENANT, batch_wait="1s", batch_size="1MiB"),
        ),
        discovery(place),
    ]
    for job in (*JOBS, OTHER_PODS):
        blocks += job_blocks(job, place)
    blocks += syslog_blocks(place)
    return "\n\n".join(block.render() for block in blocks) + "\n"


def discovery(place: Place) -> Block:
    """The pods of this node."""
    if place.targets_file:
        return Block("discovery.file", "pods", files=[place.targets_file])
    node = Reference('"spec.nodeName=" + sys.env("HOSTNAME")')
    return Block("discovery.kubernetes", "pods", Block("selectors", "", role="pod", field=node), role="pod")


def job_blocks(job: Job, place: Place) -> list[Block]:
    """Discovery, source, pipeline and metrics of one job."""
    name = identifier(job.name)
    receivers = [Reference("loki.write.loki.receiver")]
    receivers += [Reference(f"loki.process.{metric_label(job, metric)}.receiver") for metric in job.metrics]
    return [
        Block(
            "discovery.relabel",
            name,
            *relabeling(job, place),
            targets=Reference(f"{discovery(place).block}.pods.targets"),
        ),
        Block("local.file_match", name, path_targets=Reference(f"discovery.relabel.{name}.output")),
        Block(
            "loki.source.file",
            name,
            targets=Reference(f"local.file_match.{name}.targets"),
            forward_to=[Reference(f"loki.process.{name}.receiver")],
        ),
        Block("loki.process", name, *stages(job), forward_to=receivers),
        *(metric_block(job, metric) for metric in job.metrics),
    ]


def stages(job: Job) -> list[Block]:
    """The pipeline of one job, on the way to Loki."""
    pipeline = [Block("stage.cri")]
    if job.first_line:
        pipeline.append(
            Block("stage.multiline", "", firstline=job.first_line, max_wait_time="3s", max_lines=500)
        )
    pipeline.append(Block("stage.json", "", expressions={field: field for field in job.fields}))
    if job.timestamp:
        pipeline.append(
            Block(
                "stage.timestamp", "", source=job.timestamp, format="RFC3339Nano", action_on_failure="fudge"
            )
        )
    pipeline.append(Block("stage.labels", "", values={LEVEL: LEVEL}))
    if job.crash:
        level = Block("stage.static_labels", "", values={LEVEL: "error"})
        pipeline.append(Block("stage.match", "", level, selector=crash_selector(job)))
    pipeline.append(Block("stage.label_keep", "", values=list(STREAM_LABELS)))
    if job.metadata:
        pipeline.append(Block("stage.structured_metadata", "", values={name: name for name in job.metadata}))
    return pipeline


def metric_label(job: Job, metric: LogMetric) -> str:
    return f"{identifier(job.name)}_{metric.full_name}"


def metric_block(job: Job, metric: LogMetric) -> Block:
    """The pipeline of one metric: its fields, its labels, nothing else; the lines end here."""
    wanted = [name for name in (metric.source, *metric.extracted) if name]
    parts = [Block("stage.json", "", expressions={name: name for name in wanted})] if wanted else []
    if metric.only_level:
        # Lines of any other level are not this metric's business.
        keep = Block(
            "stage.match",
            "",
            selector=f'{{service="{job.app}", level!="{metric.only_level}"}}',
            action="drop",
        )
        parts.insert(0, keep)
    if metric.extracted:
        parts.append(Block("stage.labels", "", values={name: name for name in metric.extracted}))
    parts.append(Block("stage.label_keep", "", values=list(metric.labels)))
    parts.append(Block("stage.metrics", "", Block(f"metric.{metric.kind}", "", **_metric_attributes(metric))))
    return Block("loki.process", metric_label(job, metric), *parts, forward_to=[])


def _metric_attributes(metric: LogMetric) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "name": metric.name,
        "prefix": metric.prefix,
        "description": metric.description,
        "max_idle_duration": "24h",
    }
    if metric.source:
        attributes["source"] = metric.source
    if metric.kind == "counter":
        attributes |= {"match_all": True, "action": "inc"}
    elif metric.kind == "gauge":
        attributes |= {"action": "set"}
    else:
        attributes |= {"buckets": list(metric.buckets)}
    return attributes


def relabeling(job: Job, place: Place) -> list[Block]:
    """Which pods, which labels, and where their files are."""
    app = "__meta_kubernetes_pod_label_app"
    if job.service:
        choice = Block("rule", "", source_labels=[app], regex=job.app, action="keep")
    else:
        choice = Block(
            "rule", "", source_labels=[app], regex="|".join(item.app for item in JOBS), action="drop"
        )
    return [
        choice,
        *(
            Block("rule", "", source_labels=[source], target_label=target)
            for source, target in POD_LABELS.items()
        ),
        Block(
            "rule",
            "",
            source_labels=["__meta_kubernetes_pod_uid", "__meta_kubernetes_pod_container_name"],
            separator="/",
            replacement=f"{place.pod_logs}/*$1/*.log",
            target_label="__path__",
        ),
    ]


def syslog_blocks(place: Place) -> list[Block]:
    """The listener for machines that speak syslog."""
    rules = [
        Block("rule", "", source_labels=[source], target_label=target)
        for source, target in SYSLOG_LABELS.items()
    ]
    return [
        Block("loki.relabel", "syslog", *rules, forward_to=[]),
        Block(
            "loki.source.syslog",
            "syslog",
            Block(
                "listener",
                "",
                address=f"0.0.0.0:{place.syslog_port}",
                protocol="udp",
                labels={"service": "syslog", "tier": "infrastructure", "namespace": "none"},
            ),
            relabel_rules=Reference("loki.relabel.syslog.rules"),
            forward_to=[Reference("loki.write.loki.receiver")],
        ),
    ]


def component() -> Component:
    """Alloy as a component."""
    files = {CONFIG_FILE: configuration()}
    arguments = [
        "run",
        f"/etc/alloy/{CONFIG_FILE}",
        f"--server.http.listen-addr=0.0.0.0:{PORTS.collector_metrics}",
        "--storage.path=/run/alloy",
        "--disable-reporting",
    ]
    return Component(
        name=NAME,
        title="Grafana Alloy",
        description="The collector, one per node; the successor of the document's Promtail.",
        configuration=files,
        manifests=tuple(
            only_when_chosen(
                NAME,
                [
                    *access.collector(NAME),
                    objects.config_map("alloy-config", NAME, files),
                    *daemon_set(NAME, IMAGES.alloy, arguments, "/etc/alloy"),
                ],
            )
        ),
        checks=("alloy fmt", "alloy validate"),
    )


COMPONENT = component()
