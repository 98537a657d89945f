"""Who is notified of alerts, as resources of a sync: templates, contact points, mute timings, the tree of policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from lokictl.model.notifications import SECRET_SETTINGS, ContactPoint, Notifications, setting, with_setting
from lokictl.secrets import Secret
from lokictl.sync.configuration import Target
from lokictl.sync.normal_form import REDACTED, redacted_settings
from lokictl.sync.plan import Key, Kind, Live, Resource

POLICY_KEY = Key(Kind.POLICY, "tree")


def notification_resources(notifications: Notifications, target: Target) -> Iterator[Resource]:
    """What ``target`` takes of the project's notifications."""
    provenance = target.provenance
    for template in notifications.templates:
        body: dict[str, Any] = {"name": template.name, "template": template.text, **provenance}
        yield Resource(Key(Kind.TEMPLATE, template.name), template.name, body)
    for point in notifications.contact_points:
        yield _contact_point(point, target, provenance)
    for timing in notifications.mute_timings:
        intervals = [dict(part) for part in timing.intervals]
        body = {"name": timing.name, "time_intervals": intervals, **provenance}
        yield Resource(Key(Kind.MUTE_TIMING, timing.name), timing.name, body)
    if target.policies:
        title = "the tree" if target.policies == "tree" else "the branches of this project"
        yield Resource(POLICY_KEY, title, policy_body(notifications, target.policies, provenance))


def policy_body(notifications: Notifications, extent: str, provenance: Mapping[str, str]) -> dict[str, Any]:
    """The whole tree, or ("branches") the branches of the project and the contact points by which they are known."""
    if extent == "tree":
        return {**notifications.route.to_grafana(), **provenance}
    return {
        "receivers": sorted(point.name for point in notifications.contact_points),
        "routes": [route.to_grafana() for route in notifications.route.branches()],
    }


def policy_problems(notifications: Notifications, extent: str) -> Iterator[str]:
    """Why the branches of the project cannot be put beside those of others."""
    if extent != "branches":
        return
    branches = notifications.route.routes
    if not branches:
        yield 'policies = "branches" needs routes below the root; the root itself stays as Grafana has it'
    for route in branches:
        if not route.matchers:
            yield (
                f'the route to "{route.receiver}" has no matchers: with policies = "branches" it would take the '
                "alerts of everybody"
            )


def _contact_point(point: ContactPoint, target: Target, provenance: Mapping[str, str]) -> Resource:
    """A contact point; secrets are marked in the body, and go along where the target knows them."""
    receivers, secrets = [], {}
    for uid, item in zip(point.uids(), point.integrations, strict=True):
        settings = dict(item.settings)
        for path, name in item.secrets.items():
            known = target.secrets.get(name)
            if known is not None and path not in SECRET_SETTINGS.get(item.kind, (path,)):
                # No secret to this Grafana: it shows the value, and so it can be compared.
                settings = with_setting(settings, path, known.reveal())
                continue
            settings = with_setting(settings, path, REDACTED)
            if known is not None:
                secrets[f"{uid}.{path}"] = Secret(known.name, known.reveal())
        receivers.append(
            {
                "uid": uid,
                "type": item.kind,
                "settings": settings,
                "disableResolveMessage": not item.send_resolved,
            }
        )
    body = {"name": point.name, "receivers": receivers, **provenance}
    return Resource(Key(Kind.CONTACT_POINT, point.name), point.name, body, secrets=secrets)


def unknown_secrets(point: ContactPoint, target: Target) -> list[str]:
    """The names of a contact point's secrets that the target does not know."""
    names = [name for item in point.integrations for name in item.secrets.values()]
    return sorted({name for name in names if name not in target.secrets})


def with_shown_secrets(resource: Resource, live: Live) -> Resource:
    """The contact point with those secrets in its body that this Grafana does not keep as such: they are compared."""
    there = {str(item.get("uid")): item.get("settings") or {} for item in live.body["receivers"]}
    secrets = dict(resource.secrets)
    receivers = []
    for item in resource.body["receivers"]:
        uid, settings = str(item["uid"]), dict(item["settings"])
        for name, secret in resource.secrets.items():
            path = name.removeprefix(f"{uid}.")
            if path != name and setting(there.get(uid, {}), path) not in (None, REDACTED):
                settings = with_setting(settings, path, secret.reveal())
                del secrets[name]
        for name in redacted_settings({"receivers": [{**item, "settings": settings}]}):
            path = name.removeprefix(f"{uid}.")
            shown = setting(there.get(uid, {}), path)
            if name not in secrets and shown is not None:
                settings = with_setting(settings, path, shown)  # Nobody knows another.
        receivers.append({**item, "settings": settings})
    return dataclasses.replace(resource, body={**resource.body, "receivers": receivers}, secrets=secrets)
