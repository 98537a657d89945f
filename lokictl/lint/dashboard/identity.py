"""Whether a dashboard, its panels and its queries have the names and ids that Grafana goes by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard_json import Json, as_list, is_text, panel_name
from lokictl.lint.findings import Path
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding, Workspace, WorkspaceCheck

_UID = lazy_pattern(r"[A-Za-z0-9_-]{1,40}")


class DashboardUid(DashboardCheck):
    name = "dashboard/uid"
    severity = Severity.WARNING
    summary = "a dashboard without a uid, or with one that Grafana refuses"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        uid = dashboard.data.get("uid")
        if not is_text(uid):
            yield self.finding(
                dashboard.place("uid", key=True),
                "the dashboard has no uid: every upload or provisioning run can make a new one, and links break",
                hint='set a stable one: "uid": "my-service" (letters, digits, - and _, at most 40)',
            )
        elif not _UID.fullmatch(str(uid)):
            yield self.finding(
                dashboard.place("uid"),
                f'Grafana refuses the uid "{uid}"',
                hint="use letters, digits, - and _, at most 40 of them",
                severity=Severity.ERROR,
            )


class DashboardTitle(DashboardCheck):
    name = "dashboard/title"
    severity = Severity.ERROR
    summary = "a dashboard without a title: Grafana does not load it"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        if not is_text(dashboard.data.get("title")):
            yield self.finding(
                dashboard.place("title", key=True),
                "the dashboard has no title: provisioning skips it and the API refuses it",
                hint='add "title"',
            )


class DuplicateUid(WorkspaceCheck):
    name = "dashboard/duplicate-uid"
    severity = Severity.ERROR
    summary = "two dashboards with one uid: one overwrites the other"

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        seen: dict[str, int] = {}
        for index, uid in enumerate(workspace.dashboard_uids):
            if uid and seen.setdefault(uid, index) != index:
                first, dashboard = workspace.dashboards[seen[uid]], workspace.dashboards[index]
                if first.data == dashboard.data:
                    continue  # the same dashboard in two files: a copy for another installation
                # Files of different folders may be for different Grafanas.
                together = PurePath(first.file).parent == PurePath(dashboard.file).parent
                yield self.finding(
                    dashboard.place("uid"),
                    f'the uid "{uid}" is also that of the dashboard "{first.title}" ({first.place("uid").position})',
                    hint="give one of them a uid of its own",
                    severity=None if together or workspace.project is not None else Severity.INFO,
                    item=dashboard.item,
                )


class ServerId(DashboardCheck):
    name = "dashboard/server-id"
    severity = Severity.INFO
    summary = "an id that belongs to the server the dashboard was exported from"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        if dashboard.data.get("id") is not None:
            yield self.finding(
                dashboard.place("id"),
                f"the id {dashboard.data['id']} belongs to the server that the dashboard was exported from",
                hint='write "id": null; the uid is what identifies the dashboard elsewhere',
            )


class PanelId(DashboardCheck):
    name = "dashboard/panel-id"
    severity = Severity.WARNING
    summary = "panels with the same id, or without one"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        seen: dict[int, Json] = {}
        missing: list[tuple[Path, Json]] = []
        for path, panel in dashboard.panels:
            number = panel.get("id")
            if not isinstance(number, int):
                missing.append((path, panel))
            elif number in seen:
                yield self.finding(
                    dashboard.place(*path, "id"),
                    f"the panel {panel_name(panel)} has the id {number} of the panel {panel_name(seen[number])}: "
                    "links to it open the wrong one",
                    hint="give every panel its own id, those inside collapsed rows too",
                )
            else:
                seen[number] = panel
        if missing:
            path, panel = missing[0]
            others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            yield self.finding(
                dashboard.place(*path),
                f"the panel {panel_name(panel)}{others} has no id: Grafana numbers it again, and links to it break",
                hint="number the panels",
                severity=Severity.INFO,
            )


class RefId(DashboardCheck):
    name = "dashboard/ref-id"
    severity = Severity.WARNING
    summary = "queries of one panel with the same refId, or without one"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, panel in dashboard.panels:
            queries = [target for target in as_list(panel.get("targets")) if isinstance(target, dict)]
            if len(queries) < 2:
                continue
            letters = [str(target.get("refId") or "").strip() for target in queries]
            repeated = [letter for letter in dict.fromkeys(letters) if letter and letters.count(letter) > 1]
            for letter in repeated:
                second = len(letters) - 1 - letters[::-1].index(letter)
                yield self.finding(
                    dashboard.place(*path, "targets", second, "refId"),
                    f'{letters.count(letter)} queries of the panel {panel_name(panel)} have the refId "{letter}": '
                    "the answer of one replaces that of the other",
                    hint="give each query of a panel its own letter",
                )
            if "" in letters:
                index = letters.index("")
                yield self.finding(
                    dashboard.place(*path, "targets", index),
                    f"query {index + 1} of the panel {panel_name(panel)} has no refId",
                    hint='give each query a letter: "refId": "A"',
                    severity=Severity.INFO,
                )
