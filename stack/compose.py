"""The stack on one machine, for tests: the same rendered files, with the few settings that one machine needs.

``docker-compose.test.yml`` mounts what ``lokictl render`` wrote into ``build/``.  Loki's file is the rendered one,
changed by flags only: one replica, its own ring, MinIO instead of S3.  Version 1 and 2 of Docker Compose read it, and
no container finds a name outside: alerts of a test reach nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lokictl.model.component import Component
from lokictl.model.yaml_writer import dump_yaml
from stack import grafana, jaeger, loki, memcached
from stack.figures import IMAGES, LOG_BUCKET, PORTS, TENANT

FILE = "docker-compose.test.yml"

HEADER = """\
# Written by `python -m stack.compose`; tests/stack/test_compose.py keeps it up to date.
#
#   make check                                           # renders build/
#   docker compose -f docker-compose.test.yml up --wait  # starts the stack (version 1: docker-compose … up -d)
#   .venv/bin/lokictl sample --since 1h --push http://localhost:3100 --tenant neurectomy
#
# Then: Grafana on http://localhost:3000, with every dashboard, data source and rule of this project.
"""

ACCESS_KEY = "lokictl-test"
SECRET_KEY = "lokictl-test-secret"  # noqa: S105 - of a throwaway MinIO on this machine


def local(port: int, protocol: str = "") -> str:
    """A port published on the loopback address only."""
    return f"127.0.0.1:{port}:{port}{protocol}"


NOBODY = "127.0.0.1"
"""A name server that does not answer: the services find each other, and nothing else."""


def service(image: str, *, healthy: str = "", **rest: Any) -> dict[str, Any]:
    """One service of the compose file; ``healthy`` is a shell command that succeeds once it is up."""
    item: dict[str, Any] = {"image": image, **rest, "dns": [NOBODY]}
    if healthy:
        check = {"test": ["CMD-SHELL", healthy], "interval": "3s", "timeout": "5s", "retries": 40}
        item["healthcheck"] = check
    return item


ONE_REPLICA = (
    "-target=all",
    "-common.storage.ring.store=inmemory",
    "-ruler.ring.store=inmemory",
    "-distributor.replication-factor=1",
)
"""Loki's flags for one replica with a ring of its own; they win over the file."""


def loki_flags() -> list[str]:
    """What one machine changes of the rendered configuration."""
    return [
        *ONE_REPLICA,
        f"-config.file=/etc/loki/config/{loki.CONFIG_FILE}",
        "-config.expand-env=true",
        "-validation.reject-old-samples=false",
    ]


def configuration() -> dict[str, Any]:
    """The compose file."""
    build = "./build"
    return {
        "services": {
            "minio": service(
                IMAGES.minio,
                entrypoint=[
                    "sh",
                    "-c",
                    f"mkdir -p /data/{LOG_BUCKET} && minio server /data --address :{PORTS.minio}",
                ],
                environment={"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY},
                healthy=f"curl -fs http://localhost:{PORTS.minio}/minio/health/live",
            ),
            "memcached-service": service(
                IMAGES.memcached,
                command=[part for argument in memcached.ARGUMENTS for part in argument.split(" ")],
            ),
            "loki": service(
                IMAGES.loki,
                command=loki_flags(),
                environment={
                    "S3_ENDPOINT": f"minio:{PORTS.minio}",
                    "S3_INSECURE": "true",
                    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                },
                volumes=[
                    f"{build}/stack/loki:/etc/loki/config:ro",
                    f"{build}/rules/{TENANT}:{loki.RULES_DIRECTORY}/{TENANT}:ro",
                ],
                ports=[local(PORTS.loki_http)],
                depends_on={"minio": {"condition": "service_healthy"}},
                tmpfs=[f"{loki.DATA}:uid=10001"],
            ),
            "prometheus": service(
                IMAGES.prometheus,
                command=[
                    "--config.file=/etc/prometheus/prometheus.yaml",
                    "--web.enable-remote-write-receiver",
                    "--enable-feature=exemplar-storage",
                ],
                volumes=[f"{build}/stack/prometheus:/etc/prometheus:ro"],
                ports=[local(PORTS.prometheus)],
            ),
            "alertmanager": service(
                IMAGES.alertmanager,
                entrypoint=[
                    "sh",
                    "-c",
                    "mkdir -p /etc/alertmanager/secrets && cd /etc/alertmanager/secrets && "
                    "for name in slack_url teams_url; do echo http://localhost:9/ > $$name; done && "
                    "echo none > pagerduty_key && echo none > smtp_password && "
                    "exec alertmanager --config.file=/config/alertmanager.yaml --storage.path=/alertmanager",
                ],
                user="0",
                volumes=[f"{build}/stack/alertmanager:/config:ro"],
                ports=[local(PORTS.alertmanager)],
            ),
            "jaeger": service(
                IMAGES.jaeger,
                command=[f"--config=/etc/jaeger/{jaeger.CONFIG_FILE}"],
                volumes=[f"{build}/stack/jaeger:/etc/jaeger:ro"],
                user="0",
                tmpfs=[jaeger.DATA],
                ports=[local(PORTS.jaeger_ui), local(PORTS.jaeger_collector), local(PORTS.otlp_http)],
            ),
            "grafana": service(
                IMAGES.grafana,
                env_file=[f"{build}/stack/grafana/grafana.env"],
                environment={"GF_AUTH_ANONYMOUS_ENABLED": "true", "GF_AUTH_ANONYMOUS_ORG_ROLE": "Admin"},
                volumes=[f"{build}/grafana/provisioning:{grafana.PROVISIONING}:ro"],
                ports=[local(PORTS.grafana)],
                # Loki's image has no program to ask with, so Grafana's asks for both.
                healthy=(
                    f"curl -fs http://localhost:{PORTS.grafana}/api/health && "
                    f"curl -fs {grafana.ENVIRONMENT['LOKI_URL']}/ready"
                ),
            ),
        },
    }


def text() -> str:
    """The compose file as text."""
    return HEADER + dump_yaml(configuration())


COMPONENT = Component(
    name="compose",
    title="Docker Compose",
    description="The rendered files on one machine, for tests.",
    configuration={FILE: text()},
    checks=("docker compose config",),
)

if __name__ == "__main__":
    Path(FILE).write_text(text(), encoding="utf-8")
