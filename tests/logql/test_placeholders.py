"""Placeholders of other tools are unknown text: the rest of the query is parsed."""

from __future__ import annotations

import pytest

from lokictl.lint import lint_text
from lokictl.logql.placeholders import as_variables, has_placeholder

QUERIES = [
    'sum by (job) (count_over_time({%%juju_topology%%} |= "error" [5m])) > 10',
    'sum(count_over_time({%%juju_topology%%, app="x"} | json [5m]))',
    'sum(count_over_time({app="x", %%juju_topology%%}[5m]))',
    'count_over_time({app="${APP}"}[5m]) > ${THRESHOLD}',
    'count_over_time({app="$${APP}"}[$${WINDOW}]) > $${THRESHOLD}',
    'count_over_time({app="{{ app }}"}[{{ window }}]) > {{ threshold }}',
    'count_over_time({app="x", namespace=~"{{ .Values.namespace }}"}[5m]) > {{ .Values.threshold | default 5 }}',
    'count_over_time({app="x"}[${WINDOW:-5m}]) > ${LIMIT:=10}',
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_rest_is_parsed(query: str) -> None:
    assert has_placeholder(query)
    assert len(as_variables(query)) == len(query)
    text = (
        "groups:\n  - name: g\n    rules:\n      - alert: A\n        for: ${FOR}\n        expr: |\n          "
        + query
    )
    assert [item for item in lint_text(text, "rules.yaml").findings if item.severity != "info"] == []
    if "juju" in query:
        broken = text.replace("count_over_time", "count_over_tim")
        assert "logql/syntax" in [item.name for item in lint_text(broken, "rules.yaml").findings]


PLAIN = [
    'sum(rate({app="x"} | line_format "{{.level}}" [5m]))',
    '{app="x"} |~ "a{2}$" | label_format x="{{ .y | lower }}"',
    'label_replace(rate({app="x"}[5m]), "a", "$1", "b", "(.*)")',
    "{app=`x`} | line_format `{{ .a }}`",
    'rate({app="x"}[${__interval}])',
    '{app="x"} |= "100%% sure"',
]


@pytest.mark.parametrize("query", PLAIN)
def test_what_is_not_a_placeholder(query: str) -> None:
    assert not has_placeholder(query)
