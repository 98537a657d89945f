"""Who may talk to whom: the document's network policies, one for each component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lokictl.model.component import Component, HelmExpression, HelmValue, Manifest, When
from stack import objects
from stack.access import APPLICATIONS_NAMESPACE
from stack.collector import COLLECTORS, only_when_chosen
from stack.figures import PORTS

ANYWHERE = "anywhere"
DNS = "kube-dns"
OBJECT_STORE_PORT = HelmValue(
    "s3.port", PORTS.s3, "The port of the object store (9000 for most MinIOs).", {"type": "integer"}
)
API_PORTS = HelmExpression(
    '(include "platform.ports" (concat (list "TCP") .Values.kubernetesApi.ports) | fromJsonArray)',
    [{"protocol": "TCP", "port": port} for port in PORTS.kubernetes_api],
    (
        HelmValue(
            "kubernetesApi.ports",
            list(PORTS.kubernetes_api),
            "Where the API servers listen. Policies see the address behind the service, so this is the port of\n"
            "`kubectl get endpoints kubernetes`: 443 on EKS and GKE, 6443 with kubeadm, 8443 on minikube.",
            {"type": "array", "minItems": 1, "items": {"type": "integer"}},
        ),
    ),
)
"""The ports of the cluster's API servers, as a policy lists them."""

Ports = int | HelmValue | HelmExpression


@dataclass(frozen=True)
class Flow:
    """``source`` may open connections to ``target`` on ``port``: a number, a chart value, or a list of ports.

    A source or target is the ``app`` of pods in the monitoring namespace, "applications" (every pod of the
    applications' namespace), `DNS`, or `ANYWHERE`.
    """

    source: str
    target: str
    port: Ports
    protocol: str = "TCP"

    def ports(self) -> Any:
        """The ports as a policy lists them."""
        if isinstance(self.port, HelmExpression):
            return self.port
        return [{"protocol": self.protocol, "port": self.port}]


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
    Flow("loki", ANYWHERE, OBJECT_STORE_PORT),
    *(Flow("prometheus", collector, PORTS.collector_metrics) for collector in COLLECTORS),
    Flow("prometheus", "memcached", PORTS.memcached_metrics),
    Flow("prometheus", "alertmanager", PORTS.alertmanager),
    Flow("prometheus", "grafana", PORTS.grafana),
    Flow("prometheus", "jaeger", PORTS.jaeger_metrics),
    Flow("prometheus", "jaeger", PORTS.span_metrics),
    Flow("prometheus", ANYWHERE, PORTS.node_exporter),
    Flow("prometheus", ANYWHERE, PORTS.kube_state_metrics),
    Flow("prometheus", ANYWHERE, PORTS.kubelet),
    Flow("prometheus", ANYWHERE, API_PORTS),
    *(Flow(collector, ANYWHERE, API_PORTS) for collector in COLLECTORS),
    *(Flow(ANYWHERE, collector, PORTS.syslog_udp, "UDP") for collector in COLLECTORS),
    Flow("grafana", "prometheus", PORTS.prometheus),
    Flow("grafana", "jaeger", PORTS.jaeger_ui),
    Flow("grafana", "alertmanager", PORTS.alertmanager),
    Flow(ANYWHERE, "grafana", PORTS.grafana),
    Flow("applications", "jaeger", PORTS.jaeger_collector),
    Flow("applications", "jaeger", PORTS.jaeger_compact_udp, "UDP"),
    Flow("applications", "jaeger", PORTS.otlp_grpc),
    Flow("applications", "jaeger", PORTS.otlp_http),
    Flow("alertmanager", ANYWHERE, PORTS.https),
    Flow("alertmanager", ANYWHERE, PORTS.smtp),
)
"""To anywhere are the object store, the API servers, and the receivers of alerts: policies know no names."""

APPS = ("loki", *COLLECTORS, "grafana", "prometheus", "alertmanager", "memcached", "jaeger")

ENABLED = HelmValue("networkPolicies.enabled", True, "Restrict who may talk to whom.")
DENY = HelmValue(
    "networkPolicies.defaultDeny",
    False,
    "Deny all other traffic of the namespace, other people's pods included.",
)


def policy(app: str) -> dict[str, Any]:
    """The network policy of one component: what may come in, what may go out, and nothing else."""
    incoming = [flow for flow in FLOWS if flow.target == app]
    outgoing = [flow for flow in FLOWS if flow.source == app]
    return _policy(
        f"{app}-network-policy",
        app,
        podSelector={"matchLabels": {"app": app}},
        policyTypes=["Ingress", "Egress"],
        ingress=[_rule("from", flow.source, flow) for flow in incoming],
        egress=[_dns(), *(_rule("to", flow.target, flow) for flow in outgoing)],
    )


def _policy(name: str, app: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": objects.metadata(name, app),
        "spec": spec,
    }


def _rule(direction: str, peer: str, flow: Flow) -> dict[str, Any]:
    return {"ports": flow.ports()} if peer == ANYWHERE else {direction: [_peer(peer)], "ports": flow.ports()}


def _peer(name: str) -> dict[str, Any]:
    if name == "applications":
        labels: Mapping[str, Any] = {"kubernetes.io/metadata.name": APPLICATIONS_NAMESPACE}
        return {"namespaceSelector": {"matchLabels": labels}}
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


DEFAULT_DENY = _policy("default-deny", "cluster", podSelector={}, policyTypes=["Ingress", "Egress"])

FROM_OUTSIDE = _policy(
    "loki-external",
    "loki",
    podSelector={"matchLabels": {"app": "loki"}},
    policyTypes=["Ingress"],
    ingress=[
        {
            "from": HelmExpression(
                '(include "platform.addresses" .Values.loki.sourceRanges | fromJsonArray)', []
            ),
            "ports": [{"protocol": "TCP", "port": PORTS.loki_http}],
        }
    ],
)
"""Lets the addresses in that may reach Loki from outside the cluster."""


def manifests() -> Iterator[Manifest]:
    """Every policy, under its conditions."""
    enabled = f".Values.{ENABLED.path}"
    for app in APPS:
        if app in COLLECTORS:
            yield from only_when_chosen(app, [policy(app)], also=enabled)
        else:
            yield When(enabled, policy(app), reads=(ENABLED,))
    denied = f"and {enabled} .Values.{DENY.path}"
    yield When(denied, DEFAULT_DENY, by_default=False, group="default-deny", reads=(DENY,))
    yield When(f"and {enabled} .Values.loki.sourceRanges", FROM_OUTSIDE, by_default=False)


COMPONENT = Component(
    name="network",
    title="Network policies",
    description="Who may talk to whom among the platform's pods.",
    manifests=tuple(manifests()),
    checks=("a table of who may talk to whom",),
)
