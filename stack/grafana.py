"""Grafana, provisioned with the dashboards and data sources that this project renders."""

from __future__ import annotations

from lokictl.model.component import Component
from stack import access, objects
from stack.figures import IMAGES, MONITORING, PORTS

NAME = "grafana"
ADMIN_SECRET = "grafana-admin"  # noqa: S105 - the name of the Kubernetes secret
"""A secret with the keys ``user`` and ``password``; made outside of this repository."""


def address(name: str, port: int) -> str:
    return f"http://{name}.{MONITORING}.svc.cluster.local:{port}"


ENVIRONMENT = {
    "LOKI_URL": address("loki", PORTS.loki_http),
    "PROMETHEUS_URL": address("prometheus", PORTS.prometheus),
    "JAEGER_URL": address("jaeger", PORTS.jaeger_ui),
    "ALERTMANAGER_URL": address("alertmanager", PORTS.alertmanager),
    "GF_PATHS_PROVISIONING": "/etc/grafana/provisioning",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
}


def component() -> Component:
    """Grafana as a component.

    The ConfigMaps ``grafana-datasources``, ``grafana-dashboard-provider`` and those with the dashboards are
    rendered from the project; a sidecar-less pod mounts them all.
    """
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
            "/etc/grafana/provisioning/datasources": "datasources:ro",
            "/etc/grafana/provisioning/dashboards": "provider:ro",
            "/var/lib/grafana/dashboards": "dashboards:ro",
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
            objects.config_volume("datasources", "grafana-datasources"),
            objects.config_volume("provider", "grafana-dashboard-provider"),
            {"name": "dashboards", "projected": {"sources": []}},
            objects.empty_volume("data"),
            objects.empty_volume("tmp"),
        ],
    )
    return Component(
        name=NAME,
        title="Grafana",
        description="Logs, metrics and traces on one screen.",
        configuration={"grafana.env": "".join(f"{name}={value}\n" for name, value in ENVIRONMENT.items())},
        manifests=(
            *access.account(NAME),
            objects.workload("Deployment", NAME, template, replicas=1),
            objects.service(NAME, NAME, {"http": PORTS.grafana}),
        ),
    )


COMPONENT = component()
