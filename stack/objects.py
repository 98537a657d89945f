"""Kubernetes objects in the form this platform uses them: labelled, non-root, read-only, with probes and limits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lokictl.model.component import Checksum, HelmExpression, HelmValue
from lokictl.model.yaml_writer import dump_yaml
from stack.figures import GO_MEMORY_SHARE, MONITORING, STORAGE_CLASS

Object = dict[str, Any]

NON_ROOT = 65534
"""The user "nobody"; components whose image has a user of its own name it."""

NAMESPACE = HelmExpression(
    ".Values.namespace | default .Release.Namespace",
    MONITORING,
    (HelmValue("namespace", "", "The namespace of the platform; empty: the release's."),),
)

STORAGE_CLASS_VALUE = HelmValue(
    "storageClass",
    STORAGE_CLASS,
    "The storage class of every volume; empty: the cluster's default.",
    optional=True,
)

PULL_SECRETS = HelmValue(
    "imagePullSecrets",
    [],
    "Names of secrets for private registries: [{name: registry}].",
    {"type": "array", "items": {"type": "object", "required": ["name"]}},
    optional=True,
)

SERVICE_TYPES = {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}
MEMORY_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def labels(app: str) -> dict[str, str]:
    """The labels of everything that belongs to ``app``."""
    return {
        "app": app,
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/part-of": "neurectomy-observability",
    }


def metadata(name: str, app: str, *, cluster: bool = False, **extra: Any) -> Object:
    """Object metadata; ``cluster`` for objects of the whole cluster, which have no namespace."""
    place = {} if cluster else {"namespace": NAMESPACE}
    return {"name": name, **place, "labels": labels(app), **extra}


def config_map(name: str, app: str, files: Mapping[str, str | Mapping[str, Any]]) -> Object:
    """A ConfigMap of texts, and of mappings, which are written as YAML."""
    data = {key: text if isinstance(text, str) else dump_yaml(text) for key, text in files.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name, app), "data": data}


def service_account(name: str, *, token: bool | HelmValue) -> Object:
    """A service account; ``token`` only for those that talk to the Kubernetes API."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(name, name),
        "automountServiceAccountToken": token,
    }


def cluster_role(name: str, rules: Sequence[Mapping[str, Any]]) -> list[Object]:
    """A cluster role and its binding to the service account of the same name."""
    group = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": metadata(name, name, cluster=True),
            "rules": [dict(rule) for rule in rules],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata(name, name, cluster=True),
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        },
    ]


def service(name: str, app: str, ports: Mapping[str, int], *, headless: bool = False) -> Object:
    """A service inside the cluster for ``ports`` (name -> port, UDP where the name ends so)."""
    spec: Object = {
        "selector": {"app": app},
        "ports": [
            {"name": port, "port": number, "targetPort": port, "protocol": protocol(port)}
            for port, number in ports.items()
        ],
    }
    if headless:
        spec |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(name, app), "spec": spec}


def protocol(port: str) -> str:
    """UDP for the ports whose name says so."""
    return "UDP" if port.endswith("udp") else "TCP"


def exposed(item: Object, value: str, what: str) -> Object:
    """``item``, a service, with values to open it to the outside: type, annotations, and who may come in."""
    type_ = HelmValue(
        f"{value}.serviceType",
        "ClusterIP",
        f"How {what} is reached from outside: not, or by a port or balancer.",
        SERVICE_TYPES,
    )
    annotations = HelmValue(
        f"{value}.serviceAnnotations",
        {},
        "Annotations of the service, such as those that make a load balancer internal.",
        optional=True,
    )
    local = HelmExpression(
        f'ternary "" "Local" (eq .Values.{value}.serviceType "ClusterIP")', "", optional=True
    )
    return {
        **item,
        "metadata": {**item["metadata"], "annotations": annotations},
        "spec": {
            "type": type_,
            # Keeps the clients' addresses, which the network policies need.
            "externalTrafficPolicy": local,
            "loadBalancerSourceRanges": HelmExpression(
                f'ternary .Values.{value}.sourceRanges list (eq .Values.{value}.serviceType "LoadBalancer")',
                [],
                (source_ranges(value, what),),
                optional=True,
            ),
            **item["spec"],
        },
    }


def source_ranges(value: str, what: str) -> HelmValue:
    """The addresses outside the cluster that may reach a service."""
    return HelmValue(
        f"{value}.sourceRanges",
        [],
        f"Addresses outside the cluster that may reach {what}: [10.0.0.0/8].",
        {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]+$"}},
    )


def disruption_budget(app: str) -> Object:
    """A voluntary disruption takes one pod of ``app`` at a time, however many there are."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(app, app),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": app}}},
    }


def resources(cpu: str, memory: str, *, memory_limit: str | None = None) -> Object:
    """Requests, and a memory limit; CPU is not limited, so that a burst is slow rather than throttled."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit or memory}}


def memory_share(value: str, resources: Mapping[str, Any], share: float) -> HelmExpression:
    """``share`` of the memory limit of ``resources``, in bytes, as text; ``value`` is the path of the chart value."""
    found = re.fullmatch(r"([\d.]+)(\w*)", resources["limits"]["memory"])
    assert found
    limit = float(found[1]) * MEMORY_UNITS[found[2]]
    return HelmExpression(
        f'include "platform.memory" (list .Values.{value} {share})', str(int(limit * share))
    )


def probe(path: str, port: str, *, delay: int = 0, failures: int = 3) -> Object:
    """An HTTP probe; ``delay`` and the period in seconds, ``failures`` in a row count."""
    return {
        "httpGet": {"path": path, "port": port},
        **({"initialDelaySeconds": delay} if delay else {}),
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def container(
    name: str,
    image: str,
    *,
    args: Sequence[str | HelmExpression] = (),
    ports: Mapping[str, int] | None = None,
    mounts: Mapping[str, str] | None = None,
    env: Sequence[Mapping[str, Any]] = (),
    resources: Mapping[str, Any],
    readiness: Mapping[str, Any] | None = None,
    liveness: Mapping[str, Any] | None = None,
    startup: Mapping[str, Any] | None = None,
    root: bool = False,
    go: bool = True,
    value: str = "",
) -> Object:
    """A container that can write nothing but its volumes.

    ``ports`` map names to ports, ``mounts`` paths to volume names (``"name:ro"`` for read-only).  ``root`` only for
    the collectors: the files of other pods belong to root.  ``go`` programs are told how much memory they have.
    ``value`` is where its chart values are (default: its name).
    """
    value = value or name
    if go:
        limit = memory_share(f"{value}.resources", resources, GO_MEMORY_SHARE)
        env = [*env, {"name": "GOMEMLIMIT", "value": limit}]
    spec: Object = {
        "name": name,
        "image": HelmValue(f"{value}.image", image, schema=IMAGE),
        "imagePullPolicy": "IfNotPresent",
    }
    if args:
        spec["args"] = list(args)
    if env:
        spec["env"] = [dict(item) for item in env]
    if ports:
        spec["ports"] = [
            {"name": port, "containerPort": number, "protocol": protocol(port)}
            for port, number in ports.items()
        ]
    if mounts:
        spec["volumeMounts"] = [_mount(path, volume) for path, volume in mounts.items()]
    spec["resources"] = HelmValue(f"{value}.resources", dict(resources), schema=RESOURCES)
    probes = {"startupProbe": startup, "readinessProbe": readiness, "livenessProbe": liveness}
    spec |= {key: dict(item) for key, item in probes.items() if item}
    spec["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], **({"add": ["DAC_READ_SEARCH"]} if root else {})},
    }
    return spec


IMAGE = {"type": "string", "pattern": "^[^:@]+(:[0-9]+/[^:@]+)?[:@].+$"}
"""An image with a tag or a digest."""

RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "requests": {"type": ["object", "null"]},
        "limits": {"type": ["object", "null"]},
        "claims": {"type": "array"},
    },
}


def _mount(path: str, volume: str) -> Object:
    name, _, mode = volume.partition(":")
    return {"name": name, "mountPath": path, **({"readOnly": True} if mode == "ro" else {})}


def pod(
    app: str,
    containers: Sequence[Mapping[str, Any]],
    *,
    account: str,
    volumes: Sequence[Mapping[str, Any]] = (),
    user: int = NON_ROOT,
    spread: bool = False,
    token: bool | HelmValue = False,
    config_maps: Sequence[str] = (),
    **extra: Any,
) -> Object:
    """A pod template; ``spread`` keeps replicas on different nodes, ``user`` 0 only for the collectors.

    A change of one of the ``config_maps`` restarts the pods.
    """
    spec: Object = {
        "serviceAccountName": account,
        "automountServiceAccountToken": token,
        "imagePullSecrets": PULL_SECRETS,
        "nodeSelector": HelmValue(f"{app}.nodeSelector", {}, optional=True),
        "affinity": HelmValue(f"{app}.affinity", {}, optional=True),
        "tolerations": HelmValue(f"{app}.tolerations", [], optional=True),
        "securityContext": {
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsNonRoot": user != 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [dict(item) for item in containers],
    }
    if volumes:
        spec["volumes"] = [dict(volume) for volume in volumes]
    if spread:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": app}},
            }
        ]
    annotations = {"annotations": {"checksum/config": Checksum(tuple(config_maps))}} if config_maps else {}
    return {"metadata": {"labels": labels(app), **annotations}, "spec": spec | extra}


REPLICAS = {"type": "integer", "minimum": 1}


def workload(
    kind: str, app: str, template: Mapping[str, Any], *, replicas: int | HelmValue | None = None, **extra: Any
) -> Object:
    """A Deployment, StatefulSet or DaemonSet of ``template``; ``replicas`` is a number where only that one works."""
    spec: Object = {"selector": {"matchLabels": {"app": app}}, "template": dict(template)}
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata(app, app), "spec": spec | extra}


def config_volume(name: str, config_map_name: str) -> Object:
    return {"name": name, "configMap": {"name": config_map_name}}


def secret_volume(name: str, secret: str | HelmValue) -> Object:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}


def empty_volume(name: str, size: str | None = None) -> Object:
    return {"name": name, "emptyDir": {"sizeLimit": size} if size else {}}


def claim(name: str, size: str, app: str) -> Object:
    """A volume claim template.  Kubernetes keeps the volumes when the platform is uninstalled."""
    return {
        "metadata": {"name": name, "labels": labels(app)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": STORAGE_CLASS_VALUE,
            "resources": {"requests": {"storage": HelmValue(f"{app}.storage", size)}},
        },
    }


def secret_env(name: str, secret: str | HelmValue, key: str) -> Object:
    """An environment variable whose value is a key of a secret; the secret itself is made elsewhere."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
