"""The platform's Helm chart: the same objects as the plain manifests, and values that reach all they should."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lokictl.diagnostics import LokictlError
from lokictl.model.component import (
    Checksum,
    Component,
    HelmExpression,
    HelmValue,
    Refusal,
    When,
    config_map_data,
    plain,
)
from lokictl.render.platform_chart import chart_values, values_schema, values_text
from lokictl.render.stack import CHART, render_components
from tests.stack.platform import COMPONENTS, FILES, OBJECTS, Object
from tests.stack.servers import needs

Objects = dict[tuple[str, str], Object]
VALUES: dict[str, Any] = yaml.safe_load(FILES[f"helm/{CHART}/values.yaml"])
KUBERNETES = "1.31"
# The same loader in C, where there is one: dashboards are long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def write_chart(folder: Path, files: dict[str, str] = FILES) -> Path:
    """Writes the chart; its folder."""
    for path, text in files.items():
        if path.startswith(f"helm/{CHART}/"):
            file = folder / path.removeprefix("helm/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return folder / CHART


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart's folder on disk."""
    return write_chart(tmp_path_factory.mktemp("chart"))


def helm_objects(chart: Path, values: dict[str, Any] | None = None, namespace: str = "monitoring") -> Objects:
    """What Helm makes of the chart: (kind, name) -> object."""
    helm = pytest.importorskip("helm_python")
    rendered = helm.Chart.load(chart).render(values=values, name="test", namespace=namespace)
    found = [item for text in rendered.values() for item in yaml.load_all(text, Loader=LOADER) if item]
    assert len({(item["kind"], item["metadata"]["name"]) for item in found}) == len(found)
    return {(item["kind"], item["metadata"]["name"]): item for item in found}


def differences(before: Any, after: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Path -> (before, after) of every value that differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in before.keys() | after.keys():
            found |= differences(before.get(key), after.get(key), f"{path}/{key}")
        return found
    if all(
        isinstance(items, list) and all("name" in item for item in items if items)
        for items in (before, after)
    ):
        named = [{item["name"]: item for item in items} for items in (before, after)]
        return differences(*named, path)
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return {
            place: value
            for number, pair in enumerate(zip(before, after, strict=True))
            for place, value in differences(*pair, f"{path}/{number}").items()
        }
    return {} if before == after else {path: (before, after)}


def changes(chart: Path, values: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What ``values`` change of the objects."""
    before, after = helm_objects(chart), helm_objects(chart, values)
    return differences(
        *({f"{kind} {name}": item for (kind, name), item in found.items()} for found in (before, after))
    )


# --- the chart and the plain manifests ------------------------------------------------------------------------


def test_helm_accepts_the_chart(chart: Path) -> None:
    helm = pytest.importorskip("helm_python")
    report = helm.lint(chart, strict=True)
    warning = 2
    assert [message for message in report["messages"] if message["severity"] >= warning] == []
    assert report["errors"] == []


def test_helm_gives_the_same_objects_as_the_plain_manifests(chart: Path) -> None:
    expected = {(item["kind"], item["metadata"]["name"]): item for item in OBJECTS}
    # Helm makes a release's namespace by itself, and the other one only when asked to.
    del expected["Namespace", "monitoring"]
    found = helm_objects(chart, {"applications": {"createNamespace": True}})
    assert found == expected


def test_a_release_owns_no_namespace(chart: Path) -> None:
    assert [name for kind, name in helm_objects(chart) if kind == "Namespace"] == []


def test_uninstalling_keeps_the_applications_and_all_volumes(chart: Path) -> None:
    found = helm_objects(chart, {"applications": {"createNamespace": True}})
    kept = {
        kind
        for (kind, _), item in found.items()
        if item["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    assert kept == {"Namespace", "StorageClass"}
    assert not {"PersistentVolumeClaim", "PersistentVolume", "Secret"} & {kind for kind, _ in found}
    assert found["StorageClass", "fast-ssd"]["reclaimPolicy"] == "Retain"


def test_one_collector_and_never_two(chart: Path) -> None:
    alloy = helm_objects(chart)
    promtail = helm_objects(chart, {"collector": {"name": "promtail"}})
    for found, own, other in ((alloy, "alloy", "promtail"), (promtail, "promtail", "alloy")):
        assert [name for kind, name in found if kind == "DaemonSet"] == [own]
        named = {name for _, name in found}
        assert {own, f"{own}-config", f"{own}-metrics", f"{own}-network-policy", "syslog"} <= named
        assert not {name for name in named if name.startswith(other)}
        assert found["Service", "syslog"]["spec"]["selector"] == {"app": own}
    assert len(alloy) == len(promtail)


def test_the_namespace_is_the_releases(chart: Path) -> None:
    cluster = {"ClusterRole", "ClusterRoleBinding", "StorageClass"}
    for values, namespace in ((None, "observability"), ({"namespace": "elsewhere"}, "elsewhere")):
        found = helm_objects(chart, values, "observability")
        places = {
            item["metadata"].get("namespace") for (kind, _), item in found.items() if kind not in cluster
        }
        assert places == {namespace}
        bindings = [item for (kind, _), item in found.items() if kind == "ClusterRoleBinding"]
        assert len(bindings) == 3
        assert {subject["namespace"] for item in bindings for subject in item["subjects"]} == {namespace}
    assert not [
        path for path, text in FILES.items() if path.startswith("stack/") and "monitoring.svc" in text
    ]


# --- values ------------------------------------------------------------------------------------------------------

POD = "/spec/template/spec"
GRAFANA_ENV = f"/StatefulSet grafana{POD}/containers/grafana/env"


def loki_arguments(chart: Path, values: dict[str, Any]) -> dict[str, str]:
    container = helm_objects(chart, values)["StatefulSet", "loki"]["spec"]["template"]["spec"]["containers"][
        0
    ]
    pairs = [arg.lstrip("-").partition("=") for arg in container["args"]]
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("replicas, factor, concurrent", [(1, 1, 48), (2, 1, 24), (3, 3, 16), (5, 3, 9)])
def test_replicas_reach_all_that_depends_on_them(
    chart: Path, replicas: int, factor: int, concurrent: int
) -> None:
    values = {"loki": {"replicas": replicas}, "memcached": {"replicas": replicas}}
    found = helm_objects(chart, values)
    assert found["StatefulSet", "loki"]["spec"]["replicas"] == replicas
    assert found["Deployment", "memcached"]["spec"]["replicas"] == replicas
    arguments = loki_arguments(chart, values)
    assert arguments["distributor.replication-factor"] == str(factor)
    assert arguments["querier.max-concurrent"] == str(concurrent)
    # One pod at a time: the last one of a single replica, and never two that share lines.
    for name in ("loki", "memcached"):
        assert found["PodDisruptionBudget", name]["spec"]["maxUnavailable"] == 1
        assert "minAvailable" not in found["PodDisruptionBudget", name]["spec"]


@pytest.mark.parametrize(
    "limit, ceiling",
    [
        ("4Gi", "2147483648"),
        ("8Gi", "4294967296"),
        ("6G", "3000000000"),
        ("1.5Gi", "805306368"),
        (2147483648, "1073741824"),
        (None, "2GB"),
    ],
)
def test_what_loki_replays_stays_below_its_memory_limit(chart: Path, limit: Any, ceiling: str) -> None:
    arguments = loki_arguments(chart, {"loki": {"resources": {"limits": {"memory": limit}}}})
    assert arguments["ingester.wal-replay-memory-ceiling"] == ceiling


VALUE_CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # what, values, path -> value of every change
    (
        "storage class",
        {"storageClass": "slow"},
        {
            f"/StatefulSet {name}/spec/volumeClaimTemplates/0/spec/storageClassName": "slow"
            for name in ("alertmanager", "grafana", "jaeger", "loki", "prometheus")
        }
        | {"/StorageClass fast-ssd": None, "/StorageClass slow": ...},
    ),
    (
        "the cluster's storage class",
        {"storageClass": ""},
        {
            f"/StatefulSet {name}/spec/volumeClaimTemplates/0/spec/storageClassName": None
            for name in ("alertmanager", "grafana", "jaeger", "loki", "prometheus")
        }
        | {"/StorageClass fast-ssd": None},
    ),
    (
        "image",
        {"alloy": {"image": "mine/alloy:1"}},
        {f"/DaemonSet alloy{POD}/containers/alloy/image": "mine/alloy:1"},
    ),
    (
        "digest",
        {"loki": {"image": "r.example:5000/loki@sha256:ab"}},
        {f"/StatefulSet loki{POD}/containers/loki/image": "r.example:5000/loki@sha256:ab"},
    ),
    (
        "resources",
        {"jaeger": {"resources": {"limits": {"memory": "4Gi"}}}},
        {
            f"/StatefulSet jaeger{POD}/containers/jaeger/resources/limits/memory": "4Gi",
            f"/StatefulSet jaeger{POD}/containers/jaeger/env/GOMEMLIMIT/value": str(4 * (1 << 30) * 9 // 10),
        },
    ),
    (
        "node selector",
        {"loki": {"nodeSelector": {"a": "b"}}},
        {f"/StatefulSet loki{POD}/nodeSelector": {"a": "b"}},
    ),
    (
        "applications",
        {"applications": {"namespace": "shop"}},
        {
            "/NetworkPolicy jaeger-network-policy/spec/ingress/from/0/namespaceSelector/matchLabels"
            "/kubernetes.io/metadata.name": "shop"
        },
    ),
    (
        "MinIO",
        {"s3": {"endpoint": "minio:9000", "port": 9000, "insecure": True, "bucket": "logs"}},
        {
            f"/StatefulSet loki{POD}/containers/loki/env/S3_ENDPOINT/value": "minio:9000",
            f"/StatefulSet loki{POD}/containers/loki/env/S3_BUCKET/value": "logs",
            f"/StatefulSet loki{POD}/containers/loki/env/S3_INSECURE/value": "true",
            "/NetworkPolicy loki-network-policy/spec/egress/ports/0/port": 9000,
        },
    ),
    (
        "API servers",
        {"kubernetesApi": {"ports": [8443]}},
        {
            "/NetworkPolicy alloy-network-policy/spec/egress/ports": [{"protocol": "TCP", "port": 8443}],
            "/NetworkPolicy prometheus-network-policy/spec/egress/ports": [{"protocol": "TCP", "port": 8443}],
        },
    ),
    (
        "a balancer for syslog",
        {"syslog": {"serviceType": "LoadBalancer", "sourceRanges": ["10.0.0.0/8"], "hostPort": 514}},
        {
            "/Service syslog/spec/type": "LoadBalancer",
            "/Service syslog/spec/externalTrafficPolicy": "Local",
            "/Service syslog/spec/loadBalancerSourceRanges": ["10.0.0.0/8"],
            f"/DaemonSet alloy{POD}/containers/alloy/ports/syslog-udp/hostPort": 514,
        },
    ),
    (
        "a balancer for Loki",
        {
            "loki": {
                "serviceType": "LoadBalancer",
                "sourceRanges": ["10.0.0.0/8"],
                "serviceAnnotations": {"internal": "true"},
            }
        },
        {
            "/Service loki/spec/type": "LoadBalancer",
            "/Service loki/spec/externalTrafficPolicy": "Local",
            "/Service loki/spec/loadBalancerSourceRanges": ["10.0.0.0/8"],
            "/Service loki/metadata/annotations": {"internal": "true"},
            "/NetworkPolicy loki-external": ...,
        },
    ),
    ("default deny", {"networkPolicies": {"defaultDeny": True}}, {"/NetworkPolicy default-deny": ...}),
    (
        "no rights for Loki",
        {"loki": {"clusterRole": False}},
        {
            "/ClusterRole loki": None,
            "/ClusterRoleBinding loki": None,
            "/ServiceAccount loki/automountServiceAccountToken": False,
            f"/StatefulSet loki{POD}/automountServiceAccountToken": False,
        },
    ),
    (
        "secrets of other names",
        {"s3": {"secret": "a"}, "grafana": {"adminSecret": "b"}, "alertmanager": {"receiversSecret": "c"}},
        {
            f"/StatefulSet loki{POD}/containers/loki/env/AWS_ACCESS_KEY_ID/valueFrom/secretKeyRef/name": "a",
            f"/StatefulSet loki{POD}/containers/loki/env/AWS_SECRET_ACCESS_KEY/valueFrom/secretKeyRef/name": "a",
            f"{GRAFANA_ENV}/GF_SECURITY_ADMIN_USER/valueFrom/secretKeyRef/name": "b",
            f"{GRAFANA_ENV}/GF_SECURITY_ADMIN_PASSWORD/valueFrom/secretKeyRef/name": "b",
            f"/StatefulSet alertmanager{POD}/volumes/secrets/secret/secretName": "c",
        },
    ),
]


@pytest.mark.parametrize(
    "values, expected", [case[1:] for case in VALUE_CASES], ids=[case[0] for case in VALUE_CASES]
)
def test_a_value_changes_what_it_says_and_nothing_else(
    chart: Path, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    # The position of a policy's rule says nothing.
    found = {
        re.sub(r"/(in|e)gress/\d+/", r"/\1gress/", path): after
        for path, (_, after) in changes(chart, values).items()
    }
    assert {
        path: ... if expected.get(path) is ... and value else value for path, value in found.items()
    } == expected


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a typo", {"loki": {"replica": 2}}, "replica"),
    ("a typo at the top", {"storageclass": "x"}, "storageclass"),
    ("both collectors", {"collector": {"name": "alloy,promtail"}}, "collector"),
    ("no replicas", {"loki": {"replicas": 0}}, "replicas"),
    ("words for a number", {"loki": {"replicas": "three"}}, "replicas"),
    ("an image without a tag", {"loki": {"image": "grafana/loki"}}, "image"),
    ("resources of a wrong shape", {"loki": {"resources": {"memory": "1Gi"}}}, "memory"),
    ("a memory limit that nobody reads", {"loki": {"resources": {"limits": {"memory": "8X"}}}}, "8X"),
    ("an open Loki for everybody", {"loki": {"serviceType": "LoadBalancer"}}, "sourceRanges"),
    ("an unknown service type", {"loki": {"serviceType": "Public"}}, "serviceType"),
    ("an address that is none", {"loki": {"sourceRanges": ["office"]}}, "sourceRanges"),
    ("a port that is none", {"syslog": {"hostPort": 70000}}, "hostPort"),
    ("no API port", {"kubernetesApi": {"ports": []}}, "ports"),
]


@pytest.mark.parametrize("values, said", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_values_that_make_no_sense_are_refused(chart: Path, values: dict[str, Any], said: str) -> None:
    helm = pytest.importorskip("helm_python")
    with pytest.raises(Exception, match=said) as caught:
        helm.Chart.load(chart).render(values=values, name="test", namespace="monitoring")
    assert "nil pointer" not in str(caught.value)


def test_the_schema_accepts_the_defaults_and_describes_them() -> None:
    schema = json.loads(FILES[f"helm/{CHART}/values.schema.json"])
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(VALUES, schema)
    jsonschema.validate({**VALUES, "global": {"anything": 1}}, schema)
    assert "alloy or promtail" in schema["properties"]["collector"]["properties"]["name"]["description"]
    assert "# The collector: alloy or promtail." in FILES[f"helm/{CHART}/values.yaml"]


# --- upgrades ----------------------------------------------------------------------------------------------------


def checksums(found: Objects) -> dict[str, str]:
    """Workload -> the hash of its configuration."""
    pods = {
        name: item["spec"]["template"]
        for (_, name), item in found.items()
        if "template" in item.get("spec", {})
    }
    annotations = {name: pod["metadata"].get("annotations", {}) for name, pod in pods.items()}
    return {name: item["checksum/config"] for name, item in annotations.items() if item}


UPGRADES = [
    ("files/loki-config/loki.yaml", {"loki"}),
    ("files/prometheus-config/platform-alerts.yaml", {"prometheus"}),
    ("files/alertmanager-config/alertmanager.yaml", {"alertmanager"}),
    ("files/alloy-config/config.alloy", {"alloy"}),
    ("files/jaeger-config/jaeger.yaml", {"jaeger"}),
    ("files/grafana-datasources/datasources-neurectomy-stack.yaml", {"grafana"}),
    # The ruler and Grafana reread these by themselves.
    ("files/loki-rules/ryot.yaml", set()),
    ("files/grafana-dashboard-neurectomy-ryot/neurectomy-ryot.json", set()),
]


@pytest.mark.parametrize("path, restarted", UPGRADES)
def test_an_upgrade_restarts_who_reads_what_changed(tmp_path: Path, path: str, restarted: set[str]) -> None:
    chart = write_chart(tmp_path)
    before = checksums(helm_objects(chart))
    assert len(before) == 6
    (chart / path).write_text((chart / path).read_text() + "\n")
    after = checksums(helm_objects(chart))
    assert {name for name in before if before[name] != after[name]} == restarted


FIXED = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
"""What Kubernetes refuses to change of a StatefulSet (and of other workloads, the selector)."""


@pytest.mark.parametrize(
    "values",
    [
        {
            "loki": {
                "replicas": 5,
                "image": "mine/loki:2",
                "serviceType": "NodePort",
                "sourceRanges": ["10.0.0.0/8"],
            }
        },
        {"collector": {"name": "promtail"}},
        {"networkPolicies": {"enabled": False}, "imagePullSecrets": [{"name": "r"}]},
    ],
)
def test_an_upgrade_changes_nothing_that_cannot_be_changed(chart: Path, values: dict[str, Any]) -> None:
    before, after = helm_objects(chart), helm_objects(chart, values)
    compared = 0
    cases = list(before.keys() & after.keys())
    assert cases
    for key in cases:
        if key[0] in ("Deployment", "StatefulSet", "DaemonSet"):
            compared += 1
            for name in FIXED:
                assert before[key]["spec"].get(name) == after[key]["spec"].get(name), key
    assert compared >= 6


# --- the programs ----------------------------------------------------------------------------------------------


@needs("helm")
def test_the_program_accepts_the_chart(chart: Path) -> None:
    done = subprocess.run(["helm", "lint", "--strict", str(chart)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON schemas of Kubernetes' objects, as files that refer to each other."""
    package = pytest.importorskip("kubernetes_validate")
    source = Path(package.__file__).parent / "kubernetes-json-schema" / f"v{KUBERNETES}.0-local-strict"
    folder = tmp_path_factory.mktemp("schemas")
    names = {path.name.split("-")[0]: path.name for path in sorted(source.glob("*-v1.json"))}
    wanted = [names[item["kind"].lower()] for item in OBJECTS]
    for name in {"_definitions.json", *wanted}:
        text = (
            (source / name)
            .read_text()
            .replace("/api/_definitions.json", f"file://{folder}/_definitions.json")
        )
        (folder / name).write_text(text)
    return folder


@needs("helm")
@needs("kubeconform")
@pytest.mark.parametrize(
    "values", [{}, {"collector": {"name": "promtail"}}, VALUE_CASES[9][1], VALUE_CASES[10][1]]
)
def test_kubeconform_accepts_what_helm_makes(chart: Path, schemas: Path, tmp_path: Path, values: Any) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    template = ["helm", "template", "test", str(chart), "-n", "monitoring", "-f", str(file)]
    made = subprocess.run([*template, "--kube-version", KUBERNETES], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("\nkind: ") > 50
    location = f"{schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    check = ["kubeconform", "-strict", "-kubernetes-version", f"{KUBERNETES}.0", "-schema-location", location]
    done = subprocess.run([*check, "-"], input=made.stdout, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# --- any platform ------------------------------------------------------------------------------------------------

VALUE = HelmValue("x.y", 1, "A number.")


def components(*manifests: Any, **rest: Any) -> list[Component]:
    return [Component(name="c", title="c", manifests=manifests, **rest)]


def template(*manifests: Any, **rest: Any) -> str:
    return render_components(components(*manifests, **rest))[f"helm/{CHART}/templates/c.yaml"]


TEMPLATES: list[tuple[str, Any, str]] = [
    ("braces", {"kind": "X", "text": "{{ $labels.a }}"}, "kind: X\ntext: '{{ \"{{\" }} $labels.a }}'\n"),
    ("a value", {"kind": "X", "a": VALUE}, "kind: X\na: {{ .Values.x.y | toJson }}\n"),
    (
        "a value that may be empty",
        {"kind": "X", "a": {"b": dataclasses.replace(VALUE, optional=True)}},
        "kind: X\na:\n{{- with .Values.x.y }}\n  b: {{ . | toJson }}\n{{- end }}\n",
    ),
    (
        "an expression",
        {"kind": "X", "a": [HelmExpression("add 1 .Values.x.y", 2, (VALUE,))]},
        "kind: X\na:\n  - {{ add 1 .Values.x.y | toJson }}\n",
    ),
    (
        "a condition",
        When(".Values.x.y", {"kind": "X"}, reads=(VALUE,)),
        "{{- if .Values.x.y }}\n---\nkind: X\n{{- end }}\n",
    ),
    ("never", When("", {"kind": "X"}), ""),
]


@pytest.mark.parametrize(
    "manifest, expected", [case[1:] for case in TEMPLATES], ids=[case[0] for case in TEMPLATES]
)
def test_templates(manifest: Any, expected: str) -> None:
    assert template(manifest) == expected


def test_a_refusal_comes_before_everything() -> None:
    text = template({"kind": "X"}, refusals=(Refusal("not .Values.x", 'say "x"'),))
    assert text == '{{- if not .Values.x }}{{ fail "say \\"x\\"" }}{{- end }}\nkind: X\n'


def test_a_checksum_is_the_same_in_both_forms(tmp_path: Path) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m"},
        "data": {"a": "1", "b": "{{"},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "annotations": {"sum": Checksum(("m",))}},
    }
    found = components(config, pod)
    chart = write_chart(tmp_path, render_components(found))
    assert helm_objects(chart)["Pod", "p"] == plain(pod, config_map_data(found))
    with pytest.raises(KeyError):
        plain(pod, {})


DEFAULTS: list[tuple[str, Callable[[], Any], str]] = [
    ("two", lambda: components({"kind": "X", "a": VALUE, "b": HelmValue("x.y", 2)}), "two defaults: 1 and 2"),
    ("inside", lambda: components({"kind": "X", "a": VALUE, "b": HelmValue("x", {})}), "x.y is inside"),
]


@pytest.mark.parametrize("make, said", [case[1:] for case in DEFAULTS], ids=[case[0] for case in DEFAULTS])
def test_a_value_has_one_default(make: Callable[[], list[Component]], said: str) -> None:
    with pytest.raises(LokictlError, match=said):
        chart_values(make())


def test_values_of_every_type() -> None:
    values = (
        HelmValue("a.text", "t", "Two\nlines."),
        HelmValue("a.number", 1),
        HelmValue("a.share", 0.5),
        HelmValue("on", True),
        HelmValue("list", []),
        HelmValue("map", {}),
        HelmValue("choice", "x", schema={"enum": ["x", "y"]}),
    )
    text = values_text(values)
    assert text.startswith("a:\n  # Two\n  # lines.\n  text: t\n  number: 1\n")
    schema = values_schema(values)
    jsonschema.validate(yaml.safe_load(text), schema)
    for wrong in ({"on": 1}, {"a": {"number": True}}, {"list": {}}, {"choice": "z"}, {"other": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_every_value_is_described_or_obvious() -> None:
    obvious = {"image", "resources", "storage", "nodeSelector", "affinity", "tolerations", "replicas"}
    silent = {
        value.path
        for value in chart_values(COMPONENTS)
        if not value.description and value.path.rpartition(".")[2] not in obvious
    }
    assert silent == {
        "collector.priorityClassName",
        "s3.bucket",
        "s3.region",
        "storage.parameters",
        "storage.provisioner",
    }
