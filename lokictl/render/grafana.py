"""Grafana's provisioning: data sources, dashboard providers, and the dashboards themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.lazy import lazy_pattern
from lokictl.model.json_text import json_text
from lokictl.model.library_panel import with_library_panels
from lokictl.model.yaml_writer import dump_yaml
from lokictl.project import Project
from lokictl.project.folders import ROOT_FOLDER, FolderTree, folder_parts
from lokictl.records import dataclass
from lokictl.render.names import check_unique, file_name
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.model import DataSource

PROVISIONING = "grafana/provisioning"

# Grafana reports each of these folders as an error when it is missing.
EMPTY_FILES = {
    "plugins": "# No plugins; Grafana reports a missing folder as an error.\napiVersion: 1\napps: []\n",
    "alerting": "# No Grafana-managed alerts; Grafana reports a missing folder as an error.\napiVersion: 1\n",
    "notifiers": (
        "# No notifiers; Grafana before 11 reports a missing folder as an error.\napiVersion: 1\nnotifiers: []\n"
    ),
}


@dataclass(frozen=True, slots=True)
class DashboardFile:
    """A dashboard as it is shipped: its uid, the folder it appears in, and its JSON model.

    ``folder`` is a path of titles (``Platform/Loki``), "" for Grafana's root; ``folder_uid`` its uid.
    """

    uid: str
    title: str
    folder: str
    model: Mapping[str, Any]
    folder_uid: str = ""

    @property
    def name(self) -> str:
        """The file's name; the uid, so that two dashboards never overwrite each other."""
        return file_name(self.uid, ".json")

    @property
    def folder_name(self) -> str:
        """The folder's name on disk, and its uid in Grafana."""
        return self.folder_uid or ROOT_FOLDER

    def text(self, *, indent: bool = True) -> str:
        """The JSON text; without ``indent`` on one line."""
        return json_text(self.model, indent=indent)


def render_grafana(
    project: Project, settings: Settings, alert_folders: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Path -> text below ``grafana/provisioning``; folders of a kind that the project lacks stay empty.

    ``alert_folders`` are the titles of folders that Grafana makes for alerts.
    """
    files = {
        f"{PROVISIONING}/{kind}/{settings.name}.yaml": text for kind, text in sorted(EMPTY_FILES.items())
    }
    files[f"{PROVISIONING}/datasources/{settings.name}.yaml"] = datasources_text(project, settings)
    dashboards = dashboard_files(project, settings)
    files[f"{PROVISIONING}/dashboards/{settings.name}.yaml"] = providers_text(
        dashboards, settings, alert_folders
    )
    for dashboard in dashboards:
        path = f"{PROVISIONING}/dashboards/{dashboard.folder_name}/{dashboard.name}"
        files[path] = dashboard.text() + "\n"
    return files


# --- dashboards ----------------------------------------------------------------------------------------------


def dashboard_files(
    project: Project, settings: Settings, tree: FolderTree | None = None
) -> tuple[DashboardFile, ...]:
    """The project's dashboards in the order of their uids; their folders are known to ``tree`` afterwards.

    Raises `LokictlError` for one without uid or title, and for one that was exported for the import dialog.
    """
    problems: list[Problem] = []
    found = []
    tree = tree or folder_tree(project, settings)
    # Files cannot bring library panels along, so they are written out.
    panels = {panel.uid: panel for panel in project.library_panels}
    for dashboard in sorted(project.dashboards, key=lambda item: item.uid):
        model = {key: value for key, value in dashboard.to_json().items() if key != "id"}
        if settings.grafana_version < (10, 3):
            model["panels"] = _without_trends(model.get("panels", []))
        model = with_library_panels(model, panels) if panels else model
        problems += _dashboard_problems(model, project.dashboard_files.get(dashboard.uid, ""))
        uid, title = str(model.get("uid") or ""), str(model.get("title") or "")
        place = tree.of_dashboard(uid, dashboard, project.dashboard_files.get(dashboard.uid, ""))
        found.append(DashboardFile(uid, title, "/".join(tree.titles(place)), model, place))
    problems += _clashes(found, project.dashboard_files)
    if problems:
        raise LokictlError(problems)
    check_unique("the dashboards", ((item.title, item.name.lower()) for item in found))
    check_unique("the folders", {item.folder: item.folder_name for item in found}.items())
    return tuple(found)


def folder_tree(project: Project, settings: Settings) -> FolderTree:
    """The project's folders, as `lokictl sync` has them.  Raises `LokictlError`."""
    tree = FolderTree.of(project)
    tree.base = tree.at(folder_parts(settings.folder))
    tree.named.discard(tree.base)
    return tree


def flat_folder_notes(project: Project, settings: Settings) -> Iterator[str]:
    """Folders in folders, which Grafana's files cannot make: each is one folder, titled with its path."""
    nested = sorted({item.folder for item in dashboard_files(project, settings) if "/" in item.folder})
    if nested:
        yield (
            f"Grafana's files cannot nest folders: {_quoted(nested)} will each be one folder with that title, "
            "unless Grafana already has one with its uid; `lokictl sync` and --what operator nest them"
        )


def sidecar_folder_notes(project: Project, settings: Settings) -> Iterator[str]:
    """What becomes of folders in folders in the sidecars' directories, of which Grafana takes the last one only."""
    folders = {item.folder for item in dashboard_files(project, settings)}
    nested = sorted(folder for folder in folders if "/" in folder)
    if nested:
        yield (
            f"Grafana does not nest the directories of the dashboard sidecar: {_quoted(nested)} will be shown as "
            f"{_quoted(sorted({_last(folder) for folder in nested}))}; `lokictl sync` and --what operator nest them"
        )


def check_sidecar_folders(dashboards: Sequence[DashboardFile]) -> None:
    """Raises `LokictlError` where a directory's last part puts dashboards with one title into one folder."""
    seen: dict[tuple[str, str], DashboardFile] = {}
    for item in dashboards:
        first = seen.setdefault((_last(item.folder).casefold(), item.title.casefold()), item)
        if first.folder != item.folder:
            folders = _quoted(sorted((first.folder, item.folder)))
            message = (
                f'{folders} will be one folder "{_last(item.folder)}" for the dashboard sidecar, with two '
                f'dashboards called "{item.title}"'
            )
            hint = "rename a dashboard or a folder: Grafana takes only the last directory, and stops writing both"
            raise LokictlError(Problem("render/dashboard", message, hint=hint))


def _last(folder: str) -> str:
    return folder.rpartition("/")[2]


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


def _clashes(dashboards: Sequence[DashboardFile], places: Mapping[str, str]) -> Iterator[Problem]:
    """Names that Grafana refuses: a dashboard called like a folder, and two in one folder that share a title."""
    folder_titles = {dashboard.folder.casefold() for dashboard in dashboards}
    folder_uids = {dashboard.folder_name for dashboard in dashboards}
    seen: set[tuple[str, str]] = set()
    for dashboard in dashboards:
        position = Position(places.get(dashboard.uid, ""))
        if dashboard.title.casefold() in folder_titles or dashboard.uid in folder_uids:
            yield Problem(
                "render/dashboard",
                f'the dashboard "{dashboard.title}" (uid {dashboard.uid}) shares title or uid with a folder',
                position=position,
                hint="Grafana does not save it: rename it, or name the folder with `folder` in [render]",
            )
        key = (dashboard.folder_name, dashboard.title.casefold())
        if key in seen:
            yield Problem(
                "render/dashboard",
                f'the folder "{dashboard.folder}" has two dashboards with the title "{dashboard.title}"',
                position=position,
                hint="rename one: Grafana stops writing both",
            )
        seen.add(key)


def _dashboard_problems(model: Mapping[str, Any], place: str) -> Iterator[Problem]:
    title, position = str(model.get("title") or ""), Position(place)
    if not title:
        yield Problem("render/dashboard", "a dashboard without title: Grafana skips it", position=position)
    if not model.get("uid"):
        yield Problem(
            "render/dashboard",
            f'the dashboard "{title}" has no uid, so every restart of Grafana may give it another',
            position=position,
            hint="set `uid` (letters, digits, - and _, at most 40)",
        )
    if model.get("__inputs"):
        names = ", ".join(str(item.get("name")) for item in model["__inputs"] if isinstance(item, dict))
        yield Problem(
            "render/dashboard",
            f'the dashboard "{title}" was exported for sharing: provisioning never fills {names or "__inputs"}',
            position=position,
            hint="replace the placeholders by the uids of data sources, or export it without sharing externally",
        )


def providers_text(
    dashboards: tuple[DashboardFile, ...], settings: Settings, alert_folders: frozenset[str] = frozenset()
) -> str:
    """The provider file: one provider for each folder, so that the folders' uids are ours.

    Alerts come first in Grafana, and make their folders with uids of its own: a folder of ours that has the title of
    one of them would be a second one, so it is found by its title only.
    """
    folders = {dashboard.folder_name: dashboard.folder for dashboard in dashboards}
    providers = [
        {
            "name": f"{settings.name}-{name}" if name != settings.name else name,
            "folder": title,
            # The root has neither title nor uid.
            "folderUid": name if title and title not in alert_folders else "",
            "type": "file",
            "disableDeletion": False,
            "allowUiUpdates": False,
            "updateIntervalSeconds": 30,
            "options": {"path": f"{settings.dashboards_path}/{name}"},
        }
        for name, title in sorted(folders.items())
    ]
    return dump_yaml({"apiVersion": 1, "providers": providers})


# --- data sources --------------------------------------------------------------------------------------------


def datasources_text(project: Project, settings: Settings) -> str:
    """The data source file.  Raises `LokictlError` for a secret that is not a reference, and for two defaults."""
    problems = list(_datasource_problems(project))
    if problems:
        raise LokictlError(problems)
    file: dict[str, Any] = {"apiVersion": 1}
    if settings.grafana_version >= (12, 0):
        # What a later render leaves out is removed; older versions do not know the key.
        file["prune"] = True
    if settings.delete_datasources:
        file["deleteDatasources"] = [{"name": name, "orgId": 1} for name in settings.delete_datasources]
    file["datasources"] = [datasource_entry(source, settings) for source in project.datasources]
    return dump_yaml(file)


def datasource_entry(source: DataSource, settings: Settings) -> dict[str, Any]:
    """One entry: what this Grafana understands, every ``$`` doubled that Grafana must not interpret."""
    entry = source.to_provisioning()
    # Leaving one of these out ends Grafana.
    texts = {"label": "", "description": ""}
    if source.correlations:
        entry["correlations"] = [{**texts, **item} for item in source.correlations]
    # A version that does not grow makes Grafana ignore every later change.
    entry.pop("version", None)
    for change in CHANGES:
        if settings.grafana_version < change.until:
            change.apply(entry)
    secrets = {key: _reference(value) for key, value in entry.pop("secureJsonData", {}).items()}
    escaped: dict[str, Any] = _escaped(entry, frozenset(source.environment))
    if secrets:
        escaped["secureJsonData"] = secrets
    return escaped


def _datasource_problems(project: Project) -> Iterator[Problem]:
    defaults = [source.name for source in project.datasources if source.is_default]
    if len(defaults) > 1:
        yield Problem(
            "render/datasource",
            f"Grafana does not start with several default data sources: {', '.join(defaults)}",
            hint="set `is_default` on one of them only",
        )
    for source in project.datasources:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", source.uid):
            yield Problem(
                "render/datasource",
                f'"{source.uid}" cannot be the uid of the data source {source.name}',
                hint="use letters, digits, - and _, at most 40",
            )
        headers = {f"httpHeaderValue{key[14:]}": value for key, value in source.json_data.items()}
        for key, value in source.secure_json_data.items():
            public = key == "tlsCACert" or headers.get(key) == "X-Scope-OrgID"
            if value and not public and not REFERENCE.fullmatch(value):
                yield _secret_problem(source, f"`{key}`")
        if re.search(r"://[^/@$]*:[^/@$]+@", source.url):
            yield _secret_problem(source, "the password in the URL")


def _secret_problem(source: DataSource, what: str) -> Problem:
    return Problem(
        "render/secret",
        f"{what} of the data source {source.name} is a secret in plain text",
        hint="refer to it: $__env{NAME} for a variable of Grafana's, $__file{/path} for a file",
    )


REFERENCE = lazy_pattern(r"\$__(?:env|file|vault)\{[^{}]+\}|\$\{[A-Za-z_]\w*\}|\$[A-Za-z_]\w*")


def _reference(value: str) -> str:
    """A secret's reference; ``${NAME}`` becomes ``$__env{NAME}``, which Grafana reads the same way everywhere."""
    found = re.fullmatch(r"\$\{?([A-Za-z_]\w*)\}?", value)
    return f"$__env{{{found[1]}}}" if found and not found[1].startswith("__") else value


_DOLLAR = lazy_pattern(r"\$\$|\$__(?:env|file|vault)\{[^{}]+\}|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)|\$")


def _escaped(value: Any, known: frozenset[str]) -> Any:
    if isinstance(value, str):
        return escape_dollars(value, known)
    if isinstance(value, Mapping):
        return {key: _escaped(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item, known) for item in value]
    return value


def escape_dollars(text: str, known: frozenset[str] = frozenset()) -> str:
    """``text`` with ``$`` doubled wherever Grafana would take it for a variable that it is not.

    Variables are ``$__env{…}`` and its like, names in ``known``, and names in capitals; what is doubled already
    stays.
    """

    def one(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name:
            is_variable = name in known or re.fullmatch(r"[A-Z][A-Z0-9_]*", name)
            return found[0] if is_variable else f"${found[0]}"
        return "$$" if found[0] == "$" else found[0]

    return _DOLLAR.sub(one, text)


# --- what older versions understand --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an entry for versions before ``until`` (major, minor)."""

    until: tuple[int, int]
    apply: Callable[[dict[str, Any]], None]


def _without_label_matchers(entry: dict[str, Any]) -> None:
    # Before 10.3 the type is ignored, and the regular expression is tried on the line.
    data = entry.get("jsonData", {})
    if "derivedFields" in data:
        fields = [item for item in data["derivedFields"] if item.get("matcherType") != "label"]
        entry["jsonData"] = {
            **data,
            "derivedFields": [
                {key: value for key, value in item.items() if key != "matcherType"} for item in fields
            ],
        }


def _old_traces_to_logs(entry: dict[str, Any]) -> None:
    # Both keys may stand side by side; the old one knows no query of its own.
    data = entry.get("jsonData", {})
    new = data.get("tracesToLogsV2")
    if not new or "tracesToLogs" in data:
        return
    tags = [tag for tag in new.get("tags", ()) if isinstance(tag, Mapping)]
    old: dict[str, Any] = {
        "datasourceUid": new.get("datasourceUid"),
        "mapTagNamesEnabled": True,
        "mappedTags": [{"key": tag["key"], "value": tag.get("value") or tag["key"]} for tag in tags],
        "filterByTraceID": True,
        "filterBySpanID": False,
    }
    old |= {key: new[key] for key in ("spanStartTimeShift", "spanEndTimeShift") if key in new}
    entry["jsonData"] = {**data, "tracesToLogs": old}


def _without_correlations(entry: dict[str, Any]) -> None:
    entry.pop("correlations", None)


def _without_trends(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Grafana before 10.3 knows the transformation only where an experimental feature is switched on.
    return [_without_trend(panel) for panel in panels]


def _without_trend(panel: dict[str, Any]) -> dict[str, Any]:
    if "panels" in panel:
        panel = {**panel, "panels": _without_trends(panel["panels"])}
    steps = panel.get("transformations") or []
    trends = [step for step in steps if step.get("id") == "timeSeriesTable"]
    if not trends:
        return panel
    names = {name for step in trends for name in step.get("options", {})}
    return {
        **panel,
        "transformations": [step for step in steps if step not in trends],
        "targets": [query for query in panel.get("targets", []) if query.get("refId") not in names],
    }


CHANGES = (
    Change((10, 0), _without_correlations),
    Change((10, 3), _without_label_matchers),
    Change((9, 5), _old_traces_to_logs),
)
