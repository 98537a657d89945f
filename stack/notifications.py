"""Who is told of what: one description, for Alertmanager and for Grafana's own alerting.

Critical alerts wake somebody (PagerDuty) and appear in Slack; warnings go to the channel of the tier; the vault's
go to the security team by e-mail as well; the platform's own go to Teams.
"""

from __future__ import annotations

from lokictl.model.notifications import ContactPoint, Integration, Matcher, Notifications, Route
from services import agents, sigmavault

VAULT = sigmavault.SERVICE
PLATFORM_TIER = "platform"

SUMMARY = "{{ .CommonAnnotations.summary }}"
DESCRIPTIONS = "{{ range .Alerts }}{{ .Annotations.description }}\n{{ end }}"


def slack(channel: str) -> Integration:
    """A Slack channel; title and text are the alert's own annotations."""
    return Integration(
        "slack", {"recipient": channel, "title": SUMMARY, "text": DESCRIPTIONS}, {"url": "slack_url"}
    )


NOTIFICATIONS = Notifications(
    Route(
        "slack-core",
        group_by=("alertname", "service"),
        group_wait="30s",
        group_interval="5m",
        repeat_interval="4h",
        routes=(
            Route("pagerduty", (Matcher("severity", "=", "critical"),), go_on=True, repeat_interval="1h"),
            Route("email-security", (Matcher("service", "=", VAULT.name),), go_on=True),
            Route("teams-platform", (Matcher("tier", "=", PLATFORM_TIER),)),
            Route("slack-agents", (Matcher("tier", "=", agents.SERVICE.tier),)),
            Route("slack-core", (Matcher("tier", "=", VAULT.tier),)),
        ),
    ),
    (
        ContactPoint("slack-core", (slack("#neurectomy-core"),)),
        ContactPoint("slack-agents", (slack("#neurectomy-agents"),)),
        ContactPoint("pagerduty", (Integration("pagerduty", secrets={"integrationKey": "pagerduty_key"}),)),
        ContactPoint("email-security", (Integration("email", {"addresses": "security@neurectomy.example"}),)),
        ContactPoint("teams-platform", (Integration("teams", secrets={"url": "teams_url"}),)),
    ),
)
