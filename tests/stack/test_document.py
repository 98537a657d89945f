"""The queries of the architecture document: what is LogQL, what is not, and what stands in its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lokictl.logql import LogQLError, parse

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").replace("\\|", "|")

LOGQL = [
    '{service="ryot"}',
    '{level="error"}',
    '{service="ryot", level="error"} | json | duration_ms > 5000',
]
NO_LOGQL = {
    'rate({job=~".+"})': 'sum by (service) (rate({namespace=~".+"}[5m]))',
    '{service="ryot", level="error"} | json | rate(duration_ms[5m])': (
        'sum(rate({service="ryot", level="error"}[5m]))'
    ),
}


@pytest.mark.parametrize("query", LOGQL)
def test_queries_of_the_document(query: str) -> None:
    parse(query)


@pytest.mark.parametrize("query", NO_LOGQL)
def test_the_two_that_are_no_logql(query: str) -> None:
    with pytest.raises(LogQLError, match="syntax error"):
        parse(query)
    parse(NO_LOGQL[query])
    assert f"`{query}`" in PAGE
    assert f"`{NO_LOGQL[query]}`" in PAGE


def test_the_page_names_files_that_exist() -> None:
    """Every module and test that the table names is there, and every test function."""
    named = set(
        re.findall(r"`((?:stack|tests|lokictl|services|rules|datasources|docs)/[\w/.-]+)(?:::(\w+))?`", PAGE)
    )
    assert len(named) > 30
    for path, function in named:
        file = ROOT / path
        assert file.exists(), path
        if function:
            assert f"def {function}(" in file.read_text(encoding="utf-8"), f"{path}::{function}"


def test_the_page_names_files_that_are_rendered() -> None:
    from lokictl.project import load
    from lokictl.render import rendering

    paths = [path for path, _ in rendering(load(ROOT))]
    named = set(re.findall(r"`build/([\w/.<>-]+)`", PAGE))
    assert len(named) > 15
    for name in named:
        pattern = re.escape(name.rstrip("/")).replace("<project>", "[^/]+").replace("<tenant>", "[^/]+")
        pattern = (
            pattern.replace("<namespace>", "[^/]+").replace("<uid>", "[^/]+").replace("<folder>", "[^/]+")
        )
        found = [path for path in paths if re.match(pattern + r"(/|$)", path)]
        assert found or "<uid>" in name, name
