"""The Grafana folders that a project's dashboards name: paths of titles, the same for sync and for every output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lokictl.project.loader import Project

ROOT_FOLDER = "general"
"""What Grafana calls the place of dashboards without a folder; no folder can have that title."""


def folder_parts(path: str) -> tuple[str, ...]:
    """The titles of the folders on a path: ``Platform/Loki`` is the folder Loki in the folder Platform.

    Empty for Grafana's root, which is written ``General``.
    """
    parts = tuple(part for part in (part.strip() for part in path.split("/")) if part)
    return () if len(parts) == 1 and parts[0].casefold() == ROOT_FOLDER else parts


def folders_from_directories(project: Project) -> bool:
    """Whether the directory of a dashboard's file names its folder (``folders_from_directories`` in ``[sync]``)."""
    return bool(project.config.table("sync").get("folders_from_directories", False))


def directory_below(project: Project, source: str) -> str:
    """The directories between the project's folder of dashboards and a file of it, as a path of titles."""
    file = (Path.cwd() / source).resolve()
    for folder in project.config.folders("dashboards"):
        try:
            return "/".join(file.relative_to((project.root / folder).resolve()).parts[:-1])
        except ValueError:
            continue
    return ""
