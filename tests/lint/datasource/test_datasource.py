"""Checks of data sources: provisioning files that they mind (with their words) and files that they do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lokictl.lint import Settings, lint_text
from lokictl.lint.datasource import CHECKS
from lokictl.lint.interface import Workspace
from lokictl.lint.loading import Loaded, load_text
from lokictl.model import LogField, Service, StreamLabel
from lokictl.model.yaml_writer import dump_yaml

LOKI = {"name": "Loki", "type": "loki", "uid": "loki", "url": "${LOKI_URL}"}
JAEGER = {"name": "Jaeger", "type": "jaeger", "uid": "jaeger", "url": "http://jaeger:16686"}
PROMETHEUS = {
    "name": "Prometheus",
    "type": "prometheus",
    "uid": "prometheus",
    "url": "http://prometheus:9090",
}

FIELD = {
    "name": "Trace",
    "matcherRegex": r"trace_id=(\w+)",
    "url": "$${__value.raw}",
    "datasourceUid": "jaeger",
}
BACK = {"tracesToLogsV2": {"datasourceUid": "loki"}}


def loki(**more: Any) -> dict[str, Any]:
    return {**LOKI, **more}


def fields(*entries: dict[str, Any]) -> dict[str, Any]:
    return loki(jsonData={"derivedFields": list(entries)})


def jaeger(**data: Any) -> dict[str, Any]:
    return {**JAEGER, "jsonData": data}


Case = tuple[str, list[dict[str, Any]], list[str]]

CASES: list[Case] = [
    ("datasource/uid", [LOKI], []),
    ("datasource/uid", [loki(uid="")], ["has no uid"]),
    ("datasource/uid", [loki(uid="a b")], ['Grafana refuses the uid "a b"']),
    ("datasource/uid", [loki(uid="${LOKI_UID}")], []),
    ("datasource/duplicate", [LOKI, JAEGER], []),
    ("datasource/duplicate", [LOKI, loki(uid="other")], ['also has the name "Loki"']),
    ("datasource/duplicate", [LOKI, loki(name="Other")], ['also has the uid "loki"']),
    ("datasource/duplicate", [LOKI, loki(orgId=2)], []),
    (
        "datasource/duplicate",
        [loki(isDefault=True), {**JAEGER, "isDefault": True}],
        ['"Loki" is already the default'],
    ),
    ("datasource/plain-secret", [loki(secureJsonData={"basicAuthPassword": "$__env{PW}"})], []),
    ("datasource/plain-secret", [loki(secureJsonData={"basicAuthPassword": "$__file{/run/pw}"})], []),
    ("datasource/plain-secret", [loki(secureJsonData={"basicAuthPassword": "${PW}"})], []),
    (
        "datasource/plain-secret",
        [loki(secureJsonData={"basicAuthPassword": "hunter2"})],
        ["is in the file in plain text"],
    ),
    (
        "datasource/plain-secret",
        [loki(secureJsonData={"basicAuthPassword": "pa$$word"})],
        ["is in the file in plain text"],
    ),
    ("datasource/plain-secret", [loki(basicAuthPassword="hunter2")], ["basicAuthPassword of"]),
    ("datasource/plain-secret", [loki(jsonData={"apiKey": "abc"})], ["jsonData.apiKey of"]),
    ("datasource/plain-secret", [loki(url="http://me:hunter2@loki:3100")], ["the url of"]),
    ("datasource/plain-secret", [loki(url="http://me:${PW}@loki:3100")], []),
    ("datasource/plain-secret", [loki(secureJsonData={"authToken": "${TOKEN:-}"})], []),
    (
        "datasource/plain-secret",
        [
            loki(
                jsonData={"httpHeaderName1": "X-Loki-Query-Limits", "httpHeaderName2": "X-Api-Key"},
                secureJsonData={"httpHeaderValue1": "{}", "httpHeaderValue2": "abc"},
            )
        ],
        ["httpHeaderValue2"],
    ),
    ("datasource/plain-secret", [loki(secureJsonData={"tlsCACert": "-----BEGIN"})], []),
    (
        "datasource/plain-secret",
        [
            loki(
                jsonData={"httpHeaderName1": "X-Scope-OrgID"}, secureJsonData={"httpHeaderValue1": "tenant-a"}
            )
        ],
        [],
    ),
    (
        "datasource/plain-secret",
        [
            loki(
                jsonData={"httpHeaderName1": "Authorization"}, secureJsonData={"httpHeaderValue1": "Bearer x"}
            )
        ],
        ["httpHeaderValue1"],
    ),
    ("datasource/undoubled-dollar", [fields(FIELD)], []),
    (
        "datasource/undoubled-dollar",
        [fields({**FIELD, "url": "${__value.raw}"})],
        ["Grafana reads ${__value.raw}"],
    ),
    ("datasource/undoubled-dollar", [fields({**FIELD, "url": "/x?id=$traceId"})], ["Grafana reads $traceId"]),
    ("datasource/undoubled-dollar", [fields({**FIELD, "matcherRegex": "^trace_id$"})], []),
    ("datasource/undoubled-dollar", [loki(url="http://${host}:3100", user="$__env{U}", database="$DB")], []),
    (
        "datasource/undoubled-dollar",
        [loki(url="${LOKI_URL:-http://loki:3100}")],
        ["Grafana does not support defaults"],
    ),
    (
        "datasource/undoubled-dollar",
        [jaeger(tracesToLogsV2={"query": '{${__tags}} |= "$${__trace.traceId}"'})],
        ["Grafana reads ${__tags}"],
    ),
    (
        "datasource/undoubled-dollar",
        [jaeger(tracesToMetrics={"queries": [{"query": "rate(x{$__tags}[$$__rate_interval])"}]})],
        ["Grafana reads $__tags"],
    ),
    (
        "datasource/headers",
        [loki(jsonData={"httpHeaderName1": "X-Scope-OrgID"}, secureJsonData={"httpHeaderValue1": "a"})],
        [],
    ),
    ("datasource/headers", [loki(jsonData={"httpHeaderName1": "X-Scope-OrgID"})], ["has no value"]),
    (
        "datasource/headers",
        [loki(jsonData={"httpHeaderName2": "X"}, secureJsonData={"httpHeaderValue2": "a"})],
        ["number 1 is missing"],
    ),
    (
        "datasource/alertmanager-implementation",
        [{"name": "A", "type": "alertmanager"}],
        ["does not say what it is"],
    ),
    (
        "datasource/alertmanager-implementation",
        [{"name": "A", "type": "alertmanager", "jsonData": {"implementation": "prometheus"}}],
        [],
    ),
    ("datasource/unknown-datasource", [fields(FIELD), jaeger(**BACK)], []),
    ("datasource/unknown-datasource", [fields(FIELD)], ['the uid "jaeger" (derived field)']),
    ("datasource/unknown-datasource", [fields({**FIELD, "datasourceUid": "$JAEGER"})], []),
    (
        "datasource/unknown-datasource",
        [jaeger(tracesToMetrics={"datasourceUid": "x"})],
        ["(traces to metrics)"],
    ),
    ("datasource/unknown-datasource", [loki(jsonData={"alertmanagerUid": "x"})], ["(alerts)"]),
    ("datasource/unknown-datasource", [loki(correlations=[{"targetUID": "x"}])], ["(correlation)"]),
    (
        "datasource/trace-link-tags",
        [
            jaeger(
                tracesToLogsV2={
                    "datasourceUid": "loki",
                    "tags": [{"key": "service.name", "value": "service"}],
                }
            )
        ],
        ["no span has this tag"],
    ),
    (
        "datasource/trace-link-tags",
        [
            {
                **jaeger(tracesToMetrics={"tags": [{"key": "service"}, {"key": "service.name"}]}),
                "type": "tempo",
            }
        ],
        ["spans of OpenTelemetry have service.name"],
    ),
    ("datasource/trace-link-tags", [jaeger(tracesToLogsV2={"tags": [{"key": "hostname"}]})], []),
    ("datasource/incomplete-loop", [fields(FIELD), jaeger(**BACK)], []),
    (
        "datasource/incomplete-loop",
        [fields(FIELD), JAEGER],
        ['"Loki" links to "Jaeger", but nothing links back'],
    ),
    (
        "datasource/incomplete-loop",
        [LOKI, jaeger(**BACK)],
        ['"Jaeger" links to "Loki", but nothing links back'],
    ),
    (
        "datasource/incomplete-loop",
        [{**PROMETHEUS, "jsonData": {"exemplarTraceIdDestinations": [{"datasourceUid": "jaeger"}]}}, JAEGER],
        ['"Prometheus" links to "Jaeger"'],
    ),
    ("datasource/incomplete-loop", [fields(FIELD)], []),
    ("datasource/derived-field", [fields(FIELD)], []),
    ("datasource/derived-field", [fields({**FIELD, "matcherRegex": r"trace_id=\w+"})], ["has no group"]),
    (
        "datasource/derived-field",
        [fields({**FIELD, "matcherRegex": "trace_id=(?<id>x"})],
        ["invalid matcherRegex"],
    ),
    ("datasource/derived-field", [fields({**FIELD, "matcherRegex": r"(?<=trace_id=)(\w+)"})], []),
    ("datasource/derived-field", [fields({**FIELD, "matcherRegex": ""})], ["has no matcherRegex"]),
    (
        "datasource/derived-field",
        [fields({**FIELD, "matcherType": "label", "matcherRegex": "id"})],
        ["anywhere in a"],
    ),
    (
        "datasource/derived-field",
        [fields({**FIELD, "matcherType": "label", "matcherRegex": "^trace_id$$"})],
        [],
    ),
    ("datasource/derived-field", [fields(FIELD, {**FIELD, "url": "https://x"})], []),
    (
        "datasource/derived-field",
        [fields(FIELD, {**FIELD, "matcherRegex": "x(.)"})],
        ["only the matcher of the first"],
    ),
    (
        "datasource/correlation",
        [loki(correlations=[{"targetUID": "x", "label": "a", "description": ""}])],
        [],
    ),
    (
        "datasource/correlation",
        [loki(correlations=[{"targetUID": "x", "label": "a"}])],
        ['has no "description"'],
    ),
    (
        "datasource/correlation",
        [loki(correlations=[{"label": "a", "description": "", "transformations": []}])],
        ['must be inside "config"'],
    ),
    ("datasource/correlation", [jaeger(tracesToLogsV2={"tags": ["service.name"]})], ["is a string"]),
    ("datasource/correlation", [jaeger(tracesToLogsV2={"tags": [{"key": "service.name"}]})], []),
    (
        "datasource/correlation",
        [jaeger(tracesToLogsV2={"spanStartTimeShift": "1h", "spanEndTimeShift": "-1h"})],
        ["the wrong way round"],
    ),
    (
        "datasource/correlation",
        [jaeger(tracesToLogsV2={"spanStartTimeShift": "-1h", "spanEndTimeShift": "1h"})],
        [],
    ),
]


@pytest.mark.parametrize(
    "check, sources, expected", CASES, ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)]
)
def test_case(check: str, sources: list[dict[str, Any]], expected: list[str]) -> None:
    text = dump_yaml({"apiVersion": 1, "datasources": sources})
    report = lint_text(text, "datasources.yaml", Settings(select=(check,)))
    messages = [finding.message for finding in report.findings]
    assert len(messages) == len(expected), messages
    for message, part in zip(messages, expected, strict=True):
        assert part in message
    assert all(finding.position.line for finding in report.findings)


WITH_SERVICES = "datasource/derived-field-without-match"


def test_every_check_has_a_failing_and_a_passing_case() -> None:
    assert CHECKS
    for check in CHECKS:
        cases = [case for case in CASES if case[0] == check.name]
        if check.name != WITH_SERVICES:
            assert any(case[2] for case in cases), check.name
            assert any(not case[2] for case in cases), check.name


SERVICE = Service(
    name="shop",
    title="Shop",
    tier="core",
    namespace="n",
    labels=(StreamLabel("service", values=("shop",)),),
    fields=(LogField("trace_id", example="4bf92f35"), LogField("msg", example="done")),
)

DERIVED = [
    (fields({**FIELD, "matcherRegex": r'"trace_id":\s*"(\w+)"'}), ""),
    (fields({**FIELD, "matcherRegex": r"trace_id=(\w+)"}), "finds nothing in the sample lines of shop"),
    (fields({**FIELD, "matcherType": "label", "matcherRegex": "^trace_id$$"}), ""),
    (
        fields({**FIELD, "matcherType": "label", "matcherRegex": "^traceID$$"}),
        "no service has a label or field",
    ),
]


@pytest.mark.parametrize("source, expected", DERIVED)
def test_derived_fields_are_tried_on_sample_lines(source: dict[str, Any], expected: str) -> None:
    loaded = Loaded()
    load_text(dump_yaml({"apiVersion": 1, "datasources": [source]}), "d.yaml", loaded)
    (check,) = (check for check in CHECKS if check.name == WITH_SERVICES)
    workspace = replace(Workspace(datasources=tuple(loaded.datasources)), services=(SERVICE,))
    messages = [finding.message for finding in check(workspace).check(loaded.datasources[0])]  # type: ignore[attr-defined]
    assert len(messages) == bool(expected), messages
    assert expected in "".join(messages)


def hints(check: str, text: str, file: str = "datasources.yaml") -> list[tuple[str, str]]:
    report = lint_text(text, file, Settings(select=(check,)))
    return [(finding.severity.value, finding.hint) for finding in report.findings]


def test_the_uid_is_made_of_the_name() -> None:
    sources = [{"name": "Metrics", "type": "prometheus"}, {"name": "Loki (EU)", "type": "loki"}]
    found = hints("datasource/uid", dump_yaml({"apiVersion": 1, "datasources": sources}))
    assert [hint for _, hint in found] == [
        "set a short, stable one: uid: metrics",
        "set a short, stable one: uid: loki-eu",
    ]


def test_a_data_source_without_a_uid_is_named() -> None:
    sources = [{"name": "Loki", "type": "loki"}, {**JAEGER, "jsonData": BACK}]
    found = hints("datasource/unknown-datasource", dump_yaml({"apiVersion": 1, "datasources": sources}))
    assert found == [("warning", 'the data source "Loki" here has no uid: give it uid: loki')]


def test_the_other_files_of_the_folder_count(tmp_path: Path) -> None:
    one = tmp_path / "loki.yml"
    text = dump_yaml({"apiVersion": 1, "datasources": [fields(FIELD)]})
    one.write_text(text)
    assert hints("datasource/unknown-datasource", text, str(one)) == [("info", "known: loki")]
    (tmp_path / "sub").mkdir()
    other = tmp_path / "sub" / "loki.yml"
    (tmp_path / "sub" / "jaeger.yml").write_text(dump_yaml({"apiVersion": 1, "datasources": [JAEGER]}))
    assert hints("datasource/unknown-datasource", text, str(other)) == []


def test_two_objects_of_one_file_may_be_alternatives() -> None:
    inner = dump_yaml({"apiVersion": 1, "datasources": [LOKI]})
    objects = [
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": "d"}, key: {"datasources.yaml": inner}}
        for kind, key in (("ConfigMap", "data"), ("Secret", "stringData"))
    ]
    found = lint_text(
        "---\n".join(map(dump_yaml, objects)), "d.yaml", Settings(select=("datasource/duplicate",))
    )
    assert {finding.severity.value for finding in found.findings} == {"warning"}
