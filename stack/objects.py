"""Kubernetes objects in the form this platform uses them: labelled, non-root, read-only, with probes and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lokictl.model.component import HelmValue
from lokictl.model.rules import dump_yaml
from stack.figures import MONITORING

Object = dict[str, Any]

NON_ROOT = 65534
"""The user "nobody"; components whose image has a user of its own name it."""


def labels(app: str) -> dict[str, str]:
    """The labels of everything that belongs to ``app``."""
    return {
        "app": app,
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/part-of": "neurectomy-observability",
    }


def metadata(name: str, app: str, namespace: str | None = MONITORING, **extra: Any) -> Object:
    """Object metadata; ``namespace=None`` for objects of the whole cluster."""
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": labels(app), **extra}


def config_map(name: str, app: str, files: Mapping[str, str | Mapping[str, Any]]) -> Object:
    """A ConfigMap of texts, and of mappings, which are written as YAML."""
    data = {key: text if isinstance(text, str) else dump_yaml(text) for key, text in files.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name, app), "data": data}


def service_account(name: str, *, token: bool) -> Object:
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
            "metadata": metadata(name, name, None),
            "rules": [dict(rule) for rule in rules],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata(name, name, None),
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": MONITORING}],
        },
    ]


def service(
    name: str,
    app: str,
    ports: Mapping[str, int],
    *,
    headless: bool = False,
    type_: str | HelmValue | None = None,
) -> Object:
    """A service for ``ports`` (name -> TCP port)."""
    spec: Object = {
        "selector": {"app": app},
        "ports": [
            {"name": port, "port": number, "targetPort": port, "protocol": "TCP"}
            for port, number in ports.items()
        ],
    }
    if headless:
        spec |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    if type_ is not None:
        spec["type"] = type_
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(name, app), "spec": spec}


def disruption_budget(app: str, *, available: int) -> Object:
    """At least ``available`` pods of ``app`` survive a voluntary disruption."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(app, app),
        "spec": {"minAvailable": available, "selector": {"matchLabels": {"app": app}}},
    }


def resources(cpu: str, memory: str, *, memory_limit: str | None = None) -> Object:
    """Requests, and a memory limit; CPU is not limited, so that a burst is slow rather than throttled."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit or memory}}


def probe(path: str, port: str, *, delay: int = 10) -> Object:
    """An HTTP probe; ``delay`` and the period in seconds."""
    return {"httpGet": {"path": path, "port": port}, "initialDelaySeconds": delay, "periodSeconds": 10}


def container(
    name: str,
    image: str,
    *,
    args: Sequence[str] = (),
    ports: Mapping[str, int] | None = None,
    mounts: Mapping[str, str] | None = None,
    env: Sequence[Mapping[str, Any]] = (),
    resources: Mapping[str, Any],
    readiness: Mapping[str, Any] | None = None,
    liveness: Mapping[str, Any] | None = None,
    root: bool = False,
    image_value: str | None = None,
) -> Object:
    """A container that can write nothing but its volumes.

    ``ports`` map names to TCP ports, ``mounts`` paths to volume names (``"name:ro"`` for read-only).  ``root``
    only for the collectors: the files of other pods belong to root.
    """
    spec: Object = {
        "name": name,
        "image": HelmValue(image_value or f"{name.replace('-', '')}.image", image),
        "imagePullPolicy": "IfNotPresent",
    }
    if args:
        spec["args"] = list(args)
    if env:
        spec["env"] = [dict(item) for item in env]
    if ports:
        spec["ports"] = [
            {"name": port, "containerPort": number, "protocol": "UDP" if port.endswith("udp") else "TCP"}
            for port, number in ports.items()
        ]
    if mounts:
        spec["volumeMounts"] = [_mount(path, volume) for path, volume in mounts.items()]
    spec["resources"] = HelmValue(
        f"{(image_value or name).split('.')[0].replace('-', '')}.resources", dict(resources)
    )
    if readiness:
        spec["readinessProbe"] = dict(readiness)
    if liveness:
        spec["livenessProbe"] = dict(liveness)
    spec["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], **({"add": ["DAC_READ_SEARCH"]} if root else {})},
    }
    return spec


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
    token: bool = False,
    **extra: Any,
) -> Object:
    """A pod template; ``spread`` keeps replicas on different nodes, ``user`` 0 only for the collectors."""
    spec: Object = {
        "serviceAccountName": account,
        "automountServiceAccountToken": token,
        "securityContext": {
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
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
    return {"metadata": {"labels": labels(app)}, "spec": spec | extra}


def workload(
    kind: str, app: str, template: Mapping[str, Any], *, replicas: int | None = None, **extra: Any
) -> Object:
    """A Deployment, StatefulSet or DaemonSet of ``template``."""
    spec: Object = {"selector": {"matchLabels": {"app": app}}, "template": dict(template)}
    if replicas is not None:
        spec["replicas"] = HelmValue(f"{app}.replicas", replicas)
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata(app, app), "spec": spec | extra}


def config_volume(name: str, config_map_name: str) -> Object:
    return {"name": name, "configMap": {"name": config_map_name}}


def secret_volume(name: str, secret: str) -> Object:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}


def empty_volume(name: str, size: str | None = None) -> Object:
    return {"name": name, "emptyDir": {"sizeLimit": size} if size else {}}


def claim(name: str, size: str, storage_class: str | HelmValue, app: str) -> Object:
    """A volume claim template."""
    return {
        "metadata": {"name": name, "labels": labels(app)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": HelmValue(f"{app}.storage", size)}},
        },
    }


def secret_env(name: str, secret: str, key: str) -> Object:
    """An environment variable whose value is a key of a secret; the secret itself is made elsewhere."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
