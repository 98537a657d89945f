"""The rules that every service has, and the way all alerts of the stack are written."""

from __future__ import annotations

from datasources.common import LOKI
from lokictl.durations import Duration
from lokictl.grafana import DataSourceRef, LokiTarget, explore_url
from lokictl.logql import parse
from lokictl.logql.ast import LogExpr
from lokictl.model import AlertingRule, RuleGroup, Service
from services.common import (
    ERRORS_PANEL,
    GRAFANA_URL,
    LINES_PANEL,
    RATIO_PANEL,
    UNPARSED_PANEL,
    dashboard_uid,
    dashboard_url,
    runbook_url,
)

INTERVAL = "1m"

CRITICAL = "critical"
WARNING = "warning"


def alert(
    service: Service,
    name: str,
    expr: str,
    *,
    severity: str,
    summary: str,
    description: str,
    runbook: str,
    panel: int,
    for_: Duration = 0,
) -> AlertingRule:
    """An alert of ``service`` with the labels and links that Alertmanager's routes and readers rely on.

    ``runbook`` names a file of docs/runbooks/ (without ``.md``), ``panel`` the panel of the service's dashboard that
    shows what the alert is about: as a URL, and as Grafana itself wants to know it.
    """
    return AlertingRule(
        service.name.capitalize() + name,
        expr.strip(),
        for_=for_,
        labels={"severity": severity, "service": service.name, "tier": service.tier},
        annotations={
            "summary": summary,
            "description": description,
            "runbook_url": runbook_url(runbook),
            "dashboard_url": dashboard_url(service.name, panel),
            "lines_url": lines_url(expr),
            "__dashboardUid__": dashboard_uid(service.name),
            "__panelId__": str(panel),
        },
    )


def lines_url(expr: str) -> str:
    """The log lines that an alert counts or measures, in Explore: those of its first log query, of the last hour."""
    query = next(iter(parse(expr).find_all(LogExpr)))
    hour = {"from": "now-1h", "to": "now"}
    return explore_url(
        LokiTarget(datasource=DataSourceRef("loki", LOKI), expr=str(query)), time_range=hour, base=GRAFANA_URL
    )


def service_group(service: Service) -> RuleGroup:
    """The alerts that make sense for any service that writes structured logs."""
    return RuleGroup(
        f"{service.name}-common",
        (
            error_ratio_high(service),
            error_burst(service),
            no_logs(service),
            unparsed_lines(service),
        ),
        interval=INTERVAL,
    )


def error_ratio_high(service: Service) -> AlertingRule:
    """More than the objective's share of all lines are errors, for 5 minutes on end."""
    return alert(
        service,
        "ErrorRatioHigh",
        f"""
sum by (service) (count_over_time({service.select(level="error")}[5m]))
  /
sum by (service) (count_over_time({service.selector}[5m]))
  > {service.objectives.error_ratio}
""",
        for_="5m",
        severity=CRITICAL,
        summary=f"{service.title}: {{{{ $value | humanizePercentage }}}} of all lines are errors",
        description=(
            "Of the lines that {{ $labels.service }} wrote in the last 5 minutes, "
            "{{ $value | humanizePercentage }} are errors; "
            f"{service.objectives.error_ratio:.0%} is allowed."
        ),
        runbook="error-ratio-high",
        panel=RATIO_PANEL,
    )


def error_burst(service: Service) -> AlertingRule:
    """Many errors within a minute, whatever else is written."""
    return alert(
        service,
        "ErrorBurst",
        f"""
sum by (service) (count_over_time({service.select(level="error")}[1m]))
  > {service.objectives.errors_per_minute}
""",
        severity=WARNING,
        summary=f"{service.title}: {{{{ $value }}}} errors in one minute",
        description=(
            "{{ $labels.service }} wrote {{ $value }} errors in the last minute; "
            f"more than {service.objectives.errors_per_minute} are a burst."
        ),
        runbook="error-burst",
        panel=ERRORS_PANEL,
    )


def no_logs(service: Service) -> AlertingRule:
    """No line at all for 10 minutes: the service is down, or its logs no longer arrive."""
    return alert(
        service,
        "NoLogs",
        f"absent_over_time({service.selector}[10m])",
        severity=CRITICAL,
        summary=f"{service.title}: no logs for 10 minutes",
        description="No line of {{ $labels.service }} has arrived for 10 minutes: it is down, or its logs are lost.",
        runbook="no-logs",
        panel=LINES_PANEL,
    )


def unparsed_lines(service: Service, *, known_text: str = "") -> AlertingRule:
    """Lines that are not the JSON that every other rule reads: what those rules cannot see.

    ``known_text`` is what marks lines that are rightly plain text.
    """
    known = f" != `{known_text}`" if known_text else ""
    return alert(
        service,
        "UnparsedLines",
        f"""
sum by (service) (count_over_time({service.selector}{known} | json | __error__="JSONParserErr" [10m]))
  > {service.objectives.unparsed_lines}
""",
        severity=WARNING,
        summary=f"{service.title}: {{{{ $value }}}} lines are not valid JSON",
        description=(
            "{{ $labels.service }} wrote {{ $value }} lines in 10 minutes that do not parse as JSON. "
            "Alerts and dashboards do not see what they say."
        ),
        runbook="unparsed-lines",
        panel=UNPARSED_PANEL,
    )
