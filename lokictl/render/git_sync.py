"""Dashboards as resource manifests in the layout of Grafana's Git Sync: a directory is a folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lokictl.render.grafana import dashboard_files
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.project import Project

API_VERSION = "dashboard.grafana.app/v1beta1"


def render_git_sync(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text below ``git-sync/``: one resource for each dashboard, in the directory of its folder."""
    files = {}
    for dashboard in dashboard_files(project, settings):
        spec = {key: value for key, value in dashboard.model.items() if key not in ("uid", "id", "version")}
        resource = {
            "apiVersion": API_VERSION,
            "kind": "Dashboard",
            "metadata": {"name": dashboard.uid},
            "spec": spec,
        }
        text = json.dumps(resource, indent=2, ensure_ascii=False) + "\n"
        files[f"git-sync/{dashboard.folder_name}/{dashboard.name}"] = text
    return files
