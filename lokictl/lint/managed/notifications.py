"""Whether notifications arrive: contact points that exist, policies that route what rules say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lokictl.diagnostics import Place, Severity, suggestion
from lokictl.lint.interface import Check, Finding, ManagedRuleItem, Workspace, WorkspaceCheck
from lokictl.model.documents import Cursor

DEFAULT_RECEIVERS = ("grafana-default-email", "email receiver", "empty")
"""Contact points that Grafana has by itself, in one version or another."""


class UnknownContactPoint(WorkspaceCheck):
    """A policy or a rule that names a contact point which does not exist."""

    name = "managed/unknown-contact-point"
    severity = Severity.ERROR
    summary = "a policy or a rule that notifies a contact point that does not exist"

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        known = contact_points(workspace)
        if not known:
            return
        for cursor in receivers(workspace):
            name = cursor.text
            if name and name not in known and name not in DEFAULT_RECEIVERS:
                position = cursor.position()
                hint = suggestion(name, sorted(known), f"contact points: {', '.join(sorted(known))}")
                place = Place(position, cursor.line(position))
                yield self.finding(place, f'unknown contact point "{name}"', hint=hint)


class Unrouted(WorkspaceCheck):
    """A rule whose labels no policy asks for."""

    name = "managed/unrouted"
    severity = Severity.INFO
    summary = "a rule whose labels fit no notification policy, so that the default contact point gets it"

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        routes = [route for policy in policies(workspace) for route in policy.child("routes").children()]
        if not routes:
            return
        for rule in workspace.managed_rules:
            if rule.rule.record is not None or rule.rule.notification_settings:
                continue
            if not any(may_match(route, rule) for route in routes):
                message = (
                    "no notification policy fits the labels of this rule: the default contact point gets it"
                )
                hint = "add a label that a policy matches, or a policy"
                yield self.finding(rule.place("labels"), message, hint=hint, item=rule.item)


def contact_points(workspace: Workspace) -> set[str]:
    """The names of all contact points of this run."""
    found: set[str] = set()
    if workspace.project is not None and workspace.project.notifications is not None:
        found |= {point.name for point in workspace.project.notifications.contact_points}
    for item in workspace.alerting:
        if item.shape == "provisioning":
            found |= {point.child("name").text for point in item.cursor.child("contactPoints").children()}
        elif item.shape == "contact-point":
            found.add(item.cursor.child("name").text)
    return found - {""}


def policies(workspace: Workspace) -> Iterator[Cursor]:
    """The roots of all notification policies of this run."""
    for item in workspace.alerting:
        if item.shape == "provisioning":
            yield from item.cursor.child("policies").children()
        elif item.shape == "policy":
            route = item.cursor.child("route")
            yield route if isinstance(route.value, dict) else item.cursor


def receivers(workspace: Workspace) -> Iterator[Cursor]:
    """Every place that names a contact point."""
    for policy in policies(workspace):
        yield from _receivers(policy)
    for rule in workspace.managed_rules:
        cursor = rule.rule.origin
        for key in ("notification_settings", "notificationSettings"):
            if cursor is not None and isinstance(cursor.child(key).value, dict):
                yield cursor.child(key, "receiver")


def _receivers(route: Cursor) -> Iterator[Cursor]:
    if isinstance(route.value, dict):
        if route.value.get("receiver"):
            yield route.child("receiver")
        for child in route.child("routes").children():
            yield from _receivers(child)


_MATCHER = re.compile(r"^\s*([\w.-]+)\s*(=~|!~|!=|=)\s*\"?(.*?)\"?\s*$")


def matchers(route: Cursor) -> list[tuple[str, str, str]] | None:
    """(label, operator, value) of a route; None where one cannot be read."""
    value = route.value if isinstance(route.value, dict) else {}
    found: list[tuple[str, str, str]] = []
    for item in [*_list(value.get("object_matchers")), *_list(value.get("matchers"))]:
        if isinstance(item, list) and len(item) == 3:
            found.append((str(item[0]), str(item[1]), str(item[2])))
        elif isinstance(item, str) and (match := _MATCHER.match(item)):
            found.append((match[1], match[2], match[3]))
        else:
            return None
    return found


def may_match(route: Cursor, rule: ManagedRuleItem) -> bool:
    """Whether a route can match alerts of a rule; labels of the query are not known, and may have any value."""
    wanted = matchers(route)
    if wanted is None:
        return True
    labels = {**rule.rule.labels, "alertname": rule.rule.title, "grafana_folder": rule.group.folder}
    for name, operator, value in wanted:
        known = labels.get(name)
        # A label that the rule does not set may come from the query.
        if known is None and not rule.queries:
            continue
        if known is None or "{{" in known:
            if known is None and not _may_return(rule, name) and operator in ("=", "=~"):
                return False
            continue
        same = known == value if operator in ("=", "!=") else re.fullmatch(value, known) is not None
        if same != (operator in ("=", "=~")):
            return False
    return True


def _may_return(rule: ManagedRuleItem, label: str) -> bool:
    """Whether a query of the rule may answer series with this label: its text names it, or groups by nothing."""
    return any(
        re.search(rf"\b{re.escape(label)}\b", query.text)
        or not re.search(r"\b(?:sum|count|min|max|avg)\b", query.text)
        for _, query in rule.queries
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


CHECKS: tuple[type[Check], ...] = (UnknownContactPoint, Unrouted)
