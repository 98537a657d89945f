"""Brings what a live Grafana and Loki have into the project, as Python modules that render back to the same."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lokictl.http import HttpError
from lokictl.logql.units import parse_prometheus_duration
from lokictl.model.files import write_text
from lokictl.model.json_text import json_text
from lokictl.project.configuration import display_path as display_path
from lokictl.records import dataclass
from lokictl.sync.configuration import Target, is_pyproject, matches
from lokictl.sync.desired import desired_state
from lokictl.sync.differences import differences
from lokictl.sync.grafana.server import Grafana
from lokictl.sync.normal_form import MARK as DATA_SOURCE_MARK
from lokictl.sync.normal_form import alert_group as normal_alert_group
from lokictl.sync.normal_form import dashboard as normal_dashboard
from lokictl.sync.normal_form import data_source as normal_data_source
from lokictl.sync.normal_form import library_panel as normal_library_panel
from lokictl.sync.normal_form import normal_form
from lokictl.sync.normal_form import rule_group as normal_rule_group
from lokictl.sync.notifications import POLICY_KEY, notification_resources
from lokictl.sync.plan import NOTIFICATIONS, Action, Key, Kind, Live, Plan
from lokictl.sync.pull_alerts import (
    alerts_text,
    notifications_source,
    read_back,
    secret_names,
)
from lokictl.sync.python_source import Source, call, docstring, duration, identifier, literal
from lokictl.sync.record import is_record, mark_tag, read_record, record_key
from lokictl.sync.resource_api import shown_object
from lokictl.sync.session import Servers, readable_errors

if TYPE_CHECKING:
    from lokictl.project import Project

MARK = "Adopted by `lokictl pull`."
PULLED = Path(".lokictl") / "pulled"
KINDS = ("dashboards", "library-panels", "datasources", "alerts", "notifications", "rules")
UNITS = ("SECOND", "MINUTE", "HOUR", "DAY")


@dataclass(frozen=True, slots=True)
class Selection:
    """What to pull: kinds (of `KINDS`), and of those the named ones; all if none."""

    kinds: frozenset[str] = frozenset(KINDS)
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Module:
    """A file to write, relative to the project, with its text and the resources in it."""

    path: Path
    text: str
    keys: tuple[Key, ...]


@dataclass(slots=True)
class Pulled:
    """The modules, what was left out and why, lines for the configuration, and what is good to know of a module."""

    modules: list[Module] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    configuration: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    configuration_file: str = "lokictl.toml"


def pull(
    project: Project, target: Target, servers: Servers, selection: Selection, *, force: bool = False
) -> Pulled:
    """Reads the selected resources and makes files of them; writes nothing.

    Left out is what the project has already, and files that exist, except (with ``force``) those that an
    earlier pull wrote.  Raises `SyncError`.
    """
    puller = _Puller(project, target, selection, force)
    with readable_errors(target):
        if servers.grafana is not None:
            servers.grafana.connect()
            if "dashboards" in selection.kinds:
                rows = servers.grafana.all_dashboards()
                keys = [Key(Kind.DASHBOARD, str(row["uid"])) for row in rows]
                titles = {str(row.get("folderUid") or ""): str(row.get("folderTitle") or "") for row in rows}
                puller.dashboards(puller.read(servers.grafana, keys), titles)
            if "library-panels" in selection.kinds:
                keys = [Key(Kind.LIBRARY_PANEL, uid) for uid in servers.grafana.library.all()]
                puller.library_panels(puller.read(servers.grafana, keys))
            if "datasources" in selection.kinds:
                keys = [Key(Kind.DATA_SOURCE, str(row["uid"])) for row in servers.grafana.sources.all()]
                puller.data_sources(puller.read(servers.grafana, keys))
            puller.alerting(servers.grafana)
        if servers.ruler is not None and target.loki is not None and "rules" in selection.kinds:
            for tenant in target.loki.tenants:
                puller.rules(tenant, servers.ruler.read(tenant))
    return puller.pulled


def write_modules(root: Path, modules: Iterable[Module]) -> list[Path]:
    """Writes the modules into the project; returns the files."""
    written = []
    for module in modules:
        write_text(root / module.path, module.text)
        written.append(root / module.path)
    return written


class _Puller:
    def __init__(self, project: Project, target: Target, selection: Selection, force: bool) -> None:
        self.project, self.target, self.selection, self.force = project, target, selection, force
        self.known = set(desired_state(project, target).resources)
        file = project.config.file
        self.pulled = Pulled(configuration_file=display_path(file) if file is not None else "lokictl.toml")
        self.taken: set[Path] = set()

    def wants(self, key: Key) -> bool:
        """Whether a resource was asked for and is not in the project; notes why not."""
        if key.name == record_key(self.target).name:
            return False
        names = self.selection.names
        if names and not names & {key.name, key.namespace}:
            return False
        if key in self.known and not self.force:
            self.pulled.skipped.append((str(key), "the project has it already"))
            return False
        return True

    def read(self, grafana: Grafana, keys: Iterable[Key]) -> dict[Key, Live]:
        """The wanted ones of ``keys``; notes what cannot be read."""
        unreadable: dict[Key, str] = {}
        found = grafana.read(filter(self.wants, keys), unreadable)
        self.pulled.skipped += [(str(key), f"cannot be read: {reason}") for key, reason in unreadable.items()]
        return found

    def dashboards(self, lives: Mapping[Key, Live], titles: Mapping[str, str]) -> None:
        elsewhere: dict[str, list[str]] = {}
        for key, live in lives.items():
            if not live.schema and not read_record(live).damaged:
                continue  # the record of another project
            if live.read_only:
                self.pulled.notes.append(f"{key}: {live.read_only}; sync will leave it alone")
            self._dashboard(key, live)
            if live.folder != self.target.folder_uid:
                elsewhere.setdefault(live.folder, []).append(key.name)
        for uid, names in elsewhere.items():
            title = f"title = {json.dumps(titles.get(uid, uid), ensure_ascii=False)}\n" if uid else ""
            head = "tool.lokictl." if is_pyproject(self.project.config) else ""
            table = (
                f"[{head}sync.folders.{uid or 'general'}]\n{title}dashboards = {json.dumps(sorted(names))}"
            )
            self.pulled.configuration.append(table)

    def library_panels(self, lives: Mapping[Key, Live]) -> None:
        """Library panels as JSON files, in the form of Grafana's API."""
        for key, live in lives.items():
            self._add("library_panels", live.title or key.name, library_panel_text(live), (key,), ".json")
            if live.folder != self.target.folder_uid:
                self.pulled.notes.append(f"{key}: sync moves it from folder {live.folder or 'General'}")

    def _dashboard(self, key: Key, live: Live) -> None:
        title = live.title or key.name
        if live.schema:
            self._add("dashboards", title, shown_object(live), (key,), ".json")
        else:
            self._checked("dashboards", title, lambda: made_dashboard(live, self.target), (key,))

    def _checked(self, folder: str, title: str, make: Callable[[], Made], keys: tuple[Key, ...]) -> None:
        made = make()
        self.pulled.notes += [
            f"{keys[0]}: not the same as on the server: {line}" for line in made.differences
        ]
        self._add(folder, title, made.text, keys)

    def data_sources(self, lives: Mapping[Key, Live]) -> None:
        for key, live in lives.items():
            if live.read_only:
                self.pulled.notes.append(f"{key}: {live.read_only}; sync will leave it alone")
            self._checked(
                "datasources", live.title or key.name, functools.partial(made_data_source, live), (key,)
            )

    def alerting(self, grafana: Grafana) -> None:
        """Alert groups and notifications, as far as the account may see them."""
        kinds = self.selection.kinds
        try:
            if "alerts" in kinds:
                titles = grafana.folders.paths()
                self.alerts(self.read(grafana, grafana.alerts.all()), titles)
            if "notifications" in kinds:
                self.notifications(self.read_notifications(grafana))
        except HttpError as error:
            if error.status != 403:
                raise
            self.pulled.skipped.append(("alerts and notifications", f"cannot be read: {error}"))

    def alerts(self, lives: Mapping[Key, Live], titles: Mapping[str, str]) -> None:
        """Alert groups in Grafana's own form, a file for each folder."""
        folders: dict[str, list[Live]] = {}
        for key, live in lives.items():
            if live.read_only:
                self.pulled.notes.append(f"{key}: {live.read_only}; sync will leave it alone")
            folders.setdefault(live.folder, []).append(live)
        for uid, groups in folders.items():
            title = titles.get(uid, uid)
            text = alerts_text(groups, title)
            wanted = [normal_alert_group(live.body) for live in groups]
            for live, want, made in zip(groups, wanted, read_back(text), strict=True):
                found = [difference.lines()[0] for difference in differences(want, made)]
                self.pulled.notes += [f"{live.key}: not the same as on the server: {line}" for line in found]
            self._add("alerts", title, text, tuple(live.key for live in groups), ".yaml")

    def read_notifications(self, grafana: Grafana) -> dict[Key, Live]:
        """Templates, contact points, mute timings and policies; nothing where the project describes its own."""
        keys = [Key(Kind.TEMPLATE, name) for name in grafana.templates.all()]
        keys += [Key(Kind.CONTACT_POINT, name) for name in grafana.contact_points.all()]
        keys += [Key(Kind.MUTE_TIMING, name) for name in grafana.mute_timings.all()]
        names = self.selection.names
        if names:
            keys = [key for key in keys if key.name in names]
        if self.project.notifications is not None and not self.force:
            if keys:
                what = "contact points, policies, mute timings, templates"
                self.pulled.skipped.append((what, "the project has Notifications already"))
            return {}
        grafana.policies.branches_to = None
        keys += [POLICY_KEY] if not names or POLICY_KEY.name in names else []
        unreadable: dict[Key, str] = {}
        found = grafana.read(keys, unreadable)
        self.pulled.skipped += [(str(key), f"cannot be read: {reason}") for key, reason in unreadable.items()]
        return found

    def notifications(self, lives: Mapping[Key, Live]) -> None:
        """Everything about notifications as one module, and the lines that its target needs."""
        if not lives:
            return
        for key, live in lives.items():
            if live.read_only:
                self.pulled.notes.append(f"{key}: {live.read_only}; sync will leave it alone")
        text = _module("Who is notified of which alerts.", *notifications_source(list(lives.values())))
        try:
            made = _run(text)["NOTIFICATIONS"]
        except Exception as error:
            self.pulled.skipped.append(("notifications", f"they cannot be described ({error})"))
            return
        target = dataclasses.replace(self.target, policies="tree", editable_alerts=None, secrets={})
        for resource in notification_resources(made, target):
            live_found = lives.get(resource.key)
            if live_found is not None:
                found = differences(normal_form(_open(live_found)), normal_form(resource))
                lines = [difference.lines()[0] for difference in found]
                self.pulled.notes += [
                    f"{resource.key}: not the same as on the server: {line}" for line in lines
                ]
        self._add("stack", "notifications", text, tuple(lives))
        head = self.target.section()
        keys = "notifications = true" + ('\npolicies = "tree"' if POLICY_KEY in lives else "")
        if not self.target.notifications:
            self.pulled.configuration.append(f"{head}\n{keys}")
        secrets = [name for name in secret_names(lives.values()) if name not in self.target.secrets]
        if secrets:
            lines = [f'{name} = {{ env = "{name.upper()}" }}' for name in secrets]
            self.pulled.configuration.append("\n".join((self.target.section("secrets"), *lines)))

    def rules(self, tenant: str, lives: Mapping[Key, Live]) -> None:
        assert self.target.loki is not None
        several = len(self.target.loki.tenants) > 1
        namespaces: dict[str, list[Live]] = {}
        for key, live in lives.items():
            if not is_record(live) and self.wants(key):
                namespaces.setdefault(key.namespace, []).append(live)
        for namespace, groups in namespaces.items():
            name = f"{tenant}_{namespace}" if several else namespace
            make = functools.partial(made_rules, namespace, tenant if several else "", groups)
            self._checked("rules", name, make, tuple(live.key for live in groups))
        owned = self.target.loki.namespaces
        unowned = [name for name in namespaces if owned is not None and not matches(name, owned)]
        if owned is not None and unowned:
            names = ", ".join(json.dumps(name, ensure_ascii=False) for name in [*owned, *unowned])
            text = f"{self.target.section('loki')}\nnamespaces = [{names}]"
            self.pulled.configuration.append(text)

    def _add(self, folder: str, title: str, text: str, keys: tuple[Key, ...], suffix: str = ".py") -> None:
        base = Path(self.project.config.folders(folder)[0])
        number = 1
        while True:
            path = base / f"{identifier(title)}{'' if number == 1 else f'_{number}'}{suffix}"
            if path not in self.taken:
                break
            number += 1
        self.taken.add(path)
        file = self.project.root / path
        if file.exists() and not (self.force and is_pulled(file)):
            reason = (
                "exists; --force replaces it" if is_pulled(file) else "exists and was not written by a pull"
            )
            self.pulled.skipped.append((str(path), reason))
            return
        self.pulled.modules.append(Module(path, text, keys))


def _open(live: Live) -> Live:
    """Without who may change it, which no module says."""
    body = {key: value for key, value in live.body.items() if key != "provenance"}
    return dataclasses.replace(live, body=body)


def library_panel_text(live: Live) -> str:
    """A library panel as a JSON file, in the form of Grafana's API."""
    data = {"uid": live.key.name, "name": live.title, "model": normal_library_panel(live.body)["model"]}
    return json_text(data) + "\n"


def is_pulled(file: Path) -> bool:
    """Whether an earlier pull wrote this file."""
    try:
        return MARK in file.read_text(encoding="utf-8")[:2000]
    except (OSError, UnicodeDecodeError):
        return False


@dataclass(frozen=True, slots=True)
class Made:
    """The text of a module; ``differences`` say what it does not give back as it was."""

    text: str
    differences: tuple[str, ...] = ()


# --- modules -------------------------------------------------------------------------------------------------


def adopted_dashboard(body: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """A live dashboard without what Grafana and `lokictl sync` add to it."""
    adopted = {key: value for key, value in body.items() if key not in ("id", "version", "iteration")}
    tags = [tag for tag in body.get("tags") or [] if tag != mark]
    if tags or "tags" in body:
        adopted["tags"] = tags
    return adopted


def dashboard_module(live: Live, target: Target) -> str:
    """The module of `made_dashboard`."""
    return made_dashboard(live, target).text


def made_dashboard(live: Live, target: Target) -> Made:
    """A module with this dashboard."""
    data = adopted_dashboard(live.body, mark_tag(target))
    value = call("JsonDashboard", [("", live.key.name), ("", live.title), ("", data)])
    text = _module(
        f"Dashboard: {live.title}.", ["from lokictl.project import JsonDashboard"], f"DASHBOARD = {value}"
    )
    return _made(text, lambda names: [(names["DASHBOARD"].to_json(), data)], normal_dashboard)


def data_source_module(live: Live) -> str:
    """The module of `made_data_source`."""
    return made_data_source(live).text


def made_data_source(live: Live) -> Made:
    """A module with this data source; its secrets become references to variables."""
    body = live.body
    arguments: list[tuple[str, Any]] = [
        ("name", _dollars(live.title)),
        ("type", str(body.get("type", ""))),
        ("uid", live.key.name),
        ("url", _dollars(str(body.get("url") or ""))),
    ]
    if body.get("isDefault"):
        arguments.append(("is_default", True))
    if body.get("access") not in (None, "", "proxy"):
        arguments.append(("access", body["access"]))
    if body.get("basicAuth"):
        arguments += [
            ("basic_auth", True),
            ("basic_auth_user", _dollars(str(body.get("basicAuthUser") or ""))),
        ]
    further = {key: value for key, value in (body.get("jsonData") or {}).items() if key != DATA_SOURCE_MARK}
    if further:
        arguments.append(("json_data", _dollars(further)))
    variables = {name: _variable(live.key.name, name) for name in body.get("secureJsonFields", [])}
    if variables:
        arguments.append(
            ("secure_json_data", {name: f"$__env{{{text}}}" for name, text in variables.items()})
        )
    others = {name: body[name] for name in ("user", "database", "withCredentials") if body.get(name)}
    if others:
        arguments.append(("further", _dollars(others)))
    text = _module(
        f"Data source: {live.title}.",
        ["from lokictl.model import DataSource"],
        f"SOURCE = {call('DataSource', arguments)}",
    )
    return _made(text, lambda names: [(names["SOURCE"].with_environment({}), body)], normal_data_source)


def _variable(uid: str, name: str) -> str:
    return f"{identifier(uid)}_{identifier(name)}".upper()


def _dollars(value: Any) -> Any:
    """Strings as provisioning files write them, where a dollar sign is doubled."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _dollars(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dollars(item) for item in value]
    return value


def rules_module(namespace: str, tenant: str, lives: list[Live]) -> str:
    """The module of `made_rules`."""
    return made_rules(namespace, tenant, lives).text


def made_rules(namespace: str, tenant: str, lives: list[Live]) -> Made:
    """A module with the rule groups of one namespace."""
    lives = sorted(lives, key=lambda live: live.key.name)
    names = _constants([live.key.name for live in lives])
    parts = [f"{name} = {_group(live.body)}" for name, live in zip(names, lives, strict=True)]
    groups = Source(f"({', '.join(names)}{',' if len(names) == 1 else ''})")
    further = [("tenant", tenant)] if tenant else []
    parts.append(f"FILE = {call('RuleFile', [('', namespace), ('', groups), *further])}")
    body = "\n\n".join(parts)
    classes = [
        name for name in ("AlertingRule", "RecordingRule", "RuleFile", "RuleGroup") if f"{name}(" in body
    ]
    imports = [f"from lokictl.model import {', '.join(classes)}"]
    units = [unit for unit in sorted(UNITS) if f"={unit}" in body or f"* {unit}" in body]
    if units:
        imports.append(f"from lokictl.durations import {', '.join(units)}")
    text = _module(f"Rules of the namespace {namespace}.", imports, body)

    def pairs(names: Mapping[str, Any]) -> list[tuple[Any, Any]]:
        made = names["FILE"].groups
        return [(group.to_dict(), live.body) for live, group in zip(lives, made, strict=True)]

    return _made(text, pairs, normal_rule_group)


def _constants(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        base = identifier(name).upper()
        # Private: what is public in a module of rules is a rule group of its own.
        number, constant = 1, f"_{base}"
        while constant in found:
            number += 1
            constant = f"_{base}_{number}"
        found.append(constant)
    return found


def _group(body: Mapping[str, Any]) -> str:
    rules = tuple(Source(_rule(rule)) for rule in body["rules"])
    items = "".join(f"        {rule},\n" for rule in rules)
    arguments = (
        f"    {literal(body['name'])},\n    (\n{items}    ),\n"
        if rules
        else f"    {literal(body['name'])},\n"
    )
    if body.get("interval"):
        arguments += f"    interval={duration(parse_prometheus_duration(body['interval']))},\n"
    if body.get("limit"):
        arguments += f"    limit={body['limit']},\n"
    return f"RuleGroup(\n{arguments})"


def _rule(body: Mapping[str, Any]) -> str:
    kind, name = ("AlertingRule", "alert") if "alert" in body else ("RecordingRule", "record")
    arguments: list[tuple[str, Any]] = [(name, body.get(name, "")), ("expr", body.get("expr", ""))]
    if body.get("for"):
        arguments.append(("for_", duration(parse_prometheus_duration(body["for"]))))
    arguments += [(key, body[key]) for key in ("labels", "annotations") if body.get(key)]
    return call(kind, arguments, 8, 8)


def _module(title: str, imports: list[str], body: str) -> str:
    head = [docstring(f"{title}  {MARK}"), "", "from __future__ import annotations", "", *imports]
    return "\n".join((*head, "", body, ""))


def _run(text: str) -> dict[str, Any]:
    """The names that a module defines; it holds nothing but values written by this module."""
    names: dict[str, Any] = {"__name__": "pulled"}
    exec(compile(text, "<pulled>", "exec"), names)  # noqa: S102
    return names


def _made(
    text: str,
    pairs: Callable[[Mapping[str, Any]], list[tuple[Any, Any]]],
    normal: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> Made:
    """The module, run once and compared with what it was made from."""
    try:
        compared = [(normal(made), normal(wanted)) for made, wanted in pairs(_run(text))]
    except Exception as error:
        return Made(text, (f"it cannot be loaded ({type(error).__name__}: {error})",))
    found = (difference for made, wanted in compared for difference in differences(wanted, made))
    return Made(text, tuple(difference.lines()[0] for difference in found))


# --- conflicts -------------------------------------------------------------------------------------------------


def pull_conflicts(project: Project, target: Target, plan: Plan) -> Iterator[tuple[Path, str]]:
    """Takes the server's side of conflicts: gives the files written and what should be done with them.

    A file that holds nothing but this resource (dashboard JSON, or a module of an earlier pull) is replaced;
    hand-written code is left alone, and the server's side is put beside it.
    """
    for change in plan.of(Action.PULL):
        assert change.live is not None
        assert change.desired is not None
        live = change.live
        source = (Path.cwd() / change.desired.source) if change.desired.source else None
        is_dashboard = live.key.kind is Kind.DASHBOARD
        if is_dashboard and not live.schema and source is not None and source.suffix == ".json":
            data = adopted_dashboard(live.body, mark_tag(target))
            write_text(source, json_text(data) + "\n")
            yield source, f"now as {live.key} is on the server"
        elif is_dashboard and not live.schema and source is not None and is_pulled(source):
            write_text(source, dashboard_module(live, target))
            yield source, f"now as {live.key} is on the server"
        else:
            is_data = bool(live.schema) or live.key.kind is Kind.LIBRARY_PANEL
            suffix = "json" if is_data else "yaml" if live.key.kind is Kind.ALERT_GROUP else "py"
            name = f"{_beside_name(live.key)}.{suffix}"
            path = project.root / PULLED / name
            write_text(path, _beside(live, target))
            where = change.desired.source or "the project"
            yield path, f"{live.key} as it is on the server; copy into {where} what you want to keep"


def _beside_name(key: Key) -> str:
    parts = [key.kind.value, key.tenant, key.namespace, key.name]
    return "-".join(identifier(part) for part in parts if part)


def _beside(live: Live, target: Target) -> str:
    if live.schema:
        return shown_object(live)
    if live.key.kind is Kind.LIBRARY_PANEL:
        return library_panel_text(live)
    if live.key.kind is Kind.DASHBOARD:
        return dashboard_module(live, target)
    if live.key.kind is Kind.DATA_SOURCE:
        return data_source_module(live)
    if live.key.kind is Kind.ALERT_GROUP:
        return alerts_text([live], live.folder)
    if live.key.kind in NOTIFICATIONS:
        return _module(f"{live.key}.", *notifications_source([live]))
    if live.key.kind is Kind.RULE_GROUP:
        return rules_module(live.key.namespace, live.key.tenant, [live])
    return _module(f"Folder: {live.title}.", [], f"TITLE = {literal(live.title)}")
