"""Who is notified of which alerts: one description for Alertmanager and for Grafana's own alerting.

A content project defines one `Notifications`: `Notifications.to_alertmanager_route` gives Alertmanager's routing tree,
`Notifications.to_provisioning` a provisioning file of Grafana's, and `lokictl sync` uploads the same objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, field, replace
from typing import Any

from lokictl.durations import DurationField
from lokictl.logql.units import format_prometheus_duration
from lokictl.model.provisioning import all_escaped, escaped
from lokictl.model.uids import slug
from lokictl.records import dataclass

OPERATORS = ("=", "!=", "=~", "!~")

_TLS = ("caCertificate", "clientCertificate", "clientKey")
SECRET_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "LINE": ("token",),
    "dingding": ("url",),
    "discord": ("url",),
    "email": (),
    "googlechat": ("url",),
    "jira": ("user", "password", "api_token"),
    "kafka": ("password",),
    "mqtt": ("password", *(f"tlsConfig.{name}" for name in _TLS)),
    "oncall": ("password", "authorization_credentials"),
    "opsgenie": ("apiKey",),
    "pagerduty": ("integrationKey",),
    "prometheus-alertmanager": ("basicAuthPassword",),
    "pushover": ("apiToken", "userKey"),
    "sensugo": ("apikey",),
    "slack": ("token", "url"),
    "sns": ("sigv4.access_key", "sigv4.secret_key"),
    "teams": (),
    "telegram": ("bottoken",),
    "threema": ("api_secret",),
    "victorops": ("url",),
    "webex": ("bot_token",),
    "webhook": (
        *("password", "authorization_credentials", "hmacConfig.secret"),
        *(f"tlsConfig.{name}" for name in _TLS),
        "http_config.oauth2.client_secret",
        *(f"http_config.oauth2.tls_config.{name}" for name in _TLS),
    ),
    "wecom": ("url", "secret"),
}
"""The settings of each kind of integration that Grafana never gives out again; dots lead into objects."""

DEFAULT_RECEIVER = "grafana-default-email"
"""The contact point that every Grafana has, and that nobody describes."""

Secret = Callable[[str], str]
"""Makes what is in a file for the secret of a name: ``$__file{/etc/secrets/slack_url}``."""


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
    an empty ``group_by`` are those of the branch above.  Nobody is notified during ``mute_timings``, nor outside
    ``active_timings``, if there are any; both are names of a `MuteTiming`.  An empty ``receiver`` is that of the branch
    above.
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
    active_timings: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()

    def settings(self) -> dict[str, Any]:
        """What both homes write alike."""
        found: dict[str, Any] = {"receiver": self.receiver} if self.receiver else {}
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
        if self.active_timings:
            found["active_time_intervals"] = list(self.active_timings)
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
        if self.receiver:
            yield self.receiver
        for route in self.routes:
            yield from route.receivers()

    def timings(self) -> Iterator[str]:
        """The names of the times that this branch and those below speak of."""
        yield from (*self.mute_timings, *self.active_timings)
        for route in self.routes:
            yield from route.timings()

    def branches(self) -> tuple[Route, ...]:
        """The branches directly below, with all that they take over from this one written in them."""
        return tuple(
            replace(
                route,
                group_by=route.group_by or self.group_by,
                group_wait=route.group_wait or self.group_wait,
                group_interval=route.group_interval or self.group_interval,
                repeat_interval=route.repeat_interval or self.repeat_interval,
            )
            for route in self.routes
        )


@dataclass(frozen=True)
class Integration:
    """One way to reach somebody, in Grafana's words: ``Integration("slack", {"recipient": "#core"}, …)``.

    ``secrets`` maps settings to the names of secrets, which files only refer to; a dot leads into an object
    (``hmacConfig.secret``).  ``uid`` ("": made from the contact point's name) is for contact points that exist already.
    Raises `ValueError` for a secret among the settings.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    _: KW_ONLY
    send_resolved: bool = True
    uid: str = ""

    def __post_init__(self) -> None:
        for path in SECRET_SETTINGS.get(self.kind, ()):
            if setting(self.settings, path) not in (None, ""):
                raise ValueError(
                    f"`{path}` of a {self.kind} contact point is a secret: name it in `secrets`, "
                    f'{{"{path}": "name_of_the_secret"}}'
                )

    def filled(self, secret: Secret) -> dict[str, Any]:
        """The settings with what ``secret`` makes of the names of secrets."""
        found = dict(self.settings)
        for path, name in self.secrets.items():
            found = with_setting(found, path, secret(name))
        return found


def setting(settings: Mapping[str, Any], path: str) -> Any:
    """The setting at a path (``hmacConfig.secret``); None where it is not set."""
    found: Any = settings
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def with_setting(settings: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """``settings`` with another value at a path; None takes it out."""
    first, _, rest = path.partition(".")
    found = dict(settings)
    if rest:
        inner = found.get(first)
        value = with_setting(inner if isinstance(inner, Mapping) else {}, rest, value) or None
    if value is None:
        found.pop(first, None)
    else:
        found[first] = value
    return found


@dataclass(frozen=True)
class ContactPoint:
    """Somebody who is notified, in one or several ways."""

    name: str
    integrations: tuple[Integration, ...]

    def uids(self) -> tuple[str, ...]:
        """The uid of each integration."""
        return tuple(item.uid or slug(f"{self.name}-{i}") for i, item in enumerate(self.integrations))

    def receivers(self, secret: Secret) -> list[dict[str, Any]]:
        """The integrations in Grafana's form."""
        return [
            {
                "uid": uid,
                "type": item.kind,
                "settings": item.filled(secret),
                "disableResolveMessage": not item.send_resolved,
            }
            for uid, item in zip(self.uids(), self.integrations, strict=True)
        ]

    def to_grafana(self, secret: Secret) -> dict[str, Any]:
        """The contact point in a provisioning file, where ``secret`` gives references such as ``$__file{…}``."""
        plain = [replace(item, settings=all_escaped(item.settings)) for item in self.integrations]
        receivers = replace(self, integrations=tuple(plain)).receivers(secret)
        return {"orgId": 1, "name": escaped(self.name), "receivers": receivers}


@dataclass(frozen=True)
class MuteTiming:
    """Times at which nobody is notified; ``intervals`` in the words of Alertmanager, which Grafana shares."""

    name: str
    intervals: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class MessageTemplate:
    """A named template of messages (Go's template language)."""

    name: str
    text: str


@dataclass(frozen=True)
class Notifications:
    """Who is notified of what.

    Raises `ValueError` for a route to somebody, or with a time, that is not described, for two things of one name, and
    for a root that does not take every alert.
    """

    route: Route
    contact_points: tuple[ContactPoint, ...]
    _: KW_ONLY
    mute_timings: tuple[MuteTiming, ...] = ()
    templates: tuple[MessageTemplate, ...] = ()

    def __post_init__(self) -> None:
        known = {point.name for point in self.contact_points}
        unknown = sorted(set(self.route.receivers()) - known - {DEFAULT_RECEIVER})
        if unknown:
            raise ValueError(f"a route leads to {unknown[0]}, which is not a contact point: {sorted(known)}")
        times = {timing.name for timing in self.mute_timings}
        unknown = sorted(set(self.route.timings()) - times)
        if unknown:
            raise ValueError(
                f"a route names the time {unknown[0]}, which is not a mute timing: {sorted(times)}"
            )
        if self.route.matchers or self.route.go_on or self.route.mute_timings or self.route.active_timings:
            raise ValueError(
                "the root of the routes takes every alert, always: it has no matchers and no times"
            )
        for what, names in (
            ("contact points", [point.name for point in self.contact_points]),
            ("mute timings", [timing.name for timing in self.mute_timings]),
            ("templates", [template.name for template in self.templates]),
            ("integrations with the uid", [uid for point in self.contact_points for uid in point.uids()]),
        ):
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"two {what} {'' if 'uid' in what else 'are called '}{twice[0]}")

    def to_alertmanager_route(self) -> dict[str, Any]:
        """Alertmanager's routing tree."""
        return self.route.to_alertmanager_route()

    def to_alertmanager_times(self) -> list[dict[str, Any]]:
        """Alertmanager's ``time_intervals``."""
        return [
            {"name": item.name, "time_intervals": [dict(part) for part in item.intervals]}
            for item in self.mute_timings
        ]

    def to_provisioning(self, secret: Secret) -> dict[str, Any]:
        """A provisioning file of Grafana's with contact points, the policy tree, mute timings and templates."""
        found: dict[str, Any] = {
            "apiVersion": 1,
            "contactPoints": [point.to_grafana(secret) for point in self.contact_points],
            "policies": [{"orgId": 1, **all_escaped(self.route.to_grafana())}],
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
