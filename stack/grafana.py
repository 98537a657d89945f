"""Grafana, provisioned with the dashboards and data sources that this project renders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lokictl.model.component import Component, HelmValue
from stack import access, content, objects
from stack.figures import IMAGES, PORTS, TENANT, address

NAME = "grafana"
ADMIN_SECRET = HelmValue("grafana.adminSecret", "grafana-admin", "A secret with the keys user and password.")

PROVISIONING = "/etc/grafana/provisioning"


ENVIRONMENT = {
    "LOKI_URL": f"http://{address('loki', PORTS.loki_http)}",
    "PROMETHEUS_URL": f"http://{address('prometheus', PORTS.prometheus)}",
    "JAEGER_URL": f"http://{address('jaeger', PORTS.jaeger_ui)}",
    "ALERTMANAGER_URL": f"http://{address('alertmanager', PORTS.alertmanager)}",
    "LOKI_TENANT": TENANT,
    "GF_PATHS_PROVISIONING": PROVISIONING,
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
}


def stateful_set(files: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """Grafana's StatefulSet, with the rendered ``files`` as its provisioning folder.

    Dashboards are reread while Grafana runs; data sources and providers restart it.
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
            PROVISIONING: "provisioning:ro",
            "/var/lib/grafana": "data",
            "/tmp": "tmp",  # noqa: S108 - a volume inside the container
        },
        resources=objects.resources("250m", "512Mi", memory_limit="1Gi"),
        startup=objects.probe("/api/health", "http", failures=30),
        readiness=objects.probe("/api/health", "http"),
        liveness=objects.probe("/api/health", "http", failures=6),
    )
    template = objects.pod(
        NAME,
        [container],
        account=NAME,
        user=472,
        config_maps=[content.DATASOURCES, content.PROVIDER],
        volumes=[
            content.provisioning_volume("provisioning", files),
            objects.empty_volume("tmp"),
        ],
    )
    return (
        objects.workload(
            "StatefulSet",
            NAME,
            template,
            replicas=1,
            serviceName=NAME,
            volumeClaimTemplates=[objects.claim("data", "10Gi", NAME)],
        ),
    )


COMPONENT = Component(
    name=NAME,
    title="Grafana",
    description="Logs, metrics and traces on one screen.",
    configuration={"grafana.env": "".join(f"{name}={value}\n" for name, value in ENVIRONMENT.items())},
    manifests=(*access.account(NAME), objects.service(NAME, NAME, {"http": PORTS.grafana})),
    content_manifests=stateful_set,
    checks=("grafana-server starts with it",),
)
