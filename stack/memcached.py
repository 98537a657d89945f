"""memcached: chunk and results cache, three replicas."""

from __future__ import annotations

from lokictl.model.component import Component, HelmValue
from stack import access, objects
from stack.figures import IMAGES, MEMCACHED_MEGABYTES, MEMCACHED_REPLICAS, PORTS

NAME = "memcached"
MAX_ITEM = "5m"
"""Chunks are larger than memcached's default item of 1 MB."""

ARGUMENTS = (f"-m {MEMCACHED_MEGABYTES}", f"-p {PORTS.memcached}", f"-I {MAX_ITEM}", "-c 4096", "-U 0")


def component() -> Component:
    """memcached as a component; the client sets the time to live (1 h, see `stack.loki`)."""
    cache = objects.container(
        NAME,
        IMAGES.memcached,
        args=[part for argument in ARGUMENTS for part in argument.split(" ")],
        ports={"memcached": PORTS.memcached},
        # Above the cache itself, for connections and the hash table.
        resources=objects.resources(
            "250m", f"{MEMCACHED_MEGABYTES * 12 // 10}Mi", memory_limit=f"{MEMCACHED_MEGABYTES * 3 // 2}Mi"
        ),
        go=False,
        readiness={"tcpSocket": {"port": "memcached"}, "initialDelaySeconds": 2, "periodSeconds": 10},
        liveness={"tcpSocket": {"port": "memcached"}, "initialDelaySeconds": 30, "periodSeconds": 10},
    )
    exporter = objects.container(
        "exporter",
        IMAGES.memcached_exporter,
        value="memcachedexporter",
        args=[
            f"--memcached.address=localhost:{PORTS.memcached}",
            f"--web.listen-address=:{PORTS.memcached_metrics}",
        ],
        ports={"metrics": PORTS.memcached_metrics},
        resources=objects.resources("20m", "32Mi", memory_limit="64Mi"),
    )
    template = objects.pod(NAME, [cache, exporter], account=NAME, user=11211, spread=True)
    replicas = HelmValue("memcached.replicas", MEMCACHED_REPLICAS, schema=objects.REPLICAS)
    ports = {"memcached": PORTS.memcached, "metrics": PORTS.memcached_metrics}
    return Component(
        name=NAME,
        title="memcached",
        description="The cache in front of the object store and of repeated queries.",
        configuration={"memcached.args": "\n".join(ARGUMENTS) + "\n"},
        manifests=(
            *access.account(NAME),
            objects.workload("Deployment", NAME, template, replicas=replicas),
            # Headless: Loki's client finds every replica by DNS and spreads the keys itself.
            objects.service("memcached-service", NAME, ports, headless=True),
            objects.disruption_budget(NAME),
        ),
        checks=("memcached answers",),
    )


COMPONENT = component()
