"""Templates of labels and annotations through the ruler's own door; the language is tested in tests/templates."""

from __future__ import annotations

from typing import Any

import pytest

from lokictl.backends import QueryError
from lokictl.ruler import ExpansionError, expand

NOW = 1_767_225_600_500_000_000


def query(expression: str) -> list[tuple[dict[str, str], float]]:
    if expression == "broken":
        raise QueryError("no such thing")
    return [({"pod": "a"}, 2.5), ({"pod": "b"}, 7.0)]


CASES = [
    ("plain", "plain"),
    ("{{ $labels.pod }}/{{ .Labels.pod }}/{{ $labels.none }}", "a/a/"),
    ("{{ $value }} {{ .Value | humanize }}", "1234.5 1.234k"),
    (
        "{{ $externalLabels.cluster }} {{ $externalURL }} {{ pathPrefix }}",
        "c1 http://loki.example/loki /loki",
    ),
    ("{{ now }}", "1.7672256005e+09"),
    ("{{ range query `x` }}{{ .Labels.pod }}={{ .Value }} {{ end }}", "a=2.5 b=7 "),
    ("{{ if gt $value 1000.0 }}high{{ else }}low{{ end }}", "high"),
    ("é {{ $labels.pod | toUpper }} ü", "é A ü"),
]


def expanded(text: str, **more: Any) -> str:
    return expand(
        text,
        labels={"pod": "a"},
        value=1234.5,
        external_labels={"cluster": "c1"},
        external_url="http://loki.example/loki",
        time_ns=NOW,
        query=query,
        **more,
    )


@pytest.mark.parametrize("text, result", CASES)
def test_expand(text: str, result: str) -> None:
    assert expanded(text) == result


def test_without_a_query_function_nothing_is_found() -> None:
    assert expand("{{ len (query `x`) }}", labels={}, value=0.0) == "0"


FAILURES = [
    (
        "{{ nofunc }}",
        'error parsing template __alert_A: template: __alert_A:1: function "nofunc" not defined',
    ),
    ("{{ if gt $value 5 }}x{{ end }}", "incompatible types for comparison"),
    ("{{ query `broken` }}", "error calling query: rule evaluation failed: no such thing"),
    ("{{ query `x` | toTime }}", "error executing template __alert_A"),
]


@pytest.mark.parametrize("text, words", FAILURES)
def test_failures(text: str, words: str) -> None:
    with pytest.raises(ExpansionError) as failed:
        expanded(text, name="A")
    assert words in str(failed.value)
