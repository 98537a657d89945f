"""``lokictl list``"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lokictl.cli.common import debug_option, format_option, project_option, quiet_option, write_json
from lokictl.project import load

if TYPE_CHECKING:
    from lokictl.project import Project

KINDS = ("services", "rules", "alerts", "notifications", "dashboards", "datasources", "tests")
SHOWN_IF_ANY = ("alerts", "notifications")


@click.command(
    "list",
    epilog="""\b
Examples:
  lokictl list
  lokictl list rules
  lokictl list --format json | jq '.rules[].name'
""",
)
@click.argument("kind", required=False, type=click.Choice(KINDS))
@project_option
@format_option("text", "json")
@quiet_option
@debug_option
def command(kind: str | None, project_root: Path | None, output_format: str, quiet: bool) -> None:
    """Show what the project contains, or only one KIND. With --quiet, print names only, one per line."""
    contents = summary(load(project_root))
    if kind:
        contents = {kind: contents[kind]}
    if output_format == "json":
        write_json(contents)
        return
    if quiet:
        for row in (row for rows in contents.values() for row in rows):
            click.echo(next(row[key] for key in ("name", "uid", "file") if key in row))
        return
    for name, rows in contents.items():
        if not rows and name in SHOWN_IF_ANY and not kind:
            continue
        click.echo(f"{name} ({len(rows)})")
        _print_rows(rows)


def summary(project: Project) -> dict[str, list[dict[str, Any]]]:
    """What the project contains, kind by kind, as plain rows."""
    return {
        "services": [
            {"name": item.name, "tier": item.tier, "namespace": item.namespace, "title": item.title}
            for item in project.services
        ],
        "rules": [
            {
                "namespace": file.namespace,
                "group": group.name,
                "kind": type(rule).__name__.removesuffix("Rule").lower(),
                "name": rule.name,
            }
            for file in project.rule_files
            for group in file.groups
            for rule in group.rules
        ],
        "alerts": [
            {"folder": group.folder, "group": group.name, "name": rule.title}
            for group in project.managed_groups
            for rule in group.rules
        ],
        "notifications": list(_notifications(project)),
        "dashboards": [{"uid": item.uid, "title": item.title} for item in project.dashboards],
        "datasources": [
            {"uid": item.uid, "type": item.type, "url": item.url} for item in project.datasources
        ],
        "tests": [{"file": str(file)} for file in project.test_files],
    }


def _notifications(project: Project) -> Iterator[dict[str, Any]]:
    """Who is notified of alerts, and when not."""
    notifications = project.notifications
    if notifications is None:
        return
    yield from ({"kind": "contact point", "name": point.name} for point in notifications.contact_points)
    yield from ({"kind": "mute timing", "name": timing.name} for timing in notifications.mute_timings)
    yield from ({"kind": "message template", "name": item.name} for item in notifications.templates)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    widths = {key: max(len(str(row[key])) for row in rows) for key in rows[0]}
    for row in rows:
        click.echo("  " + "  ".join(f"{row[key]!s:<{width}}" for key, width in widths.items()).rstrip())
