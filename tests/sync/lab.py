"""A project with an organization of a real Grafana and a tenant of a real Loki."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml
from click.testing import CliRunner

from lokictl.cli.main import cli


def loki_configuration(folder: Path, http: int, grpc: int) -> str:
    """A Loki with tenants whose ruler stores rules where its API can write them."""
    data = str(folder / "data")
    config = {
        "auth_enabled": True,
        "server": {"http_listen_address": "127.0.0.1", "http_listen_port": http, "grpc_listen_port": grpc},
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": data,
            "replication_factor": 1,
            "storage": {"filesystem": {"chunks_directory": f"{data}/chunks", "rules_directory": f"{data}/r"}},
            "ring": {"kvstore": {"store": "inmemory"}},
        },
        "ingester": {"lifecycler": {"min_ready_duration": "0s"}},
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "storage_config": {
            "use_thanos_objstore": True,
            "object_store": {"filesystem": {"dir": f"{data}/objects"}},
        },
        "ruler_storage": {"backend": "filesystem", "filesystem": {"dir": f"{data}/rules"}},
        "analytics": {"reporting_enabled": False},
    }
    return yaml.safe_dump(config)


@dataclass(frozen=True)
class Urls:
    grafana: str
    loki: str


LAB = """
name = "{name}"

[targets.test.grafana]
url = "{grafana}"
basic = {{ user = "admin", password = {{ env = "TEST_GRAFANA_PASSWORD" }} }}
org = {org}

[targets.test.loki]
url = "{loki}"
tenants = ["{name}"]
"""
SOURCE = """
apiVersion: 1
datasources:
  - name: {name}
    uid: {uid}
    type: loki
    access: proxy
    url: http://127.0.0.1:1
    jsonData: {{ httpHeaderName1: X-Scope-OrgID }}
    secureJsonData: {{ httpHeaderValue1: "{secret}" }}
"""


class Lab:
    """A project with an organization of Grafana and a tenant of Loki of its own."""

    def __init__(self, root: Path, urls: Urls, name: str) -> None:
        self.root, self.urls, self.name = root, urls, name
        self.environment: dict[str, str] = {}
        made = self.call("POST", "/api/orgs", {"name": name}, org=1)
        self.org = int(made["orgId"])
        for folder in ("dashboards", "rules", "datasources"):
            (root / folder).mkdir(parents=True)
        self.configure()

    def configure(self, further: str = "", name: str = "") -> None:
        known = {"grafana": self.urls.grafana, "loki": self.urls.loki, "org": self.org}
        text = LAB.format(name=name or self.name, **known)
        (self.root / "lokictl.toml").write_text(text + further, encoding="utf-8")

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        org: int = 0,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        headers = {"X-Grafana-Org-Id": str(org or self.org), **(headers or {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        auth = None if token else ("admin", "admin")
        url = self.urls.grafana + path
        answer = requests.request(method, url, json=body, headers=headers, auth=auth, timeout=30)
        if answer.status_code == 404:
            return None
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def dashboards(self, **titles: str) -> None:
        """Dashboards of an old schemaVersion with these titles, by uid."""
        for uid, title in titles.items():
            body = {"uid": uid, "title": title, "schemaVersion": 36, "panels": []}
            (self.root / "dashboards" / f"{uid}.json").write_text(json.dumps(body), encoding="utf-8")

    def source(self, uid: str, secret: str, name: str = "Source") -> None:
        text = SOURCE.format(uid=uid, secret=secret, name=name)
        (self.root / "datasources" / "sources.yaml").write_text(text, encoding="utf-8")

    def rules(self, namespace: str, *groups: dict[str, Any]) -> None:
        text = yaml.safe_dump({"groups": list(groups)})
        (self.root / "rules" / f"{namespace}.yaml").write_text(text, encoding="utf-8")

    def ruler(self) -> dict[str, Any]:
        """The rule groups that the ruler has, by namespace and name."""
        headers = {"X-Scope-OrgID": self.name}
        answer = requests.get(f"{self.urls.loki}/loki/api/v1/rules", headers=headers, timeout=30)
        found = yaml.safe_load(answer.text) if answer.ok else {}
        return {name: {group["name"]: group for group in groups} for name, groups in found.items()}

    def put_rules(self, namespace: str, group: dict[str, Any]) -> None:
        headers = {"X-Scope-OrgID": self.name, "Content-Type": "application/yaml"}
        url = f"{self.urls.loki}/loki/api/v1/rules/{namespace}"
        assert requests.post(url, data=yaml.safe_dump(group), headers=headers, timeout=30).ok

    def run(self, command: str, *arguments: str, status: int | None = 0) -> str:
        environment = {"TEST_GRAFANA_PASSWORD": "admin", "NO_COLOR": "1", **self.environment}
        runner = CliRunner(env=environment)
        result = runner.invoke(cli, [command, "--project", str(self.root), *arguments], standalone_mode=False)
        code = result.return_value if result.exception is None else getattr(result.exception, "exit_code", 2)
        text = result.output + (str(result.exception) if result.exception is not None else "")
        assert status is None or int(code or 0) == status, text
        return text

    def title(self, uid: str) -> str:
        found = self.call("GET", f"/api/dashboards/uid/{uid}")
        return str(found["dashboard"]["title"]) if found else ""

    def sources(self) -> dict[str, str]:
        return {str(row["uid"]): str(row["name"]) for row in self.call("GET", "/api/datasources")}

    def token(self, role: str) -> str:
        account = self.call("POST", "/api/serviceaccounts", {"name": role, "role": role})
        path = f"/api/serviceaccounts/{account['id']}/tokens"
        return str(self.call("POST", path, {"name": role})["key"])
