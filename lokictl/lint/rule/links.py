"""Where alerts lead: runbooks, dashboards, recorded series, and Alertmanager's routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lokictl.diagnostics import LokictlError, Position, Problem, Severity, did_you_mean, nearest, suggestion
from lokictl.lazy import lazy_pattern
from lokictl.lint.interface import (
    DashboardCheck,
    DashboardItem,
    Finding,
    RuleCheck,
    RuleItem,
    Workspace,
    WorkspaceCheck,
)
from lokictl.logql import semantics
from lokictl.model.rules import AlertingRule
from lokictl.model.yaml_source import load_document

_DASHBOARD = lazy_pattern(r"/d(?:-solo)?/([A-Za-z0-9_-]+)")
_PLACEHOLDER = lazy_pattern(r"\b(?:TODO|FIXME|TBD|xxx+)\b", re.IGNORECASE)


class Link(RuleCheck):
    """Links of an alert that lead nowhere."""

    name = "rule/link"
    severity = Severity.WARNING
    summary = "a runbook or dashboard that an alert names and that does not exist"
    only_alerts = True

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if not isinstance(rule.rule, AlertingRule):
            return
        for name, text in rule.rule.annotations.items():
            if name.startswith("__dashboardUid") and text:
                yield from self._dashboard(rule, name, text)
            elif name.endswith(("_url", "_link", "Url", "URL")) or name in ("runbook", "dashboard"):
                yield from self._url(rule, name, text)

    def _url(self, rule: RuleItem, name: str, text: str) -> Iterator[Finding]:
        if not text.strip() or _PLACEHOLDER.search(text):
            message = f"`{name}` does not exist yet"
            yield self.finding(rule.place("annotations", name), message, severity=Severity.INFO)
            return
        if "{{" in text:
            return
        parts = urlsplit(text.strip())
        if name.lower().endswith("url") and not parts.scheme and not text.strip().startswith("/"):
            message = f"`{name}` is not a URL"
            hint = "write the whole address, https://…"
            yield self.finding(rule.place("annotations", name), message, hint=hint, severity=Severity.INFO)
        found = _DASHBOARD.search(parts.path)
        if found:
            yield from self._dashboard(rule, name, found[1])
        yield from self._file(rule, name, parts.path)

    def _dashboard(self, rule: RuleItem, name: str, uid: str) -> Iterator[Finding]:
        known = self.workspace.dashboard_uids if self.workspace.project is not None else ()
        if not known or uid in known or "{{" in uid:
            return
        hint = suggestion(uid, known, f"dashboards: {', '.join(sorted(known))}")
        message = f'this project has no dashboard with the uid "{uid}"'
        yield self.finding(rule.place("annotations", name), message, hint=hint)

    def _file(self, rule: RuleItem, name: str, path: str) -> Iterator[Finding]:
        """A link to a file of the project's own repository, whose folder exists and which does not."""
        root = self.workspace.root
        if root is None or not path.endswith(".md"):
            return
        parts = path.strip("/").split("/")
        for start in range(1, len(parts) - 1):
            file = root.joinpath(*parts[start:])
            if file.parent.is_dir():
                if not file.is_file():
                    known = [item.name for item in file.parent.glob("*.md")]
                    hint = suggestion(file.name, known, "write the page", "{}")
                    message = f"{'/'.join(parts[start:])} does not exist"
                    yield self.finding(rule.place("annotations", name), message, hint=hint)
                return


class UnknownRecording(DashboardCheck):
    """A dashboard that asks Prometheus for a series that no recording rule writes."""

    name = "rule/unknown-recording"
    severity = Severity.INFO
    summary = "a panel that queries a recorded series that no rule of the project records"

    @cached_property
    def _recorded(self) -> set[str]:
        return {rule.rule.name for rule in self.workspace.rules if not rule.is_alert}

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        recorded = self._recorded
        if not recorded:
            return
        for target in dashboard.targets:
            expr = target.data.get("expr")
            if not isinstance(expr, str) or ":" not in expr:
                continue
            for name in _recorded_names(expr):
                guess = nearest(name, recorded)
                if name not in recorded and guess:
                    message = f"no rule of this project records `{name}`"
                    place = dashboard.place(*target.path, "expr")
                    yield self.finding(place, message, hint=did_you_mean(guess, "{}"))


def _recorded_names(expr: str) -> Iterable[str]:
    plain = re.sub(r'"(?:[^"\\]|\\.)*"|\{[^}]*\}|\[[^\]]*\]', " ", expr)
    return re.findall(r"(?<![\w:$])[A-Za-z_]\w*(?::\w+)+", plain)


class NoRoute(WorkspaceCheck):
    """Alertmanager's routes, followed for each alert."""

    name = "rule/no-route"
    severity = Severity.WARNING
    summary = "an alert routed to an Alertmanager receiver that notifies nobody"
    options = {"configuration": ""}

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        file = str(self.settings["configuration"])
        configuration = _read(file) if file else _alertmanager(workspace)
        if configuration is None:
            return
        silent = {
            str(receiver.get("name"))
            for receiver in configuration.get("receivers") or []
            if isinstance(receiver, dict) and not any(key.endswith("_configs") for key in receiver)
        }
        route = configuration.get("route") or {}
        for rule in workspace.rules:
            if not isinstance(rule.rule, AlertingRule):
                continue
            reached = set(_receivers(route, "", rule))
            if reached and reached <= silent:
                names = ", ".join(sorted(reached))
                message = f"Alertmanager takes this alert to {names}, which notifies nobody"
                hint = "give it a label that a route matches, or add a route"
                yield self.finding(rule.place(), message, hint=hint, item=rule.item)


def _read(file: str) -> Mapping[str, Any] | None:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        message = f"rule/no-route: cannot read Alertmanager's configuration: {error.strerror}"
        raise LokictlError(Problem("lint/config", message, position=Position(file))) from None
    value = load_document(text, file).value
    return value if isinstance(value, dict) and isinstance(value.get("route"), dict) else None


def _alertmanager(workspace: Workspace) -> Mapping[str, Any] | None:
    """Alertmanager's configuration among the project's components."""
    for component in workspace.project.components if workspace.project is not None else ():
        for name in component.configuration:
            if "alertmanager" in name and name.endswith((".yaml", ".yml")):
                try:
                    value = load_document(component.configuration_text(name)).value
                except LokictlError:
                    continue
                if isinstance(value, dict) and isinstance(value.get("route"), dict):
                    return value
    return None


def _receivers(route: Mapping[str, Any], inherited: str, rule: RuleItem) -> Iterator[str]:
    """Every receiver that the alert can reach; a label whose value is not known may be anything."""
    receiver = str(route.get("receiver") or inherited)
    taken = False
    for child in route.get("routes") or []:
        fits = _fits(child, rule)
        if fits is False:
            continue
        yield from _receivers(child, receiver, rule)
        if fits and not child.get("continue"):
            return
        taken = taken or fits is True
    if not taken:
        yield receiver


def _fits(route: Mapping[str, Any], rule: RuleItem) -> bool | None:
    """Whether a route takes the alert; None where that depends on a value that is not known."""
    certain: bool | None = True
    for name, operator, value in _matchers(route):
        known = _label(rule, name)
        if known is None:
            certain = None
            continue
        equal = known == value if "~" not in operator else bool(re.fullmatch(value, known))
        if equal is (operator.startswith("!")):
            return False
    return certain


def _matchers(route: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in (route.get("match") or {}).items():
        yield str(name), "=", str(value)
    for name, value in (route.get("match_re") or {}).items():
        yield str(name), "=~", str(value)
    for text in route.get("matchers") or []:
        found = re.fullmatch(r"\s*\"?([\w.]+)\"?\s*(=~|!~|!=|=)\s*\"?(.*?)\"?\s*", str(text))
        if found:
            yield found[1], found[2], found[3]


def _label(rule: RuleItem, name: str) -> str | None:
    """The value of an alert's label: "" where it certainly has none, None where it is not known."""
    if name == "alertname":
        return rule.rule.name
    if name in rule.rule.labels:
        value = rule.rule.labels[name]
        return None if "{{" in value else value
    expression = rule.query.expression
    if expression is None:
        return None
    if semantics.labels_of(expression).lacks(name):
        return ""
    return semantics.pinned_labels(expression).get(name)


CHECKS = (Link, UnknownRecording, NoRoute)
