"""Every example of docs/formats.md is read, and its queries are found where they are in the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lokictl.lint.loading import Loaded, load_text
from lokictl.lint.runner import files_workspace

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"### ([^\n]*)\n(?:(?!\n###).)*?<!-- finds: ([^>]*) -->\n```(\w+)\n(.*?)```", re.DOTALL)
EXAMPLES = {name: (finds, kind, text) for name, finds, kind, text in EXAMPLE.findall(PAGE)}
SUFFIX = {"yaml": "values.yaml", "json": "dashboard.json", "logql": "query.logql"}


def test_every_heading_has_an_example() -> None:
    assert len(EXAMPLES) == PAGE.count("\n### ") == PAGE.count("<!-- finds")
    assert len(EXAMPLES) > 20


def found_in(text: str, file: str, *, explicit: bool = True) -> tuple[Loaded, dict[str, int]]:
    loaded = Loaded()
    load_text(text, file, loaded, explicit=explicit)
    workspace = files_workspace(loaded)
    return loaded, {
        "rule": len(workspace.rules),
        "dashboard": len(workspace.dashboards),
        "data source": len(workspace.datasources),
        "managed rule": len(workspace.managed_rules),
        "query": len(workspace.plain_queries),
    }


@pytest.mark.parametrize("explicit", [True, False], ids=["named", "in a folder"])
@pytest.mark.parametrize("finds, kind, text", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_examples_are_read(finds: str, kind: str, text: str, explicit: bool) -> None:
    loaded, counts = found_in(text, SUFFIX[kind], explicit=explicit)
    assert loaded.findings == []
    expected = {name: int(number) for number, name in re.findall(r"(\d+) ([a-z ]+?)s?(?:,|$)", finds)}
    assert {name: number for name, number in counts.items() if number} == expected


@pytest.mark.parametrize("finds, kind, text", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_queries_are_placed_in_the_file(finds: str, kind: str, text: str) -> None:
    loaded, _ = found_in(text, SUFFIX[kind])
    workspace = files_workspace(loaded)
    if "data source" in finds and "dashboard" not in finds:
        assert workspace.datasources[0].place("url").source_line.strip() == "url: http://loki:3100"
        return
    queries = workspace.rule_and_panel_queries
    assert queries
    encoded = "kind: Secret" in text or "gzipJson" in text
    for query in queries:
        start = query.text.index("error")
        place = query.source.place(start, start + len("error"))
        line = text.split("\n")[place.position.line - 1]
        assert place.source_line == line
        stretch = line[place.position.column - 1 : place.position.end_column - 1]
        assert stretch == "error" or encoded
