"""Namespaces, service accounts with the rights that the document lists, and the storage class."""

from __future__ import annotations

from typing import Any

from lokictl.model.component import Component, HelmExpression, HelmValue, Manifest, When
from stack import objects
from stack.figures import APPLICATIONS, MONITORING, STORAGE_CLASS

READ = ["get", "list", "watch"]

RIGHTS: dict[str, list[dict[str, Any]]] = {
    "loki": [{"apiGroups": [""], "resources": ["configmaps", "pods"], "verbs": READ}],
    "promtail": [{"apiGroups": [""], "resources": ["pods", "pods/log", "nodes"], "verbs": READ}],
    "alloy": [{"apiGroups": [""], "resources": ["pods", "pods/log", "nodes"], "verbs": READ}],
    # Discovery of pods and nodes, and the kubelets' metrics; nothing else.
    "prometheus": [
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": READ},
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
    ],
}
"""Cluster-wide rights by service account; an account that is not here has none and gets no token."""

LOKI_RIGHTS = HelmValue(
    "loki.clusterRole",
    True,
    "The document's rights of Loki on ConfigMaps and pods. Loki does not use them: its rules are mounted.",
)


def account(name: str) -> list[Manifest]:
    """The service account of a component, with its rights."""
    rules = RIGHTS.get(name)
    if rules is None:
        return [objects.service_account(name, token=False)]
    roles = objects.cluster_role(name, rules)
    if name == "loki":
        switched = [When(f".Values.{LOKI_RIGHTS.path}", role) for role in roles]
        return [objects.service_account(name, token=LOKI_RIGHTS), *switched]
    return [objects.service_account(name, token=True), *roles]


def collector(name: str) -> list[dict[str, Any]]:
    """The service account of a collector, with its rights."""
    return [objects.service_account(name, token=True), *objects.cluster_role(name, RIGHTS[name])]


APPLICATIONS_NAMESPACE = HelmValue("applications.namespace", APPLICATIONS, "Where the watched services run.")
CREATE_APPLICATIONS = HelmValue(
    "applications.createNamespace",
    False,
    "Create that namespace. It stays when the platform is uninstalled.",
)
CREATE_STORAGE_CLASS = HelmValue(
    "createStorageClass", True, "Create the storage class. It stays when the platform is uninstalled."
)

KEEP = {"helm.sh/resource-policy": "keep"}
"""Helm uninstalls the platform, and neither the applications nor their volumes."""


def namespace(name: str | HelmValue, *, enforce: str, warn: str) -> dict[str, Any]:
    """A namespace with the pod security standards that it enforces and warns below."""
    security = "pod-security.kubernetes.io"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "annotations": KEEP,
            "labels": {
                "kubernetes.io/metadata.name": name,
                "app.kubernetes.io/part-of": "neurectomy-observability",
                f"{security}/enforce": enforce,
                f"{security}/audit": warn,
                f"{security}/warn": warn,
            },
        },
    }


STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        **objects.metadata(STORAGE_CLASS, "storage", cluster=True, annotations=KEEP),
        "name": HelmExpression(".Values.storageClass", STORAGE_CLASS),
    },
    "provisioner": HelmValue("storage.provisioner", "ebs.csi.aws.com"),
    "parameters": HelmValue("storage.parameters", {"type": "gp3"}),
    "reclaimPolicy": "Retain",
    "allowVolumeExpansion": True,
    "volumeBindingMode": "WaitForFirstConsumer",
}

COMPONENT = Component(
    name="cluster",
    title="Kubernetes",
    description="Namespaces and the storage class that the other components need.",
    manifests=(
        # Helm makes the namespace of a release itself. The collectors read other pods' files and run as root,
        # hence "privileged".
        When("", namespace(MONITORING, enforce="privileged", warn="privileged")),
        When(
            f".Values.{CREATE_APPLICATIONS.path}",
            namespace(APPLICATIONS_NAMESPACE, enforce="baseline", warn="restricted"),
            reads=(CREATE_APPLICATIONS,),
        ),
        When(
            f"and .Values.{CREATE_STORAGE_CLASS.path} .Values.storageClass",
            STORAGE,
            reads=(CREATE_STORAGE_CLASS,),
        ),
    ),
    checks=("kubernetes-validate",),
)
