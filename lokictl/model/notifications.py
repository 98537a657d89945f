"""Who is told of which alerts: one description for Alertmanager and for Grafana's own alerting.

A content project defines one `Notifications`; `to_alertmanager_route` gives Alertmanager's routing tree,
`grafana_policies`, `grafana_contact_points` and `grafana_mute_timings` the same for Grafana.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from lokictl.durations import DurationField
from lokictl.logql.units import format_prometheus_duration

OPERATORS = ("=", "!=", "=~", "!~")

Secret = Callable[[str], str]
"""Makes what stands in a file for the secret of a name: ``$__file{/etc/secrets/slack_url}``."""


@dataclass(frozen=True)
class Matcher:
    """A condition on a label: ``Matcher("severity", "=", "critical")``."""

    label: str
    operator: str
    value: str

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise ValueError(f'"{self.operator}" is not a matcher operator: {", ".join(OPERATORS)}')

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.label}{self.operator}"{escaped}"'


@dataclass(frozen=True)
class Route:
    """A branch of the routing tree: alerts that fit all ``matchers`` go to ``receiver``, or to a branch below.

    The first branch that fits decides, unless it says ``go_on``.  Times take any `lokictl.durations.Duration`; 0 and
    an empty ``group_by`` are those of the branch above.
    """

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    _: KW_ONLY
    go_on: bool = False
    group_by: tuple[str, ...] = ()
    group_wait: DurationField = DurationField()
    group_interval: DurationField = DurationField()
    repeat_interval: DurationField = DurationField()
    mute_timings: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()

    def settings(self) -> dict[str, Any]:
        """What both homes write alike."""
        found: dict[str, Any] = {"receiver": self.receiver}
        if self.group_by:
            found["group_by"] = list(self.group_by)
        for key, value in (
            ("group_wait", self.group_wait),
            ("group_interval", self.group_interval),
            ("repeat_interval", self.repeat_interval),
        ):
            if value:
                found[key] = format_prometheus_duration(value)
        if self.mute_timings:
            found["mute_time_intervals"] = list(self.mute_timings)
        if self.go_on:
            found["continue"] = True
        return found

    def to_alertmanager_route(self) -> dict[str, Any]:
        """The branch in Alertmanager's configuration."""
        found = self.settings()
        if self.matchers:
            found["matchers"] = [str(matcher) for matcher in self.matchers]
        if self.routes:
            found["routes"] = [route.to_alertmanager_route() for route in self.routes]
        return found

    def to_grafana(self) -> dict[str, Any]:
        """The branch as a notification policy."""
        found = self.settings()
        if self.matchers:
            found["object_matchers"] = [[item.label, item.operator, item.value] for item in self.matchers]
        if self.routes:
            found["routes"] = [route.to_grafana() for route in self.routes]
        return found

    def receivers(self) -> Iterator[str]:
        """The receivers of this branch and of those below."""
        yield self.receiver
        for route in self.routes:
            yield from route.receivers()


@dataclass(frozen=True)
class Integration:
    """One way to reach somebody, in Grafana's words: ``Integration("slack", {"recipient": "#core"}, …)``.

    ``secrets`` maps settings to the names of secrets, which files only refer to.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    _: KW_ONLY
    send_resolved: bool = True


@dataclass(frozen=True)
class ContactPoint:
    """Somebody who is told, in one or several ways."""

    name: str
    integrations: tuple[Integration, ...]

    def to_grafana(self, secret: Secret) -> dict[str, Any]:
        """The contact point in a provisioning file."""
        receivers = []
        for index, item in enumerate(self.integrations):
            references = {key: secret(name) for key, name in item.secrets.items()}
            receivers.append(
                {
                    "uid": f"{self.name}-{index}"[:40],
                    "type": item.kind,
                    "settings": {**item.settings, **references},
                    "disableResolveMessage": not item.send_resolved,
                }
            )
        return {"orgId": 1, "name": self.name, "receivers": receivers}


@dataclass(frozen=True)
class MuteTiming:
    """Times at which nobody is told; ``intervals`` in the words of Alertmanager, which Grafana shares."""

    name: str
    intervals: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class MessageTemplate:
    """A named template of messages (Go's template language)."""

    name: str
    text: str


@dataclass(frozen=True)
class Notifications:
    """Who is told of what.  Raises `ValueError` for a route to somebody who is not described."""

    route: Route
    contact_points: tuple[ContactPoint, ...]
    _: KW_ONLY
    mute_timings: tuple[MuteTiming, ...] = ()
    templates: tuple[MessageTemplate, ...] = ()

    def __post_init__(self) -> None:
        known = {point.name for point in self.contact_points}
        unknown = sorted(set(self.route.receivers()) - known)
        if unknown:
            raise ValueError(f"a route leads to {unknown[0]}, which is not a contact point: {sorted(known)}")

    def to_alertmanager_route(self) -> dict[str, Any]:
        """Alertmanager's routing tree."""
        return self.route.to_alertmanager_route()

    def to_provisioning(self, secret: Secret) -> dict[str, Any]:
        """A provisioning file of Grafana's with contact points, the policy tree, mute timings and templates."""
        found: dict[str, Any] = {
            "apiVersion": 1,
            "contactPoints": [point.to_grafana(secret) for point in self.contact_points],
            "policies": [{"orgId": 1, **self.route.to_grafana()}],
        }
        if self.mute_timings:
            found["muteTimes"] = [
                {"orgId": 1, "name": item.name, "time_intervals": [dict(part) for part in item.intervals]}
                for item in self.mute_timings
            ]
        if self.templates:
            found["templates"] = [
                {"orgId": 1, "name": item.name, "template": item.text} for item in self.templates
            ]
        return found
