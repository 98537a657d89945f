"""Jaeger: traces of the last seven days."""

from __future__ import annotations

from lokictl.model.component import Component
from stack import access, objects
from stack.figures import IMAGES, JAEGER_RETENTION_HOURS, PORTS, STORAGE_CLASS

NAME = "jaeger"


def component() -> Component:
    """Jaeger as a component: collectors (Jaeger's own and OTLP), storage and user interface in one."""
    ports = {
        "ui": PORTS.jaeger_ui,
        "collector": PORTS.jaeger_collector,
        "otlp-grpc": PORTS.otlp_grpc,
        "otlp-http": PORTS.otlp_http,
        "metrics": PORTS.jaeger_admin,
    }
    environment = {
        "SPAN_STORAGE_TYPE": "badger",
        "BADGER_EPHEMERAL": "false",
        "BADGER_DIRECTORY_KEY": "/badger/key",
        "BADGER_DIRECTORY_VALUE": "/badger/data",
        "BADGER_SPAN_STORE_TTL": f"{JAEGER_RETENTION_HOURS}h",
        "COLLECTOR_OTLP_ENABLED": "true",
    }
    container = objects.container(
        NAME,
        IMAGES.jaeger,
        env=[{"name": name, "value": value} for name, value in environment.items()],
        ports=ports,
        mounts={"/badger": "data", "/tmp": "tmp"},  # noqa: S108 - a volume inside the container
        resources=objects.resources("250m", "512Mi", memory_limit="1Gi"),
        readiness=objects.probe("/", "metrics"),
        liveness=objects.probe("/", "metrics", delay=60),
    )
    template = objects.pod(NAME, [container], account=NAME, user=10001, volumes=[objects.empty_volume("tmp")])
    return Component(
        name=NAME,
        title="Jaeger",
        description="Traces; Grafana links them to logs and metrics.",
        configuration={"jaeger.env": "".join(f"{name}={value}\n" for name, value in environment.items())},
        manifests=(
            *access.account(NAME),
            objects.workload(
                "StatefulSet",
                NAME,
                template,
                replicas=1,
                serviceName=NAME,
                volumeClaimTemplates=[objects.claim("data", "50Gi", STORAGE_CLASS, NAME)],
            ),
            objects.service(NAME, NAME, ports),
        ),
    )


COMPONENT = component()
