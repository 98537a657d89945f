"""Whether notifications arrive: contact points that exist, policies that route what rules say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lokictl.diagnostics import Place, Severity, suggestion
from lokictl.lazy import lazy_pattern
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
        points = contact_points(workspace)
        if not points:
            return
        for org, cursor in receivers(workspace):
            name = cursor.text
            known = sorted({point for other, point in points if same_org(org, other)})
            if name and name not in known and name not in DEFAULT_RECEIVERS:
                position = cursor.position()
                elsewhere = sorted(other for other, point in points if point == name)
                hint = suggestion(name, known, f"contact points: {', '.join(known) or 'none'}")
                if elsewhere:
                    hint = f"it is one of organization {elsewhere[0]}; this is of organization {org}"
                place = Place(position, cursor.line(position))
                yield self.finding(place, f'unknown contact point "{name}"', hint=hint)


class Unrouted(WorkspaceCheck):
    """A rule whose labels no policy asks for."""

    name = "managed/unrouted"
    severity = Severity.INFO
    summary = "a rule whose labels fit no notification policy, so that the default contact point gets it"

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        trees = [(org, list(policy.child("routes").children())) for org, policy in policies(workspace)]
        for rule in workspace.managed_rules:
            if rule.rule.record is not None or rule.rule.notification_settings:
                continue
            org = org_of(rule.rule.origin, org_of(rule.group.origin, int(rule.shape == "provisioning")))
            routes = [route for other, found in trees if same_org(org, other) for route in found]
            if routes and not any(may_match(route, rule) for route in routes):
                message = (
                    "no notification policy fits the labels of this rule: the default contact point gets it"
                )
                hint = "add a label that a policy matches, or a policy"
                yield self.finding(rule.place("labels"), message, hint=hint, item=rule.item)


def org_of(cursor: Cursor | None, default: int) -> int:
    """The number of the organization that something says it is of."""
    if cursor is None:
        return default
    for key in ("orgId", "orgID"):
        value = cursor.child(key).value
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return default


def same_org(one: int, other: int) -> bool:
    """Whether two things may be in one organization; 0 is not known."""
    return one == other or not one or not other


def contact_points(workspace: Workspace) -> set[tuple[int, str]]:
    """(organization, name) of all contact points of this run."""
    found: set[tuple[int, str]] = set()
    if workspace.project is not None and workspace.project.notifications is not None:
        found |= {(0, point.name) for point in workspace.project.notifications.contact_points}
    for item in workspace.alerting:
        if item.shape == "provisioning":
            points = item.cursor.child("contactPoints").children()
            found |= {(org_of(point, 1), point.child("name").text) for point in points}
        elif item.shape == "contact-point":
            found.add((0, item.cursor.child("name").text))
    return {(org, name) for org, name in found if name}


def policies(workspace: Workspace) -> Iterator[tuple[int, Cursor]]:
    """(organization, root) of all notification policies of this run."""
    for item in workspace.alerting:
        if item.shape == "provisioning":
            for policy in item.cursor.child("policies").children():
                yield org_of(policy, 1), policy
        elif item.shape == "policy":
            route = item.cursor.child("route")
            yield 0, route if isinstance(route.value, dict) else item.cursor


def receivers(workspace: Workspace) -> Iterator[tuple[int, Cursor]]:
    """(organization, place) of everything that names a contact point."""
    for org, policy in policies(workspace):
        yield from ((org, receiver) for receiver in _receivers(policy))
    for rule in workspace.managed_rules:
        cursor = rule.rule.origin
        org = org_of(cursor, org_of(rule.group.origin, int(rule.shape == "provisioning")))
        for key in ("notification_settings", "notificationSettings"):
            if cursor is not None and isinstance(cursor.child(key).value, dict):
                yield org, cursor.child(key, "receiver")


def _receivers(route: Cursor) -> Iterator[Cursor]:
    if isinstance(route.value, dict):
        if route.value.get("receiver"):
            yield route.child("receiver")
        for child in route.child("routes").children():
            yield from _receivers(child)


_MATCHER = lazy_pattern(r"^\s*([\w.-]+)\s*(=~|!~|!=|=)\s*\"?(.*?)\"?\s*$")


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
