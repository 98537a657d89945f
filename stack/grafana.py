"""Grafana, provisioned with the dashboards and data sources that this project renders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokictl.model.component import Component
from stack import access, content, objects
from stack.figures import IMAGES, MONITORING, PORTS, TENANT

NAME = "grafana"
ADMIN_SECRET = "grafana-admin"  # noqa: S105 - the name of the Kubernetes secret
"""A secret with the keys ``user`` and ``password``; made outside of this repository."""


PROVISIONING = "/etc/grafana/provisioning"


def address(name: str, port: int) -> str:
    return f"http://{name}.{MONITORING}.svc.cluster.local:{port}"


ENVIRONMENT = {
    "LOKI_URL": address("loki", PORTS.loki_http),
    "PROMETHEUS_URL": address("prometheus", PORTS.prometheus),
    "JAEGER_URL": address("jaeger", PORTS.jaeger_ui),
    "ALERTMANAGER_URL": address("alertmanager", PORTS.alertmanager),
    "LOKI_TENANT": TENANT,
    "GF_PATHS_PROVISIONING": PROVISIONING,
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
}


def deployment(files: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """Grafana's Deployment, with the rendered ``files`` as its provisioning folder."""
    container = objects.container(
        NAME,
        IMAGES.grafana,
        env=[
            *({"name": name, "value": value} for name, value in ENVIRONMENT.items()),
            objects.secret_env("GF_SECURITY_ADMIN_USER", ADMIN_SECRET, "user"),
            objects.secret_env("GF_SECURITY_ADMIN_PASSWORD", ADMIN_SECRET, "password"),
        ],
        ports={"http": PORTS.grafana},
        mounts={
            PROVISIONING: "provisioning:ro",
            "/var/lib/grafana": "data",
            "/tmp": "tmp",  # noqa: S108 - a volume inside the container
        },
        resources=objects.resources("250m", "512Mi", memory_limit="1Gi"),
        readiness=objects.probe("/api/health", "http"),
        liveness=objects.probe("/api/health", "http", delay=60),
    )
    template = objects.pod(
        NAME,
        [container],
        account=NAME,
        user=472,
        volumes=[
            content.provisioning_volume("provisioning", files),
            objects.empty_volume("data"),
            objects.empty_volume("tmp"),
        ],
    )
    return (objects.workload("Deployment", NAME, template, replicas=1),)


COMPONENT = Component(
    name=NAME,
    title="Grafana",
    description="Logs, metrics and traces on one screen.",
    configuration={"grafana.env": "".join(f"{name}={value}\n" for name, value in ENVIRONMENT.items())},
    manifests=(*access.account(NAME), objects.service(NAME, NAME, {"http": PORTS.grafana})),
    content_manifests=deployment,
    checks=("grafana-server starts with it",),
)
