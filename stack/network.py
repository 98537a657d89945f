"""Who may talk to whom: the document's network policies, and a wall around everything else in the namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lokictl.model.component import Component
from stack import objects
from stack.figures import APPLICATIONS, MONITORING, PORTS

COLLECTORS = ("promtail", "alloy")
ANYWHERE = "anywhere"
DNS = "kube-dns"


@dataclass(frozen=True, order=True)
class Flow:
    """``source`` may open connections to ``target`` on ``port``.

    A source or target is the ``app`` of pods in the monitoring namespace, "applications" (every pod of the
    applications' namespace), `DNS`, or `ANYWHERE`.
    """

    source: str
    target: str
    port: int
    protocol: str = "TCP"


FLOWS: tuple[Flow, ...] = (
    *(
        Flow(collector, "loki", port)
        for collector in COLLECTORS
        for port in (PORTS.loki_http, PORTS.loki_grpc)
    ),
    Flow("grafana", "loki", PORTS.loki_http),
    Flow("alertmanager", "loki", PORTS.loki_http),
    Flow("prometheus", "loki", PORTS.loki_http),
    *(Flow("loki", "loki", port) for port in (PORTS.loki_http, PORTS.loki_grpc, PORTS.loki_gossip)),
    Flow("loki", "memcached", PORTS.memcached),
    Flow("loki", "alertmanager", PORTS.alertmanager),
    # Not in the document: recorded series need somewhere to go.
    Flow("loki", "prometheus", PORTS.prometheus),
    Flow("loki", ANYWHERE, PORTS.s3),
    *(Flow("prometheus", collector, PORTS.collector_metrics) for collector in COLLECTORS),
    Flow("prometheus", "memcached", PORTS.memcached_metrics),
    Flow("prometheus", "alertmanager", PORTS.alertmanager),
    Flow("prometheus", "grafana", PORTS.grafana),
    Flow("prometheus", "jaeger", PORTS.jaeger_admin),
    Flow("prometheus", ANYWHERE, PORTS.node_exporter),
    Flow("prometheus", ANYWHERE, PORTS.kube_state_metrics),
    Flow("prometheus", ANYWHERE, PORTS.kubelet),
    Flow("prometheus", ANYWHERE, PORTS.s3),
    *(Flow(collector, ANYWHERE, PORTS.s3) for collector in COLLECTORS),
    *(Flow(ANYWHERE, collector, PORTS.syslog_udp, "UDP") for collector in COLLECTORS),
    Flow("grafana", "prometheus", PORTS.prometheus),
    Flow("grafana", "jaeger", PORTS.jaeger_ui),
    Flow("grafana", "alertmanager", PORTS.alertmanager),
    Flow(ANYWHERE, "grafana", PORTS.grafana),
    Flow("applications", "jaeger", PORTS.jaeger_collector),
    Flow("applications", "jaeger", PORTS.otlp_grpc),
    Flow("applications", "jaeger", PORTS.otlp_http),
    Flow("alertmanager", ANYWHERE, PORTS.s3),
    Flow("alertmanager", ANYWHERE, 587),
)
"""Port 443 to anywhere is the object store for Loki, the Kubernetes API for collectors and Prometheus, and the
receivers' web hooks for Alertmanager: Kubernetes policies know addresses, not names."""

APPS = ("loki", "promtail", "alloy", "grafana", "prometheus", "alertmanager", "memcached", "jaeger")


def policy(app: str) -> dict[str, Any]:
    """The network policy of one component: what may come in, what may go out, and nothing else."""
    incoming = [flow for flow in FLOWS if flow.target == app]
    outgoing = [flow for flow in FLOWS if flow.source == app]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": objects.metadata(f"{app}-network-policy", app),
        "spec": {
            "podSelector": {"matchLabels": {"app": app}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [_rule("from", flow.source, flow) for flow in incoming],
            "egress": [_dns(), *(_rule("to", flow.target, flow) for flow in outgoing)],
        },
    }


def _rule(direction: str, peer: str, flow: Flow) -> dict[str, Any]:
    ports = [{"protocol": flow.protocol, "port": flow.port}]
    return {"ports": ports} if peer == ANYWHERE else {direction: [_peer(peer)], "ports": ports}


def _peer(name: str) -> dict[str, Any]:
    if name == "applications":
        return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": APPLICATIONS}}}
    return {"podSelector": {"matchLabels": {"app": name}}}


def _dns() -> dict[str, Any]:
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": DNS}},
    }
    return {
        "to": [peer],
        "ports": [{"protocol": "UDP", "port": PORTS.dns}, {"protocol": "TCP", "port": PORTS.dns}],
    }


DENY_ALL = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": objects.metadata("default-deny", "cluster"),
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}

COMPONENT = Component(
    name="network",
    title="Network policies",
    description=f"Who may talk to whom in {MONITORING}.",
    manifests=(DENY_ALL, *(policy(app) for app in APPS)),
    checks=("a table of who may talk to whom",),
)
