"""Custom resources: for the Grafana operator (version 5), for the Loki operator, and for Alloy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lokictl.durations import HOUR, MINUTE, SECOND
from lokictl.lazy import lazy_pattern
from lokictl.model.managed_alerts import ManagedGroup, ManagedRule, panel_link
from lokictl.model.notifications import ContactPoint, Notifications, Route
from lokictl.model.rules import AlertingRule, RecordingRule, RuleGroup
from lokictl.model.yaml_writer import dump_yaml
from lokictl.project.folders import FolderTree
from lokictl.render.alerting import managed_groups
from lokictl.render.grafana import DashboardFile, dashboard_files, datasource_entry, folder_tree
from lokictl.render.names import check_unique, object_name, slug
from lokictl.render.rules import rule_files_of
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.model import DataSource, RuleFile
    from lokictl.project import Project

GRAFANA_API = "grafana.integreatly.org/v1beta1"
LOKI_API = "loki.grafana.com/v1"
PROMETHEUS_API = "monitoring.coreos.com/v1"

Manifest = dict[str, Any]


def render_operator(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text below ``operator/``: ``grafana/``, ``loki/`` (the Loki operator) and ``alloy/``."""
    return {f"operator/{path}": dump_yaml(manifest) for path, manifest in manifests(project, settings)}


def operator_notes(project: Project, settings: Settings) -> Iterator[str]:
    """Notes for the person who applies the manifests."""
    if rule_files_of(project, settings, "loki"):
        yield "operator/loki is for the Loki operator, operator/alloy for Alloy's loki.rules.kubernetes: apply one"
    if any(not item.folder for item in dashboard_files(project, settings)):
        yield "the Grafana operator has no root: dashboards of General go to a folder named after their namespace"
    yield from permission_notes(project, settings)
    secrets = sorted(set(_secret_keys(project, settings)))
    if secrets:
        yield f"the Secret {settings.secrets_name} must have the keys {', '.join(secrets)}"


def manifests(project: Project, settings: Settings) -> Iterator[tuple[str, Manifest]]:
    """(file, manifest) of everything that the project has."""
    tree = folder_tree(project, settings)
    dashboards = dashboard_files(project, settings, tree)
    groups = managed_groups(project, settings, tree)
    used = {item.folder_uid for item in dashboards} | {group.folder_uid for group in groups}
    folders = {part for uid in used for part in _with_parents(uid, tree)}
    check_unique("the folders", ((uid, folder_name(uid, settings)) for uid in sorted(folders)))
    for uid in sorted(folders):
        yield f"grafana/folders/{slug(uid)}.yaml", folder(uid, tree, settings)
    for dashboard in dashboards:
        yield f"grafana/dashboards/{slug(dashboard.uid)}.yaml", dashboard_object(dashboard, settings)
    for source in project.datasources:
        yield f"grafana/datasources/{slug(source.uid)}.yaml", datasource_object(source, settings)
    for group in groups:
        name = object_name(settings.name, group.folder_uid, group.name)
        yield f"grafana/alerts/{name}.yaml", alert_group(group, name, tree, settings)
    if groups and project.notifications is not None:
        yield from notification_objects(project.notifications, settings)
    yield from loki_rules(rule_files_of(project, settings, "loki"), settings)


def _object(api: str, kind: str, name: str, spec: Mapping[str, Any], settings: Settings) -> Manifest:
    metadata: dict[str, Any] = {"name": name}
    if settings.namespace:
        metadata["namespace"] = settings.namespace
    metadata["labels"] = {
        "app.kubernetes.io/managed-by": "lokictl",
        "app.kubernetes.io/part-of": settings.name,
    }
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _grafana_object(kind: str, name: str, spec: Mapping[str, Any], settings: Settings) -> Manifest:
    key, _, value = settings.grafana_instance.partition("=")
    selector = {"instanceSelector": {"matchLabels": {key: value}}}
    return _object(GRAFANA_API, kind, name, {**selector, **spec}, settings)


# --- the Grafana operator ----------------------------------------------------------------------------------


def folder(uid: str, tree: FolderTree, settings: Settings) -> Manifest:
    """`GrafanaFolder`; the folder it is in is an object of its own, or one that Grafana has already."""
    found = tree.folders[uid]
    spec: dict[str, Any] = {"title": found.title, "uid": uid}
    if found.parent in tree.folders:
        spec["parentFolderRef"] = folder_name(found.parent, settings)
    elif found.parent:
        spec["parentFolderUID"] = found.parent
    roles = {who: what for who, what in (found.permissions or {}).items() if ":" not in who}
    if found.permissions is not None:
        items = [{"role": who, "permission": NUMBERS[what]} for who, what in sorted(roles.items())]
        spec["permissions"] = json.dumps({"items": items})
    return _grafana_object("GrafanaFolder", folder_name(uid, settings), spec, settings)


NUMBERS = {"View": 1, "Edit": 2, "Admin": 4}
"""Permissions as Grafana's API has them."""


def permission_notes(project: Project, settings: Settings) -> Iterator[str]:
    """Permissions that a custom resource cannot give: the operator knows teams and users by numbers only."""
    tree = folder_tree(project, settings)
    for uid, found in sorted(tree.folders.items()):
        people = sorted(who for who in found.permissions or () if ":" in who)
        if people:
            yield f"the folder {uid}: the operator cannot give permissions to {', '.join(people)}; `lokictl sync` can"


def folder_name(uid: str, settings: Settings) -> str:
    """The name of a folder's object, which others refer to."""
    return object_name(settings.name, "folder", uid)


def _with_parents(uid: str, tree: FolderTree) -> Iterator[str]:
    """A folder and those that it is in."""
    seen: set[str] = set()
    while uid in tree.folders and uid not in seen:
        seen.add(uid)
        yield uid
        uid = tree.folders[uid].parent


def dashboard_object(dashboard: DashboardFile, settings: Settings) -> Manifest:
    """`GrafanaDashboard` with its model as JSON."""
    spec = {"uid": dashboard.uid}
    if dashboard.folder_uid:
        spec["folderRef"] = folder_name(dashboard.folder_uid, settings)
    spec["json"] = dashboard.text() + "\n"
    name = object_name(settings.name, dashboard.uid.removeprefix(f"{settings.name}-"))
    return _grafana_object("GrafanaDashboard", name, spec, settings)


_SECRET = lazy_pattern(r"\$__env\{(\w+)\}|\$__file\{(?:[^{}]*/)?([^/{}]+)\}|\$\{?(\w+)\}?")


def datasource_object(source: DataSource, settings: Settings) -> Manifest:
    """`GrafanaDatasource`; secrets are taken from a Kubernetes Secret."""
    entry = source.with_environment()
    # The API knows what files call by other names, and takes no correlations.
    entry.pop("secureJsonData", None)
    entry["editable"] = source.editable
    values, secure = [], {}
    for key, reference in datasource_entry(source, settings).get("secureJsonData", {}).items():
        found = _SECRET.fullmatch(str(reference))
        if found is None:
            secure[key] = str(reference).replace("$$", "$")
            continue
        name = found[1] or found[2] or found[3]
        secure[key] = f"${{{name}}}"
        values.append(_value_from(f"secureJsonData.{key}", name, settings))
    if secure:
        entry["secureJsonData"] = secure
    known = ("name", "type", "uid", "url", "access", "database", "user", "isDefault", "basicAuth",
             "basicAuthUser", "orgId", "editable", "jsonData", "secureJsonData")  # fmt: skip
    spec: dict[str, Any] = {
        "uid": source.uid,
        "datasource": {key: value for key, value in entry.items() if key in known},
    }
    if values:
        spec["valuesFrom"] = values
    return _grafana_object("GrafanaDatasource", object_name(settings.name, source.uid), spec, settings)


def _value_from(target: str, key: str, settings: Settings) -> dict[str, Any]:
    reference = {"name": settings.secrets_name, "key": key}
    return {"targetPath": target, "valueFrom": {"secretKeyRef": reference}}


def alert_group(group: ManagedGroup, name: str, tree: FolderTree, settings: Settings) -> Manifest:
    """`GrafanaAlertRuleGroup`."""
    spec = {
        "name": group.name,
        **_folder_of(group, tree, settings),
        "interval": go_duration(group.interval),
        "rules": [_operator_rule(rule) for rule in group.rules],
    }
    return _grafana_object("GrafanaAlertRuleGroup", name, spec, settings)


def _folder_of(group: ManagedGroup, tree: FolderTree, settings: Settings) -> dict[str, str]:
    """The folder's object, or the uid of one that Grafana has already."""
    if group.folder_uid in tree.folders:
        return {"folderRef": folder_name(group.folder_uid, settings)}
    return {"folderUID": group.folder_uid}


def _operator_rule(rule: ManagedRule) -> dict[str, Any]:
    written = rule.to_dict(for_file=False)
    found: dict[str, Any] = {key: written[key] for key in ("uid", "title", "data") if key in written}
    found["condition"] = rule.condition or "A"
    found["for"] = go_duration(rule.for_)
    if rule.record is not None:
        record = {"metric": rule.record["metric"], "from": rule.record["from"]}
        found["record"] = {**record, "targetDatasourceUid": rule.record["target_datasource_uid"]}
    elif rule.keep_firing_for:
        found["keepFiringFor"] = go_duration(rule.keep_firing_for)
    found["noDataState"], found["execErrState"] = rule.no_data_state, rule.exec_err_state
    if rule.missing_series:
        found["missingSeriesEvalsToResolve"] = rule.missing_series
    for key in ("annotations", "labels", "isPaused"):
        if key in written:
            found[key] = written[key]
    if rule.notification_settings:
        found["notificationSettings"] = dict(rule.notification_settings)
    found |= panel_link(rule.annotations)
    return found


def go_duration(nanoseconds: int) -> str:
    """A duration in hours, minutes and seconds, the units that every schema takes."""
    text, left = "", nanoseconds
    for unit, size in (("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def notification_objects(notifications: Notifications, settings: Settings) -> Iterator[tuple[str, Manifest]]:
    """`GrafanaContactPoint`, `GrafanaNotificationPolicy`, `GrafanaMuteTiming`, `GrafanaNotificationTemplate`."""
    folder_path = "grafana/notifications"
    for point in notifications.contact_points:
        name = object_name(settings.name, point.name)
        yield f"{folder_path}/contact-point-{name}.yaml", contact_point(point, name, settings)
    policy = {"route": _operator_route(notifications.route)}
    name = object_name(settings.name, "policy")
    yield f"{folder_path}/policy.yaml", _grafana_object("GrafanaNotificationPolicy", name, policy, settings)
    for timing in notifications.mute_timings:
        name = object_name(settings.name, timing.name)
        spec = {"name": timing.name, "time_intervals": [dict(part) for part in timing.intervals]}
        yield f"{folder_path}/mute-{name}.yaml", _grafana_object("GrafanaMuteTiming", name, spec, settings)
    for template in notifications.templates:
        name = object_name(settings.name, template.name)
        spec = {"name": template.name, "template": template.text}
        manifest = _grafana_object("GrafanaNotificationTemplate", name, spec, settings)
        yield f"{folder_path}/template-{name}.yaml", manifest


def contact_point(point: ContactPoint, name: str, settings: Settings) -> Manifest:
    """`GrafanaContactPoint`; secrets are taken from a Kubernetes Secret."""
    receivers = []
    for uid, item in zip(point.uids(), point.integrations, strict=True):
        receiver: dict[str, Any] = {
            "uid": uid,
            "type": item.kind,
            "settings": dict(item.settings),
            "disableResolveMessage": not item.send_resolved,
        }
        if item.secrets:
            receiver["valuesFrom"] = [
                _value_from(key, secret, settings) for key, secret in item.secrets.items()
            ]
        receivers.append(receiver)
    return _grafana_object(
        "GrafanaContactPoint", name, {"name": point.name, "receivers": receivers}, settings
    )


def _operator_route(route: Route) -> dict[str, Any]:
    return route.to_grafana()


# --- Loki's rules ------------------------------------------------------------------------------------------


def loki_rules(files: Iterable[RuleFile], settings: Settings) -> Iterator[tuple[str, Manifest]]:
    """`AlertingRule` and `RecordingRule` for the Loki operator, `PrometheusRule` for Alloy, for each namespace."""
    merged: dict[tuple[str, str], list[RuleGroup]] = {}
    for file in files:
        merged.setdefault((file.tenant or settings.tenant, file.namespace), []).extend(file.groups)
    for (tenant, namespace), groups in sorted(merged.items()):
        extra = [tenant] if tenant != settings.tenant else []
        name = object_name(settings.name, *extra, namespace.removesuffix(".yaml").removesuffix(".yml"))
        for kind, rule_class in (("AlertingRule", AlertingRule), ("RecordingRule", RecordingRule)):
            found = [part for group in groups if (part := _only(group, rule_class)).rules]
            if found:
                spec = {"tenantID": tenant, "groups": [_loki_group(group) for group in found]}
                path = f"loki/{kind.lower()}-{name}.yaml"
                yield path, _object(LOKI_API, kind, name, spec, settings)
        if groups:
            spec = {"groups": [_prometheus_group(group) for group in groups]}
            manifest = _object(PROMETHEUS_API, "PrometheusRule", name, spec, settings)
            # Alloy chooses by label; without one it would take Prometheus's rules, too.
            manifest["metadata"]["labels"]["loki_rule"] = "1"
            yield f"alloy/{name}.yaml", manifest


def _only(group: RuleGroup, rule_class: type[AlertingRule] | type[RecordingRule]) -> RuleGroup:
    return replace(group, rules=tuple(rule for rule in group.rules if isinstance(rule, rule_class)))


def _loki_group(group: RuleGroup) -> dict[str, Any]:
    written = group.to_dict()
    return {key: written[key] for key in ("name", "interval", "limit", "rules") if key in written}


def _prometheus_group(group: RuleGroup) -> dict[str, Any]:
    written = group.to_dict()
    keys = ("name", "interval", "limit", "query_offset", "labels", "rules")
    return {key: written[key] for key in keys if key in written}


def _secret_keys(project: Project, settings: Settings) -> Iterator[str]:
    for _, manifest in manifests(project, settings):
        spec = manifest["spec"]
        parts = [spec, *(item for item in spec.get("receivers", ()) if isinstance(item, dict))]
        for part in parts:
            for value in part.get("valuesFrom", ()):
                yield value["valueFrom"]["secretKeyRef"]["key"]
