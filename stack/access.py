"""Namespaces, service accounts with exactly the rights that the document lists, and the storage class."""

from __future__ import annotations

from typing import Any

from lokictl.model.component import Component
from stack import objects
from stack.figures import APPLICATIONS, MONITORING, STORAGE_CLASS

READ = ["get", "list", "watch"]

RIGHTS: dict[str, list[dict[str, Any]]] = {
    "loki": [{"apiGroups": [""], "resources": ["configmaps", "pods"], "verbs": READ}],
    "promtail": [{"apiGroups": [""], "resources": ["pods", "pods/log", "nodes"], "verbs": READ}],
    "alloy": [{"apiGroups": [""], "resources": ["pods", "pods/log", "nodes"], "verbs": READ}],
    "prometheus": [
        {
            "apiGroups": [""],
            "resources": ["nodes", "nodes/metrics", "services", "endpoints", "pods"],
            "verbs": READ,
        },
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": READ},
        {"nonResourceURLs": ["/metrics", "/metrics/cadvisor"], "verbs": ["get"]},
    ],
}
"""Cluster-wide rights by service account; an account that is not here has none and gets no token."""


def account(name: str) -> list[dict[str, Any]]:
    """The service account of a component, with its rights."""
    rules = RIGHTS.get(name)
    return [
        objects.service_account(name, token=rules is not None),
        *(objects.cluster_role(name, rules) if rules else []),
    ]


collector = account


def namespace(name: str, level: str) -> dict[str, Any]:
    """A namespace; ``level`` is the pod security standard that it warns below."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/metadata.name": name,
                "app.kubernetes.io/part-of": "neurectomy-observability",
                "pod-security.kubernetes.io/warn": level,
            },
        },
    }


STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": objects.metadata(STORAGE_CLASS, "storage", None),
    "provisioner": "ebs.csi.aws.com",
    "parameters": {"type": "gp3"},
    "reclaimPolicy": "Retain",
    "allowVolumeExpansion": True,
    "volumeBindingMode": "WaitForFirstConsumer",
}

COMPONENT = Component(
    name="cluster",
    title="Kubernetes",
    description="Namespaces and the storage class that the other components stand on.",
    # The collectors read other pods' files and run as root, hence "privileged" in the monitoring namespace.
    manifests=(namespace(MONITORING, "privileged"), namespace(APPLICATIONS, "restricted"), STORAGE),
    checks=("kubernetes-validate",),
)
