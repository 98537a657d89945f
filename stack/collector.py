"""What both collectors have in common in Kubernetes: one pod on every node, and only one of the two at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lokictl.model.component import HelmValue, Manifest, When
from stack import objects
from stack.figures import COLLECTOR, COLLECTOR_MEMORY_MEBIBYTES, PORTS

COLLECTORS = ("alloy", "promtail")

CHOICE = HelmValue(
    "collector.name",
    COLLECTOR,
    "The collector: alloy or promtail. One of them: together they would send and count every line twice.",
    {"enum": list(COLLECTORS)},
)
HOST_PORT = HelmValue(
    "syslog.hostPort",
    0,
    "A UDP port of every node at which machines outside the cluster reach syslog; 0: none.",
    {"type": "integer", "minimum": 0, "maximum": 65535},
    optional=True,
)


def only_when_chosen(name: str, items: Iterable[Mapping[str, Any]], *, also: str = "") -> list[Manifest]:
    """Objects that exist where ``name`` is the collector, and the condition ``also`` is true."""
    chosen = f'eq .Values.{CHOICE.path} "{name}"'
    condition = f"and ({also}) ({chosen})" if also else chosen
    return [When(condition, item, name == COLLECTOR, name, (CHOICE,)) for item in items]


def daemon_set(name: str, image: str, args: list[str], config_path: str) -> list[dict[str, Any]]:
    """One collector on every node, whatever its taints; also the services of its metrics and of syslog."""
    container = objects.container(
        name,
        image,
        args=args,
        ports={"metrics": PORTS.collector_metrics, "syslog-udp": PORTS.syslog_udp},
        mounts={config_path: "config:ro", f"/run/{name}": "run", "/var/log/pods": "pods:ro"},
        env=[{"name": "HOSTNAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        resources=objects.resources("100m", "256Mi", memory_limit=f"{COLLECTOR_MEMORY_MEBIBYTES}Mi"),
        readiness=objects.probe("/-/ready" if name == "alloy" else "/ready", "metrics"),
        root=True,
    )
    (syslog,) = [port for port in container["ports"] if port["name"] == "syslog-udp"]
    syslog["hostPort"] = HOST_PORT
    template = objects.pod(
        name,
        [container],
        account=name,
        token=True,
        user=0,
        config_maps=[f"{name}-config"],
        volumes=[
            objects.config_volume("config", f"{name}-config"),
            objects.empty_volume("run"),
            {"name": "pods", "hostPath": {"path": "/var/log/pods", "type": "Directory"}},
        ],
        tolerations=HelmValue(f"{name}.tolerations", [{"operator": "Exists"}], optional=True),
        priorityClassName=HelmValue("collector.priorityClassName", "system-node-critical", optional=True),
    )
    one_by_one = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}
    syslog_service = objects.service("syslog", name, {"syslog-udp": PORTS.syslog_udp})
    return [
        objects.workload("DaemonSet", name, template, updateStrategy=one_by_one),
        objects.service(f"{name}-metrics", name, {"metrics": PORTS.collector_metrics}),
        objects.exposed(syslog_service, "syslog", "syslog"),
    ]
