"""The platform's components: the document's figures, and the programs that read the files."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from lokictl.durations import DAY, HOUR
from lokictl.logql import parse
from lokictl.model.component import Checksum, Component, When
from services import SERVICES
from stack import (
    alertmanager,
    alloy,
    collection,
    jaeger,
    loki,
    memcached,
    network,
    prometheus,
    promtail,
    storage,
)
from stack.figures import PORTS
from tests.stack.platform import COMPONENTS, EVERY, OBJECTS, OPTIONAL, PROJECT, objects, workloads


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not on PATH")


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def write(component: Component, folder: Path) -> None:
    for name in component.configuration:
        (folder / name).write_text(component.configuration_text(name))


def test_every_component_is_found() -> None:
    assert {component.name for component in PROJECT.components} == {
        *("compose", "content"),
        *("alertmanager", "alloy", "cluster", "grafana", "jaeger", "loki"),
        *("memcached", "network", "prometheus", "promtail", "storage"),
    }


# --- Loki ------------------------------------------------------------------------------------------------


def test_loki_has_the_documents_figures() -> None:
    config = loki.configuration()
    limits = config["limits_config"]
    assert (limits["ingestion_rate_mb"], limits["ingestion_burst_size_mb"]) == (20, 40)
    assert limits["max_global_streams_per_user"] == 10_000
    ingester = config["ingester"]
    assert (ingester["chunk_idle_period"], ingester["max_chunk_age"], ingester["chunk_encoding"]) == (
        "3m",
        "1h",
        "snappy",
    )
    assert (config["server"]["http_listen_port"], config["server"]["grpc_listen_port"]) == (3100, 9096)
    cache = config["query_range"]["results_cache"]["cache"]
    assert (cache["embedded_cache"]["max_size_mb"], cache["embedded_cache"]["ttl"]) == (100, "1h")
    assert config["common"]["replication_factor"] == 3


def test_retention_follows_the_services() -> None:
    limits = loki.configuration()["limits_config"]
    assert limits["retention_period"] == "720h"
    assert limits["retention_stream"] == [
        {"selector": '{service="agents"}', "priority": 1, "period": "1440h"},
        {"selector": '{level="debug"}', "priority": 10, "period": "72h"},
    ]


def test_the_old_index_comes_before_the_new_one() -> None:
    periods = loki.configuration(new_installation=False)["schema_config"]["configs"]
    assert [(period["store"], period["schema"]) for period in periods] == [
        ("boltdb-shipper", "v12"),
        ("tsdb", "v13"),
    ]
    assert periods[0]["from"] < periods[1]["from"]
    (only,) = loki.configuration()["schema_config"]["configs"]
    assert only["store"] == "tsdb"


def options_of(program: str) -> str:
    done = subprocess.run([program, "-help"], capture_output=True, text=True)
    return done.stdout + done.stderr


@needs("loki")
@pytest.mark.parametrize("name", [loki.CONFIG_FILE, "loki-migrating.yaml"])
def test_loki_accepts_its_configuration(tmp_path: Path, name: str) -> None:
    write(loki.COMPONENT, tmp_path)
    env = {
        "S3_ENDPOINT": "s3.example",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "PATH": "/usr/bin",
    }
    program = shutil.which("loki") or ""
    if name == "loki-migrating.yaml" and "boltdb.shipper" not in options_of(program):
        pytest.skip("this Loki no longer has the BoltDB shipper")
    run(program, f"-config.file={tmp_path / name}", "-config.expand-env=true", "-verify-config", env=env)


# --- collection ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", collection.JOBS, ids=lambda job: job.name)
def test_ids_are_metadata_and_never_labels(job: collection.Job) -> None:
    stages = promtail.stages(job)
    labels = {name for stage in stages for name in stage.get("labels", {})}
    metadata = {name for stage in stages for name in stage.get("structured_metadata", {})}
    assert labels == {"level"}
    assert {"trace_id", "span_id"} <= metadata
    assert ("agent_id" in metadata) == (job.name == "agents")


@pytest.mark.parametrize("job", collection.JOBS, ids=lambda job: job.name)
def test_streams_have_the_labels_of_the_service_and_no_others(job: collection.Job) -> None:
    assert job.service
    kept = [stage["labelallow"] for stage in promtail.stages(job) if "labelallow" in stage]
    assert [set(names) for names in kept] == [set(job.service.label_names)]
    text = "\n".join(block.render() for block in alloy.stages(job))
    assert f"values = {json.dumps(kept[0])}" in text


def test_the_compiler_says_when_it_wrote_a_record() -> None:
    stages = {job.name: promtail.stages(job) for job in collection.JOBS}
    sources = {
        name: [stage["timestamp"]["source"] for stage in found if "timestamp" in stage]
        for name, found in stages.items()
    }
    assert sources == {
        service.name: [field.name] if (field := service.time_field) else [] for service in SERVICES
    }
    assert sources["sigmalang"] == ["ts"]
    assert 'source            = "ts"' in alloy.configuration()


RECORDS = [
    ('{"ts": "2026-01-15T10:30:45Z", "level": "info"}', True),
    ("panic: internal compiler error in codegen: index out of bounds", True),
    ("  at sigma::driver::compile (app/main.sig)", False),
    ("note: this is a fault of the compiler", False),
]


@pytest.mark.parametrize("line, begins", RECORDS)
def test_where_a_record_of_the_compiler_begins(line: str, begins: bool) -> None:
    (job,) = [job for job in collection.JOBS if job.name == "sigmalang"]
    assert bool(re.search(job.first_line, line)) is begins

    parse(collection.crash_selector(job))


def test_the_metrics_of_the_document() -> None:
    metrics = {metric.full_name: metric for job in collection.JOBS for metric in job.metrics}
    assert {name: metric.labels for name, metric in metrics.items()} == {
        "log_lines_total": ("service", "level"),
        "log_durations": ("service",),
        "log_errors_total": ("service", "module"),
        "agents_queue_depth": ("service",),
    }
    assert 10000 in collection.DURATION_BUCKETS
    assert PROJECT.services
    for service in PROJECT.services:
        objective = service.objectives.p99_duration // 1_000_000
        around = [
            bound for bound in collection.DURATION_BUCKETS if 0.5 * objective < bound <= 1.5 * objective
        ]
        assert min(around) < objective in around, service.name
        assert max(around) > objective, service.name


def test_both_collectors_do_the_same() -> None:
    text = alloy.configuration()
    cases = list(promtail.configuration()["scrape_configs"])
    assert cases
    for job in cases:
        if job["job_name"] == "syslog":
            assert f'address  = "0.0.0.0:{PORTS.syslog_udp}"' in text
        else:
            assert f'loki.process "{job["job_name"]}"' in text
    assert text.count("stage.metrics") == sum(len(job.metrics) for job in collection.JOBS)
    assert "stage.multiline" in text


def test_blocks_of_alloy() -> None:
    block = alloy.Block(
        "a.b", "c", alloy.Block("d"), x=alloy.Reference("y.z"), list=[1, "t"], map={"k": True}
    )
    assert block.render() == (
        'a.b "c" {\n\tx    = y.z\n\tlist = [1, "t"]\n\tmap  = {\n\t\tk = true,\n\t}\n\n\td { }\n}'
    )


@needs("alloy")
def test_alloy_accepts_its_configuration(tmp_path: Path) -> None:
    write(alloy.COMPONENT, tmp_path)
    run("alloy", "fmt", "--test", tmp_path / alloy.CONFIG_FILE)
    run("alloy", "validate", tmp_path / alloy.CONFIG_FILE)


@needs("promtail")
def test_promtail_accepts_its_configuration(tmp_path: Path) -> None:
    write(promtail.COMPONENT, tmp_path)
    run("promtail", "-check-syntax", f"-config.file={tmp_path / promtail.CONFIG_FILE}")


# --- Prometheus and Alertmanager --------------------------------------------------------------------------


@needs("promtool")
def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    write(prometheus.COMPONENT, tmp_path)
    config = prometheus.configuration(str(tmp_path))
    for job in config["scrape_configs"]:
        # Debian's build knows no Kubernetes: an empty file discovery stands in for it, all else is as rendered.
        if job.pop("kubernetes_sd_configs", None):
            job["file_sd_configs"] = [{"files": [str(tmp_path / "none.json")]}]
        job.pop("tls_config", None)
        job.pop("authorization", None)
    (tmp_path / prometheus.CONFIG_FILE).write_text(yaml.safe_dump(config))
    assert "SUCCESS" in run("promtool", "check", "config", tmp_path / prometheus.CONFIG_FILE)


@needs("promtool")
def test_every_metric_alert_fires_and_stays_silent(tmp_path: Path) -> None:
    write(prometheus.COMPONENT, tmp_path)
    assert "SUCCESS" in run("promtool", "check", "rules", prometheus.ALERTS_FILE, cwd=tmp_path)
    assert "SUCCESS" in run("promtool", "test", "rules", prometheus.TESTS_FILE, cwd=tmp_path)


def test_every_metric_alert_has_both_tests() -> None:
    names = {item["alert"] for item in prometheus.ALERTS}
    assert names == set(prometheus.FIRING) == set(prometheus.SILENT)


def alert_labels() -> list[tuple[str, dict[str, str]]]:
    log_alerts = [(rule.name, dict(rule.labels)) for rule in PROJECT.rules if hasattr(rule, "alert")]
    metric_alerts = [(item["alert"], item["labels"]) for item in prometheus.ALERTS]
    return [*log_alerts, *metric_alerts]


@needs("amtool")
def test_alertmanager_accepts_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yaml"
    # Debian has 0.25, which does not know Teams yet; the routes are the same.
    file.write_text(yaml.safe_dump(alertmanager.configuration(version=(0, 25))))
    assert "SUCCESS" in run("amtool", "check-config", file)


@needs("amtool")
def test_every_alert_arrives_at_the_receiver_its_labels_say(tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(alertmanager.configuration(version=(0, 25))))
    combinations = {tuple(sorted(labels.items())) for _, labels in alert_labels()}
    assert len(combinations) >= 8
    for labels in combinations:
        expected = ",".join(alertmanager.expected_receivers(dict(labels)))
        pairs = [f"{name}={value}" for name, value in labels]
        run(
            "amtool",
            "config",
            "routes",
            "test",
            f"--config.file={file}",
            f"--verify.receivers={expected}",
            *pairs,
        )


def test_every_alert_has_the_labels_that_routes_read() -> None:
    alerts = list(alert_labels())
    assert alerts
    for name, labels in alerts:
        assert {"severity", "service", "tier"} <= set(labels), name


def test_every_receiver_kind_of_the_document_is_there() -> None:
    kinds = {key for item in alertmanager.receivers((0, 28)) for key in item if key.endswith("_configs")}
    assert kinds == {"email_configs", "slack_configs", "pagerduty_configs", "msteamsv2_configs"}


# --- memcached and storage --------------------------------------------------------------------------------


@needs("memcached")
def test_memcached_answers(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [part for argument in memcached.ARGUMENTS for part in argument.split(" ")]
    arguments[arguments.index("-p") + 1] = str(port)
    server = subprocess.Popen(["memcached", *arguments, "-l", "127.0.0.1", "-u", "nobody"], cwd=tmp_path)
    try:
        settings = memcached_settings(port)
    finally:
        server.terminate()
        server.wait(60)
    assert settings["maxbytes"] == str(512 << 20)
    assert settings["item_size_max"] == str(5 << 20)


def memcached_settings(port: int) -> dict[str, str]:
    for _ in range(1_200):
        try:
            with socket.create_connection(("127.0.0.1", port), 60) as connection:
                connection.sendall(b"stats settings\r\nquit\r\n")
                text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    rows = [line.split(" ", 2) for line in text.splitlines() if line.startswith("STAT ")]
    return {name: value for _, name, value in rows}


def test_the_lifecycle_of_the_tiers() -> None:
    warm, cold = json.loads(storage.COMPONENT.configuration_text("lifecycle.json"))["Rules"]
    assert warm["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    assert "Expiration" not in warm, "Loki's own retention deletes chunks"
    assert cold["Transitions"] == [{"Days": 30, "StorageClass": "GLACIER"}]
    assert cold["Expiration"] == {"Days": 365}


# --- Kubernetes ------------------------------------------------------------------------------------------


def test_objects_are_complete_and_named_once() -> None:
    names = [(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in OBJECTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("item", EVERY, ids=lambda item: f"{item['kind']}-{item['metadata']['name']}")
def test_kubernetes_accepts_every_object(item: dict[str, Any]) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kubernetes_validate.validate(item, "1.31", strict=True)


@pytest.mark.parametrize("item", workloads(), ids=lambda item: item["metadata"]["name"])
def test_pods_are_locked_down(item: dict[str, Any]) -> None:
    pod = item["spec"]["template"]["spec"]
    collector = item["kind"] == "DaemonSet"
    assert pod["securityContext"]["runAsNonRoot"] is not collector
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        assert container["resources"]["limits"]["memory"]
        assert ":" in container["image"]
        assert not container["image"].endswith(":latest")


def test_rights_are_exactly_those_of_the_document() -> None:
    rights = {
        role["metadata"]["name"]: [
            (sorted(rule.get("resources", rule.get("nonResourceURLs"))), rule["verbs"])
            for rule in role["rules"]
        ]
        for role in objects("ClusterRole")
    }
    read = ["get", "list", "watch"]
    assert rights == {
        "loki": [(["configmaps", "pods"], read)],
        "promtail": [(["nodes", "pods", "pods/log"], read)],
        "alloy": [(["nodes", "pods", "pods/log"], read)],
        # Not in the document: what its discovery and the kubelets' metrics need, and no more.
        "prometheus": [(["nodes", "pods"], read), (["nodes/metrics"], ["get"])],
    }
    with_token = {
        item["metadata"]["name"] for item in objects("ServiceAccount") if item["automountServiceAccountToken"]
    }
    assert with_token == set(rights)


def test_collectors_run_on_every_node() -> None:
    collectors = list(objects("DaemonSet"))
    assert collectors
    for item in collectors:
        assert item["spec"]["template"]["spec"]["tolerations"] == [{"operator": "Exists"}]


def test_plain_manifests_have_one_collector() -> None:
    assert [item["metadata"]["name"] for item in objects("DaemonSet", OBJECTS)] == ["alloy"]
    instead = [item for group, item in OPTIONAL if group == "promtail"]
    assert [item["metadata"]["name"] for item in objects("DaemonSet", instead)] == ["promtail"]
    kinds = {(item["kind"], item["metadata"]["name"].replace("promtail", "alloy")) for item in instead}
    assert kinds == {
        (item["kind"], item["metadata"]["name"])
        for item in OBJECTS
        if item["metadata"]["labels"].get("app") == "alloy"
    }


def test_syslog_can_be_reached() -> None:
    for items in (OBJECTS, [item for group, item in OPTIONAL if group == "promtail"]):
        (service,) = [item for item in objects("Service", items) if item["metadata"]["name"] == "syslog"]
        (collector,) = objects("DaemonSet", items)
        (port,) = service["spec"]["ports"]
        assert (port["port"], port["protocol"]) == (1514, "UDP")
        template = collector["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        named = [
            item for item in template["spec"]["containers"][0]["ports"] if item["name"] == port["targetPort"]
        ]
        assert [(item["containerPort"], item["protocol"]) for item in named] == [(1514, "UDP")]
        (policy,) = [
            item
            for item in objects("NetworkPolicy", items)
            if item["metadata"]["name"] == f"{collector['metadata']['name']}-network-policy"
        ]
        assert {"ports": [{"protocol": "UDP", "port": 1514}]} in policy["spec"]["ingress"]


def test_nothing_is_open_to_the_outside() -> None:
    services = objects("Service")
    assert len(services) > 10
    assert {item["spec"].get("type", "ClusterIP") for item in services} == {"ClusterIP"}


def test_every_service_leads_to_ports_of_its_pods() -> None:
    for items in (OBJECTS, [item for group, item in OPTIONAL if group == "promtail"]):
        pods = [item["spec"]["template"] for item in workloads(items)]
        for service in objects("Service", items):
            selector = service["spec"]["selector"].items()
            (pod,) = [pod for pod in pods if selector <= pod["metadata"]["labels"].items()]
            ports = {
                (port["name"], port["containerPort"], port["protocol"])
                for container in pod["spec"]["containers"]
                for port in container["ports"]
            }
            wanted = {
                (port["targetPort"], port["port"], port["protocol"]) for port in service["spec"]["ports"]
            }
            assert wanted <= ports, service["metadata"]["name"]


def test_what_is_written_survives_a_restart() -> None:
    """Logs, metrics, traces, silences, and what people change in Grafana."""
    kept = {
        item["metadata"]["name"]: [
            claim["metadata"]["name"] for claim in item["spec"]["volumeClaimTemplates"]
        ]
        for item in objects("StatefulSet")
    }
    assert kept == {name: ["data"] for name in ("alertmanager", "grafana", "jaeger", "loki", "prometheus")}
    mounts = {
        name: next(
            mount["mountPath"]
            for item in objects("StatefulSet")
            if item["metadata"]["name"] == name
            for mount in item["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
            if mount["name"] == "data"
        )
        for name in kept
    }
    assert mounts == {
        "alertmanager": "/alertmanager",
        "grafana": "/var/lib/grafana",
        "jaeger": "/badger",
        "loki": "/var/loki",
        "prometheus": "/prometheus",
    }


BYTES = {"Mi": 1 << 20, "Gi": 1 << 30}


def in_bytes(quantity: str) -> int:
    return int(quantity[:-2]) * BYTES[quantity[-2:]]


def test_go_programs_know_their_memory_limit() -> None:
    limits = {}
    for item in workloads():
        for container in item["spec"]["template"]["spec"]["containers"]:
            env = {entry["name"]: entry.get("value", "") for entry in container.get("env", ())}
            limit = in_bytes(container["resources"]["limits"]["memory"])
            limits[item["metadata"]["name"], container["name"]] = (limit, int(env.get("GOMEMLIMIT", 0)))
    assert limits.pop(("memcached", "memcached"))[1] == 0
    for name, (limit, known) in limits.items():
        assert 0.8 * limit < known < limit, name
    # Alloy was measured at 245 MiB on a node with twelve quiet pods.
    assert limits["alloy", "alloy"][0] >= 3 * 245 << 20


def test_a_long_replay_kills_no_loki() -> None:
    (item,) = [item for item in objects("StatefulSet") if item["metadata"]["name"] == "loki"]
    (container,) = item["spec"]["template"]["spec"]["containers"]
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 3600
    # Not ready (a ring without quorum, an object store that is away) is no reason to be killed.
    assert container["livenessProbe"]["httpGet"]["path"] != "/ready"
    limit = in_bytes(container["resources"]["limits"]["memory"])
    (flag,) = [arg for arg in container["args"] if arg.startswith("-ingester.wal-replay-memory-ceiling=")]
    assert int(flag.partition("=")[2]) <= limit * 3 // 4
    assert loki.configuration()["ingester"]["wal"]["replay_memory_ceiling"] == "2GB"


def test_whatever_takes_long_to_start_has_a_startup_probe() -> None:
    slow = {
        item["metadata"]["name"]
        for item in workloads()
        if "startupProbe" in item["spec"]["template"]["spec"]["containers"][0]
    }
    assert slow == {"alertmanager", "grafana", "jaeger", "loki", "prometheus"}


RESTARTED = {
    "alertmanager": {"alertmanager-config"},
    "alloy": {"alloy-config"},
    "grafana": {"grafana-datasources", "grafana-dashboard-provider"},
    "jaeger": {"jaeger-config"},
    "loki": {"loki-config"},
    "memcached": set(),
    "prometheus": {"prometheus-config"},
    "promtail": {"promtail-config"},
}
"""Per workload: the ConfigMaps whose change restarts it. Grafana and the ruler reread dashboards and rules."""


def test_a_new_configuration_restarts_who_reads_it() -> None:
    found: dict[str, set[str]] = {}
    for component in COMPONENTS:
        for item in component.manifests:
            manifest = item.manifest if isinstance(item, When) else item
            if manifest["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
                annotations = manifest["spec"]["template"]["metadata"].get("annotations", {})
                hashed = annotations.get("checksum/config", Checksum(()))
                found[manifest["metadata"]["name"]] = set(hashed.config_maps)
    assert found == RESTARTED
    cases = list(workloads())
    assert cases
    for item in cases:
        annotations = item["spec"]["template"]["metadata"].get("annotations", {})
        if RESTARTED[item["metadata"]["name"]]:
            assert re.fullmatch("[0-9a-f]{64}", annotations["checksum/config"])


def test_the_longest_kept_line_can_be_queried() -> None:
    limits = loki.configuration()["limits_config"]
    longest = max(service.retention for service in SERVICES) // HOUR
    assert int(limits["max_query_length"].removesuffix("h")) > longest == 1440
    changed = tuple(dataclasses.replace(service, retention=100 * DAY) for service in SERVICES)
    assert loki.configuration(services=changed)["limits_config"]["max_query_length"] == f"{101 * 24}h"


def test_streams_get_no_label_of_lokis_own() -> None:
    limits = loki.configuration()["limits_config"]
    assert (limits["discover_service_name"], limits["discover_log_levels"]) == ([], False)


def test_secrets_are_only_referred_to() -> None:
    assert objects("Secret") == []


def policies() -> dict[str, dict[str, Any]]:
    """app -> its network policy."""
    return {
        item["metadata"]["name"].removesuffix("-network-policy"): item for item in objects("NetworkPolicy")
    }


def allowed(source: str, target: str, port: int) -> bool:
    """Whether the rendered policies let ``source`` open a connection: its egress and the target's ingress agree."""
    out = _matches(policies()[source]["spec"]["egress"], "to", target, port)
    inside = _matches(policies()[target]["spec"]["ingress"], "from", source, port)
    return out and inside


def _matches(rules: list[dict[str, Any]], direction: str, peer: str, port: int) -> bool:
    for rule in rules:
        peers = rule.get(direction)
        named = peers is None or any(
            item.get("podSelector", {}).get("matchLabels", {}).get("app") == peer for item in peers
        )
        if named and any(item["port"] == port for item in rule["ports"]):
            return True
    return False


def test_the_kubernetes_api_is_reached_on_the_clusters_port() -> None:
    for app in ("alloy", "promtail", "prometheus"):
        egress = policies()[app]["spec"]["egress"]
        assert {"ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 6443}]} in egress


def test_every_port_of_the_document_for_traces() -> None:
    (service,) = [item for item in objects("Service") if item["metadata"]["name"] == "jaeger"]
    ports = {(port["port"], port["protocol"]) for port in service["spec"]["ports"]}
    assert {(6831, "UDP"), (14268, "TCP"), (16686, "TCP"), (4317, "TCP"), (4318, "TCP")} <= ports
    receivers = json.dumps(jaeger.configuration()["receivers"])
    for port in (6831, 14268, 4317, 4318):
        assert f":{port}" in receivers
    assert jaeger.configuration()["extensions"]["jaeger_storage"]["backends"]["local"]["badger"]["ttl"] == {
        "spans": "168h"
    }


DOCUMENTED_FLOWS = [
    ("promtail", "loki", 3100),
    ("promtail", "loki", 9096),
    ("alloy", "loki", 3100),
    ("grafana", "loki", 3100),
    ("alertmanager", "loki", 3100),
    ("prometheus", "loki", 3100),
    ("loki", "memcached", 11211),
    ("loki", "alertmanager", 9093),
    ("prometheus", "promtail", 9080),
    ("prometheus", "alloy", 9080),
    ("grafana", "prometheus", 9090),
    ("grafana", "jaeger", 16686),
]


@pytest.mark.parametrize("source, target, port", DOCUMENTED_FLOWS)
def test_who_may_talk_to_whom(source: str, target: str, port: int) -> None:
    assert allowed(source, target, port)


FORBIDDEN_FLOWS = [
    ("memcached", "loki", 3100),
    ("jaeger", "loki", 3100),
    ("promtail", "memcached", 11211),
    ("grafana", "memcached", 11211),
    ("promtail", "alertmanager", 9093),
    ("grafana", "loki", 9096),
]


@pytest.mark.parametrize("source, target, port", FORBIDDEN_FLOWS)
def test_who_may_not(source: str, target: str, port: int) -> None:
    assert not allowed(source, target, port)


def test_every_flow_is_open_at_both_ends() -> None:
    inside = [flow for flow in network.FLOWS if {flow.source, flow.target} <= set(network.APPS)]
    assert inside
    for flow in inside:
        assert allowed(flow.source, flow.target, flow.port), flow


def test_loki_reaches_dns_and_the_object_store() -> None:
    egress = policies()["loki"]["spec"]["egress"]
    assert {"protocol": "UDP", "port": 53} in egress[0]["ports"]
    assert {"ports": [{"protocol": "TCP", "port": 443}]} in egress


def test_selectors_of_the_collectors_are_logql() -> None:

    selectors = re.findall(r'selector = ("(?:[^"\\]|\\.)*")', alloy.configuration())
    stages = [stage for job in collection.JOBS for stage in promtail.stages(job)]
    selectors += [json.dumps(stage["match"]["selector"]) for stage in stages if "match" in stage]
    assert len(selectors) >= 2 * len(collection.JOBS)
    for selector in selectors:
        parse(json.loads(selector))


@needs("amtool")
@pytest.mark.parametrize("annotation", ["dashboard_url", "lines_url"])
def test_notifications_lead_to_the_time_of_the_alert(tmp_path: Path, annotation: str) -> None:
    (rule,) = [rule for rule in PROJECT.rules if rule.name == "RyotDatabaseTimeouts"]
    annotations = dict(getattr(rule, "annotations", {}))
    alert = {"status": "firing", "annotations": annotations, "startsAt": "2026-01-01T12:30:00Z"}
    (tmp_path / "data.json").write_text(json.dumps({"status": "firing", "alerts": [alert]}))
    text = alertmanager.at_its_time(annotation)
    (tmp_path / "url.tmpl").write_text(f'{{{{ define "url" }}}}{text}{{{{ end }}}}')
    command = ["amtool", "template", "render", "--template.glob=url.tmpl", "--template.data=data.json"]
    printed = run(*command, '--template.text={{ template "url" . }}', cwd=tmp_path)
    assert printed.strip() == annotations[annotation].replace("now-1h", "1767268800000")
