"""As much of a Kubernetes API server as Helm needs: it keeps objects, and remembers what was asked of it.

No admission, no controllers, no pods.  Patches are merged by name, as Kubernetes merges most lists.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]
Key = tuple[str, str, str]

RESOURCES: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "configmaps": ("ConfigMap", True),
        "namespaces": ("Namespace", False),
        "secrets": ("Secret", True),
        "serviceaccounts": ("ServiceAccount", True),
        "services": ("Service", True),
    },
    "apps/v1": {
        "daemonsets": ("DaemonSet", True),
        "deployments": ("Deployment", True),
        "statefulsets": ("StatefulSet", True),
    },
    "networking.k8s.io/v1": {"networkpolicies": ("NetworkPolicy", True)},
    "policy/v1": {"poddisruptionbudgets": ("PodDisruptionBudget", True)},
    "rbac.authorization.k8s.io/v1": {
        "clusterroles": ("ClusterRole", False),
        "clusterrolebindings": ("ClusterRoleBinding", False),
    },
    "storage.k8s.io/v1": {"storageclasses": ("StorageClass", False)},
}
"""API version -> resource -> (kind, whether it is in a namespace)."""

KINDS = {resource: kind for group in RESOURCES.values() for resource, (kind, _) in group.items()}

PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/v1))(?:/namespaces/(?P<namespace>[^/]+)(?=/[a-z]))?"
    r"/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?"
)


def merged(base: Any, patch: Any) -> Any:
    """``base`` with a strategic merge patch: lists of named things are merged by name, others replaced."""
    if isinstance(base, dict) and isinstance(patch, dict):
        found = dict(base)
        for key, value in patch.items():
            if key.startswith("$"):
                continue
            if value is None:
                found.pop(key, None)
            else:
                found[key] = merged(base[key], value) if key in base else value
        return found
    if (
        isinstance(base, list)
        and isinstance(patch, list)
        and patch
        and all(_named(item) for item in base + patch)
    ):
        by_name = {item["name"]: item for item in base}
        for item in patch:
            by_name[item["name"]] = merged(by_name.get(item["name"], {}), item)
        return list(by_name.values())
    return patch


def _named(item: Any) -> bool:
    return isinstance(item, dict) and "name" in item


@dataclass
class Cluster:
    """The objects by (kind, namespace, name), and every change: (verb, kind, name)."""

    url: str = ""
    objects: dict[Key, Object] = field(default_factory=dict)
    changes: list[tuple[str, str, str]] = field(default_factory=list)

    def names(self, *kinds: str) -> set[tuple[str, str]]:
        """(kind, name) of every object but Helm's own records; of these kinds only, where some are named."""
        return {
            (kind, name)
            for kind, _, name in self.objects
            if kind != "Secret" and (not kinds or kind in kinds)
        }

    def taken_changes(self) -> set[tuple[str, str, str]]:
        """The changes since the last time, without those to Helm's own records."""
        found = {change for change in self.changes if change[1] != "Secret"}
        self.changes.clear()
        return found

    def kubeconfig(self, folder: Path) -> Path:
        """A file by which Helm finds this cluster."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return file


def discovery(path: str) -> Object | None:
    """What the API server says of itself."""
    if path == "/version":
        return {"major": "1", "minor": "31", "gitVersion": "v1.31.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = []
        for version in RESOURCES:
            name, _, number = version.partition("/")
            if number:
                known = {"groupVersion": version, "version": number}
                groups.append({"name": name, "versions": [known], "preferredVersion": known})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path.startswith("/openapi/v3"):
        return _openapi(path.removeprefix("/openapi/v3").lstrip("/"))
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version not in RESOURCES:
        return None
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    resources = [
        {"name": name, "singularName": "", "namespaced": inside, "kind": kind, "verbs": verbs}
        for name, (kind, inside) in RESOURCES[version].items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _openapi(path: str) -> Object | None:
    """That the server checks the fields of objects itself, so that Helm need not."""
    versions = {("apis/" if "/" in version else "api/") + version: version for version in RESOURCES}
    if not path:
        return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in versions}}
    if path not in versions:
        return None
    group, _, number = versions[path].rpartition("/")
    checked = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
    patches = {
        f"/{path}/{resource}/{{name}}": {
            "patch": {
                "parameters": checked,
                "responses": {},
                "x-kubernetes-group-version-kind": {"group": group, "version": number, "kind": kind},
            }
        }
        for resource, (kind, _) in RESOURCES[versions[path]].items()
    }
    return {"openapi": "3.0.0", "info": {"title": "test", "version": "1"}, "paths": patches}


PROTOBUF = b"k8s\0"


def _fields(text: bytes) -> dict[int, list[bytes]]:
    """The fields of a protobuf message that hold bytes, by number."""
    found: dict[int, list[bytes]] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = text[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(text):
        tag = number()
        size = number()
        if tag & 7 == 2:
            found.setdefault(tag >> 3, []).append(text[at : at + size])
            at += size
    return found


def _secret(text: bytes) -> Object:
    """A Secret in Kubernetes' protobuf form: that is how Helm writes its records."""
    secret = _fields(_fields(text.removeprefix(PROTOBUF))[2][0])
    metadata = _fields(secret[1][0])
    labels = {entry[1][0].decode(): entry[2][0].decode() for entry in map(_fields, metadata[11])}
    data = {entry[1][0].decode(): b64encode(entry[2][0]).decode() for entry in map(_fields, secret[2])}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": metadata[1][0].decode(), "labels": labels},
        "data": data,
        "type": secret[3][0].decode(),
    }


class Handler(BaseHTTPRequestHandler):
    """One request to the cluster."""

    cluster: Cluster
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing: the test looks at the cluster."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        found = discovery(url.path)
        if found is not None:
            self.answer(200, found)
            return
        kind, namespace, name = self.key()
        if not kind:
            self.failure(404, "NotFound", f"{url.path} not found")
        elif not name:
            selector = parse_qs(url.query).get("labelSelector", [""])[0]
            items = [
                item
                for (other, place, _), item in self.cluster.objects.items()
                if other == kind and namespace in ("", place) and _selected(item, selector)
            ]
            version = items[0]["apiVersion"] if items else "v1"
            self.answer(200, {"kind": f"{kind}List", "apiVersion": version, "items": items})
        elif (kind, namespace, name) in self.cluster.objects:
            self.answer(200, self.cluster.objects[kind, namespace, name])
        else:
            self.failure(404, "NotFound", f"{name} not found")

    def do_POST(self) -> None:
        kind, namespace, _ = self.key()
        item = self.body()
        key = (kind, namespace, item["metadata"]["name"])
        if key in self.cluster.objects:
            self.failure(409, "AlreadyExists", f"{key[2]} already exists")
        elif namespace and ("Namespace", "", namespace) not in self.cluster.objects:
            self.failure(404, "NotFound", f'namespaces "{namespace}" not found')
        else:
            self.keep("create", key, item)

    def do_PUT(self) -> None:
        self.keep("update", self.key(), self.body())

    def do_PATCH(self) -> None:
        key = self.key()
        self.keep("patch", key, merged(self.cluster.objects[key], self.body()))

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = self.key()
        if self.cluster.objects.pop(key, None) is None:
            self.failure(404, "NotFound", f"{key[2]} not found")
            return
        self.cluster.changes.append(("delete", key[0], key[2]))
        self.answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def key(self) -> Key:
        """(kind, namespace, name) of the path; the name is empty for a whole collection."""
        found = PATH.fullmatch(urlsplit(self.path).path)
        if found is None:
            return "", "", ""
        return KINDS.get(found["resource"], ""), found["namespace"] or "", found["name"] or ""

    def body(self) -> Object:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        value: Object = _secret(text) if text.startswith(PROTOBUF) else json.loads(text)
        return value

    def keep(self, verb: str, key: Key, item: Object) -> None:
        """Keeps an object, and remembers it where something changed."""
        before = self.cluster.objects.get(key)
        if before != item:
            self.cluster.changes.append((verb, key[0], key[2]))
        self.cluster.objects[key] = item
        self.answer(201 if verb == "create" else 200, item)

    def failure(self, code: int, reason: str, message: str) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
        self.answer(code, {**status, "code": code, "reason": reason, "message": message})

    def answer(self, code: int, value: Mapping[str, Any]) -> None:
        text = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _selected(item: Object, selector: str) -> bool:
    labels = item["metadata"].get("labels", {})
    pairs = [part.partition("=") for part in selector.split(",") if part]
    return all(labels.get(name) == value for name, _, value in pairs)


class Server(ThreadingHTTPServer):
    """Helm opens a connection for every object at once."""

    request_queue_size = 256
    daemon_threads = True


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster on this machine, with the namespaces that every cluster has."""
    found = Cluster()
    for name in ("default", "kube-system"):
        found.objects["Namespace", "", name] = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name},
        }
    handler = type("BoundHandler", (Handler,), {"cluster": found})
    server = Server(("127.0.0.1", 0), handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
