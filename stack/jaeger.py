"""Jaeger: traces of the last seven days.

Version 2, which is an OpenTelemetry Collector: Jaeger 1 ended in 2025, and its last releases no longer listen on
6831/UDP, which the document asks for.
"""

from __future__ import annotations

from typing import Any

from lokictl.model.component import Component
from stack import access, objects
from stack.collection import DURATION_BUCKETS
from stack.figures import IMAGES, JAEGER_RETENTION_HOURS, PORTS, Ports

NAME = "jaeger"
CONFIG_FILE = "jaeger.yaml"
DATA = "/badger"
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - inside a pod, behind a network policy


def configuration(data: str = DATA, *, ports: Ports = PORTS, host: str = ANY_ADDRESS) -> dict[str, Any]:
    """Jaeger's configuration file; traces are kept below the folder ``data``.

    From the spans it makes metrics of each service's operations, with exemplars that lead to their traces.
    """

    def at(port: int) -> dict[str, str]:
        return {"endpoint": f"{host}:{port}"}

    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
            "pipelines": {
                "traces": {
                    "receivers": ["otlp", "jaeger"],
                    "processors": ["batch"],
                    "exporters": ["jaeger_storage_exporter", "spanmetrics"],
                },
                "metrics/spans": {"receivers": ["spanmetrics"], "exporters": ["prometheus"]},
            },
            "telemetry": {
                "resource": {"service.name": NAME},
                "metrics": {
                    "level": "basic",
                    "readers": [
                        {"pull": {"exporter": {"prometheus": {"host": host, "port": ports.jaeger_metrics}}}}
                    ],
                },
                "logs": {"level": "warn"},
            },
        },
        "extensions": {
            "healthcheckv2": {"use_v2": True, "http": at(ports.jaeger_health)},
            "jaeger_query": {
                "storage": {"traces": "local"},
                "http": at(ports.jaeger_ui),
                "grpc": at(ports.jaeger_query_grpc),
            },
            "jaeger_storage": {
                "backends": {
                    "local": {
                        "badger": {
                            "directories": {"keys": f"{data}/keys", "values": f"{data}/values"},
                            "ephemeral": False,
                            "ttl": {"spans": f"{JAEGER_RETENTION_HOURS}h"},
                        }
                    }
                }
            },
        },
        "receivers": {
            "otlp": {"protocols": {"grpc": at(ports.otlp_grpc), "http": at(ports.otlp_http)}},
            "jaeger": {
                "protocols": {
                    "thrift_http": at(ports.jaeger_collector),
                    "thrift_compact": at(ports.jaeger_compact_udp),
                }
            },
        },
        "processors": {"batch": {}},
        "connectors": {
            "spanmetrics": {
                "exemplars": {"enabled": True},
                "histogram": {"explicit": {"buckets": [f"{bound}ms" for bound in DURATION_BUCKETS]}},
                "metrics_flush_interval": "15s",
            }
        },
        "exporters": {
            "jaeger_storage_exporter": {"trace_storage": "local"},
            # Exemplars exist in the OpenMetrics format only.
            "prometheus": {**at(ports.span_metrics), "enable_open_metrics": True},
        },
    }


def component() -> Component:
    """Jaeger as a component: collectors (Jaeger's own and OTLP), storage and user interface in one."""
    files: dict[str, dict[str, Any]] = {CONFIG_FILE: configuration()}
    ports = {
        "ui": PORTS.jaeger_ui,
        "collector": PORTS.jaeger_collector,
        "compact-udp": PORTS.jaeger_compact_udp,
        "otlp-grpc": PORTS.otlp_grpc,
        "otlp-http": PORTS.otlp_http,
        "metrics": PORTS.jaeger_metrics,
        "span-metrics": PORTS.span_metrics,
    }
    container = objects.container(
        NAME,
        IMAGES.jaeger,
        args=[f"--config=/etc/jaeger/{CONFIG_FILE}"],
        ports={**ports, "health": PORTS.jaeger_health},
        mounts={
            "/etc/jaeger": "config:ro",
            DATA: "data",
            "/tmp": "tmp",  # noqa: S108 - a volume inside the container
        },
        resources=objects.resources("250m", "512Mi", memory_limit="2Gi"),
        startup=objects.probe("/status", "health", failures=60),
        readiness=objects.probe("/status", "health"),
        liveness=objects.probe("/status", "health", failures=6),
    )
    template = objects.pod(
        NAME,
        [container],
        account=NAME,
        user=10001,
        config_maps=["jaeger-config"],
        volumes=[objects.config_volume("config", "jaeger-config"), objects.empty_volume("tmp")],
    )
    return Component(
        name=NAME,
        title="Jaeger",
        description="Traces; Grafana links them to logs and metrics.",
        configuration=files,
        manifests=(
            *access.account(NAME),
            objects.config_map("jaeger-config", NAME, files),
            objects.workload(
                "StatefulSet",
                NAME,
                template,
                replicas=1,
                serviceName=NAME,
                volumeClaimTemplates=[objects.claim("data", "50Gi", NAME)],
            ),
            objects.service(NAME, NAME, ports),
        ),
        checks=("jaeger starts with it",),
    )


COMPONENT = component()
