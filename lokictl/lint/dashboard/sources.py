"""Which data sources a dashboard asks, and where its links lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

from lokictl.diagnostics import Severity, suggestion
from lokictl.lint.dashboard_json import (
    Json,
    as_dict,
    as_list,
    is_text,
    panel_name,
)
from lokictl.lint.findings import Path
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding

GRAFANAS_OWN = ("grafana", "-- Grafana --", "-- Mixed --", "-- Dashboard --", "mixed", "default", "__expr__")


def chosen_sources(dashboard: DashboardItem) -> Iterator[tuple[Path, str, bool]]:
    """(path, uid or name, whether it is a name) of every data source that is named outright."""
    for path, owner in (*dashboard.panels, *dashboard.variables, *dashboard.annotation_queries):
        yield from _chosen(path, owner)
    for target in dashboard.targets:
        if "datasource" in target.data:
            yield from _chosen(target.path, target.data)


def _chosen(path: Path, owner: Json) -> Iterator[tuple[Path, str, bool]]:
    value = owner.get("datasource")
    uid = as_dict(value).get("uid")
    if is_text(value) and value not in GRAFANAS_OWN and not _is_variable(value):
        yield (*path, "datasource"), value, True
    elif is_text(uid) and uid not in GRAFANAS_OWN and not _is_variable(uid):
        yield (*path, "datasource", "uid"), uid, False


def _is_variable(text: str) -> bool:
    return "$" in text or "[[" in text


class DataSourceByName(DashboardCheck):
    name = "dashboard/datasource-by-name"
    severity = Severity.INFO
    summary = "a data source chosen by its name, which differs from one Grafana to the next"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        told: set[str] = set()
        for path, name, by_name in chosen_sources(dashboard):
            if by_name and name not in told:
                told.add(name)
                yield self.finding(
                    dashboard.place(*path),
                    f'the data source "{name}" is chosen by its name',
                    hint='write {"type": "loki", "uid": "…"}, or use a data source variable: {"uid": "${datasource}"}',
                )


class UnknownDataSource(DashboardCheck):
    name = "dashboard/unknown-datasource"
    severity = Severity.WARNING
    summary = "a data source that this project does not define"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        # What plain files leave out may well be defined elsewhere.
        if self.workspace.project is None or not self.workspace.project.datasources:
            return
        known = {key for source in self.workspace.project.datasources for key in (source.uid, source.name)}
        told: set[str] = set()
        for path, name, _ in chosen_sources(dashboard):
            if name not in known and name not in told:
                told.add(name)
                hint = suggestion(name, known, f"known: {', '.join(sorted(known))}")
                yield self.finding(
                    dashboard.place(*path), f'the project has no data source "{name}"', hint=hint
                )


class UnknownLibraryPanel(DashboardCheck):
    name = "dashboard/unknown-library-panel"
    severity = Severity.WARNING
    summary = "a library panel that this project does not have"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        if self.workspace.project is None:
            return
        known = {panel.uid: panel.name for panel in self.workspace.project.library_panels}
        for path, panel in dashboard.panels:
            reference = as_dict(panel.get("libraryPanel"))
            if "libraryPanel" not in panel or reference.get("uid") in known:
                continue
            if not reference.get("uid"):
                message = f"the panel {panel_name(panel)} is of the library, but its uid is missing"
                yield self.finding(dashboard.place(*path, "libraryPanel"), message, hint='add "uid"')
                continue
            uid = str(reference["uid"])
            name = f' ("{reference["name"]}")' if reference.get("name") else ""
            hint = suggestion(
                uid,
                known,
                "`lokictl pull --kind library-panels` brings it; rendered files cannot show it without",
            )
            message = f'the project has no library panel "{uid}"{name}'
            yield self.finding(dashboard.place(*path, "libraryPanel", "uid"), message, hint=hint)


class ImportPlaceholder(DashboardCheck):
    name = "dashboard/import-placeholder"
    severity = Severity.WARNING
    summary = "a placeholder of the import dialog, which provisioning and the API do not replace"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        if self.workspace.project is None:
            return
        inputs = {str(as_dict(entry).get("name")) for entry in as_list(dashboard.data.get("__inputs"))}
        if inputs:
            yield self.finding(
                dashboard.place("__inputs", key=True),
                f"{', '.join(sorted(inputs))}: only the import dialog fills these; uploaded as they are, "
                "panels find no data source",
                hint="put the uid in their place, or a data source variable, and take __inputs out",
            )


class BrokenLink(DashboardCheck):
    name = "dashboard/broken-link"
    severity = Severity.WARNING
    summary = "a link to something that does not exist"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, link in dashboard.links:
            kind, url = link.get("type", "link"), link.get("url")
            if kind == "dashboards":
                yield from self._tags(dashboard, path, link)
            elif is_text(url):
                yield from self._dashboard_link(dashboard, path, str(url))
            elif not link.get("internal") and not link.get("dashboard") and not link.get("dashUri"):
                yield self.finding(
                    dashboard.place(*path),
                    f'the link "{link.get("title", "")}" has no url',
                    hint="say where it leads, or remove it",
                )

    def _known(self) -> dict[str, DashboardItem]:
        """uid -> dashboard of the whole project; empty where more dashboards may exist elsewhere."""
        project = self.workspace.project
        if project is None or len(self.workspace.dashboards) < len(project.dashboards):
            return {}
        if any(problem.name == "project/import" for problem in project.problems):
            return {}
        return {str(item.data.get("uid")): item for item in self.workspace.dashboards}

    def _tags(self, dashboard: DashboardItem, path: Path, link: Json) -> Iterator[Finding]:
        known = self._known()
        wanted = {str(tag) for tag in as_list(link.get("tags"))}
        if not known or not wanted or any(_is_variable(tag) for tag in wanted):
            return
        others = (item for item in known.values() if item is not dashboard)
        if not any(wanted <= {str(tag) for tag in as_list(item.data.get("tags"))} for item in others):
            yield self.finding(
                dashboard.place(*path, "tags"),
                f"no other dashboard of the project has the tags {', '.join(sorted(wanted))}: the link lists nothing",
                hint="give the dashboards the tag, or remove the link",
            )

    def _dashboard_link(self, dashboard: DashboardItem, path: Path, url: str) -> Iterator[Finding]:
        known = self._known()
        try:
            parts = urlsplit(url)
        except ValueError:
            return
        found = re.search(r"(?:^|/)d/([^/?#]+)", parts.path)
        if not known or not found or parts.netloc or _is_variable(unquote(found[1])):
            return
        uid = unquote(found[1])
        if uid not in known:
            yield self.finding(
                dashboard.place(*path, "url"),
                f'the project has no dashboard with the uid "{uid}"',
                hint=suggestion(uid, known, f"known: {', '.join(sorted(known))}"),
            )
            return
        yield from self._query_part(dashboard, path, parts.query, known[uid])

    def _query_part(
        self, dashboard: DashboardItem, path: Path, query: str, target: DashboardItem
    ) -> Iterator[Finding]:
        names = {str(entry.get("name")) for _, entry in target.variables}
        ids = {str(panel.get("id")) for _, panel in target.panels}
        for key, values in parse_qs(query, keep_blank_values=True).items():
            name = key.removeprefix("var-")
            if key.startswith("var-") and name not in names and not _is_variable(name):
                yield self.finding(
                    dashboard.place(*path, "url"),
                    f'the dashboard "{target.title}" has no variable "{name}", which this link sets',
                    hint=suggestion(name, names, "remove it from the link"),
                )
            elif key == "viewPanel" and not _is_variable(values[0]):
                number = values[0].removeprefix("panel-")
                if number not in ids:
                    yield self.finding(
                        dashboard.place(*path, "url"),
                        f'the dashboard "{target.title}" has no panel {number}, which this link opens',
                        hint="use the id of one of its panels",
                    )
