"""Alertmanager: who is told of what.

Critical alerts wake somebody (PagerDuty) and appear in Slack; warnings go to the channel of the tier; the vault's
go to the security team by e-mail as well; the platform's own go to Teams.  Secrets are read from files.
"""

from __future__ import annotations

from typing import Any

from lokictl.model.component import Component, HelmValue
from lokictl.model.notifications import ContactPoint, Integration
from services import agents
from stack import access, objects
from stack.figures import IMAGES, PORTS, address
from stack.notifications import DESCRIPTIONS, NOTIFICATIONS, PLATFORM_TIER, SUMMARY, VAULT

NAME = "alertmanager"
CONFIG_FILE = "alertmanager.yaml"
SECRETS = "/etc/alertmanager/secrets"
SECRET = HelmValue(
    "alertmanager.receiversSecret",
    "alertmanager-receivers",
    "A secret with the keys slack_url, pagerduty_key, smtp_password and teams_url.",
)

TEAMS_BRIDGE = f"http://{address('prometheus-msteams', 2000)}/alerts"
"""Where Teams is reached by Alertmanagers before 0.28, which cannot speak to it themselves."""


def configuration(*, version: tuple[int, int] = (0, 28)) -> dict[str, Any]:
    """Alertmanager's configuration file for ``version`` (major, minor)."""
    return {
        "global": {
            "resolve_timeout": "5m",
            "smtp_smarthost": "smtp.neurectomy.example:587",
            "smtp_from": "alertmanager@neurectomy.example",
            "smtp_auth_username": "alertmanager",
            "smtp_auth_password_file": f"{SECRETS}/smtp_password",
            "slack_api_url_file": f"{SECRETS}/slack_url",
        },
        "route": route(),
        "inhibit_rules": inhibitions(),
        "receivers": receivers(version),
        **({"time_intervals": times} if (times := NOTIFICATIONS.to_alertmanager_times()) else {}),
    }


def route() -> dict[str, Any]:
    """The routing tree; the first matching branch decides, unless it says ``continue``."""
    return NOTIFICATIONS.to_alertmanager_route()


def expected_receivers(labels: dict[str, str]) -> tuple[str, ...]:
    """Who must hear of an alert with these labels, in words of its severity, service and tier."""
    found = []
    if labels.get("severity") == "critical":
        found.append("pagerduty")
    if labels.get("service") == VAULT.name:
        found.append("email-security")
    tiers = {PLATFORM_TIER: "teams-platform", agents.SERVICE.tier: "slack-agents"}
    found.append(tiers.get(labels.get("tier", ""), "slack-core"))
    return tuple(found)


def inhibitions() -> list[dict[str, Any]]:
    """What need not be said when something worse is known."""
    return [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity="warning"'],
            "equal": ["service"],
        },
        {
            # With Loki down, every "no logs" is a consequence.
            "source_matchers": ['alertname="LokiDown"'],
            "target_matchers": ['alertname=~".*(NoLogs|HeartbeatMissing|AuditTrailSilent)"'],
        },
    ]


def receivers(version: tuple[int, int]) -> list[dict[str, Any]]:
    """Where notifications go, in Alertmanager's words."""
    return [receiver(point, version) for point in NOTIFICATIONS.contact_points]


def receiver(point: ContactPoint, version: tuple[int, int]) -> dict[str, Any]:
    """One contact point: a name may occur once, so several ways to reach somebody are in one receiver."""
    found: dict[str, Any] = {"name": point.name}
    for integration in point.integrations:
        for key, configs in _configs(integration, version).items():
            found[key] = [*found.get(key, []), *configs]
    return found


def _configs(integration: Integration, version: tuple[int, int]) -> dict[str, Any]:
    resolved = {"send_resolved": integration.send_resolved}
    match integration.kind:
        case "slack":
            return {"slack_configs": [slack(integration.settings["recipient"])]}
        case "pagerduty":
            key = f"{SECRETS}/{integration.secrets['integrationKey']}"
            return {"pagerduty_configs": [{"routing_key_file": key, **resolved}]}
        case "email":
            return {"email_configs": [{"to": integration.settings["addresses"], **resolved}]}
        case "teams":
            return teams(version)
    raise ValueError(f"Alertmanager cannot reach anybody by {integration.kind}")


def slack(channel: str) -> dict[str, Any]:
    """A Slack channel; title and text are the alert's own annotations, with its links."""
    return {
        "channel": channel,
        "send_resolved": True,
        "title": SUMMARY,
        "text": DESCRIPTIONS,
        "actions": [
            {"type": "button", "text": "Dashboard", "url": at_its_time("dashboard_url")},
            {"type": "button", "text": "Lines", "url": at_its_time("lines_url")},
            {"type": "button", "text": "Runbook", "url": "{{ .CommonAnnotations.runbook_url }}"},
        ],
    }


HALF_AN_HOUR = 1_800_000_000_000


def at_its_time(annotation: str) -> str:
    """A template of the first alert's URL: from half an hour before it began, whenever somebody follows it.

    The annotations say the last hour: rules cannot know when an alert began, notifications can.
    """
    began = f"(.StartsAt.Add -{HALF_AN_HOUR}).UnixMilli"
    return (
        "{{ with index .Alerts 0 }}"
        f'{{{{ reReplaceAll "now-1h" (printf "%d" {began}) .Annotations.{annotation} }}}}'
        "{{ end }}"
    )


def teams(version: tuple[int, int]) -> dict[str, Any]:
    """Microsoft Teams: its own receiver from 0.28 on, a bridge before."""
    if version >= (0, 28):
        return {"msteamsv2_configs": [{"webhook_url_file": f"{SECRETS}/teams_url", "send_resolved": True}]}
    return {"webhook_configs": [{"url": TEAMS_BRIDGE, "send_resolved": True}]}


def component() -> Component:
    """Alertmanager as a component."""
    files: dict[str, dict[str, Any]] = {CONFIG_FILE: configuration()}
    container = objects.container(
        NAME,
        IMAGES.alertmanager,
        args=[
            f"--config.file=/etc/alertmanager/{CONFIG_FILE}",
            "--storage.path=/alertmanager",
            # One replica: nothing to gossip with.
            "--cluster.listen-address=",
        ],
        ports={"http": PORTS.alertmanager},
        mounts={"/etc/alertmanager": "config:ro", SECRETS: "secrets:ro", "/alertmanager": "data"},
        resources=objects.resources("50m", "64Mi", memory_limit="256Mi"),
        startup=objects.probe("/-/ready", "http", failures=30),
        readiness=objects.probe("/-/ready", "http"),
        liveness=objects.probe("/-/healthy", "http"),
    )
    volumes = [
        objects.config_volume("config", "alertmanager-config"),
        objects.secret_volume("secrets", SECRET),
    ]
    template = objects.pod(
        NAME, [container], account=NAME, volumes=volumes, config_maps=["alertmanager-config"]
    )
    return Component(
        name=NAME,
        title="Alertmanager",
        description="Routes alerts by severity, service and tier.",
        configuration=files,
        manifests=(
            *access.account(NAME),
            objects.config_map("alertmanager-config", NAME, files),
            # Silences and what was already notified are on its volume.
            objects.workload(
                "StatefulSet",
                NAME,
                template,
                replicas=1,
                serviceName=NAME,
                volumeClaimTemplates=[objects.claim("data", "1Gi", NAME)],
            ),
            objects.service(NAME, NAME, {"http": PORTS.alertmanager}),
        ),
        checks=("amtool check-config", "amtool config routes test"),
    )


COMPONENT = component()
