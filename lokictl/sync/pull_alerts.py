"""What `lokictl pull` makes of Grafana's alerting: files of rules in Grafana's own form, and one `Notifications`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lokictl.logql.units import parse_prometheus_duration
from lokictl.model.contents import FoundAlerting, contents_of
from lokictl.model.documents import Cursor, Document
from lokictl.model.managed_alerts import ManagedGroup, managed_groups, read_managed_groups
from lokictl.model.managed_translation import provisioning_file
from lokictl.model.notifications import with_setting
from lokictl.model.yaml_source import load_documents
from lokictl.model.yaml_writer import dump_yaml
from lokictl.sync.normal_form import DEFAULT_POLICY, alert_group, redacted_settings, route_matchers
from lokictl.sync.plan import Kind, Live
from lokictl.sync.python_source import Source, call, duration, identifier

CLASSES = (
    "ContactPoint",
    "Integration",
    "Matcher",
    "MessageTemplate",
    "MuteTiming",
    "Notifications",
    "Route",
)
MOST_ON_A_LINE = 60
TIMES = ("group_wait", "group_interval", "repeat_interval")


def alerts_text(lives: Sequence[Live], folder: str) -> str:
    """The alert groups of one folder (a path of titles) as a provisioning file, which Grafana itself reads, too."""
    groups = [_group(live, folder) for live in lives]
    text = dump_yaml(_with_folder_uids(provisioning_file(groups), groups))
    return f"# Adopted by `lokictl pull`.\n{text}"


def _group(live: Live, folder: str) -> ManagedGroup:
    document: Document = load_documents(dump_yaml(dict(live.body)), "")[0]
    (group,) = read_managed_groups(FoundAlerting(Cursor(document), "group"))
    return group.in_place(folder, live.folder)


def _with_folder_uids(data: Any, groups: Iterable[ManagedGroup]) -> Any:
    """Grafana passes over the key; `lokictl sync` finds the folder by it."""
    for entry, group in zip(data["groups"], groups, strict=True):
        rules = entry.pop("rules")
        entry |= {"folderUid": group.folder_uid, "rules": rules}
    return data


def read_back(text: str) -> list[dict[str, Any]]:
    """The normal forms of the groups that a document has, for the comparison with what it was made from."""
    found = [item for document in load_documents(text, "") for item in contents_of(document).alerting]
    groups = [group for item in found for group in managed_groups(item)]
    return [alert_group(group.to_api()) for group in groups]


# --- notifications -------------------------------------------------------------------------------------------


def secret_name(uid: str, path: str) -> str:
    """How a secret of a pulled contact point is called."""
    return identifier(f"{uid}_{path}")


def secret_names(lives: Iterable[Live]) -> list[str]:
    """The names of all secrets of pulled contact points."""
    found = []
    for live in lives:
        for item in live.body["receivers"] if live.key.kind is Kind.CONTACT_POINT else ():
            uid = str(item["uid"])
            paths = redacted_settings({"receivers": [item]})
            found += [secret_name(uid, path.removeprefix(f"{uid}.")) for path in paths]
    return found


def notifications_source(lives: Sequence[Live]) -> tuple[list[str], str]:
    """(imports, source) of a module with everything that ``lives`` have of notifications."""
    of_kind = {kind: [live for live in lives if live.key.kind is kind] for kind in Kind}
    policies = of_kind[Kind.POLICY]
    tree = policies[0].body if policies else DEFAULT_POLICY
    arguments: list[tuple[str, Any]] = [
        ("", Source(_route(tree, 4))),
        ("", tuple(Source(_point(live, 8)) for live in of_kind[Kind.CONTACT_POINT])),
    ]
    timings = tuple(
        Source(call("MuteTiming", [("", live.key.name), ("", tuple(live.body["time_intervals"]))], 8, 8))
        for live in of_kind[Kind.MUTE_TIMING]
    )
    templates = tuple(
        Source(call("MessageTemplate", [("", live.key.name), ("", live.body["template"])], 8, 8))
        for live in of_kind[Kind.TEMPLATE]
    )
    arguments += [("mute_timings", timings)] if timings else []
    arguments += [("templates", templates)] if templates else []
    body = f"NOTIFICATIONS = {call('Notifications', arguments)}"
    classes = [name for name in CLASSES if f"{name}(" in body]
    listed = ", ".join(classes)
    if len(listed) > MOST_ON_A_LINE:
        listed = "(\n" + "".join(f"    {name},\n" for name in classes) + ")"
    imports = [f"from lokictl.model.notifications import {listed}"]
    units = [
        unit for unit in ("DAY", "HOUR", "MINUTE", "SECOND") if f"={unit}" in body or f"* {unit}" in body
    ]
    if units:
        imports.insert(0, f"from lokictl.durations import {', '.join(units)}")
    return imports, body


def _route(route: Mapping[str, Any], indent: int) -> str:
    arguments: list[tuple[str, Any]] = [("", str(route.get("receiver") or ""))]
    matchers = tuple(Source(call("Matcher", [("", part) for part in item])) for item in route_matchers(route))
    if matchers:
        arguments.append(("", matchers))
    if route.get("continue"):
        arguments.append(("go_on", True))
    if route.get("group_by"):
        arguments.append(("group_by", tuple(route["group_by"])))
    for key in TIMES:
        if route.get(key):
            arguments.append((key, duration(parse_prometheus_duration(str(route[key])))))
    for key, name in (("mute_time_intervals", "mute_timings"), ("active_time_intervals", "active_timings")):
        if route.get(key):
            arguments.append((name, tuple(route[key])))
    if route.get("routes"):
        below = tuple(Source(_route(item, indent + 8)) for item in route["routes"])
        arguments.append(("routes", below))
    return call("Route", arguments, indent, indent)


def _point(live: Live, indent: int) -> str:
    integrations = tuple(Source(_integration(item, indent + 8)) for item in live.body["receivers"])
    return call("ContactPoint", [("", live.key.name), ("", integrations)], indent, indent)


def _integration(item: Mapping[str, Any], indent: int) -> str:
    uid, settings = str(item["uid"]), dict(item.get("settings") or {})
    secrets = {}
    for place in redacted_settings({"receivers": [item]}):
        path = place.removeprefix(f"{uid}.")
        settings = with_setting(settings, path, None)
        secrets[path] = secret_name(uid, path)
    settings = {key: value for key, value in settings.items() if value is not None}
    arguments: list[tuple[str, Any]] = [("", str(item.get("type"))), ("", settings)]
    if secrets:
        arguments.append(("secrets", secrets))
    if item.get("disableResolveMessage"):
        arguments.append(("send_resolved", False))
    arguments.append(("uid", uid))
    return call("Integration", arguments, indent, indent)
