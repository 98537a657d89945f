"""Imports the content of a project and collects what it defines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model import DataSource, Rule, RuleFile, RuleGroup, Service, load_rule_files
from lokictl.model.component import Component
from lokictl.model.contents import Contents, FoundAlerting, contents_of
from lokictl.model.dashboards import classic
from lokictl.model.documents import Cursor, Document
from lokictl.model.library_panel import LibraryPanel
from lokictl.model.notifications import Notifications
from lokictl.model.origin import Origin
from lokictl.model.repeated_rules import repeated_rules
from lokictl.model.rule_files import read_documents
from lokictl.model.sample import SampleSource
from lokictl.project.configuration import Configuration, display_path, find_configuration
from lokictl.project.modules import LoadedModule, import_modules
from lokictl.project.objects import Dashboard, JsonDashboard, Project

YAML_SUFFIXES = (".yaml", ".yml")

KINDS = ("services", "rules", "dashboards", "datasources", "stack")
"""The kinds of folders with modules, in the order in which they are loaded."""


def load(root: Path | None = None, *, strict: bool = True, kinds: Collection[str] = KINDS) -> Project:
    """The content project in ``root`` (default: found upwards from the current folder).

    ``kinds`` are the folders to load; what is in the others is not there, unless a module imports it.

    Raises `LokictlError` with all problems found; with ``strict=False`` they are in `Project.problems`, and
    only a project that cannot be found raises.
    """
    configuration = find_configuration(Path(root) if root is not None else None)
    collector = _Collector(configuration, kinds)
    project = collector.project()
    if strict and project.problems:
        raise LokictlError(project.problems)
    return project


Wanted = TypeVar("Wanted")


class _Collector:
    """Loads one folder after the other, and gathers problems on the way."""

    def __init__(self, configuration: Configuration, kinds: Collection[str] = KINDS) -> None:
        self.configuration, self.kinds = configuration, kinds
        self.root = configuration.root
        self.problems: list[Problem] = []

    def project(self) -> Project:
        modules = self._modules()
        services = self._unique(self._collect(modules["services"], Service))
        samples = self._samples(modules["services"])
        rule_files = (*self._python_rules(modules["rules"]), *self._rule_files())
        dashboards = self._dashboards(modules["dashboards"])
        datasources = (
            *(item for _, item in self._unique(self._collect(modules["datasources"], DataSource))),
            *self._datasource_files(),
        )
        self._check_names("service", [(item.name, place) for place, item in services])
        self._check_names("data source uid", [(item.uid, "") for item in datasources])
        self._check_names("data source name", [(item.name, "") for item in datasources])
        self._check_names("dashboard uid", [(item.uid, place) for place, item in dashboards])
        self.problems += repeated_rules(rule_files)
        notifications = self._notifications(modules["stack"])
        library_panels = self._library_panels(modules["dashboards"])
        alerts = tuple(self._alerts())
        return Project(
            self.root,
            self.configuration,
            tuple(item for _, item in services),
            rule_files=rule_files,
            dashboards=tuple(item for _, item in dashboards),
            datasources=datasources,
            components=tuple(item for _, item in self._unique(self._collect(modules["stack"], Component))),
            samples=samples,
            test_files=tuple(self._files("tests", YAML_SUFFIXES)),
            dashboard_files={item.uid: place for place, item in dashboards},
            problems=tuple(dict.fromkeys(self.problems)),
            notifications=notifications,
            library_panels=library_panels,
            alerts=alerts,
        )

    def _library_panels(self, modules: list[LoadedModule]) -> tuple[LibraryPanel, ...]:
        """Objects in the modules of dashboards, and JSON files of their own."""
        found = [item for _, item in self._unique(self._collect(modules, LibraryPanel))]
        for file in self._files("library_panels", (".json",)):
            path = display_path(file)
            try:
                (document,) = read_documents(file.read_text(encoding="utf-8"), path)
                value = document.value if isinstance(document.value, dict) else {}
                found.append(LibraryPanel.from_data(value, path, Cursor(document)))
            except LokictlError as error:
                self.problems += error.problems
            except (OSError, ValueError) as error:
                self.problems.append(Problem("project/library-panel", str(error), position=Position(path)))
        self._check_names("library panel uid", [(item.uid, item.path) for item in found])
        self._check_names("library panel name", [(item.name, item.path) for item in found])
        return tuple(found)

    def _notifications(self, modules: list[LoadedModule]) -> Notifications | None:
        """The one description of who is notified of what, anywhere in ``stack``."""
        found = self._unique(self._collect(modules, Notifications))
        if len(found) > 1:
            place = Position(found[1][0])
            message = f"a project has one Notifications; the other is in {found[0][0]}"
            self.problems.append(Problem("project/duplicate", message, position=place))
        return found[0][1] if found else None

    def _modules(self) -> dict[str, list[LoadedModule]]:
        folders = {kind: self.configuration.folders(kind) if kind in self.kinds else [] for kind in KINDS}
        return import_modules(self.root, folders, self.problems)

    def _collect(
        self, modules: list[LoadedModule], wanted: type[Wanted] | tuple[type[Wanted], ...]
    ) -> list[tuple[str, Wanted]]:
        """(file, object) for each module-level object of the wanted type, alone or in a collection."""
        return [
            (module.path, item)
            for module in modules
            for item in public_objects(module.module)
            if isinstance(item, wanted)
        ]

    def _unique(self, items: list[tuple[str, Wanted]]) -> list[tuple[str, Wanted]]:
        seen: set[int] = set()
        return [pair for pair in items if not (id(pair[1]) in seen or seen.add(id(pair[1])))]  # type: ignore[func-returns-value]

    def _samples(self, modules: list[LoadedModule]) -> tuple[SampleSource, ...]:
        return tuple(item for _, item in self._unique(self._collect(modules, SampleSource)))

    # --- rules -------------------------------------------------------------------------------------------

    def _python_rules(self, modules: list[LoadedModule]) -> tuple[RuleFile, ...]:
        files: list[RuleFile] = []
        taken: set[int] = set()
        grouped: set[int] = set()
        loose: list[tuple[str, Rule]] = []
        for module in modules:
            groups: list[RuleGroup] = []
            for item in public_objects(module.module):
                if id(item) in taken:
                    continue
                taken.add(id(item))
                if isinstance(item, RuleFile):
                    files.append(dataclasses.replace(item, path=item.path or module.path))
                    taken.update(id(group) for group in item.groups)
                elif isinstance(item, RuleGroup):
                    groups.append(item)
                elif isinstance(item, Rule):
                    loose.append((module.path, item))
            if groups:
                files.append(RuleFile(module.name.rpartition(".")[2], tuple(groups), path=module.path))
        for file in files:
            grouped.update(id(rule) for group in file.groups for rule in group.rules)
        self.problems += [_ungrouped(rule) for _, rule in loose if id(rule) not in grouped]
        return tuple(_with_short_paths(file) for file in files)

    def _rule_files(self) -> tuple[RuleFile, ...]:
        found: list[RuleFile] = []
        for file in self._files("rules", YAML_SUFFIXES):
            try:
                found.extend(load_rule_files(display_path(file)))
            except LokictlError as error:
                self.problems += error.problems
        return tuple(found)

    # --- dashboards and data sources ---------------------------------------------------------------------

    def _dashboards(self, modules: list[LoadedModule]) -> list[tuple[str, Dashboard]]:
        found: list[tuple[str, Dashboard]] = []
        for module in modules:
            for item in public_objects(module.module):
                dashboard = as_dashboard(item, module.path)
                if dashboard is not None and not any(known is dashboard for _, known in found):
                    found.append((module.path, dashboard))
        for file in self._files("dashboards", (*YAML_SUFFIXES, ".json")):
            found += self._dashboard_file(file)
        return found

    def _dashboard_file(self, file: Path) -> Iterator[tuple[str, Dashboard]]:
        """The dashboards of a file in any form of docs/formats.md; a JSON file must be one."""
        path = display_path(file)
        for document, contents in self._contents(file):
            value = document.value
            if not contents.dashboards and file.suffix == ".json":
                if not isinstance(value, dict):
                    problem = document.problem(
                        "dashboard/syntax", "a dashboard file must contain one JSON object"
                    )
                    self.problems.append(problem)
                    continue
                title = str(value.get("title") or file.stem)
                yield path, JsonDashboard(str(value.get("uid") or file.stem), title, value, path)
            for found in contents.dashboards:
                cursor = classic(found)
                uid, title = (str(cursor.value.get(key) or file.stem) for key in ("uid", "title"))
                yield path, JsonDashboard(uid, title, cursor.value, path, cursor)

    def _contents(self, file: Path) -> Iterator[tuple[Document, Contents]]:
        """Each document of a file, and what is in it; what cannot be read is a problem."""
        try:
            documents = read_documents(file.read_text(encoding="utf-8", errors="replace"), display_path(file))
        except LokictlError as error:
            self.problems += error.problems
            return
        for document in documents:
            contents = contents_of(document)
            self.problems += contents.problems
            yield document, contents

    def _datasource_files(self) -> Iterator[DataSource]:
        for file in self._files("datasources", YAML_SUFFIXES):
            for _, contents in self._contents(file):
                for cursor in contents.datasources:
                    entry = cursor.value
                    missing = [key for key in ("name", "type", "uid", "url") if not entry.get(key)]
                    if missing:
                        message = f"a data source needs {', '.join(f'`{key}`' for key in missing)}"
                        self.problems.append(cursor.problem("datasource/incomplete", message))
                    else:
                        yield dataclasses.replace(DataSource.from_provisioning(entry), origin=cursor)

    def _alerts(self) -> Iterator[FoundAlerting]:
        """Files of Grafana-managed alerts, in any form of docs/formats.md."""
        for file in self._files("alerts", (*YAML_SUFFIXES, ".json")):
            for document, contents in self._contents(file):
                yield from contents.alerting
                if not contents.alerting and document.value is not None:
                    message = "no Grafana-managed alerts in this file"
                    self.problems.append(document.problem("project/alerts", message))

    # --- what is left ------------------------------------------------------------------------------------

    def _files(self, key: str, suffixes: tuple[str, ...]) -> list[Path]:
        found: list[Path] = []
        owner = {"library_panels": "dashboards", "alerts": "rules"}.get(key, key)
        if owner in KINDS and owner not in self.kinds:
            return []
        for name in self.configuration.folders(key):
            path = self.root / name
            if path.is_file() and path.suffix in suffixes:
                found.append(path)
            elif path.is_dir():
                found += sorted(file for file in path.rglob("*") if file.suffix in suffixes)
        return [file for file in found if not any(part.startswith((".", "__")) for part in file.parts[-2:])]

    def _check_names(self, what: str, names: list[tuple[str, str]]) -> None:
        seen: dict[str, str] = {}
        for name, place in names:
            if name in seen:
                also = f"; the other is in {seen[name]}" if seen[name] else ""
                message = f'the {what} "{name}" is used twice{also}'
                self.problems.append(Problem("project/duplicate", message, position=Position(place)))
            seen.setdefault(name, place)


def public_objects(module: ModuleType) -> Iterator[Any]:
    """The module's public objects, and those in its lists, tuples and dictionaries."""
    for name, value in list(vars(module).items()):
        if name.startswith("_"):
            continue
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            yield from value
        elif isinstance(value, dict):
            yield from value.values()
        else:
            yield value


def as_dashboard(item: Any, path: str = "") -> Dashboard | None:
    """The object as a dashboard: it has ``uid``, ``title`` and ``to_json``; or it is grafanalib's; else None."""
    if isinstance(item, type | ModuleType):
        return None
    if all(hasattr(item, name) for name in ("uid", "title", "to_json")):
        return item  # type: ignore[no-any-return]
    if type(item).__module__ == "grafanalib.core" and type(item).__name__ == "Dashboard":
        from grafanalib._gen import DashboardEncoder  # noqa: PLC0415 - slow to import, and only dashboards need it

        data = json.loads(json.dumps(item.auto_panel_ids(), cls=DashboardEncoder))
        return JsonDashboard(str(data.get("uid") or ""), str(data.get("title") or ""), data, path)
    return None


def _ungrouped(rule: Rule) -> Problem:
    place = rule.origin.python
    position = dataclasses.replace(place, file=display_path(Path(place.file))) if place.file else place
    message = f'the rule "{rule.name}" is in no group, so nothing would evaluate it'
    return Problem("rule/ungrouped", message, position=position, hint="add it to a RuleGroup of this module")


def _with_short_paths(file: RuleFile) -> RuleFile:
    groups = tuple(
        dataclasses.replace(
            group,
            origin=_short(group.origin),
            rules=tuple(
                dataclasses.replace(rule, origin=_short(rule.origin, rule.expr)) for rule in group.rules
            ),
        )
        for group in file.groups
    )
    return dataclasses.replace(file, groups=groups)


def _short(origin: Origin, expr: str = "") -> Origin:
    if not origin.python.file:
        return origin
    position = dataclasses.replace(origin.python, file=display_path(Path(origin.python.file)))
    return dataclasses.replace(origin, python=position, expr=expr)
