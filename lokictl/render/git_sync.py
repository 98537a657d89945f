"""Dashboards as resource manifests in the layout of Grafana's Git Sync: a directory is a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.model.dashboard_schema import spec_for, to_v2
from lokictl.model.json_text import json_text
from lokictl.project.folders import folder_parts
from lokictl.render.grafana import dashboard_files
from lokictl.render.names import slug
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.project import Project

CLASSIC = "v1beta1"


def render_git_sync(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text below ``git-sync/``: one resource for each dashboard, in the directory of its folder."""
    made = {dashboard.uid: dashboard for dashboard in project.dashboards}
    files = {}
    for dashboard in dashboard_files(project, settings):
        version, spec = CLASSIC, dict(dashboard.model)
        if settings.schema == "v2":
            # Grafana 13 calls it v2; before, transformations were written in another way.
            version = "v2" if settings.grafana_version >= (13, 0) else "v2beta1"
            owner = made[dashboard.uid]
            spec = spec_for(owner.to_v2() if hasattr(owner, "to_v2") else to_v2(dashboard.model), version)
        resource = {
            "apiVersion": f"dashboard.grafana.app/{version}",
            "kind": "Dashboard",
            "metadata": {"name": dashboard.uid},
            "spec": {key: value for key, value in spec.items() if key not in ("uid", "id", "version")},
        }
        text = json_text(resource) + "\n"
        place = "/".join(["git-sync", *map(slug, folder_parts(dashboard.folder)), dashboard.name])
        files[place] = text
    return files
