"""ΣVAULT: the audit trail."""

from __future__ import annotations

from dashboards.common import (
    CALM,
    LOKI,
    bar_column,
    column,
    lines,
    lines_link,
    loki,
    rising,
    selected,
    to_dashboard,
)
from dashboards.service_rows import service_dashboard
from lokictl.grafana import (
    LINES_PER_SECOND,
    BarGauge,
    Column,
    Logs,
    LokiAnnotation,
    Row,
    Table,
    TextVariable,
    TimeSeries,
    color_override,
    counts_table,
)
from rules.sigmavault import (
    AUDIT_PANEL,
    DENIED,
    DENIED_PANEL,
    FAILED_LOGINS,
    GROUPS,
    LOGINS_PANEL,
    PRIVILEGED_PANEL,
    one_of,
)
from services.common import dashboard_uid
from services.sigmavault import PRIVILEGED_ACTIONS, SERVICE

ACTOR = TextVariable(
    name="actor",
    label="Actor",
    description="Whose trail to show: a name, or how it begins; empty: everybody's.",
)

AUDIT = f'{selected(SERVICE)} | json | event!="" | __error__=""'
OF_ACTOR = f'{AUDIT} | actor=~"${{actor:regex}}.*"'
PRIVILEGED = f'| action=~"{one_of(PRIVILEGED_ACTIONS)}"'
ENTRY = (
    '| line_format `{{ if eq .outcome "deny" }}✗{{ else }}✓{{ end }} {{.actor}} {{.action}} {{.resource}} '
    "from {{.source_ip}}`"
)

TRAIL = to_dashboard("This actor's trail", dashboard_uid(SERVICE.name), {"actor": "${__value.raw}"})
OUTCOMES = (color_override("allow", "green"), color_override("deny", "red"))


def by(label: str, title: str, description: str) -> TimeSeries:
    """The audit trail as a timeline by one of its fields."""
    return TimeSeries(
        title=title,
        description=description,
        targets=[loki(f"sum by ({label}) (rate({OF_ACTOR} [$__interval]))", f"{{{{{label}}}}}")],
        width=8,
        draw="bars",
        stack="normal",
        interval="1m",
        unit=LINES_PER_SECOND,
        min=0,
        thresholds=CALM,
        no_data="no audit lines: is the trail silent?",
        id=AUDIT_PANEL if label == "outcome" else None,
        overrides=OUTCOMES if label == "outcome" else (),
        links=[
            lines_link(f'{SERVICE.selector} | json | event!="" | {label}="${{__field.labels.{label}}}"'),
            *(
                [
                    to_dashboard(
                        "This actor's trail",
                        dashboard_uid(SERVICE.name),
                        {"actor": "${__field.labels.actor}"},
                    )
                ]
                if label == "actor"
                else []
            ),
        ],
    )


PRIVILEGED_TABLE = Table(
    title="Privileged actions",
    description="Changes to keys, policies and secrets, and by whom.",
    targets=[
        loki(
            "sum by (actor, action, resource, outcome) (count_over_time("
            f"{OF_ACTOR} {PRIVILEGED} [$__range]))",
            instant=True,
        )
    ],
    height=5,
    unit="short",
    id=PRIVILEGED_PANEL,
    thresholds=CALM,
    no_data="no privileged action",
    sort_by="Times",
    transformations=counts_table(
        columns={"actor": "Actor", "action": "Action", "resource": "Resource", "outcome": "Outcome"},
        value="Times",
    ),
    overrides=[column("Actor", links=[TRAIL]), column("Times", width=90)],
)

OTHER_LINES = Logs(
    title="Outside of the audit trail",
    description="What the vault says of itself.",
    targets=[lines(f'{selected(SERVICE)} | json | event="" | line_format `{{{{ .msg }}}}`', limit=200)],
    width=12,
    height=4,
)

OWN = Row(
    "Audit trail",
    [
        by("actor", "Requests by actor", "Who asks the vault."),
        by("action", "Requests by action", "What the vault is asked for."),
        by("outcome", "Requests by outcome", "Whether the vault complied."),
        Table(
            title="Denied accesses",
            description=f"Who was denied what, and from where; more than {DENIED} in 5 minutes raise an alert.",
            targets=[
                loki(
                    "topk(20, sum by (actor, action, resource, source_ip) (count_over_time("
                    f'{OF_ACTOR} | outcome="deny" [$__range])))',
                    instant=True,
                )
            ],
            width=16,
            height=8,
            unit="short",
            thresholds=rising(DENIED, FAILED_LOGINS),
            no_data="nothing was denied",
            id=DENIED_PANEL,
            sort_by="Times",
            transformations=counts_table(
                columns={
                    "actor": "Actor",
                    "action": "Action",
                    "resource": "Resource",
                    "source_ip": "Address",
                },
                value="Times",
            ),
            overrides=[
                column("Actor", links=[TRAIL]),
                column(
                    "Address",
                    links=[
                        lines_link(
                            f'{SERVICE.selector} | json | source_ip="${{__value.raw}}"', "All from here"
                        )
                    ],
                ),
                bar_column("Times", "continuous-YlRd"),
            ],
        ),
        BarGauge(
            title="Failed logins by address",
            description=f"More than {FAILED_LOGINS} from one address in 5 minutes are an attack until shown otherwise.",
            targets=[
                loki(
                    f'topk(10, sum by (source_ip) (count_over_time({AUDIT} | event="login" '
                    '| outcome="deny" [$__range])))',
                    "{{source_ip}}",
                    instant=True,
                )
            ],
            width=8,
            height=8,
            unit="short",
            thresholds=rising(FAILED_LOGINS / 2, FAILED_LOGINS),
            no_data="no failed logins",
            id=LOGINS_PANEL,
            links=[
                lines_link(
                    f'{SERVICE.selector} | json | source_ip="${{__field.labels.source_ip}}"', "All from here"
                )
            ],
        ),
        Logs(
            title="Trail of one actor",
            description="Everything that the actor of the variable at the top did; of everybody, when it is empty.",
            targets=[lines(f"{OF_ACTOR} {ENTRY}")],
            width=12,
            height=9,
            wrap=False,
        ),
        Column([PRIVILEGED_TABLE, OTHER_LINES], width=12),
    ],
)

DASHBOARD = service_dashboard(
    SERVICE,
    OWN,
    groups=GROUPS,
    part="action",
    fields=("actor",),
    parts="actions",
    variables=(ACTOR,),
    annotations=[
        LokiAnnotation(
            name="Privileged actions",
            datasource=LOKI,
            expr=f"{SERVICE.selector} | json {PRIVILEGED}",
            title="{{actor}} {{action}}",
            tags=("actor", "action", "outcome"),
            color="purple",
        )
    ],
)
