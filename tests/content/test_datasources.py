"""The data sources: where they point without further settings, and that their links meet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lokictl.project import load

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
SOURCES = {source.uid: source for source in PROJECT.datasources}
PORTS = {"loki": 3100, "prometheus": 9090, "jaeger": 16686, "alertmanager": 9093}


@pytest.mark.parametrize("uid", PORTS)
def test_the_port_of_the_architecture_is_the_default(uid: str) -> None:
    source = SOURCES[uid]
    assert source.type == uid
    assert source.with_environment()["url"] == f"http://localhost:{PORTS[uid]}"
    name = f"{uid.upper()}_URL"
    assert source.with_environment({name: "https://x"})["url"] == "https://x"
    assert source.to_provisioning()["url"] == f"${{{name}}}"


def test_one_is_the_default() -> None:
    assert [source.uid for source in PROJECT.datasources if source.is_default] == ["loki"]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


@pytest.mark.parametrize("uid", PORTS)
def test_dollars_are_variables_with_a_default_or_doubled(uid: str) -> None:
    source = SOURCES[uid]
    found = list(texts(source.to_provisioning()))
    assert found
    for text in found:
        rest = re.sub(r"\$\$|\$__env\{(\w+)\}|\$\{(\w+)\}", lambda match: match[1] or match[2] or "", text)
        assert "$" not in rest, text
        for first, second in re.findall(r"(?<!\$)\$(?:__env\{(\w+)\}|\{(\w+)\})", text):
            assert (first or second) in source.environment


@pytest.mark.parametrize("uid", PORTS)
def test_secrets_are_references(uid: str) -> None:
    values = SOURCES[uid].secure_json_data.values()
    assert values
    assert all(re.fullmatch(r"\$__env\{\w+\}", value) for value in values)


def linked(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("datasourceUid", "alertmanagerUid"):
                yield item
            yield from linked(item)
    elif isinstance(value, list):
        for item in value:
            yield from linked(item)
    elif isinstance(value, str) and value.startswith("/explore?"):
        pane = json.loads(parse_qs(urlsplit(value).query)["panes"][0])["a"]
        yield pane["datasource"]


def test_links_lead_to_data_sources_that_exist() -> None:
    links = {(uid, target) for uid, source in SOURCES.items() for target in linked(dict(source.json_data))}
    assert links == {
        ("loki", "jaeger"),
        ("loki", "prometheus"),
        ("loki", "alertmanager"),
        ("prometheus", "jaeger"),
        ("prometheus", "alertmanager"),
        ("jaeger", "loki"),
        ("jaeger", "prometheus"),
    }


def test_the_derived_fields_find_trace_ids_in_lines_and_in_metadata() -> None:
    in_line, in_metadata, _ = SOURCES["loki"].with_environment()["jsonData"]["derivedFields"]
    assert PROJECT.services
    for service in PROJECT.services:
        found = re.search(in_line["matcherRegex"], service.example_line())
        assert found is not None
        assert found[1] == service.field("trace_id").example
    assert re.search(in_metadata["matcherRegex"], "trace_id")
    assert not re.search(in_metadata["matcherRegex"], "parent_trace_id")
    assert {in_line["url"], in_metadata["url"]} == {"${__value.raw}"}
