"""Every check of these families has a page; the examples of the stack's pages do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lokictl import project
from lokictl.lint.registry import all_checks
from tests.lint.stack.cases import PROXY, SHOP, findings, workspace_of

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "checks"
FAMILIES = ("dashboard", "datasource", "stack", "live")
CHECKS = [name for name in all_checks() if name.partition("/")[0] in FAMILIES]


def examples(name: str, heading: str) -> list[str]:
    """The queries under a heading, one a line."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(r"```logql\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("name", CHECKS)
def test_the_page_has_all_parts(name: str) -> None:
    check = all_checks()[name]
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    for heading in ("Why", "Bad", "Good", "False positives"):
        assert f"## {heading}\n" in text
    assert f"**{check.severity}**" in text
    assert ("off by default" in text) is not check.on_by_default
    assert all(f"`{option}`" in text for option in check.options)


def test_no_page_without_a_check() -> None:
    pages = {f"{family}/{file.stem}" for family in FAMILIES for file in (PAGES / family).glob("*.md")}
    assert pages == set(CHECKS)


WITH_QUERIES = [name for name in CHECKS if name.startswith("stack/") and examples(name, "Bad")]


@pytest.mark.parametrize("name", WITH_QUERIES)
def test_bad_is_found_and_good_is_not(name: str) -> None:
    services = (*project.load(ROOT, strict=False).services, SHOP, PROXY)
    bad, good = examples(name, "Bad"), examples(name, "Good")
    assert bad
    assert good
    for query in bad:
        assert findings(name, workspace_of(query, "q.logql", services)), query
    for query in good:
        assert findings(name, workspace_of(query, "q.logql", services)) == [], query


def test_most_pages_of_the_stack_have_queries() -> None:
    assert len(WITH_QUERIES) == 8
