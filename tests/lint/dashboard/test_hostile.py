"""Dashboards and data sources with anything anywhere: findings or none, never an exception."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from lokictl.lint import Settings, lint_text
from lokictl.lint.interface import Workspace
from lokictl.lint.loading import Loaded, load_text
from lokictl.lint.stack import CHECKS as STACK
from lokictl.model.yaml_writer import dump_yaml
from tests.lint.dashboard.cases import LOKI, dashboard, panel, target
from tests.lint.stack.cases import SERVICES

ODD: list[Any] = [
    None, True, 0, -1, 1.5, 1e300, "", "x", "$x", "${", "[[", "\u0000", "🙂", [], {}, [None], {"": None}, [[]],
    {"uid": 5}, {"type": {}}, "now-", "label_values(", "label_values({,a)", "{a=\"$", "/d/", "https://[",
]  # fmt: skip

FULL = dashboard(
    panel("timeseries", target('sum(rate({app=~"$app"}[5m]))'), target('{app="$x"}'), links=[{"url": "/d/x?var-a=1"}]),
    panel("logs", target("{app="), id=1),
    {"type": "row", "id": 3, "collapsed": True, "panels": [panel("stat", target("up", datasource="Prometheus"))]},
    variables=[
        {"name": "app", "type": "query", "query": "label_values(app)", "datasource": LOKI, "includeAll": True,
         "allValue": ".*", "multi": True, "refresh": 1},
        {"name": "ds", "type": "datasource", "query": "loki"},
        {"name": "o", "type": "query", "query": {"stream": "{a=\"b\"}", "label": "x"}, "datasource": "${ds}"},
    ],
    annotations={"list": [{"name": "a", "datasource": LOKI, "expr": "rate({a=\"b\"}[5m])"}]},
    links=[{"type": "dashboards", "tags": ["a"]}, {"type": "link", "url": ""}],
    time={"from": "now-90d", "to": "now"},
    __inputs=[{"name": "DS"}],
)  # fmt: skip
SOURCES = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "Loki", "uid": "loki", "type": "loki", "url": "http://a:b@c", "isDefault": True, "orgId": 1,
            "jsonData": {
                "derivedFields": [{"name": "T", "matcherRegex": "(a)$", "url": "${__value.raw}", "datasourceUid": "j"}],
                "httpHeaderName1": "X-Scope-OrgID",
            },
            "secureJsonData": {"httpHeaderValue1": "a", "password": "b"},
            "correlations": [{"targetUID": "j", "label": "l", "config": {"target": {"expr": "{a=\"b\"}"}}}],
        },
        {
            "name": "Jaeger", "uid": "j", "type": "jaeger",
            "jsonData": {
                "tracesToLogsV2": {"datasourceUid": "loki", "tags": [{"key": "a.b", "value": "c"}],
                                   "query": "{$${__tags}}",
                    "customQuery": True, "spanStartTimeShift": "1h", "spanEndTimeShift": "-1h"},
            },
        },
    ],
}  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a document with another value at ``path``."""
    document = copy.deepcopy(value)
    owner = document
    for part in path[:-1]:
        owner = owner[part]
    owner[path[-1]] = new
    return document


def mutations(document: Any, seed: int) -> Iterator[Any]:
    """The document with one odd value at every place, and some with several."""
    random = Random(seed)
    places = [path for path in paths(document) if len(path) > 1]
    for path in places:
        yield replaced(document, path, random.choice(ODD))
    for _ in range(100):
        changed = document
        for path in random.sample(places, 4):
            try:
                changed = replaced(changed, path, random.choice(ODD))
            except (KeyError, IndexError, TypeError):
                continue
        yield changed


SETTINGS = Settings(select=("dashboard", "datasource", "logql"))


def lint(text: str, file: str) -> int:
    """How many findings there are: of everything that needs no services, and of the stack."""
    loaded = Loaded()
    load_text(text, file, loaded)
    workspace = Workspace((), tuple(loaded.dashboards), tuple(loaded.datasources), services=SERVICES)
    found = sum(len(list(check(workspace).check(workspace))) for check in STACK)  # type: ignore[attr-defined]
    return found + len(lint_text(text, file, SETTINGS).findings)


@pytest.mark.parametrize("seed", [1])
def test_dashboards(seed: int) -> None:
    assert sum(lint(json.dumps(document), "d.json") for document in mutations(FULL, seed)) > 1_000


@pytest.mark.parametrize("seed", [1])
def test_data_sources(seed: int) -> None:
    assert sum(lint(dump_yaml(document), "d.yaml") for document in mutations(SOURCES, seed)) > 200
